//! A page that shows what the project does, each part beside the code that does it.
//!
//! The code is the same for every runtime; the differences are in the module `on` of the program that
//! includes this. `feed.rs` has the topic that all pages follow, `handlers.rs` the rest.

mod answers;
mod clean_up;
#[path = "../../common/console.rs"]
mod console;
mod control;
mod feed;
mod flags;
mod handlers;
mod https;
mod numbers;
mod page;
#[path = "../../common/redis.rs"]
mod redis;
mod shared;
mod state;

use std::{
    io::{self, Write},
    net::TcpListener,
    pin::pin,
    process::ExitCode,
    sync::Arc,
};

use futures_util::future::{self, Either};

use crate::on::{
    self, Runtime,
    adapter::{
        OpenStreams, ResumableConfig, ResumableStreams, Router, Server, ServerConfig,
        event_log::{FollowedTopic, FollowedTopicsConfig},
        tls::rustls,
    },
};
use console::Console;
use control::Control;
use feed::{Feed, Kept};
use flags::Flags;
use handlers::Demo;
use https::Tls;

type Failure = Box<dyn std::error::Error>;

pub(crate) async fn main() -> ExitCode {
    let flags = match Flags::parse() {
        Ok(Some(flags)) => flags,
        Ok(None) => return ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "demo: {error}\nTry --help.");
            return ExitCode::FAILURE;
        }
    };
    let console = Console::new(io::stdout());
    let result = run(flags, &console).await;
    console.flush();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "demo: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(flags: Flags, console: &Console) -> Result<(), Failure> {
    let process = Process::new(flags, console.clone()).await?;
    let mut kept = None;
    for run in 1.. {
        kept = process.serve(run, kept).await?;
        if !process.control.goes_on() {
            break;
        }
    }
    Ok(())
}

/// What outlives the runs of the server.
struct Process {
    socket: TcpListener,
    address: String,
    page: String,
    config: ServerConfig,
    tls: Option<Arc<rustls::ServerConfig>>,
    /// The topic of all nodes, if there are many.
    shared: Option<FollowedTopic>,
    answers: ResumableStreams,
    open: OpenStreams,
    control: Control,
    console: Console,
}

impl Process {
    async fn new(flags: Flags, console: Console) -> Result<Self, Failure> {
        let socket = TcpListener::bind(&flags.addr).map_err(|error| {
            let addr = flags.addr;
            format!("{addr}: {error}\nChoose another address with --addr HOST:PORT.")
        })?;
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?.to_string();
        let control = Control::default();
        shut_down_on_ctrl_c(control.clone(), console.clone())?;
        let tls = flags.tls.map(Tls::config).transpose()?;
        let shared = match &flags.redis {
            None => None,
            Some(url) => {
                let mut config = FollowedTopicsConfig::default();
                config.topic = feed::config();
                Some(redis::topic(url, "demo", feed::KEPT, config).await?)
            }
        };
        announce(
            &console,
            if tls.is_some() { "https" } else { "http" },
            &address,
        );
        let open = OpenStreams::new();
        let mut config = flags.config;
        config.open_streams = Some(open.clone());
        // A restart ends the connections of an answer at once, and its producer goes on.
        let mut answers = ResumableConfig::default();
        answers.shutdown_grace = None;
        Ok(Self {
            socket,
            page: page::render(&address, on::NAME)?,
            address,
            config,
            tls,
            shared,
            answers: ResumableStreams::on(Runtime, answers),
            open,
            control,
            console,
        })
    }

    /// Runs the server until it is shut down. It begins with what the topic held
    /// in the run before.
    async fn serve(&self, run: u32, kept: Kept) -> Result<Kept, Failure> {
        let feed = self.feed(kept)?;
        let server = self.server()?; // on the socket, which stays open
        self.control.begin(server.handle());
        let serving = server.serve(self.router(&feed, run));
        let report = self.publishing_while(serving, &feed, run).await?;
        self.console.say(format_args!("Run {run}: {report}."));
        Ok(feed.end())
    }

    fn feed(&self, kept: Kept) -> Result<Feed, Failure> {
        match &self.shared {
            None => Feed::begin(kept),
            Some(topic) => Ok(Feed::Shared(topic.clone())),
        }
    }

    /// Returns a server on the socket, which stays open between the runs: no client is refused.
    fn server(&self) -> io::Result<Server> {
        let listener = on::listener(self.socket.try_clone()?)?;
        let server = Server::new(Runtime, listener).with_config(self.config.clone());
        Ok(match &self.tls {
            Some(tls) => server.with_tls(tls.clone()),
            None => server,
        })
    }

    fn router(&self, feed: &Feed, run: u32) -> Router {
        let demo = Demo {
            feed: feed.clone(),
            answers: self.answers.clone(),
            open: self.open.clone(),
            control: self.control.clone(),
            console: self.console.clone(),
        };
        let router = demo.routes(&self.page);
        if run == 1 {
            router.routes().for_each(|route| self.console.say(route));
        }
        router
    }

    /// Publishes what the pages show until the server has ended.
    async fn publishing_while<T>(
        &self,
        serving: impl Future<Output = T>,
        feed: &Feed,
        run: u32,
    ) -> T {
        let numbers = async {
            match feed {
                Feed::Own(_) => numbers::publish_numbers(feed).await,
                Feed::Shared(topic) => shared::publish_in_turn(topic).await,
            }
        };
        let state = state::publish_state(feed, &self.address, run, &self.open);
        let publishing = future::join(numbers, state);
        match future::select(pin!(serving), pin!(publishing)).await {
            Either::Left((served, _)) => served,
            Either::Right(((never, _), _)) => match never {},
        }
    }
}

fn announce(console: &Console, scheme: &str, address: &str) {
    console.say(format_args!(
        "Open {scheme}://{address}/ in a browser, or try"
    ));
    let flags = if scheme == "https" { "-kN" } else { "-N" };
    for path in ["events", "example/events"] {
        console.say(format_args!("  curl {flags} {scheme}://{address}/{path}"));
    }
    console.say("Ctrl-C shuts the server down.\n");
}

/// Shuts down gracefully at the first Ctrl-C, and at once at the second.
fn shut_down_on_ctrl_c(control: Control, console: Console) -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(move || {
        if control.stop() {
            console.say("\nShutting down. Press Ctrl-C again to cut all connections.");
        }
    })
}

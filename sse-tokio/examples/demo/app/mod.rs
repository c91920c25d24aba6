//! A page that shows a live event stream, its losses and its clean-ups, and the server behind it.
//!
//! The code is the same for every runtime; the differences are in the module `on` of the program that
//! includes this.

mod clean_up_log;
#[path = "../../common/console.rs"]
mod console;
mod flags;
mod live;
#[path = "../../common/redis.rs"]
mod redis;

use std::{
    io::{self, Write},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use futures_util::{Stream, StreamExt, future, stream};

use crate::on::{
    Runtime,
    adapter::{
        Event, EventError, EventType, LastEventId, Request, Response, Router, Server, ServerHandle,
        ShutdownSignal, controller, driver::Runtime as _, event_log::FollowedTopicsConfig,
        http::header, tls,
    },
    sleep,
};
use clean_up_log::CleanUpLog;
use console::Console;
use flags::Flags;
use live::{Item, Live};

/// The type of the last event of a stream that ends by itself.
const BYE: EventType = EventType::from_static("bye");

const PAGE: &str = include_str!("page.html");

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

async fn run(flags: Flags, console: &Console) -> Result<(), Box<dyn std::error::Error>> {
    let mut server = Server::bind(&flags.addr)
        .await
        .map_err(|error| format!("{error}\nChoose another address with --addr HOST:PORT."))?
        .with_config(flags.config);
    let mut scheme = "http";
    if let Some((cert, key)) = flags.tls {
        let identity = tls::Identity::from_pem_files(cert, key)?;
        server = server.with_tls(tls::server_config(&identity)?);
        scheme = "https";
    }
    let address = server.local_addr()?;
    let handle = server.handle();

    shut_down_on_ctrl_c(handle.clone(), console.clone())?;
    console.say(format_args!(
        "Open {scheme}://{address}/ in a browser, or try"
    ));
    console.say(format_args!("  curl -N {scheme}://{address}/events"));
    console.say(format_args!(
        "  curl -N {scheme}://{address}/example/events"
    ));
    console.say("Ctrl-C shuts the server down.\n");

    let shared = match &flags.redis {
        None => None,
        Some(url) => {
            let topic = redis::topic(url, "demo", 1_000, FollowedTopicsConfig::default()).await?;
            Runtime.spawn(live::publish(topic.clone()));
            Some(topic)
        }
    };
    let router = routes(Live::new(handle, shared), console.clone());
    for route in router.routes() {
        console.say(route);
    }
    let report = server.serve(router).await?;
    console.say(format_args!("Shut down: {report}."));
    Ok(())
}

/// The state that all streams of the demo share.
struct Demo {
    log: Arc<CleanUpLog>,
    live: Arc<Live>,
}

#[controller]
impl Demo {
    /// The stream that the page shows, for this many seconds if the request says so.
    #[sse("events")]
    fn events(
        &self,
        request: Request,
        #[query("for")] seconds: Option<f64>,
        LastEventId(last): LastEventId,
        shutdown: ShutdownSignal,
    ) -> impl Stream<Item = Item> {
        self.log.watch(&request);
        let time = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let end = async move {
            match time {
                Some(time) => sleep(time).await,
                None => future::pending().await,
            }
        };
        let events = self.live.events(last.as_deref());
        events.take_until(end).take_until(shutdown)
    }

    /// A stream that ends by itself.
    #[sse("bounded")]
    fn bounded(&self, request: Request) -> impl Stream<Item = Event> {
        self.log.watch(&request);
        let count = ["3", "2", "1"].map(Event::new);
        let bye = Event::new("that was all").of_type(BYE);
        stream::iter(count)
            .then(|event| async {
                sleep(Duration::from_millis(500)).await;
                event
            })
            .chain(stream::iter([bye]))
    }

    /// Two greetings, a second apart.
    #[sse("example/events")]
    fn example(&self, request: Request) -> impl Stream<Item = &'static str> {
        self.log.watch(&request);
        stream::iter(["Hello, world!", "Goodbye, world!"])
            .enumerate()
            .then(|(index, text)| async move {
                sleep(Duration::from_secs(index as u64)).await;
                text
            })
    }

    /// Streams the log of clean-ups.
    #[sse("clean-ups")]
    fn clean_ups(
        &self,
        request: Request,
        LastEventId(last): LastEventId,
        shutdown: ShutdownSignal,
    ) -> impl Stream<Item = Result<Event, EventError>> {
        self.log.watch(&request);
        self.log.entries(last.as_deref()).take_until(shutdown)
    }
}

fn routes(live: Live, console: Console) -> Router {
    let demo = Demo {
        log: Arc::new(CleanUpLog::new(console)),
        live: Arc::new(live),
    };
    Router::new().get("/", |_| html(PAGE)).controller(demo)
}

fn html(page: &'static str) -> Response<&'static str> {
    let mut response = Response::new(page);
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("text/html; charset=utf-8"),
    );
    response
}

/// Shuts down gracefully at the first Ctrl-C, and at once at the second.
fn shut_down_on_ctrl_c(handle: ServerHandle, console: Console) -> Result<(), ctrlc::Error> {
    let mut pressed = false;
    ctrlc::set_handler(move || {
        if pressed {
            return handle.cut();
        }
        pressed = true;
        handle.shut_down();
        console.say("\nShutting down. Press Ctrl-C again to cut all connections.");
    })
}

//! Publishes every line of standard input to all who listen.
//!
//! The same for every runtime: what differs is in the module `on` of the program that includes this.

#[path = "../../common/console.rs"]
mod console;
mod flags;
mod lines;
mod metrics;

use std::{
    io::{self, Write},
    process::ExitCode,
    thread,
};

use crate::on::{
    Runtime,
    adapter::{
        Request, Router, Server, ServerConfig,
        topic::{Topic, TopicConfig},
    },
};
use console::Console;
use flags::Flags;
use lines::{Line, Lines};

pub(crate) async fn main() -> ExitCode {
    let flags = match Flags::parse() {
        Ok(Some(flags)) => flags,
        Ok(None) => return ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "tail: {error}\nTry --help.");
            return ExitCode::FAILURE;
        }
    };
    let console = Console::new(io::stderr());
    let code = match run(flags, &console).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            console.say(format_args!("tail: {error}"));
            ExitCode::FAILURE
        }
    };
    console.flush();
    code
}

async fn run(flags: Flags, console: &Console) -> Result<(), Box<dyn std::error::Error>> {
    if flags.verbose {
        let log = console.clone();
        tracing_subscriber::fmt()
            .with_max_level(tracing_subscriber::filter::LevelFilter::DEBUG)
            .with_writer(move || log.clone())
            .init();
    }
    let mut config = TopicConfig::default();
    config.max_events = flags.keep;
    // Room for a few of the longest lines, however they are raised.
    config.max_bytes = config.max_bytes.max(flags.max_line.saturating_mul(4));
    let topic = Topic::on(Runtime, config);

    let mut config = ServerConfig::default();
    config.connection.response.keep_alive = flags.keep_alive;
    let server = Server::bind(&flags.addr)
        .await
        .map_err(|error| format!("{error}\nChoose another address with --addr HOST:PORT."))?
        .with_config(config);
    let handle = server.handle();
    ctrlc::set_handler(move || handle.shut_down())?;
    let address = server.local_addr()?;
    console.say(format_args!("Listen at http://{address}/events"));
    console.say(format_args!("  curl -N http://{address}/events"));
    console.say(format_args!("  curl http://{address}/metrics"));

    let (handle, counted) = (server.handle(), topic.clone());
    let metrics = move |_| metrics::page(&handle.stats(), &counted.stats());

    // Reading blocks, and publishing does not wait.
    let (publisher, log) = (topic.clone(), console.clone());
    thread::spawn(move || publish_lines(&publisher, flags.max_line, &log));

    // A new client gets the lines that are kept, and one that comes back those that it missed.
    let events = move |request: Request| {
        let in_query = request.query_param(&topic.config().last_event_id_param);
        match request.last_event_id().or(in_query.as_deref()) {
            None | Some("") => topic.subscribe_from_oldest(),
            Some(_) => topic.resume(&request),
        }
    };
    let router = Router::new()
        .events("/events", events)
        .get("/metrics", metrics);
    let report = server.serve(router).await?;
    console.say(format_args!("Shut down: {report}."));
    Ok(())
}

fn publish_lines(topic: &Topic, max_line: usize, console: &Console) {
    let mut lines = Lines::new(io::stdin().lock(), max_line);
    let mut read = 0_u64;
    let mut published = 0_u64;
    loop {
        let text = match lines.next() {
            Ok(Some(Line::Whole(text))) => String::from_utf8_lossy(text).into_owned(),
            Ok(Some(Line::TooLong)) => {
                read += 1;
                console.say(format_args!(
                    "tail: line {read} is longer than {max_line} bytes and is left out; \
                     --max-line raises the bound"
                ));
                continue;
            }
            Ok(None) => break,
            Err(error) => {
                console.say(format_args!("tail: cannot read on: {error}"));
                break;
            }
        };
        read += 1;
        match topic.publish(text) {
            Ok(_) => published += 1,
            Err(error) => console.say(format_args!("tail: line {read} is left out: {error}")),
        }
    }
    console.say(format_args!(
        "The input has ended after {published} lines. They are served until Ctrl-C."
    ));
}

//! Publishes every line of standard input to all who listen.
//!
//! The same for every runtime: what differs is in the module `on` of whoever includes this.

mod flags;
mod metrics;

use std::{
    io::{self, BufRead},
    process::ExitCode,
    thread,
};

use crate::on::{
    Runtime,
    adapter::{
        Request, Router, Server,
        topic::{Topic, TopicConfig},
    },
};
use flags::Flags;

pub(crate) async fn main() -> ExitCode {
    let flags = match Flags::parse() {
        Ok(Some(flags)) => flags,
        Ok(None) => return ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tail: {error}\nTry --help.");
            return ExitCode::FAILURE;
        }
    };
    match run(flags).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tail: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(flags: Flags) -> Result<(), Box<dyn std::error::Error>> {
    if flags.verbose {
        tracing_subscriber::fmt()
            .with_max_level(tracing_subscriber::filter::LevelFilter::DEBUG)
            .with_writer(io::stderr)
            .init();
    }
    let mut config = TopicConfig::default();
    config.max_events = flags.keep;
    let topic = Topic::on(Runtime, config);

    let server = Server::bind(&flags.addr)
        .await
        .map_err(|error| format!("{error}\nChoose another address with --addr HOST:PORT."))?;
    eprintln!("Listen at http://{}/events", server.local_addr()?);
    eprintln!("  curl -N http://{}/events", server.local_addr()?);
    eprintln!("  curl http://{}/metrics", server.local_addr()?);
    let handle = server.handle();
    ctrlc::set_handler(move || handle.shut_down())?;

    let (handle, counted) = (server.handle(), topic.clone());
    let metrics = move |_| metrics::page(&handle.stats(), &counted.stats());

    // Reading blocks, and publishing waits for nobody.
    let publisher = topic.clone();
    thread::spawn(move || publish_lines(&publisher));

    // Whoever is new gets the lines that are kept, and whoever comes back those it missed.
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
    eprintln!("Shut down: {report}.");
    Ok(())
}

fn publish_lines(topic: &Topic) {
    let (mut input, mut line, mut count) = (io::stdin().lock(), Vec::new(), 0_u64);
    loop {
        line.clear();
        match input.read_until(b'\n', &mut line) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) => {
                eprintln!("tail: cannot read on: {error}");
                break;
            }
        }
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        match topic.publish(String::from_utf8_lossy(text).into_owned()) {
            Ok(_) => count += 1,
            Err(error) => eprintln!("tail: a line is left out: {error}"),
        }
    }
    eprintln!("The input has ended after {count} lines. They are served until Ctrl-C.");
}

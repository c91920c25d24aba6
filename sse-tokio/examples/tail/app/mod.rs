//! Publishes every line of standard input to all clients.
//!
//! The code is the same for every runtime; the differences are in the module `on` of the program that
//! includes this.

#[path = "../../common/console.rs"]
mod console;
mod flags;
mod lines;
mod metrics;
#[path = "../../common/redis.rs"]
mod redis;

use std::{
    io::{self, Write},
    process::ExitCode,
    thread,
    time::Duration,
};

use crate::on::{
    Runtime,
    adapter::{
        Request, Router, Server, ServerConfig, ServerHandle,
        driver::Runtime as _,
        event_log::{AppendError, FollowedTopic, FollowedTopicsConfig, LogPublishError},
        topic::{Topic, TopicConfig},
    },
    sleep,
};
use console::Console;
use flags::Flags;
use lines::{Line, Lines};

/// The time after which a line that Redis did not take is published again.
const RETRY: Duration = Duration::from_secs(1);

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
    let mut config = ServerConfig::default();
    config.connection.response.keep_alive = flags.keep_alive;
    let server = Server::bind(&flags.addr)
        .await
        .map_err(|error| format!("{error}\nChoose another address with --addr HOST:PORT."))?
        .with_config(config);
    let handle = server.handle();
    ctrlc::set_handler(move || handle.shut_down())?;
    // Before the lines are read, since their end is told, too.
    let shared = match &flags.redis {
        None => None,
        Some(url) => {
            let mut config = FollowedTopicsConfig::default();
            config.topic = topic_config(&flags);
            Some(redis::topic(url, "tail", flags.keep, config).await?)
        }
    };
    let address = server.local_addr()?;
    console.say(format_args!("Listen at http://{address}/events"));
    console.say(format_args!("  curl -N http://{address}/events"));
    console.say(format_args!("  curl http://{address}/metrics"));

    let stats = server.handle();
    let router = match shared {
        None => embedded(&flags, console, stats),
        Some(topic) => on_redis(topic, &flags, console, stats),
    };
    let report = server.serve(router).await?;
    console.say(format_args!("Shut down: {report}."));
    Ok(())
}

fn topic_config(flags: &Flags) -> TopicConfig {
    let mut config = TopicConfig::default();
    config.max_events = flags.keep;
    // There is room for a few of the longest lines, however long they may be.
    config.max_bytes = config.max_bytes.max(flags.max_line.saturating_mul(4));
    config
}

/// Serves the lines of a topic in this process.
fn embedded(flags: &Flags, console: &Console, server: ServerHandle) -> Router {
    let topic = Topic::on(Runtime, topic_config(flags));
    let (max_line, publisher, log) = (flags.max_line, topic.clone(), console.clone());
    // Reading blocks, and publishing does not wait.
    thread::spawn(move || {
        let mut published = 0;
        read_lines(max_line, &log, |line, text| {
            match publisher.publish(text) {
                Ok(_) => published += 1,
                Err(error) => log.say(format_args!("tail: line {line} is left out: {error}")),
            }
            true
        });
        say_ended(&log, published);
    });

    let counted = topic.clone();
    let metrics = move |_| metrics::page(&server.stats(), &counted.stats());
    // A new client gets the lines in the history, and one that comes back those that it missed.
    let events = move |request: Request| match is_new(&request, topic.config()) {
        true => topic.subscribe_from_oldest(),
        false => topic.resume(&request),
    };
    Router::new()
        .events("/events", events)
        .get("/metrics", metrics)
}

/// Serves the lines of a topic that all processes with the same Redis server share.
fn on_redis(
    topic: FollowedTopic,
    flags: &Flags,
    console: &Console,
    server: ServerHandle,
) -> Router {
    let names = topic_config(flags);
    // Reading blocks, and publishing waits for Redis.
    let (lines, to_publish) = async_channel::bounded(100);
    let (max_line, log) = (flags.max_line, console.clone());
    thread::spawn(move || {
        read_lines(max_line, &log, |line, text| {
            lines.send_blocking((line, text)).is_ok()
        });
    });
    let (publisher, log) = (topic.clone(), console.clone());
    Runtime.spawn(async move { publish_lines(&publisher, to_publish, &log).await });

    let counted = topic.clone();
    let metrics = move |_| metrics::page(&server.stats(), &counted.stats());
    // As in one process: lines that this one does not hold are read from Redis.
    let events = move |request: Request| match is_new(&request, &names) {
        true => topic.subscribe_from_oldest(),
        false => topic.resume(&request),
    };
    Router::new()
        .events("/events", events)
        .get("/metrics", metrics)
}

/// Returns whether the client names no event that it has seen.
fn is_new(request: &Request, config: &TopicConfig) -> bool {
    let in_query = request.query_param(&config.last_event_id_param);
    let id = request.last_event_id().or(in_query.as_deref());
    id.is_none_or(str::is_empty)
}

/// Passes each line of the input, with its number, to `publish`, until that returns that it is enough.
fn read_lines(max_line: usize, console: &Console, mut publish: impl FnMut(u64, String) -> bool) {
    let mut lines = Lines::new(io::stdin().lock(), max_line);
    for line in 1_u64.. {
        match lines.next() {
            Ok(Some(Line::Whole(text))) => {
                if !publish(line, String::from_utf8_lossy(text).into_owned()) {
                    break;
                }
            }
            Ok(Some(Line::TooLong)) => console.say(format_args!(
                "tail: line {line} is longer than {max_line} bytes and is left out; \
                 --max-line raises the bound"
            )),
            Ok(None) => break,
            Err(error) => {
                console.say(format_args!("tail: cannot read on: {error}"));
                break;
            }
        }
    }
}

/// Publishes one line after the other, so that they stay in order.
async fn publish_lines(
    topic: &FollowedTopic,
    lines: async_channel::Receiver<(u64, String)>,
    console: &Console,
) {
    let mut published = 0;
    while let Ok((line, text)) = lines.recv().await {
        let mut waits = false;
        loop {
            match topic.publish(text.clone()).await {
                Ok(_) => {
                    published += 1;
                    if waits {
                        console.say(format_args!("tail: line {line} is published"));
                    }
                    break;
                }
                // Redis has not taken it, so it may be published again.
                Err(error @ LogPublishError::Append(AppendError::NotAppended(_))) => {
                    if !waits {
                        console.say(format_args!("tail: line {line} waits: {error}"));
                    }
                    waits = true;
                    sleep(RETRY).await;
                }
                Err(error) => {
                    console.say(format_args!("tail: line {line}: {error}"));
                    break;
                }
            }
        }
    }
    say_ended(console, published);
}

fn say_ended(console: &Console, published: u64) {
    console.say(format_args!(
        "The input has ended after {published} lines. They are served until Ctrl-C."
    ));
}

//! Follows an event stream for as long as the program runs, and goes on after a restart of its own where it
//! was: `follow URL TOKEN_FILE PLACE_FILE`.

use std::{
    env,
    error::Error,
    fs, io,
    path::Path,
    time::{Duration, Instant},
};

use sse_tokio::{
    EventSource, EventSourceConfig, MessageEvent, Prepared, Proxy, StatusCode, client::ClientEvent,
};

type Failed = Box<dyn Error + Send + Sync>;

/// What a proxy or a busy server answers, and what passes.
const TRY_AGAIN: [StatusCode; 5] = [
    StatusCode::REQUEST_TIMEOUT,
    StatusCode::TOO_MANY_REQUESTS,
    StatusCode::BAD_GATEWAY,
    StatusCode::SERVICE_UNAVAILABLE,
    StatusCode::GATEWAY_TIMEOUT,
];

/// The program ends with an error where it had no stream for so long.
const GIVE_UP_AFTER: Duration = Duration::from_secs(15 * 60);

fn config() -> EventSourceConfig {
    let mut config = EventSourceConfig::default();
    // The server sends a comment every 15 s. A stream without a byte for longer than two of them is lost.
    config.idle_timeout = Some(Duration::from_secs(40));
    config.retry_statuses = TRY_AGAIN.into();
    config
}

/// The event source, which reads the token anew for each attempt.
fn subscribe(url: &str, token_file: String, place: String) -> Result<EventSource, Failed> {
    let source = EventSource::with_config(url, config())?
        .with_connector(Proxy::from_env()?)
        .with_last_event_id(place)?;
    Ok(source.prepare(move |mut attempt| {
        let token_file = token_file.clone();
        async move {
            let answer = attempt.unexpected_response().map(|answer| answer.status());
            let may_pass =
                |status| status == StatusCode::UNAUTHORIZED || TRY_AGAIN.contains(&status);
            if !answer.is_none_or(may_pass) {
                return Ok(Prepared::Stop); // such as 403 or 404: a person has to look at it
            }
            attempt.set_bearer(fs::read_to_string(token_file)?.trim())?;
            Ok::<_, Failed>(Prepared::Send(attempt))
        }
    }))
}

/// What the program is for.
fn handle(event: &MessageEvent) {
    match event.event_type() {
        // A topic of this project tells so that the events since the place are not all there.
        "resume" => println!("some events are lost: {}", event.data()),
        _ => println!("{}", event.data()),
    }
}

fn read_place(file: &Path) -> io::Result<String> {
    match fs::read_to_string(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        place => place,
    }
}

/// Writes the place so that a crash leaves the old one or the new one.
fn keep_place(file: &Path, place: &str) -> io::Result<()> {
    let new = file.with_extension("new");
    fs::write(&new, place)?;
    fs::rename(new, file)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failed> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [url, token_file, place_file] = &arguments[..] else {
        return Err("give a URL, the file of the token and the file of the place".into());
    };
    let place_file = Path::new(place_file);
    let mut place = read_place(place_file)?;
    let mut source = subscribe(url, token_file.clone(), place.clone())?;
    let mut had_stream = Instant::now();
    while let Some(update) = source.next_update().await {
        match update {
            ClientEvent::Open(_) => eprintln!("open"),
            ClientEvent::Event(event) => {
                handle(&event);
                // Behind the handling: a crash in between has one event handled twice, and none lost.
                if event.last_event_id() != place {
                    place = event.last_event_id().to_owned();
                    keep_place(place_file, &place)?;
                }
                had_stream = Instant::now();
            }
            ClientEvent::Lost { loss, wait } => {
                eprintln!("{loss}; again in {wait:?}");
                if had_stream.elapsed() > GIVE_UP_AFTER {
                    return Err(loss.into());
                }
            }
            ClientEvent::Closed(end) => eprintln!("over: {}", end?),
            _ => {}
        }
    }
    Ok(())
}

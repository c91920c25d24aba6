//! Prints an event stream, one line of JSON for each event: the `curl` for event streams.
//!
//! The code is the same for every runtime; the differences are in the module `on` of the program that
//! includes this.

mod flags;
#[cfg(unix)]
mod reader;
mod token;

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fmt::Display,
    io::{self, Write},
    process::{self, ExitCode},
    thread,
    time::Duration,
};

use serde::Serialize;

use crate::on::adapter::{
    EventSource, UnixConnector,
    client::{ClientEvent, End, Failure, UnexpectedResponse},
    http::{HeaderMap, Response},
    tls::{Certificates, Roots, client_config},
};
use flags::{Flags, Way};

/// How long the program may run on after Ctrl-C.
const LAST_WORDS: Duration = Duration::from_secs(1);

pub(crate) async fn main() -> ExitCode {
    let flags = match Flags::parse() {
        Ok(Some(flags)) => flags,
        Ok(None) => return ExitCode::SUCCESS,
        Err(error) => {
            complain(format_args!("{error}\nTry --help."));
            return ExitCode::FAILURE;
        }
    };
    match listen(flags).await {
        Ok(()) => ExitCode::SUCCESS,
        // The reader of the events needs no more of them.
        Err(error) if is_broken_pipe(&*error) => ExitCode::SUCCESS,
        Err(error) => {
            complain(error);
            ExitCode::FAILURE
        }
    }
}

/// Prints an error. A closed output for errors is not an error.
fn complain(error: impl Display) {
    let _ = writeln!(io::stderr(), "listen: {error}");
}

async fn listen(flags: Flags) -> Result<(), Box<dyn std::error::Error>> {
    let mut source = EventSource::with_config(&flags.url, flags.config.clone())?;
    if let Some(file) = &flags.roots {
        let roots = Roots::Only(Certificates::from_pem_file(file)?);
        source = source.with_tls(client_config(&roots, None)?);
    }
    source = match flags.way.clone() {
        Way::Direct => source,
        Way::Proxy(proxy) => source.with_connector(proxy),
        Way::UnixSocket(path) => source.with_connector(UnixConnector::new(path)),
    };
    if let Some(command) = flags.token_command.clone() {
        let retried = flags.config.retry_statuses.clone();
        source = source
            .prepare(move |attempt| token::prepare(attempt, command.clone(), retried.clone()));
    }
    let handle = source.handle();
    ctrlc::set_handler(move || {
        handle.close();
        // An output that is not read blocks the program where it writes.
        thread::sleep(LAST_WORDS);
        process::exit(1);
    })?;

    #[cfg(unix)]
    {
        let handle = source.handle();
        reader::watch(move || handle.close());
    }

    let mut left = flags.max_messages;
    while left != Some(0)
        && let Some(update) = source.next_update().await
    {
        if let ClientEvent::Event(_) = update {
            left = left.map(|left| left - 1);
        }
        if let Some(line) = Line::of(&update).filter(|line| line.is_wanted(&flags)) {
            // Each line is written at once, so that its reader need not wait.
            let mut out = io::stdout().lock();
            writeln!(out, "{}", printable(&serde_json::to_string(&line)?))?;
            out.flush()?;
        }
        match update {
            ClientEvent::Lost { loss, wait } => {
                let seconds = wait.as_secs_f64();
                complain(format_args!("{loss}; trying again in {seconds:.1} s"));
            }
            ClientEvent::Discarded(error) | ClientEvent::IdTooLong(error) => complain(error),
            ClientEvent::Closed(Err(failure)) => return Err(failure.into()),
            _ => {}
        }
    }
    Ok(())
}

/// Escapes the control characters that JSON allows: U+007F to U+009F can move a terminal's cursor and
/// worse. In JSON they can only be part of a string, where an escape means the same.
fn printable(json: &str) -> Cow<'_, str> {
    let moves_a_cursor = |c: char| matches!(c, '\u{7f}'..='\u{9f}');
    if !json.contains(moves_a_cursor) {
        return json.into();
    }
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if moves_a_cursor(c) {
            text.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            text.push(c);
        }
    }
    text.into()
}

/// The output, with its fields in this order.
#[derive(Serialize)]
#[serde(untagged)]
enum Line<'a> {
    #[serde(rename_all = "camelCase")]
    Event {
        r#type: &'a str,
        data: &'a str,
        last_event_id: &'a str,
    },
    Comment {
        comment: &'a str,
    },
    State(State<'a>),
}

/// The state of the connection.
#[derive(Serialize)]
#[serde(tag = "state", rename_all = "camelCase")]
enum State<'a> {
    Connecting {
        host: &'a str,
        port: u16,
    },
    Open(Answer<'a>),
    ReconnectionTime {
        milliseconds: u128,
    },
    #[serde(rename_all = "camelCase")]
    Lost {
        why: String,
        wait_milliseconds: u128,
        /// The response, if it is not an event stream.
        #[serde(flatten)]
        answer: Option<Answer<'a>>,
    },
    Closed {
        why: String,
        #[serde(flatten)]
        answer: Option<Answer<'a>>,
    },
}

/// The head of a response.
#[derive(Serialize)]
struct Answer<'a> {
    status: u16,
    headers: BTreeMap<&'a str, String>,
}

impl<'a> Answer<'a> {
    fn of(response: &'a Response<()>) -> Self {
        Self {
            status: response.status().as_u16(),
            headers: fields(response.headers()),
        }
    }

    fn unexpected(response: Option<&'a UnexpectedResponse>) -> Option<Self> {
        response.map(|unexpected| Self::of(&unexpected.response))
    }
}

/// Returns each field once, with its values as a list.
fn fields(headers: &HeaderMap) -> BTreeMap<&str, String> {
    let values = |name| {
        let values = headers.get_all(name).iter();
        let values: Vec<_> = values
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .collect();
        values.join(", ")
    };
    headers
        .keys()
        .map(|name| (name.as_str(), values(name)))
        .collect()
}

impl<'a> Line<'a> {
    fn of(update: &'a ClientEvent) -> Option<Self> {
        Some(match update {
            ClientEvent::Event(event) => Self::Event {
                r#type: event.event_type(),
                data: event.data(),
                last_event_id: event.last_event_id(),
            },
            ClientEvent::Comment(comment) => Self::Comment { comment },
            ClientEvent::Connect(endpoint) => Self::State(State::Connecting {
                host: &endpoint.host,
                port: endpoint.port,
            }),
            ClientEvent::Open(response) => Self::State(State::Open(Answer::of(response))),
            ClientEvent::ReconnectionTime(time) => Self::State(State::ReconnectionTime {
                milliseconds: time.as_millis(),
            }),
            ClientEvent::Lost { loss, wait } => Self::State(State::Lost {
                why: loss.to_string(),
                wait_milliseconds: wait.as_millis(),
                answer: Answer::unexpected(loss.unexpected_response()),
            }),
            ClientEvent::Closed(result) => Self::State(State::Closed {
                why: why(result),
                answer: Answer::unexpected(
                    result.as_ref().err().and_then(Failure::unexpected_response),
                ),
            }),
            _ => return None,
        })
    }

    fn is_wanted(&self, flags: &Flags) -> bool {
        match self {
            Self::Event { .. } => true,
            Self::Comment { .. } => flags.comments,
            Self::State(_) => flags.states,
        }
    }
}

fn why(result: &Result<End, Failure>) -> String {
    match result {
        Ok(end) => end.to_string(),
        Err(failure) => failure.to_string(),
    }
}

fn is_broken_pipe(error: &(dyn std::error::Error + 'static)) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

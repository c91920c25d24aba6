//! Every phase with every input, by public calls only: the results are those in `phases.md`.

use std::{
    collections::BTreeSet,
    fmt::Write,
    io::ErrorKind::{ConnectionReset, Unsupported},
};

use sse_core::{
    client::{Attempt, AttemptError, EventSourceConfig, Phase, WrongPhase},
    http::{Response, StatusCode},
};

use crate::harness::{Client, OPEN, secs};

use Phase::{Closed, Connecting, Open, Paused, Preparing, Requesting, Unexpected, Waiting};

const PHASES: [Phase; 8] = [
    Preparing, Connecting, Requesting, Unexpected, Open, Waiting, Paused, Closed,
];

const REFUSAL: &str = "HTTP/1.1 404 No\r\ncontent-length: 5\r\n\r\n";
const RETRIED: &str = "HTTP/1.1 503 Later\r\ncontent-length: 5\r\n\r\n";
const REDIRECT: &str = "HTTP/1.1 302 Found\r\nlocation: /there\r\n\r\n";
const NO_CONTENT: &str = "HTTP/1.1 204 No Content\r\n\r\n";

/// A way to reach a phase.
struct Way {
    phase: Phase,
    /// A note on this way, if ways to the phase have different results.
    note: &'static str,
    go: fn(&mut Tried),
}

/// An input from outside, or a call of the application.
struct Input {
    name: &'static str,
    what: fn(&mut Tried) -> Result<(), WrongPhase>,
}

/// A client with an attempt to send, which a call in the wrong phase needs, too.
struct Tried {
    client: Client,
    attempt: Attempt,
}

impl Tried {
    fn new(way: &Way) -> Self {
        let mut config = EventSourceConfig::default();
        config.idle_timeout = Some(secs(60));
        config.retry_statuses = vec![StatusCode::SERVICE_UNAVAILABLE];
        let mut asked = Client::prepared(config.clone());
        asked.poll();
        let attempt = asked.attempt.take().expect("it was asked");
        let client = match way.phase {
            Preparing => Client::prepared(config),
            _ => Client::new(config),
        };
        let mut tried = Self { client, attempt };
        (way.go)(&mut tried);
        assert_eq!(tried.client.source.phase(), way.phase, "{}", way.note);
        tried
    }

    /// Passes bytes in, without polling for events.
    fn input(&mut self, bytes: &str) {
        let now = self.client.now;
        self.client.source.handle_input(now, bytes.as_bytes());
    }

    fn response(&mut self, status: u16) {
        let response = Response::builder()
            .status(status)
            .header("content-type", "text/event-stream")
            .header("location", "/there");
        let response = response.body(()).unwrap();
        self.client
            .source
            .handle_response(self.client.now, response);
    }

    fn fail(&mut self, kind: std::io::ErrorKind) {
        let now = self.client.now;
        self.client.source.handle_transport_error(now, kind.into());
    }
}

fn way(phase: Phase, note: &'static str, go: fn(&mut Tried)) -> Way {
    Way { phase, note, go }
}

fn ways() -> Vec<Way> {
    vec![
        way(Preparing, "", |t| t.client.poll()),
        way(Connecting, "untold", |_| ()),
        way(Connecting, "told", |t| t.client.poll()),
        way(Requesting, "as bytes", |t| {
            t.client.connect();
        }),
        way(Requesting, "elsewhere", |t| {
            t.client.take_request();
        }),
        way(Unexpected, "final", |t| {
            t.client.connect();
            t.input(REFUSAL);
        }),
        way(Unexpected, "retried", |t| {
            t.client.connect();
            t.input(RETRIED);
        }),
        way(Open, "untold", |t| {
            t.client.connect();
            t.input(OPEN);
        }),
        way(Open, "idle", |t| {
            t.client.connect();
            t.client.receive(OPEN);
        }),
        way(Open, "received", |t| {
            t.client.connect();
            t.client.receive(OPEN);
            t.input("data: x\n\n");
        }),
        way(Waiting, "", |t| {
            t.client.connect();
            t.client.end();
        }),
        way(Paused, "due", |t| {
            t.client.source.pause(t.client.now).unwrap();
        }),
        way(Paused, "waiting", |t| {
            t.client.connect();
            t.client.end();
            t.client.source.pause(t.client.now).unwrap();
        }),
        way(Closed, "", |t| t.client.close()),
    ]
}

fn input(name: &'static str, what: fn(&mut Tried) -> Result<(), WrongPhase>) -> Input {
    Input { name, what }
}

/// Inputs from outside, which never fail.
macro_rules! world {
    ($name:expr, |$tried:ident| $what:expr) => {
        input($name, |$tried| {
            $what;
            Ok(())
        })
    };
}

fn inputs() -> Vec<Input> {
    vec![
        world!("`handle_connected`", |t| t
            .client
            .source
            .handle_connected(t.client.now)),
        world!("`handle_connected_to_proxy`", |t| t
            .client
            .source
            .handle_connected_to_proxy(t.client.now, None)),
        world!("`handle_input`: a head that opens the stream", |t| t
            .input(OPEN)),
        world!("`handle_input`: an unexpected one", |t| t.input(REFUSAL)),
        world!("`handle_input`: a redirect", |t| t.input(REDIRECT)),
        world!("`handle_input`: a 204", |t| t.input(NO_CONTENT)),
        world!("`handle_input`: less than a head", |t| t.input("HT")),
        world!("`handle_response`: that opens the stream", |t| t
            .response(200)),
        world!("`handle_response`: an unexpected one", |t| t.response(404)),
        world!("`handle_response`: a redirect", |t| t.response(302)),
        world!("`handle_response`: a 204", |t| t.response(204)),
        world!("`handle_body`", |t| t
            .client
            .source
            .handle_body(t.client.now, b"x")),
        world!("`handle_body_end`", |t| t
            .client
            .source
            .handle_body_end(t.client.now)),
        world!("`handle_eof`", |t| t.client.source.handle_eof(t.client.now)),
        world!("`handle_transport_error`", |t| t.fail(ConnectionReset)),
        world!("`handle_transport_error`: `Unsupported`", |t| t
            .fail(Unsupported)),
        world!("`handle_timeout`: the deadline", |t| {
            if let Some(deadline) = t.client.source.poll_timeout() {
                t.client.now = deadline;
                t.client.source.handle_timeout(deadline);
            }
        }),
        world!("`handle_transmitted`: everything", |t| {
            t.client.source.handle_transmitted(t.client.now, 10_000);
        }),
        input("`take_request`", |t| {
            t.client.source.take_request(t.client.now).map(|_| ())
        }),
        input("`attempt`", |t| {
            let sent = t.client.source.attempt(t.client.now, t.attempt.clone());
            sent.map_err(|error| match error {
                AttemptError::WrongPhase(error) => error,
                other => panic!("{other}"),
            })
        }),
        input("`wait`", |t| t.client.source.wait(t.client.now, secs(5))),
        input("`stop`", |t| t.client.source.stop(t.client.now)),
        input("`reconnect`", |t| t.client.source.reconnect(t.client.now)),
        input("`pause`", |t| t.client.source.pause(t.client.now)),
        input("`resume`", |t| t.client.source.resume(t.client.now)),
        world!("`handle_preparation_error`", |t| t
            .client
            .source
            .handle_preparation_error(t.client.now, "no token")),
        input("`close`", |t| t.client.source.close(t.client.now)),
    ]
}

/// Returns the result: another phase, none, or the error of a call that changed nothing.
fn follow(way: &Way, input: &Input) -> String {
    let mut tried = Tried::new(way);
    let before = tried.client.source.poll_timeout();
    if let Err(error) = (input.what)(&mut tried) {
        assert_eq!(error.phase, way.phase);
        assert_eq!(tried.client.source.phase(), way.phase);
        assert_eq!(tried.client.source.poll_timeout(), before);
        return "`WrongPhase`".into();
    }
    tried.client.poll();
    let phase = tried.client.source.phase();
    ends(
        tried.client,
        &format!("{} in {}", input.name, way.phase_and_note()),
    );
    match phase == way.phase {
        true => "–".into(),
        false => format!("→ **{phase:?}**"),
    }
}

impl Way {
    fn phase_and_note(&self) -> String {
        format!("{:?} {}", self.phase, self.note)
    }
}

/// Checks that the subscription can be ended in any case, and reports that last.
fn ends(mut client: Client, case: &str) {
    client.close();
    let told = client.told();
    let last = told.last().expect("something was told");
    assert!(
        last.starts_with("closed") || last.starts_with("failed"),
        "{case}: {told:?}"
    );
    assert_eq!(client.source.poll_timeout(), None, "{case}");
}

/// Returns the observed `phases.md`.
fn markdown() -> String {
    let mut text = String::from("| what happens |");
    for phase in PHASES {
        write!(text, " in {phase:?} |").unwrap();
    }
    text.push_str("\n|---|");
    text.push_str(&"---|".repeat(PHASES.len()));
    text.push('\n');
    let ways = ways();
    for input in inputs() {
        write!(text, "| {} |", input.name).unwrap();
        for phase in PHASES {
            let of_phase: Vec<_> = ways.iter().filter(|way| way.phase == phase).collect();
            assert!(!of_phase.is_empty(), "no way to {phase:?}");
            let cases: Vec<_> = of_phase
                .iter()
                .map(|way| (way.note, follow(way, &input)))
                .collect();
            let distinct: BTreeSet<_> = cases.iter().map(|(_, followed)| followed).collect();
            let cell = match distinct.len() {
                1 => cases[0].1.clone(),
                _ => cases
                    .iter()
                    .map(|(note, followed)| format!("{note}: {followed}"))
                    .collect::<Vec<_>>()
                    .join("; "),
            };
            write!(text, " {cell} |").unwrap();
        }
        text.push('\n');
    }
    text
}

#[test]
fn the_documented_table_is_what_follows() {
    let documented: String = include_str!("../../src/client/phases.md")
        .lines()
        .filter(|line| line.starts_with('|'))
        .fold(String::new(), |text, line| text + line + "\n");
    let observed = markdown();
    assert_eq!(
        documented, observed,
        "write this into phases.md:\n{observed}"
    );
}

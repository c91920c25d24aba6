//! Every phase with every input, by public calls only: the results are those in `phases.md`.

use std::{collections::BTreeSet, fmt::Write, task::Poll};

use sse_core::{
    EncodedEvents,
    http::{Request, RequestHead},
    server::ResponseConfig,
    topic::{Batch, Topic, TopicConfig},
};

use super::*;

const CHUNKED: &[u8] = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

/// A connection with its events.
struct Tried {
    connection: Connection,
    now: Instant,
    cleaned_up: Arc<Mutex<Vec<CloseReason>>>,
}

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
    what: What,
    config: fn(&mut ConnectionConfig),
}

#[derive(Clone, Copy)]
enum What {
    World(fn(&mut Tried)),
    Verb(fn(&mut Tried) -> Result<(), WrongPhase>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Followed {
    Phase(Phase),
    WrongPhase,
}

use Phase::{
    Body as BodyPhase, Closed, Delivering, Ending, Head, Lingering, Responding, Streaming,
};

impl Tried {
    fn on_socket(config: ConnectionConfig) -> Self {
        let now = Instant::now();
        let date = SystemTime::UNIX_EPOCH;
        Self::of(now, Connection::new(now, date, Arc::new(config)))
    }

    /// Creates one inside a foreign server, with a request that has a body.
    fn in_server(config: ResponseConfig) -> Self {
        let now = Instant::now();
        let request = Request::post("/").header("host", "a");
        let request = request.header("content-length", "5").body(()).unwrap();
        let head = RequestHead::new(request).unwrap();
        Self::of(now, Connection::for_response(now, Arc::new(config), &head))
    }

    fn of(now: Instant, connection: Connection) -> Self {
        let cleaned_up = Arc::<Mutex<Vec<_>>>::default();
        let log = cleaned_up.clone();
        let clean_up = connection.clean_up();
        clean_up.add(move |reason| log.lock().unwrap().push(reason.clone()));
        Self {
            connection,
            now,
            cleaned_up,
        }
    }

    fn input(&mut self, bytes: &[u8]) {
        self.connection.handle_input(self.now, bytes);
    }

    fn transmit(&mut self) {
        let length = self.connection.poll_transmit().len();
        self.connection.handle_transmitted(self.now, length);
    }

    fn respond(&mut self, body: ResponseBody) -> Result<(), WrongPhase> {
        let result = self.connection.respond(self.now, Response::new(body));
        result.map_err(|error| match error {
            RespondError::WrongPhase(error) => error,
            other => panic!("{other}"),
        })
    }

    fn send(&mut self) -> Result<(), WrongPhase> {
        sent(self.connection.send(self.now, &Event::new("x")))
    }

    /// Lets time pass until the next deadline.
    fn wait(&mut self) {
        if let Some(deadline) = self.connection.poll_timeout() {
            assert!(deadline >= self.now, "deadlines do not lie in the past");
            self.now = deadline;
            self.connection.handle_timeout(deadline);
        }
    }

    /// Checks that the connection ends in any case, reports it once, and cleans up once.
    fn ends(mut self, case: &str) {
        let mut closed = None;
        for _ in 0..20 {
            while let Some(event) = self.connection.poll_event(self.now) {
                assert!(closed.is_none(), "{case}: closed comes last");
                match event {
                    ConnectionEvent::EndOutput { .. } => {
                        self.connection.handle_output_ended(self.now)
                    }
                    ConnectionEvent::Closed(reason) => closed = Some(reason),
                    _ => {}
                }
            }
            self.transmit();
            self.connection.handle_output_ended(self.now);
            if self.connection.phase() == Streaming {
                // An open stream that is read has no end of its own.
                self.connection.finish(self.now).unwrap();
            }
            if let Some(deadline) = self.connection.poll_timeout() {
                self.now = deadline;
                self.connection.handle_timeout(deadline);
            }
        }
        assert_eq!(self.connection.phase(), Closed, "{case}");
        let (reason, log) = (closed.expect(case), self.cleaned_up.clone());
        drop(self);
        assert_eq!(*log.lock().unwrap(), [reason], "{case}");
    }
}

fn sent(result: Result<(), SendError>) -> Result<(), WrongPhase> {
    result.map_err(|error| match error {
        SendError::WrongPhase(error) => error,
        other => panic!("{other}"),
    })
}

/// Returns the events that a topic gives to each of its subscribers.
fn encoded_events() -> EncodedEvents {
    let topic = Topic::new(TopicConfig::default(), 0, Instant::now);
    let mut subscriber = topic.subscribe();
    topic.publish("x").unwrap();
    match subscriber.try_next() {
        Poll::Ready(Some(Ok(Batch::Events(events)))) => events,
        other => panic!("{other:?}"),
    }
}

/// Opens a stream, and transmits everything.
fn open(tried: &mut Tried) {
    tried.connection.poll_event(tried.now);
    tried.respond(ResponseBody::event_stream()).unwrap();
    tried.transmit();
}

/// Sets an end for the open stream.
fn end_soon(tried: &mut Tried) {
    let soon = tried.now + secs(1);
    let reason = CloseReason::LifetimeOver;
    tried.connection.finish_at(soon, reason).unwrap();
}

/// Ends and transmits a stream.
fn deliver(tried: &mut Tried) {
    open(tried);
    tried.send().unwrap();
    tried.connection.finish(tried.now).unwrap();
    tried.transmit();
}

fn end_output(tried: &mut Tried) {
    while !matches!(
        tried.connection.poll_event(tried.now),
        Some(ConnectionEvent::EndOutput { .. })
    ) {}
}

fn way(phase: Phase, note: &'static str, go: fn(&mut Tried)) -> Way {
    Way { phase, note, go }
}

fn ways_on_socket() -> Vec<Way> {
    vec![
        way(Head, "silent", |_| ()),
        way(Head, "begun", |t| t.input(b"G")),
        way(BodyPhase, "", |t| {
            t.input(CHUNKED);
            t.connection.receive_body(t.now).unwrap();
        }),
        way(Responding, "no body", |t| t.input(REQUEST)),
        way(Responding, "a body", |t| t.input(CHUNKED)),
        way(Streaming, "idle", |t| {
            t.input(REQUEST);
            open(t);
        }),
        way(Streaming, "queued", |t| {
            t.input(REQUEST);
            open(t);
            t.send().unwrap();
        }),
        way(Streaming, "with an end", |t| {
            t.input(REQUEST);
            open(t);
            end_soon(t);
        }),
        way(Delivering, "queued", |t| {
            t.input(REQUEST);
            open(t);
            t.send().unwrap();
            t.connection.finish(t.now).unwrap();
        }),
        way(Delivering, "transmitted", |t| {
            t.input(REQUEST);
            deliver(t);
        }),
        way(Ending, "whole request", |t| {
            t.input(REQUEST);
            deliver(t);
            end_output(t);
        }),
        way(Ending, "more to come", |t| {
            t.input(POST);
            deliver(t);
            end_output(t);
        }),
        way(Lingering, "", |t| {
            t.input(POST);
            deliver(t);
            end_output(t);
            t.connection.handle_output_ended(t.now);
        }),
        way(Closed, "", |t| t.connection.handle_eof(t.now)),
    ]
}

fn ways_in_server() -> Vec<Way> {
    vec![
        way(Responding, "", |_| ()),
        way(BodyPhase, "", |t| {
            t.connection.receive_body(t.now).unwrap();
        }),
        way(Streaming, "idle", open),
        way(Streaming, "queued", |t| {
            open(t);
            t.send().unwrap();
        }),
        way(Streaming, "with an end", |t| {
            open(t);
            end_soon(t);
        }),
        way(Delivering, "queued", |t| {
            open(t);
            t.send().unwrap();
            t.connection.finish(t.now).unwrap();
        }),
        way(Delivering, "taken", deliver),
        way(Delivering, "failed", |t| {
            open(t);
            let reason = CloseReason::HandlerPanicked;
            t.connection.abort(t.now, reason).unwrap();
        }),
        way(Delivering, "whole", |t| {
            t.respond(ResponseBody::Whole("x".into())).unwrap();
            t.connection.poll_event(t.now);
        }),
        way(Ending, "", |t| {
            deliver(t);
            end_output(t);
        }),
        way(Closed, "", |t| {
            let reason = CloseReason::ClientWentAway;
            t.connection.close(t.now, reason).unwrap();
        }),
    ]
}

fn world(name: &'static str, what: fn(&mut Tried)) -> Input {
    Input {
        name,
        what: What::World(what),
        config: |_| (),
    }
}

fn verb(name: &'static str, what: fn(&mut Tried) -> Result<(), WrongPhase>) -> Input {
    Input {
        name,
        what: What::Verb(what),
        config: |_| (),
    }
}

fn inputs() -> Vec<Input> {
    vec![
        world(
            "`handle_input`: the rest of the head, or of the body",
            |t| {
                t.input(match t.connection.phase() {
                    BodyPhase => b"0\r\n\r\n",
                    _ => REQUEST,
                });
            },
        ),
        world("`handle_input`: less than that", |t| t.input(b"4")),
        world("`handle_input`: what cannot be served", |t| {
            t.input(b"\0\r\n\r\n")
        }),
        world("`handle_body`", |t| {
            t.connection.handle_body(t.now, b"0\r\n\r\n")
        }),
        Input {
            config: |config| config.response.body_limit = 5,
            ..world("`handle_body`: more than is received", |t| {
                t.connection.handle_body(t.now, b"sixsix")
            })
        },
        world("`handle_body_end`", |t| t.connection.handle_body_end(t.now)),
        world("`handle_eof`", |t| t.connection.handle_eof(t.now)),
        world("`handle_transport_error`", |t| {
            let error = io::ErrorKind::ConnectionReset.into();
            t.connection.handle_transport_error(t.now, error);
        }),
        Input {
            config: |config| config.stall_timeout = secs(1000),
            ..world("`handle_timeout`: the phase's deadline", Tried::wait)
        },
        Input {
            config: |config| {
                config.stall_timeout = Duration::from_millis(500);
                config.response.keep_alive = None;
            },
            ..world("`handle_timeout`: a stall", |t| {
                if t.connection.has_output() {
                    t.wait();
                }
            })
        },
        world("`handle_transmitted`: everything", Tried::transmit),
        world("`handle_progress`", |t| t.connection.handle_progress(t.now)),
        world("`take_body`: everything", |t| {
            while t.connection.take_body(t.now).is_some() {}
        }),
        world("`poll_event`", |t| {
            while t.connection.poll_event(t.now).is_some() {}
        }),
        world("`handle_output_ended`", |t| {
            t.connection.handle_output_ended(t.now);
        }),
        verb("`receive_body`", |t| t.connection.receive_body(t.now)),
        verb("`respond`: an event stream", |t| {
            t.respond(ResponseBody::event_stream())
        }),
        verb("`respond`: a whole response", |t| {
            t.respond(ResponseBody::Whole("x".into()))
        }),
        verb("`send`", Tried::send),
        verb("`send_encoded`", |t| {
            sent(t.connection.send_encoded(t.now, encoded_events()))
        }),
        verb("`comment`", |t| {
            sent(t.connection.comment(t.now, &Comment::new("x")))
        }),
        verb("`finish`", |t| t.connection.finish(t.now)),
        verb("`finish_for`", |t| {
            t.connection.finish_for(t.now, CloseReason::Shutdown)
        }),
        verb("`finish_at`", |t| {
            t.connection.finish_at(t.now, CloseReason::LifetimeOver)
        }),
        verb("`end_with_retry`", |t| {
            t.connection.end_with_retry(Duration::from_secs(3))
        }),
        verb("`deliver_by`", |t| t.connection.deliver_by(t.now + secs(1))),
        verb("`abort`", |t| {
            t.connection.abort(t.now, CloseReason::HandlerPanicked)
        }),
        verb("`close`", |t| {
            t.connection.close(t.now, CloseReason::Shutdown)
        }),
    ]
}

/// Goes this way, and then applies this input.
fn try_out(mut tried: Tried, way: &Way, input: &Input) -> Followed {
    let case = format!("{} in {:?} {}", input.name, way.phase, way.note);
    (way.go)(&mut tried);
    let before = way.phase;
    assert_eq!(tried.connection.phase(), before, "{case}");
    let seen = |tried: &Tried| (tried.connection.queued(), tried.connection.poll_timeout());
    let seen_before = seen(&tried);
    let followed = match input.what {
        What::World(what) => {
            what(&mut tried);
            Followed::Phase(tried.connection.phase())
        }
        What::Verb(what) => match what(&mut tried) {
            Ok(()) => Followed::Phase(tried.connection.phase()),
            Err(error) => {
                assert_eq!(error.phase, before, "{case}");
                assert!(input.name.contains(error.call), "{case}");
                assert_eq!(tried.connection.phase(), before, "{case}");
                assert_eq!(seen(&tried), seen_before, "{case}: nothing was changed");
                Followed::WrongPhase
            }
        },
    };
    if input.name == "`poll_event`" && tried.connection.phase() == Closed {
        // All events are taken.
        return followed;
    }
    tried.ends(&case);
    followed
}

/// Returns a table with a row per input and a column per phase, and each step from phase to phase.
fn table(
    ways: &[Way],
    start: fn(ConnectionConfig) -> Tried,
    steps: &mut BTreeSet<(usize, usize)>,
) -> String {
    let mut phases: Vec<Phase> = ways.iter().map(|way| way.phase).collect();
    phases.dedup();
    let mut text = String::from("| what happens |");
    for phase in &phases {
        write!(text, " in {phase:?} |").unwrap();
    }
    text += &format!("\n|---|{}\n", "---|".repeat(phases.len()));
    for input in inputs() {
        write!(text, "| {} |", input.name).unwrap();
        for &phase in &phases {
            let ways = ways.iter().filter(|way| way.phase == phase);
            let followed: Vec<(&str, Followed)> = ways
                .map(|way| {
                    let mut config = ConnectionConfig::default();
                    (input.config)(&mut config);
                    (way.note, try_out(start(config), way, &input))
                })
                .collect();
            for (_, followed) in &followed {
                if let Followed::Phase(next) = followed
                    && *next != phase
                {
                    steps.insert((phase as usize, *next as usize));
                }
            }
            write!(text, " {} |", cell(phase, &input, &followed)).unwrap();
        }
        text.push('\n');
    }
    text
}

/// Returns the results, once for all ways to the phase or each with its note.
fn cell(phase: Phase, input: &Input, followed: &[(&str, Followed)]) -> String {
    let say = |followed: Followed| match (followed, input.what) {
        (Followed::WrongPhase, _) => "`WrongPhase`".into(),
        (Followed::Phase(next), What::World(_)) if next == phase => "–".into(),
        (Followed::Phase(next), What::Verb(_)) if next == phase => "stays".into(),
        (Followed::Phase(next), _) => format!("→ **{next:?}**"),
    };
    let (_, first) = followed[0];
    if followed.iter().all(|(_, other)| *other == first) {
        return say(first);
    }
    let parts: Vec<String> = followed
        .iter()
        .map(|(note, followed)| format!("{note}: {}", say(*followed)))
        .collect();
    parts.join("; ")
}

/// Returns the steps as lines, `From ──> To, To`.
fn diagram(steps: &BTreeSet<(usize, usize)>) -> String {
    const PHASES: [Phase; 8] = [
        Head, BodyPhase, Responding, Streaming, Delivering, Ending, Lingering, Closed,
    ];
    let mut text = String::new();
    for (number, from) in PHASES.iter().enumerate() {
        let nexts: Vec<String> = steps
            .iter()
            .filter(|(step, _)| *step == number)
            .map(|(_, next)| format!("{:?}", PHASES[*next]))
            .collect();
        if !nexts.is_empty() {
            let from = format!("{from:?}");
            writeln!(text, "{from:<10} ──> {}", nexts.join(", ")).unwrap();
        }
    }
    text
}

/// Returns the observed lines of `phases.md`.
fn observed() -> String {
    let mut steps = BTreeSet::new();
    let socket = table(&ways_on_socket(), Tried::on_socket, &mut steps);
    let in_server = |config: ConnectionConfig| Tried::in_server(config.response);
    let server = table(&ways_in_server(), in_server, &mut steps);
    format!("{}{socket}{server}", diagram(&steps))
}

#[test]
fn every_phase_with_every_input_is_as_the_page_says() {
    let documented: String = include_str!("../../src/server/phases.md")
        .lines()
        .filter(|line| line.starts_with('|') || line.contains(" ──> "))
        .fold(String::new(), |text, line| text + line + "\n");
    let observed = observed();
    assert_eq!(
        documented, observed,
        "write this into phases.md:\n{observed}"
    );
}

//! The hosts of a reply, each with a client that observes the results.

mod connection;
mod embedding;
mod test_client;
mod wire;

use std::{
    fmt,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    time::Duration,
};

use sse_core::{Decoded, Decoder, http::HeaderMap, lifecycle::CloseCounts};
use sse_driver::router::Router;

use crate::{
    scenario::{Ask, Scenario},
    sim::Sim,
};

/// A host of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Connection,
    Embedding,
    TestClient,
}

/// When a client stops polling a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// At its end, or an error.
    ToTheEnd,
    /// As soon as the body says that it is at its end, as hyper does.
    ToItsWord,
}

/// Two clients of one server: the scenario's, and the bystander, which comes second.
pub trait Host {
    fn ask(&mut self, path: &'static str, ask: &Ask);

    /// Lets everything happen that takes no time. Clients read everything.
    fn settle(&mut self);
    fn advance(&mut self, by: Duration);

    /// Lets time pass in which no task has a turn.
    fn hold_up(&mut self, by: Duration);

    // These are steps of the scenario's client.
    fn read_once(&mut self);
    fn upload(&mut self, piece: &'static str);
    fn break_upload(&mut self);
    fn leave(&mut self);

    // These are steps of the server.
    fn shut_down(&mut self);
    fn cut(&mut self);
    fn stop(&mut self);

    fn sight(&self) -> Sight;
    fn bystander(&self) -> Sight;

    /// Returns the name under which the end of the scenario's response was counted. The test client only
    /// knows it for event streams.
    fn counted(&self) -> Option<String>;
}

impl Way {
    /// Returns the ways in which its clients read.
    pub fn readings(self) -> &'static [Reading] {
        match self {
            Self::Embedding => &[Reading::ToTheEnd, Reading::ToItsWord],
            Self::Connection | Self::TestClient => &[Reading::ToTheEnd],
        }
    }

    pub fn host(
        self,
        reading: Reading,
        sim: &Sim,
        router: Router,
        scenario: &Scenario,
    ) -> Box<dyn Host> {
        let bounds = &scenario.bounds;
        match self {
            Self::Connection => Box::new(connection::Served::new(sim, router, bounds)),
            Self::Embedding => Box::new(embedding::Embedded::new(sim, router, bounds, reading)),
            Self::TestClient => Box::new(test_client::Tested::new(sim, router, scenario)),
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connection => "over a connection",
            Self::Embedding => "embedded",
            Self::TestClient => "for the test client",
        })
    }
}

/// A response as a client sees it.
#[derive(Clone, Debug, Default)]
pub struct Sight {
    pub status: Option<u16>,
    pub content_type: Option<String>,
    /// The body's length in the head.
    pub length: Option<u64>,
    /// The body, if it is not an event stream.
    pub text: String,
    pub events: Vec<String>,
    pub comments: usize,
    pub end: End,
}

/// The state of the body, or its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum End {
    #[default]
    Open,
    Ended,
    BrokeOff,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "still open",
            Self::Ended => "ended",
            Self::BrokeOff => "broken off",
        })
    }
}

impl Sight {
    pub fn is_stream(&self) -> bool {
        self.content_type.as_deref() == Some("text/event-stream")
    }

    fn set_head(&mut self, status: u16, headers: &HeaderMap) {
        let field = |name: &str| Some(headers.get(name)?.to_str().unwrap().to_owned());
        self.status = Some(status);
        self.content_type = field("content-type").map(|value| value.replace("; charset=utf-8", ""));
        self.length = field("content-length").map(|value| value.parse().unwrap());
        if self.is_stream() {
            // No way may leave these out.
            assert_eq!(field("cache-control").unwrap(), "no-cache, no-transform");
            assert_eq!(field("x-accel-buffering").unwrap(), "no");
        }
    }

    /// Sets the body so far.
    fn set_body(&mut self, bytes: &[u8]) {
        if !self.is_stream() {
            self.text = String::from_utf8_lossy(bytes).into_owned();
            return;
        }
        (self.events, self.comments) = (Vec::new(), 0);
        let (mut decoder, mut input) = (Decoder::new(), bytes);
        while let Some(decoded) = decoder.decode(&mut input).unwrap() {
            match decoded {
                Decoded::Event(event) => self.events.push(one_event(
                    event.event_type(),
                    event.data(),
                    event.last_event_id(),
                )),
                Decoded::Comment(_) => self.comments += 1,
                _ => {}
            }
        }
    }
}

/// Returns an event in the form of the table: `type:data#id`.
fn one_event(event_type: &str, data: &str, last_event_id: &str) -> String {
    let mut text = String::new();
    if event_type != "message" {
        text += &format!("{event_type}:");
    }
    text += data;
    if !last_event_id.is_empty() {
        text += &format!("#{last_event_id}");
    }
    text
}

/// Returns the names under which ended responses have been counted.
fn counted(closed: CloseCounts) -> Option<String> {
    let names: Vec<&str> = closed
        .iter()
        .flat_map(|(name, count)| std::iter::repeat_n(name, count as usize))
        .collect();
    (!names.is_empty()).then(|| names.join(" and "))
}

/// Controls when a client may read.
#[derive(Clone, Default)]
struct Gate {
    state: Arc<Mutex<GateState>>,
}

#[derive(Default)]
struct GateState {
    is_held: bool,
    /// How often it may read nevertheless.
    once: usize,
    waiting: Option<Waker>,
}

impl Gate {
    fn of(ask: &Ask) -> Self {
        let gate = Self::default();
        gate.state.lock().unwrap().is_held = ask.holds;
        gate
    }

    fn read_once(&self) {
        let mut state = self.state.lock().unwrap();
        state.once += 1;
        let waiting = state.waiting.take();
        drop(state);
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }

    /// Returns ready when the client may poll.
    fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state.lock().unwrap();
        if state.is_held && state.once == 0 {
            state.waiting = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(())
    }

    /// Records a read.
    fn took(&self) {
        let mut state = self.state.lock().unwrap();
        state.once = state.once.saturating_sub(1);
    }
}

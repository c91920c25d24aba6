//! What a scenario is made of.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use sse_core::{
    http::Method,
    topic::{Topic, TopicConfig},
};
use sse_driver::router::{Request, Router};

use crate::{
    harness::{Feed, Journal},
    ways::Way,
};

/// One request, what happens while it is answered, and what is to come of it.
pub struct Scenario {
    pub name: &'static str,
    pub ask: Ask,
    pub bounds: Bounds,
    pub routes: Arc<dyn Fn(&Scene) -> Router>,
    pub script: Vec<Step>,
    pub expected: Seen,
    pub differences: Vec<Difference>,
}

/// The request. It is for the path `/`.
#[derive(Clone, Debug)]
pub struct Ask {
    pub method: Method,
    pub fields: Vec<(&'static str, String)>,
    /// How long the request's body is, by its own account.
    pub announced: Option<usize>,
    /// The client reads nothing unless the script says so.
    pub holds: bool,
}

/// How many bytes are in flight to a client that holds.
pub const IN_FLIGHT: usize = 512;

/// More than what is in flight to a client that holds.
pub const LARGE: &str = {
    const BYTES: [u8; 1000] = [b'x'; 1000];
    match std::str::from_utf8(&BYTES) {
        Ok(text) => text,
        Err(_) => panic!("it is ASCII"),
    }
};

/// A plain `GET`.
impl Default for Ask {
    fn default() -> Self {
        Self {
            method: Method::GET,
            fields: Vec::new(),
            announced: None,
            holds: false,
        }
    }
}

/// The settings that all ways have.
#[derive(Clone, Debug)]
pub struct Bounds {
    pub respond_timeout: Duration,
    pub body_timeout: Duration,
    pub body_limit: usize,
    /// An embedding has none: its server finds out for itself which clients do not read.
    pub stall_timeout: Duration,
    pub keep_alive: Option<Duration>,
    pub high_water_mark: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            respond_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(30),
            body_limit: 1024,
            stall_timeout: Duration::from_secs(30),
            keep_alive: None,
            high_water_mark: 64 * 1024,
        }
    }
}

/// What happens. Whatever follows from it has happened before the next step, unless it says
/// otherwise, and the client has read everything that was sent, unless it holds.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// The feed yields an event.
    Push(&'static str),
    /// The feed ends.
    End,
    /// The feed yields an error.
    Fail(&'static str),
    /// The topic publishes so many events, and the subscriber has no turn in between.
    Publish(usize),
    /// The topic publishes an event with this text.
    PublishText(&'static str),
    /// The client reads what is there by now, once.
    ReadOnce,
    Advance(Duration),
    /// This happens, and then so much time passes before any task has a turn.
    Late(&'static Step, Duration),
    /// The client sends a piece of the request's body.
    Upload(&'static str),
    /// The client breaks off in the midst of it.
    BreakUpload,
    /// The client goes away.
    Leave,
    /// A graceful shutdown begins.
    ShutDown,
    /// Everything is ended at once.
    Cut,
    /// Every task is dropped, as by a runtime that is shut down.
    Stop,
}

/// What came of it, a line each: the head, the events or the body, how the body ended; then what
/// the handler's side noted, in order; and the reason that was counted.
pub type Seen = Vec<String>;

/// One way comes to something else.
#[derive(Debug)]
pub struct Difference {
    pub way: Way,
    pub seen: Seen,
    pub verdict: Verdict,
}

/// What is to become of a difference, and why.
#[derive(Debug)]
pub enum Verdict {
    /// It is right as it is.
    Stays(&'static str),
    /// It is a fault.
    ToMend(&'static str),
    /// This way has no such thing.
    Lacks(&'static str),
}

/// What handlers have to work with.
#[derive(Clone)]
pub struct Scene {
    pub feed: Feed,
    pub journal: Journal,
    pub topic: Topic,
}

/// Notes in the journal that it was dropped.
pub struct Held {
    journal: Journal,
    what: &'static str,
}

impl Scenario {
    pub fn new(
        name: &'static str,
        routes: impl Fn(&Scene) -> Router + 'static,
        script: impl Into<Vec<Step>>,
        expected: &[&str],
    ) -> Self {
        Self {
            name,
            ask: Ask::default(),
            bounds: Bounds::default(),
            routes: Arc::new(routes),
            script: script.into(),
            expected: lines(expected),
            differences: Vec::new(),
        }
    }

    pub fn method(mut self, method: Method) -> Self {
        self.ask.method = method;
        self
    }

    /// A `POST` whose body has so many bytes.
    pub fn post(mut self, announced: usize) -> Self {
        self.ask.announced = Some(announced);
        self.method(Method::POST)
    }

    pub fn field(mut self, name: &'static str, value: &str) -> Self {
        self.ask.fields.push((name, value.into()));
        self
    }

    pub fn holding(mut self) -> Self {
        self.ask.holds = true;
        self
    }

    pub fn bounds(mut self, change: impl FnOnce(&mut Bounds)) -> Self {
        change(&mut self.bounds);
        self
    }

    /// Stays different in one way.
    pub fn stays(self, way: Way, why: &'static str, seen: &[&str]) -> Self {
        self.differs(way, Verdict::Stays(why), seen)
    }

    /// Is wrong in one way.
    #[allow(dead_code)] // while there is nothing to mend
    pub fn mends(self, way: Way, why: &'static str, seen: &[&str]) -> Self {
        self.differs(way, Verdict::ToMend(why), seen)
    }

    /// Cannot happen in one way.
    pub fn lacks(self, way: Way, why: &'static str) -> Self {
        self.differs(way, Verdict::Lacks(why), &[])
    }

    fn differs(mut self, way: Way, verdict: Verdict, seen: &[&str]) -> Self {
        let seen = lines(seen);
        self.differences.push(Difference { way, seen, verdict });
        self
    }
}

fn lines(lines: &[&str]) -> Seen {
    lines.iter().map(|&line| line.to_owned()).collect()
}

impl Scene {
    pub fn new(now: impl Fn() -> Instant + Send + Sync + 'static) -> Self {
        let mut config = TopicConfig::default();
        config.max_events = 10;
        Self {
            feed: Feed::default(),
            journal: Journal::default(),
            topic: Topic::new(config, 1, now),
        }
    }

    /// A route whose handler's clean-up is noted, and which does `handle` with the request.
    pub fn watch(&self, request: &Request) {
        self.journal.watch_clean_up(request);
    }

    pub fn hold(&self, what: &'static str) -> Held {
        let journal = self.journal.clone();
        Held { journal, what }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.journal.note(format!("{} dropped", self.what));
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stays(why) => write!(f, "stays: {why}"),
            Self::ToMend(why) => write!(f, "to be mended: {why}"),
            Self::Lacks(why) => write!(f, "cannot happen: {why}"),
        }
    }
}

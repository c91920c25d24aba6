//! The parts of a scenario.

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

/// One request, the steps while it is served, and the expected results.
pub struct Scenario {
    pub name: &'static str,
    pub ask: Ask,
    pub bounds: Bounds,
    pub routes: Arc<dyn Fn(&Scene) -> Router>,
    pub script: Vec<Step>,
    pub expected: Seen,
    pub differences: Vec<Difference>,
}

/// The request, for the path `/`.
#[derive(Clone, Debug)]
pub struct Ask {
    pub method: Method,
    pub fields: Vec<(&'static str, String)>,
    /// The length of the request's body that its head announces.
    pub announced: Option<usize>,
    /// Whether the client reads only when the script says so.
    pub holds: bool,
}

/// The number of bytes on the way to a client that holds.
pub const IN_FLIGHT: usize = 512;

/// More than the bytes on the way to a client that holds.
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

/// The settings of all ways.
#[derive(Clone, Debug)]
pub struct Bounds {
    pub respond_timeout: Duration,
    pub body_timeout: Duration,
    pub body_limit: usize,
    /// An embedding has none: its server detects clients that do not read.
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

/// A step. All its consequences happen before the next step, unless it says otherwise, and the client
/// reads everything that was sent, unless it holds.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// The feed yields an event.
    Push(&'static str),
    /// The feed ends.
    End,
    /// The feed yields an error.
    Fail(&'static str),
    /// The topic publishes this many events, and the subscriber has no turn in between.
    Publish(usize),
    /// The topic publishes an event with this text.
    PublishText(&'static str),
    /// The client reads the available bytes, once.
    ReadOnce,
    Advance(Duration),
    /// The step happens, and this much time passes before any task has a turn.
    Late(&'static Step, Duration),
    /// The client sends a piece of the request's body.
    Upload(&'static str),
    /// The client breaks off in the middle of it.
    BreakUpload,
    /// The client goes away.
    Leave,
    /// A graceful shutdown begins.
    ShutDown,
    /// Everything is ended at once.
    Cut,
    /// Every task is dropped, as by a runtime that shuts down.
    Stop,
}

/// The results, one line each: the head, the events or the body, the end of the body; the log of the
/// handler's side, in order; and the counted reason.
pub type Seen = Vec<String>;

/// A difference of one way.
#[derive(Debug)]
pub struct Difference {
    pub way: Way,
    pub seen: Seen,
    pub verdict: Verdict,
}

/// Whether a difference is right, and why.
#[derive(Debug)]
pub enum Verdict {
    /// It is right.
    Stays(&'static str),
    /// It is a fault.
    ToMend(&'static str),
    /// This way has nothing of the kind.
    Lacks(&'static str),
}

/// The values that handlers work with.
#[derive(Clone)]
pub struct Scene {
    pub feed: Feed,
    pub journal: Journal,
    pub topic: Topic,
}

/// Logs its drop in the journal.
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

    /// A `POST` whose body has this many bytes.
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

    /// Adds a difference of one way that is right.
    pub fn stays(self, way: Way, why: &'static str, seen: &[&str]) -> Self {
        self.differs(way, Verdict::Stays(why), seen)
    }

    /// Adds a difference of one way that is a fault.
    #[allow(dead_code)] // while there is nothing to mend
    pub fn mends(self, way: Way, why: &'static str, seen: &[&str]) -> Self {
        self.differs(way, Verdict::ToMend(why), seen)
    }

    /// Adds that the scenario cannot happen in one way.
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

    /// Logs the clean-up of a request's handler.
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

//! The requests to handlers, what the handlers did, and the reasons that their clean-up got.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use sse_core::lifecycle::{CloseReason, Deadline};
use sse_driver::{OpenStream, StreamId, router::Request};

use crate::{
    chaos::{Chaos, link_from},
    laws::Promise,
    payload::Place,
    scenario::Bounds,
    sim::Sim,
    wire::{Link, Side, Trouble},
};

/// The kind of stream that a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The topic that forgets.
    Forgetful,
    /// The same, from a handler that takes some time.
    Slow,
    /// Some events of a topic that forgets nothing: selected by the topic, or by a layer.
    Selected,
    Mapped,
    /// Two topics in one stream, all of them or some of the events.
    Merged,
    MergedSelected,
    /// A stream of the handler itself.
    Feed,
    /// A request with a body, the length of which is the answer.
    Upload,
    /// A resumable stream.
    Job,
    /// Whole responses: an error, and one that tells the client not to come back.
    Page,
    Gone,
    /// A redirect.
    Elsewhere,
}

/// The reason of streams that are ended from outside.
pub const ENDED: &str = "as this test has it";

/// Returns whether a stream of this client is among those of every third client from `first` on.
fn is_of(client: usize, first: usize) -> bool {
    client % 3 == first % 3
}

/// Returns the same for the description of an open stream.
pub fn is_stream_of(stream: &OpenStream, first: usize) -> bool {
    let client = stream.label.as_ref().and_then(|label| label.parse().ok());
    client.is_some_and(|client| is_of(client, first))
}

/// The number of the latest events of the world that are printed with a failure.
const REMEMBERED: usize = 80;

/// A request that reached its handler.
#[derive(Clone, Debug)]
pub struct Asked {
    pub client: usize,
    /// `None` inside a foreign server.
    pub link: Option<usize>,
    pub kind: Kind,
    pub last_event_id: Option<String>,
    pub at: Duration,
    /// When the client began its attempt.
    pub began: Option<Duration>,
    pub promise: Option<Promise>,
    /// The producer to which the client is attached.
    pub run: Option<usize>,
    /// For each topic that forgets nothing: its number, the first event to come, and whether the
    /// client resumed.
    pub starts: Vec<(usize, Place, bool)>,
    /// The number of items that the handler's stream gave.
    pub given: usize,
    /// The name of the reason, if the handler's stream ended by itself.
    pub ended: Option<&'static str>,
    ended_at: Option<Duration>,
    /// Whether its client had taken nothing for too long at the time of the clean-up.
    has_stalled: bool,
    /// When the handler will have its answer.
    ready: Option<Duration>,
    /// When the handler gave its answer.
    answered: Option<Duration>,
    /// Whether the foreign server dropped it before its end.
    pub dropped: bool,
    /// Whether its stream was ended from outside its handler.
    pub is_ended: bool,
    /// The ID of its stream in the list of open streams, if there is a list.
    pub stream: Option<StreamId>,
    pub is_held: bool,
    pub cleaned: Vec<CloseReason>,
}

#[derive(Clone)]
pub struct Registry {
    sim: Sim,
    chaos: Arc<Chaos>,
    pub bounds: Bounds,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    asked: Vec<Asked>,
    /// Whether a shutdown is under way: of the server, and of the embedding.
    shutdowns: [bool; 2],
    /// Whether the server has shut down at least once.
    has_shut_down: bool,
    has_embedding_shut_down: bool,
    faults: Vec<String>,
    past: VecDeque<(Duration, String)>,
}

impl Registry {
    pub fn new(sim: &Sim, chaos: &Arc<Chaos>, bounds: Bounds) -> Self {
        Self {
            sim: sim.clone(),
            chaos: chaos.clone(),
            bounds,
            shared: Arc::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn note(&self, what: impl fmt::Display) {
        let now = self.sim.elapsed();
        let past = &mut self.lock().past;
        past.push_back((now, what.to_string()));
        if past.len() > REMEMBERED {
            past.pop_front();
        }
    }

    pub fn print_past(&self) {
        for (time, what) in &self.lock().past {
            eprintln!("{:>12.6} {what}", time.as_secs_f64());
        }
    }

    /// Notes a fault where a panic would be caught.
    pub fn fault(&self, what: impl Into<String>) {
        self.lock().faults.push(what.into());
    }

    pub fn check_faults(&self) {
        let faults = std::mem::take(&mut self.lock().faults);
        assert!(faults.is_empty(), "{}", faults.join("; "));
    }

    /// Notes that a shutdown has begun, or is over.
    pub fn set_shutdown(&self, is_embedded: bool, is_under_way: bool) {
        let mut shared = self.lock();
        shared.shutdowns[usize::from(is_embedded)] = is_under_way;
        match is_embedded {
            true => shared.has_embedding_shut_down = true,
            false => shared.has_shut_down = true,
        }
    }

    /// Returns whether the server has ever shut down.
    pub fn has_shut_down(&self) -> bool {
        self.lock().has_shut_down
    }

    /// Returns whether the server or the embedding has ever shut down.
    pub fn has_ever_shut_down(&self) -> bool {
        let shared = self.lock();
        shared.has_shut_down || shared.has_embedding_shut_down
    }

    /// Notes a request that has reached its handler, and returns its number.
    pub fn ask(&self, request: &Request, kind: Kind) -> usize {
        let client = request.headers().get("x-client");
        let client = client.and_then(|client| client.to_str().ok()?.parse().ok());
        let link = request.peer_addr().and_then(link_from);
        let client = client.unwrap_or(usize::MAX);
        request.label_stream(client.to_string());
        let mut asked = Asked::new(client, link, kind, self.sim.elapsed());
        asked.last_event_id = request.last_event_id().map(str::to_owned);
        asked.stream = request.stream_id();
        asked.began = self.chaos.last_attempt(client);
        let id = {
            let asked_before = &mut self.lock().asked;
            asked_before.push(asked);
            asked_before.len() - 1
        };
        if kind == Kind::Elsewhere
            && let Some(link) = link.and_then(|id| self.chaos.link(id))
        {
            link.state().log.redirects = true;
        }
        self.note(format_args!("client {client} asks for {kind:?}: {id}"));
        let registry = self.clone();
        request
            .clean_up()
            .add(move |reason| registry.clean_up(id, reason));
        id
    }

    pub fn change<T>(&self, id: usize, change: impl FnOnce(&mut Asked) -> T) -> T {
        change(&mut self.lock().asked[id])
    }

    /// Notes that the handler will have its answer after this time.
    pub fn is_ready_in(&self, id: usize, time: Duration) {
        self.change(id, |asked| asked.ready = Some(asked.at + time));
    }

    /// Notes that the handler gives its answer.
    pub fn answers(&self, id: usize) {
        let now = self.sim.elapsed();
        self.change(id, |asked| asked.answered = Some(now));
    }

    /// Notes that the handler's stream ends.
    pub fn ends(&self, id: usize, end: &'static str) {
        let now = self.sim.elapsed();
        self.change(id, |asked| {
            (asked.ended, asked.ended_at) = (Some(end), Some(now));
        });
    }

    /// Returns whether all that the stream gave has to be delivered: it ended properly, or it
    /// failed, and neither the deadlines nor a shutdown ended the delivery of what came before. Clean-up
    /// gets the failure in these cases, too.
    pub fn is_to_be_delivered(&self, asked: &Asked) -> bool {
        let time = self.bounds.drain_timeout.min(self.bounds.stall_timeout);
        let now = self.sim.elapsed();
        let has_time = asked.ended_at.is_some_and(|at| now < at + time);
        let goes_on = has_time && !asked.has_stalled && !self.has_shut_down();
        asked.ended == Some("stream_ended") || goes_on
    }

    /// Returns whether the client of this link has taken nothing for too long.
    fn has_stalled(&self, link: &Link) -> bool {
        let full_since = link.state().to(Side::Client).full_since;
        let full_for = full_since.map(|since| sse_driver::Clock::now(&self.sim) - since);
        full_for.is_some_and(|time| time >= self.bounds.stall_timeout)
    }

    /// Notes that the foreign server drops everything of this client.
    pub fn drop_foreign(&self, client: usize) {
        for asked in &mut self.lock().asked {
            asked.dropped |= asked.link.is_none() && asked.client == client;
        }
    }

    /// Notes that the streams of every third client, from this one on, are about to be ended from
    /// outside.
    pub fn end_streams(&self, first: usize) {
        for asked in &mut self.lock().asked {
            asked.is_ended |= asked.cleaned.is_empty() && is_of(asked.client, first);
        }
    }

    /// Notes that the topic that forgets has begun anew, which ends its streams.
    pub fn topic_began_anew(&self) {
        for asked in &mut self.lock().asked {
            if matches!(asked.kind, Kind::Forgetful | Kind::Slow) {
                asked.ended = Some("stream_ended");
            }
        }
    }

    pub fn asked(&self, id: usize) -> Asked {
        self.lock().asked[id].clone()
    }

    pub fn each(&self, what: impl FnMut(&Asked)) {
        self.lock().asked.iter().for_each(what);
    }

    pub fn all(&self) -> Vec<Asked> {
        self.lock().asked.clone()
    }

    fn clean_up(&self, id: usize, reason: &CloseReason) {
        self.note(format_args!("clean-up of {id}: {reason}"));
        let link = self.asked(id).link.and_then(|id| self.chaos.link(id));
        let has_stalled = link.is_some_and(|link| self.has_stalled(&link));
        let asked = self.change(id, |asked| {
            asked.cleaned.push(reason.clone());
            asked.has_stalled = has_stalled;
            asked.clone()
        });
        if asked.cleaned.len() > 1 {
            self.fault(format!("clean-up of {asked:?} ran twice"));
        }
        if asked.is_held {
            self.fault(format!("the stream of {asked:?} is there at its clean-up"));
        }
        if !self.is_true(&asked, reason) {
            let link = asked.link.and_then(|id| self.chaos.link(id));
            let log = link.map(|link| link.state().log.clone());
            self.fault(format!(
                "clean-up of {asked:?} is told that {reason}; its link: {log:?}"
            ));
        }
    }

    /// Returns whether the reason is true.
    fn is_true(&self, asked: &Asked, reason: &CloseReason) -> bool {
        let now = self.sim.elapsed();
        let passed = |time: Duration| now >= asked.at + time;
        let link = asked.link.and_then(|id| self.chaos.link(id));
        let has_shutdown = self.lock().shutdowns[usize::from(asked.link.is_none())];
        let has_stream = !matches!(asked.kind, Kind::Page | Kind::Gone | Kind::Elsewhere);
        let (client_left, timed_out, stalled) = match &link {
            None => (asked.dropped, false, false),
            Some(link) => {
                let state = link.state();
                let has = |trouble| state.log.troubles.contains(&trouble);
                let broken = has(Trouble::Reset) || has(Trouble::End) || has(Trouble::HalfClose);
                let silence = has(Trouble::Silence);
                let left = state.log.client_left;
                (left || broken, silence, asked.has_stalled)
            }
        };
        match reason {
            // Such a stream ends when its producer has, to which other laws apply.
            CloseReason::StreamEnded if asked.kind == Kind::Job => true,
            CloseReason::StreamEnded
            | CloseReason::StreamError(_)
            | CloseReason::HandlerPanicked => asked.ended == Some(reason.name()),
            CloseReason::ResponseSent => !has_stream || asked.kind == Kind::Job,
            CloseReason::ClientWentAway => client_left || timed_out,
            CloseReason::TimedOut(Deadline::Stall) => {
                timed_out || stalled || self.bounds.has_short_budgets
            }
            CloseReason::TimedOut(Deadline::Respond) => {
                let deadline = asked.at + self.bounds.respond_timeout;
                let was_ready = asked.ready.is_some_and(|ready| ready < deadline);
                passed(self.bounds.respond_timeout)
                    && asked.answered.is_none()
                    && (!was_ready || self.bounds.has_short_budgets)
            }
            CloseReason::TimedOut(Deadline::Drain) => {
                let ends = asked.ended.is_some() || asked.is_ended || asked.kind == Kind::Job;
                ends || !has_stream || has_shutdown
            }
            CloseReason::SlowConsumer => {
                matches!(asked.kind, Kind::Forgetful | Kind::Slow)
            }
            CloseReason::Shutdown => has_shutdown,
            CloseReason::Ended(why) => asked.is_ended && **why == *ENDED && has_stream,
            _ => false,
        }
    }
}

impl Asked {
    fn new(client: usize, link: Option<usize>, kind: Kind, at: Duration) -> Self {
        Self {
            client,
            link,
            kind,
            last_event_id: None,
            at,
            began: None,
            promise: None,
            run: None,
            starts: Vec::new(),
            given: 0,
            ended: None,
            ended_at: None,
            has_stalled: false,
            ready: None,
            answered: None,
            dropped: false,
            is_ended: false,
            stream: None,
            is_held: false,
            cleaned: Vec::new(),
        }
    }

    /// Returns a request whose stream begins there.
    pub fn for_test(kind: Kind, starts: Vec<(usize, Place, bool)>) -> Self {
        Self {
            starts,
            ..Self::new(0, None, kind, Duration::ZERO)
        }
    }

    /// Returns whether its stream has ended properly.
    pub fn has_ended(&self) -> bool {
        self.ended == Some("stream_ended") || self.is_ended
    }

    /// Returns whether its clean-up got the end of its stream as the reason, and nothing else.
    pub fn is_told_its_end(&self) -> bool {
        self.cleaned.iter().all(|reason| match reason {
            CloseReason::Ended(_) => self.is_ended,
            reason => Some(reason.name()) == self.ended,
        })
    }

    /// Returns whether its answer is a stream.
    pub fn has_stream(&self) -> bool {
        let is_whole = matches!(self.kind, Kind::Page | Kind::Gone | Kind::Elsewhere);
        let is_refused = self.kind == Kind::Job && self.run.is_none();
        self.is_answered() && !is_whole && !is_refused
    }

    pub fn is_answered(&self) -> bool {
        self.answered.is_some()
    }
}

/// Notes that a value of a handler exists, for as long as it does.
pub struct Held(Registry, usize);

impl Held {
    pub fn new(registry: &Registry, id: usize) -> Self {
        registry.change(id, |asked| asked.is_held = true);
        Self(registry.clone(), id)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.change(self.1, |asked| asked.is_held = false);
    }
}

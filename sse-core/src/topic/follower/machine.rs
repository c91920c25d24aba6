//! The follower: its state, and what it does at each input.

use std::{
    cmp::Ordering,
    collections::VecDeque,
    fmt,
    time::{Duration, Instant},
};

use super::{
    Bell, FollowerConfig, FollowerOutput, Page, PageRequest, Tails, page::LARGEST, place::Place,
};
use crate::topic::Position;

/// Follows one log into one topic, as a state machine: see the [module](super).
///
/// Any order of calls is allowed. Handle the input that has arrived before
/// [`handle_timeout`](Self::handle_timeout). The [`FollowerConfig`] bounds what a follower holds: one
/// page, and the events that came by bells too early.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Follower {
    config: FollowerConfig,
    state: State,
    reading: Reading,
    bells: Bells,
    /// Outputs that were not taken yet: the events of one page, or as many by bells.
    outputs: VecDeque<FollowerOutput>,
    /// Since when the log has answered from an older epoch only.
    older_since: Option<Instant>,
}

/// What the follower knows of the log.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum State {
    /// It knows nothing yet.
    Cold,
    /// It has not reached the place where the log ended when the follower began.
    Warming { place: Place, until: u64 },
    /// It has delivered everything up to this place.
    Following(Place),
}

/// The state of the next request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Reading {
    /// There is nothing to read, as far as the follower knows. It looks again at this time.
    Resting { look_at: Option<Instant> },
    /// The request is made as soon as the events read before are taken.
    Wanted { failures: u32 },
    /// The request is made and has no answer yet.
    Asked {
        request: PageRequest,
        deadline: Option<Instant>,
        failures: u32,
        /// The newest event heard of meanwhile: an answer that does not reach it is followed by another
        /// request.
        heard: u64,
    },
    /// The request failed, or returned nothing useful, and is repeated at this time.
    Waiting {
        until: Option<Instant>,
        failures: u32,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Bells {
    Up,
    Down,
}

/// The progress of a [`Follower`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FollowerPhase {
    /// The log has not answered yet: the topic cannot tell the place of any client.
    Cold,
    /// The follower reads the log's newest events, and has not reached the end that the log had when the
    /// follower began.
    Warming,
    /// The follower has reached the end of the log, and takes every new event.
    Following,
}

/// Beyond every event: no answer reaches this number.
const EVERYTHING: u64 = u64::MAX;

impl Follower {
    /// Creates a follower that knows nothing yet, and asks for the log's tails. Bells count as down until
    /// [`handle_up`](Self::handle_up).
    #[must_use]
    pub fn new(config: FollowerConfig) -> Self {
        Self {
            config,
            state: State::Cold,
            reading: Reading::Wanted { failures: 0 },
            bells: Bells::Down,
            outputs: VecDeque::new(),
            older_since: None,
        }
    }

    /// Returns the phase of the follower.
    #[must_use]
    pub fn phase(&self) -> FollowerPhase {
        match self.state {
            State::Cold => FollowerPhase::Cold,
            State::Warming { .. } => FollowerPhase::Warming,
            State::Following(_) => FollowerPhase::Following,
        }
    }

    /// Returns the place up to which it has delivered events or asked its caller to; `None` while it is
    /// [cold](FollowerPhase::Cold).
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        self.place().map(|place| place.behind)
    }

    /// Returns the settings.
    #[must_use]
    pub fn config(&self) -> &FollowerConfig {
        &self.config
    }

    /// Reports that bells are heard from now on: those of all events appended later, unless a bell is
    /// lost. The follower reads the log from its place on, because it heard no bells before.
    pub fn handle_up(&mut self, _now: Instant) {
        self.bells = Bells::Up;
        self.want(EVERYTHING);
        if let Reading::Waiting { .. } = self.reading {
            self.reading = Reading::Wanted { failures: 0 };
        }
    }

    /// Reports that bells are not heard any more. The follower polls the log until
    /// [`handle_up`](Self::handle_up), at the interval of its [settings](FollowerConfig).
    pub fn handle_down(&mut self, now: Instant) {
        self.bells = Bells::Down;
        if let Reading::Resting { .. } = self.reading {
            self.rest(now);
        }
    }

    /// Handles a bell: a notification of an appended event. If it carries the next event, that event is
    /// delivered at once; otherwise the follower asks for a page. Bells may be lost, doubled or late.
    pub fn handle_bell(&mut self, _now: Instant, bell: Bell) {
        let sequence = bell.position.sequence();
        if sequence > LARGEST {
            return;
        }
        let has_room = self.outputs.len() < self.config.page_events.max(1);
        let Some(place) = place_of(&mut self.state) else {
            // The answer to a request that is under way may be from before it.
            return self.want(EVERYTHING);
        };
        match bell.position.epoch().cmp(&place.epoch()) {
            Ordering::Greater => return self.want(EVERYTHING),
            Ordering::Equal if sequence >= place.next() => {}
            _ => return,
        }
        if let Some(event) = bell.event.filter(|_| has_room) {
            place.put(&self.config, sequence, event);
            place.deliver(|output| self.outputs.push_back(output));
        }
        let has_all = place.behind.sequence() >= sequence;
        self.look_at_phase();
        if !has_all {
            self.want(sequence);
        }
    }

    /// Handles the answer of the log to [`FollowerOutput::Read`](super::FollowerOutput::Read). A page
    /// that was not asked for does no harm.
    pub fn handle_page(&mut self, now: Instant, page: Page) {
        let asked = match self.reading {
            Reading::Asked { request, heard, .. } => Some((request, heard)),
            // Pages that were not asked for have no bound but this one.
            _ if !self.outputs.is_empty() => return,
            _ => None,
        };
        let Some(tails) = page.tails.checked() else {
            return self.handle_page_failed(now);
        };
        if self.is_late(now, tails.epoch) {
            return self.handle_page_failed(now);
        }
        let came_anew = self.take_tails(tails);
        let Some(place) = place_of(&mut self.state) else {
            return;
        };
        let after = asked.map_or(place.behind, |(request, _)| request.after);
        if !came_anew && tails.newest < after.sequence() {
            // The answer comes from a copy that is behind, or from a log that lost its newest events and
            // has not begun another epoch.
            return self.handle_page_failed(now);
        }
        let reach = Reach::of(&page, asked.map_or(0, |(request, _)| request.limit));
        place.put_page(page, self.config.page_events.max(1));
        place.pass_over_trimmed(tails, |output| self.outputs.push_back(output));
        let has_hole = !came_anew && reach.is_past(place.next()) && place.next() <= tails.newest;
        let waits = has_hole && self.is_hole_waited_for(now, tails);
        self.settle(now, tails, asked.filter(|_| !came_anew), waits);
    }

    /// Sets what is read next, after a page was taken.
    fn settle(
        &mut self,
        now: Instant,
        tails: Tails,
        asked: Option<(PageRequest, u64)>,
        waits: bool,
    ) {
        if let Some(place) = place_of(&mut self.state) {
            place.bound(&self.config);
        }
        self.look_at_phase();
        let behind = self.position().map_or(0, |position| position.sequence());
        let is_missing = behind < tails.newest;
        let made_no_way = asked
            .is_some_and(|(request, _)| request.limit > 0 && request.after.sequence() == behind);
        if waits {
            let until = now.checked_add(self.config.retry);
            self.reading = Reading::Waiting { until, failures: 0 };
        } else if is_missing && made_no_way {
            self.handle_page_failed(now);
        } else if is_missing || asked.is_some_and(|(_, heard)| behind < heard) {
            self.reading = Reading::Wanted { failures: 0 };
        } else if let Reading::Asked { .. } = self.reading {
            self.rest(now);
        }
    }

    /// Reports that the log did not answer, for any reason. The request is repeated after a
    /// [while](FollowerConfig::retry).
    pub fn handle_page_failed(&mut self, now: Instant) {
        let Reading::Asked { failures, .. } = self.reading else {
            return;
        };
        let doubled = 1_u32.checked_shl(failures).unwrap_or(u32::MAX);
        let wait = self.config.retry.saturating_mul(doubled);
        let until = now.checked_add(wait.min(self.config.max_retry));
        let failures = failures.saturating_add(1);
        self.reading = Reading::Waiting { until, failures };
    }

    /// Handles the deadlines that have passed by `now`: gives requests up, repeats them, or asks for the
    /// log's tails.
    pub fn handle_timeout(&mut self, now: Instant) {
        match self.reading {
            Reading::Asked {
                deadline: Some(at), ..
            } if at <= now => self.handle_page_failed(now),
            Reading::Resting { look_at: Some(at) } if at <= now => {
                self.reading = Reading::Wanted { failures: 0 };
            }
            Reading::Waiting {
                until: Some(at),
                failures,
            } if at <= now => {
                self.reading = Reading::Wanted { failures };
            }
            _ => {}
        }
    }

    /// Returns when to call [`handle_timeout`](Self::handle_timeout) next; `None` where no deadline is
    /// set. Ask again after every other call.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.reading {
            Reading::Resting { look_at } => look_at,
            Reading::Wanted { .. } => None,
            Reading::Asked { deadline, .. } => deadline,
            Reading::Waiting { until, .. } => until,
        }
    }

    /// Returns what the caller has to do next; `None` if there is nothing.
    ///
    /// A page is requested once everything from the page before is taken, so that a slow caller holds at
    /// most one. `now` is the time of the request.
    pub fn poll_output(&mut self, now: Instant) -> Option<FollowerOutput> {
        if let Some(output) = self.outputs.pop_front() {
            return Some(output);
        }
        if self.outputs.capacity() > 0 {
            self.outputs = VecDeque::new();
        }
        let Reading::Wanted { failures } = self.reading else {
            return None;
        };
        let request = match self.place() {
            None => PageRequest::tails(),
            Some(place) => PageRequest::new(place.behind, self.config.page_events.max(1)),
        };
        self.reading = Reading::Asked {
            request,
            deadline: now.checked_add(self.config.request_timeout),
            failures,
            heard: 0,
        };
        Some(FollowerOutput::Read(request))
    }

    fn place(&self) -> Option<&Place> {
        match &self.state {
            State::Cold => None,
            State::Warming { place, .. } | State::Following(place) => Some(place),
        }
    }

    /// Requests the events up to this one.
    fn want(&mut self, up_to: u64) {
        match &mut self.reading {
            Reading::Resting { .. } => self.reading = Reading::Wanted { failures: 0 },
            Reading::Asked { heard, .. } => *heard = (*heard).max(up_to),
            // The request is made soon, and covers everything that the log has by then.
            Reading::Wanted { .. } | Reading::Waiting { .. } => {}
        }
    }

    fn rest(&mut self, now: Instant) {
        let pause = match self.bells {
            Bells::Up => self.config.look_every,
            Bells::Down => Some(self.config.look_every_when_down),
        };
        let look_at = pause.and_then(|pause: Duration| now.checked_add(pause));
        self.reading = Reading::Resting { look_at };
    }

    /// Returns whether a page of this epoch is older than the current one. If the log answers only with
    /// such pages for a while, its epoch went back.
    fn is_late(&mut self, now: Instant, epoch: u64) -> bool {
        if self.place().is_none_or(|place| epoch >= place.epoch()) {
            self.older_since = None;
            return false;
        }
        let since = *self.older_since.get_or_insert(now);
        let is_late = now.saturating_duration_since(since) < self.config.older_epoch_wait;
        if !is_late {
            self.older_since = None;
        }
        is_late
    }

    /// Begins, or begins another epoch, if these tails say so. Returns whether it did.
    fn take_tails(&mut self, tails: Tails) -> bool {
        let before_oldest = tails.oldest - 1;
        let is_warming = match &self.state {
            State::Cold => {
                let warm = tails.newest.saturating_sub(self.config.warm_events);
                let behind = Position::new(tails.epoch, warm.max(before_oldest));
                self.outputs.push_back(FollowerOutput::Begin(behind));
                self.state = State::Warming {
                    place: Place::new(behind),
                    until: tails.newest,
                };
                return true;
            }
            State::Warming { place, .. } | State::Following(place)
                if place.epoch() == tails.epoch =>
            {
                return false;
            }
            State::Warming { .. } => true,
            State::Following(_) => false,
        };
        let behind = Position::new(tails.epoch, before_oldest);
        self.outputs.push_back(FollowerOutput::Anew(behind));
        let place = Place::new(behind);
        self.state = match is_warming {
            true => State::Warming {
                place,
                until: tails.newest,
            },
            false => State::Following(place),
        };
        true
    }

    /// Returns whether to wait for the next event, which the log did not return. Otherwise it is lost.
    fn is_hole_waited_for(&mut self, now: Instant, tails: Tails) -> bool {
        let Some(place) = place_of(&mut self.state) else {
            return false;
        };
        let since = *place.hole_since.get_or_insert(now);
        if now.saturating_duration_since(since) < self.config.hole_wait {
            return true;
        }
        place.pass_over(tails.newest + 1, |output| self.outputs.push_back(output));
        false
    }

    fn look_at_phase(&mut self) {
        if let State::Warming { place, until } = &self.state
            && place.behind.sequence() >= *until
        {
            self.state = State::Following(place.clone());
        }
    }
}

fn place_of(state: &mut State) -> Option<&mut Place> {
    match state {
        State::Cold => None,
        State::Warming { place, .. } | State::Following(place) => Some(place),
    }
}

/// The number up to which a page has all events.
enum Reach {
    /// It has no events.
    Nothing,
    /// It has every event before this one.
    Before(u64),
    /// It has every event in the log.
    Everything,
}

impl Reach {
    fn of(page: &Page, limit: usize) -> Self {
        match page.events.last() {
            _ if limit == 0 => Self::Nothing,
            Some((last, _)) if page.events.len() >= limit => Self::Before(*last),
            _ => Self::Everything,
        }
    }

    /// Returns whether an event of this number would be in the page, if the log had it.
    fn is_past(&self, sequence: u64) -> bool {
        match *self {
            Self::Nothing => false,
            Self::Before(last) => sequence < last,
            Self::Everything => true,
        }
    }
}

impl fmt::Debug for Follower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Follower")
            .field("phase", &self.phase())
            .field("position", &self.position())
            .field("reading", &self.reading)
            .field("bells", &self.bells)
            .field("outputs", &self.outputs.len())
            .finish_non_exhaustive()
    }
}

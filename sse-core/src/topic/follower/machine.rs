//! The follower: what it knows, what it waits for, and what it does at each input.

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
/// Any order of calls is legal. Input that has arrived is to be handled before
/// [`handle_timeout`](Self::handle_timeout). What it holds is bounded by the [`FollowerConfig`]: one page,
/// and the events that came by bells too early.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Follower {
    config: FollowerConfig,
    state: State,
    reading: Reading,
    bells: Bells,
    /// What was not taken yet: the events of one page, or as many by bells.
    outputs: VecDeque<FollowerOutput>,
    /// Since when the log answers from an older epoch alone.
    older_since: Option<Instant>,
}

/// What is known of the log.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum State {
    /// Nothing.
    Cold,
    /// Where it ended when the follower began, which is not reached yet.
    Warming { place: Place, until: u64 },
    /// Everything up to there.
    Following(Place),
}

/// What becomes of the next request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Reading {
    /// There is nothing to read, as far as is known, and the next look is then.
    Resting { look_at: Option<Instant> },
    /// It is made as soon as what was read before is taken.
    Wanted { failures: u32 },
    /// It is made, and is waited for.
    Asked {
        request: PageRequest,
        deadline: Option<Instant>,
        failures: u32,
        /// What was heard of meanwhile: an answer that does not reach this far is followed by another
        /// request.
        heard: u64,
    },
    /// It failed, or returned nothing of use, and is made again then.
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

/// How far a [`Follower`] has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FollowerPhase {
    /// It has not heard from the log yet: its topic says nothing of any client's place.
    Cold,
    /// It takes the log's newest events, and has not reached the end of the log as it was when the follower
    /// began.
    Warming,
    /// It has been at the end of the log, and takes every new event.
    Following,
}

/// Everything: no answer reaches this far.
const EVERYTHING: u64 = u64::MAX;

impl Follower {
    /// Creates a follower that knows nothing yet, and asks for the log's tails. Bells are down until
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

    /// Returns how far it has come.
    #[must_use]
    pub fn phase(&self) -> FollowerPhase {
        match self.state {
            State::Cold => FollowerPhase::Cold,
            State::Warming { .. } => FollowerPhase::Warming,
            State::Following(_) => FollowerPhase::Following,
        }
    }

    /// Returns the place up to which it has delivered, or has asked its caller to; `None` while it is
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

    /// Bells are heard from now on: those of every event that is appended from here on, unless they are
    /// lost. The log is read from the follower's place, since it heard none before.
    pub fn handle_up(&mut self, _now: Instant) {
        self.bells = Bells::Up;
        self.want(EVERYTHING);
        if let Reading::Waiting { .. } = self.reading {
            self.reading = Reading::Wanted { failures: 0 };
        }
    }

    /// Bells are not heard any more. The log is looked at more often, until they are.
    pub fn handle_down(&mut self, now: Instant) {
        self.bells = Bells::Down;
        if let Reading::Resting { .. } = self.reading {
            self.rest(now);
        }
    }

    /// A bell rang. An event that it carries is delivered at once where it is the next one.
    pub fn handle_bell(&mut self, _now: Instant, bell: Bell) {
        let sequence = bell.position.sequence();
        if sequence > LARGEST {
            return;
        }
        let has_room = self.outputs.len() < self.config.page_events.max(1);
        let Some(place) = place_of(&mut self.state) else {
            // What is asked for may come from before it.
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

    /// The log answered. A page that was not asked for does no harm.
    pub fn handle_page(&mut self, now: Instant, page: Page) {
        let asked = match self.reading {
            Reading::Asked { request, heard, .. } => Some((request, heard)),
            // What is read is bounded by what is asked for.
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
            // From a copy that is behind, or a log that lost its newest events and has not begun anew.
            return self.handle_page_failed(now);
        }
        let reach = Reach::of(&page, asked.map_or(0, |(request, _)| request.limit));
        place.put_page(page, self.config.page_events.max(1));
        place.pass_over_trimmed(tails, |output| self.outputs.push_back(output));
        let has_hole = !came_anew && reach.is_past(place.next()) && place.next() <= tails.newest;
        let waits = has_hole && self.is_hole_waited_for(now, tails);
        self.settle(now, tails, asked.filter(|_| !came_anew), waits);
    }

    /// Says what is read next, once a page was taken.
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

    /// The log did not answer, for whatever reason. The request is made again after a
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

    /// Returns when to call [`handle_timeout`](Self::handle_timeout) next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.reading {
            Reading::Resting { look_at } => look_at,
            Reading::Wanted { .. } => None,
            Reading::Asked { deadline, .. } => deadline,
            Reading::Waiting { until, .. } => until,
        }
    }

    /// Returns what the caller has to do next. `None` once there is nothing.
    ///
    /// A page is asked for once everything of the one before is taken, so that a caller that is slow
    /// holds no more than one. `now` is when it is asked for.
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

    /// Has the log read up to this event.
    fn want(&mut self, up_to: u64) {
        match &mut self.reading {
            Reading::Resting { .. } => self.reading = Reading::Wanted { failures: 0 },
            Reading::Asked { heard, .. } => *heard = (*heard).max(up_to),
            // It is made soon, and reaches as far as there is anything then.
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

    /// Whether a page of this epoch comes from before the current one. Where the log answers with such
    /// pages alone for a while, its epochs went back.
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

    /// Begins, or begins anew, where these tails say so. Says whether it did.
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

    /// Whether it is worth waiting for the next event, which the log did not return. Otherwise it is lost.
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

/// Up to where a page tells what there is.
enum Reach {
    /// It tells nothing of events.
    Nothing,
    /// It has every event before this one.
    Before(u64),
    /// It has every event there is.
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

    /// Whether an event of this number would be in the page, if it was in the log.
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

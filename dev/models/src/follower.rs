//! A log, a follower, and a network between them that loses, doubles, reorders and delays.
//!
//! Time stands still, and every wait is 0: a deadline may pass at any moment. The model checks the
//! follower itself, which is a part of the model's state.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use sse_core::{
    Event,
    topic::{
        Position,
        follower::{Bell, Follower, FollowerConfig, FollowerOutput, Page, PageRequest, Tails},
    },
};
use stateright::{Model, Property};

/// The bounds of the model.
#[derive(Clone, Debug)]
pub struct FollowerModel {
    /// The number of appended events.
    pub appends: u64,
    /// The number of times that the log begins a new epoch.
    pub epochs: u64,
    /// The number of requests or answers that are lost.
    pub losses: u8,
    /// The number of times that bells go down or up.
    pub switches: u8,
    /// Whether the log may drop its oldest events.
    pub trims: bool,
    pub config: FollowerConfig,
    now: Instant,
}

impl FollowerModel {
    /// Creates a small model. `looks` is whether the follower reads the log's tails from time to time.
    pub fn new(looks: bool) -> Self {
        let mut config = FollowerConfig::default();
        config.look_every = looks.then_some(Duration::ZERO);
        config.look_every_when_down = Duration::ZERO;
        config.retry = Duration::ZERO;
        config.request_timeout = Duration::ZERO;
        config.warm_events = 1;
        config.page_events = 2;
        config.max_ahead_events = 1;
        Self {
            appends: 2,
            epochs: 1,
            losses: 1,
            switches: 1,
            trims: true,
            config,
            now: Instant::now(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    follower: Follower,
    tails: Tails,
    /// The oldest event of each epoch that is over.
    over: BTreeMap<u64, u64>,
    appended: u64,
    /// Bells on their way, each of an epoch and an event, with the event or without. A bell may be heard
    /// again.
    bells: BTreeSet<(u64, u64, bool)>,
    request: Option<PageRequest>,
    answer: Option<Page>,
    losses: u8,
    switches: u8,
    /// The position up to which every event was delivered, or reported as lost.
    delivered: Option<(u64, u64)>,
    told_lost: bool,
    told_anew: bool,
    fault: Option<&'static str>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    Append {
        full: bool,
    },
    Trim,
    BeginAnew,
    Ring(u64, u64, bool),
    LoseBell(u64, u64, bool),
    /// The log makes the requested page.
    Serve,
    /// The page arrives.
    Arrive,
    LoseRequest,
    LoseAnswer,
    Up,
    Down,
    Timeout,
    /// The caller takes the outputs, up to a request.
    Take,
}

fn event(epoch: u64, sequence: u64) -> Event {
    Event::new(format!("{epoch}/{sequence}"))
}

impl State {
    fn page(&self, request: PageRequest) -> Page {
        let Tails {
            epoch,
            oldest,
            newest,
        } = self.tails;
        let mut events = Vec::new();
        if request.after.epoch() == epoch {
            let first = oldest.max(request.after.sequence() + 1);
            let sequences = (first..=newest).take(request.limit);
            events.extend(sequences.map(|sequence| (sequence, event(epoch, sequence))));
        }
        Page::new(self.tails, events)
    }

    fn oldest(&self, epoch: u64) -> Option<u64> {
        match epoch == self.tails.epoch {
            true => Some(self.tails.oldest),
            false => self.over.get(&epoch).copied(),
        }
    }

    /// Takes one output of the follower. Returns whether there was one.
    fn take(&mut self, now: Instant) -> bool {
        let Some(output) = self.follower.poll_output(now) else {
            return false;
        };
        let before = self.delivered;
        match output {
            FollowerOutput::Read(request) => {
                if self.request.is_some() || self.answer.is_some() {
                    self.fault = Some("it asks twice");
                }
                self.request = Some(request);
            }
            FollowerOutput::Begin(place) => {
                if before.is_some() {
                    self.fault = Some("it begins twice");
                }
                self.delivered = Some((place.epoch(), place.sequence()));
            }
            FollowerOutput::Event(place, found) => {
                let (epoch, sequence) = (place.epoch(), place.sequence());
                if before != Some((epoch, sequence - 1)) {
                    self.fault = Some("an event is out of order");
                }
                if found != event(epoch, sequence) {
                    self.fault = Some("another event is at this place");
                }
                self.delivered = Some((epoch, sequence));
            }
            FollowerOutput::Lost { events, behind } => {
                let (epoch, sequence) = (behind.epoch(), behind.sequence());
                if events == 0 || before != Some((epoch, sequence - events)) {
                    self.fault = Some("the count of what is lost is wrong");
                }
                if self.oldest(epoch).is_none_or(|oldest| sequence >= oldest) {
                    self.fault = Some("the log has what is told to be lost");
                }
                self.delivered = Some((epoch, sequence));
                self.told_lost = true;
            }
            FollowerOutput::Anew(place) => {
                if before.is_none_or(|(epoch, _)| epoch >= place.epoch()) {
                    self.fault = Some("the epoch is not a new one");
                }
                self.delivered = Some((place.epoch(), place.sequence()));
                self.told_anew = true;
            }
            _ => self.fault = Some("an output that the model does not know"),
        }
        true
    }

    fn is_at_end(&self) -> bool {
        self.delivered == Some((self.tails.epoch, self.tails.newest))
    }

    /// Whether the follower reaches the end of the log if from now on all bells are lost, and nothing
    /// else.
    fn settles(&self, now: Instant) -> bool {
        let mut state = self.clone();
        state.bells.clear();
        for _ in 0..40 {
            while state.take(now) {}
            if state.is_at_end() && state.request.is_none() {
                return true;
            }
            if let Some(request) = state.request.take() {
                state.answer = Some(state.page(request));
            }
            match state.answer.take() {
                Some(page) => state.follower.handle_page(now, page),
                None if state.follower.poll_timeout().is_some() => {
                    state.follower.handle_timeout(now);
                }
                None => return state.is_at_end(),
            }
        }
        false
    }
}

impl Model for FollowerModel {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let state = State {
            follower: Follower::new(self.config.clone()),
            tails: Tails {
                epoch: 1,
                oldest: 1,
                newest: 0,
            },
            over: BTreeMap::new(),
            appended: 0,
            bells: BTreeSet::new(),
            request: None,
            answer: None,
            losses: 0,
            switches: 0,
            delivered: None,
            told_lost: false,
            told_anew: false,
            fault: None,
        };
        vec![state]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.appended < self.appends {
            actions.extend([
                Action::Append { full: true },
                Action::Append { full: false },
            ]);
        }
        if self.trims && state.tails.oldest <= state.tails.newest {
            actions.push(Action::Trim);
        }
        if state.tails.epoch <= self.epochs {
            actions.push(Action::BeginAnew);
        }
        for &(epoch, sequence, full) in &state.bells {
            actions.push(Action::Ring(epoch, sequence, full));
            actions.push(Action::LoseBell(epoch, sequence, full));
        }
        if state.request.is_some() {
            actions.push(Action::Serve);
        }
        if state.answer.is_some() {
            actions.push(Action::Arrive);
        }
        if state.losses < self.losses {
            actions.extend(state.request.is_some().then_some(Action::LoseRequest));
            actions.extend(state.answer.is_some().then_some(Action::LoseAnswer));
        }
        if state.switches < 2 * self.switches {
            actions.push(match state.switches % 2 {
                0 => Action::Up,
                _ => Action::Down,
            });
        }
        let is_asked = state.request.is_some() || state.answer.is_some();
        if !is_asked && state.follower.poll_timeout().is_some() {
            actions.push(Action::Timeout);
        }
        actions.push(Action::Take);
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        let now = self.now;
        match action {
            Action::Append { full } => {
                state.appended += 1;
                state.tails.newest += 1;
                let bell = (state.tails.epoch, state.tails.newest, full);
                state.bells.insert(bell);
            }
            Action::Trim => state.tails.oldest += 1,
            Action::BeginAnew => {
                let Tails { epoch, oldest, .. } = state.tails;
                state.over.insert(epoch, oldest);
                state.tails = Tails {
                    epoch: epoch + 1,
                    oldest: 1,
                    newest: 0,
                };
            }
            Action::Ring(epoch, sequence, full) => {
                let bell = Bell::new(Position::new(epoch, sequence));
                let bell = match full {
                    true => bell.with_event(event(epoch, sequence)),
                    false => bell,
                };
                state.follower.handle_bell(now, bell);
            }
            Action::LoseBell(epoch, sequence, full) => {
                state.bells.remove(&(epoch, sequence, full));
            }
            Action::Serve => {
                let request = state.request.take()?;
                state.answer = Some(state.page(request));
            }
            Action::Arrive => state.follower.handle_page(now, state.answer.take()?),
            Action::LoseRequest | Action::LoseAnswer => {
                state.losses += 1;
                (state.request, state.answer) = (None, None);
                state.follower.handle_page_failed(now);
            }
            Action::Up => {
                state.switches += 1;
                state.follower.handle_up(now);
            }
            Action::Down => {
                state.switches += 1;
                state.follower.handle_down(now);
            }
            Action::Timeout => state.follower.handle_timeout(now),
            Action::Take => while state.request.is_none() && state.take(now) {},
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::<Self>::always("in order or counted", |_, state| state.fault.is_none()),
            Property::<Self>::always("it comes to the end", |model, state| {
                state.settles(model.now)
            }),
            Property::<Self>::sometimes("a loss is told", |_, state| state.told_lost),
            Property::<Self>::sometimes("another epoch is told", |_, state| state.told_anew),
            Property::<Self>::sometimes("everything is delivered by bells", |model, state| {
                state.appended == model.appends && state.is_at_end() && !state.told_lost
            }),
        ]
    }
}

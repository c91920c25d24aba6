//! Nodes that share a stream, and the log between them, which refuses, delays, loses its history and does not
//! say what it did.
//!
//! A node that has no turn for a while is a node that pauses: time may pass before any step. The model checks
//! the member itself, which is a part of the model's state.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use sse_core::{
    Event,
    topic::{
        Position,
        follower::Tails,
        resumable::{
            StreamEnd,
            member::{
                AppendFailure, MemberConfig, MemberOutput, MemberPhase, MemberRecord, StreamMember,
            },
        },
    },
};
use stateright::{Model, Property};

/// The bounds of the model.
#[derive(Clone, Debug)]
pub struct MemberModel {
    /// The nodes that start the stream, in any order and at any time; each of them once.
    pub starters: usize,
    /// All nodes: those that start the stream are the first.
    pub nodes: usize,
    /// Whether the nodes begin when the first one's claim is in the log and was read by all.
    pub is_started: bool,
    /// The number of seconds that pass before everything goes well.
    pub seconds: u64,
    /// The number of times that the log begins a new epoch.
    pub epochs: u64,
    /// The number of appends that fail, or of which the answer is lost.
    pub failures: u8,
    /// The number of nodes that die.
    pub deaths: u8,
    /// The number of stops, each from another node.
    pub stops: usize,
    /// Whether the producer may end by itself.
    pub finishes: bool,
    /// The lease by which the model expects an end. It is also that of the nodes, unless their settings are
    /// changed.
    pub lease: Duration,
    pub config: MemberConfig,
    now: Instant,
}

impl MemberModel {
    /// Creates a model of two nodes, which both start the stream, and in which nothing fails.
    pub fn new() -> Self {
        let mut config = MemberConfig::default();
        config.lease = Duration::from_secs(3);
        config.grace = None;
        Self {
            starters: 2,
            nodes: 2,
            is_started: false,
            seconds: 0,
            epochs: 0,
            failures: 0,
            deaths: 0,
            stops: 0,
            finishes: false,
            lease: config.lease,
            config,
            now: Instant::now(),
        }
    }
}

impl Default for MemberModel {
    fn default() -> Self {
        Self::new()
    }
}

/// An append of a node.
#[derive(Clone, Debug, PartialEq, Hash)]
enum Pending {
    /// The log has not seen it.
    Sent(Event, Option<u64>),
    /// The log took it there, or refused it, and the node is not told yet.
    Done(Option<Position>),
}

#[derive(Clone, Debug, PartialEq, Hash)]
struct Node {
    member: StreamMember,
    /// The epoch that it reads, once it has begun, and the number of events that it has read.
    read: Option<(u64, usize)>,
    pending: Option<Pending>,
    /// It looks for the log's end, which was there by then, if the log has been asked.
    look: Option<Option<Tails>>,
    /// Its producer runs, in this epoch.
    produces: Option<u64>,
    is_dead: bool,
    has_started: bool,
    has_stopped: bool,
    /// It has read the stream's end, or that the history is lost, and reads no more.
    is_over: bool,
}

#[derive(Clone, Debug, PartialEq, Hash)]
pub struct State {
    nodes: Vec<Node>,
    epoch: u64,
    log: Vec<Event>,
    /// Appends whose nodes were told that the outcome is unknown: they may come late.
    late: Vec<(Event, Option<u64>)>,
    seconds: u64,
    failures: u8,
    /// How many producers were started, by epoch.
    starts: BTreeMap<u64, u8>,
    /// The end that was read first, by epoch: its number, its outcome and the reason of a stop.
    ends: BTreeMap<u64, (u64, String, Option<String>)>,
    fault: Option<&'static str>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    Start(usize),
    Stop(usize),
    Finish(usize),
    Read(usize),
    /// The caller takes the outputs.
    Take(usize),
    /// The log takes what the node appends, or refuses it because of the epoch.
    Land(usize),
    Refuse(usize),
    Answer(usize),
    LoseAnswer(usize),
    LoseRequest(usize),
    /// An append of which it was not known whether it is in the log comes there.
    LandLate(usize),
    /// The log answers the node's look, and the node gets the answer.
    Look(usize),
    Looked(usize),
    Die(usize),
    BeginAnew,
    Second,
}

impl Node {
    fn new(now: Instant, number: usize, config: &MemberConfig) -> Self {
        Self {
            member: StreamMember::new(now, format!("{number}").into(), config.clone()),
            read: None,
            pending: None,
            look: None,
            produces: None,
            is_dead: false,
            has_started: false,
            has_stopped: false,
            is_over: false,
        }
    }

    /// Takes the outputs. Returns the epochs in which its producer is to start.
    fn take(&mut self, now: Instant) -> Vec<u64> {
        let mut starts = Vec::new();
        self.member.handle_timeout(now);
        while let Some(output) = self.member.poll_output(now) {
            match output {
                MemberOutput::Append { event, epoch } => {
                    self.pending = Some(Pending::Sent(event, epoch));
                }
                MemberOutput::Start { epoch } => {
                    starts.push(epoch);
                    self.produces = Some(epoch);
                }
                MemberOutput::Cancel(end) if self.produces.take().is_some() => {
                    self.member.finish(end);
                }
                MemberOutput::Look => self.look = Some(None),
                _ => {}
            }
        }
        starts
    }

    /// Whether taking its outputs would do something.
    fn has_output(&self, now: Instant) -> bool {
        self.member.poll_timeout().is_some_and(|at| at <= now)
    }
}

impl State {
    /// The log takes this, if its epoch is right.
    fn append(&mut self, event: Event, epoch: Option<u64>) -> Option<Position> {
        let is_right = epoch.is_none_or(|epoch| epoch == self.epoch);
        is_right.then(|| {
            self.log.push(event);
            Position::new(self.epoch, self.log.len() as u64)
        })
    }

    fn land(&mut self, at: usize) {
        match self.nodes[at].pending.take() {
            Some(Pending::Sent(event, epoch)) => {
                let place = self.append(event, epoch);
                self.nodes[at].pending = Some(Pending::Done(place));
            }
            pending => self.nodes[at].pending = pending,
        }
    }

    fn answer(&mut self, now: Instant, at: usize) {
        let node = &mut self.nodes[at];
        match node.pending.take() {
            Some(Pending::Done(Some(place))) => node.member.handle_appended(now, place),
            Some(Pending::Done(None)) => {
                let failure = AppendFailure::NotAppended;
                node.member.handle_append_failed(now, failure);
            }
            pending => node.pending = pending,
        }
    }

    /// Whether the node has something to read.
    fn can_read(&self, at: usize) -> bool {
        let node = &self.nodes[at];
        !node.is_dead
            && !node.is_over
            && node
                .read
                .is_none_or(|(epoch, read)| epoch != self.epoch || read < self.log.len())
    }

    fn read(&mut self, now: Instant, at: usize) {
        let (epoch, place) = (self.epoch, Position::new(self.epoch, 0));
        let node = &mut self.nodes[at];
        let read = match node.read {
            Some((of, read)) if of == epoch => read,
            Some(_) => {
                node.is_over = node.member.handle_anew(now, place);
                node.read = Some((epoch, 0));
                return;
            }
            None => {
                node.member.handle_begin(now, place);
                node.read = Some((epoch, 0));
                return;
            }
        };
        let Some(event) = self.log.get(read) else {
            return;
        };
        node.read = Some((epoch, read + 1));
        let number = read as u64 + 1;
        let place = Position::new(epoch, number);
        if let MemberRecord::Ended(outcome) = node.member.handle_record(now, place, event) {
            node.is_over = true;
            let reason = match node.member.end() {
                Some(StreamEnd::Stopped(reason)) => Some(reason.to_string()),
                _ => None,
            };
            let end = (number, outcome.to_string(), reason);
            let first = self.ends.entry(epoch).or_insert_with(|| end.clone());
            if *first != end {
                self.fault = Some("two nodes have read different ends");
            }
        }
    }

    fn take(&mut self, now: Instant, at: usize) {
        for epoch in self.nodes[at].take(now) {
            let starts = self.starts.entry(epoch).or_default();
            *starts += 1;
            if *starts > 1 {
                self.fault = Some("a name was started twice");
            }
        }
    }

    fn tails(&self) -> Tails {
        Tails {
            epoch: self.epoch,
            oldest: 1,
            newest: self.log.len() as u64,
        }
    }

    fn looked(&mut self, now: Instant, at: usize) {
        if let Some(Some(tails)) = self.nodes[at].look.take() {
            self.nodes[at].member.handle_tails(now, tails);
        }
    }

    /// Whether the log has a claim, so that there is a stream.
    fn is_claimed(&self) -> bool {
        !self.log.is_empty()
    }

    /// Everything that can happen at once happens, and nothing fails.
    fn settle(&mut self, now: Instant) {
        for _ in 0..100 {
            let mut has_moved = false;
            for at in 0..self.nodes.len() {
                if self.nodes[at].is_dead {
                    continue;
                }
                self.take(now, at);
                has_moved |= self.nodes[at].pending.is_some();
                self.land(at);
                self.answer(now, at);
                if self.nodes[at].look.is_some() {
                    has_moved = true;
                    self.nodes[at].look = Some(Some(self.tails()));
                    self.looked(now, at);
                }
                while self.can_read(at) {
                    has_moved = true;
                    self.read(now, at);
                }
            }
            if !has_moved {
                return;
            }
        }
        self.fault = Some("the nodes do not come to rest");
    }

    /// What is wrong when nothing has failed for two leases, and the clients of all nodes have stayed.
    pub fn fault_in_the_end(&self, model: &MemberModel) -> Option<&'static str> {
        let mut state = self.clone();
        let seconds = 2 * model.lease.as_secs() + 2;
        for more in 0..=seconds {
            state.settle(model.at(state.seconds + more));
        }
        if state.fault.is_some() {
            return state.fault;
        }
        let has_had_no_trouble = self.failures == 0 && self.seconds < model.lease.as_secs();
        let alive: Vec<_> = state.nodes.iter().filter(|node| !node.is_dead).collect();
        let owner = alive.iter().any(|node| node.member.is_owner());
        for node in &alive {
            let is_current = node.read.is_some_and(|(epoch, _)| epoch == state.epoch);
            let fault = match node.member.phase() {
                _ if node.produces.is_some() && !node.member.is_owner() => {
                    Some("a producer runs for a stream that is not its own")
                }
                _ if node.member.is_owner() && node.produces.is_none() => {
                    Some("an owner without a producer goes on")
                }
                MemberPhase::Unclaimed if node.member.is_claiming() => {
                    Some("a claim is waited for without end")
                }
                MemberPhase::Unclaimed if node.has_started && has_had_no_trouble => {
                    Some("a start was given up, and nothing has failed")
                }
                MemberPhase::Unclaimed if state.is_claimed() => {
                    Some("a node does not know of a stream that was started")
                }
                MemberPhase::Running if !owner => Some("a stream without an owner has no end"),
                MemberPhase::Running if !is_current => Some("a stream that was lost runs"),
                _ => None,
            };
            if fault.is_some() {
                return fault;
            }
        }
        None
    }
}

impl MemberModel {
    fn at(&self, seconds: u64) -> Instant {
        self.now + Duration::from_secs(seconds)
    }

    /// What a node may do by itself, or be told.
    fn actions_of(&self, state: &State, at: usize, actions: &mut Vec<Action>) {
        let (node, now) = (&state.nodes[at], self.at(state.seconds));
        match &node.pending {
            Some(Pending::Sent(..)) => actions.push(Action::Land(at)),
            Some(Pending::Done(_)) if !node.is_dead => actions.push(Action::Answer(at)),
            _ => {}
        }
        if node.is_dead {
            return;
        }
        if state.failures < self.failures {
            match &node.pending {
                Some(Pending::Sent(..)) => {
                    actions.extend([Action::Refuse(at), Action::LoseRequest(at)]);
                }
                Some(Pending::Done(Some(_))) => actions.push(Action::LoseAnswer(at)),
                _ => {}
            }
        }
        if at < self.starters && !node.has_started {
            actions.push(Action::Start(at));
        }
        let stops = state.nodes.iter().filter(|node| node.has_stopped).count();
        let runs = node.member.phase() == MemberPhase::Running;
        if runs && !node.has_stopped && stops < self.stops {
            actions.push(Action::Stop(at));
        }
        if self.finishes && node.produces.is_some() {
            actions.push(Action::Finish(at));
        }
        if state.can_read(at) {
            actions.push(Action::Read(at));
        }
        if node.has_output(now) {
            actions.push(Action::Take(at));
        }
        match node.look {
            Some(None) => actions.push(Action::Look(at)),
            Some(Some(_)) => actions.push(Action::Looked(at)),
            None => {}
        }
        let deaths = state.nodes.iter().filter(|node| node.is_dead).count();
        if deaths < usize::from(self.deaths) {
            actions.push(Action::Die(at));
        }
    }
}

impl Model for MemberModel {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let node = |number| Node::new(self.now, number, &self.config);
        let mut state = State {
            nodes: (0..self.nodes).map(node).collect(),
            epoch: 1,
            log: Vec::new(),
            late: Vec::new(),
            seconds: 0,
            failures: 0,
            starts: BTreeMap::new(),
            ends: BTreeMap::new(),
            fault: None,
        };
        if self.is_started {
            state.nodes[0].has_started = true;
            state.nodes[0].member.start();
            state.settle(self.now);
        }
        vec![state]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for at in 0..state.nodes.len() {
            self.actions_of(state, at, actions);
        }
        actions.extend((0..state.late.len()).map(Action::LandLate));
        if state.epoch <= self.epochs {
            actions.push(Action::BeginAnew);
        }
        if state.seconds < self.seconds {
            actions.push(Action::Second);
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        let now = self.at(state.seconds);
        match action {
            Action::Start(at) => {
                state.nodes[at].has_started = true;
                state.nodes[at].member.start();
            }
            Action::Stop(at) => {
                let node = &mut state.nodes[at];
                node.has_stopped = true;
                node.member.stop(format!("reason {at}").into());
            }
            Action::Finish(at) => {
                state.nodes[at].produces = None;
                state.nodes[at].member.finish(StreamEnd::Complete);
            }
            Action::Read(at) => state.read(now, at),
            Action::Take(at) => state.take(now, at),
            Action::Land(at) => state.land(at),
            Action::Answer(at) => state.answer(now, at),
            Action::Refuse(at) => {
                state.failures += 1;
                state.nodes[at].pending = Some(Pending::Done(None));
                state.answer(now, at);
            }
            Action::LoseAnswer(at) | Action::LoseRequest(at) => {
                state.failures += 1;
                let node = &mut state.nodes[at];
                let failure = AppendFailure::Unknown;
                if let Some(Pending::Sent(event, epoch)) = node.pending.take() {
                    state.late.push((event, epoch));
                }
                node.member.handle_append_failed(now, failure);
            }
            Action::LandLate(which) => {
                let (event, epoch) = state.late.remove(which);
                state.append(event, epoch);
            }
            Action::Look(at) => state.nodes[at].look = Some(Some(last.tails())),
            Action::Looked(at) => state.looked(now, at),
            Action::Die(at) => {
                state.nodes[at].is_dead = true;
                state.nodes[at].produces = None;
            }
            Action::BeginAnew => {
                state.epoch += 1;
                state.log.clear();
            }
            Action::Second => state.seconds += 1,
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::<Self>::always("one start and one end", |_, state| state.fault.is_none()),
            Property::<Self>::always("it comes to an end", |model, state| {
                state.fault_in_the_end(model).is_none()
            }),
            Property::<Self>::sometimes("a producer starts", |_, state| !state.starts.is_empty()),
        ]
    }
}

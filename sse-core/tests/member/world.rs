//! Nodes, one log, and the time, which passes when a test says so. What holds at every step is checked here.

use std::{
    collections::{BTreeMap, VecDeque},
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

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// What comes of an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Appended,
    NotAppended,
    /// It is in the log, and its node is not told.
    Unknown,
    /// It is not in the log, and its node is not told that.
    UnknownAndNotThere,
}

pub(crate) struct World {
    pub(crate) now: Instant,
    pub(crate) epoch: u64,
    pub(crate) log: Vec<Event>,
    /// How many of the log's events can no longer be read.
    trimmed: usize,
    /// Appends whose nodes know nothing of them, and that may come to the log later.
    late: Vec<(Event, Option<u64>)>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) starts: Vec<(usize, u64)>,
    /// The end that was read first in each epoch: its number, its outcome, and the reason of a stop.
    ends: BTreeMap<u64, (usize, String, Option<String>)>,
}

pub(crate) struct Node {
    pub(crate) member: StreamMember,
    pub(crate) is_dead: bool,
    epoch: u64,
    /// How many events of the log it has read.
    read: usize,
    has_begun: bool,
    pending: Option<(Event, Option<u64>)>,
    looks: bool,
    /// Its producer runs, in this epoch.
    pub(crate) produces: Option<u64>,
    pub(crate) cancelled: Vec<StreamEnd>,
    /// With which outcome the stream ended, and where; at the beginning of an epoch where its history is lost.
    pub(crate) ended: Option<(String, Position)>,
    pub(crate) outputs: VecDeque<MemberOutput>,
}

impl World {
    pub(crate) fn new(nodes: usize) -> Self {
        Self::with(nodes, MemberConfig::default())
    }

    pub(crate) fn with(nodes: usize, config: MemberConfig) -> Self {
        let now = Instant::now();
        let node = |number| Node {
            member: StreamMember::new(now, format!("node-{number}").into(), config.clone()),
            is_dead: false,
            epoch: 1,
            read: 0,
            has_begun: false,
            pending: None,
            looks: false,
            produces: None,
            cancelled: Vec::new(),
            ended: None,
            outputs: VecDeque::new(),
        };
        Self {
            now,
            epoch: 1,
            log: Vec::new(),
            trimmed: 0,
            late: Vec::new(),
            nodes: (0..nodes).map(node).collect(),
            starts: Vec::new(),
            ends: BTreeMap::new(),
        }
    }

    /// A node that has read nothing.
    pub(crate) fn add_node(&mut self) -> usize {
        let number = self.nodes.len();
        let mut fresh = World::with(1, self.nodes[0].member.config().clone());
        let mut node = fresh.nodes.remove(0);
        node.member = StreamMember::new(
            self.now,
            format!("node-{number}").into(),
            self.nodes[0].member.config().clone(),
        );
        node.epoch = self.epoch;
        self.nodes.push(node);
        number
    }

    pub(crate) fn phase(&self, node: usize) -> MemberPhase {
        self.nodes[node].member.phase()
    }

    /// The node reads the next event of the log. Says whether there was one, or another epoch, or its first.
    pub(crate) fn read(&mut self, at: usize) -> bool {
        let node = &mut self.nodes[at];
        if node.is_dead || node.ended.is_some() {
            return false;
        }
        let behind = Position::new(self.epoch, self.trimmed as u64);
        if !node.has_begun || node.epoch != self.epoch {
            if !std::mem::replace(&mut node.has_begun, true) {
                node.member.handle_begin(self.now, behind);
            } else if node.member.handle_anew(self.now, behind) {
                node.ended = Some(("lost".into(), Position::new(self.epoch, 0)));
            }
            (node.epoch, node.read) = (self.epoch, self.trimmed);
            return true;
        }
        if node.read < self.trimmed {
            node.read = self.trimmed;
            node.member.handle_passed_over(self.now, behind);
            return true;
        }
        let Some(event) = self.log.get(node.read) else {
            return false;
        };
        node.read += 1;
        let position = Position::new(node.epoch, node.read as u64);
        let record = node.member.handle_record(self.now, position, event);
        assert_eq!(node.member.position(), Some(position));
        if let MemberRecord::Ended(outcome) = record {
            node.ended = Some((outcome.to_string(), position));
            self.check_end(at);
        }
        true
    }

    /// The node has read the first end that the log has, and all nodes tell the same of it.
    fn check_end(&mut self, at: usize) {
        let node = &self.nodes[at];
        let is_end = |event: &Event| {
            let of = event.event_type();
            of.is_some_and(|it| *it == node.member.config().end_event_type)
        };
        assert_eq!(self.log.iter().position(is_end), Some(node.read - 1));
        let reason = match node.member.end() {
            Some(StreamEnd::Stopped(reason)) => Some(reason.to_string()),
            _ => None,
        };
        let (outcome, _) = node.ended.clone().unwrap();
        let end = (node.read, outcome, reason);
        let first = self.ends.entry(self.epoch).or_insert_with(|| end.clone());
        assert_eq!(*first, end, "two nodes have read different ends");
    }

    /// Takes what the node is to do.
    pub(crate) fn take(&mut self, at: usize) {
        let now = self.now;
        let node = &mut self.nodes[at];
        if node.is_dead {
            return;
        }
        node.member.handle_timeout(now);
        while let Some(output) = node.member.poll_output(now) {
            node.outputs.push_back(output.clone());
            match output {
                MemberOutput::Append { event, epoch } => {
                    assert!(node.pending.is_none(), "two appends at a time");
                    node.pending = Some((event, epoch));
                }
                MemberOutput::Start { epoch } => {
                    let mut starts = self.starts.iter();
                    assert!(starts.all(|(_, of)| *of != epoch), "two starts");
                    node.produces = Some(epoch);
                    self.starts.push((at, epoch));
                }
                MemberOutput::Cancel(end) => {
                    node.cancelled.push(end.clone());
                    if node.produces.take().is_some() {
                        node.member.finish(end);
                    }
                }
                MemberOutput::Look => node.looks = true,
                _ => {}
            }
        }
        // No node is woken again and again for nothing.
        let next = node.member.poll_timeout();
        assert!(node.member.is_unused(now) || next.is_none_or(|at| at > now));
    }

    /// What the node is appending comes to this. Says whether there was something.
    pub(crate) fn settle_append(&mut self, at: usize, fate: Fate) -> bool {
        let node = &mut self.nodes[at];
        let Some((event, epoch)) = node.pending.take() else {
            return false;
        };
        let is_there = match fate {
            Fate::Appended | Fate::Unknown => self.append(event, epoch),
            Fate::NotAppended => false,
            Fate::UnknownAndNotThere => {
                self.late.push((event, epoch));
                false
            }
        };
        let node = &mut self.nodes[at];
        if node.is_dead {
            return true;
        }
        match fate {
            Fate::Appended if is_there => {
                let at = Position::new(self.epoch, self.log.len() as u64);
                node.member.handle_appended(self.now, at);
            }
            Fate::Appended | Fate::NotAppended => {
                let failure = AppendFailure::NotAppended;
                node.member.handle_append_failed(self.now, failure);
            }
            Fate::Unknown | Fate::UnknownAndNotThere => {
                let failure = AppendFailure::Unknown;
                node.member.handle_append_failed(self.now, failure);
            }
        }
        true
    }

    /// Says whether the log takes this, because it is in the right epoch.
    fn append(&mut self, event: Event, epoch: Option<u64>) -> bool {
        let is_right = epoch.is_none_or(|epoch| epoch == self.epoch);
        if is_right {
            self.log.push(event);
        }
        is_right
    }

    /// An append of which its node knows nothing comes to the log.
    pub(crate) fn append_late(&mut self, which: usize) {
        if which < self.late.len() {
            let (event, epoch) = self.late.remove(which);
            self.append(event, epoch);
        }
    }

    /// The log drops its oldest events and keeps so many, and all that tell of the stream's end.
    pub(crate) fn trim(&mut self, keep: usize) {
        let tells = |event: &Event| {
            let of = event.event_type().map_or("", |it| it.as_str());
            ["end", "sse-stream-reason"].contains(&of)
        };
        let kept = self.log.iter().position(tells);
        let most = kept.unwrap_or(self.log.len());
        let count = self.log.len().saturating_sub(keep).min(most);
        self.trimmed = self.trimmed.max(count);
    }

    /// The log answers what the node looks for. Says whether it does.
    pub(crate) fn answer_look(&mut self, at: usize) -> bool {
        let node = &mut self.nodes[at];
        if node.is_dead || !std::mem::take(&mut node.looks) {
            return false;
        }
        let tails = Tails {
            epoch: self.epoch,
            oldest: self.trimmed as u64 + 1,
            newest: self.log.len() as u64,
        };
        node.member.handle_tails(self.now, tails);
        true
    }

    /// The node's producer makes an event.
    pub(crate) fn produce(&mut self, at: usize) {
        let node = &self.nodes[at];
        if !node.is_dead && node.produces == Some(self.epoch) {
            self.log.push(Event::new("words"));
        }
    }

    /// The log loses everything.
    pub(crate) fn begin_anew(&mut self) {
        self.epoch += 1;
        self.log.clear();
        self.trimmed = 0;
    }

    /// Everything that can happen at once happens, and nothing fails.
    pub(crate) fn settle(&mut self) {
        for _ in 0..10_000 {
            let mut has_moved = false;
            for at in 0..self.nodes.len() {
                self.take(at);
                has_moved |= self.settle_append(at, Fate::Appended);
                has_moved |= self.answer_look(at);
                has_moved |= self.read(at);
            }
            if !has_moved {
                return;
            }
        }
        panic!("the nodes do not come to rest");
    }

    /// Time passes, in which nothing fails.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        self.settle();
        while self.now < end {
            let alive = self.nodes.iter().filter(|node| !node.is_dead);
            let next = alive.filter_map(|node| node.member.poll_timeout());
            let next = next.filter(|at| *at > self.now).min();
            self.now = next.map_or(end, |at| at.min(end));
            self.settle();
        }
    }

    /// Starts the stream on this node.
    pub(crate) fn start(&mut self, at: usize) {
        assert!(self.nodes[at].member.start());
        self.settle();
    }

    pub(crate) fn outcome(&self, node: usize) -> Option<&str> {
        let (outcome, _) = self.nodes[node].ended.as_ref()?;
        Some(outcome)
    }
}

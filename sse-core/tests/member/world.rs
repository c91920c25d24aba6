//! Nodes, one log, and the time, which passes when a test says so.

use std::{
    collections::VecDeque,
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
    pub(crate) nodes: Vec<Node>,
    pub(crate) starts: Vec<(usize, u64)>,
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
    /// With which outcome the stream ended, and where.
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
            nodes: (0..nodes).map(node).collect(),
            starts: Vec::new(),
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
        if !node.has_begun {
            node.has_begun = true;
            node.member
                .handle_begin(self.now, Position::new(self.epoch, 0));
            node.epoch = self.epoch;
            return true;
        }
        if node.epoch != self.epoch {
            node.epoch = self.epoch;
            node.read = 0;
            let place = Position::new(self.epoch, 0);
            if node.member.handle_anew(self.now, place) {
                node.ended = Some(("lost".into(), place));
            }
            return true;
        }
        let Some(event) = self.log.get(node.read) else {
            return false;
        };
        node.read += 1;
        let position = Position::new(node.epoch, node.read as u64);
        let record = node.member.handle_record(self.now, position, event);
        if let MemberRecord::Ended(outcome) = record {
            node.ended = Some((outcome.to_string(), position));
        }
        true
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
    }

    /// What the node is appending comes to this. Says whether there was something.
    pub(crate) fn settle_append(&mut self, at: usize, fate: Fate) -> bool {
        let node = &mut self.nodes[at];
        let Some((event, epoch)) = node.pending.take() else {
            return false;
        };
        let is_there = matches!(fate, Fate::Appended | Fate::Unknown)
            && epoch.is_none_or(|epoch| epoch == self.epoch);
        if is_there {
            self.log.push(event);
        }
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

    /// The log answers what the node looks for. Says whether it does.
    pub(crate) fn answer_look(&mut self, at: usize) -> bool {
        let node = &mut self.nodes[at];
        if node.is_dead || !std::mem::take(&mut node.looks) {
            return false;
        }
        let tails = Tails {
            epoch: self.epoch,
            oldest: 1,
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
    }

    /// Everything that can happen at once happens, and nothing fails.
    pub(crate) fn settle(&mut self) {
        loop {
            let mut has_moved = false;
            for at in 0..self.nodes.len() {
                self.take(at);
                has_moved |= self.settle_append(at, Fate::Appended);
                has_moved |= self.answer_look(at);
                has_moved |= self.read(at);
            }
            if !has_moved {
                break;
            }
        }
        // No node is woken again and again for nothing.
        for node in self.nodes.iter().filter(|node| !node.is_dead) {
            let at = node.member.poll_timeout();
            let is_unused = node.member.is_unused(self.now);
            assert!(is_unused || at.is_none_or(|at| at > self.now));
        }
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

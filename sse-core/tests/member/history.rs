//! What may happen to nodes and their log, in any order, and what comes of it. The fuzz target `member` uses it,
//! too.

use sse_core::topic::resumable::{
    StreamEnd,
    member::{MemberPhase, StreamMember},
};

use crate::world::{Fate, SECOND, World};

/// The nodes that a history begins with, and the largest number that there may be.
pub(crate) const NODES: usize = 3;
pub(crate) const MAX_NODES: usize = 5;

/// A node is counted among those that there are.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Start(usize),
    GiveUp(usize),
    Stop(usize),
    Finish(usize),
    Cancel(usize),
    Attach(usize),
    Detach(usize),
    Produce(usize),
    Read(usize),
    Take(usize),
    Append(usize, Fate),
    AppendLate(usize),
    Look(usize),
    LogFailed(usize),
    Die(usize),
    Join,
    Wait(u32),
    Trim(usize),
    BeginAnew,
}

impl World {
    pub(crate) fn happen(&mut self, step: &Step) {
        let now = self.now;
        match *step {
            Step::Start(at) => drop(self.member(at).start()),
            Step::GiveUp(at) => self.member(at).give_up_start(),
            Step::Stop(at) => drop(self.member(at).stop(format!("reason {at}").into())),
            Step::Finish(at) => self.finish(at % self.nodes.len()),
            Step::Cancel(at) => drop(self.member(at).cancel(StreamEnd::Shutdown)),
            Step::Attach(at) => self.member(at).attach(),
            Step::Detach(at) => self.member(at).detach(now),
            Step::Produce(at) => self.produce(at % self.nodes.len()),
            Step::Read(at) => drop(self.read(at % self.nodes.len())),
            Step::Take(at) => self.take(at % self.nodes.len()),
            Step::Append(at, fate) => drop(self.settle_append(at % self.nodes.len(), fate)),
            Step::AppendLate(which) => self.append_late(which),
            Step::Look(at) => drop(self.answer_look(at % self.nodes.len())),
            Step::LogFailed(at) => self.member(at).handle_log_failed(now),
            // The first one is left.
            Step::Die(at) if !at.is_multiple_of(self.nodes.len()) => {
                let count = self.nodes.len();
                self.nodes[at % count].is_dead = true;
            }
            Step::Join if self.nodes.len() < MAX_NODES => drop(self.add_node()),
            Step::Die(_) | Step::Join => {}
            Step::Wait(seconds) => self.now += SECOND * seconds,
            Step::Trim(keep) => self.trim(keep),
            Step::BeginAnew => self.begin_anew(),
        }
    }

    fn member(&mut self, at: usize) -> &mut StreamMember {
        let count = self.nodes.len();
        &mut self.nodes[at % count].member
    }

    /// The node's producer ends by itself, if it has one.
    fn finish(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        if node.produces.take().is_some() {
            node.member.finish(StreamEnd::Complete);
        }
    }

    /// Nothing fails any more, and the stream's clients stay: all nodes come to the same.
    pub(crate) fn calm_down(&mut self) {
        for node in &mut self.nodes {
            node.member.handle_log_failed(self.now);
        }
        self.pass(300 * SECOND);
        self.check_rest();
        let late = self.add_node();
        // It may be the only one that follows a stream whose owner has died.
        self.pass(60 * SECOND);
        self.check_rest();
        let end = &self.nodes[late].ended;
        for node in self.nodes.iter().filter(|node| !node.is_dead) {
            if let Some((_, at)) = &node.ended
                && (at.epoch(), at.sequence() > 0) == (self.epoch, true)
            {
                assert_eq!(node.ended, *end);
            }
        }
    }

    /// Only a stream with an owner and clients runs, and the nodes know of it.
    fn check_rest(&self) {
        let nodes = self.nodes.iter().filter(|node| !node.is_dead);
        let has_owner = nodes.clone().any(|node| node.member.is_owner());
        let has_clients = nodes.clone().any(|node| node.member.listeners() > 0);
        assert!(!has_owner || has_clients, "the owner has no clients");
        for node in nodes {
            assert_eq!(node.produces.is_some(), node.member.is_owner());
            match node.member.phase() {
                MemberPhase::Unclaimed => {
                    assert!(!node.member.is_claiming(), "a claim is waited for");
                    assert!(self.log.is_empty(), "a stream is not known");
                }
                MemberPhase::Running => assert!(has_owner, "a stream has no end"),
                _ => {}
            }
        }
    }
}

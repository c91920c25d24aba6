//! A subscriber's position in the history, and what comes next for it.

use super::{
    EncodedEvents, Outcome, Position, SlowConsumer, TopicConfig, WhenTooSlow,
    config::Announce,
    log::{Log, Read},
    publish::State,
    resume::join_anew,
};

#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor {
    epoch: u64,
    /// The sequence number of the next event.
    next: u64,
    outcome: Outcome,
    stage: Stage,
    /// Whether events that have left the history are read from the log that the topic follows.
    is_backed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// It has read nothing yet.
    Joining {
        /// Whether the outcome is still to be told.
        tells: bool,
        /// Whether it begins with the oldest event at the first read.
        at_oldest: bool,
    },
    Reading,
    Cut,
}

/// What comes next for a subscriber.
pub(super) enum Next {
    Events(EncodedEvents),
    /// There is nothing new.
    Nothing,
    /// The client has to be told how the history continues.
    Tell(Outcome),
    Cut(SlowConsumer),
    /// The topic is over.
    Over,
}

impl Cursor {
    pub(super) fn new(
        log: &Log,
        next: u64,
        outcome: Outcome,
        at_oldest: bool,
        config: &TopicConfig,
    ) -> Self {
        let tells = match config.announce {
            Announce::Nothing => false,
            Announce::Losses => outcome.is_loss(),
            Announce::Everything => true,
        };
        Self {
            epoch: log.epoch(),
            next,
            outcome,
            stage: Stage::Joining { tells, at_oldest },
            is_backed: false,
        }
    }

    /// Creates the cursor of a client that was told how it joined, and whose topic follows a log.
    #[cfg(feature = "follower")]
    pub(super) fn quiet(log: &Log, next: u64) -> Self {
        let replayed = log.next().saturating_sub(next);
        Self {
            epoch: log.epoch(),
            next,
            outcome: Outcome::Resumed { replayed },
            stage: Stage::Reading,
            is_backed: true,
        }
    }

    #[cfg(feature = "follower")]
    pub(super) fn back_by_log(&mut self) {
        self.is_backed = true;
    }

    pub(super) fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Returns the sequence number of the next event.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Continues with this event.
    pub(super) fn move_to(&mut self, next: u64) {
        self.next = next;
    }

    pub(super) fn position(&self) -> Position {
        Position::new(self.epoch, self.next.saturating_sub(1))
    }

    /// See [`Subscriber::place_to_resume_from`](super::Subscriber::place_to_resume_from).
    pub(super) fn place_to_resume_from(&self) -> Option<Position> {
        let Position { epoch, sequence } = self.position();
        let lost = match self.outcome {
            Outcome::Unknown { .. } if self.has_to_tell() => return None,
            Outcome::Gap { lost, .. } if self.has_to_tell() => lost,
            _ => 0,
        };
        Some(Position::new(epoch, sequence.saturating_sub(lost)))
    }

    /// Returns whether the outcome is still to be told.
    fn has_to_tell(&self) -> bool {
        matches!(self.stage, Stage::Joining { tells: true, .. })
    }

    /// Returns whether the history has no events that are still to come.
    pub(super) fn has_everything_of(&self, log: &Log) -> bool {
        self.stage != Stage::Cut
            && !self.has_to_tell()
            && self.epoch == log.epoch()
            && self.next >= log.next()
    }

    /// Returns what comes next: at most `most` events. `kept` was read before.
    pub(super) fn look(
        &mut self,
        state: &mut State,
        config: &TopicConfig,
        most: u64,
        kept: Option<EncodedEvents>,
    ) -> Next {
        if self.stage == Stage::Cut {
            return Next::Over;
        }
        if let Some(outcome) = self.join(&state.log) {
            return Next::Tell(outcome);
        }
        let read = match kept {
            Some(events) => Read::Events(events),
            None => state.log.read(self.next, most),
        };
        match read {
            Read::Events(events) => {
                self.next += events.count as u64;
                Next::Events(events)
            }
            Read::Nothing if state.end.is_some() => Next::Over,
            Read::Nothing => Next::Nothing,
            Read::Lost {
                events: lost,
                went_on,
            } if went_on && !self.is_backed => {
                // The history continued elsewhere: the subscriber was not slow.
                self.skip(lost, &state.log)
            }
            Read::Lost { events: lost, .. } => self.fall_behind(lost, state, config.when_too_slow),
        }
    }

    /// The history has dropped events that were still to come.
    fn fall_behind(&mut self, lost: u64, state: &mut State, when_too_slow: WhenTooSlow) -> Next {
        if self.is_backed {
            return Next::Cut(SlowConsumer::new(lost));
        }
        state.counts.lost_events += lost;
        match when_too_slow {
            WhenTooSlow::Cut => {
                state.counts.cut += 1;
                self.stage = Stage::Cut;
                Next::Cut(SlowConsumer::new(lost))
            }
            WhenTooSlow::SkipAhead => {
                state.counts.skipped_ahead += 1;
                self.skip(lost, &state.log)
            }
        }
    }

    /// Continues with the oldest event of the history.
    fn skip(&mut self, lost: u64, log: &Log) -> Next {
        self.next = log.first();
        let replayed = log.held();
        Next::Tell(Outcome::Gap { lost, replayed })
    }

    /// Joins the history, at the first read and wherever it has changed to another epoch. Returns what is
    /// to be told then.
    fn join(&mut self, log: &Log) -> Option<Outcome> {
        if self.epoch != log.epoch() {
            (self.epoch, self.next) = (log.epoch(), log.first());
            self.stage = Stage::Reading;
            let replayed = log.held();
            return Some(Outcome::Unknown { replayed });
        }
        let Stage::Joining { tells, at_oldest } = self.stage else {
            return None;
        };
        if at_oldest {
            let joined = (self.next, self.outcome);
            let held = log.first()..log.next();
            (self.next, self.outcome) = join_anew(joined, held, tells);
        }
        self.stage = Stage::Reading;
        tells.then_some(self.outcome)
    }
}

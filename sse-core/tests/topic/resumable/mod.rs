//! Streams that outlive their connections, by hand.

mod any_order;
mod bounds;
mod endings;
mod states;

use std::time::{Duration, Instant};

use sse_core::topic::{
    Topic,
    resumable::{ResumableConfig, Started, StreamEnd, StreamId, StreamOutput, StreamTable},
};

use crate::{Clock, EPOCH};

const NANO: Duration = Duration::from_nanos(1);
const GRACE: Duration = Duration::from_secs(60);
const RETENTION: Duration = Duration::from_secs(5 * 60);

/// A table whose caller does what it asks for.
struct Streams {
    clock: Clock,
    table: StreamTable<Topic>,
    /// The streams that ended or were forgotten, in order.
    happened: Vec<Happened>,
}

#[derive(Debug, PartialEq)]
enum Happened {
    Ended(StreamEnd),
    Forgotten,
}

impl Streams {
    fn new(change: impl FnOnce(&mut ResumableConfig)) -> Self {
        let mut config = ResumableConfig::default();
        change(&mut config);
        let clock = Clock::new();
        let now = clock.clone();
        Self {
            table: StreamTable::new(config, EPOCH, move || now.now()),
            clock,
            happened: Vec::new(),
        }
    }

    fn now(&self) -> Instant {
        self.clock.now()
    }

    /// Starts a new stream.
    fn start(&mut self, name: &str) -> StreamId {
        self.start_of("", name)
    }

    fn start_of(&mut self, owner: &str, name: &str) -> StreamId {
        let now = self.now();
        let started = self.table.start(now, owner, name, |_, topic| topic.clone());
        match started {
            Ok(Started::New(id)) => id,
            other => panic!("{other:?}"),
        }
    }

    fn topic(&self, id: StreamId) -> Topic {
        self.table.get(id).expect("it is there").clone()
    }

    fn detach(&mut self, id: StreamId) {
        self.table.detach(self.clock.now(), id);
    }

    fn end(&mut self, id: StreamId, end: StreamEnd) -> bool {
        let ended = self.table.end(self.clock.now(), id, end);
        self.settle();
        ended
    }

    /// Lets time pass, and handles the table's deadlines.
    fn advance(&mut self, by: Duration) {
        self.clock.advance(by);
        self.table.handle_timeout(self.clock.now());
        self.settle();
        let next = self.table.poll_timeout();
        assert!(next.is_none_or(|next| next > self.now()));
    }

    fn settle(&mut self) {
        while let Some(output) = self.table.poll_output() {
            self.happened.push(match output {
                StreamOutput::Ended(ended) => {
                    ended.close();
                    Happened::Ended(ended.end)
                }
                StreamOutput::Forgotten(..) => Happened::Forgotten,
                other => panic!("{other:?}"),
            });
        }
    }

    /// Returns what happened since the last call.
    fn take(&mut self) -> Vec<Happened> {
        self.settle();
        std::mem::take(&mut self.happened)
    }
}

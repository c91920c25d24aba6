//! What a table of streams tells its caller.

use super::StreamEnd;
use crate::{
    EventType,
    topic::{Topic, TopicEnd},
};

/// A task for the caller of a [`StreamTable`](super::StreamTable).
#[derive(Debug)]
#[non_exhaustive]
pub enum StreamOutput<P> {
    /// A stream has ended: cancel its producer, if it runs, and [close](Ended::close) the topic.
    Ended(Ended<P>),
    /// A stream was forgotten: drop this, which frees memory.
    Forgotten(Topic, P),
}

/// A stream that has ended, from [`StreamOutput::Ended`]: cancel the producer, and call
/// [`close`](Self::close).
#[derive(Debug)]
#[non_exhaustive]
pub struct Ended<P> {
    /// The value that the caller keeps for the stream.
    pub producer: P,
    /// How the stream ended.
    pub end: StreamEnd,
    pub(super) topic: Topic,
    pub(super) event_type: EventType,
}

impl<P> Ended<P> {
    /// Publishes the stream's last event, and closes its topic. This wakes the tasks of listeners, and is
    /// therefore not part of [`StreamTable::poll_output`](super::StreamTable::poll_output), which may be called under a lock.
    pub fn close(&self) {
        let event = self.end.to_event(self.event_type.clone());
        let end = TopicEnd::from(&self.end);
        // This fails where the topic's bounds are too small for any event.
        if self.topic.close_with_event(event, end.clone()).is_err() {
            self.topic.close_with(end);
        }
    }
}

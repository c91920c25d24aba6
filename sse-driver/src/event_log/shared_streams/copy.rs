//! Copies the events of a producer to the log.

use std::{
    future::{pending, poll_fn},
    sync::Arc,
    time::Duration,
};

use sse_core::{
    Event, EventType,
    topic::{
        Batch, HistoryBound,
        follower::Bell,
        resumable::{StreamEnd, StreamError, member::is_record_type},
    },
};

use crate::{
    ResumableStream, Runtime,
    event_log::{AppendError, followed::Followed},
    trace,
    wait::within,
};

/// The type of the last event of a producer's own history. The log gets another last event, which all
/// nodes know.
pub(super) const LOCAL_END: EventType = EventType::from_static("sse-stream-local-end");

/// The way of a producer's events to the log.
pub(super) struct Copy<R: Runtime> {
    pub(super) runtime: R,
    pub(super) source: ResumableStream,
    pub(super) followed: Arc<Followed>,
    /// The log accepts them in this epoch only.
    pub(super) epoch: u64,
    pub(super) end_event_type: EventType,
    pub(super) retry: Duration,
}

impl<R: Runtime> Copy<R> {
    /// Appends each event, in order, and returns how the producer ended once all are in the log.
    pub(super) async fn run(self) -> StreamEnd {
        let source = &self.source;
        let mut subscriber = source.topic().subscribe_from_oldest();
        while let Some(batch) = poll_fn(|cx| subscriber.poll_next(cx)).await {
            let Ok(Batch::Events(events)) = batch else {
                // The producer's history has dropped events that the log did not take in time.
                return self.give_up(StreamEnd::TooLarge(HistoryBound::Bytes));
            };
            let has_all = subscriber.end().is_some();
            let mut events = events.into_events().peekable();
            while let Some(event) = events.next() {
                let event_type = event.event_type();
                if has_all && events.peek().is_none() && event_type == Some(&LOCAL_END) {
                    break;
                }
                if event_type
                    .is_some_and(|it| *it == self.end_event_type || is_record_type(it.as_str()))
                {
                    return self.give_up(StreamEnd::Failed(StreamError::new(format!(
                        "an event of the type {event_type:?}, which is reserved for the stream itself",
                    ))));
                }
                if let Err(end) = self.append(event).await {
                    return self.give_up(end);
                }
            }
        }
        source.ended().await
    }

    /// Cancels the producer.
    fn give_up(&self, end: StreamEnd) -> StreamEnd {
        self.source.end_with(end.clone());
        end
    }

    async fn append(&self, event: Event) -> Result<(), StreamEnd> {
        // Any node has to resume behind the event, and nodes know only places.
        let event = event.without_id();
        let followed = &self.followed;
        loop {
            let appended = followed
                .log
                .append_in(followed.name.clone(), self.epoch, event.clone());
            match appended.await {
                Ok(position) => {
                    followed.bells.ring(Bell::new(position).with_event(event));
                    return Ok(());
                }
                Err(AppendError::NotAppended(_)) => {
                    let until = self.runtime.now().checked_add(self.retry);
                    within(&self.runtime, until, pending()).await;
                }
                Err(AppendError::Rejected(error)) => {
                    trace::log_failed(&followed.name, "appended to", &error);
                    return Err(StreamEnd::Rejected(StreamError::new(error)));
                }
                // Appending it again might double it, and continuing might leave it out.
                Err(AppendError::Unknown(_) | AppendError::OtherEpoch) => {
                    return Err(StreamEnd::Lost);
                }
            }
        }
    }
}

//! A client of a shared stream.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_core::Stream;
use sse_core::topic::{
    Batch, Outcome,
    resumable::member::{MemberPhase, is_record_type},
};

use super::calls::Entry;
use crate::event_log::{LogStream, LogStreamError};

/// A client that is attached to one of the [`SharedStreams`](super::SharedStreams). A handler returns it
/// unchanged, or converts it into a [`Reply`](crate::router::Reply).
///
/// The response is the event stream, from the client's position on, or a 204 for a client that has had
/// the last event. While this value is held, the client counts as a listener, on whichever node the
/// producer runs. When the server begins to shut down, the stream ends, and the client resumes on another
/// node.
pub struct SharedAttachment {
    stream: LogStream,
    entry: Arc<Entry>,
    is_over: bool,
}

impl SharedAttachment {
    pub(super) fn new(entry: Arc<Entry>, last_event_id: Option<&str>) -> Self {
        let topic = &entry.topic;
        let stream = match last_event_id {
            Some(id) => topic.resume_from(Some(id)),
            None => topic.subscribe_from_oldest(),
        };
        let stream = stream.only_event_types(|event_type| !is_record_type(event_type));
        // The topic gets the end a little later than the room, and is not asked for its place.
        let last = entry.room.with(|state| {
            let has_ended = state.member.phase() == MemberPhase::Ended;
            state.member.position().filter(|_| has_ended)
        });
        let is_over = last.is_some_and(|last| last_event_id == Some(&*last.to_string()));
        entry.room.act(|state| state.member.attach());
        Self {
            stream,
            entry,
            is_over,
        }
    }

    /// Returns whether the client has had the last event, so that nothing is left for it.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    pub(crate) fn is_reading(&self) -> bool {
        self.stream.is_reading()
    }

    /// Returns how the client joins the history; `None` while that is not known. See
    /// [`Attachment::outcome`](crate::Attachment::outcome).
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        self.stream.outcome()
    }
}

impl Stream for SharedAttachment {
    type Item = Result<Batch, LogStreamError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.stream.poll_next(cx)
    }
}

impl Drop for SharedAttachment {
    fn drop(&mut self) {
        let now = self.entry.now();
        self.entry.room.act(|state| state.member.detach(now));
    }
}

impl fmt::Debug for SharedAttachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedAttachment")
            .field("stream", &self.stream)
            .field("is_over", &self.is_over)
            .finish_non_exhaustive()
    }
}

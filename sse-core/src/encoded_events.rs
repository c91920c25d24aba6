//! Encoded events, shared by all connections that send them.

use core::fmt;

use bytes::Bytes;

use crate::chunked::Shared;
#[cfg(feature = "compression")]
use crate::gzip::Packed;

/// One or more encoded events of a topic, in one piece of memory that all their receivers share. Cloning
/// is cheap, and copies no bytes.
///
/// It cannot be made from arbitrary bytes: it always holds whole events, so that a sender cannot send a
/// part of one or anything else.
///
/// ```
/// use std::{task::Poll, time::Instant};
/// use sse_core::topic::{Batch, Topic, TopicConfig};
///
/// let topic = Topic::new(TopicConfig::default(), 0, Instant::now);
/// let mut subscriber = topic.subscribe();
/// topic.publish("one")?;
/// let Poll::Ready(Some(Ok(Batch::Events(events)))) = subscriber.try_next() else { panic!() };
/// assert_eq!((events.count(), events.as_bytes()), (1, &b"id: 0-1\ndata: one\n\n"[..]));
/// # Ok::<(), sse_core::topic::PublishError>(())
/// ```
#[derive(Clone)]
pub struct EncodedEvents {
    pub(crate) shared: Shared,
    pub(crate) count: usize,
    /// The same events in the topic's compressed stream, where it has one.
    #[cfg(feature = "compression")]
    pub(crate) packed: Option<alloc::sync::Arc<Packed>>,
}

impl EncodedEvents {
    /// Wraps `count` encoded events.
    #[cfg(feature = "topic")]
    pub(crate) fn new(bytes: impl Into<Shared>, count: usize) -> Self {
        Self {
            shared: bytes.into(),
            count,
            #[cfg(feature = "compression")]
            packed: None,
        }
    }

    /// Returns the events as bytes of an event stream, for a server that sends them itself. They have no
    /// transfer framing and no content coding; the server adds those.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.shared.as_bytes()
    }

    /// Returns the bytes of [`as_bytes`](Self::as_bytes), without a copy. They share the events' memory,
    /// which counts in the topic's [budget](crate::Budget) until they are dropped.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.shared.into_bytes()
    }

    /// Returns the number of events: 0 for a value that has only the place of a subscriber.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }
}

/// Two values are equal if their bytes are.
impl PartialEq for EncodedEvents {
    fn eq(&self, other: &Self) -> bool {
        self.count == other.count && self.shared == other.shared
    }
}

impl Eq for EncodedEvents {}

impl fmt::Debug for EncodedEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EncodedEvents")
            .field("count", &self.count)
            .field("bytes", &self.shared)
            .finish()
    }
}

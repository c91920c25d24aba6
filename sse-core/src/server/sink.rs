//! The destination of an open stream's events: the output, or the encoder of a content coding in front of
//! it.

#[cfg(feature = "compression")]
use super::coding::Coding;
use super::output::Output;
#[cfg(feature = "compression")]
use crate::budget::Budget;
use crate::{Comment, EncodedEvents};

/// The end of an open stream's output, to which events are added.
pub(super) struct Sink<'a> {
    pub(super) output: &'a mut Output,
    /// The content coding of the body, if it has one, and the budget for its memory.
    #[cfg(feature = "compression")]
    pub(super) coding: Option<(&'a mut Coding, &'a Budget)>,
}

impl Sink<'_> {
    /// Adds the bytes that `encode` puts into a buffer.
    #[inline]
    pub(super) fn put(self, encode: impl FnOnce(&mut Vec<u8>)) {
        #[cfg(feature = "compression")]
        if let Some((coding, budget)) = self.coding {
            let mut plain = Vec::new();
            encode(&mut plain);
            return coding.put(&plain, budget, self.output);
        }
        self.output.put(encode);
    }

    /// Adds a comment without text. In a content coding it is an empty block, because bytes of this
    /// client only would cut it off from the shared ones.
    pub(super) fn keep_alive(self) {
        #[cfg(feature = "compression")]
        if let Some((coding, _)) = self.coding {
            return coding.keep_alive(self.output);
        }
        self.output.put(|buffer| Comment::KEEP_ALIVE.encode(buffer));
    }

    /// Adds events of a topic.
    #[inline]
    pub(super) fn put_encoded(self, events: EncodedEvents) {
        #[cfg(feature = "compression")]
        if let Some((coding, budget)) = self.coding {
            return coding.put_encoded(&events, budget, self.output);
        }
        self.output.put_shared(events.shared);
    }
}

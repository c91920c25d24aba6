//! The last event ID, which an event's id becomes only once the event has come whole.

use alloc::string::String;

/// The standard's last event ID string and last event ID buffer.
#[derive(Clone, Default)]
pub(super) struct LastEventId {
    string: String,
    buffer: String,
    /// Whether the buffer has an id of the event that is being received. Where it has none, the
    /// string stands for it.
    received: bool,
}

impl LastEventId {
    #[inline]
    pub(super) fn as_str(&self) -> &str {
        &self.string
    }

    pub(super) fn set(&mut self, id: &str) {
        self.string.clear();
        self.string.push_str(id);
    }

    /// The event that is being received has this id.
    pub(super) fn receive(&mut self, id: &str) {
        self.buffer.clear();
        self.buffer.push_str(id);
        self.received = true;
    }

    /// Whether the event that is being received has an id.
    #[inline]
    pub(super) fn is_received(&self) -> bool {
        self.received
    }

    /// The event's blank line has come.
    #[inline]
    pub(super) fn commit(&mut self) {
        if self.received {
            core::mem::swap(&mut self.string, &mut self.buffer);
            self.received = false;
        }
    }

    /// The event is dropped.
    pub(super) fn forget_received(&mut self) {
        self.received = false;
    }
}

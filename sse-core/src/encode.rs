//! Events to bytes: encodes into a buffer of the caller's.
//!
//! An encoded event has no transfer framing, so that the same bytes serve every connection. Encoding
//! cannot fail, and no text of a caller's can forge a field: ids and event types have no line end by
//! construction, and data and comments are split at theirs.

use alloc::vec::Vec;

use bytes::BytesMut;
use memchr::memchr2;

use crate::{Comment, Event};

/// A growable buffer to encode into: [`Vec<u8>`] or [`BytesMut`].
///
/// The trait is sealed: only these two types implement it.
pub trait Buffer: sealed::Buffer {}

impl Buffer for Vec<u8> {}
impl Buffer for BytesMut {}

mod sealed {
    pub trait Buffer {
        fn reserve(&mut self, additional: usize);
        fn put(&mut self, bytes: &[u8]);
    }
}

impl sealed::Buffer for Vec<u8> {
    fn reserve(&mut self, additional: usize) {
        self.reserve(additional);
    }

    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

impl sealed::Buffer for BytesMut {
    fn reserve(&mut self, additional: usize) {
        self.reserve(additional);
    }

    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Counts the encoded bytes, so that the caller can reserve room for them.
#[cfg(feature = "topic")]
struct Counter(usize);

#[cfg(feature = "topic")]
impl Buffer for Counter {}

#[cfg(feature = "topic")]
impl sealed::Buffer for Counter {
    fn reserve(&mut self, _: usize) {}

    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.0 += bytes.len();
    }
}

/// The length of every field's name with its colon, space and line end and of the blank line, for an
/// event with one line of data: what [`Event::encode`] reserves in addition to the values.
const OVERHEAD: usize = "event: \nid: \nretry: 18446744073709551615\ndata: \n\n".len();

impl Event {
    /// Appends the encoded event, with the blank line that ends it.
    ///
    /// Two kinds of events get no blank line, because clients more lenient than the standard would
    /// dispatch an empty event for it: an event with nothing but a reconnection time, which takes effect
    /// at the end of its own line, and an event without any field, for which nothing is appended.
    ///
    /// ```
    /// use sse_core::Event;
    ///
    /// let mut wire = Vec::new();
    /// Event::new("first").encode(&mut wire);
    /// Event::new("").encode(&mut wire);
    /// assert_eq!(wire, b"data: first\n\ndata:\n\n");
    ///
    /// wire.clear();
    /// let time = std::time::Duration::from_secs(3);
    /// Event::without_data().with_reconnection_time(time).encode(&mut wire);
    /// assert_eq!(wire, b"retry: 3000\n");
    /// ```
    pub fn encode(&self, buffer: &mut impl Buffer) {
        let id = self.id().map_or(0, |id| id.as_str().len());
        let event_type = self.event_type().map_or(0, |name| name.as_str().len());
        let data = self.data().map_or(0, str::len);
        buffer.reserve(OVERHEAD + id + event_type + data);
        self.put_fields(buffer);
    }

    #[inline]
    fn put_fields(&self, buffer: &mut impl Buffer) {
        if let Some(event_type) = self.event_type() {
            put_line(buffer, b"event: ", event_type.as_str().as_bytes());
        }
        if let Some(id) = self.id() {
            put_line(buffer, b"id: ", id.as_str().as_bytes());
        }
        if let Some(time) = self.reconnection_time() {
            let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
            let mut digits = itoa::Buffer::new();
            put_line(buffer, b"retry: ", digits.format(millis).as_bytes());
        }
        if let Some(data) = self.data() {
            put_lines(buffer, b"data: ", data.as_bytes());
        }
        if self.needs_dispatch() {
            buffer.put(b"\n");
        }
    }

    /// Returns the number of bytes that [`encode`](Self::encode) appends.
    #[cfg(feature = "topic")]
    pub(crate) fn encoded_len(&self) -> usize {
        let mut counter = Counter(0);
        self.put_fields(&mut counter);
        counter.0
    }

    /// Does the same as [`encode`](Self::encode) for a caller that has reserved exactly this much room.
    #[cfg(feature = "topic")]
    pub(crate) fn encode_reserved(&self, buffer: &mut impl Buffer) {
        self.put_fields(buffer);
    }
}

impl Comment {
    /// Appends the encoded comment: a line for each line of its text. It may stand between any two
    /// events. It has no blank line behind it, for which clients more lenient than the standard would
    /// dispatch an empty event.
    ///
    /// ```
    /// let mut wire = Vec::new();
    /// sse_core::Comment::KEEP_ALIVE.encode(&mut wire);
    /// assert_eq!(wire, b":\n");
    /// ```
    pub fn encode(&self, buffer: &mut impl Buffer) {
        buffer.reserve(self.text().len() + ": \n".len());
        put_lines(buffer, b": ", self.text().as_bytes());
    }
}

/// Writes one line for each line of `text`, each behind `name`; at least one.
fn put_lines(buffer: &mut impl Buffer, name: &[u8], mut text: &[u8]) {
    while let Some(end) = memchr2(b'\n', b'\r', text) {
        put_line(buffer, name, &text[..end]);
        let next = if text[end..].starts_with(b"\r\n") {
            2
        } else {
            1
        };
        text = &text[end + next..];
    }
    put_line(buffer, name, text);
}

/// Writes a line. `name` ends with the one space that a client removes, so that spaces at the start of
/// `value` survive; for an empty value the space is left out.
#[inline]
fn put_line(buffer: &mut impl Buffer, name: &[u8], value: &[u8]) {
    if value.is_empty() {
        buffer.put(&name[..name.len() - 1]);
    } else {
        buffer.put(name);
        buffer.put(value);
    }
    buffer.put(b"\n");
}

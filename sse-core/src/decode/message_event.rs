//! An event as a client receives it, borrowed and owned.

use alloc::string::String;
use core::fmt;

use crate::{Event, EventError, Text};

/// The type of an event for which the server sets none.
const MESSAGE: &str = "message";

/// An event as it is dispatched to a client, borrowed from the chunk it came in or from its
/// [`Decoder`](crate::Decoder): the standard's
/// [`MessageEvent`](https://html.spec.whatwg.org/multipage/comms.html#messageevent).
///
/// [`MessageEvent`] is its owned form.
///
/// ```
/// use sse_core::{Decoder, MessageEvent};
///
/// let mut decoder = Decoder::new();
/// let mut input = &b"event: price\nid: 7\ndata: 4.20\n\n"[..];
/// let event = decoder.decode_event_ref(&mut input)?.unwrap();
/// assert_eq!((event.event_type(), event.data(), event.last_event_id()), ("price", "4.20", "7"));
/// // To keep it beyond the chunk:
/// let owned = MessageEvent::from(event);
/// assert_eq!(owned.data(), "4.20");
/// # Ok::<(), sse_core::DecodeError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct MessageEventRef<'a> {
    /// Empty for `message`.
    event_type: &'a str,
    data: &'a str,
    last_event_id: &'a str,
}

impl<'a> MessageEventRef<'a> {
    /// Creates the event. An empty `event_type` stands for none.
    #[inline]
    pub(super) fn new(event_type: &'a str, data: &'a str, last_event_id: &'a str) -> Self {
        Self {
            event_type: if event_type == MESSAGE {
                ""
            } else {
                event_type
            },
            data,
            last_event_id,
        }
    }

    /// Returns the event type: `message` where the server set none.
    #[must_use]
    #[inline]
    pub fn event_type(&self) -> &'a str {
        if self.event_type.is_empty() {
            MESSAGE
        } else {
            self.event_type
        }
    }

    /// Returns the data. Where the server sent several lines, they are joined with LF.
    #[must_use]
    #[inline]
    pub fn data(&self) -> &'a str {
        self.data
    }

    /// Returns the last event ID: the id of this event, or of the latest event before it that had one, or
    /// empty.
    #[must_use]
    #[inline]
    pub fn last_event_id(&self) -> &'a str {
        self.last_event_id
    }
}

impl fmt::Debug for MessageEventRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageEventRef")
            .field("event_type", &self.event_type())
            .field("data", &self.data())
            .field("last_event_id", &self.last_event_id())
            .finish()
    }
}

/// An event as it is dispatched to a client: the standard's
/// [`MessageEvent`](https://html.spec.whatwg.org/multipage/comms.html#messageevent).
///
/// It holds only its own text, in one allocation. A clone copies nothing.
///
/// [`TryFrom`] turns it into an [`Event`] that can be sent on.
///
/// ```
/// use sse_core::{Decoder, Event};
///
/// let mut decoder = Decoder::new();
/// let mut input = &b"event: add\nid: 7\ndata: 73857293\n\n"[..];
/// let event = decoder.decode_event(&mut input)?.ok_or("an event")?;
/// assert_eq!(event.event_type(), "add");
/// assert_eq!(event.data(), "73857293");
/// assert_eq!(event.last_event_id(), "7");
///
/// let to_send_on = Event::try_from(event)?;
/// # let _ = to_send_on;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct MessageEvent {
    /// The data, the event type (empty for `message`) and the last event ID, one behind the other.
    text: Text,
    /// The ends of the data and of the event type in the text.
    data_end: usize,
    event_type_end: usize,
}

impl MessageEvent {
    /// Returns the event type: `message` where the server set none.
    #[must_use]
    pub fn event_type(&self) -> &str {
        self.borrowed().event_type()
    }

    /// Returns the data. Where the server sent several lines, they are joined with LF.
    #[must_use]
    pub fn data(&self) -> &str {
        self.borrowed().data
    }

    /// Returns the last event ID: the id of this event, or of the latest event before it that had one, or
    /// empty.
    #[must_use]
    pub fn last_event_id(&self) -> &str {
        self.borrowed().last_event_id
    }

    /// Returns the data as a [`Text`], which shares its bytes.
    #[must_use]
    pub fn into_data(self) -> Text {
        if self.data_end == self.text.len() {
            return self.text;
        }
        self.text.part(self.data())
    }

    #[inline]
    fn borrowed(&self) -> MessageEventRef<'_> {
        // The positions are those that `from` computed, so no slice is out of bounds.
        MessageEventRef {
            data: &self.text[..self.data_end],
            event_type: &self.text[self.data_end..self.event_type_end],
            last_event_id: &self.text[self.event_type_end..],
        }
    }
}

impl fmt::Debug for MessageEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageEvent")
            .field("event_type", &self.event_type())
            .field("data", &self.data())
            .field("last_event_id", &self.last_event_id())
            .finish()
    }
}

impl From<MessageEventRef<'_>> for MessageEvent {
    /// Copies the event, which takes one allocation.
    // Both callers that return owned events call this once for each event, and an outlined call would
    // cost them a twentieth.
    #[inline(always)]
    fn from(event: MessageEventRef<'_>) -> Self {
        let data_end = event.data.len();
        let event_type_end = data_end + event.event_type.len();
        let text = if event_type_end + event.last_event_id.len() == data_end {
            event.data.into()
        } else {
            let mut text = String::with_capacity(event_type_end + event.last_event_id.len());
            text.push_str(event.data);
            text.push_str(event.event_type);
            text.push_str(event.last_event_id);
            text.into()
        };
        Self {
            text,
            data_end,
            event_type_end,
        }
    }
}

impl TryFrom<MessageEvent> for Event {
    type Error = EventError;

    /// Returns the event to send on: with its event type, unless that is `message`, and with its last
    /// event ID as its id, unless that is empty.
    ///
    /// # Errors
    ///
    /// [`EventError::InvalidField`] where the event type has a NUL, which an event stream may carry and
    /// an [`EventType`](crate::EventType) may not.
    fn try_from(event: MessageEvent) -> Result<Self, EventError> {
        let MessageEventRef {
            event_type,
            last_event_id,
            ..
        } = event.borrowed();
        let part = |part: &str| (!part.is_empty()).then(|| event.text.part(part));
        let (event_type, id) = (part(event_type), part(last_event_id));
        let mut sent = Self::new(event.into_data());
        if let Some(event_type) = event_type {
            sent = sent.with_event_type(event_type)?;
        }
        if let Some(id) = id {
            sent = sent.with_id(id)?;
        }
        Ok(sent)
    }
}

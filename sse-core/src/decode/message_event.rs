//! What a client gets to see of an event, borrowed and owned.

use crate::{Event, InvalidField, Text};

/// The type that an event has when its server gave it none.
const MESSAGE: &str = "message";

/// An event as it is dispatched to a client, borrowed from the chunk it came in or from its
/// [`Decoder`](crate::Decoder): the standard's
/// [`MessageEvent`](https://html.spec.whatwg.org/multipage/comms.html#messageevent).
///
/// [`MessageEvent`] is its owned form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MessageEventRef<'a> {
    event_type: &'a str,
    data: &'a str,
    last_event_id: &'a str,
}

impl<'a> MessageEventRef<'a> {
    /// An empty `event_type` stands for none.
    #[inline]
    pub(super) fn new(event_type: &'a str, data: &'a str, last_event_id: &'a str) -> Self {
        Self {
            event_type: if event_type.is_empty() {
                MESSAGE
            } else {
                event_type
            },
            data,
            last_event_id,
        }
    }

    /// The event type: `message` where the server set none.
    #[must_use]
    pub fn event_type(&self) -> &'a str {
        self.event_type
    }

    /// The data. Where the server sent several lines, they are joined with LF.
    #[must_use]
    pub fn data(&self) -> &'a str {
        self.data
    }

    /// The last event ID: the id of this event, or of the latest event before it that had one, or
    /// empty.
    #[must_use]
    pub fn last_event_id(&self) -> &'a str {
        self.last_event_id
    }
}

/// An event as it is dispatched to a client: the standard's
/// [`MessageEvent`](https://html.spec.whatwg.org/multipage/comms.html#messageevent).
///
/// It keeps nothing alive but its own text: the data is a copy, and an event type or a last event
/// ID that several events in a row have in common is shared by them. A clone copies nothing.
///
/// With [`TryFrom`] it becomes an [`Event`] that can be sent on.
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
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MessageEvent {
    event_type: Text,
    data: Text,
    last_event_id: Text,
}

impl MessageEvent {
    /// The event type: `message` where the server set none.
    #[must_use]
    pub fn event_type(&self) -> &str {
        &self.event_type
    }

    /// The data. Where the server sent several lines, they are joined with LF.
    #[must_use]
    pub fn data(&self) -> &str {
        &self.data
    }

    /// The last event ID: the id of this event, or of the latest event before it that had one, or
    /// empty.
    #[must_use]
    pub fn last_event_id(&self) -> &str {
        &self.last_event_id
    }

    /// The data as a [`Text`], which shares its bytes.
    #[must_use]
    pub fn into_data(self) -> Text {
        self.data
    }
}

impl From<MessageEventRef<'_>> for MessageEvent {
    /// Copies the event. Where the type is `message` and there is no last event ID, that is one
    /// allocation; [`Decoder::decode_event`](crate::Decoder::decode_event) needs no more for
    /// other events either, as long as these two do not change.
    fn from(event: MessageEventRef<'_>) -> Self {
        Self {
            event_type: match event.event_type {
                MESSAGE => Text::from_static(MESSAGE),
                event_type => event_type.into(),
            },
            data: event.data.into(),
            last_event_id: event.last_event_id.into(),
        }
    }
}

impl TryFrom<MessageEvent> for Event {
    type Error = InvalidField;

    /// The event to send on: with its event type, unless that is `message`, and with its last
    /// event ID as its id, unless that is empty.
    ///
    /// # Errors
    ///
    /// [`InvalidField`] where the event type has a NUL: an event stream may carry one, an
    /// [`EventType`](crate::EventType) may not.
    fn try_from(event: MessageEvent) -> Result<Self, InvalidField> {
        let mut sent = Self::new(event.data);
        if event.event_type != MESSAGE {
            sent = sent.with_event_type(event.event_type)?;
        }
        if !event.last_event_id.is_empty() {
            sent = sent.with_id(event.last_event_id)?;
        }
        Ok(sent)
    }
}

/// The texts that one event is likely to have in common with the next.
#[derive(Clone, Default)]
pub(super) struct RecentTexts {
    event_type: Text,
    last_event_id: Text,
}

impl RecentTexts {
    /// The owned form of `event`, which shares what it has in common with the one before it.
    #[inline]
    pub(super) fn own(&mut self, event: MessageEventRef<'_>) -> MessageEvent {
        MessageEvent {
            event_type: match event.event_type {
                MESSAGE => Text::from_static(MESSAGE),
                event_type => shared(&mut self.event_type, event_type),
            },
            data: event.data.into(),
            last_event_id: shared(&mut self.last_event_id, event.last_event_id),
        }
    }
}

#[inline]
fn shared(recent: &mut Text, text: &str) -> Text {
    if text.is_empty() {
        return Text::new();
    }
    if *recent != text {
        *recent = text.into();
    }
    recent.clone()
}

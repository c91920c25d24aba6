//! The type of an event to send, which is valid by construction, so that encoding it cannot fail.

use core::time::Duration;

use crate::{EventError, EventId, EventType, Text};

/// An event to send: any of data, id, event type and reconnection time.
///
/// A client dispatches an event only when it has data ([WHATWG HTML
/// 9.2.6](https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation)).
/// An event without data still takes effect: its id becomes the client's last event ID, its reconnection
/// time the client's. Many clients are more lenient than the standard and dispatch an empty event where
/// there is no data, unless there is only a reconnection time ([`encode`](Event::encode) says why). Start
/// from [`Event::new`] for an event with data, from [`Event::without_data`] for one without.
///
/// ```
/// use core::time::Duration;
/// use sse_core::{Event, EventType};
///
/// const GREETING: EventType = EventType::from_static("greeting");
///
/// let event = Event::new("two\nlines")
///     .of_type(GREETING)
///     .under_id(7)
///     .with_reconnection_time(Duration::from_secs(5));
///
/// let mut wire = Vec::new();
/// event.encode(&mut wire);
/// assert_eq!(wire, b"event: greeting\nid: 7\nretry: 5000\ndata: two\ndata: lines\n\n");
/// ```
///
/// These methods cannot fail, because their arguments are valid by their types.
/// [`with_event_type`](Self::with_event_type) and [`with_id`](Self::with_id) take text, check it and
/// return a `Result`, whose error is [`EventError`], as for everything else that builds an event.
///
/// ```
/// use sse_core::{Event, EventError};
///
/// fn line(row: &str, text: String) -> Result<Event, EventError> {
///     Event::new(text).with_event_type("line")?.with_id(row)
/// }
/// assert_eq!(line("b/7", "x".into())?.id().map(|id| id.as_str()), Some("b/7"));
/// # Ok::<(), EventError>(())
/// ```
///
/// Text that would forge a field is an error that names the field and the position:
///
/// ```
/// let error = sse_core::Event::new("x").with_id("7\ndata: forged").unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "the id has a line feed (U+000A) at byte 1; remove it or encode it before the id is set",
/// );
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Event {
    data: Option<Text>,
    id: Option<EventId>,
    event_type: Option<EventType>,
    reconnection_time: Option<Duration>,
}

impl Event {
    /// Creates an event with this data.
    ///
    /// Data may be any text, also an empty one. It is sent as one line for each of its lines, split at
    /// LF, CR and CRLF, and the client joins the lines with LF: every line end arrives as LF.
    pub fn new(data: impl Into<Text>) -> Self {
        Self {
            data: Some(data.into()),
            ..Self::default()
        }
    }

    /// Creates an event without data: the client dispatches nothing, but takes over the id and the
    /// reconnection time.
    #[must_use]
    pub fn without_data() -> Self {
        Self::default()
    }

    /// Creates an event with these fields.
    #[cfg(feature = "topic")]
    pub(crate) fn from_fields(
        data: Option<Text>,
        id: Option<EventId>,
        event_type: Option<EventType>,
        reconnection_time: Option<Duration>,
    ) -> Self {
        Self {
            data,
            id,
            event_type,
            reconnection_time,
        }
    }

    /// Sets the id. Once the client has dispatched this event, the id is the client's last event ID,
    /// which the client sends in the `Last-Event-ID` header when it reconnects.
    ///
    /// The empty id resets the client's last event ID. For a number or an [`EventId`], which are always
    /// valid, [`under_id`](Self::under_id) does the same without a `Result`.
    ///
    /// # Errors
    ///
    /// [`EventError::InvalidField`] where the id has a CR, an LF or a NUL: see [`EventId::new`].
    pub fn with_id<I>(self, id: I) -> Result<Self, EventError>
    where
        I: TryInto<EventId>,
        EventError: From<I::Error>,
    {
        Ok(self.under_id(id.try_into()?))
    }

    /// Sets the id to a number or an [`EventId`], which are always valid. See [`with_id`](Self::with_id).
    #[must_use]
    pub fn under_id(mut self, id: impl Into<EventId>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Removes the id: the client keeps the last event ID that it has. An empty id resets it instead.
    #[must_use]
    pub fn without_id(mut self) -> Self {
        self.id = None;
        self
    }

    /// Sets the event type, the name that a page passes to `addEventListener`. Without one a client
    /// dispatches the event as `message`.
    ///
    /// For an [`EventType`], which is always valid, [`of_type`](Self::of_type) does the same without a
    /// `Result`.
    ///
    /// # Errors
    ///
    /// [`EventError::InvalidField`] where the type has a CR, an LF or a NUL: see
    /// [`EventType::new`].
    pub fn with_event_type<T>(self, event_type: T) -> Result<Self, EventError>
    where
        T: TryInto<EventType>,
        EventError: From<T::Error>,
    {
        Ok(self.of_type(event_type.try_into()?))
    }

    /// Sets the event type to one that is always valid, such as a constant made by
    /// [`EventType::from_static`]. See [`with_event_type`](Self::with_event_type).
    #[must_use]
    pub fn of_type(mut self, event_type: EventType) -> Self {
        self.event_type = Some(event_type);
        self
    }

    /// Sets the reconnection time: the time that the client waits after a lost connection before it
    /// connects again. It is sent in whole milliseconds, rounded down, up to [`u64::MAX`] of them.
    #[must_use]
    pub fn with_reconnection_time(mut self, time: Duration) -> Self {
        self.reconnection_time = Some(time);
        self
    }

    /// Returns the data as it was given, with its line ends; `None` for an event [without
    /// data](Self::without_data).
    #[must_use]
    pub fn data(&self) -> Option<&str> {
        self.data.as_deref()
    }

    /// Returns the id, if the event sets one.
    #[must_use]
    pub fn id(&self) -> Option<&EventId> {
        self.id.as_ref()
    }

    /// Returns the event type, if the event sets one. A client dispatches an event without one as
    /// `message`.
    #[must_use]
    pub fn event_type(&self) -> Option<&EventType> {
        self.event_type.as_ref()
    }

    /// Returns the reconnection time, if the event sets one.
    #[must_use]
    pub fn reconnection_time(&self) -> Option<Duration> {
        self.reconnection_time
    }

    /// Returns whether the event has a field that takes effect at a blank line: data, an id or an event
    /// type. A reconnection time takes effect at the end of its own line.
    pub(crate) fn needs_dispatch(&self) -> bool {
        self.data.is_some() || self.id.is_some() || self.event_type.is_some()
    }
}

/// A comment: text that every client ignores.
///
/// Comments keep an idle connection alive. A page does not see them; a reader that uses `curl` does. Text
/// of several lines, split at LF, CR and CRLF, becomes several comments.
///
/// ```
/// let mut wire = Vec::new();
/// sse_core::Comment::new("still here").encode(&mut wire);
/// assert_eq!(wire, b": still here\n");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Comment(Text);

impl Comment {
    /// The comment that keeps an idle connection alive: one without text, of two bytes on the wire.
    pub const KEEP_ALIVE: Self = Self(Text::new());

    /// Creates a comment with this text, which may be empty. It cannot fail: line ends split the text
    /// into several comments.
    pub fn new(text: impl Into<Text>) -> Self {
        Self(text.into())
    }

    /// Returns the text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }
}

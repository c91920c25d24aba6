//! What an event is: valid by construction, so that encoding it cannot fail.

use alloc::string::String;
use core::{convert::Infallible, fmt, time::Duration};

use crate::Text;

/// An event to send: any of data, id, event type and reconnection time.
///
/// A client dispatches an event only when it has data
/// ([WHATWG HTML 9.2.6](https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation));
/// one without data still sets what it carries: its id becomes the client's last event ID, its
/// reconnection time the client's waiting time. Many clients are more lenient than the standard and
/// dispatch an empty event where there is no data, unless there is nothing but a reconnection time
/// ([`encode`](Event::encode) says why). Start from [`Event::new`] for an event with data,
/// from [`Event::without_data`] for one without.
///
/// ```
/// use core::time::Duration;
/// use sse_core::Event;
///
/// let event = Event::new("two\nlines")
///     .with_event_type("greeting")?
///     .with_id("7")?
///     .with_reconnection_time(Duration::from_secs(5));
///
/// let mut wire = Vec::new();
/// event.encode(&mut wire);
/// assert_eq!(wire, b"event: greeting\nid: 7\nretry: 5000\ndata: two\ndata: lines\n\n");
/// # Ok::<(), sse_core::InvalidField>(())
/// ```
///
/// What would forge a field is refused, with the field and the place named:
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
    /// An event with this data.
    ///
    /// Data may hold anything, also nothing. It is sent as one line per line of it, split on LF,
    /// CR and CRLF, and the client joins the lines with LF: line ends arrive as LF, whatever they
    /// were.
    pub fn new(data: impl Into<Text>) -> Self {
        Self {
            data: Some(data.into()),
            ..Self::default()
        }
    }

    /// An event with no data: the client dispatches nothing, but takes note of the id and the
    /// reconnection time.
    #[must_use]
    pub fn without_data() -> Self {
        Self::default()
    }

    /// An event with these fields.
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

    /// Sets the id: once this event has been dispatched it is the client's last event ID, which
    /// comes back in the `Last-Event-ID` header when the client reconnects.
    ///
    /// The empty id resets the client's last event ID.
    ///
    /// # Errors
    ///
    /// [`InvalidField`] where the id has a CR, an LF or a NUL: see [`EventId::new`].
    pub fn with_id<I>(mut self, id: I) -> Result<Self, InvalidField>
    where
        I: TryInto<EventId>,
        InvalidField: From<I::Error>,
    {
        self.id = Some(id.try_into()?);
        Ok(self)
    }

    /// Sets the event type, the name that a page gives to `addEventListener`. Without one a
    /// client dispatches the event as `message`.
    ///
    /// # Errors
    ///
    /// [`InvalidField`] where the type has a CR, an LF or a NUL: see [`EventType::new`].
    pub fn with_event_type<T>(mut self, event_type: T) -> Result<Self, InvalidField>
    where
        T: TryInto<EventType>,
        InvalidField: From<T::Error>,
    {
        self.event_type = Some(event_type.try_into()?);
        Ok(self)
    }

    /// Sets the reconnection time: how long the client waits, after it lost the connection,
    /// before it connects again. It is sent in whole milliseconds, rounded down, and at most
    /// [`u64::MAX`] of them.
    #[must_use]
    pub fn with_reconnection_time(mut self, time: Duration) -> Self {
        self.reconnection_time = Some(time);
        self
    }

    /// The data, if the event has any.
    #[must_use]
    pub fn data(&self) -> Option<&str> {
        self.data.as_deref()
    }

    /// The id, if the event sets one.
    #[must_use]
    pub fn id(&self) -> Option<&EventId> {
        self.id.as_ref()
    }

    /// The event type, if the event sets one.
    #[must_use]
    pub fn event_type(&self) -> Option<&EventType> {
        self.event_type.as_ref()
    }

    /// The reconnection time, if the event sets one.
    #[must_use]
    pub fn reconnection_time(&self) -> Option<Duration> {
        self.reconnection_time
    }

    /// Whether the event has a field that takes effect at a blank line: data, an id or an event
    /// type. A reconnection time takes effect at the end of its own line.
    pub(crate) fn needs_dispatch(&self) -> bool {
        self.data.is_some() || self.id.is_some() || self.event_type.is_some()
    }
}

/// A comment: text that every client ignores.
///
/// Comments keep an idle connection alive and help whoever reads a stream with `curl`; they carry
/// nothing to a page. Text of several lines, split on LF, CR and CRLF, becomes several comments.
///
/// ```
/// let mut wire = Vec::new();
/// sse_core::Comment::new("still here").encode(&mut wire);
/// assert_eq!(wire, b": still here\n");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Comment(Text);

impl Comment {
    /// The comment that an idle stream sends to keep its connection alive: one without text.
    pub const KEEP_ALIVE: Self = Self(Text::new());

    /// A comment with this text.
    pub fn new(text: impl Into<Text>) -> Self {
        Self(text.into())
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }
}

/// The id of an event: UTF-8 text without CR, LF and NUL.
///
/// There is no bound on its length here, but it travels back in a request header: keep it well
/// below the header limits of the servers and proxies on the way. This crate's decoder takes up
/// to 8 KiB by default. Keep control characters out, too: an event stream may carry them, but a
/// request with one in a field is malformed (RFC 9110 section 5.5), so that a client cannot come
/// back with such an id; this crate's client comes back with the newest one before it.
///
/// ```
/// use sse_core::{Event, EventId};
///
/// let id = EventId::new("2026-11-23/17")?;
/// assert_eq!(id.as_str(), "2026-11-23/17");
/// assert_eq!(EventId::from(17_u64).as_str(), "17");
/// # Ok::<(), sse_core::InvalidField>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventId(Text);

/// The type of an event: UTF-8 text without CR, LF and NUL.
///
/// The empty type means the same to a client as none: it dispatches the event as `message`.
///
/// ```
/// let event_type = sse_core::EventType::new("user-joined")?;
/// assert_eq!(event_type.as_str(), "user-joined");
/// # Ok::<(), sse_core::InvalidField>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventType(Text);

/// What [`EventId`] and [`EventType`] have in common: one line of text under the name of a field.
macro_rules! line_field {
    ($name:ident, $field:expr) => {
        impl $name {
            /// Takes `text` over, after a look at every byte of it.
            ///
            /// # Errors
            ///
            /// [`InvalidField`], which names the first CR or LF (it would end the line, and what
            /// follows would be read as a field of its own) or NUL (a client ignores an id with
            /// one, and it has no place in an event type).
            pub fn new(text: impl Into<Text>) -> Result<Self, InvalidField> {
                let text = text.into();
                match memchr::memchr3(b'\r', b'\n', b'\0', text.as_bytes()) {
                    None => Ok(Self(text)),
                    Some(offset) => Err(InvalidField {
                        field: $field,
                        offset,
                        byte: text.as_bytes()[offset],
                    }),
                }
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The text, sharing its bytes.
            #[must_use]
            pub fn into_text(self) -> Text {
                self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                self.as_str() == other
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                self.as_str() == *other
            }
        }

        line_field!(@try_from $name, &str, String, Text);
    };
    (@try_from $name:ident, $($from:ty),*) => {$(
        impl TryFrom<$from> for $name {
            type Error = InvalidField;

            fn try_from(text: $from) -> Result<Self, InvalidField> {
                Self::new(text)
            }
        }
    )*};
}

line_field!(EventId, Field::Id);
line_field!(EventType, Field::EventType);

/// Numbers are valid ids.
macro_rules! id_from_number {
    ($($number:ty),*) => {$(
        impl From<$number> for EventId {
            fn from(number: $number) -> Self {
                Self(itoa::Buffer::new().format(number).into())
            }
        }
    )*};
}

id_from_number!(
    u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize
);

/// A field that a caller's text goes into as one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Field {
    /// The `id` field.
    Id,
    /// The `event` field.
    EventType,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Id => "id",
            Self::EventType => "event type",
        })
    }
}

/// A caller's text cannot stand in a field: it has a byte that would end the field's line or void
/// its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct InvalidField {
    field: Field,
    offset: usize,
    byte: u8,
}

impl InvalidField {
    /// The field that the text was for.
    #[must_use]
    pub fn field(&self) -> Field {
        self.field
    }

    /// Where in the text the byte stands, counted in bytes from 0.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// The byte: CR (13), LF (10) or NUL (0).
    #[must_use]
    pub fn byte(&self) -> u8 {
        self.byte
    }
}

impl fmt::Display for InvalidField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            field,
            offset,
            byte,
        } = self;
        let byte = match byte {
            b'\r' => "carriage return (U+000D)",
            b'\n' => "line feed (U+000A)",
            _ => "NUL (U+0000)",
        };
        write!(
            f,
            "the {field} has a {byte} at byte {offset}; \
             remove it or encode it before the {field} is set"
        )
    }
}

impl core::error::Error for InvalidField {}

impl From<Infallible> for InvalidField {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

//! The fields of an event that are one line of text: its id and its type.

use alloc::{borrow::Cow, boxed::Box, string::String};
use core::{error::Error, fmt};

use crate::Text;

/// The id of an event: UTF-8 text without CR, LF and NUL.
///
/// Its length has no bound here, but a client sends it back in a request header: keep it well below the
/// header limits of the servers and proxies on the way. This crate's decoder takes up to 8 KiB by
/// default. Avoid control characters: an event stream may carry them, but a header field may not ([RFC
/// 9110 section 5.5](https://www.rfc-editor.org/rfc/rfc9110#section-5.5)), so a client cannot send such
/// an id; this crate's client sends the newest id without them.
///
/// ```
/// use sse_core::{Event, EventId};
///
/// let id = EventId::new("2026-11-23/17")?;
/// assert_eq!(id.as_str(), "2026-11-23/17");
/// assert_eq!(EventId::from(17_u64).as_str(), "17");
///
/// const FIRST: EventId = EventId::from_static("first");
/// let event = Event::new("x").under_id(FIRST);
/// # Ok::<(), sse_core::InvalidField>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventId(Text);

/// The type of an event: UTF-8 text without CR, LF and NUL.
///
/// To a client the empty type means the same as none: it dispatches the event as `message`.
///
/// ```
/// use sse_core::{Event, EventType};
///
/// const JOINED: EventType = EventType::from_static("user-joined");
/// let event = Event::new("Ali").of_type(JOINED);
///
/// let from_a_name = EventType::new(String::from("user-left"))?;
/// assert_eq!(from_a_name.as_str(), "user-left");
/// # Ok::<(), sse_core::InvalidField>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventType(Text);

/// Defines what [`EventId`] and [`EventType`] have in common: one line of text, as the value of a field.
macro_rules! line_field {
    ($name:ident, $field:expr) => {
        impl $name {
            /// Checks every byte of `text`, and takes it over.
            ///
            /// # Errors
            ///
            /// [`InvalidField`], which names the first CR or LF (which would end the line, and make what
            /// follows a field of its own) or NUL (clients ignore an id that has one, and an event type
            /// may not have one).
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

            /// Takes over a literal, without a copy and without a check at run time: in a `const` item, a
            /// `static` item or a `const { }` block an invalid literal does not compile.
            ///
            /// # Panics
            ///
            /// If it is called at run time with text that has a CR, an LF or a NUL. Use
            /// [`new`](Self::new) for text that is not a literal.
            ///
            /// ```compile_fail
            #[doc = concat!("use sse_core::", stringify!($name), ";")]
            ///
            #[doc = concat!("const FORGED: ", stringify!($name), " = ", stringify!($name),
                "::from_static(\"a\\ndata: b\");")]
            /// # let _ = FORGED;
            /// ```
            #[must_use]
            pub const fn from_static(text: &'static str) -> Self {
                let bytes = text.as_bytes();
                let mut at = 0;
                while at < bytes.len() {
                    assert!(
                        !matches!(bytes[at], b'\r' | b'\n' | b'\0'),
                        "the text has a CR, an LF or a NUL, which an id or an event type cannot have"
                    );
                    at += 1;
                }
                Self(Text::from_static(text))
            }

            /// Returns the text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Returns the text, without a copy.
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

        line_field!(@text $name, &str, &String, String, Box<str>, Cow<'_, str>, Text);
    };
    (@text $name:ident, $($from:ty),*) => {$(
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

/// Implements `From` for numbers, which are valid ids.
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

/// A field of an event whose value is a single line, in an [`InvalidField`].
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

/// The error of text that is not valid in a field: it has a byte that would end the field's line or void
/// its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct InvalidField {
    field: Field,
    offset: usize,
    byte: u8,
}

impl InvalidField {
    /// Returns the field that the text was for.
    #[must_use]
    pub fn field(&self) -> Field {
        self.field
    }

    /// Returns the position of the byte in the text, counted in bytes from 0.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Returns the byte: CR (13), LF (10) or NUL (0).
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

impl Error for InvalidField {}

/// Its kind is [`InvalidInput`](std::io::ErrorKind::InvalidInput).
#[cfg(feature = "std")]
impl From<InvalidField> for std::io::Error {
    fn from(error: InvalidField) -> Self {
        Self::new(std::io::ErrorKind::InvalidInput, error)
    }
}

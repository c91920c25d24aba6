//! The values that a handler's stream may yield, and their conversion to events.

use alloc::{
    borrow::Cow,
    boxed::Box,
    string::{String, ToString},
};
use core::error::Error;

use crate::{Event, EventError, InvalidField, Text};

/// A value that a handler's stream may yield. It is sent to the client as one event.
///
/// | a value | is sent as |
/// |---|---|
/// | `&str`, `String`, `Cow<str>`, `Box<str>`, `char`, [`Text`] | the text itself |
/// | numbers, booleans | their JSON, which is their usual text |
/// | lists, tuples, sets, maps of values that serialise, `serde_json::Value` | JSON |
/// | [`Json(T)`](Json) for any `T: Serialize` | JSON |
/// | [`Event`] | itself, with its id, event type and reconnection time |
/// | `Result<T, E>` of these | the value; an error ends the stream, and its text is the reason |
///
#[cfg_attr(feature = "json", doc = "```")]
#[cfg_attr(not(feature = "json"), doc = "```ignore")]
/// use sse_core::{Event, IntoEvent, Json};
/// use serde::Serialize;
///
/// #[derive(Serialize)]
/// struct Tick { count: u32 }
///
/// assert_eq!("hello".into_event()?, Event::new("hello"));
/// assert_eq!(vec![1, 2, 3].into_event()?, Event::new("[1,2,3]"));
/// assert_eq!(Json(Tick { count: 7 }).into_event()?, Event::new(r#"{"count":7}"#));
/// # Ok::<(), sse_core::EventError>(())
/// ```
///
/// For a type of your own, say which event it is:
///
/// ```
/// use sse_core::{Event, EventError, IntoEvent};
///
/// struct Joined { user: String }
///
/// impl IntoEvent for Joined {
///     fn into_event(self) -> Result<Event, EventError> {
///         Event::new(self.user).with_event_type("joined")
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be sent as an event",
    note = "wrap a type that implements `serde::Serialize` in `Json(…)`",
    note = "or implement `IntoEvent` for a type of your own"
)]
pub trait IntoEvent {
    /// Converts the value to an event.
    ///
    /// # Errors
    ///
    /// [`EventError`] where the value cannot become an event: it does not serialise, one of its fields is
    /// invalid, or it is an error itself. The stream that yielded it ends.
    fn into_event(self) -> Result<Event, EventError>;
}

/// A value that is always exactly one event, so that a handler may return it without a stream. A `Result`
/// is not one, because an error of a handler is a refusal. The derive of [`IntoEvent`] implements it for
/// an enum.
#[doc(hidden)]
pub trait OneEvent: IntoEvent {}

impl OneEvent for Event {}

impl IntoEvent for Event {
    fn into_event(self) -> Result<Event, EventError> {
        Ok(self)
    }
}

/// An error ends the stream. Clean-up callbacks get it with the reason.
impl<T, E> IntoEvent for Result<T, E>
where
    T: IntoEvent,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    fn into_event(self) -> Result<Event, EventError> {
        match self {
            Ok(value) => value.into_event(),
            Err(error) => Err(error_of(error.into())),
        }
    }
}

/// Returns the error of a stream. An `EventError` keeps its variant.
pub(crate) fn error_of(error: Box<dyn Error + Send + Sync>) -> EventError {
    match error.downcast::<EventError>() {
        Ok(error) => *error,
        Err(error) => match error.downcast::<InvalidField>() {
            Ok(error) => EventError::InvalidField(*error),
            Err(error) => EventError::Stream(error),
        },
    }
}

macro_rules! text_into_event {
    ($($text:ty),*) => {$(
        impl IntoEvent for $text {
            fn into_event(self) -> Result<Event, EventError> {
                Ok(Event::new(self))
            }
        }

        impl OneEvent for $text {}
    )*};
}

text_into_event!(&str, String, Cow<'_, str>, Box<str>, Text);

macro_rules! shown_into_event {
    ($($shown:ty),*) => {$(
        impl IntoEvent for $shown {
            fn into_event(self) -> Result<Event, EventError> {
                Ok(Event::new(self.to_string()))
            }
        }

        impl OneEvent for $shown {}
    )*};
}

shown_into_event!(char, bool);

macro_rules! integer_into_event {
    ($($integer:ty),*) => {$(
        impl IntoEvent for $integer {
            fn into_event(self) -> Result<Event, EventError> {
                Ok(Event::new(itoa::Buffer::new().format(self)))
            }
        }

        impl OneEvent for $integer {}
    )*};
}

integer_into_event!(
    u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize
);

#[cfg(feature = "json")]
pub use json::Json;

#[cfg(feature = "json")]
mod json {
    use alloc::collections::{BTreeMap, BTreeSet, LinkedList, VecDeque};
    use alloc::vec::Vec;
    use std::collections::{HashMap, HashSet};

    use serde::Serialize;

    use super::{Event, EventError, IntoEvent, OneEvent};

    /// A serialisable value, which is sent as JSON in one line of data.
    ///
    /// ```
    /// use sse_core::{Event, IntoEvent, Json};
    ///
    /// let event = Json(("two\nlines", Some(1.5))).into_event()?;
    /// assert_eq!(event, Event::new(r#"["two\nlines",1.5]"#));
    /// # Ok::<(), sse_core::EventError>(())
    /// ```
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
    pub struct Json<T>(pub T);

    impl<T: Serialize> IntoEvent for Json<T> {
        fn into_event(self) -> Result<Event, EventError> {
            Event::json(&self.0)
        }
    }

    impl<T: Serialize> OneEvent for Json<T> {}

    impl Event {
        /// Creates an event whose data is `value` as JSON.
        ///
        /// ```
        /// use sse_core::{Event, EventError};
        ///
        /// let pair = |pair: [u32; 2]| Event::json(&pair)?.with_event_type("pair");
        /// assert_eq!(pair([1, 2])?.data(), Some("[1,2]"));
        /// # Ok::<(), EventError>(())
        /// ```
        ///
        /// # Errors
        ///
        /// [`EventError::Json`] where `value` does not serialise: a map with keys that are not text, or a
        /// `Serialize` implementation that fails. Within a value, numbers that are infinite or not a
        /// number become `null`, as always in `serde_json`.
        pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<Self, EventError> {
            Ok(Self::new(serde_json::to_string(value)?))
        }
    }

    macro_rules! json_into_event {
        ($([$($generics:tt)*] $value:ty),* $(,)?) => {$(
            impl<$($generics)*> IntoEvent for $value {
                fn into_event(self) -> Result<Event, EventError> {
                    Event::json(&self)
                }
            }

            impl<$($generics)*> OneEvent for $value {}
        )*};
    }

    json_into_event!(
        [] serde_json::Value,
        [] serde_json::Number,
        [] serde_json::Map<alloc::string::String, serde_json::Value>,
        [T: Serialize] &[T],
        [T: Serialize] Vec<T>,
        [T: Serialize] VecDeque<T>,
        [T: Serialize] LinkedList<T>,
        [T: Serialize] BTreeSet<T>,
        [T: Serialize, S] HashSet<T, S>,
        [K: Serialize, V: Serialize] BTreeMap<K, V>,
        [K: Serialize, V: Serialize, S] HashMap<K, V, S>,
        [T: Serialize, U: Serialize] (T, U),
        [T: Serialize, U: Serialize, V: Serialize] (T, U, V),
    );

    macro_rules! float_into_event {
        ($($float:ty),*) => {$(
            impl IntoEvent for $float {
                /// # Errors
                ///
                /// [`EventError::Json`] where the number is infinite or not a number, which JSON cannot
                /// express.
                fn into_event(self) -> Result<Event, EventError> {
                    if !self.is_finite() {
                        let error = serde::ser::Error::custom(format_args!("JSON has no {self}"));
                        return Err(EventError::Json(error));
                    }
                    Event::json(&self)
                }
            }

            impl OneEvent for $float {}
        )*};
    }

    float_into_event!(f32, f64);

    impl<T, const N: usize> IntoEvent for [T; N]
    where
        [T; N]: Serialize,
    {
        fn into_event(self) -> Result<Event, EventError> {
            Event::json(&self)
        }
    }

    impl<T, const N: usize> OneEvent for [T; N] where [T; N]: Serialize {}
}

#[cfg(test)]
#[cfg(feature = "json")]
mod tests {
    use alloc::{collections::BTreeMap, vec};
    use std::io;

    use serde::{Serialize, Serializer, ser};

    use super::*;

    fn data(value: impl IntoEvent) -> String {
        let event = value.into_event().unwrap();
        assert_eq!(event, Event::new(event.data().unwrap()), "data alone");
        event.data().unwrap().into()
    }

    #[test]
    fn plain_strings_go_out_as_they_are() {
        for text in ["", "plain", "\"quoted\"", "two\nlines", " lead"] {
            assert_eq!(data(text), text);
            assert_eq!(data(String::from(text)), text);
            assert_eq!(data(Cow::Borrowed(text)), text);
            assert_eq!(data(Box::<str>::from(text)), text);
            assert_eq!(data(Text::from(text)), text);
        }
        assert_eq!(data('ß'), "ß");
    }

    #[test]
    fn everything_else_goes_out_as_json() {
        let map = BTreeMap::from([("a", 1), ("b", 2)]);
        assert_eq!(data(i128::MIN), i128::MIN.to_string());
        assert_eq!(data(1.0_f64), "1.0");
        assert_eq!(data(true), "true");
        assert_eq!(data(serde_json::json!("text")), r#""text""#);
        assert_eq!(data(vec!["a\r\n", "b"]), r#"["a\r\n","b"]"#);
        assert_eq!(data([1, 2]), "[1,2]");
        assert_eq!(data(&[1, 2][..]), "[1,2]");
        assert_eq!(data(map), r#"{"a":1,"b":2}"#);
        assert_eq!(data((1, "x")), r#"[1,"x"]"#);
        assert_eq!(data(Json(Some(()))), "null");
    }

    #[test]
    fn a_number_that_json_cannot_express_is_an_error() {
        for (value, text) in [(f64::NAN, "NaN"), (f64::NEG_INFINITY, "-inf")] {
            let error = value.into_event().unwrap_err();
            assert!(
                error.to_string().ends_with(&format!("JSON has no {text}")),
                "{error}"
            );
        }
        assert!(f32::INFINITY.into_event().is_err());
    }

    struct Stubborn;

    impl Serialize for Stubborn {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(ser::Error::custom("no"))
        }
    }

    #[test]
    fn a_value_that_does_not_serialise_is_an_error_that_says_so() {
        let error = Json(Stubborn).into_event().unwrap_err();
        assert!(matches!(error, EventError::Json(_)));
        assert_eq!(
            error.to_string(),
            "the value cannot be serialised to JSON: no"
        );
        assert!(BTreeMap::from([(vec![1], 1)]).into_event().is_err());
    }

    #[test]
    fn an_error_keeps_its_kind_through_a_result() {
        let twice: Result<Result<&str, io::Error>, EventError> = Ok(Err(io::Error::other("gone")));
        let error = twice.into_event().unwrap_err();
        assert!(matches!(&error, EventError::Stream(_)));
        assert_eq!(error.to_string(), "gone");

        let invalid = Event::new("x").with_id("\0").into_event().unwrap_err();
        assert!(matches!(invalid, EventError::InvalidField(_)));

        let nested: Result<Event, EventError> = Json(Stubborn).into_event();
        assert!(matches!(nested.into_event(), Err(EventError::Json(_))));
    }
}

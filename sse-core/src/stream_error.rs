//! Why a handler's stream failed, with the error that it failed with.

use std::{
    error::Error,
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use crate::{EventError, Text, panics::catch};

/// Why a handler's stream failed: a text, and the error that the stream yielded, if it did.
///
/// Clones share the error. It is the [source](Error::source), so that a clean-up callback can examine it;
/// `CloseReason::cause` finds it by its type. The text is taken from the error once.
/// [`Display`](fmt::Display) and [`Debug`](fmt::Debug) show the text, and `==` compares it, but not the
/// errors.
///
/// A panic in the error's destructor is caught.
///
/// ```
/// use std::{error::Error, io};
/// use sse_core::lifecycle::StreamError;
///
/// let error = StreamError::new(io::Error::other("the disk is full"));
/// assert_eq!(error.to_string(), "the disk is full");
/// assert!(error.source().unwrap().is::<io::Error>());
///
/// let error = StreamError::from("the quota is used up");
/// assert!(error.source().is_none());
/// ```
#[derive(Clone)]
pub struct StreamError(Arc<Failed>);

struct Failed {
    text: Text,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

impl StreamError {
    /// Creates a stream error from `error`, which becomes its [source](Error::source), and whose text it
    /// takes now.
    #[must_use]
    pub fn new(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let error = error.into();
        let text = error.to_string().into();
        Self(Arc::new(Failed {
            text,
            cause: Some(error),
        }))
    }

    /// Returns the text, which the [`Display`](fmt::Display) form shows, too.
    #[must_use]
    pub fn text(&self) -> &Text {
        &self.0.text
    }
}

/// Keeps the stream's own error if the event error holds one, and otherwise the event error itself.
impl From<EventError> for StreamError {
    fn from(error: EventError) -> Self {
        match error {
            EventError::Stream(error) => Self::new(error),
            error => Self::new(error),
        }
    }
}

macro_rules! from_text {
    ($($text:ty),*) => {$(
        /// Creates a stream error with a text and without a cause.
        impl From<$text> for StreamError {
            fn from(text: $text) -> Self {
                let text = text.into();
                Self(Arc::new(Failed { text, cause: None }))
            }
        }
    )*};
}

from_text!(&str, String, Text);

impl PartialEq for StreamError {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl Hash for StreamError {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text().hash(state);
    }
}

impl fmt::Debug for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StreamError").field(self.text()).finish()
    }
}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl Error for StreamError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let cause = self.0.cause.as_deref()?;
        Some(cause)
    }
}

/// The last clone may be dropped anywhere, for example during the clean-up of another connection, and
/// dropping it runs application code.
impl Drop for Failed {
    fn drop(&mut self) {
        let cause = self.cause.take();
        let _ = catch(|| drop(cause));
    }
}

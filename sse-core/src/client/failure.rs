//! The reasons for which a subscription fails.

use std::{error::Error, fmt, io};

use ::http::HeaderValue;

use super::{Loss, UnexpectedResponse};
use crate::cause::find;

/// Why a subscription failed for good.
///
/// Match on it, or compare its [name](Self::name). Its cause is its [source](Error::source), and
/// [`cause`](Self::cause) finds an error by its type anywhere in the chain of causes.
///
/// ```
/// use sse_core::client::Failure;
///
/// fn is_gone(failure: &Failure) -> bool {
///     matches!(failure, Failure::Status(response) if response.status() == 410)
/// }
///
/// fn is_refused(failure: &Failure) -> bool {
///     failure.cause::<std::io::Error>().is_some_and(|error| {
///         error.kind() == std::io::ErrorKind::ConnectionRefused
///     })
/// }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Failure {
    /// The server answered with a status that is neither 200 nor 204.
    Status(Box<UnexpectedResponse>),
    /// The server answered 200, but not with `text/event-stream` in UTF-8.
    ContentType(Box<UnexpectedResponse>),
    /// The response is compressed with this content coding, which the request did not ask for, or which
    /// the event source does not decode. The setting `accept_gzip` of the feature `compression` decodes
    /// `gzip` and `deflate`.
    ContentCoding(HeaderValue),
    /// The server redirected to a place that the client does not follow.
    Redirect(RedirectError),
    /// As many attempts failed in a row as
    /// [`Reconnection::max_attempts`](super::Reconnection::max_attempts) allows, or the application
    /// [stopped](super::EventSource::stop) after a loss. This is the last loss.
    GaveUp(Loss),
    /// The connection of a subscription without reconnections was lost; or every later attempt would fail
    /// in the same way, such as one to an `https` URL in a program built without TLS.
    Lost(Loss),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(response) | Self::ContentType(response) => response.fmt(f),
            Self::ContentCoding(coding) => write!(
                f,
                "the server answered with the content coding {coding:?}, which the request did not ask for"
            ),
            Self::Redirect(error) => error.fmt(f),
            Self::GaveUp(loss) => write!(f, "gave up; the last loss: {loss}"),
            Self::Lost(loss) => loss.fmt(f),
        }
    }
}

impl Failure {
    /// Returns the name of the variant, such as `ContentType`: for metrics, and to compare by.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Status(_) => "Status",
            Self::ContentType(_) => "ContentType",
            Self::ContentCoding(_) => "ContentCoding",
            Self::Redirect(_) => "Redirect",
            Self::GaveUp(_) => "GaveUp",
            Self::Lost(_) => "Lost",
        }
    }

    /// Returns the failure for a loss that no other attempt follows.
    pub(super) fn of(loss: Loss) -> Self {
        match loss {
            Loss::Status(response) => Self::Status(response),
            Loss::ContentType(response) => Self::ContentType(response),
            loss => Self::Lost(loss),
        }
    }

    /// Returns the response that was not an event stream: `Some` for [`Status`](Self::Status), for
    /// [`ContentType`](Self::ContentType), and where the last [loss](Loss::unexpected_response) has one.
    #[must_use]
    pub fn unexpected_response(&self) -> Option<&UnexpectedResponse> {
        match self {
            Self::Status(response) | Self::ContentType(response) => Some(response),
            Self::GaveUp(loss) | Self::Lost(loss) => loss.unexpected_response(),
            Self::ContentCoding(_) | Self::Redirect(_) => None,
        }
    }

    /// Returns the error of this type that caused the failure, if there is one: a [`Loss`], an
    /// [`io::Error`](std::io::Error), or what the transport put into one, such as the `rustls::Error`
    /// that says what is wrong with a certificate.
    #[must_use]
    pub fn cause<E: Error + 'static>(&self) -> Option<&E> {
        self.source().and_then(find)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::GaveUp(loss) | Self::Lost(loss) => Some(loss),
            Self::Redirect(error) => Some(error),
            Self::Status(_) | Self::ContentType(_) | Self::ContentCoding(_) => None,
        }
    }
}

/// Its kind is that of the [`io::Error`] that caused the failure, and [`Other`](io::ErrorKind::Other)
/// without one.
impl From<Failure> for io::Error {
    fn from(failure: Failure) -> Self {
        let kind = failure
            .cause::<io::Error>()
            .map_or(io::ErrorKind::Other, io::Error::kind);
        Self::new(kind, failure)
    }
}

/// Why a redirect was not followed. The subscription fails with [`Failure::Redirect`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RedirectError {
    /// The response has no `Location`, or an empty one.
    NoLocation,
    /// The `Location`, which is given here, is not an `http` or `https` URL, or it has a user name or is
    /// longer than 65,534 bytes.
    BadLocation(String),
}

impl fmt::Display for RedirectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLocation => f.write_str("the server redirected without saying where to"),
            Self::BadLocation(location) => write!(
                f,
                "the server redirected to {location:?}, which is not an http or https URL \
                 without a user"
            ),
        }
    }
}

impl Error for RedirectError {}

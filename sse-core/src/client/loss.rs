//! The reasons for which a connection is lost.

use std::{error::Error, fmt, io, sync::Arc};

use super::{Endpoint, InvalidRequest, UnexpectedResponse};
#[cfg(feature = "compression")]
use crate::gzip::GzipError;
use crate::{
    cause::find,
    http::{BodyError, ResponseHeadError},
};

/// Why a connection was lost, or could not be made. The event source then waits and connects again.
///
/// The subscription is over instead, where
/// [`EventSourceConfig::reconnection`](super::EventSourceConfig::reconnection) is `None`, where it allows
/// no further attempt, and where every later attempt would fail in the same way: the transport does not
/// support the URL, the prepared request is invalid, or the server speaks HTTP/2. The loss is then in the
/// [failure](super::Failure).
///
/// Match on it, or compare its [name](Self::name). Its cause is its [source](Error::source), and
/// [`cause`](Self::cause) finds an error by its type anywhere in the chain of causes.
///
/// ```
/// use sse_core::client::Loss;
///
/// assert_eq!(Loss::IdleTimeout.name(), "IdleTimeout");
/// assert_eq!(Loss::HeadTimeout.to_string(), "the server did not answer in time");
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Loss {
    /// The connection could not be made, or failed: for example it was refused or reset, the host is
    /// unknown, or its certificate is not trusted.
    Transport(TransportError),
    /// Connecting took longer than
    /// [`EventSourceConfig::connect_timeout`](super::EventSourceConfig::connect_timeout), 30 s by
    /// default.
    ConnectTimeout,
    /// The response's head took longer than
    /// [`EventSourceConfig::head_timeout`](super::EventSourceConfig::head_timeout), 30 s by default; over
    /// a foreign HTTP client, longer than this and the connect timeout together.
    HeadTimeout,
    /// The open event stream was without a byte for longer than
    /// [`EventSourceConfig::idle_timeout`](super::EventSourceConfig::idle_timeout). Without that setting,
    /// which is the default, this loss does not occur.
    IdleTimeout,
    /// The server ended the event stream properly. Many servers do so on purpose; see
    /// [`Reconnection`](super::Reconnection) for when it counts as a failed attempt.
    Ended,
    /// The server closed the connection before the response's head was complete.
    NoResponse,
    /// The server redirected more often in a row than
    /// [`EventSourceConfig::max_redirects`](super::EventSourceConfig::max_redirects) allows.
    TooManyRedirects,
    /// The response's head is not valid, is not one that the request allows, or exceeds one of
    /// [`EventSourceConfig::response_head_limits`](super::EventSourceConfig::response_head_limits).
    BadHead(ResponseHeadError),
    /// The response's body is cut short, or its framing is invalid ([RFC 9112 section
    /// 7.1](https://www.rfc-editor.org/rfc/rfc9112#section-7.1)).
    BadBody(BodyError),
    /// The compressed body of the response is invalid or incomplete, or expands more than
    /// [`EventSourceConfig::max_gzip_expansion`](super::EventSourceConfig::max_gzip_expansion) allows.
    #[cfg(feature = "compression")]
    BadCoding(GzipError),
    /// The server answered with a status that is neither 200 nor 204, and another attempt follows,
    /// because the status is one of
    /// [`EventSourceConfig::retry_statuses`](super::EventSourceConfig::retry_statuses) or the application
    /// [prepares](super::EventSource::with_preparation) the next attempt.
    Status(Box<UnexpectedResponse>),
    /// The server answered 200, but not with `text/event-stream` in UTF-8, and the application
    /// [prepares](super::EventSource::with_preparation) the next attempt.
    ContentType(Box<UnexpectedResponse>),
    /// The application could not prepare the request, and gave this
    /// [error](super::EventSource::handle_preparation_error).
    Preparation(PreparationError),
    /// The application took longer than
    /// [`EventSourceConfig::prepare_timeout`](super::EventSourceConfig::prepare_timeout) to prepare
    /// the request.
    PrepareTimeout,
    /// The application asked for [another connection](super::EventSource::reconnect). This loss does not
    /// count.
    Replaced,
    /// The application [paused](super::EventSource::pause). Only [`Attempt::loss`](super::Attempt::loss)
    /// has this value, after the pause.
    Paused,
}

impl Loss {
    /// Returns the name of the variant, such as `ConnectTimeout`: for metrics, and to compare by.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Transport(_) => "Transport",
            Self::ConnectTimeout => "ConnectTimeout",
            Self::HeadTimeout => "HeadTimeout",
            Self::IdleTimeout => "IdleTimeout",
            Self::Ended => "Ended",
            Self::NoResponse => "NoResponse",
            Self::TooManyRedirects => "TooManyRedirects",
            Self::BadHead(_) => "BadHead",
            Self::BadBody(_) => "BadBody",
            #[cfg(feature = "compression")]
            Self::BadCoding(_) => "BadCoding",
            Self::Status(_) => "Status",
            Self::ContentType(_) => "ContentType",
            Self::Preparation(_) => "Preparation",
            Self::PrepareTimeout => "PrepareTimeout",
            Self::Replaced => "Replaced",
            Self::Paused => "Paused",
        }
    }

    /// Returns the response that was not an event stream: `Some` for [`Status`](Self::Status) and
    /// [`ContentType`](Self::ContentType) only.
    #[must_use]
    pub fn unexpected_response(&self) -> Option<&UnexpectedResponse> {
        match self {
            Self::Status(response) | Self::ContentType(response) => Some(response),
            _ => None,
        }
    }

    /// Returns whether every later attempt would fail in the same way.
    pub(super) fn is_final(&self) -> bool {
        match self {
            Self::Transport(error) => error.kind() == io::ErrorKind::Unsupported,
            Self::Preparation(error) => error.0.is::<InvalidRequest>(),
            Self::BadHead(error) => *error == ResponseHeadError::Http2,
            _ => false,
        }
    }

    /// Returns the error of this type that caused the loss, if there is one: an [`io::Error`], or what
    /// the transport put into one, such as the `rustls::Error` that says what is wrong with a
    /// certificate.
    ///
    /// ```
    /// use std::io;
    /// use sse_core::client::Loss;
    ///
    /// fn is_refused(loss: &Loss) -> bool {
    ///     let error = loss.cause::<io::Error>();
    ///     error.is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
    /// }
    /// ```
    #[must_use]
    pub fn cause<E: Error + 'static>(&self) -> Option<&E> {
        self.source().and_then(find)
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transport(error) => error.fmt(f),
            Self::ConnectTimeout => f.write_str("connecting took too long"),
            Self::HeadTimeout => f.write_str("the server did not answer in time"),
            Self::IdleTimeout => f.write_str("the event stream was silent for too long"),
            Self::Ended => f.write_str("the server ended the event stream"),
            Self::NoResponse => f.write_str("the server closed the connection without an answer"),
            Self::TooManyRedirects => f.write_str("the server redirected too many times"),
            Self::BadHead(error) => error.fmt(f),
            Self::BadBody(error) => error.fmt(f),
            #[cfg(feature = "compression")]
            Self::BadCoding(error) => error.fmt(f),
            Self::Status(response) | Self::ContentType(response) => response.fmt(f),
            Self::Preparation(error) => error.fmt(f),
            Self::Replaced => f.write_str("the application asked for another connection"),
            Self::Paused => f.write_str("the application paused"),
            Self::PrepareTimeout => {
                f.write_str("the application did not prepare the request in time")
            }
        }
    }
}

impl Error for Loss {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Transport(error) => Some(error),
            Self::BadHead(error) => Some(error),
            Self::BadBody(error) => Some(error),
            #[cfg(feature = "compression")]
            Self::BadCoding(error) => Some(error),
            Self::Preparation(error) => Some(error),
            _ => None,
        }
    }
}

/// The [`io::Error`] of a transport that failed. Clones share it. It is also the [source](Error::source)
/// of this error. The text of a connection that could not be made names the server.
#[derive(Clone, Debug)]
pub struct TransportError(Arc<Failed>);

#[derive(Debug)]
struct Failed {
    error: io::Error,
    /// The server to which there was no connection yet.
    unreached: Option<Endpoint>,
}

impl TransportError {
    /// Returns the kind of the [`io::Error`]. [`Unsupported`](io::ErrorKind::Unsupported) means that no
    /// other attempt follows.
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        self.0.error.kind()
    }

    /// Returns the [`io::Error`]. The error of TLS is among its causes: [`Loss::cause`] finds it.
    #[must_use]
    pub fn io_error(&self) -> &io::Error {
        &self.0.error
    }

    pub(super) fn new(error: io::Error, unreached: Option<Endpoint>) -> Self {
        Self(Arc::new(Failed { error, unreached }))
    }
}

impl From<io::Error> for TransportError {
    fn from(error: io::Error) -> Self {
        Self::new(error, None)
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failed { error, unreached } = &*self.0;
        match unreached {
            None => write!(f, "the connection failed: {error}"),
            Some(endpoint) => write!(f, "cannot connect to {}: {error}", endpoint.authority()),
        }
    }
}

impl Error for TransportError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0.error)
    }
}

/// The application's error that kept it from preparing a request. Clones share it.
#[derive(Clone, Debug)]
pub struct PreparationError(Arc<dyn Error + Send + Sync>);

impl PreparationError {
    pub(super) fn new(error: Box<dyn Error + Send + Sync>) -> Self {
        Self(error.into())
    }
}

impl fmt::Display for PreparationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the request could not be prepared: {}", self.0)
    }
}

impl Error for PreparationError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}

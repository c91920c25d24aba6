//! Why a connection was lost, and why a subscription failed.

use std::{error::Error, fmt, io};

use ::http::{HeaderValue, Response, StatusCode};
use bytes::Bytes;

use crate::{
    Text,
    http::{BodyError, ResponseHeadError},
};

/// Why a connection was lost. The subscription goes on, unless it was to be made only once.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Loss {
    /// There was no connection to be had, or it failed: refused, reset, no such host, no trust in
    /// its certificate.
    Transport(TransportError),
    /// Connecting took too long.
    ConnectTimeout,
    /// The response's head took too long.
    HeadTimeout,
    /// The open event stream was without a byte for too long.
    IdleTimeout,
    /// The server ended the event stream, properly.
    Ended,
    /// The server closed the connection before the response's head was complete.
    NoResponse,
    /// There were more redirects in a row than
    /// [`EventSourceConfig::max_redirects`](super::EventSourceConfig::max_redirects).
    TooManyRedirects,
    /// The response's head is not one.
    BadHead(ResponseHeadError),
    /// The response's body is cut short, or not framed as it should be.
    BadBody(BodyError),
    /// The server said to come back later, with one of
    /// [`EventSourceConfig::retry_statuses`](super::EventSourceConfig::retry_statuses).
    Status(StatusCode),
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
            Self::Status(status) => write!(f, "the server answered {status}"),
        }
    }
}

impl Error for Loss {}

/// What a transport said of its failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransportError {
    /// Its kind.
    pub kind: io::ErrorKind,
    /// The error's own words.
    pub message: Text,
}

impl From<&io::Error> for TransportError {
    fn from(error: &io::Error) -> Self {
        Self {
            kind: error.kind(),
            message: error.to_string().into(),
        }
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the connection failed: {}", self.message)
    }
}

impl Error for TransportError {}

/// Why a subscription failed for good.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Failure {
    /// The server answered with a status that is neither 200 nor 204.
    Status(Box<Refusal>),
    /// The server answered 200, but not with `text/event-stream` in UTF-8.
    ContentType(Box<Refusal>),
    /// The response is compressed, which nobody asked for. The coding is named.
    ContentCoding(HeaderValue),
    /// A redirect that cannot be followed.
    Redirect(RedirectError),
    /// As many attempts failed in a row as
    /// [`Reconnection::max_attempts`](super::Reconnection::max_attempts) allows. The last loss.
    GaveUp(Loss),
    /// The one connection of a subscription without reconnections was lost; or there cannot be a
    /// connection, ever, to a URL like this.
    Lost(Loss),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(refusal) => {
                write!(f, "the server answered {}", refusal.response.status())?;
                refusal.fmt_body(f)
            }
            Self::ContentType(refusal) => {
                let headers = refusal.response.headers();
                match headers.get(::http::header::CONTENT_TYPE) {
                    Some(value) => write!(f, "the server answered with {value:?}")?,
                    None => write!(f, "the server answered without a content type")?,
                }
                write!(f, " instead of \"text/event-stream\"")?;
                refusal.fmt_body(f)
            }
            Self::ContentCoding(coding) => write!(
                f,
                "the server answered with the content coding {coding:?}, which was not asked for"
            ),
            Self::Redirect(error) => error.fmt(f),
            Self::GaveUp(loss) => write!(f, "gave up after too many attempts; the last: {loss}"),
            Self::Lost(loss) => loss.fmt(f),
        }
    }
}

impl Error for Failure {}

/// A response that is not an event stream.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// Status and header fields.
    pub response: Response<()>,
    /// The first bytes of the body: at most
    /// [`EventSourceConfig::max_refusal_body`](super::EventSourceConfig::max_refusal_body).
    pub body: Bytes,
}

impl Refusal {
    /// The body's first line, as far as it is fit to be read.
    fn fmt_body(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LONGEST: usize = 200;
        let text = String::from_utf8_lossy(&self.body);
        match text.lines().map(str::trim).find(|line| !line.is_empty()) {
            None => Ok(()),
            Some(line) => {
                f.write_str(": ")?;
                // Nothing in it is to move a terminal's cursor, or to turn its text around.
                line.chars().take(LONGEST).try_for_each(|c| match c {
                    '"' | '\'' | '\\' => write!(f, "{c}"),
                    c => write!(f, "{}", c.escape_debug()),
                })
            }
        }
    }
}

/// A redirect that cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RedirectError {
    /// There is no `Location`, or an empty one.
    NoLocation,
    /// The `Location` is no URL that can be gone to: what it says.
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

/// This is no request that a subscription can make.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidRequest {
    /// The URL is none: why.
    Url(String),
    /// The URL's scheme is neither `http` nor `https`: which it is.
    Scheme(String),
    /// The URL names a user. Set an `Authorization` field instead: URLs end up in logs.
    User,
    /// The method is `CONNECT`, whose response is a tunnel and never an event stream.
    Method,
}

impl fmt::Display for InvalidRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(why) => write!(f, "this is not an http or https URL: {why}"),
            Self::Scheme(scheme) => write!(
                f,
                "the URL begins with \"{scheme}:\"; let it begin with http:// or https://"
            ),
            Self::User => f.write_str(
                "the URL names a user; take it out and set an Authorization field instead",
            ),
            Self::Method => {
                f.write_str("the method is CONNECT, whose response is never an event stream")
            }
        }
    }
}

impl Error for InvalidRequest {}

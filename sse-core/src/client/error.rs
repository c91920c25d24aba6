//! Errors of calls that the caller should not have made.

use std::{error::Error, fmt, io};

use super::Phase;

/// The error of a method called in a phase of the event source that does not allow it. The call changed
/// nothing.
pub type WrongPhase = crate::WrongPhase<Phase>;

/// The error of a URL or a method that an event source cannot use, from
/// [`EventSource::new`](super::EventSource::new) and
/// [`EventSource::attempt`](super::EventSource::attempt). Nothing was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidRequest {
    /// The text is not a URL; the error says why.
    Url(UrlError),
    /// The URL is longer than 65,534 bytes, which the `http` crate cannot hold.
    Length,
    /// The URL's scheme, which is given here, is neither `http` nor `https`.
    Scheme(String),
    /// The URL has a user name or a password. Set an `Authorization` field instead, because URLs are
    /// written to logs.
    User,
    /// The method is `CONNECT`, whose response is a tunnel and never an event stream.
    Method,
}

impl fmt::Display for InvalidRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(error) => write!(f, "this is not an http or https URL: {error}"),
            Self::Length => f.write_str("the URL is longer than 65,534 bytes; shorten it"),
            Self::Scheme(scheme) => write!(
                f,
                "the URL begins with \"{scheme}:\"; let it begin with http:// or https://"
            ),
            Self::User => {
                f.write_str("the URL has a user; remove it and set an Authorization field instead")
            }
            Self::Method => {
                f.write_str("the method is CONNECT, whose response is never an event stream")
            }
        }
    }
}

impl Error for InvalidRequest {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Url(error) => Some(error),
            _ => None,
        }
    }
}

/// Its kind is [`InvalidInput`](io::ErrorKind::InvalidInput).
impl From<InvalidRequest> for io::Error {
    fn from(error: InvalidRequest) -> Self {
        Self::new(io::ErrorKind::InvalidInput, error)
    }
}

/// The error of a text that is not a URL, such as a path without a host. Its text is the reason; its
/// [source](Error::source) is the error of the crate `url`, which parses it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlError(url::ParseError);

impl UrlError {
    pub(super) fn new(error: url::ParseError) -> Self {
        Self(error)
    }
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            url::ParseError::RelativeUrlWithoutBase => {
                f.write_str("it has no scheme; let it begin with http:// or https://")
            }
            error => error.fmt(f),
        }
    }
}

impl Error for UrlError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

/// The error of [`EventSource::attempt`](super::EventSource::attempt), which changed nothing: the attempt
/// can be corrected and given back again.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AttemptError {
    /// The phase is not [`Preparing`](Phase::Preparing), such as after the attempt was given back once
    /// already.
    WrongPhase(WrongPhase),
    /// The URL or the method of the attempt cannot be used.
    Invalid(InvalidRequest),
}

impl fmt::Display for AttemptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongPhase(error) => error.fmt(f),
            Self::Invalid(error) => error.fmt(f),
        }
    }
}

impl Error for AttemptError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::WrongPhase(error) => Some(error),
            Self::Invalid(error) => Some(error),
        }
    }
}

impl From<WrongPhase> for AttemptError {
    fn from(error: WrongPhase) -> Self {
        Self::WrongPhase(error)
    }
}

impl From<InvalidRequest> for AttemptError {
    fn from(error: InvalidRequest) -> Self {
        Self::Invalid(error)
    }
}

//! Methods that set credentials and JSON bodies, so that callers need not build header values.

use std::{error::Error, fmt};

use ::http::{HeaderValue, header};
#[cfg(feature = "json")]
use ::http::{Method, header::CONTENT_TYPE};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{Attempt, EventSourceConfig};

/// The error of a token, or of a user name and password, that cannot be sent. Its text does not contain
/// them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidCredentials {
    /// The token is empty.
    NoToken,
    /// The token has a byte that is not visible ASCII, at this offset. A file often ends with a line
    /// feed.
    TokenByte(usize),
    /// The user name has a colon, which separates it from the password.
    ColonInUser,
    /// The user name or the password has a control character ([RFC 7617 section
    /// 2](https://www.rfc-editor.org/rfc/rfc7617#section-2)).
    ControlCharacter,
}

impl fmt::Display for InvalidCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoToken => f.write_str("the token is empty"),
            Self::TokenByte(offset) => write!(
                f,
                "the token has a blank, a control character or a character outside of ASCII at byte \
                 {offset}; trim a token that is read from a file"
            ),
            Self::ColonInUser => {
                f.write_str("the user name has a colon, which separates it from the password")
            }
            Self::ControlCharacter => {
                f.write_str("the user name or the password has a control character")
            }
        }
    }
}

impl Error for InvalidCredentials {}

fn bearer(token: &str) -> Result<HeaderValue, InvalidCredentials> {
    if token.is_empty() {
        return Err(InvalidCredentials::NoToken);
    }
    let offset = token.bytes().position(|byte| !byte.is_ascii_graphic());
    if let Some(offset) = offset {
        return Err(InvalidCredentials::TokenByte(offset));
    }
    let value = HeaderValue::try_from(format!("Bearer {token}"));
    Ok(sensitive(
        value.map_err(|_| InvalidCredentials::TokenByte(0))?,
    ))
}

fn basic(user: &str, password: &str) -> Result<HeaderValue, InvalidCredentials> {
    if user.contains(':') {
        return Err(InvalidCredentials::ColonInUser);
    }
    if user.chars().chain(password.chars()).any(char::is_control) {
        return Err(InvalidCredentials::ControlCharacter);
    }
    let both = STANDARD.encode(format!("{user}:{password}"));
    let value = HeaderValue::try_from(format!("Basic {both}"));
    Ok(sensitive(
        value.map_err(|_| InvalidCredentials::ControlCharacter)?,
    ))
}

/// Marks the value as sensitive: `Debug` does not show it, and HTTP/2 does not index it.
fn sensitive(mut value: HeaderValue) -> HeaderValue {
    value.set_sensitive(true);
    value
}

/// Implements the same methods on every type that has the fields of a request.
macro_rules! comfort {
    ($name:ident) => {
        impl $name {
            /// Sets the `Authorization` field to a bearer token
            /// ([RFC 6750 section 2.1](https://www.rfc-editor.org/rfc/rfc6750#section-2.1)). `Debug`
            /// does not show it.
            ///
            /// # Errors
            ///
            /// [`InvalidCredentials`] where the token is empty, or has a byte that is not visible ASCII.
            /// The request stays unchanged.
            pub fn set_bearer(&mut self, token: &str) -> Result<(), InvalidCredentials> {
                self.headers.insert(header::AUTHORIZATION, bearer(token)?);
                Ok(())
            }

            /// Sets the `Authorization` field to a user name and a password, in UTF-8
            /// ([RFC 7617](https://www.rfc-editor.org/rfc/rfc7617)). `Debug` does not show it.
            ///
            /// # Errors
            ///
            /// [`InvalidCredentials`] where the user name has a colon, or one of the two a control
            /// character. The request stays unchanged.
            pub fn set_basic(
                &mut self,
                user: &str,
                password: &str,
            ) -> Result<(), InvalidCredentials> {
                let value = basic(user, password)?;
                self.headers.insert(header::AUTHORIZATION, value);
                Ok(())
            }

            /// Sets the body to `value` as JSON, with the `Content-Type` field that says so. A `GET`
            /// becomes a `POST`; any other method stays.
            ///
            /// # Errors
            ///
            /// The errors of serialising `value`. The request stays unchanged.
            #[cfg(feature = "json")]
            pub fn set_json<T: serde::Serialize + ?Sized>(
                &mut self,
                value: &T,
            ) -> Result<(), serde_json::Error> {
                self.body = serde_json::to_vec(value)?.into();
                let json = HeaderValue::from_static("application/json");
                self.headers.insert(CONTENT_TYPE, json);
                if self.method == Method::GET {
                    self.method = Method::POST;
                }
                Ok(())
            }
        }
    };
}

comfort!(EventSourceConfig);
comfort!(Attempt);

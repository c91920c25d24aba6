//! HTTP/1 messages: reading and writing their heads, and the framing of their bodies.
//!
//! This module implements RFC 9110 and RFC 9112 and does not know events. Its types of requests and
//! responses are those of the `http` crate, which it re-exports; `httparse` parses the field lines. The
//! module decides what those two leave open: where a head ends, how large it may be, and which input is
//! rejected because two readers could read it differently.

mod body;
mod framing;
mod head;
mod trailers;

#[cfg(feature = "server")]
mod accept;
#[cfg(all(feature = "compression", feature = "server"))]
mod accept_encoding;
#[cfg(feature = "server")]
mod request_head;
#[cfg(feature = "server")]
mod request_head_reader;
#[cfg(feature = "server")]
mod request_target;
#[cfg(feature = "server")]
mod response_head;

#[cfg(feature = "client")]
mod media_type;
#[cfg(feature = "client")]
mod response_head_reader;

pub use ::http::{
    Extensions, HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri,
    Version, header,
};

pub use body::BodyError;
#[doc(hidden)]
pub use {
    body::{BodyPart, BodyReader},
    framing::Framing,
};

#[cfg(all(feature = "compression", feature = "server"))]
pub use accept_encoding::accepts_gzip;
#[cfg(feature = "server")]
pub use {
    accept::accepts,
    request_head::{BodyLength, HeadLimits, RequestHead, RequestHeadError},
    request_head_reader::RequestHeadReader,
};
#[cfg(feature = "server")]
pub(crate) use {body::collect, response_head::is_the_connections};
#[cfg(feature = "server")]
pub(crate) use {body::grown_capacity, response_head::encode_response_head};

#[cfg(all(feature = "client", feature = "compression"))]
pub(crate) use media_type::KnownCoding;
#[cfg(feature = "client")]
pub(crate) use media_type::content_codings;
#[cfg(feature = "client")]
pub use {
    media_type::is_event_stream,
    response_head_reader::{ResponseHeadError, ResponseHeadLimits, ResponseHeadReader},
};

/// Returns whether the byte may be in a token, such as a method, a field name or a media type ([RFC 9110
/// section 5.6.2](https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2)).
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

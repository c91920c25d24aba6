//! HTTP/1 messages: heads read and written, and the framing of chunks.
//!
//! This room knows RFC 9110 and RFC 9112 and nothing of events. The types of requests and
//! responses are those of the `http` crate, re-exported here; field lines are parsed by
//! `httparse`. What is decided here is what those two leave open: where a head ends, how large it
//! may be, and what is refused because two readers could read it differently.

mod accept;
mod chunked;
mod request_head;
mod response_head;

pub use ::http::{
    Extensions, HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri,
    Version, header,
};

pub use accept::accepts;
pub use request_head::{BodyLength, HeadLimits, RequestHead, RequestHeadError, RequestHeadReader};

pub(crate) use chunked::{CRLF, ChunkSize, LAST_CHUNK};
pub(crate) use response_head::{Framing, encode_response_head};

/// Of a token: a method, a field name, a media type
/// ([RFC 9110 section 5.6.2](https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2)).
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

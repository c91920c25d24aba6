//! Event streams in the content coding `gzip`: one compressed stream of events for many clients.
//!
//! A compressor for each connection takes hundreds of KiB and repeats the same work for each of them. A
//! [`SharedDeflate`] compresses each event once. A [`GzipBody`] puts its output together to the body of
//! one client's response ([RFC 1952](https://www.rfc-editor.org/rfc/rfc1952), [RFC 9110 section
//! 8.4.1.3](https://www.rfc-editor.org/rfc/rfc9110#section-8.4.1.3)): it copies and compresses nothing,
//! and takes a few dozen bytes.
//!
//! ```
//! use std::io::Read;
//! use sse_core::gzip::{GzipBody, SharedDeflate};
//!
//! let mut shared = SharedDeflate::new();
//! let before = shared.compress("data: one\n\n".into());
//! let after = shared.compress("data: two\n\n".into());
//!
//! // One client is there from the beginning, and another one joins for the second event.
//! let (mut first, mut second) = (Vec::new(), Vec::new());
//! let mut body = GzipBody::begin(|part| first.extend_from_slice(part.as_bytes()));
//! body.piece(&before, |part| first.extend_from_slice(part.as_bytes()));
//! body.piece(&after, |part| first.extend_from_slice(part.as_bytes()));
//! body.finish(|part| first.extend_from_slice(part.as_bytes()));
//!
//! let mut body = GzipBody::begin(|part| second.extend_from_slice(part.as_bytes()));
//! body.insert(b"data: hello\n\n", |part| second.extend_from_slice(part.as_bytes()));
//! body.piece(&after, |part| second.extend_from_slice(part.as_bytes()));
//! body.finish(|part| second.extend_from_slice(part.as_bytes()));
//!
//! let decode = |body: &[u8]| {
//!     let mut text = String::new();
//!     flate2::read::GzDecoder::new(body).read_to_string(&mut text).map(|_| text)
//! };
//! assert_eq!(decode(&first)?, "data: one\n\ndata: two\n\n");
//! assert_eq!(decode(&second)?, "data: hello\n\ndata: two\n\n");
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # How it works
//!
//! Each piece ends with a *sync flush*: it ends at a whole byte, and a client can decode all of it as
//! soon as it arrives. Compressed bytes refer to earlier bytes, but to none before the last *restart
//! point*, where the compressor forgot everything (zlib calls that a *full flush*). A restart point comes
//! after every [`RESTART_INTERVAL`] bytes.
//!
//! A client that joins in the middle does not have the bytes that the shared ones refer to. Until the
//! next restart point it gets *stored blocks* ([RFC 1951 section
//! 3.2.4](https://www.rfc-editor.org/rfc/rfc1951#section-3.2.4)), which are the plain bytes with five
//! more in front, and the shared bytes from there. The same holds for a client that got bytes of its own,
//! such as a notice, which lie between the shared bytes and those that they refer to. An idle client gets
//! an empty stored block, which decodes to nothing.
//!
//! The checksum at the end of a body is that of its plain bytes. Each piece knows the checksum of
//! everything before it, and a client's checksum is computed from those of its first and its last piece.
//! A body that breaks off has no such end, so that clients can tell.
//!
//! # In a topic and in a connection
//!
//! A topic with the setting `compress` has such a compressor, and its events carry both forms. A
//! `server::Connection` makes a compressed body of them if the client accepts the coding and
//! `server::StreamOptions::compression` asks for it.
//!
//! # Over TLS
//!
//! The length of compressed data reveals how much they have in common. If an attacker can put text into a
//! stream that also carries a secret, and can see the lengths of the transmitted data, the attacker can
//! guess the secret piece by piece although it is encrypted: this is the attack
//! [BREACH](https://www.breachattack.com/). Therefore nothing is compressed unless the application asks
//! for it. A topic mixes the events of all its publishers: do not compress one that carries both secrets
//! and text that others choose.
//!
//! # The library
//!
//! The compressor is that of `zlib-rs`, through `flate2`, at its fastest level. It is written in Rust
//! without C, though not without `unsafe`. With a flush after each event its output for event streams is
//! a quarter to a half smaller than that of `miniz_oxide` at its best level, in a quarter of the time,
//! because it writes no table of codes in front of each event.

mod body;
mod decoder;
mod deflate;
mod shared;

#[cfg(feature = "server")]
pub(crate) use body::store_shared;
pub use body::{GzipBody, Part};
pub use decoder::{GzipDecoder, GzipError};
#[cfg(feature = "topic")]
pub(crate) use deflate::stored_len;
#[cfg(any(feature = "server", feature = "topic"))]
pub(crate) use shared::Packed;
pub use shared::{Piece, RESTART_INTERVAL, SharedDeflate};
#[cfg(feature = "topic")]
pub(crate) use shared::{Place, Stretch};

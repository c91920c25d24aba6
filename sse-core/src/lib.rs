//! Server-Sent Events without IO.

#![cfg_attr(not(feature = "std"), no_std)]
#![deny(missing_docs)]
#![forbid(unsafe_code)]
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

extern crate alloc;

mod decode;
pub mod encode;
mod event;
#[cfg(feature = "server")]
pub mod http;
mod into_event;
#[cfg(feature = "server")]
pub mod lifecycle;
#[cfg(feature = "server")]
pub mod router;
#[cfg(feature = "server")]
pub mod server;
#[cfg(feature = "stream")]
mod stream;
mod text;
#[cfg(feature = "server")]
mod wake;

pub use decode::{
    DecodeBound, DecodeError, Decoded, Decoder, DecoderLimits, MessageEvent, MessageEventRef,
};
pub use event::{Comment, Event, EventId, EventType, Field, InvalidField};
#[cfg(feature = "json")]
pub use into_event::Json;
pub use into_event::{EventError, IntoEvent};
#[cfg(feature = "stream")]
pub use stream::{EventStream, EventStreamError};
pub use text::Text;

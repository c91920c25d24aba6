//! Server-Sent Events without IO.
#![cfg_attr(not(feature = "std"), no_std)]
#![deny(missing_docs)]
#![forbid(unsafe_code)]

extern crate alloc;

mod decode;
pub mod encode;
mod event;
#[cfg(feature = "stream")]
mod stream;
mod text;

pub use decode::{
    DecodeBound, DecodeError, Decoded, Decoder, DecoderLimits, MessageEvent, MessageEventRef,
};
pub use event::{Comment, Event, EventId, EventType, Field, InvalidField};
#[cfg(feature = "stream")]
pub use stream::{EventStream, EventStreamError};
pub use text::Text;

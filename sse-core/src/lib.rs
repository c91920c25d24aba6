//! Server-Sent Events without IO.
#![cfg_attr(not(feature = "std"), no_std)]
#![deny(missing_docs)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod encode;
mod event;
mod text;

pub use event::{Comment, Event, EventId, EventType, Field, InvalidField};
pub use text::Text;

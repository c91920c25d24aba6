//! Subscribing: an event source, and the connections that it makes.

mod attempts;
mod dial;
mod error;
mod event_source;
mod link;
mod prepare;

pub use error::EventSourceError;
pub use event_source::{EventSource, EventSourceHandle};
pub use prepare::{IntoPrepared, PreparePanicked, Prepared};

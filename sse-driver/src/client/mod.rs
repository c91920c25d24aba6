//! Subscribing: an event source, and the connections that it makes.

mod attempts;
mod dial;
mod event_source;

pub use event_source::{EventSource, EventSourceError, EventSourceHandle};

//! Streams that outlive their connections.

mod bounds;
#[cfg(feature = "http-body")]
mod embedded;
mod endings;
mod harness;
mod lifetimes;
mod producers;
mod reading;
mod shutting_down;

//! Streams that several nodes share: members over one log, in which whatever may happen happens.
#![cfg(feature = "follower")]
#![allow(clippy::disallowed_methods)] // an `Instant` has to come from somewhere
#![allow(clippy::panic, clippy::unwrap_used, clippy::expect_used)] // that is how a test fails

mod endings;
mod history;
mod laws;
mod rejections;
mod silence;
mod starts;
mod world;

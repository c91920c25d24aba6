//! The event source as a state machine: no socket, and time is a number.
#![cfg(feature = "client")]
#![allow(clippy::disallowed_methods)] // an `Instant` has to come from somewhere
#![allow(clippy::panic, clippy::unwrap_used, clippy::expect_used)] // that is how a test fails

mod answers;
mod any_order;
mod bounds;
#[cfg(feature = "compression")]
mod compressed;
mod control;
mod credentials;
mod cuts;
mod errors;
mod every_phase;
mod foreign;
mod harness;
mod preparing;
mod reconnection;
mod redirects;
mod regressions;
mod resuming;
mod standard;
mod timers;
mod trial;

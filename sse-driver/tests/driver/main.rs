//! The driver on a runtime without sockets and in virtual time: the code that serves real connections,
//! with inputs that the test controls exactly.
#![allow(unreachable_pub)] // a test has no interface
#![allow(clippy::unwrap_used, clippy::expect_used)] // and fails by panicking

mod accepting;
mod addresses;
mod allowed;
mod backpressure;
mod bodies;
mod budget;
#[cfg(feature = "http-body")]
mod budgets;
mod composing;
#[cfg(feature = "compression")]
mod compressed;
mod connectors;
mod controlling;
mod counting;
mod durations;
mod elsewhere;
#[cfg(feature = "http-body")]
mod embedding;
mod endings;
#[cfg(feature = "event-log")]
mod event_log;
#[cfg(feature = "macros")]
mod guards;
mod harness;
mod limits;
mod listed;
mod opening;
#[cfg(feature = "http-body")]
mod over_http_client;
mod panicking_links;
mod preparing;
mod proxied;
mod reading;
mod restarting;
mod resumable;
mod shutdown;
#[path = "../sim/mod.rs"]
mod sim;
mod spreading;
mod subscriber;
mod subscribing;
#[cfg(feature = "tls")]
mod tls;
mod topics;
mod waking;

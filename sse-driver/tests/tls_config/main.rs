//! Configurations, tried in handshakes without sockets, and what can be wrong with PEM.
#![allow(unreachable_pub)] // a test has no interface
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // and fails by panicking

mod handshakes;
mod issuer;
mod pem;
#[cfg(target_os = "linux")]
mod platform;

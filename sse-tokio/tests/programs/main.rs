//! The example programs, run as a user runs them.
//!
//! `cargo test` builds the examples before the tests; with `--test programs` alone it does not.
#![cfg(unix)]

mod demo;
mod harness;
mod listen;
mod load;
mod tail;

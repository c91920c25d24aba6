//! A server under everything at once, for as long as is asked: see `main.rs`. This library starts the
//! programs of others around it, also for the tests.

#![allow(clippy::panic)] // a page without the settings that a test needs fails the test

pub mod programs;

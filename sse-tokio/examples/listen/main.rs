//! Prints an event stream, one line of JSON for each event: the `curl` for event streams.
//!
//! `cargo run --release -p sse-tokio --example listen -- --help`

mod app;

use std::process::ExitCode;

/// The parts that are specific to tokio.
mod on {
    pub(crate) use sse_tokio as adapter;
}

#[tokio::main]
async fn main() -> ExitCode {
    app::main().await
}

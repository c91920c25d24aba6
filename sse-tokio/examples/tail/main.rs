//! Publishes every line of standard input to all clients: `some-program | tail`.
//!
//! `cargo run --release -p sse-tokio --example tail -- --help`

mod app;

use std::process::ExitCode;

/// The parts that are specific to tokio.
mod on {
    pub(crate) use sse_tokio::{self as adapter, Tokio as Runtime};

    /// Waits for this long.
    pub(crate) use tokio::time::sleep;
}

#[tokio::main]
async fn main() -> ExitCode {
    app::main().await
}

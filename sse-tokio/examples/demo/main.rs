//! A page that shows a live event stream, its losses and its clean-ups, and the server behind it.
//!
//! `cargo run --release -p sse-tokio --example demo -- --help`

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

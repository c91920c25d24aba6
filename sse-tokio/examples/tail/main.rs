//! Publishes every line of standard input to all who listen: `some-program | tail`.
//!
//! `cargo run --release -p sse-tokio --example tail -- --help`

mod app;

use std::process::ExitCode;

/// What is tokio's own.
mod on {
    pub(crate) use sse_tokio::{self as adapter, Tokio as Runtime};

    /// Until then.
    pub(crate) use tokio::time::sleep;
}

#[tokio::main]
async fn main() -> ExitCode {
    app::main().await
}

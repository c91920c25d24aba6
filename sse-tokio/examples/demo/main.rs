//! A page that shows a live event stream, its losses and its clean-ups, and the server behind it.
//!
//! `cargo run --release -p sse-tokio --example demo -- --help`

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

//! Publishes every line of standard input to all who listen: `some-program | smol-tail`.
//!
//! `cargo run --release -p sse-smol --example smol-tail -- --help`

#[path = "../../../sse-tokio/examples/tail/app/mod.rs"]
mod app;

use std::process::ExitCode;

/// What is smol's own.
mod on {
    pub(crate) use sse_smol::{self as adapter, Smol as Runtime};

    /// Until then.
    pub(crate) async fn sleep(time: std::time::Duration) {
        smol::Timer::after(time).await;
    }
}

fn main() -> ExitCode {
    smol::block_on(app::main())
}

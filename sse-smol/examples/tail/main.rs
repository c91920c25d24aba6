//! Publishes every line of standard input to all clients: `some-program | smol-tail`.
//!
//! `cargo run --release -p sse-smol --example smol-tail -- --help`

#[path = "../../../sse-tokio/examples/tail/app/mod.rs"]
mod app;

use std::process::ExitCode;

/// The parts that are specific to smol.
mod on {
    pub(crate) use sse_smol::{self as adapter, Smol as Runtime};

    /// Waits for this long.
    pub(crate) async fn sleep(time: std::time::Duration) {
        smol::Timer::after(time).await;
    }
}

fn main() -> ExitCode {
    smol::block_on(app::main())
}

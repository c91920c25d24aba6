//! Publishes every line of standard input to all clients: `some-program | async-std-tail`.
//!
//! `cargo run --release -p sse-async-std --example async-std-tail -- --help`

#[path = "../../../sse-tokio/examples/tail/app/mod.rs"]
mod app;

use std::process::ExitCode;

/// The parts that are specific to async-std.
mod on {
    pub(crate) use sse_async_std::{self as adapter, AsyncStd as Runtime};

    /// Waits for this long.
    pub(crate) use async_std::task::sleep;
}

fn main() -> ExitCode {
    async_std::task::block_on(app::main())
}

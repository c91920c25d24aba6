//! Publishes every line of standard input to all who listen: `some-program | async-std-tail`.
//!
//! `cargo run --release -p sse-async-std --example async-std-tail -- --help`

#[path = "../../../sse-tokio/examples/tail/app/mod.rs"]
mod app;

use std::process::ExitCode;

/// What is async-std's own.
mod on {
    pub(crate) use sse_async_std::{self as adapter, AsyncStd as Runtime};

    /// Until then.
    pub(crate) use async_std::task::sleep;
}

fn main() -> ExitCode {
    async_std::task::block_on(app::main())
}

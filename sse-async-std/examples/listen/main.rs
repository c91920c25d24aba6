//! Prints an event stream, one line of JSON for each event: the `curl` for event streams.
//!
//! `cargo run --release -p sse-async-std --example async-std-listen -- --help`

#[path = "../../../sse-tokio/examples/listen/app/mod.rs"]
mod app;

use std::process::ExitCode;

/// The parts that are specific to async-std.
mod on {
    pub(crate) use sse_async_std as adapter;
}

fn main() -> ExitCode {
    async_std::task::block_on(app::main())
}

//! Prints an event stream, one line of JSON for each event: the `curl` for event streams.
//!
//! `cargo run --release -p sse-smol --example smol-listen -- --help`

#[path = "../../../sse-tokio/examples/listen/app/mod.rs"]
mod app;

use std::process::ExitCode;

/// The parts that are specific to smol.
mod on {
    pub(crate) use sse_smol as adapter;
}

fn main() -> ExitCode {
    smol::block_on(app::main())
}

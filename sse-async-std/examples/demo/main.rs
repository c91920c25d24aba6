//! A page that shows what the project does, and the server behind it.
//!
//! `cargo run --release -p sse-async-std --example async-std-demo -- --help`

#[path = "../../../sse-tokio/examples/demo/app/mod.rs"]
mod app;

use std::process::ExitCode;

/// The parts that are specific to async-std.
mod on {
    use std::io;

    use async_std::net::TcpListener;
    pub(crate) use sse_async_std::{self as adapter, AsyncStd as Runtime};

    /// The name of the adapter.
    pub(crate) const NAME: &str = "sse-async-std";

    /// Waits for this long.
    pub(crate) use async_std::task::sleep;

    /// Makes the runtime's own listener of a socket.
    pub(crate) fn listener(socket: std::net::TcpListener) -> io::Result<TcpListener> {
        Ok(socket.into())
    }
}

fn main() -> ExitCode {
    async_std::task::block_on(app::main())
}

//! A page that shows what the project does, and the server behind it.
//!
//! `cargo run --release -p sse-tokio --example demo -- --help`

mod app;

use std::process::ExitCode;

/// The parts that are specific to tokio.
mod on {
    use std::io;

    pub(crate) use sse_tokio::{self as adapter, Tokio as Runtime};
    use tokio::net::TcpListener;

    /// The name of the adapter.
    pub(crate) const NAME: &str = "sse-tokio";

    /// Waits for this long.
    pub(crate) use tokio::time::sleep;

    /// Makes the runtime's own listener of a socket.
    pub(crate) fn listener(socket: std::net::TcpListener) -> io::Result<TcpListener> {
        TcpListener::from_std(socket)
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    app::main().await
}

//! A page that shows what the project does, and the server behind it.
//!
//! `cargo run --release -p sse-smol --example smol-demo -- --help`

#[path = "../../../sse-tokio/examples/demo/app/mod.rs"]
mod app;

use std::process::ExitCode;

/// The parts that are specific to smol.
mod on {
    use std::{io, net::TcpListener};

    use smol::Async;
    pub(crate) use sse_smol::{self as adapter, Smol as Runtime};

    /// The name of the adapter.
    pub(crate) const NAME: &str = "sse-smol";

    /// Waits for this long.
    pub(crate) async fn sleep(time: std::time::Duration) {
        smol::Timer::after(time).await;
    }

    /// Makes the runtime's own listener of a socket.
    pub(crate) fn listener(socket: TcpListener) -> io::Result<Async<TcpListener>> {
        Async::new(socket)
    }
}

fn main() -> ExitCode {
    smol::block_on(app::main())
}

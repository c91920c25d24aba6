//! The size of a connection's task.

use sse_driver::{ConnectionServer, Runtime};

/// How far below the recorded size a task may be before the record is to follow.
const SLACK: usize = 32;

/// Compares the size in bytes of the future that serves a connection with the one that is recorded.
/// Each connection holds one of these for as long as it is open; what the runtime adds, and what is
/// allocated once a request is there, comes on top.
///
/// The record is that of a 64-bit machine with all features. A change that makes the task larger has a
/// reason, which its commit names, and records the new size; one that makes it smaller by more than a
/// few words records that, so that it is not lost again.
pub fn check<R: Runtime>(recorded: usize) {
    let size = size_of_output(|server: &ConnectionServer<R>, transport: R::Transport| {
        server.serve_connection(transport, None)
    });
    println!("a connection's task has {size} bytes");
    if cfg!(target_pointer_width = "64") {
        assert!(
            size <= recorded,
            "a connection's task has {size} bytes, and {recorded} are recorded: say why, and record it"
        );
        assert!(
            size + SLACK > recorded,
            "a connection's task has only {size} bytes, and {recorded} are recorded: record it"
        );
    }
}

fn size_of_output<A, B, F>(_: impl Fn(&A, B) -> F) -> usize {
    size_of::<F>()
}

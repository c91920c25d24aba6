//! Measurements of a whole process, on tokio, in a test binary of its own.
#![cfg(target_os = "linux")]

use std::sync::LazyLock;

use ::tokio::runtime::Runtime;

/// One runtime for the whole process, so that spawned tasks outlive the test that blocked.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));

struct OnTokio;

impl sse_suite::Adapter for OnTokio {
    type Runtime = sse_tokio::Tokio;

    fn block_on<F: Future>(future: F) -> F::Output {
        RUNTIME.block_on(future)
    }
}

sse_suite::alone!(tokio, OnTokio);

//! The tests of every adapter, on tokio.

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

sse_suite::suite!(tokio, OnTokio);

#[test]
fn a_connections_task_is_as_small_as_recorded() {
    sse_suite::size::check::<sse_tokio::Tokio>(320);
}

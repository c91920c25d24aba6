//! What every adapter does, on async-std.

struct OnAsyncStd;

impl sse_suite::Adapter for OnAsyncStd {
    type Runtime = sse_async_std::AsyncStd;

    fn block_on<F: Future>(future: F) -> F::Output {
        ::async_std::task::block_on(future)
    }
}

sse_suite::suite!(async_std, OnAsyncStd);

#[test]
fn a_connections_task_is_as_small_as_recorded() {
    sse_suite::size::check::<sse_async_std::AsyncStd>(336);
}

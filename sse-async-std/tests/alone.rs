//! What is measured of a whole process, on async-std: a test binary of its own.
#![cfg(target_os = "linux")]

struct OnAsyncStd;

impl sse_suite::Adapter for OnAsyncStd {
    type Runtime = sse_async_std::AsyncStd;

    fn block_on<F: Future>(future: F) -> F::Output {
        ::async_std::task::block_on(future)
    }
}

sse_suite::alone!(async_std, OnAsyncStd);

//! What is measured of a whole process, on smol: a test binary of its own.
#![cfg(target_os = "linux")]

struct OnSmol;

impl sse_suite::Adapter for OnSmol {
    type Runtime = sse_smol::Smol;

    fn block_on<F: Future>(future: F) -> F::Output {
        ::smol::block_on(future)
    }
}

sse_suite::alone!(smol, OnSmol);

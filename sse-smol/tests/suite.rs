//! What every adapter does, on smol.

struct OnSmol;

impl sse_suite::Adapter for OnSmol {
    type Runtime = sse_smol::Smol;

    fn block_on<F: Future>(future: F) -> F::Output {
        ::smol::block_on(future)
    }
}

sse_suite::suite!(smol, OnSmol);

#[test]
fn a_connections_task_is_as_small_as_recorded() {
    sse_suite::size::check::<sse_smol::Smol>(344);
}

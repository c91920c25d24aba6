//! Waits that end, and that let other tasks run.

use std::{
    future::{Future, poll_fn},
    mem,
    pin::pin,
    task::Poll,
    time::Instant,
};

use crate::{Runtime, Timer};

/// Lets other tasks run for a turn.
pub(crate) async fn let_others_run() {
    let mut had_their_turn = false;
    poll_fn(|cx| {
        if mem::replace(&mut had_their_turn, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Waits for `future`, but not past `deadline`.
pub(crate) async fn within<R: Runtime>(
    runtime: &R,
    deadline: Option<Instant>,
    future: impl Future<Output = ()>,
) {
    let mut future = pin!(future);
    let mut timer = deadline.map(|deadline| runtime.timer(deadline));
    poll_fn(|cx| {
        if future.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        match &mut timer {
            Some(timer) => timer.poll_elapsed(cx),
            None => Poll::Pending,
        }
    })
    .await;
}

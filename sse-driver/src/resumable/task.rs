//! A producer's task.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll},
};

use sse_core::{
    internal::{Panicked, catch},
    topic::resumable::StreamEnd,
};

use super::{shared::Shared, stream::Inner};

/// The work of a producer. Its output is how it ended.
pub(super) type Work = Pin<Box<dyn Future<Output = StreamEnd> + Send>>;

/// Polls a producer until it ends, or its stream does. In either case the producer is dropped and its
/// clean-up runs, once.
pub(super) struct ProducerTask {
    shared: Weak<Shared>,
    inner: Arc<Inner>,
    state: State,
}

enum State {
    Runs(Work),
    /// It panicked before its work began.
    Panicked,
    Over,
}

impl ProducerTask {
    pub(super) fn new(
        shared: &Arc<Shared>,
        inner: Arc<Inner>,
        work: Result<Work, Panicked>,
    ) -> Self {
        Self {
            shared: Arc::downgrade(shared),
            inner,
            state: match work {
                Ok(work) => State::Runs(work),
                Err(Panicked) => State::Panicked,
            },
        }
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<StreamEnd> {
        if let Some(end) = self.inner.poll_end(cx) {
            return Poll::Ready(end);
        }
        match &mut self.state {
            State::Runs(work) => match catch(|| work.as_mut().poll(cx)) {
                Ok(polled) => polled,
                Err(Panicked) => Poll::Ready(StreamEnd::Panicked),
            },
            State::Panicked | State::Over => Poll::Ready(StreamEnd::Panicked),
        }
    }

    /// Drops the producer, ends the stream if it has not ended for another reason, and runs the clean-up.
    fn conclude(&mut self, mut end: StreamEnd) {
        let state = std::mem::replace(&mut self.state, State::Over);
        if let State::Over = state {
            return;
        }
        // Dropping the producer's work runs its code again.
        if catch(|| drop(state)).is_err() {
            end = StreamEnd::Panicked;
        }
        if let Some(shared) = self.shared.upgrade() {
            shared.end(&self.inner, end.clone());
        }
        let end = self.inner.end().unwrap_or(end);
        self.inner.clean_up.run(end);
    }
}

impl Future for ProducerTask {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        match this.poll_end(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(end) => {
                this.conclude(end);
                Poll::Ready(())
            }
        }
    }
}

/// The runtime was shut down.
impl Drop for ProducerTask {
    fn drop(&mut self) {
        self.conclude(StreamEnd::Dropped);
    }
}

//! The application's hook before each attempt.

use std::{
    error::Error,
    fmt,
    future::{Future, ready},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use sse_core::{
    client::Attempt,
    internal::{Panicked, catch},
};

use crate::contained::Contained;

type BoxError = Box<dyn Error + Send + Sync>;

/// The decision of a hook of [`EventSource::prepare`](crate::EventSource::prepare) about an [`Attempt`].
/// The hook returns it, alone or in a `Result`.
///
/// ```
/// use std::time::Duration;
/// use sse_driver::{EventSource, Prepared, Runtime};
/// use sse_core::client::InvalidRequest;
///
/// /// Connects only while `is_wanted` returns true.
/// fn subscribe<R: Runtime + Default>(is_wanted: fn() -> bool) -> Result<EventSource<R>, InvalidRequest> {
///     let source = EventSource::new("https://example.org/events")?;
///     Ok(source.prepare(move |attempt| async move {
///         match (is_wanted(), attempt.number) {
///             (true, 1..=20) => Prepared::Send(attempt),
///             (true, _) => Prepared::Stop, // The server was away for too long.
///             (false, _) => Prepared::Wait(Duration::from_secs(5)),
///         }
///     }))
/// }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
#[allow(clippy::large_enum_variant)] // There is one for each attempt.
pub enum Prepared {
    /// Makes this attempt. Changes to it stay for later attempts.
    Send(Attempt),
    /// Postpones the attempt, and calls the hook again after this time, or after the [shortest
    /// reconnection time](sse_core::client::Reconnection::floor) if that is longer.
    Wait(Duration),
    /// Ends the subscription instead. It ends as the last attempt did: with the failure of its unexpected
    /// response or its loss, or properly.
    Stop,
}

/// A value that a hook may return: [`Prepared`], an [`Attempt`] to send, or a `Result` of one of them,
/// whose error is a loss.
#[diagnostic::on_unimplemented(
    message = "a hook before an attempt cannot return `{Self}`",
    label = "neither an attempt nor what to do instead",
    note = "a hook returns a future of an `Attempt`, a `Prepared`, or a `Result` of one of these, \
            whose error is a loss"
)]
pub trait IntoPrepared: sealed::IntoPrepared {}

impl<T: sealed::IntoPrepared> IntoPrepared for T {}

mod sealed {
    use super::{Attempt, BoxError, Prepared};

    pub trait IntoPrepared {
        fn into_prepared(self) -> Result<Prepared, BoxError>;
    }

    impl IntoPrepared for Prepared {
        fn into_prepared(self) -> Result<Prepared, BoxError> {
            Ok(self)
        }
    }

    impl IntoPrepared for Attempt {
        fn into_prepared(self) -> Result<Prepared, BoxError> {
            Ok(Prepared::Send(self))
        }
    }

    impl<E: Into<BoxError>> IntoPrepared for Result<Prepared, E> {
        fn into_prepared(self) -> Result<Prepared, BoxError> {
            self.map_err(Into::into)
        }
    }

    impl<E: Into<BoxError>> IntoPrepared for Result<Attempt, E> {
        fn into_prepared(self) -> Result<Prepared, BoxError> {
            self.map(Prepared::Send).map_err(Into::into)
        }
    }
}

/// The error of a hook of [`EventSource::prepare`](crate::EventSource::prepare) that panicked, which is
/// the [cause](sse_core::client::Loss::cause) of a loss. The panic hook has reported the panic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PreparePanicked;

impl fmt::Display for PreparePanicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the hook before the attempt panicked")
    }
}

impl Error for PreparePanicked {}

type Hook = Box<dyn FnMut(Attempt) -> Running + Send>;
type Running = Pin<Box<dyn Future<Output = Result<Prepared, BoxError>> + Send>>;

/// The hook, and its running future. Its panics are caught.
pub(super) struct Preparer {
    hook: Hook,
    running: Contained<Option<Running>>,
}

impl Preparer {
    pub(super) fn new<H, F>(mut hook: H) -> Self
    where
        H: FnMut(Attempt) -> F + Send + 'static,
        F: Future<Output: IntoPrepared> + Send + 'static,
    {
        Self {
            hook: Box::new(move |attempt| {
                let prepared = hook(attempt);
                Box::pin(async { sealed::IntoPrepared::into_prepared(prepared.await) })
            }),
            running: Contained::default(),
        }
    }

    pub(super) fn begin(&mut self, attempt: Attempt) {
        let hook = &mut self.hook;
        let running = match catch(|| hook(attempt)) {
            Ok(running) => running,
            Err(Panicked) => Box::pin(ready(Err(PreparePanicked.into()))),
        };
        self.running.set(Some(running));
    }

    /// Becomes ready when the hook does; pending where it is not running.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Prepared, BoxError>> {
        let Some(running) = &mut *self.running else {
            return Poll::Pending;
        };
        let prepared = match catch(|| running.as_mut().poll(cx)) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(prepared)) => prepared,
            Err(Panicked) => Err(PreparePanicked.into()),
        };
        self.cancel();
        Poll::Ready(prepared)
    }

    /// Drops the running future.
    pub(super) fn cancel(&mut self) {
        self.running.clear();
    }
}

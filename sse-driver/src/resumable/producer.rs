//! The producer of a resumable stream, and how it publishes.

use std::{
    error::Error,
    fmt,
    future::{Future, poll_fn},
    pin::pin,
    sync::{Arc, Weak},
};

use futures_core::Stream;
use sse_core::{
    EventError, IntoEvent, IntoStreamItem, StreamItem, Text,
    lifecycle::CleanUp,
    topic::{
        HistoryBound, PublishError,
        resumable::{StreamEnd, StreamError},
    },
};

use super::{shared::Shared, stream::Inner, task::Work};
use crate::{
    router::kind::{IsFuture, IsNothing, IsResult, IsStream, Sealed},
    wait::let_others_run,
};

/// The number of events after which a producer lets other tasks run, because its stream may always be
/// ready.
const EVENTS: usize = 32;

/// The producer's side of a [resumable stream](super::ResumableStreams): it publishes, and learns how the
/// stream ended.
///
/// Clones are handles to the same stream, and may be used on any thread. They do not keep the stream
/// running.
///
/// ```
/// use sse_driver::{Producer, core::topic::PublishError};
///
/// async fn answer(producer: Producer) -> Result<(), PublishError> {
///     producer.clean_up().add(|end| println!("over: {end}"));
///     for token in ["Once", " upon", " a time"] {
///         producer.publish(token)?;
///     }
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct Producer {
    shared: Weak<Shared>,
    inner: Arc<Inner>,
}

impl Producer {
    pub(super) fn new(shared: &Arc<Shared>, inner: Arc<Inner>) -> Self {
        Self {
            shared: Arc::downgrade(shared),
            inner,
        }
    }

    /// Returns the stream's name, by which clients find it.
    #[must_use]
    pub fn name(&self) -> &Text {
        self.inner.name()
    }

    /// Returns the handle for callbacks that run when the stream is over: each runs exactly once, with
    /// the [`StreamEnd`], whatever ended the stream. By then the work of the producer has been dropped.
    #[must_use]
    pub fn clean_up(&self) -> CleanUp<StreamEnd> {
        self.inner.clean_up.handle()
    }

    /// Publishes an event. It never waits, neither for clients nor for anything else. An event without an
    /// ID gets one.
    ///
    /// It may also be called on a thread, such as in `spawn_blocking`.
    ///
    /// # Errors
    ///
    /// [`PublishError`]; nothing is published then. [`Closed`](PublishError::Closed) means that the
    /// stream has ended, so that the producer can stop. [`Full`](PublishError::Full) ends the stream,
    /// with [`StreamEnd::TooLarge`].
    pub fn publish(&self, event: impl IntoEvent) -> Result<(), PublishError> {
        let event = event.into_event()?;
        loop {
            let error = match self.inner.topic().publish_event(&event) {
                Ok(_) => return Ok(()),
                Err(error) => error,
            };
            if let (PublishError::Full { bound }, Some(shared)) = (&error, self.shared.upgrade()) {
                let is_shared = *bound == HistoryBound::Budget;
                if is_shared && shared.act(|table, _| table.forget_one()) {
                    continue;
                }
                shared.end(&self.inner, StreamEnd::TooLarge(*bound));
            }
            return Err(error);
        }
    }

    /// Returns how the stream ended, or `None` while it runs. A clone in another thread tells by it that
    /// the producer was cancelled.
    #[must_use]
    pub fn end(&self) -> Option<StreamEnd> {
        self.inner.end()
    }

    /// Returns the number of clients that are attached to the stream now.
    #[must_use]
    pub fn listeners(&self) -> u64 {
        let shared = self.shared.upgrade();
        shared.map_or(0, |shared| {
            shared.act(|table, _| table.listeners(self.inner.id()))
        })
    }

    /// Publishes what a stream yielded.
    fn publish_item(&self, item: Result<StreamItem, EventError>) -> Result<(), StreamEnd> {
        let published = match item {
            Ok(StreamItem::Event(event)) => self.publish(event),
            // The connections send keep-alives of their own.
            Ok(StreamItem::Comment(_)) => Ok(()),
            Ok(StreamItem::Encoded(events)) => events
                .into_events()
                .try_for_each(|event| self.publish(event)),
            Err(error) => return Err(StreamEnd::Failed(error.into())),
        };
        published.map_err(end_of)
    }
}

impl fmt::Debug for Producer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Producer")
            .field("name", self.name())
            .field("end", &self.end())
            .finish_non_exhaustive()
    }
}

/// The work of a producer: a stream of values that a handler may yield, `()`, a `Result` of one of these,
/// or a future of any of them.
///
/// | the function given to [`start`](super::ResumableStreams::start) returns | the stream ends |
/// |---|---|
/// | a stream | `Complete` with it; `Failed` with its first error |
/// | a future, which may [publish](Producer::publish) | `Complete` when it is done |
/// | a future of a `Result` | `Complete` for `Ok`, `Failed` for `Err` |
/// | a future of a stream, or of a `Result` of one | as the stream does |
///
/// Comments that a stream yields are left out: a history has only events. Events of a topic are published
/// with their IDs.
///
/// `Kind` distinguishes these for the compiler, which infers it. The trait is sealed.
#[diagnostic::on_unimplemented(
    message = "a producer cannot be `{Self}`",
    label = "neither a stream of events nor a future",
    note = "a producer is a `Stream + Send + 'static` whose items are `IntoEvent`, `()`, a `Result` of \
            one of these, or a future of any of them"
)]
pub trait IntoProducer<Kind>: Send + Sized {
    /// No type outside this crate can name this type, so that none can implement the trait.
    #[doc(hidden)]
    const SEALED: Sealed;

    /// Runs the work to its end.
    #[doc(hidden)]
    fn run(self, producer: &Producer) -> impl Future<Output = Result<(), StreamEnd>> + Send;
}

/// Returns the work of a producer, which its task polls.
pub(super) fn work<K>(producer: impl IntoProducer<K> + 'static, handle: Producer) -> Work
where
    K: 'static,
{
    Box::pin(async move {
        match producer.run(&handle).await {
            Ok(()) => StreamEnd::Complete,
            Err(end) => end,
        }
    })
}

impl<S> IntoProducer<IsStream> for S
where
    S: Stream + Send,
    S::Item: IntoStreamItem,
{
    const SEALED: Sealed = Sealed;

    async fn run(self, producer: &Producer) -> Result<(), StreamEnd> {
        let mut stream = pin!(self);
        let mut events = 0;
        while let Some(published) = poll_fn(|cx| {
            let item = stream.as_mut().poll_next(cx);
            item.map(|item| item.map(|item| producer.publish_item(item.into_stream_item())))
        })
        .await
        {
            published?;
            events += 1;
            if events == EVENTS {
                events = 0;
                let_others_run().await;
            }
        }
        Ok(())
    }
}

impl IntoProducer<IsNothing> for () {
    const SEALED: Sealed = Sealed;

    async fn run(self, _: &Producer) -> Result<(), StreamEnd> {
        Ok(())
    }
}

impl<W, E, K> IntoProducer<IsResult<K>> for Result<W, E>
where
    W: IntoProducer<K>,
    E: Into<Box<dyn Error + Send + Sync>> + Send,
{
    const SEALED: Sealed = Sealed;

    async fn run(self, producer: &Producer) -> Result<(), StreamEnd> {
        match self {
            Ok(producers) => producers.run(producer).await,
            Err(error) => Err(end_of_error(error.into())),
        }
    }
}

impl<F, K> IntoProducer<IsFuture<K>> for F
where
    F: Future<Output: IntoProducer<K>> + Send,
{
    const SEALED: Sealed = Sealed;

    async fn run(self, producer: &Producer) -> Result<(), StreamEnd> {
        self.await.run(producer).await
    }
}

/// Returns how a stream ends whose producer failed with this error. An error of publishing tells more.
fn end_of_error(error: Box<dyn Error + Send + Sync>) -> StreamEnd {
    let error = match error.downcast::<PublishError>() {
        Ok(error) => return end_of(*error),
        Err(error) => error,
    };
    StreamEnd::Failed(match error.downcast::<EventError>() {
        Ok(error) => (*error).into(),
        Err(error) => StreamError::new(error),
    })
}

/// Returns how a stream ends for an event that could not be published.
fn end_of(error: PublishError) -> StreamEnd {
    match error {
        PublishError::Full { bound } => StreamEnd::TooLarge(bound),
        PublishError::TooLarge { .. } => StreamEnd::TooLarge(HistoryBound::Bytes),
        PublishError::Event(error) => StreamEnd::Failed(error.into()),
        // If the stream has ended before, that end counts.
        error => StreamEnd::Failed(StreamError::new(error)),
    }
}

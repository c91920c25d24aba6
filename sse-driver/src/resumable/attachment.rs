//! A client that reads a stream.

use std::{
    borrow::Cow,
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::Stream;
use sse_core::{
    SlowConsumer,
    lifecycle::ShutdownSignal,
    topic::{Batch, Lag, Outcome, ResumeRequest, Subscriber, resumable::ResumableConfig},
};

use super::ResumableStream;

/// A client that is attached to a [resumable stream](super::ResumableStreams). A handler returns it, or
/// makes a [`Reply`](crate::router::Reply) from it.
///
/// The response is the event stream, from the client's last event on; or 204 if the client has the last
/// event of the stream. While this is held the client counts as a listener, and the producer's grace time
/// does not begin.
///
/// As a [`Stream`] it can be combined with others. The result is then an ordinary stream: it never
/// responds with 204 ([`is_over`](Self::is_over) tells when to), and it does not end when the server
/// begins to shut down, unless
/// [`Reply::with_end_at_shutdown`](crate::router::Reply::with_end_at_shutdown) says so.
///
/// ```
/// use sse_driver::{Attachment, ResumableStreams, router::{Reply, Request}};
/// use sse_core::http::{HeaderValue, header};
///
/// fn handler(answers: &ResumableStreams, request: &Request) -> Option<Reply> {
///     let attachment: Attachment = answers.attach("the answer", request)?;
///     let no_store = HeaderValue::from_static("no-store");
///     Some(Reply::from(attachment).with_header(header::CACHE_CONTROL, no_store))
/// }
/// ```
pub struct Attachment {
    subscriber: Subscriber,
    stream: ResumableStream,
    /// The shutdown of the client's server, until it has begun.
    shutdown: Option<ShutdownSignal>,
}

/// Returns the last event ID in the request.
pub(super) fn last_event_id<'r>(
    request: &'r impl ResumeRequest,
    config: &ResumableConfig,
) -> Option<Cow<'r, str>> {
    let id = request.last_event_id(&config.topic.last_event_id_param)?;
    Some(id).filter(|id| !id.is_empty())
}

impl Attachment {
    /// Creates the attachment of a client that counts as a listener already.
    pub(super) fn of_listener(
        stream: ResumableStream,
        last_event_id: Option<&str>,
        shutdown: Option<ShutdownSignal>,
    ) -> Self {
        let topic = stream.inner().topic();
        let subscriber = match last_event_id.filter(|id| !id.is_empty()) {
            Some(id) => topic.resume_from(Some(id)),
            None => topic.subscribe_from_oldest(),
        };
        Self {
            subscriber,
            stream,
            shutdown,
        }
    }

    /// Returns the stream that the client is attached to.
    #[must_use]
    pub fn stream(&self) -> &ResumableStream {
        &self.stream
    }

    /// Returns how the client joined the history. With the default settings it is
    /// [`Resumed`](Outcome::Resumed), [`Fresh`](Outcome::Fresh) for a client without a last event ID, or
    /// [`Unknown`](Outcome::Unknown) where the ID is not one of the stream's; then the client is told so
    /// by a [`Notice`](sse_core::topic::Notice), and gets everything from the beginning.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.subscriber.outcome()
    }

    /// Returns whether the client has the last event, so that there are no more events for it. The
    /// response is then a 204, which tells an EventSource not to reconnect.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.subscriber.end().is_some()
    }

    pub(crate) fn lag(&self) -> Lag {
        self.subscriber.lag()
    }

    pub(crate) fn outcome_for_header(&self) -> Option<Outcome> {
        self.subscriber.outcome_for_header()
    }

    /// Tells the stream if the client's server has begun to shut down. A connection calls this also while its client
    /// takes no bytes, and the attachment is not polled.
    pub(crate) fn hear_of_shutdown(&mut self) {
        let has_begun = ShutdownSignal::has_begun;
        if self.shutdown.as_ref().is_some_and(has_begun) {
            self.shutdown = None;
            let id = self.stream.inner().id();
            let shared = self.stream.shared();
            shared.act(|table, now| table.handle_shutdown(now, id));
        }
    }

    /// Returns whether the stream's topic compresses its events.
    #[cfg(feature = "compression")]
    pub(crate) fn is_compressed(&self) -> bool {
        self.subscriber.is_compressed()
    }

    /// Returns whether the client's connection ends when its server begins to shut down.
    pub(crate) fn ends_at_shutdown(&self) -> bool {
        self.stream.shared().config().shutdown_grace.is_none()
    }
}

impl Stream for Attachment {
    type Item = Result<Batch, SlowConsumer>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        // In another stream it hears of a shutdown by this alone. A shutdown wakes the connection, so nothing has
        // to be registered here.
        self.hear_of_shutdown();
        self.subscriber.poll_next(cx)
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        let id = self.stream.inner().id();
        let shared = self.stream.shared();
        shared.act(|table, now| table.detach(now, id));
    }
}

impl fmt::Debug for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attachment")
            .field("stream", &self.stream)
            .field("outcome", &self.outcome())
            .finish_non_exhaustive()
    }
}

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

/// A client that is attached to a [resumable stream](super::ResumableStreams): a handler returns it as it
/// is, or makes a [`Reply`](crate::router::Reply) of it.
///
/// The answer is the event stream, from where the client was; or 204 where it has had the last event.
/// For as long as this is held the client counts as a listener, and the producer's grace time does not
/// begin.
///
/// As a [`Stream`] it can be combined with others. What is made of it then is any stream, which
/// answers no 204 ([`is_over`](Self::is_over) tells when to) and ends when the server begins to shut
/// down ([`Reply::with_end_at_shutdown`](crate::router::Reply::with_end_at_shutdown)).
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
    /// That of the client's server, until it has begun.
    shutdown: Option<ShutdownSignal>,
}

/// The last event ID that the request names.
pub(super) fn last_event_id<'r>(
    request: &'r impl ResumeRequest,
    config: &ResumableConfig,
) -> Option<Cow<'r, str>> {
    let id = request.last_event_id(&config.topic.last_event_id_param)?;
    Some(id).filter(|id| !id.is_empty())
}

impl Attachment {
    /// A client that counts as a listener already.
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

    /// Returns the stream.
    #[must_use]
    pub fn stream(&self) -> &ResumableStream {
        &self.stream
    }

    /// How the client joins the history. With the default settings it is
    /// [`Resumed`](Outcome::Resumed), [`Fresh`](Outcome::Fresh) for a client without a last event
    /// ID, or [`Unknown`](Outcome::Unknown) where the ID is none of the stream's; then the client is
    /// told so by a [`Notice`](sse_core::topic::Notice), and gets everything from the beginning.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.subscriber.outcome()
    }

    /// Returns whether the client has had the last event, so that there is nothing for it any more.
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

    /// Whether the stream's topic compresses what the producer publishes.
    #[cfg(feature = "compression")]
    pub(crate) fn is_compressed(&self) -> bool {
        self.subscriber.is_compressed()
    }

    /// Whether the client's connection ends when its server begins to shut down.
    pub(crate) fn ends_at_shutdown(&self) -> bool {
        self.stream.shared().config().shutdown_grace.is_none()
    }
}

impl Stream for Attachment {
    type Item = Result<Batch, SlowConsumer>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        // The connection is woken when a shutdown begins, so that nothing has to be registered here.
        if this
            .shutdown
            .as_ref()
            .is_some_and(ShutdownSignal::has_begun)
        {
            this.shutdown = None;
            let id = this.stream.inner().id();
            let shared = this.stream.shared();
            shared.act(|table, now| table.handle_shutdown(now, id));
        }
        this.subscriber.poll_next(cx)
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

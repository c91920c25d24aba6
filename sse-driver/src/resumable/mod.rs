//! Streams that outlive their connections, with their producers' tasks.
//!
//! The states are those of [`sse_core::topic::resumable`]. This module runs them: it has a task for each
//! producer, a task for the deadlines of all streams, and the types that a handler returns to its client.

mod attachment;
mod keeper;
mod producer;
mod shared;
mod stream;
mod task;
#[cfg(all(test, loom, feature = "loom"))]
mod under_loom;

use std::{fmt, sync::Arc};

use sse_core::{
    Text,
    internal::catch,
    topic::resumable::{ResumableConfig, ResumableStats, StartError},
};

use crate::{Runtime, router::Request};

pub use attachment::Attachment;
pub use producer::{IntoProducer, Producer};
use shared::{Shared, Starts};
use stream::Inner;
pub use stream::ResumableStream;

/// Streams that outlive the connections on which they are read, such as the answers of a language model
/// or the progress of long jobs.
///
/// A handler starts a *producer* under a name. The producer runs in a task of its own, and its events are
/// kept in a bounded history. Clients attach to the name, leave, and come back with their last event ID;
/// each gets all events after it, also after the producer's end. Without clients the producer is
/// cancelled after a [grace time](ResumableConfig::grace); its events are kept for a
/// [while](ResumableConfig::retention) after its end. [`ResumableConfig`] has all bounds.
///
/// Clones are handles to the same streams, and may be used on any thread.
///
/// ```
/// use futures_util::stream;
/// use sse_core::{http::StatusCode, topic::resumable::StartError};
/// use sse_driver::{
///     Attachment, ResumableStreams,
///     router::{Refusal, Reply, Request, Router, extract},
/// };
///
/// /// Starts the answer, or attaches to it if it was started before.
/// fn answer(answers: &ResumableStreams, request: &Request) -> Result<Attachment, Refusal> {
///     let id: String = extract::path(request, "id")?;
///     let attachment = answers.attach_or_start(&id, request, |producer| {
///         producer.clean_up().add(|end| println!("the answer is over: {end}"));
///         stream::iter(["Once", " upon", " a", " time"])
///     })?;
///     Ok(attachment)
/// }
///
/// /// The "stop" button.
/// fn stop(answers: &ResumableStreams, request: &Request) -> Result<Option<Reply>, Refusal> {
///     let id: String = extract::path(request, "id")?;
///     let is_stopped = answers.stop(&id, "the user stopped it");
///     Ok(is_stopped.then(|| Reply::empty(StatusCode::NO_CONTENT)))
/// }
///
/// # fn router<R: sse_driver::Runtime + Default>() -> Router {
/// # type Tokio<R> = R;
/// let answers = ResumableStreams::on(Tokio::<R>::default(), Default::default());
/// let stopped = answers.clone();
/// Router::new()
///     .events("/answers/{id}", move |request| answer(&answers, &request))
///     .post("/answers/{id}/stop", move |request| stop(&stopped, &request))
/// # }
/// ```
///
/// # What a client sees
///
/// Every event has an ID. The last one tells how the stream ended: by default its type is `end` and its
/// data `{"outcome":"complete"}`, or another outcome of
/// [`StreamEnd`](sse_core::topic::resumable::StreamEnd). It comes whatever ends the stream: the
/// producer's end, its error or panic, a stop, the grace time, a bound, a shutdown. The response then
/// ends properly. A client that reconnects with the ID of this event gets a 204, which tells an
/// `EventSource` not to reconnect. No client therefore reconnects forever to a stream that broke off.
///
/// A client without a last event ID, such as a page that was reloaded, gets the stream from its
/// beginning. A page that stored the ID can send it in the query (`?lastEventId=…`,
/// [`TopicConfig::last_event_id_param`](sse_core::topic::TopicConfig::last_event_id_param)).
///
/// For a name that is unknown or forgotten [`attach`](Self::attach) returns `None`, which becomes a 404
/// if the handler returns it. [`attach_or_start`](Self::attach_or_start) starts no producer for a client
/// that reconnects to a forgotten stream: it returns an error, which becomes a 404, too.
///
/// # Names are not secret
///
/// Names appear in URLs, logs and histories of browsers, and any client may try one. The handler has to
/// authorise each attachment and each stop, as it does for any request. [`of`](Self::of) helps with that:
/// it returns a handle to the streams of one owner, such as the user who is logged in, which finds no
/// others.
///
/// ```
/// # use sse_core::http::StatusCode;
/// # use sse_driver::{Attachment, ResumableStreams, router::{FromRequest, Refusal, Request, extract}};
/// # struct User { id: String }
/// # impl FromRequest for User {
/// #     async fn from_request(request: &Request) -> Result<Self, Refusal> {
/// #         extract::cookie(request, "user").map(|id| Self { id })
/// #     }
/// # }
/// async fn answer(
///     answers: ResumableStreams,
///     request: Request,
/// ) -> Result<Option<Attachment>, Refusal> {
///     let user = User::from_request(&request).await?;
///     let id: String = extract::path(&request, "id")?;
///     Ok(answers.of(&user.id).attach(&id, &request))
/// }
/// ```
///
/// # When the server shuts down
///
/// The histories are in this process, so a client cannot resume on another server: for that there is
/// `event_log::SharedStreams`, with the feature `event-log`. When a server begins to shut down, the streams
/// of its clients therefore continue for up to
/// [`shutdown_grace`](ResumableConfig::shutdown_grace) (5 s), so that short ones are completed. Then
/// their producers are cancelled with
/// [`StreamEnd::Shutdown`](sse_core::topic::resumable::StreamEnd::Shutdown), and the clients get that as
/// the last event, before the server's own deadline (10 s). Producers without clients run until the
/// runtime ends, and their clean-up callbacks then get
/// [`StreamEnd::Dropped`](sse_core::topic::resumable::StreamEnd::Dropped). [`stop_all`](Self::stop_all)
/// ends them before that, and [`ResumableStream::ended`] waits for one.
///
/// # Tasks
///
/// [`start`](Self::start) and [`attach_or_start`](Self::attach_or_start) spawn the producer on the
/// runtime: call them where the runtime's own `spawn` may be called, such as in any handler. When the
/// last handle and the last client are gone, all producers are cancelled with
/// [`StreamEnd::Dropped`](sse_core::topic::resumable::StreamEnd::Dropped).
#[derive(Clone)]
pub struct ResumableStreams {
    shared: Arc<Shared>,
    owner: Text,
}

impl ResumableStreams {
    /// Creates the streams, whose producers run on this runtime: `ResumableStreams::on(Tokio, config)`.
    #[must_use]
    pub fn on(runtime: impl Runtime, config: ResumableConfig) -> Self {
        Self {
            shared: Arc::new(Shared::new(runtime, config)),
            owner: Text::default(),
        }
    }

    /// Returns a handle to the streams of this owner. Names are the owner's own, and calls on the handle
    /// affect no stream of another owner. The number of an owner's streams is
    /// [bounded](ResumableConfig::max_streams_per_owner).
    ///
    /// An empty text means no owner: these are the streams of the first handle.
    #[must_use]
    pub fn of(&self, owner: impl Into<Text>) -> Self {
        Self {
            shared: self.shared.clone(),
            owner: owner.into(),
        }
    }

    /// Starts a stream, or finds the one of this name, whether it runs or is finished; `producer` is not
    /// called then.
    ///
    /// `producer` is called at once, and returns the work to run: see [`IntoProducer`]. Without a client
    /// the [grace time](ResumableConfig::grace) begins now.
    ///
    /// ```
    /// use futures_util::stream;
    /// use sse_core::{Event, EventError};
    /// use sse_driver::{Producer, ResumableStreams};
    ///
    /// # fn examples(streams: ResumableStreams) -> Result<(), Box<dyn std::error::Error>> {
    /// // A stream of any values that a handler may yield.
    /// streams.start("count", |_| stream::iter(0..100))?;
    ///
    /// // A task that publishes by itself.
    /// streams.start("job", async |job: Producer| {
    ///     for done in 1..=100 {
    ///         job.publish(Event::json(&done)?.with_event_type("progress"))?;
    ///     }
    ///     Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// })?;
    ///
    /// // A future of a stream, which may fail before the stream begins.
    /// # async fn ask_model() -> Result<stream::Empty<String>, std::io::Error> { Ok(stream::empty()) }
    /// streams.start("answer", |_| ask_model())?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`StartError`] where there is no such stream and no room for one. With `?` in a handler it becomes
    /// a refusal: 503, or 429 at the bound of the owner, or 400 for a name that is too long.
    pub fn start<W, K>(
        &self,
        name: &str,
        producer: impl FnOnce(Producer) -> W,
    ) -> Result<ResumableStream, StartError>
    where
        W: IntoProducer<K> + 'static,
        K: 'static,
    {
        let (inner, is_new) = self.shared.start(&self.owner, name, Starts::Alone)?;
        Ok(self.run(inner, is_new, producer))
    }

    /// Attaches the client that sent `request` to the stream of this name, which is
    /// [started](Self::start) if there is none. For a client that comes with a last event ID no stream is
    /// started: its stream is forgotten, and the client does not ask for the same work again.
    ///
    /// # Errors
    ///
    /// [`StartError`] as for [`start`](Self::start), and [`StartError::Forgotten`] for a client with a
    /// last event ID whose stream is forgotten. With `?` in a handler the latter becomes a 404.
    pub fn attach_or_start<W, K>(
        &self,
        name: &str,
        request: &Request,
        producer: impl FnOnce(Producer) -> W,
    ) -> Result<Attachment, StartError>
    where
        W: IntoProducer<K> + 'static,
        K: 'static,
    {
        let id = attachment::last_event_id(request, self.config());
        let starts = match id {
            Some(_) => Starts::Never,
            None => Starts::WithListener,
        };
        let (inner, is_new) = self.shared.start(&self.owner, name, starts)?;
        let stream = self.run(inner, is_new, producer);
        let shutdown = Some(request.shutdown());
        Ok(Attachment::of_listener(stream, id.as_deref(), shutdown))
    }

    /// Attaches the client that sent `request` to the stream of this name, if there is one:
    /// [`ResumableStream::attach`].
    #[must_use]
    pub fn attach(&self, name: &str, request: &Request) -> Option<Attachment> {
        Some(self.get(name)?.attach(request))
    }

    /// Returns the stream of this name, if there is one.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<ResumableStream> {
        let inner = self.shared.find(&self.owner, name)?;
        Some(self.handle(inner))
    }

    /// Returns all streams of this owner, in the order of their names; on a handle without an owner,
    /// those of all owners.
    #[must_use]
    pub fn all(&self) -> Vec<ResumableStream> {
        let all = self.shared.all(self.owner_to_list());
        all.into_iter().map(|inner| self.handle(inner)).collect()
    }

    /// Stops the stream of this name: its producer is cancelled, and its clients get the last event.
    /// `reason` is for the producer's clean-up and for logs. Returns whether the stream was running.
    pub fn stop(&self, name: &str, reason: impl Into<Text>) -> bool {
        self.get(name).is_some_and(|stream| stream.stop(reason))
    }

    /// Stops all streams of this owner; on a handle without an owner, those of all owners. Returns the
    /// number of streams that were running.
    pub fn stop_all(&self, reason: impl Into<Text>) -> usize {
        let reason = reason.into();
        let all = self.all().into_iter();
        all.filter(|stream| stream.stop(reason.clone())).count()
    }

    /// Stops the stream of this name, if it runs, and forgets it, so that it can be started anew. Returns
    /// whether there was one. Clients that read it get the rest, followed by the last event.
    pub fn forget(&self, name: &str, reason: impl Into<Text>) -> bool {
        let Some(inner) = self.shared.find(&self.owner, name) else {
            return false;
        };
        let reason = reason.into();
        self.shared
            .act(|table, now| table.forget(now, inner.id(), reason))
    }

    /// Returns the counters and gauges of all streams, in a time that grows with their number.
    #[must_use]
    pub fn stats(&self) -> ResumableStats {
        self.shared.act(|table, _| table.stats())
    }

    /// Returns the settings.
    #[must_use]
    pub fn config(&self) -> &ResumableConfig {
        self.shared.config()
    }

    fn owner_to_list(&self) -> Option<&str> {
        Some(&*self.owner).filter(|owner| !owner.is_empty())
    }

    fn handle(&self, inner: Arc<Inner>) -> ResumableStream {
        ResumableStream::new(self.shared.clone(), inner)
    }

    /// Starts the producer of a new stream.
    fn run<W, K>(
        &self,
        inner: Arc<Inner>,
        is_new: bool,
        producer: impl FnOnce(Producer) -> W,
    ) -> ResumableStream
    where
        W: IntoProducer<K> + 'static,
        K: 'static,
    {
        if is_new {
            let handle = Producer::new(&self.shared, inner.clone());
            let work = catch(|| producer::work(producer(handle.clone()), handle));
            self.shared.spawn(inner.clone(), work);
        }
        self.handle(inner)
    }
}

impl fmt::Debug for ResumableStreams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResumableStreams")
            .field("config", self.config())
            .field("owner", &self.owner)
            .field("stats", &self.stats())
            .finish()
    }
}

//! Streams that outlive their connections, on many nodes.
//!
//! The states are in [`sse_core::topic::resumable::member`]. This module has the rest: a task for each
//! stream that this node runs or reads, the producers, and the values that a handler returns.

mod attachment;
mod calls;
mod config;
mod copy;
mod error;
mod known;
mod room;
mod task;

use std::{fmt, sync::Arc};

use sse_core::{
    Text,
    internal::sync::{AtomicBool, Ordering, lock},
    topic::{
        ResumeRequest,
        resumable::{ResumableStats, StartError, StreamEnd, member::MemberPhase},
    },
};

use super::EventLog;
use crate::{IntoProducer, Producer, Runtime, router::Request};

pub use attachment::SharedAttachment;
use calls::{Call, Shared, StreamName};
pub use config::SharedStreamsConfig;
pub use error::SharedStreamError;
pub use known::SharedStream;
use room::Starter;

/// Streams that outlive the connections on which they are read, on many nodes over an [`EventLog`], as
/// [`ResumableStreams`](crate::ResumableStreams) are in one process. A stream that was started on one
/// node can be read on any, resumed on another and stopped from a third.
///
/// The producer runs on the node that started the stream, and its items go to a topic of the log. Every
/// node that is asked for the name follows that topic. The nodes agree only by records in it: see [the
/// guarantees](sse_core::topic::resumable::member). The calls are async, because they wait for the log;
/// otherwise they are those of `ResumableStreams`, and a producer is the same
/// [`Producer`](crate::Producer).
///
/// ```
/// use futures_util::stream;
/// use sse_core::http::StatusCode;
/// use sse_driver::{
///     event_log::{MemoryLog, SharedAttachment, SharedStreamError, SharedStreams},
///     router::{Refusal, Reply, Request, Router, extract},
/// };
///
/// /// Starts the answer, or attaches to it where it was started before, on whichever node.
/// async fn answer(
///     answers: SharedStreams,
///     request: Request,
/// ) -> Result<SharedAttachment, Refusal> {
///     let id: String = extract::path(&request, "id")?;
///     let attachment = answers.attach_or_start(&id, &request, |producer| {
///         producer.clean_up().add(|end| println!("the answer is over: {end}"));
///         stream::iter(["Once", " upon", " a", " time"])
///     });
///     Ok(attachment.await?)
/// }
///
/// /// The button "stop".
/// async fn stop(answers: SharedStreams, request: Request) -> Result<Option<Reply>, Refusal> {
///     let id: String = extract::path(&request, "id")?;
///     let stopped = answers.stop(&id, "the user stopped it").await?;
///     Ok(stopped.then(|| Reply::empty(StatusCode::NO_CONTENT)))
/// }
///
/// # fn router<R: sse_driver::Runtime + Default>() -> Router {
/// # type Tokio<R> = R;
/// // One that other processes reach takes its place in production.
/// let log = MemoryLog::new(1);
/// let answers = SharedStreams::on(Tokio::<R>::default(), log, Default::default());
/// let stopped = answers.clone();
/// Router::new()
///     .events("/answers/{id}", move |request| answer(answers.clone(), request))
///     .post("/answers/{id}/stop", move |request| stop(stopped.clone(), request))
/// # }
/// ```
///
/// # What a client receives
///
/// A client receives the same as from [`ResumableStreams`](crate::ResumableStreams#what-a-client-sees),
/// on any node: the stream from its beginning or from the client's last event ID, then the last event,
/// and a 204 if it has had that. The ID of each event is its place in the log. An ID that the producer
/// gave it is removed, so that any node can resume there. Two outcomes concern nodes:
///
/// - `lost`: the producer's node has died, or was silent for the [lease](SharedStreamsConfig::lease); or
///   the log has lost the stream's history, for example at a restart or a failover. Such a log does not have
///   that last event. A client that returns with its ID gets a 404, not a 204. If the name was started again
///   meanwhile, the client gets the new stream without a notice.
/// - `failed`, if the claim of a node reached the log after the node had given it up; or if the log [rejects
///   the stream's events for good](crate::event_log::AppendError::Rejected), on the node of the producer, whose
///   clean-up gets [`StreamEnd::Rejected`]. Other nodes tell `lost` after the lease. The log does not have that
///   last event either.
///
/// # Retention
///
/// The log keeps a stream while its owner runs, and after that at least for the
/// [retention](sse_core::topic::resumable::ResumableConfig::retention) and the lease
/// ([`EventLog::keep_for`]). A node keeps a stream that has ended for the retention after it read the end,
/// whether it has clients or not. Then the name is free on this node, as in one process. A client that is
/// still attached gets the rest, the last event included, from what the node's memory has until the client
/// leaves; if that does not reach back to the client's place, a notice tells it that events are lost.
/// [`SharedStreamsConfig`] has all bounds.
///
/// # A log that has lost its history
///
/// The clean-up of a producer tells how the producer ended, when it ended. What it wrote may still be on the way
/// to the log then: if that comes back without its history, clients get `lost` though clean-up got
/// [`Complete`](sse_core::topic::resumable::StreamEnd::Complete).
///
/// Other nodes may start the name again in the log's new epoch, before this node has read that the epoch
/// changed. Until then, this node serves what it knows:
///
/// - of a stream that ran, its events. The node finds out with the next notification of the log, or when it
///   looks at the log's end ([`look_every`](sse_core::topic::follower::FollowerConfig::look_every)); the
///   client is told then: `unknown`, and the end `lost`.
/// - of a stream that has ended, its events and its end, for the retention, as long as the log has nothing
///   else under the name. Each call asks the log for that, but a node asks no more than once a second for
///   each name ([`check_ended_every`](SharedStreamsConfig::check_ended_every)): for up to a second it may
///   serve the ended stream once more. It also does if the log does not answer
///   ([`request_timeout`](sse_core::topic::follower::FollowerConfig::request_timeout)).
///
/// # What a node does not know
///
/// [`all`](Self::all), [`stop_all`](Self::stop_all), [`len`](Self::len) and [`stats`](Self::stats) are of this
/// node, because a log has no list of its topics. There is no `forget`: an [`EventLog`] does not remove a
/// topic, and other nodes would go on serving what they have read. To make an answer once more, use another
/// name, such as one with a number in it.
///
/// # Names
///
/// Names are not secret: [`of`](Self::of) finds the streams of one owner and no others. The topic of a
/// stream is `stream/LENGTH/OWNER/NAME`, with the length of the owner in bytes. The program must not have
/// topics of its own that begin with `stream/` in the same log.
///
/// # The end of a node
///
/// Its clients resume on other nodes. The streams that it runs end, because their producers do: with
/// [`shut_down`](Self::shut_down) at once and with the outcome `shutdown`, and otherwise with `lost`,
/// once another node reads them and the lease is over.
///
/// Clones are handles to the same streams, for any thread. When the last one is dropped, with all
/// attachments, the producers of this node are cancelled with [`StreamEnd::Dropped`].
#[derive(Clone)]
pub struct SharedStreams {
    shared: Arc<Shared>,
    owner: Text,
}

impl SharedStreams {
    /// Creates streams over this log, whose producers run on this runtime: `SharedStreams::on(Tokio, log,
    /// config)`. The log has to implement [`append_in`](EventLog::append_in).
    #[must_use]
    pub fn on(runtime: impl Runtime, log: impl EventLog, config: SharedStreamsConfig) -> Self {
        Self {
            shared: Arc::new(Shared::new(runtime, log, config)),
            owner: Text::default(),
        }
    }

    /// Returns the streams of this owner: see [`ResumableStreams::of`](crate::ResumableStreams::of).
    #[must_use]
    pub fn of(&self, owner: impl Into<Text>) -> Self {
        Self {
            shared: self.shared.clone(),
            owner: owner.into(),
        }
    }

    /// Starts a stream on this node, unless any node has one of this name, running or finished;
    /// `producer` is not called then. Of several calls on several nodes at once, one starts it. Returns
    /// whether this one did.
    ///
    /// A task calls `producer` once the log has the claim; it returns what is to be run: see
    /// [`IntoProducer`]. If this future is dropped before, the start continues. Without a client the
    /// [grace time](sse_core::topic::resumable::ResumableConfig::grace) begins then.
    ///
    /// # Errors
    ///
    /// [`SharedStreamError`].
    pub async fn start<W, K>(
        &self,
        name: &str,
        producer: impl FnOnce(Producer) -> W + Send + 'static,
    ) -> Result<bool, SharedStreamError>
    where
        W: IntoProducer<K> + 'static,
        K: 'static,
    {
        let call = self.call(name).await?;
        self.claim(&call, name, producer).await
    }

    /// Attaches the client that sent `request` to the stream of this name, and [starts](Self::start) the
    /// stream here if there is none. For a client that returns with a last event ID none is started,
    /// because its stream was forgotten.
    ///
    /// # Errors
    ///
    /// [`SharedStreamError`], with [`StartError::Forgotten`] for a client that returns. A handler's `?`
    /// makes that a 404.
    pub async fn attach_or_start<W, K>(
        &self,
        name: &str,
        request: &Request,
        producer: impl FnOnce(Producer) -> W + Send + 'static,
    ) -> Result<SharedAttachment, SharedStreamError>
    where
        W: IntoProducer<K> + 'static,
        K: 'static,
    {
        let id = self.last_event_id(request);
        let call = self.call(name).await?;
        if !call.is_there() {
            if id.is_some() {
                return Err(StartError::Forgotten.into());
            }
            self.claim(&call, name, producer).await?;
        }
        Ok(SharedAttachment::new(call.entry.clone(), id.as_deref()))
    }

    /// Attaches the client that sent `request` to the stream of this name. The client gets every event
    /// after the last event ID that the request names, or every event from the beginning if it names
    /// none. Returns `None` if no node has such a stream; a handler may return that, which makes a 404.
    ///
    /// # Errors
    ///
    /// [`SharedStreamError`].
    pub async fn attach(
        &self,
        name: &str,
        request: &Request,
    ) -> Result<Option<SharedAttachment>, SharedStreamError> {
        let id = self.last_event_id(request);
        self.attach_at(name, id.as_deref()).await
    }

    /// Attaches a client whose request came another way, or the program itself, after this last event ID.
    ///
    /// # Errors
    ///
    /// [`SharedStreamError`].
    pub async fn attach_at(
        &self,
        name: &str,
        last_event_id: Option<&str>,
    ) -> Result<Option<SharedAttachment>, SharedStreamError> {
        let call = self.call(name).await?;
        let id = last_event_id.filter(|id| !id.is_empty());
        let attach = || SharedAttachment::new(call.entry.clone(), id);
        Ok(call.is_there().then(attach))
    }

    /// Stops the stream of this name, on whichever node it runs: its clients get the last event, and its
    /// producer is cancelled. Waits until the log has the stop. Returns whether the stream ran.
    ///
    /// `reason` is for logs and for the producer's clean-up, on whichever node it runs; clients do not get it.
    /// Of several stops the clean-up gets the reason that the log got first, up to
    /// [`max_reason_len`](SharedStreamsConfig::max_reason_len).
    ///
    /// # Errors
    ///
    /// [`SharedStreamError`]. If the log was lost meanwhile, this node stops the stream when the log is
    /// back.
    pub async fn stop(
        &self,
        name: &str,
        reason: impl Into<Text>,
    ) -> Result<bool, SharedStreamError> {
        let call = self.call(name).await?;
        let reason = reason.into();
        if !call.entry.room.act(|state| state.member.stop(reason)) {
            return Ok(false);
        }
        call.until(&self.shared, |state| {
            (state.member.phase() != MemberPhase::Running).then_some(())
        })
        .await?;
        Ok(true)
    }

    /// Ends the streams that run on this node, of all owners, with [`StreamEnd::Shutdown`]: call it when
    /// the node shuts down. The events of their producers go to the log before. Waits until the log has
    /// the ends, at most for [`client_wait`](crate::event_log::FollowedTopicsConfig::client_wait) for all
    /// streams together. Returns the number of streams that ran.
    pub async fn shut_down(&self) -> usize {
        let all = self.shared.known("");
        let ended = self
            .shared
            .end_all(all, |it| it.cancel(StreamEnd::Shutdown));
        ended.await
    }

    /// Returns the streams of this owner that this node runs or reads, in the order of their names; on a handle
    /// without an owner, those of all owners.
    ///
    /// These are not all streams of the owner: others run on other nodes. A log has no list of its topics, so
    /// that no node knows them. A program that needs one keeps it where it keeps its users.
    #[must_use]
    pub fn all(&self) -> Vec<SharedStream> {
        let known = self.shared.known(&self.owner);
        let known = known.iter().filter_map(|entry| SharedStream::of(entry));
        known.collect()
    }

    /// Stops the streams of this owner that this node runs or reads, on whichever node they run, as
    /// [`stop`](Self::stop) does; on a handle without an owner, those of all owners. Waits until the log has
    /// the stops, at most for [`client_wait`](crate::event_log::FollowedTopicsConfig::client_wait) for all
    /// streams together; what the log does not take until then is stopped when it does. Returns the number of
    /// streams that ran.
    ///
    /// Streams that only other nodes know are not stopped: see [`all`](Self::all). Call this on each node to
    /// stop all streams.
    pub async fn stop_all(&self, reason: impl Into<Text>) -> usize {
        let reason = reason.into();
        let known = self.shared.known(&self.owner);
        let stopped = self.shared.end_all(known, |it| it.stop(reason.clone()));
        stopped.await
    }

    /// Returns the numbers of what the producers of this node have done, and of what they are doing.
    #[must_use]
    pub fn stats(&self) -> ResumableStats {
        self.shared.producers.stats()
    }

    /// Returns the number of streams that this node runs or reads.
    #[must_use]
    pub fn len(&self) -> usize {
        lock(&self.shared.entries).len()
    }

    /// Returns whether this node runs and reads no stream.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the settings.
    #[must_use]
    pub fn config(&self) -> &SharedStreamsConfig {
        &self.shared.config
    }

    fn last_event_id(&self, request: &Request) -> Option<Text> {
        let param = &self.config().streams.topic.last_event_id_param;
        let id = ResumeRequest::last_event_id(request, param)?;
        Some(Text::from(&*id)).filter(|id| !id.is_empty())
    }

    /// Returns the stream of this name, once this node has read what the log has of it.
    async fn call(&self, name: &str) -> Result<Call, SharedStreamError> {
        let mut call = self.find(name)?;
        if call.is_replaced(&self.shared).await {
            call = self.find(name)?;
        }
        call.settle(&self.shared).await?;
        Ok(call)
    }

    fn find(&self, name: &str) -> Result<Call, StartError> {
        let shared = &self.shared;
        let (len, max) = (
            self.owner.len().max(name.len()),
            shared.config.streams.max_name_len,
        );
        if len > max {
            return Err(StartError::NameTooLong { len, max });
        }
        shared.call(StreamName {
            owner: self.owner.clone(),
            name: name.into(),
        })
    }

    /// Has this node claim the stream, and waits until it is decided which node starts it. Says whether this
    /// one does.
    async fn claim<W, K>(
        &self,
        call: &Call,
        name: &str,
        producer: impl FnOnce(Producer) -> W + Send + 'static,
    ) -> Result<bool, SharedStreamError>
    where
        W: IntoProducer<K> + 'static,
        K: 'static,
    {
        let is_started = Arc::new(AtomicBool::new(false));
        let (owner, name) = (self.owner.clone(), Text::from(name));
        let starter = Starter {
            is_started: is_started.clone(),
            start: Box::new(move |producers| {
                let producers = producers.of(owner);
                // One that was lost with the log's history.
                producers.forget(&name, "it begins anew");
                producers.start(&name, producer)
            }),
        };
        let unused = call.entry.room.act(|state| match state.member.start() {
            true => {
                state.claim_error = None;
                state.starter.replace(starter)
            }
            false => Some(starter),
        });
        drop(unused);
        let decided = call.until(&self.shared, |state| match state.member.phase() {
            MemberPhase::Unclaimed if state.member.is_claiming() => None,
            MemberPhase::Unclaimed => state.claim_error.clone().map(Err),
            _ if state.starter.is_some() => None,
            _ => Some(Ok(())),
        });
        decided.await?.map_err(SharedStreamError::Claim)?;
        Ok(is_started.load(Ordering::Relaxed))
    }
}

impl fmt::Debug for SharedStreams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedStreams")
            .field("config", self.config())
            .field("owner", &self.owner)
            .field("streams", &self.len())
            .finish_non_exhaustive()
    }
}

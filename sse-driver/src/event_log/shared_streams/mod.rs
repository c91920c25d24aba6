//! Streams that outlive their connections, on many nodes.
//!
//! The states are those of [`sse_core::topic::resumable::member`]. This module has what it asks for: a task for
//! each stream that this node runs or reads, the producers, and what a handler returns to its client.

mod attachment;
mod calls;
mod config;
mod copy;
mod error;
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
use calls::{Call, Shared};
pub use config::SharedStreamsConfig;
pub use error::SharedStreamError;
use room::Starter;

/// Streams that outlive the connections on which they are read, on many nodes over an [`EventLog`]: what
/// [`ResumableStreams`](crate::ResumableStreams) are for one process. A stream that was started on one node is
/// read on any, resumed on another and stopped from a third.
///
/// The producer runs on the node that started the stream, and what it yields goes to a topic of the log. Every
/// node that is asked for the name follows that topic. The nodes agree by records in it, and by nothing else: see
/// [there](sse_core::topic::resumable::member) for what that promises. Calls wait for the log, so that they are
/// asynchronous; otherwise they are those of `ResumableStreams`, and a producer is the same
/// [`Producer`](crate::Producer).
///
/// ```
/// use futures_util::stream;
/// use sse_driver::{
///     event_log::{MemoryLog, SharedAttachment, SharedStreamError, SharedStreams},
///     router::{Refusal, Request, Router, extract},
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
/// async fn stop(answers: SharedStreams, request: Request) -> Result<Option<()>, Refusal> {
///     let id: String = extract::path(&request, "id")?;
///     let stopped = answers.stop(&id, "the user stopped it").await?;
///     Ok(stopped.then_some(()))
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
/// # What a client sees
///
/// The same as of [`ResumableStreams`](crate::ResumableStreams#what-a-client-sees), on whichever node: the
/// stream from its beginning or from the client's last event ID, then its last event, and 204 for a client that
/// has had that. The ID of each event is its place in the log; an ID that the producer gave it is left out, so
/// that any node can resume there. Two outcomes concern nodes:
///
/// - `lost`: the producer's node has died, or was silent for the [lease](SharedStreamsConfig::lease); or the log
///   has lost the stream's history, as at a restart or a failover.
/// - `failed`, where the claim of a node came into the log when the node had given it up.
///
/// # What is kept, and for how long
///
/// The log keeps a stream while its owner runs, and for the
/// [retention](sse_core::topic::resumable::ResumableConfig::retention) and the lease at least behind that
/// ([`EventLog::keep_for`]). [`SharedStreamsConfig`] has all bounds.
///
/// # Names
///
/// Names are no secret: [`of`](Self::of) finds the streams of one owner and no others. The topic of a stream is
/// `stream/LENGTH/OWNER/NAME`, with the length of the owner in bytes. The program has no topics of its own that
/// begin with `stream/` in the same log.
///
/// # When a node ends
///
/// Its clients resume on others. The streams that it runs end, since their producers do: with
/// [`shut_down`](Self::shut_down) at once and with the outcome `shutdown`, and otherwise with `lost`, when
/// another node reads them and the lease is over.
///
/// Clones are handles to the same streams, for any thread. When the last one is dropped, with all
/// attachments, the producers of this node are cancelled with [`StreamEnd::Dropped`].
#[derive(Clone)]
pub struct SharedStreams {
    shared: Arc<Shared>,
    owner: Text,
}

impl SharedStreams {
    /// Streams over this log, whose producers run on this runtime: `SharedStreams::on(Tokio, log, config)`.
    /// The log implements [`append_in`](EventLog::append_in).
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

    /// Starts a stream on this node, unless there is one of this name, running or finished, on whichever node:
    /// `producer` is not called then. Of several calls on several nodes at once, one starts it. Says whether
    /// this one did.
    ///
    /// `producer` is called by a task, when the log has the start, and returns what is to be done: see
    /// [`IntoProducer`]. Where this future is dropped before, the start goes on. Without a client the
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
        let call = self.call(name)?;
        call.settle(&self.shared).await?;
        self.claim(&call, name, producer).await
    }

    /// Attaches the client that sent `request` to the stream of this name, which is
    /// [started](Self::start) here where there is none. For a client that comes back with a last event ID
    /// none is started: its stream is forgotten.
    ///
    /// # Errors
    ///
    /// [`SharedStreamError`], with [`StartError::Forgotten`] for a client that comes back. A handler's `?`
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
        let call = self.call(name)?;
        call.settle(&self.shared).await?;
        if !call.is_there() {
            if id.is_some() {
                return Err(StartError::Forgotten.into());
            }
            self.claim(&call, name, producer).await?;
        }
        Ok(SharedAttachment::new(call.entry.clone(), id.as_deref()))
    }

    /// Attaches the client that sent `request` to the stream of this name: it gets everything behind the last
    /// event ID that the request names, or everything from the beginning where it names none. `None` where
    /// there is no such stream on any node, which a handler may return: the answer is a 404.
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

    /// Attaches a client whose request came another way, or the program itself: it gets what comes after
    /// this last event ID.
    ///
    /// # Errors
    ///
    /// [`SharedStreamError`].
    pub async fn attach_at(
        &self,
        name: &str,
        last_event_id: Option<&str>,
    ) -> Result<Option<SharedAttachment>, SharedStreamError> {
        let call = self.call(name)?;
        call.settle(&self.shared).await?;
        let id = last_event_id.filter(|id| !id.is_empty());
        let attach = || SharedAttachment::new(call.entry.clone(), id);
        Ok(call.is_there().then(attach))
    }

    /// Stops the stream of this name, on whichever node it runs: its clients get the last event, and its
    /// producer is cancelled. Waits until the log has that. Says whether it ran.
    ///
    /// `reason` is for logs, and for the producer's clean-up where the producer runs on this node. On another
    /// one the reason is `on another node`.
    ///
    /// # Errors
    ///
    /// [`SharedStreamError`]. Where the log was lost meanwhile, this node stops the stream when it is back.
    pub async fn stop(
        &self,
        name: &str,
        reason: impl Into<Text>,
    ) -> Result<bool, SharedStreamError> {
        let call = self.call(name)?;
        call.settle(&self.shared).await?;
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

    /// Ends the streams that run on this node, of all owners, with [`StreamEnd::Shutdown`]: for a node that
    /// shuts down. What their producers have made goes to the log before. Waits until the log has their
    /// ends, for [`client_wait`](crate::event_log::FollowedTopicsConfig::client_wait) at most. Returns how many ran.
    pub async fn shut_down(&self) -> usize {
        let entries: Vec<_> = lock(&self.shared.entries).values().cloned().collect();
        let mut calls = Vec::new();
        for entry in entries {
            let is_new = false;
            let runs = entry.room.act(|state| {
                let runs = state.member.cancel(StreamEnd::Shutdown);
                if runs {
                    state.member.hold();
                }
                runs
            });
            if runs {
                calls.push(Call { entry, is_new });
            }
        }
        for call in &calls {
            let ended = call.until(&self.shared, |state| {
                (state.member.phase() != MemberPhase::Running).then_some(())
            });
            // What the log does not take now, other nodes find out.
            let _ = ended.await;
        }
        calls.len()
    }

    /// Returns what the producers of this node have done so far, and what they are doing.
    #[must_use]
    pub fn stats(&self) -> ResumableStats {
        self.shared.producers.stats()
    }

    /// Returns how many streams this node runs or reads.
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

    fn call(&self, name: &str) -> Result<Call, StartError> {
        let shared = &self.shared;
        let (len, max) = (
            self.owner.len().max(name.len()),
            shared.config.streams.max_name_len,
        );
        if len > max {
            return Err(StartError::NameTooLong { len, max });
        }
        let prefix = format!("stream/{}/{}/", self.owner.len(), self.owner);
        let topic = Text::from(format!("{prefix}{name}"));
        let owner_prefix = Some(&*prefix).filter(|_| !self.owner.is_empty());
        shared.call(&topic, owner_prefix)
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

//! Topics of many nodes: an external log, and a task that follows it for each topic.
//!
//! Several server processes behind a load balancer send the same events. A log that all of them reach, an
//! [`EventLog`], numbers and keeps the events; each process has a topic as its cache, from which it
//! serves its clients. A client may reconnect to any process, and resumes there.
//!
//! [`FollowedTopics`] has topics by name. It runs a task for each, which drives a
//! [`Follower`](sse_core::topic::follower::Follower): see [there](sse_core::topic::follower) for the
//! guarantees, whatever the log does, and for what clients are told. A handler returns a [`LogStream`].
//!
//! ```
//! use sse_core::topic::{ResumeRequest, TooManyTopics};
//! use sse_driver::{
//!     event_log::{FollowedTopics, LogStream, MemoryLog},
//!     router::{Request, Router},
//! };
//!
//! # fn router<R: sse_driver::Runtime + Default>() -> Router {
//! # type Tokio<R> = R;
//! // In production, a log that other processes reach takes its place.
//! let log = MemoryLog::new(1);
//! let topics = FollowedTopics::on(Tokio::<R>::default(), log, Default::default());
//!
//! let news = topics.clone();
//! Router::new()
//!     .events("/news", move |request: Request| -> Result<LogStream, TooManyTopics> {
//!         Ok(news.topic("news")?.resume(&request))
//!     })
//! # }
//!
//! async fn publish(topics: &FollowedTopics) -> Result<(), Box<dyn std::error::Error>> {
//!     let position = topics.topic("news")?.publish("The soup is ready.").await?;
//!     println!("every node has it as {position}");
//!     Ok(())
//! }
//! ```
//!
//! [`SharedStreams`] are streams that outlive their connections, on many nodes over such a log.
//!
//! # Subscriptions, with one process and with many nodes
//!
//! | of one process | of many nodes |
//! |---|---|
//! | [`Topic::resume`](sse_core::topic::Topic::resume), `resume_from` | [`FollowedTopic::resume`], `resume_from` |
//! | [`Topic::subscribe_from_oldest`](sse_core::topic::Topic::subscribe_from_oldest) | [`FollowedTopic::subscribe_from_oldest`]: from the oldest event of the log |
//! | [`Subscriber::only_event_types`](sse_core::topic::Subscriber::only_event_types) | [`LogStream::only_event_types`] |
//! | [`Subscriber::begin_with`](sse_core::topic::Subscriber::begin_with) | [`FollowedTopic::begin_with`], which takes the place of the state, because a node cannot hold a lock over the others |
//! | [`MergedSubscriber`](sse_core::topic::MergedSubscriber) | not available: the IDs of its events tell topics apart by their epochs, which topics of one log share. A client opens a stream for each topic, or the program publishes to one topic and clients [filter](LogStream::only_event_types) |
//!
//! # Memory
//!
//! [`FollowedTopicsConfig::topic`] bounds each topic. A page that is read for a client counts in that
//! topic's [budget](sse_core::topic::TopicConfig::budget), as output, until its connection has sent it;
//! while the budget has no room, the client waits, at most for
//! [`client_wait`](FollowedTopicsConfig::client_wait). Up to
//! [`max_client_reads`](FollowedTopicsConfig::max_client_reads) pages that are being read are not
//! counted.
#![doc = include_str!("writing_a_log.md")]

mod bells;
mod config;
mod error;
mod followed;
mod handle;
mod memory;
mod permits;
mod shared_streams;
mod stream;
mod task;
mod topics;

use std::{
    future::{Future, ready},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use sse_core::{
    Event, Text,
    topic::{
        Position,
        follower::{Page, PageRequest},
    },
};

pub use bells::Bells;
pub use config::FollowedTopicsConfig;
pub use error::{AppendError, LogError, LogPublishError, LogStreamError};
pub use handle::FollowedTopic;
pub use memory::{MemoryLog, MemoryLogConfig, MemoryLogFull};
pub use shared_streams::{
    SharedAttachment, SharedStream, SharedStreamError, SharedStreams, SharedStreamsConfig,
};
pub use stream::LogStream;
pub use topics::FollowedTopics;

/// A log that numbers the events of topics and keeps them, for all processes that reach it.
///
/// Clones are handles to the same log. Any number of tasks may call the methods at a time, and the future
/// of each may be dropped at any time. [`MemoryLog`] is the simplest implementation; the [module](self)
/// shows one over a database.
pub trait EventLog: Clone + Send + Sync + 'static {
    /// Appends `event` to the log of `topic`, and returns its place: the next number of the current
    /// epoch.
    ///
    /// # Errors
    ///
    /// [`AppendError::NotAppended`] where the log has not taken the event, [`AppendError::Rejected`] where
    /// it will not take it later either, and [`AppendError::Unknown`] where that cannot be known, such as
    /// when the connection is lost before the answer. Success means that the log has the event.
    fn append(
        &self,
        topic: &Text,
        event: Event,
    ) -> impl Future<Output = Result<Position, AppendError>> + Send;

    /// Does the same as [`append`](Self::append) if the log of `topic` is in this epoch, and otherwise
    /// nothing. [`SharedStreams`] use it.
    ///
    /// # Errors
    ///
    /// Those of `append`, and [`AppendError::OtherEpoch`].
    fn append_in(
        &self,
        topic: &Text,
        epoch: u64,
        event: Event,
    ) -> impl Future<Output = Result<Position, AppendError>> + Send;

    /// Allows the log to forget `topic` once this time has passed since the last call, whatever was
    /// appended meanwhile. A later event of the topic is in another epoch then. A topic for which this
    /// was never called is kept. [`SharedStreams`] call it again and again while a stream is in use.
    ///
    /// A log that does not implement it keeps all topics.
    ///
    /// # Errors
    ///
    /// [`LogError`]; the caller tries again later.
    fn keep_for(
        &self,
        topic: &Text,
        time: Duration,
    ) -> impl Future<Output = Result<(), LogError>> + Send {
        let _ = (topic, time);
        ready(Ok(()))
    }

    /// Reads the events of `topic` after a place, oldest first, and the tails of the topic's log, both as
    /// of one moment.
    ///
    /// A log to which nothing was appended has an epoch, too, and tails of `oldest: 1, newest: 0`. Where
    /// `request.after` is in another epoch than the log, or beyond its end, the page has no events.
    ///
    /// # Errors
    ///
    /// [`LogError`]; the caller tries again later.
    fn read(
        &self,
        topic: &Text,
        request: PageRequest,
    ) -> impl Future<Output = Result<Page, LogError>> + Send;

    /// Rings `bells` for each event that any process appends to `topic`, for as long as the future is
    /// polled.
    ///
    /// Call [`Bells::up`] once it is notified of every event appended from then on. Return when it is no
    /// longer notified, with the reason; it is called again after a wait. A log without notifications
    /// waits forever and never calls `up`: it is polled
    /// ([`look_every_when_down`](sse_core::topic::follower::FollowerConfig::look_every_when_down)).
    fn watch(&self, topic: &Text, bells: Bells) -> impl Future<Output = LogError> + Send;
}

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A log of any type.
trait AnyLog: Send + Sync {
    fn append(&self, topic: Text, event: Event) -> BoxFuture<Result<Position, AppendError>>;

    fn append_in(
        &self,
        topic: Text,
        epoch: u64,
        event: Event,
    ) -> BoxFuture<Result<Position, AppendError>>;

    fn keep_for(&self, topic: Text, time: Duration) -> BoxFuture<Result<(), LogError>>;

    fn read(&self, topic: Text, request: PageRequest) -> BoxFuture<Result<Page, LogError>>;

    fn watch(&self, topic: Text, bells: Bells) -> BoxFuture<LogError>;
}

impl<L: EventLog> AnyLog for L {
    fn append(&self, topic: Text, event: Event) -> BoxFuture<Result<Position, AppendError>> {
        let log = self.clone();
        Box::pin(async move { EventLog::append(&log, &topic, event).await })
    }

    fn append_in(
        &self,
        topic: Text,
        epoch: u64,
        event: Event,
    ) -> BoxFuture<Result<Position, AppendError>> {
        let log = self.clone();
        Box::pin(async move { EventLog::append_in(&log, &topic, epoch, event).await })
    }

    fn keep_for(&self, topic: Text, time: Duration) -> BoxFuture<Result<(), LogError>> {
        let log = self.clone();
        Box::pin(async move { EventLog::keep_for(&log, &topic, time).await })
    }

    fn read(&self, topic: Text, request: PageRequest) -> BoxFuture<Result<Page, LogError>> {
        let log = self.clone();
        Box::pin(async move { EventLog::read(&log, &topic, request).await })
    }

    fn watch(&self, topic: Text, bells: Bells) -> BoxFuture<LogError> {
        let log = self.clone();
        Box::pin(async move { EventLog::watch(&log, &topic, bells).await })
    }
}

type DynLog = Arc<dyn AnyLog>;

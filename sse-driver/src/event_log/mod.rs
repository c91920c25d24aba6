//! Topics of many nodes: an external log, and what runs a follower of it for each topic.
//!
//! Several server processes behind a balancer send the same events. A log that all of them reach, an
//! [`EventLog`], numbers and keeps the events; each process has a topic as its cache and its fan-out. A
//! client may come back to any process, and resumes there.
//!
//! [`FollowedTopics`] has topics by name. It runs a task for each, which drives a
//! [`Follower`](sse_core::topic::follower::Follower): see [there](sse_core::topic::follower) for what
//! holds whatever the log does, and for what clients are told. A handler returns a [`LogStream`].
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
//! // One that other processes reach takes its place in production.
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
//! # What a client may ask for
//!
//! | of one process | of many nodes |
//! |---|---|
//! | [`Topic::resume`](sse_core::topic::Topic::resume), `resume_from` | [`FollowedTopic::resume`], `resume_from` |
//! | [`Topic::subscribe_from_oldest`](sse_core::topic::Topic::subscribe_from_oldest) | [`FollowedTopic::subscribe_from_oldest`]: from the oldest event of the log |
//! | [`Subscriber::only_event_types`](sse_core::topic::Subscriber::only_event_types) | [`LogStream::only_event_types`] |
//! | [`Subscriber::begin_with`](sse_core::topic::Subscriber::begin_with) | [`FollowedTopic::begin_with`], which takes the place of the state: a node cannot hold a lock over the others |
//! | [`MergedSubscriber`](sse_core::topic::MergedSubscriber) | not there: the IDs of its events tell topics apart by their epochs, which topics of one log share. A client opens a stream for each topic, or the program publishes to one topic and clients [filter](LogStream::only_event_types) |
//!
//! # Memory
//!
//! Each topic is bounded by [`FollowedTopicsConfig::topic`]. A page that a client is served from the log
//! counts in that topic's [budget](sse_core::topic::TopicConfig::budget), as output, until its connection has
//! sent it; while the budget has no room, the client waits for
//! [`client_wait`](FollowedTopicsConfig::client_wait) at most. Up to
//! [`max_client_reads`](FollowedTopicsConfig::max_client_reads) pages that are being read come on top.
#![doc = include_str!("writing_a_log.md")]

mod bells;
mod config;
mod error;
mod followed;
mod handle;
mod memory;
mod permits;
mod stream;
mod task;
mod topics;

use std::{future::Future, pin::Pin, sync::Arc};

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
pub use stream::LogStream;
pub use topics::FollowedTopics;

/// A log that numbers the events of topics and keeps them, for all processes that reach it.
///
/// Clones are handles to the same log. The methods may be called by any number of tasks at a time, and the
/// future of each may be dropped at any time. [`MemoryLog`] is the simplest one; the [module](self) shows
/// how to write one over a database.
pub trait EventLog: Clone + Send + Sync + 'static {
    /// Appends `event` to the log of `topic`, and returns its place: the next number of the current
    /// epoch.
    ///
    /// # Errors
    ///
    /// [`AppendError::NotAppended`] where the log has not taken the event, and
    /// [`AppendError::Unknown`] where that cannot be known, as when the connection is lost while the answer
    /// is waited for. Success means that the log has it.
    fn append(
        &self,
        topic: &Text,
        event: Event,
    ) -> impl Future<Output = Result<Position, AppendError>> + Send;

    /// Reads the events of `topic` behind a place, oldest first, and the tails of the topic's log, both
    /// as of one moment.
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

    /// Rings `bells` for each event that is appended to `topic`, by whichever process, for as long as the
    /// future is polled.
    ///
    /// It calls [`Bells::up`] once it hears of every event that is appended from then on. It returns when
    /// it hears of them no longer, with the reason; it is called again after a wait. A log without news
    /// waits for ever and never calls `up`: it is polled
    /// ([`look_every_when_down`](sse_core::topic::follower::FollowerConfig::look_every_when_down)).
    fn watch(&self, topic: &Text, bells: Bells) -> impl Future<Output = LogError> + Send;
}

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A log of whichever type.
trait AnyLog: Send + Sync {
    fn append(&self, topic: Text, event: Event) -> BoxFuture<Result<Position, AppendError>>;

    fn read(&self, topic: Text, request: PageRequest) -> BoxFuture<Result<Page, LogError>>;

    fn watch(&self, topic: Text, bells: Bells) -> BoxFuture<LogError>;
}

impl<L: EventLog> AnyLog for L {
    fn append(&self, topic: Text, event: Event) -> BoxFuture<Result<Position, AppendError>> {
        let log = self.clone();
        Box::pin(async move { EventLog::append(&log, &topic, event).await })
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

//! Topics on Redis Streams: the log of [`sse_driver::event_log`] on a Redis or Valkey server, on any
//! runtime that the driver runs on.
//!
//! ```no_run
//! use sse_driver::event_log::FollowedTopics;
//! use sse_redis::{RedisConfig, RedisLog};
//!
//! # fn topics<R: sse_driver::Runtime + Default>() -> FollowedTopics {
//! # type Tokio<R> = R;
//! let mut config = RedisConfig::default();
//! config.host = "redis.internal".into();
//! let log = RedisLog::on(Tokio::<R>::default(), config);
//! FollowedTopics::on(Tokio::<R>::default(), log, Default::default())
//! # }
//! ```
//!
//! # What lies in Redis
//!
//! For each topic a stream with its events, `sse:{TOPIC}:log`, whose IDs are `EPOCH-NUMBER`; a hash with its
//! epoch and its newest number, `sse:{TOPIC}:meta`; and for a minute a key for each event that was published,
//! by which one that is published again after a time-out is recognised. They have one hash tag. A channel
//! of the name of the stream has the bells. `sse` is [`RedisConfig::prefix`].
//!
//! A process has two connections, however many topics it follows: one that is subscribed, and one for
//! everything else. Redis 7 or later is needed, or Valkey, for `HELLO 3` and streams.
//!
//! # What is promised
//!
//! | what happens | what is promised |
//! |---|---|
//! | a publish succeeds | Redis has taken the event; how durable that is is a setting of Redis (`appendfsync`) |
//! | a publish is not answered in time | it is tried again until [`RedisConfig::publish_timeout`], and is in the log once at most; then it fails with `Unknown` |
//! | Redis is away | publishing fails with `NotAppended`; clients stay connected, and get everything in order when it is back |
//! | Redis comes back, as a new process or as a promoted replica | its replication ID is another one: the epoch changes, since it may have lost its newest events, and clients are told `unknown` |
//! | Redis is emptied | the same |
//! | the stream is trimmed past what a node has read | clients are told how many events are lost |
//!
//! # What it does not do
//!
//! It does not ask Sentinel for the master, does not follow `MOVED` and `ASK` of a cluster, speaks no TLS,
//! and does not wait for replicas (`WAIT`): a failover may lose events whose publication succeeded.

#![deny(missing_docs)]
#![forbid(unsafe_code)]
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod blob;
mod config;
mod connection;
mod link;
mod log;
mod machine;
mod subscriptions;

pub use config::RedisConfig;
pub use log::RedisLog;

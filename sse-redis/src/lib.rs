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
//! Where a user of an ACL has these rules, it has what is needed and no more:
//!
//! ```text
#![doc = include_str!("acl.txt")]
//! ```
//!
//! # What is promised
//!
//! | what happens | what is promised |
//! |---|---|
//! | a publish succeeds | Redis has taken the event; how durable that is is a setting of Redis (`appendfsync`) |
//! | a publish is not answered in time | it is tried again until [`RedisConfig::publish_timeout`], and is in the log of an epoch once at most; then it fails with `Unknown` |
//! | Redis is away | publishing fails with `NotAppended`; clients stay connected, and get everything in order when it is back |
//! | Redis is not there yet when the program starts | it is waited for; [`RedisLog::ready`] is for a program that is not to start then |
//! | Redis hangs | after [`RedisConfig::answer_timeout`] whatever waits is told that its outcome is unknown, and the connection is another one |
//! | Redis has no memory left | publishing fails with `NotAppended` and [`RedisError::OutOfMemory`], and nothing of the event is there; reading goes on. Have Redis evict nothing (`maxmemory-policy noeviction`): where it evicts a topic's keys, clients are told what is lost |
//! | Redis comes back, as a new process or as a promoted replica | its replication ID is another one: the epoch changes, since it may have lost its newest events, and clients are told `unknown` |
//! | Redis is emptied | the same |
//! | the server becomes a replica | reads and publishes fail with [`RedisError::Replica`], and all connections are dialed again |
//! | the stream is trimmed past what a node has read | clients are told how many events are lost |
//! | a user may not publish bells | publishing fails with `Unknown`; the events are in the log, and come when its tails are looked at |
//!
//! # What it does not do
//!
//! It does not ask Sentinel for the master, speaks no TLS, and does not wait for replicas (`WAIT`): a failover
//! may lose events whose publication succeeded.
//!
//! It does not follow `MOVED` and `ASK` of a Redis Cluster. A cluster of one node is a server as any other; with
//! several nodes the topics of other nodes fail with [`RedisError::Cluster`].

#![deny(missing_docs)]
#![forbid(unsafe_code)]
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod blob;
mod config;
mod connection;
mod driving;
mod error;
mod link;
mod log;
mod machine;
mod place;
mod scripts;
mod subscriptions;
mod wire;

pub use config::RedisConfig;
pub use error::RedisError;
pub use log::RedisLog;

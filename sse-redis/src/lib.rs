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
//! # The keys in Redis
//!
//! Each topic has a stream with its events, `sse:{TOPIC}:log`, whose IDs are `EPOCH-NUMBER`; a hash with
//! its epoch and its newest number, `sse:{TOPIC}:meta`; and for a minute a key for each published event,
//! by which an event that is published again after a time-out is recognised. All of them have one hash
//! tag. A channel with the name of the stream has the bells. `sse` is [`RedisConfig::prefix`].
//!
//! A process has two connections, however many topics it follows: one for subscriptions, and one for
//! everything else; and a third if publishes wait for replicas. Redis 7 or later, or Valkey, is needed
//! for `HELLO 3` and streams.
//!
//! A user of an ACL with these rules has exactly the permissions that are needed:
//!
//! ```text
#![doc = include_str!("acl.txt")]
//! ```
//!
//! `+wait` comes with [`RedisConfig::replicas`].
//!
//! With the feature `tls` there is [TLS](RedisTls), also by `rediss://`
//! ([`RedisConfig::from_url`]).
//!
//! # Guarantees
//!
//! | what happens | what follows |
//! |---|---|
//! | a publish succeeds | Redis has taken the event; how durable that is is a setting of Redis (`appendfsync`) |
//! | a publish gets no answer in time | it is repeated until [`RedisConfig::publish_timeout`], and is in the log of an epoch at most once; then it fails with `Unknown` |
//! | Redis is out of reach | publishing fails with `NotAppended`; clients stay connected, and get everything in order when it is back |
//! | Redis is not there yet when the program starts | the log waits for it; a program that should not start then calls [`RedisLog::ready`] |
//! | Redis hangs | after [`RedisConfig::answer_timeout`] the outcome of all waiting requests is unknown, and the log connects again |
//! | Redis has no memory left | publishing fails with `NotAppended` and [`RedisError::OutOfMemory`], and no part of the event is stored; reading continues. Configure Redis to evict nothing (`maxmemory-policy noeviction`): if it evicts a topic's keys, clients are told what is lost |
//! | the user has no permission (`NOPERM`), another program has the key (`WRONGTYPE`), or the server is one of several nodes of a cluster | publishing fails with [`Rejected`](sse_driver::event_log::AppendError::Rejected), because it fails until that is changed; a [shared stream](sse_driver::event_log::SharedStreams) ends |
//! | Redis comes back, as a new process or as a promoted replica | its replication ID has changed: the epoch changes, because it may have lost its newest events, and clients are told `unknown` |
//! | Redis is emptied | the same |
//! | the server becomes a replica | reads and publishes fail with [`RedisError::Replica`], and all connections are made again |
//! | the stream is trimmed past what a node has read | clients are told how many events are lost |
//! | a user may not publish bells | publishing fails with `Unknown`; the events are in the log, and are delivered when its tails are read |
//!
//! # Failover
//!
//! The log asks [Sentinel](SentinelConfig) for the master at every connection attempt, and leaves a server
//! that greets as a replica at once. Without Sentinel, the address has to lead to the new master, and the old
//! one has to end its connections or become a replica, so that the log connects again.
//!
//! Replication is asynchronous. A promoted replica may lack the newest events, and gives their numbers to
//! other events. Its epoch is therefore another one, and every client is told `unknown` once, even if nothing
//! was lost: it has to fetch the current state, as after a first connection. From there on it misses nothing.
//!
//! - An event whose publish succeeded may be lost at a failover, unless replicas had it:
//!   [`RedisConfig::replicas`]. Even then the promoted replica has to be among those that acknowledged it,
//!   which is certain if all replicas have to.
//! - A publish that is repeated after a failover is appended to the new epoch, although it may be in the old
//!   one: a client may get the event both before and after it is told `unknown`.
//! - A master that is cut off from its Sentinels takes events until it is reached again or given up, and they
//!   are lost. `min-replicas-to-write` and `min-replicas-max-lag` make it refuse them after a while
//!   (`NOREPLICAS`), and such a publish is repeated. A failover by `SENTINEL FAILOVER` also leaves the old
//!   master unchanged for about ten seconds.
//!
//! # Redis Cluster
//!
//! The log does not follow `MOVED` and `ASK` of a Redis Cluster. A cluster of one node is like any other server;
//! with several nodes the topics of other nodes fail with [`RedisError::Cluster`]. Use a server without cluster
//! mode, with Sentinel if it has to fail over. Many topics can be spread over several servers in the program,
//! with a [`RedisLog`] for each.

#![cfg_attr(docsrs, feature(doc_cfg))]
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
mod url;
mod wire;

#[cfg(feature = "tls")]
pub use config::RedisTls;
pub use config::{RedisConfig, SentinelConfig};
pub use error::RedisError;
pub use log::RedisLog;
pub use url::InvalidRedisUrl;

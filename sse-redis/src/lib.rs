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
//! everything else; and a third where publishes wait for replicas. Redis 7 or later is needed, or Valkey, for
//! `HELLO 3` and streams.
//!
//! Where a user of an ACL has these rules, it has what is needed and no more:
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
//! # Failover
//!
//! [Sentinel](SentinelConfig) is asked for the master at every dial, and a server that greets as a replica is
//! left at once. Without Sentinel, the address has to lead to the new master, and the old one has to end its
//! connections or become a replica: then they are dialed again.
//!
//! Replication is asynchronous. A promoted replica may lack the newest events, and gives their numbers to others.
//! So its epoch is another one, and every client is told `unknown` once, also where nothing was lost: it has to
//! fetch what it shows, as after a first connection. From there on it misses nothing.
//!
//! - An event whose publish succeeded may be lost at a failover, unless replicas had it:
//!   [`RedisConfig::replicas`]. Even then the one that is promoted has to be among those that acknowledged it;
//!   with as many as there are it is.
//! - A publish that is repeated after a failover is appended to the new epoch, though it may be in the old one:
//!   a client may get it before and after it is told.
//! - A master that is cut off from its Sentinels takes events until it is reached again or given up, and they are
//!   lost. `min-replicas-to-write` and `min-replicas-max-lag` have it refuse them after a while
//!   (`NOREPLICAS`), and such a publish is tried again. A failover that is asked for (`SENTINEL FAILOVER`) leaves
//!   the old master as it is for about ten seconds, too.
//!
//! # What it does not do
//!
//! It does not follow `MOVED` and `ASK` of a Redis Cluster. A cluster of one node is a server as any other; with
//! several nodes the topics of other nodes fail with [`RedisError::Cluster`]. Use a server without cluster
//! mode, with Sentinel where it has to fail over; many topics can be spread over several servers by hand, a
//! [`RedisLog`] each.

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

//! Streams that outlive their connections, as a state machine.
//!
//! An answer of a language model, or the progress of a long job, should continue when the tab that asked
//! for it is closed. Its *producer* publishes into a [`Topic`](super::Topic) of its own; clients attach,
//! leave and come back, each with its last event ID, and get everything after it, while the producer runs
//! and for a while after its end.
//!
//! A [`StreamTable`] has the streams and their states. It runs no producer and has no timer and no
//! socket: the caller tells it what happened and what time it is, and does what it asks for. The
//! `ResumableStreams` of the crate `sse-driver` is this table with tasks and timers.
//!
//! ```text
//!            start
//!              |                 last listener leaves: grace time begins
//!              v                 a listener comes: it is over
//!        +-----------+
//!        |  running  |  grace time over: Abandoned
//!        +-----------+
//!              |      finish, stop, a bound, a shutdown: its StreamEnd
//!              v
//!        +-----------+
//!        | finished  |  the history is kept, with the event that tells how it ended
//!        +-----------+
//!              |      retention over, or room is needed
//!              v
//!          forgotten
//! ```
//!
//! Whatever ends a stream, its last event says so, and has an ID: see [`StreamEnd`]. A client that comes
//! back with this ID has everything, and can be told not to come back ([`Subscriber::end`] tells).
//!
//! # On many nodes
//!
//! A `StreamTable` is of one process. With the feature `follower`, or the feature `event-log` of an adapter,
//! the module `member` has the part of one node in a stream that several nodes share by a log: what is started
//! on one node is read and stopped on any.
//!
//! [`Subscriber::end`]: super::Subscriber::end

mod config;
mod end;
mod error;
#[cfg(feature = "follower")]
pub mod member;
mod output;
mod stats;
mod table;

pub use config::ResumableConfig;
pub use end::StreamEnd;
pub use error::StartError;
pub use output::{Ended, StreamOutput};
pub use stats::ResumableStats;
pub use table::{Started, StreamId, StreamTable};

pub use crate::stream_error::StreamError;

//! How a connection ends: why, by which deadline, and what runs afterwards.
//!
//! This is the one place that knows. A connection holds a [`CleanUpOwner`], its handler a
//! [`CleanUp`]; whatever ends the connection names the [`CloseReason`], and if nothing does, the
//! owner's own end does.

mod clean_up;
mod close_counts;
mod close_reason;
mod shutdown;

pub use crate::stream_error::StreamError;
pub use clean_up::{CallbackId, CleanUp, CleanUpOwner, EndReason};
pub use close_counts::{CloseCounters, CloseCounts};
pub use close_reason::{CloseReason, Deadline};
pub use shutdown::{Shutdown, ShutdownSignal};

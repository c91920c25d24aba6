//! The end of a connection: its reason, its deadlines, and the callbacks that run afterwards.
//!
//! A connection holds a [`CleanUpOwner`], and its handler a [`CleanUp`]. The code that ends the
//! connection names the [`CloseReason`]; if it names none, dropping the owner does.

mod clean_up;
mod close_counts;
mod close_reason;
mod shutdown;

pub use crate::stream_error::StreamError;
pub use clean_up::{CallbackId, CleanUp, CleanUpOwner, EndReason};
pub use close_counts::{CloseCounters, CloseCounts};
pub use close_reason::{CloseReason, Deadline};
pub use shutdown::{Shutdown, ShutdownSignal};

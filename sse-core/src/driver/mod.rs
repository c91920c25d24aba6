//! The pump, written once: async code over the small traits that an adapter implements.
//!
//! [`Server`] accepts, and for every connection drives a
//! [`server::Connection`](crate::server::Connection): it reads what is readable, polls the
//! handler's stream while there is room, writes what is writable, and sleeps until the machine's
//! next deadline. An adapter gives it a [`Runtime`] and adds no behaviour.

mod connections;
mod pump;
mod read_waker;
mod runtime;
mod server;

pub use runtime::{Runtime, Timer, Transport};
pub use server::{Config, Report, Server, ServerHandle};

//! The pumps, written once: async code over the small traits that an adapter implements.
//!
//! [`Server`] accepts, and for every connection drives a
//! [`server::Connection`](crate::server::Connection): it reads what is readable, polls the
//! handler's stream while there is room, writes what is writable, and sleeps until the machine's
//! next deadline.
//!
//! [`EventSource`] does the same with a [`client::EventSource`](crate::client::EventSource): it
//! dials, writes the request, reads events, and waits and dials again after a loss.
//!
//! An adapter gives them a [`Runtime`] and adds no behaviour. [`writing_an_adapter`] shows how to
//! write one.

mod alarm;
mod attempts;
mod connections;
mod dial;
mod event_source;
#[cfg(feature = "futures-io")]
mod futures_io;
mod pump;
mod read_waker;
mod runtime;
mod server;
mod socket;
mod stats;
#[cfg(feature = "tls")]
mod tls;
mod topic;
mod trace;

#[cfg(any(doc, doctest))]
#[doc = include_str!("writing_an_adapter.md")]
pub mod writing_an_adapter {}

#[cfg(feature = "http-body")]
pub(crate) use {
    alarm::Alarm,
    connections::{Connections, Place},
    server::within,
};

pub use event_source::{EventSource, EventSourceError, EventSourceHandle};
#[cfg(feature = "futures-io")]
pub use futures_io::FuturesIo;
pub use runtime::{Runtime, Timer, Transport};
pub use server::{Report, Server, ServerConfig, ServerHandle};
pub use stats::ServerStats;
#[cfg(feature = "tls")]
pub use tls::Tls;

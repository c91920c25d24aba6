//! What the macros' code names. It names nothing else of this crate or of the core, so that each
//! crate that has macros re-exports this one module for them.

pub use serde_json;
pub use sse_core::{
    Event, EventError, EventType, FromEvent, IntoEvent, MessageEvent, OneEvent, http::Method,
};

pub use crate::router::{
    Controller, FromRequest, Refusal, Reply, Request, Router,
    answer::{given, held, not_found, refusal, reply, stream},
    extract,
};

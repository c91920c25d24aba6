//! The names in the macros' generated code. It uses no other name of this crate or of the core, so that a
//! crate with macros re-exports only this module for them.

pub use serde_json;
pub use sse_core::{
    Event, EventError, EventType, FromEvent, IntoEvent, MessageEvent, OneEvent, http::Method,
};

pub use crate::router::{
    Controller, FromRequest, Refusal, Reply, Request, Router,
    answer::{borrowing_stream, given, held, not_found, refusal, reply, stream},
    extract,
};

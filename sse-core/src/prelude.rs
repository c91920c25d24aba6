//! What the users of an adapter need. Every adapter re-exports all of it, so that moving from one
//! to another changes a dependency and the name in a `use` line.

#[cfg(feature = "http-body")]
#[doc(no_inline)]
pub use crate::embedding::{self, BodyError, EmbeddingConfig};
#[doc(no_inline)]
pub use crate::{
    Comment, DecodeError, Decoded, Decoder, DecoderLimits, Event, EventError, EventId, EventStream,
    EventStreamError, EventType, IntoEvent, InvalidField, Json, MessageEvent, Text,
    client::{self, ClientEvent, EventSourceConfig},
    driver::{
        EventSourceError, EventSourceHandle, Report, ServerConfig, ServerHandle, ServerStats,
    },
    http::{self, HeaderName, HeaderValue, Response, StatusCode},
    lifecycle::{CallbackId, CleanUp, CloseReason, ShutdownSignal, Timer},
    router::{Cors, IntoReply, Refusal, Reply, Request, RouteError, Router, Routes},
    topic::{self, MergedSubscriber, Subscriber, Topic, TopicConfig, TopicMap, TopicMapConfig},
};

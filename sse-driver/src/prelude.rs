//! The names that users of an adapter need. Every adapter re-exports all of them, so that moving from one
//! to another changes only a dependency and the name in a `use` line.
//!
//! Names that need a feature are not here. An adapter re-exports each under its own feature, so that the compiler
//! and the documentation name that feature: [`event_log`](crate::event_log), [`tls`](crate::tls),
//! [`test_client`](crate::test_client); [`embedding`](crate::embedding) with `EmbeddingConfig` and
//! `StreamBroken`, and [`HttpClient`](crate::HttpClient); [`Proxy`](crate::Proxy) with `InvalidProxy` and
//! `ProxyRefused`.

#[doc(no_inline)]
pub use crate::{
    Attachment, BindOptions, Connected, Connecting, Connector, Dial, EventSourceError,
    EventSourceHandle, IntoPrepared, InvalidNetwork, Lifetime, OpenStream, OpenStreams,
    PreparePanicked, Prepared, Producer, Report, ResumableStream, ResumableStreams, ServerConfig,
    ServerHandle, ServerStats, ShutdownSpread, StreamId, TcpConnector, TransportPanicked,
    TrustedProxies, UnixConnector,
    router::{
        AllowList, ClientAddress, Controller, Cors, FromRequest, IntoReply, LastEventId,
        LimitReached, Next, Refusal, Reply, Request, RouteError, Router, Routes, StreamLimit,
        StreamLimitConfig, extract,
    },
};
pub use sse_core::{
    BadData, Budget, BudgetUse, Comment, DecodeError, Decoded, Decoder, DecoderLimits, Event,
    EventError, EventId, EventStream, EventStreamError, EventType, FromEvent, IntoEvent,
    IntoStreamItem, InvalidField, Json, MessageEvent, StreamItem, Text, Typed, TypedError,
    TypedEvents,
    client::{self, ClientEvent, EventSourceConfig},
    http::{self, HeaderName, HeaderValue, Response, StatusCode},
    lifecycle::{CallbackId, CleanUp, CloseReason, Deadline, ShutdownSignal},
    server::KeepAlive,
    topic::{
        self, MergedSubscriber, Subscriber, Topic, TopicConfig, TopicMap, TopicMapConfig,
        resumable::{ResumableConfig, StartError, StreamEnd},
    },
};

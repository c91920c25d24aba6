//! Event streams in axum: an extractor whose replies are responses of axum.

use std::{borrow::Cow, fmt, net::SocketAddr, ops::Deref};

use ::axum::{
    extract::{ConnectInfo, FromRef, FromRequestParts},
    http::request::Parts,
};
use sse_driver::{core::topic::ResumeRequest, embedding::EmbeddedRequest};

use crate::{Body, Embedding, Refusal, Reply, Request, Tokio, http::Response};

/// An extractor of a request of axum whose reply may be an event stream.
///
/// It takes the [`Embedding`] from the router's state, and the client's address from
/// `ConnectInfo<SocketAddr>` if the server provides that
/// (`into_make_service_with_connect_info::<SocketAddr>()`), or a test does by `MockConnectInfo`. It
/// dereferences to a [`Request`]: last event ID, clean-up, shutdown. [`reply`](Self::reply) makes the
/// response.
///
/// ```
/// use axum::{extract::{FromRef, Path, State}, response::IntoResponse, routing::get};
/// use futures_util::stream;
/// use sse_tokio::{
///     Embedding, KeepAlive, Refusal, Reply, ResumableStreams, StatusCode, TopicMap, axum::Sse,
/// };
///
/// #[derive(Clone)]
/// struct App {
///     sse: Embedding,
///     rooms: TopicMap,
///     answers: ResumableStreams,
/// }
///
/// impl FromRef<App> for Embedding {
///     fn from_ref(app: &App) -> Self {
///         app.sse.clone()
///     }
/// }
///
/// /// A topic's subscriber.
/// async fn room(
///     State(app): State<App>,
///     Path(room): Path<String>,
///     sse: Sse,
/// ) -> Result<impl IntoResponse, Refusal> {
///     let subscriber = app.rooms.topic(&room)?.resume(&sse);
///     Ok(sse.reply(subscriber))
/// }
///
/// /// A stream that outlives its connections.
/// async fn answer(
///     State(app): State<App>,
///     Path(id): Path<String>,
///     sse: Sse,
/// ) -> Result<impl IntoResponse, StatusCode> {
///     let attachment = app.answers.attach(&id, &sse).ok_or(StatusCode::NOT_FOUND)?;
///     Ok(sse.reply(attachment))
/// }
///
/// /// Any stream, with the options of a reply.
/// async fn count(sse: Sse) -> impl IntoResponse {
///     sse.clean_up().add(|reason| println!("over: {reason}"));
///     sse.reply(Reply::events(stream::iter(1..=3)).with_keep_alive(KeepAlive::never()))
/// }
///
/// # fn router(app: App) -> axum::Router {
/// axum::Router::new()
///     .route("/rooms/{room}", get(room))
///     .route("/answers/{id}", get(answer))
///     .route("/count", get(count))
///     .with_state(app)
/// # }
/// ```
///
/// # State
///
/// The router's state is an [`Embedding`], or has one by `FromRef`. Without that axum says only that the handler
/// does not implement `Handler`; `#[axum::debug_handler]`, of its feature `macros`, names what is
/// missing.
///
/// # Rejection
///
/// A [`Refusal`], a 503 with `Retry-After`, where
/// [`EmbeddingConfig::max_open`](crate::EmbeddingConfig::max_open) responses are open, or the embedding
/// is shutting down.
///
/// If a handler returns a response without [`reply`](Self::reply), this value is dropped, and clean-up
/// gets `ClientWentAway`, because that is why a server usually drops a handler.
pub struct Sse(EmbeddedRequest<Tokio>);

impl Sse {
    /// Returns the response: the head, and a body with the stream. A topic's subscriber, an attachment of
    /// a resumable stream and a [`Refusal`] convert to a [`Reply`]; [`Reply::events`] makes one from any
    /// stream.
    pub fn reply(self, reply: impl Into<Reply>) -> Response<Body> {
        self.0.reply(reply)
    }
}

impl<S> FromRequestParts<S> for Sse
where
    S: Send + Sync,
    Embedding: FromRef<S>,
{
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let peer = ConnectInfo::<SocketAddr>::from_request_parts(parts, state).await;
        let peer = peer.ok().map(|ConnectInfo(peer)| peer);
        Embedding::from_ref(state)
            .begin(parts.clone(), peer)
            .map(Self)
    }
}

impl Deref for Sse {
    type Target = Request;

    fn deref(&self) -> &Request {
        self.0.request()
    }
}

impl ResumeRequest for Sse {
    fn last_event_id(&self, query_param: &str) -> Option<Cow<'_, str>> {
        ResumeRequest::last_event_id(&self.0, query_param)
    }
}

impl fmt::Debug for Sse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sse").field(self.0.request()).finish()
    }
}

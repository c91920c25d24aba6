//! The values that a handler may return.

use std::{
    future::{Future, Ready, ready},
    pin::Pin,
};

use ::http::{Response, StatusCode};
use bytes::Bytes;
use futures_core::Stream;

use super::{
    Refusal, Reply,
    events::Once,
    kind::Sealed,
    kind::{IsEvent, IsFuture, IsNothing, IsOption, IsResponse, IsResult, IsStream},
};
use sse_core::{IntoStreamItem, OneEvent};

/// A value that a handler may return: a stream, including a topic's
/// [`Subscriber`](sse_core::topic::Subscriber) and streams made from one, a whole response, a [`Reply`],
/// a `Result` of one of these whose error becomes a [`Refusal`], an `Option` whose `None` becomes a 404,
/// or a future of any of them.
///
/// A text, a number, a list, a map, a `Json` or an `Event` is a stream of this one event. For one event
/// of another type return `Reply::event(value)`. `()` is a stream that ends at once.
///
/// `Kind` distinguishes these for the compiler, which infers it. The trait is sealed: to return a type of
/// your own, make a [`Reply`] from it.
#[diagnostic::on_unimplemented(
    message = "a handler cannot return `{Self}`",
    label = "neither a stream of events nor a response",
    note = "if it is a stream, its items must be `IntoEvent`: text, numbers, lists and maps are, and \
            any other `Serialize` type is sent as `Json(…)`",
    note = "if it is one event of a type of your own, return `Reply::event(…)` of it",
    note = "a handler returns a `Stream + Send + 'static` whose items are `IntoEvent`, a topic's \
            `Subscriber`, an `http::Response`, a `Reply`, a `Result` of one of these whose error is \
            `Into<Refusal>`, an `Option` of one, or a future of any of them"
)]
pub trait IntoReply<Kind> {
    /// No type outside this crate can name this type, so that none can implement the trait.
    #[doc(hidden)]
    const SEALED: Sealed;

    /// The future of the reply.
    type Future: Future<Output = Reply> + Send + 'static;

    // These two could be bounds of the implementations. They are separate, so that the compiler names the
    // one that is not met, and not the whole type.

    /// The value that is kept after the handler returned: a stream or a future. It must be `Send`.
    type Kept;

    /// The error of a `Result`. It must be `Into<Refusal>`.
    type Error;

    /// Converts the value to a reply.
    fn into_reply(self) -> Self::Future
    where
        Self::Kept: Send,
        Self::Error: Into<Refusal>;
}

impl<S> IntoReply<IsStream> for S
where
    S: Stream + 'static,
    S::Item: IntoStreamItem,
{
    const SEALED: Sealed = Sealed;

    type Future = Ready<Reply>;
    type Kept = S;
    type Error = Refusal;

    fn into_reply(self) -> Self::Future
    where
        S: Send,
    {
        ready(Reply::events(self))
    }
}

impl<B: Into<Bytes>> IntoReply<IsResponse> for Response<B> {
    const SEALED: Sealed = Sealed;

    type Future = Ready<Reply>;
    type Kept = ();
    type Error = Refusal;

    fn into_reply(self) -> Self::Future {
        ready(self.into())
    }
}

impl IntoReply<IsResponse> for Reply {
    const SEALED: Sealed = Sealed;

    type Future = Ready<Reply>;
    type Kept = ();
    type Error = Refusal;

    fn into_reply(self) -> Self::Future {
        ready(self)
    }
}

impl IntoReply<IsResponse> for Refusal {
    const SEALED: Sealed = Sealed;

    type Future = Ready<Reply>;
    type Kept = ();
    type Error = Refusal;

    fn into_reply(self) -> Self::Future {
        ready(self.into())
    }
}

type BoxFuture = Pin<Box<dyn Future<Output = Reply> + Send>>;

impl<R, E, K> IntoReply<IsResult<K>> for Result<R, E>
where
    R: IntoReply<K, Error: Into<Refusal>>,
{
    const SEALED: Sealed = Sealed;

    type Future = BoxFuture;
    type Kept = R::Kept;
    type Error = E;

    fn into_reply(self) -> Self::Future
    where
        R::Kept: Send,
        E: Into<Refusal>,
    {
        match self {
            Ok(reply) => Box::pin(reply.into_reply()),
            Err(error) => Box::pin(ready(error.into().into())),
        }
    }
}

impl<R, K> IntoReply<IsOption<K>> for Option<R>
where
    R: IntoReply<K>,
{
    const SEALED: Sealed = Sealed;

    type Future = BoxFuture;
    type Kept = R::Kept;
    type Error = R::Error;

    fn into_reply(self) -> Self::Future
    where
        R::Kept: Send,
        R::Error: Into<Refusal>,
    {
        match self {
            Some(reply) => Box::pin(reply.into_reply()),
            None => {
                let text = "There is nothing here.\n";
                Box::pin(ready(Reply::text(StatusCode::NOT_FOUND, text)))
            }
        }
    }
}

impl IntoReply<IsNothing> for () {
    const SEALED: Sealed = Sealed;

    type Future = Ready<Reply>;
    type Kept = ();
    type Error = Refusal;

    fn into_reply(self) -> Self::Future {
        ready(Reply::events(Once(None)))
    }
}

/// This is not implemented for every `IntoEvent`: a `Result` is one, and has to become a refusal here.
impl<T: OneEvent> IntoReply<IsEvent> for T {
    const SEALED: Sealed = Sealed;

    type Future = Ready<Reply>;
    type Kept = ();
    type Error = Refusal;

    fn into_reply(self) -> Self::Future {
        ready(Reply::event(self))
    }
}

impl<F, K> IntoReply<IsFuture<K>> for F
where
    F: Future<Output: IntoReply<K, Kept: Send>> + 'static,
{
    const SEALED: Sealed = Sealed;

    type Future = BoxFuture;
    type Kept = F;
    type Error = <F::Output as IntoReply<K>>::Error;

    fn into_reply(self) -> Self::Future
    where
        F: Send,
        Self::Error: Into<Refusal>,
    {
        Box::pin(async move { self.await.into_reply().await })
    }
}

//! Extractors: values that a handler takes from a request.
//!
//! A type that is [`FromRequest`] is taken from the request as a whole, such as the connection's
//! [`CleanUp`], the [`LastEventId`], or a logged-in user. A value with a name in the request is taken
//! with a function: [`path`], [`query`], [`header()`] or [`cookie`]. If the request does not have the
//! value, all of them return a refusal, with a status and a line that says what to send, which `?` in a
//! handler passes on. A `FromRequest` may be async; the functions are not, nor are the methods of
//! [`Request`], such as [`clean_up`](Request::clean_up).
//!
//! ```
//! use futures_util::stream;
//! use sse_driver::router::{Refusal, Request, Router, extract};
//!
//! let router = Router::new().events("/rooms/{room}", |request: Request| {
//!     let room: u32 = extract::path(&request, "room")?;
//!     let since: Option<u64> = extract::query(&request, "since")?;
//!     let last = request.last_event_id().unwrap_or("the beginning");
//!     request.clean_up().add(|reason| println!("left: {reason}"));
//!     Ok::<_, Refusal>(stream::iter([format!("room {room} since {since:?}, from {last}")]))
//! });
//! ```

use std::{
    borrow::Cow,
    fmt::Display,
    net::{IpAddr, SocketAddr},
    ops::Deref,
    str::FromStr,
};

use ::http::{HeaderMap, HeaderName, Method, StatusCode, Uri, header};
use bytes::Bytes;

use super::{
    Refusal, Request,
    kind::{IsMany, IsOne, IsOptional, Sealed},
};
use sse_core::lifecycle::{CleanUp, ShutdownSignal};

/// A value that a handler takes from a request, or for which the request is refused.
///
/// For a type of your own it is a guard: a handler that takes a `User` is not called without one. A guard
/// may be async, such as for a query to a database. It finds the values that it needs in the request's
/// [extensions](Request::extensions_mut), where a [layer](super::Router::layer) put them.
///
/// ```
/// use futures_util::stream;
/// use sse_core::http::StatusCode;
/// use sse_driver::router::{FromRequest, Next, Refusal, Request, Router, extract};
///
/// # #[derive(Clone)]
/// # struct Database;
/// # impl Database {
/// #     async fn user_of(&self, _token: &str) -> Option<String> { None }
/// # }
/// struct User { name: String }
///
/// impl FromRequest for User {
///     async fn from_request(request: &Request) -> Result<Self, Refusal> {
///         let token: String = extract::cookie(request, "token")?;
///         let Some(database) = request.as_http().extensions().get::<Database>() else {
///             return Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "No database.\n"));
///         };
///         match database.user_of(&token).await {
///             Some(name) => Ok(User { name }),
///             None => Err(Refusal::new(StatusCode::UNAUTHORIZED, "Log in first.\n")),
///         }
///     }
/// }
///
/// // An annotated handler has an argument `user: User`. Without the macro it is this:
/// async fn greet(request: Request) -> Result<impl futures_core::Stream<Item = String>, Refusal> {
///     let user = User::from_request(&request).await?;
///     Ok(stream::iter([format!("Hello, {}!", user.name)]))
/// }
///
/// let router = Router::new()
///     .events("/greet", greet)
///     .layer(async |mut request: Request, next: Next| {
///         request.extensions_mut().insert(Database);
///         next.run(request).await
///     });
/// ```
///
/// The time of a guard is part of the time that the handler has to respond: 30 s by default
/// ([`respond_timeout`](sse_core::server::ResponseConfig::respond_timeout)), after which the client gets
/// a 503 and the guard is dropped. It is dropped as well if the client goes away. A guard that does not
/// wait costs no allocation.
#[diagnostic::on_unimplemented(
    message = "a handler cannot take `{Self}` from a request",
    label = "not `FromRequest`",
    note = "to take a part of the path, a query parameter, a header field or a cookie, write \
            `#[path]`, `#[query]`, `#[header]` or `#[cookie]` before the argument",
    note = "or implement `FromRequest` for a type of your own"
)]
pub trait FromRequest: Sized + Send {
    /// Whether it is taken from the request's body. A request of `GET` has none, so an annotated handler
    /// of `GET` that takes such a type does not compile. `false` by default; `true` for `Bytes` and
    /// `Json`.
    const NEEDS_BODY: bool = false;

    /// Takes the value from the request. An implementation is written as `async fn from_request`, even if
    /// it does not wait.
    ///
    /// # Errors
    ///
    /// The [`Refusal`] that the client gets instead of the handler's response.
    fn from_request(request: &Request) -> impl Future<Output = Result<Self, Refusal>> + Send;

    /// Takes the value from a request that is not needed any more.
    #[doc(hidden)]
    fn from_whole_request(request: Request) -> impl Future<Output = Result<Self, Refusal>> + Send {
        async move { Self::from_request(&request).await }
    }
}

/// The request itself: a copy of it, unless it is taken last.
impl FromRequest for Request {
    async fn from_request(request: &Request) -> Result<Self, Refusal> {
        Ok(request.clone())
    }

    async fn from_whole_request(request: Request) -> Result<Self, Refusal> {
        Ok(request)
    }
}

/// Whether a type needs the request's body, as a type.
#[doc(hidden)]
#[derive(Debug)]
pub enum Needs<const BODY: bool> {}

/// A value that a handler of `GET` may take.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "a handler of GET cannot take `{T}`: a request of GET has no body",
    label = "is taken from the request's body",
    note = "for a handler that is sent a body, write `#[sse(\"…\", method = POST)]`"
)]
pub trait FitsGet<T> {}

impl<T> FitsGet<T> for Needs<false> {}

/// Compiles if a handler of `GET` may take a `T`.
#[doc(hidden)]
pub const fn fits_get<T, const BODY: bool>()
where
    Needs<BODY>: FitsGet<T>,
{
}

/// An extractor of the last event ID: see [`Request::last_event_id`].
///
/// ```
/// use sse_driver::router::extract::{FromRequest, LastEventId};
/// use sse_driver::router::{Refusal, Request};
///
/// async fn start(request: Request) -> Result<String, Refusal> {
///     let LastEventId(last) = LastEventId::from_request(&request).await?;
///     Ok(format!("after {last:?}"))
/// }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct LastEventId(pub Option<String>);

impl Deref for LastEventId {
    type Target = Option<String>;

    fn deref(&self) -> &Option<String> {
        &self.0
    }
}

macro_rules! from_request {
    ($($type:ty: $request:ident => $value:expr;)*) => {$(
        impl FromRequest for $type {
            async fn from_request($request: &Request) -> Result<Self, Refusal> {
                Ok($value)
            }
        }
    )*};
}

from_request! {
    CleanUp: request => request.clean_up();
    ShutdownSignal: request => request.shutdown();
    LastEventId: request => LastEventId(request.last_event_id().map(Into::into));
    Option<SocketAddr>: request => request.peer_addr();
    Option<ClientAddress>: request => request.client_addr().map(ClientAddress);
    HeaderMap: request => request.headers().clone();
    Method: request => request.method().clone();
    Uri: request => request.uri().clone();
}

/// The request's body.
impl FromRequest for Bytes {
    const NEEDS_BODY: bool = true;

    async fn from_request(request: &Request) -> Result<Self, Refusal> {
        Ok(request.body().clone())
    }
}

/// The request's body, as JSON: see [`Request::json`] for its refusals.
impl<T: serde::de::DeserializeOwned + Send> FromRequest for sse_core::Json<T> {
    const NEEDS_BODY: bool = true;

    async fn from_request(request: &Request) -> Result<Self, Refusal> {
        request.json().map(Self)
    }
}

/// If the address is not known, the client gets a 500. A handler that does not need the address takes an
/// `Option<SocketAddr>`.
impl FromRequest for SocketAddr {
    async fn from_request(request: &Request) -> Result<Self, Refusal> {
        request.peer_addr().ok_or_else(unknown_client)
    }
}

/// An extractor of the client's address, also behind proxies that the server
/// [trusts](crate::TrustedProxies): see [`Request::client_addr`].
///
/// If it is not known, the client gets a 500. A handler that does not need the address takes an
/// `Option<ClientAddress>`.
///
/// ```
/// use futures_util::stream;
/// use sse_driver::router::{FromRequest, Refusal, Request, Router, extract::ClientAddress};
///
/// let router = Router::new().events("/whoami", async |request: Request| {
///     let ClientAddress(address) = ClientAddress::from_request(&request).await?;
///     Ok::<_, Refusal>(stream::iter([address.to_string()]))
/// });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientAddress(pub IpAddr);

impl Deref for ClientAddress {
    type Target = IpAddr;

    fn deref(&self) -> &IpAddr {
        &self.0
    }
}

impl FromRequest for ClientAddress {
    async fn from_request(request: &Request) -> Result<Self, Refusal> {
        request.client_addr().map(Self).ok_or_else(unknown_client)
    }
}

fn unknown_client() -> Refusal {
    let text = "The server does not know who asks, and has to.\n";
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, text)
}

/// A type that a parameter's text is converted to: any `T: FromStr`, an `Option` of one for a parameter
/// that may be missing, a `Vec` of one for a parameter that may come any number of times.
///
/// `Kind` distinguishes these for the compiler, which infers it. The trait is sealed: implement `FromStr`
/// for types of your own.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be made from a parameter's text",
    label = "not `FromStr`",
    note = "implement `FromStr` for it, with an error that is `Display`",
    note = "or take an `Option<T>` or a `Vec<T>` of a `T` that is `FromStr`"
)]
pub trait FromParam<Kind>: Sized {
    /// No type outside this crate can name this type, so that none can implement the trait.
    #[doc(hidden)]
    const SEALED: Sealed;

    /// Converts all values of the parameter, in the order of the request.
    ///
    /// # Errors
    ///
    /// The [`BadParam`] that says what is wrong.
    fn from_values<'v>(values: impl Iterator<Item = Cow<'v, str>>) -> Result<Self, BadParam>;
}

/// The error of a parameter that is missing or does not parse. The extractors make a refusal of it that
/// names the parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BadParam {
    /// The parameter is missing.
    Missing,
    /// The parameter does not parse, for this reason.
    Bad(String),
}

fn parse<T: FromStr<Err: Display>>(value: &str) -> Result<T, BadParam> {
    value
        .parse()
        .map_err(|error: T::Err| BadParam::Bad(error.to_string()))
}

impl<T: FromStr<Err: Display>> FromParam<IsOne> for T {
    const SEALED: Sealed = Sealed;

    fn from_values<'v>(mut values: impl Iterator<Item = Cow<'v, str>>) -> Result<Self, BadParam> {
        parse(&values.next().ok_or(BadParam::Missing)?)
    }
}

impl<T: FromStr<Err: Display>> FromParam<IsOptional> for Option<T> {
    const SEALED: Sealed = Sealed;

    fn from_values<'v>(mut values: impl Iterator<Item = Cow<'v, str>>) -> Result<Self, BadParam> {
        values.next().map(|value| parse(&value)).transpose()
    }
}

impl<T: FromStr<Err: Display>> FromParam<IsMany> for Vec<T> {
    const SEALED: Sealed = Sealed;

    fn from_values<'v>(values: impl Iterator<Item = Cow<'v, str>>) -> Result<Self, BadParam> {
        values.map(|value| parse(&value)).collect()
    }
}

/// Returns the part of the path in place of a parameter or wildcard of the route, percent-decoded.
///
/// # Errors
///
/// A 400 where it does not parse. A 500 where the route has no such parameter, because then no request
/// can be valid.
pub fn path<T: FromParam<K>, K>(request: &Request, name: &str) -> Result<T, Refusal> {
    let value = request.path_param(name).map(Cow::Borrowed);
    T::from_values(value.into_iter()).map_err(|problem| match problem {
        BadParam::Missing => Refusal::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!(
                "The path of the route has no parameter {name}: this is a fault of the server.\n"
            ),
        ),
        BadParam::Bad(why) => bad("part", name, &why),
    })
}

/// Returns a parameter of the query, decoded as from a form.
///
/// # Errors
///
/// A 400 that names the parameter, where it is missing or does not parse.
pub fn query<T: FromParam<K>, K>(request: &Request, name: &str) -> Result<T, Refusal> {
    let query = request.query().unwrap_or_default();
    let pairs = form_urlencoded::parse(query.as_bytes());
    let values = pairs.filter_map(|(key, value)| (key == name).then_some(value));
    T::from_values(values).map_err(|problem| match problem {
        BadParam::Missing => missing(
            "query parameter",
            name,
            &format!("Add ?{name}=… to the URL."),
        ),
        BadParam::Bad(why) => bad("query parameter", name, &why),
    })
}

/// Returns a header field, read as UTF-8.
///
/// # Errors
///
/// A 400 that names the field, where it is missing, is not UTF-8, or does not parse.
pub fn header<T: FromParam<K>, K>(request: &Request, name: &str) -> Result<T, Refusal> {
    let fields = request.headers().get_all(name);
    if fields
        .iter()
        .any(|value| str::from_utf8(value.as_bytes()).is_err())
    {
        return Err(bad("header field", name, "it is not UTF-8"));
    }
    let values = fields
        .iter()
        .map(|value| String::from_utf8_lossy(value.as_bytes()));
    T::from_values(values).map_err(|problem| match problem {
        BadParam::Missing => missing("header field", name, "Send it."),
        BadParam::Bad(why) => bad("header field", name, &why),
    })
}

/// Returns the value of a cookie as it was sent: neither unquoted nor percent-decoded.
///
/// # Errors
///
/// A 400 that names the cookie, where it is missing or does not parse.
pub fn cookie<T: FromParam<K>, K>(request: &Request, name: &str) -> Result<T, Refusal> {
    const COOKIE: HeaderName = header::COOKIE;
    let fields = request.headers().get_all(COOKIE);
    let texts = fields
        .iter()
        .filter_map(|value| str::from_utf8(value.as_bytes()).ok());
    let values = texts
        .flat_map(|text| text.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter_map(|(key, value)| (key == name).then_some(Cow::Borrowed(value)));
    T::from_values(values).map_err(|problem| match problem {
        BadParam::Missing => missing("cookie", name, "Send it."),
        BadParam::Bad(why) => bad("cookie", name, &why),
    })
}

fn missing(what: &str, name: &str, advice: &str) -> Refusal {
    let text = format!("The {what} {name} is missing. {advice}\n");
    Refusal::new(StatusCode::BAD_REQUEST, text)
}

fn bad(what: &str, name: &str, why: &str) -> Refusal {
    let text = format!("The {what} {name} is not valid: {why}.\n");
    Refusal::new(StatusCode::BAD_REQUEST, text)
}

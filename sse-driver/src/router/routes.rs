//! From a request's head to its route, or to a response without a handler.

use std::{
    ops::ControlFlow::{self, Break, Continue},
    pin::Pin,
    sync::Arc,
    task::Poll,
};

use ::http::{Method, StatusCode, header};
use futures_core::Stream;
use sse_core::{
    Event,
    http::{BodyLength, RequestHead, accepts},
};

use super::{
    Context, Cors, Receive, Reply, Request, Route, Routed, Yields,
    matcher::Matcher,
    methods::{Methods, allow, takes_body},
    path,
};

/// The routes of a [`Router`](super::Router), ready to serve. The [module](super) has the list of their
/// own responses.
///
/// A server, an embedding and a test client call [`route`](Self::route) on their own. Another host does
/// so as follows:
///
/// ```
/// use futures_util::FutureExt;
/// use sse_core::{
///     http::{BodyLength, Request, RequestHead},
///     lifecycle::{CleanUpOwner, Shutdown},
/// };
/// use sse_driver::router::{self, Context, Routed, Router};
///
/// let routes = Router::new().events("/hello", |_: router::Request| "hello").build()?;
///
/// let head = RequestHead::of_server(Request::get("/hello").body(())?, BodyLength::None);
/// let (clean_up, shutdown) = (CleanUpOwner::new(), Shutdown::new());
/// let context = Context::new(clean_up.handle(), shutdown.signal());
/// let reply = match routes.route(head, context) {
///     Routed::Answer(reply) => reply,
///     Routed::Call(future) => future.now_or_never().unwrap(), // A host polls it in its task.
///     Routed::Receive(_) => unreachable!("the request has no body"),
/// };
/// assert_eq!(reply.status(), 200);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Routes {
    matcher: Matcher,
    /// The rule for paths that no route has.
    cors: Option<Arc<Cors>>,
}

impl Routes {
    /// Creates the routes. `cors` is for paths that no route has.
    pub(super) fn new(matcher: Matcher, cors: Option<Arc<Cors>>) -> Self {
        Self { matcher, cors }
    }

    /// Finds the route of a request, and returns what to do with the request. It calls no handler. This
    /// is for hosts that drive the handlers themselves; a server and an embedding call it on their own.
    #[must_use]
    pub fn route(&self, head: RequestHead, context: Context) -> Routed {
        let (method, headers) = (head.request().method(), head.request().headers());
        let path = path::canonical(head.request().uri().path());
        let found = path.as_ref().ok();
        let found = found.and_then(|path| self.matcher.find(path));
        let cors = match &found {
            Some(found) => found.value.cors(method, headers),
            None => self.cors.as_ref(),
        };
        let fields = cors.map(|cors| cors.fields(headers));
        let answer = |mut reply: Reply| {
            if let Some(fields) = &fields {
                fields.set_on(reply.headers_mut());
            }
            Routed::Answer(reply)
        };

        if let Err(fault) = path {
            let text = fault.text(head.request().uri().path());
            return answer(Reply::text(StatusCode::BAD_REQUEST, text));
        }
        let route = match check(&head, found.as_ref().map(|found| found.value), cors) {
            Continue(route) => route,
            Break(reply) => return answer(reply),
        };
        let path_params = match found.as_ref().map(path_params).transpose() {
            Ok(params) => params.unwrap_or_default(),
            Err((name, problem)) => {
                let text = format!("The part {name} of the path {problem}\n");
                return answer(Reply::text(StatusCode::BAD_REQUEST, text));
            }
        };
        if *method == Method::HEAD && route.yields == Yields::Events {
            return answer(Reply::events(NoEvents));
        }
        if let (Some(entry), Some(found)) = (&context.entry, &found) {
            entry.set_route(found.value.path());
        }
        let has_body = has_body(&head);
        let request = Request::new(head, path_params, context);
        if has_body {
            return Routed::Receive(Box::new(Receive::new(request, route.clone(), fields)));
        }
        Routed::Call(route.call(request, fields))
    }
}

/// Returns the values of the path's parameters, by name; or the name of one that has none, and what is wrong
/// with it.
fn path_params<'k>(
    found: &matchit::Match<'k, '_, &Methods>,
) -> Result<Vec<(String, String)>, (&'k str, &'static str)> {
    let mut params = Vec::with_capacity(found.params.len());
    for (name, part) in found.params.iter() {
        // With the text around it, it was another segment.
        if path::is_or_has_dot_segment(part) {
            return Err((name, "has a segment . or .. in it. Send another one."));
        }
        let is_wildcard = found.value.has_wildcard && params.len() + 1 == found.params.len();
        let decoded = match is_wildcard {
            true => path::decode_wildcard(part),
            false => path::decode(part),
        };
        let problem = "does not decode. Percent-encode its UTF-8.";
        params.push((name.to_owned(), decoded.ok_or((name, problem))?));
    }
    Ok(params)
}

fn has_body(head: &RequestHead) -> bool {
    head.body() != BodyLength::None
}

/// Returns the route that a request is for, or the response if no handler has to see it.
fn check<'a>(
    head: &RequestHead,
    methods: Option<&'a Methods>,
    cors: Option<&Arc<Cors>>,
) -> ControlFlow<Reply, &'a Route> {
    let (method, headers) = (head.request().method(), head.request().headers());
    let path = head.request().uri().path();
    let is_options = *method == Method::OPTIONS;
    let has_body = has_body(head);

    if is_options
        && !has_body
        && let Some(preflight) = cors.and_then(|cors| cors.preflight(headers, methods))
    {
        return Break(preflight);
    }
    let is_of_the_server = is_options && path == "*";
    if methods.is_none() && !is_of_the_server {
        let text = format!("There is nothing at {path}. Check the path, and its last slash.\n");
        return Break(Reply::text(StatusCode::NOT_FOUND, text));
    }
    // `OPTIONS *` asks about the server as a whole: these are the methods of most paths.
    let names = methods.map_or_else(|| "GET, HEAD".into(), Methods::names);
    let route = methods.and_then(|methods| methods.get(method));
    if route.is_none() && !is_options {
        let text = format!("{method} is not possible here. Use one of {names}, OPTIONS.\n");
        let reply = Reply::text(StatusCode::METHOD_NOT_ALLOWED, text);
        return Break(reply.with_header(header::ALLOW, allow(&names)));
    }
    if has_body && !takes_body(method) {
        let text = format!("A {method} must not have a body here.\n");
        return Break(Reply::text(StatusCode::PAYLOAD_TOO_LARGE, text));
    }
    let Some(route) = route else {
        let reply = Reply::empty(StatusCode::NO_CONTENT);
        return Break(reply.with_header(header::ALLOW, allow(&names)));
    };
    if route.yields == Yields::Events && !accepts(headers, "text", "event-stream") {
        let text = "This is an event stream. Accept text/event-stream.\n";
        return Break(Reply::text(StatusCode::NOT_ACCEPTABLE, text));
    }
    Continue(route)
}

/// The stream of a `HEAD`.
#[derive(Debug)]
struct NoEvents;

impl Stream for NoEvents {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, _: &mut std::task::Context<'_>) -> Poll<Option<Event>> {
        Poll::Ready(None)
    }
}

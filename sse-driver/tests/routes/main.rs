//! From a request's head to a response, without a socket and without a runtime.

mod answers;
mod methods;
mod paths;
mod replies;

use futures_util::{FutureExt, StreamExt};
use sse_core::{
    StreamItem,
    http::{BodyLength, HeaderMap, Request as Head, RequestHead},
    lifecycle::{CleanUpOwner, Shutdown},
};
use sse_driver::router::{Context, ReplyBody, Routed, Router, Routes};

fn head(method: &str, target: &str, fields: &[(&str, &str)]) -> RequestHead {
    let mut request = Head::builder().method(method).uri(target);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    RequestHead::of_server(request.body(()).unwrap(), BodyLength::None)
}

fn context() -> Context {
    Context::new(CleanUpOwner::new().handle(), Shutdown::new().signal())
}

/// The response for the peer, and whether a handler was called.
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: String,
    from_handler: bool,
}

impl Answer {
    fn field(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

fn ask_with(routes: &Routes, head: RequestHead, context: Context) -> Answer {
    ask_with_body(routes, head, "", context)
}

fn ask_with_body(
    routes: &Routes,
    head: RequestHead,
    body: &'static str,
    context: Context,
) -> Answer {
    let (reply, from_handler) = match routes.route(head, context) {
        Routed::Answer(reply) => (reply, false),
        Routed::Call(reply) => (reply.now_or_never().unwrap(), true),
        Routed::Receive(receive) => {
            let reply = receive.call(body.into());
            (reply.now_or_never().unwrap(), true)
        }
    };
    let (head, body) = reply.into_parts();
    let body = match body {
        ReplyBody::Whole(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
        ReplyBody::Events(events) => {
            let mut wire = Vec::new();
            for event in events.collect::<Vec<_>>().now_or_never().unwrap() {
                match event.unwrap() {
                    StreamItem::Event(event) => event.encode(&mut wire),
                    StreamItem::Comment(comment) => comment.encode(&mut wire),
                    StreamItem::Encoded(events) => wire.extend_from_slice(events.as_bytes()),
                }
            }
            String::from_utf8(wire).unwrap()
        }
    };
    Answer {
        status: head.status().as_u16(),
        headers: head.headers().clone(),
        body,
        from_handler,
    }
}

fn ask(routes: &Routes, method: &str, target: &str) -> Answer {
    ask_with(routes, head(method, target, &[]), context())
}

/// Returns the body of `GET target`.
fn body_of(router: Router, target: &str) -> String {
    ask(&router.build().unwrap(), "GET", target).body
}

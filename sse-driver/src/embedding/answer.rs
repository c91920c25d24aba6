//! From a handler's reply to a response.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
    time::{Duration, Instant},
};

use ::http::{Response, StatusCode, header};
use bytes::Bytes;

use super::{
    Body, Embedding, Exchange,
    receiving::{Fault, Receiving},
};
use crate::{
    Runtime,
    alarm::Alarm,
    router::{Receive, Reply, ReplyBody, ReplyFuture},
};
use sse_core::{
    http::is_the_connections,
    internal::{Panicked, catch},
    lifecycle::{CloseReason, Timer},
    server::{add_stream_fields, allows_body},
};

/// A response in the making: a future that always gives one.
///
/// When it is dropped before that, the handler's future is dropped and clean-up runs.
#[must_use = "nobody is answered unless it is polled"]
pub struct Answer<R: Runtime>(State<R>);

enum State<R: Runtime> {
    // The response is large, and moves about.
    Ready(Option<Box<Response<Body<R>>>>),
    Deciding(Option<Box<Deciding<R>>>),
}

struct Deciding<R: Runtime> {
    /// `None` once it is dropped.
    work: Option<Work>,
    /// Dropped after the handler.
    exchange: Option<Exchange>,
    is_head: bool,
    embedding: Embedding<R>,
    deadline: Option<Instant>,
    alarm: Alarm<R>,
    task: Option<Waker>,
}

/// What the answer waits for.
enum Work {
    /// The request's body, for this handler.
    Receiving(Receiving, Box<Receive>),
    Handler(ReplyFuture),
}

impl<R: Runtime> Answer<R> {
    /// An answer without a handler, and without anything to clean up.
    pub(super) fn refused(reply: Reply) -> Self {
        let (head, body) = reply.into_parts();
        let bytes = match body {
            ReplyBody::Whole(bytes) => bytes,
            ReplyBody::Events(_) => Bytes::new(),
        };
        Self::ready(head.map(|()| Body::whole(bytes, None)))
    }

    /// An answer that is there.
    pub(super) fn given(
        embedding: &Embedding<R>,
        exchange: Exchange,
        is_head: bool,
        reply: Reply,
    ) -> Self {
        Self::ready(response(embedding, exchange, is_head, reply))
    }

    /// An answer that a handler gives.
    pub(super) fn deciding(
        embedding: &Embedding<R>,
        exchange: Exchange,
        is_head: bool,
        handler: ReplyFuture,
    ) -> Self {
        let timeout = embedding.shared.config.response.respond_timeout;
        let work = Work::Handler(handler);
        Self::waiting(embedding, exchange, is_head, work, timeout)
    }

    /// An answer that a handler gives who wants the request's body first.
    pub(super) fn receiving(
        embedding: &Embedding<R>,
        exchange: Exchange,
        is_head: bool,
        body: Receiving,
        handler: Box<Receive>,
    ) -> Self {
        let timeout = embedding.shared.config.response.body_timeout;
        let work = Work::Receiving(body, handler);
        Self::waiting(embedding, exchange, is_head, work, timeout)
    }

    fn waiting(
        embedding: &Embedding<R>,
        exchange: Exchange,
        is_head: bool,
        work: Work,
        timeout: Duration,
    ) -> Self {
        let shared = &embedding.shared;
        Self(State::Deciding(Some(Box::new(Deciding {
            work: Some(work),
            exchange: Some(exchange),
            is_head,
            embedding: embedding.clone(),
            deadline: shared.runtime.now().checked_add(timeout),
            alarm: Alarm::new(),
            task: None,
        }))))
    }

    fn ready(response: Response<Body<R>>) -> Self {
        Self(State::Ready(Some(Box::new(response))))
    }
}

impl<R: Runtime> Future for Answer<R> {
    type Output = Response<Body<R>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let response = match &mut self.0 {
            State::Ready(response) => response.take().map(|response| *response),
            State::Deciding(None) => None,
            State::Deciding(Some(deciding)) => match deciding.poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(response) => {
                    self.0 = State::Deciding(None);
                    response
                }
            },
        };
        // Asked again after the end: no future has to answer that.
        response.map_or(Poll::Pending, Poll::Ready)
    }
}

impl<R: Runtime> Deciding<R> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Response<Body<R>>>> {
        let is_new = !matches!(&self.task, Some(task) if task.will_wake(cx.waker()));
        if is_new {
            self.task = Some(cx.waker().clone());
        }
        if let Some(exchange) = &mut self.exchange {
            // Whether it has begun is looked up below; this is for the waking alone.
            exchange.place().wake_at_shutdown(cx.waker(), is_new);
        }
        loop {
            if self.exchange.as_ref().is_some_and(Exchange::is_cut) {
                return self.give_up(CloseReason::Shutdown);
            }
            let now = self.embedding.shared.runtime.now();
            if self.deadline.is_some_and(|deadline| deadline <= now) {
                let timer = match self.work {
                    Some(Work::Receiving(..)) => Timer::Body,
                    _ => Timer::Respond,
                };
                return self.give_up(CloseReason::TimedOut(timer));
            }
            let handler = match &mut self.work {
                None => return Poll::Ready(None),
                Some(Work::Handler(handler)) => handler,
                Some(Work::Receiving(body, _)) => match catch(|| body.as_mut().poll(cx)) {
                    Ok(Poll::Ready(Ok(body))) => {
                        self.call_with(body, now);
                        continue;
                    }
                    Ok(Poll::Ready(Err(fault))) => return self.refuse(fault),
                    Err(Panicked) => return self.refuse(Fault::Broken),
                    Ok(Poll::Pending) => {
                        ready!(self.sleep(cx));
                        continue;
                    }
                },
            };
            match catch(|| handler.as_mut().poll(cx)) {
                Ok(Poll::Ready(reply)) if reply.status().is_informational() => {
                    let text = format!("{} is an interim status", reply.status());
                    return self.give_up(CloseReason::StreamError(text.into()));
                }
                Ok(Poll::Ready(reply)) => {
                    let _ = self.drop_handler();
                    let exchange = self.exchange.take();
                    return Poll::Ready(
                        exchange.map(|exchange| {
                            response(&self.embedding, exchange, self.is_head, reply)
                        }),
                    );
                }
                Err(Panicked) => return self.give_up(CloseReason::HandlerPanicked),
                Ok(Poll::Pending) => {}
            }
            ready!(self.sleep(cx));
        }
    }

    fn sleep(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let runtime = &self.embedding.shared.runtime;
        self.alarm.poll(runtime, self.deadline, cx)
    }

    fn call_with(&mut self, body: Bytes, now: Instant) {
        if let Some(Work::Receiving(_, handler)) = self.work.take() {
            self.work = Some(Work::Handler(handler.call(body)));
            let timeout = self.embedding.shared.config.response.respond_timeout;
            self.deadline = now.checked_add(timeout);
        }
    }

    /// Answers that the body cannot be served.
    fn refuse(&mut self, fault: Fault) -> Poll<Option<Response<Body<R>>>> {
        let status = fault.status();
        self.answer(
            CloseReason::Refused(status),
            Reply::text(status, format!("{fault}\n")),
        )
    }

    /// Answers in the handler's place.
    fn give_up(&mut self, reason: CloseReason) -> Poll<Option<Response<Body<R>>>> {
        let (status, text) = match reason {
            CloseReason::TimedOut(Timer::Body) => (
                StatusCode::REQUEST_TIMEOUT,
                "The request body was not complete in time.\n",
            ),
            CloseReason::TimedOut(_) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "The server took too long to answer. Try again later.\n",
            ),
            CloseReason::Shutdown => (
                StatusCode::SERVICE_UNAVAILABLE,
                "The server is shutting down. Try again later.\n",
            ),
            _ => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "The server failed to answer.\n",
            ),
        };
        self.answer(reason, Reply::text(status, text))
    }

    fn answer(&mut self, reason: CloseReason, reply: Reply) -> Poll<Option<Response<Body<R>>>> {
        let _ = self.drop_handler();
        let Some(mut exchange) = self.exchange.take() else {
            return Poll::Ready(None);
        };
        exchange.foresee(reason);
        let response = response(&self.embedding, exchange, self.is_head, reply);
        Poll::Ready(Some(response))
    }

    fn drop_handler(&mut self) -> Result<(), Panicked> {
        let work = self.work.take();
        catch(|| drop(work))
    }
}

/// The handler's future is its code once more.
impl<R: Runtime> Drop for Deciding<R> {
    fn drop(&mut self) {
        let _ = self.drop_handler();
    }
}

/// The response that a reply becomes. Its framing is the server's.
fn response<R: Runtime>(
    embedding: &Embedding<R>,
    exchange: Exchange,
    is_head: bool,
    reply: Reply,
) -> Response<Body<R>> {
    let (mut head, body) = reply.into_parts();
    let status = head.status();
    let headers = head.headers_mut();
    let theirs: Vec<_> = headers
        .keys()
        .filter(|name| is_the_connections(name))
        .cloned()
        .collect();
    for name in theirs {
        headers.remove(name);
    }
    let bytes = match body {
        ReplyBody::Whole(bytes) => bytes,
        ReplyBody::Events(events) => {
            add_stream_fields(headers);
            if allows_body(status) && !is_head {
                return head.map(|()| Body::events(embedding, exchange, events));
            }
            // The stream is the handler's code once more.
            let _ = catch(|| drop(events));
            Bytes::new()
        }
    };
    let body = match (allows_body(status), is_head) {
        (false, _) => Body::whole(Bytes::new(), Some(exchange)),
        (true, false) => Body::whole(bytes, Some(exchange)),
        (true, true) => {
            if !bytes.is_empty() {
                headers.insert(header::CONTENT_LENGTH, bytes.len().into());
            }
            Body::of_head(exchange)
        }
    };
    head.map(|()| body)
}

impl<R: Runtime> fmt::Debug for Answer<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.0 {
            State::Ready(_) => "Ready",
            State::Deciding(_) => "Deciding",
        };
        f.debug_tuple("Answer").field(&state).finish()
    }
}

//! One request with its handler, its stream and its connection: the only place that drives a reply.
//!
//! A host has the bytes and the time: the [pump](crate::Server) over a socket, an
//! [embedding](crate::Embedding) inside a foreign server, a [test client](crate::test_client) in virtual
//! time. It passes input to the [`connection`](Exchange::connection), takes a [`turn`](Exchange::turn),
//! and does what the turn says. Only this module decides when the handler's code is called and what
//! follows from it, so that it is the same behind every host.

use std::{
    mem,
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use ::http::Response;
use bytes::Bytes;
use sse_core::{
    EventError, StreamItem,
    http::{BodyLength, RequestHead},
    internal::{Panicked, catch},
    lifecycle::{CloseReason, StreamError},
    server::{Connection, ConnectionEvent, Phase, ResponseBody, StreamOptions},
};

use crate::{
    connections::Place,
    router::{self, Events, Receive, Reply, ReplyBody, ReplyFuture, Routed, Routes},
    trace,
};

/// The number of items of a stream after which other tasks get the thread, even if there is room for
/// more: a stream that is always ready may yield empty events.
const ITEMS: usize = 1024;

/// The time that a client may take over the 503 that it gets when the server is cut.
const LAST_ANSWER: Duration = Duration::from_secs(1);

/// One request and its reply, from before the request arrives to after the clean-up.
///
/// The fields are dropped in order: the handler's code first, then the transport (the socket, or its
/// counterpart in an embedding or a test), then the connection, which runs clean-up, and last its place
/// among the others.
pub(crate) struct Exchange<T> {
    work: Work,
    pub(crate) transport: T,
    pub(crate) connection: Connection,
    pub(crate) place: Place,
}

/// The state of the handler.
enum Work {
    /// There is no handler: the response is whole, or there is none any more.
    Idle,
    /// There is no request yet. The parts that routing needs are freed once it is done.
    Unasked(Box<Unasked>),
    /// The handler is called once the request's body is there.
    Receiving(Box<Receive>),
    Deciding(ReplyFuture),
    Streaming(Events),
}

struct Unasked {
    routes: Arc<Routes>,
    peer: Option<SocketAddr>,
}

/// The result of a turn: what the host has to do or to wait for.
#[derive(Debug)]
pub(crate) enum Turn {
    /// Wait until the task is woken or the connection's deadline passes.
    Parked,
    /// Wait until bytes are transmitted; the stream continues then.
    Full,
    /// The handler's stream had its share: take another turn after other tasks had one.
    Spent,
    /// Give the foreign server this head, and take another turn.
    Respond(Box<Response<BodyLength>>),
    /// Everything is transmitted: end the output, report that to the connection, and take another turn.
    EndOutput {
        /// Whether the stream failed. Shut down a transport that has a proper end of its own, such as TLS
        /// with `close_notify`, without it then.
        broken_off: bool,
    },
    /// The connection is over. This is the last turn.
    Closed(CloseReason),
}

/// The progress of the handler's code.
enum Progress {
    Parked,
    Full,
    Spent,
    /// The connection's phase has changed, and it may have an event.
    Changed,
}

impl<T> Exchange<T> {
    /// Creates an exchange whose request is still to come.
    pub(crate) fn new(
        connection: Connection,
        transport: T,
        place: Place,
        routes: Arc<Routes>,
        peer: Option<SocketAddr>,
    ) -> Self {
        Self {
            work: Work::Unasked(Box::new(Unasked { routes, peer })),
            transport,
            connection,
            place,
        }
    }

    /// Creates an exchange whose request is there: call [`ask`](Self::ask) next.
    pub(crate) fn requested(connection: Connection, transport: T, place: Place) -> Self {
        Self {
            work: Work::Idle,
            transport,
            connection,
            place,
        }
    }

    /// Responds to a new connection, before its request, that there is no place for it.
    pub(crate) fn turn_away(&mut self, now: Instant, response: Response<Bytes>) {
        // No response was sent on this connection yet, so it accepts one.
        let response = response.map(ResponseBody::Whole);
        let _ = self.connection.respond(now, response);
    }

    /// Passes the request to `route`, which finds its handler.
    pub(crate) fn ask(
        &mut self,
        now: Instant,
        head: RequestHead,
        peer: Option<SocketAddr>,
        route: impl FnOnce(RequestHead, router::Context) -> Routed,
    ) {
        self.place.asked();
        let headers = head.request().headers();
        let client = self.place.connections().client(peer, headers);
        trace::request(&head, peer, client);
        let streams = self.place.connections().open_streams();
        let path = head.request().uri().path();
        self.place.ticket = streams.map(|streams| streams.enter(now, path, peer, client));
        let context = router::Context {
            peer,
            client,
            entry: self.place.ticket.as_ref().map(|it| it.entry().clone()),
            clean_up: self.connection.clean_up(),
            shutdown: self.place.connections().shutdown.signal(),
        };
        // A foreign server's request may hold application values, which are dropped here.
        match catch(|| route(head, context)) {
            Ok(Routed::Answer(reply)) => self.respond(now, reply),
            Ok(Routed::Call(future)) => self.work = Work::Deciding(future),
            Ok(Routed::Receive(receive)) => {
                self.work = Work::Receiving(receive);
                // There is a request, and its body was not asked for before.
                let _ = self.connection.receive_body(now);
            }
            Err(Panicked) => self.abort(now, CloseReason::HandlerPanicked),
        }
    }

    /// Handles deadlines that have passed, tells the handler what came in, and takes what it yields while
    /// there is room. `write_blocked` says that the transport took nothing when it was last offered
    /// bytes.
    pub(crate) fn turn(&mut self, cx: &mut Context<'_>, now: Instant, write_blocked: bool) -> Turn {
        self.obey_shutdown(now);
        self.decide_late(cx, now);
        self.connection.handle_timeout(now);
        loop {
            while let Some(event) = self.connection.poll_event(now) {
                match event {
                    ConnectionEvent::Request(head) => self.route(now, *head),
                    ConnectionEvent::RequestBody(body) => self.call(body),
                    ConnectionEvent::Respond(response) => return Turn::Respond(response),
                    ConnectionEvent::EndOutput { broken_off } => {
                        return Turn::EndOutput { broken_off };
                    }
                    ConnectionEvent::Closed(reason) => return self.closed(reason),
                    // There are no others in the version that the crates share.
                    _ => {}
                }
            }
            match self.work(cx, now, write_blocked) {
                Progress::Changed => {}
                Progress::Parked => return Turn::Parked,
                Progress::Full => return Turn::Full,
                Progress::Spent => return Turn::Spent,
            }
        }
    }

    /// Reports how many bytes of the connection's output the transport took.
    pub(crate) fn transmitted(&mut self, now: Instant, n: usize) {
        self.connection.handle_transmitted(now, n);
        self.place.wrote(n);
    }

    /// Counts the bytes that wait to be written.
    pub(crate) fn count_queued(&mut self) {
        self.place.queues(self.connection.queued());
    }

    /// Handles that the host is about to drop this, as a foreign server does when the client has gone.
    pub(crate) fn hang_up(&mut self, now: Instant) {
        let is_cut = self.place.connections().is_cut();
        let reason = match is_cut {
            true => CloseReason::Shutdown,
            false => CloseReason::ClientWentAway,
        };
        let is_at_work = matches!(
            self.connection.phase(),
            Phase::Body | Phase::Responding | Phase::Streaming
        );
        self.place.is_cut |= is_cut && is_at_work;
        // This fails where the connection is over already.
        let _ = self.connection.close(now, reason);
        while let Some(event) = self.connection.poll_event(now) {
            if let ConnectionEvent::Closed(reason) = event {
                let _ = self.closed(reason);
            }
        }
    }

    /// Ends, at a shutdown, a connection without a request, and at the cut every other one. A client that
    /// waits for its response then gets a 503, and has [`LAST_ANSWER`] to take it.
    fn obey_shutdown(&mut self, now: Instant) {
        let connections = self.place.connections();
        if !connections.shutdown.has_begun() || self.place.is_cut {
            return;
        }
        let phase = self.connection.phase();
        if phase == Phase::Head {
            // This fails where the connection is over already; so does the one below.
            let _ = self.connection.close(now, CloseReason::Shutdown);
            return;
        }
        if !connections.is_cut() {
            return;
        }
        self.place.is_cut = true;
        match phase {
            Phase::Body | Phase::Responding => {
                self.abort(now, CloseReason::Shutdown);
                if self.connection.is_on_socket()
                    && let Some(at) = now.checked_add(LAST_ANSWER)
                {
                    // This fails where nothing is queued.
                    let _ = self.connection.deliver_by(at);
                }
            }
            Phase::Streaming => {
                let _ = self.connection.close(now, CloseReason::Shutdown);
            }
            // A foreign server that has the response's head delivers the rest itself.
            _ if self.connection.is_on_socket() => {
                // A cut does not lose bytes that are transmitted already.
                self.place.is_cut = phase == Phase::Delivering;
                let _ = self.connection.close(now, CloseReason::Shutdown);
            }
            _ => self.place.is_cut = false,
        }
    }

    fn route(&mut self, now: Instant, head: RequestHead) {
        // There is one request, so this is where it is routed.
        if let Work::Unasked(unasked) = mem::replace(&mut self.work, Work::Idle) {
            let Unasked { routes, peer } = *unasked;
            // The routes may be the last to hold the handlers, and are dropped where a panic is caught.
            self.ask(now, head, peer, move |head, context| {
                routes.route(head, context)
            });
        }
    }

    fn call(&mut self, body: Bytes) {
        if let Work::Receiving(receive) = mem::replace(&mut self.work, Work::Idle) {
            self.work = Work::Deciding(receive.call(body));
        }
    }

    /// If the deadline of the handler's response has passed, a response that is there still counts: this
    /// task may be late, and not the handler.
    fn decide_late(&mut self, cx: &mut Context<'_>, now: Instant) {
        if let Work::Deciding(_) = self.work
            && self
                .connection
                .poll_timeout()
                .is_some_and(|deadline| deadline <= now)
        {
            self.work(cx, now, false);
        }
    }

    /// Calls the handler's code, if the connection's phase needs it.
    fn work(&mut self, cx: &mut Context<'_>, now: Instant, write_blocked: bool) -> Progress {
        match (&mut self.work, self.connection.phase()) {
            (Work::Idle | Work::Unasked(_), _) | (Work::Receiving(_), Phase::Body) => {
                Progress::Parked
            }
            (Work::Deciding(future), Phase::Responding) => {
                match catch(|| future.as_mut().poll(cx)) {
                    Ok(Poll::Pending) => return Progress::Parked,
                    Ok(Poll::Ready(reply)) => self.respond(now, reply),
                    Err(Panicked) => self.abort(now, CloseReason::HandlerPanicked),
                }
                Progress::Changed
            }
            (Work::Streaming(_), Phase::Streaming) => self.stream(cx, now, write_blocked),
            // The connection is past it, and knows why it ends.
            _ => {
                let _ = self.drop_work();
                Progress::Changed
            }
        }
    }

    fn respond(&mut self, now: Instant, reply: Reply) {
        let (mut head, body) = reply.into_parts();
        let (body, work) = match body {
            ReplyBody::Events(events) => {
                let mut options = StreamOptions::default();
                options.lifetime = self.place.connections().draw_lifetime();
                options.keep_alive = events.keep_alive();
                #[cfg(feature = "compression")]
                {
                    options.compression = events.compression();
                }
                (ResponseBody::EventStream(options), Work::Streaming(events))
            }
            ReplyBody::Whole(bytes) => {
                self.place.ticket = None;
                (ResponseBody::Whole(bytes), Work::Idle)
            }
        };
        let mut dropped = self.drop_work();
        self.work = work;
        let is_interim = head.status().is_informational();
        if self.connection.is_on_socket() || is_interim || dropped.is_err() {
            // The extensions of a handler's response are for layers of a foreign server.
            let extensions = mem::take(head.extensions_mut());
            dropped = dropped.and(catch(|| drop(extensions)));
        }
        if dropped.is_err() {
            return self.abort(now, CloseReason::HandlerPanicked);
        }
        if let Err(error) = self.connection.respond(now, head.map(|()| body)) {
            // An interim status is a mistake of the handler's.
            self.abort(now, CloseReason::StreamError(StreamError::new(error)));
        }
    }

    /// Takes what the handler's stream yields, while there is room.
    fn stream(&mut self, cx: &mut Context<'_>, now: Instant, write_blocked: bool) -> Progress {
        let ticket = self.place.ticket.as_ref();
        if let Some(reason) = ticket.and_then(|it| it.entry().begin_turn(now, cx.waker())) {
            self.finish(now, CloseReason::Ended(reason));
            return Progress::Changed;
        }
        let ends = self.ends_at_shutdown(now);
        let Work::Streaming(events) = &mut self.work else {
            return Progress::Parked;
        };
        if write_blocked && events.can_wait() {
            if ends {
                self.finish(now, CloseReason::Shutdown);
                return Progress::Changed;
            }
            return Progress::Full;
        }
        let (sent, end) = send_items(events, &mut self.connection, cx, now);
        self.place.sent(sent);
        if let Some(ticket) = &self.place.ticket {
            ticket.entry().end_turn(now, sent, events.lag());
        }
        match end {
            Ok(_) if ends => self.finish(now, CloseReason::Shutdown),
            Ok(progress) => return progress,
            Err(CloseReason::StreamEnded) => self.finish(now, CloseReason::StreamEnded),
            Err(reason) => self.abort(now, reason),
        }
        Progress::Changed
    }

    /// Draws the end of a stream once the shutdown has begun, and returns whether it has come already. A
    /// client that resumes elsewhere loses nothing by an end between two events. Another stream is told of the
    /// shutdown, because it may not be polled for long.
    fn ends_at_shutdown(&mut self, now: Instant) -> bool {
        let connections = self.place.connections();
        if self.place.has_end || !connections.shutdown.has_begun() {
            return false;
        }
        match &mut self.work {
            Work::Streaming(events) if events.ends_at_shutdown() => {}
            Work::Streaming(events) => {
                events.hear_of_shutdown();
                return false;
            }
            _ => return false,
        }
        let end = connections.draw_end(now);
        self.place.has_end = true;
        // The stream is open here.
        if let Some(retry) = end.retry {
            let _ = self.connection.end_with_retry(retry);
        }
        let _ = self.connection.finish_at(end.at, CloseReason::Shutdown);
        end.at <= now
    }

    /// Ends the stream properly.
    fn finish(&mut self, now: Instant, reason: CloseReason) {
        // The phase allows it.
        let _ = match self.drop_work() {
            Ok(()) => self.connection.finish_for(now, reason),
            Err(Panicked) => return self.abort(now, CloseReason::HandlerPanicked),
        };
    }

    fn abort(&mut self, now: Instant, reason: CloseReason) {
        // Another panic does not change what the client is told.
        let _ = self.drop_work();
        // This is called in the phases that allow it.
        let _ = self.connection.abort(now, reason);
    }

    fn closed(&mut self, reason: CloseReason) -> Turn {
        let _ = self.drop_work();
        self.place.ticket = None;
        self.place.closed(&reason);
        trace::closed(&reason);
        if self.place.is_cut && reason == CloseReason::Shutdown {
            self.place.was_cut();
        }
        Turn::Closed(reason)
    }

    /// Drops what the handler left, which runs the handler's code again.
    fn drop_work(&mut self) -> Result<(), Panicked> {
        let work = mem::replace(&mut self.work, Work::Idle);
        catch(|| drop(work))
    }
}

/// Sends what the stream yields, while there is room. Returns how many events it sent, and what the turn comes to, or
/// how the stream has ended.
#[inline]
fn send_items(
    events: &mut Events,
    connection: &mut Connection,
    cx: &mut Context<'_>,
    now: Instant,
) -> (usize, Result<Progress, CloseReason>) {
    let (mut sent, mut items) = (0, 0);
    let end = loop {
        if !connection.has_room() {
            break Ok(Progress::Full);
        }
        if items == ITEMS {
            break Ok(Progress::Spent);
        }
        items += 1;
        // The item is written to its place inside `catch`, because each move of an item is a copy.
        let mut item = Poll::Pending;
        if catch(|| item = events.poll_next_yielded(cx)).is_err() {
            break Err(CloseReason::HandlerPanicked);
        }
        // There is room, so the connection takes the item.
        let _ = match item {
            Poll::Pending => break Ok(Progress::Parked),
            Poll::Ready(Some(Ok(StreamItem::Event(event)))) => {
                sent += 1;
                connection.send(now, &event)
            }
            Poll::Ready(Some(Ok(StreamItem::Comment(comment)))) => {
                connection.comment(now, &comment)
            }
            Poll::Ready(Some(Ok(StreamItem::Encoded(events)))) => {
                sent += events.count();
                connection.send_encoded(now, events)
            }
            Poll::Ready(Some(Err(error))) => break Err(reason_of(error)),
            Poll::Ready(None) => break Err(CloseReason::StreamEnded),
        };
    };
    (sent, end)
}

/// Returns why a stream failed. Formatting the error runs application code, too. This is apart from the
/// loop that takes what a stream yields, which runs for each event.
#[cold]
fn reason_of(error: EventError) -> CloseReason {
    catch(|| CloseReason::from(error)).unwrap_or(CloseReason::HandlerPanicked)
}

/// When the task is dropped, the handler's code is dropped first, and its panic is caught.
impl<T> Drop for Exchange<T> {
    fn drop(&mut self) {
        let _ = self.drop_work();
    }
}

//! The pump: one connection's task.
//!
//! It moves bytes and time between a transport and the state machine, and events from the
//! handler's stream into it. It decides nothing itself.

use std::{
    future::Future,
    mem,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Instant,
};

use bytes::Bytes;

use super::{connections::Place, read_waker::ReadWaker};
use crate::{
    Runtime, Transport,
    alarm::Alarm,
    router::{self, Dispatch, Events, Receive, Reply, ReplyBody, ReplyFuture, Routes},
    socket::Socket,
    trace::{self, ConnectionSpan},
};
use sse_core::{
    StreamItem,
    http::RequestHead,
    internal::{Panicked, catch},
    lifecycle::CloseReason,
    server::{Body, Connection, ConnectionEvent, Phase},
};

/// How much is read at once. The buffer is on the stack: an idle connection has none.
const READ_BUFFER: usize = 4096;

/// After how many rounds a busy connection lets others have the thread.
const ROUNDS: usize = 16;

/// How many reads there may be at a deadline before it counts: 1 MiB, which is more than a system
/// buffers as a rule, and as much as a request body has by default.
const LATE_READS: usize = 256;

/// Drives a connection over its transport until it is over. When it is dropped half-way, the
/// stream is dropped, the socket closed and clean-up run all the same.
///
/// A future by hand: the state of an `async fn` would hold all of this twice. The fields are
/// dropped in this order: first the handler's stream, then the socket, then the connection, which
/// runs clean-up, and last the place among the others.
pub(super) struct Pump<R: Runtime> {
    work: Work,
    transport: Socket<R::Transport>,
    connection: Connection,
    alarm: Alarm<R>,
    /// There once the pump has been polled.
    wakers: Option<Wakers>,
    input_ended: bool,
    /// The transport took nothing when it was last offered something.
    write_blocked: bool,
    output: OutputSide,
    /// The body ended before it was whole.
    broken_off: bool,
    span: ConnectionSpan,
    runtime: R,
    place: Place,
}

struct Wakers {
    task: Waker,
    read: ReadWaker,
}

/// What the handler is doing.
enum Work {
    Nothing,
    /// There is no request yet. What it will need is given back once it is routed.
    NotAsked(Box<Routing>),
    /// The handler is called once the request's body is there.
    Receiving(Box<Receive>),
    Deciding(ReplyFuture),
    Streaming(Events),
}

/// How it is with the handler now.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Worked {
    /// There is nothing to do until something wakes this task.
    Parked,
    /// Something happened: everything is to be looked at again.
    Again,
    /// The handler's stream goes on once something is written.
    Full,
}

struct Routing {
    peer: SocketAddr,
    routes: Arc<Routes>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum OutputSide {
    Open,
    /// Something was written and may be held back.
    Unflushed,
    /// Being shut down.
    Ending,
    /// The same, before the body was whole.
    BreakingOff,
    Ended,
}

impl<R: Runtime> Pump<R> {
    pub(super) fn new(
        runtime: R,
        transport: Socket<R::Transport>,
        peer: SocketAddr,
        connection: Connection,
        routes: Arc<Routes>,
        place: Place,
    ) -> Self {
        Self {
            work: Work::NotAsked(Box::new(Routing { peer, routes })),
            transport,
            connection,
            alarm: Alarm::new(),
            wakers: None,
            input_ended: false,
            write_blocked: false,
            output: OutputSide::Open,
            broken_off: false,
            span: ConnectionSpan::new(peer),
            runtime,
            place,
        }
    }
}

impl<R: Runtime> Future for Pump<R> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let _entered = self.span.enter();
        self.register(cx);
        for _ in 0..ROUNDS {
            let now = self.runtime.now();
            let mut again = self.read(now);
            // The clock is looked at before the timer: a runtime may make a timer wait for others.
            if self.connection.poll_timeout().is_some_and(|at| at <= now) {
                again |= self.handle_timeout(now);
            }
            self.obey_shutdown(now);
            while let Some(event) = self.connection.poll_event() {
                again = true;
                match event {
                    ConnectionEvent::Request(head) => self.dispatch(now, *head),
                    ConnectionEvent::RequestBody(body) => self.call(body),
                    // Of a connection over a socket there is none.
                    ConnectionEvent::Respond(_) => {}
                    ConnectionEvent::EndOutput if self.broken_off => {
                        self.output = OutputSide::BreakingOff;
                    }
                    ConnectionEvent::EndOutput => self.output = OutputSide::Ending,
                    ConnectionEvent::Closed(reason) => return self.closed(&reason),
                    // There are no others in the version that the crates share.
                    _ => {}
                }
            }
            let worked = self.work(cx, now);
            let wrote = self.write(cx, now);
            again |= match worked {
                Worked::Again => true,
                // In an open stream, nothing but the stream waits for what is queued to be written.
                Worked::Parked => wrote && self.connection.phase() != Phase::Streaming,
                Worked::Full => wrote,
            };
            let queued = self.connection.queued();
            self.place.queues(queued);
            if !again && self.sleep(cx, now).is_pending() {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<R: Runtime> Pump<R> {
    /// Makes sure that the read side and the server's shutdown wake this task.
    fn register(&mut self, cx: &mut Context<'_>) {
        let is_new = match &mut self.wakers {
            Some(wakers) if wakers.task.will_wake(cx.waker()) => false,
            Some(wakers) => {
                wakers.task.clone_from(cx.waker());
                wakers.read.set_task(cx.waker());
                self.alarm.forget_task();
                true
            }
            None => {
                self.wakers = Some(Wakers {
                    task: cx.waker().clone(),
                    read: ReadWaker::new(cx.waker()),
                });
                true
            }
        };
        // Whether it has begun is looked up in every round; this is for the waking alone.
        self.place.wake_at_shutdown(cx.waker(), is_new);
    }

    fn obey_shutdown(&mut self, now: Instant) {
        let connections = self.place.connections();
        let cut = connections.is_cut();
        // Who has asked for nothing yet is not worth waiting for.
        let idle = connections.shutdown.has_begun() && self.connection.phase() == Phase::Head;
        if cut || idle {
            // Fails where the connection is over already.
            let _ = self.connection.close(now, CloseReason::Shutdown);
        }
    }

    fn read(&mut self, now: Instant) -> bool {
        let Some(Wakers { read, .. }) = &self.wakers else {
            return false;
        };
        if self.input_ended || !read.take_woken() {
            return false;
        }
        let mut buffer = [0; READ_BUFFER];
        let waker = read.waker();
        let mut cx = Context::from_waker(&waker);
        match self.transport.poll_read(&mut cx, &mut buffer) {
            Poll::Pending => return false,
            Poll::Ready(Ok(0)) => {
                self.input_ended = true;
                self.connection.handle_eof(now);
            }
            Poll::Ready(Ok(n)) => {
                read.again();
                self.connection
                    .handle_input(now, buffer.get(..n).unwrap_or(&buffer));
            }
            Poll::Ready(Err(error)) => {
                self.input_ended = true;
                self.connection.handle_transport_error(now, error.kind());
            }
        }
        true
    }

    /// A deadline has passed. What has arrived by now comes first: it is this task that is late,
    /// and not the client. Bounded, or a client that sends without an end had no deadline.
    fn handle_timeout(&mut self, now: Instant) -> bool {
        let mut has_read = false;
        for _ in 0..LATE_READS {
            if !matches!(self.connection.phase(), Phase::Head | Phase::Body) || !self.read(now) {
                break;
            }
            has_read = true;
        }
        self.connection.handle_timeout(now);
        has_read
    }

    fn dispatch(&mut self, now: Instant, head: RequestHead) {
        // There is one request, so this is where it is routed.
        let Work::NotAsked(routing) = mem::replace(&mut self.work, Work::Nothing) else {
            return;
        };
        self.place.asked();
        trace::request(&head);
        let context = router::Context {
            peer: Some(routing.peer),
            clean_up: self.connection.clean_up(),
            shutdown: self.place.connections().shutdown.signal(),
        };
        match routing.routes.dispatch(head, context) {
            Dispatch::Answer(reply) => self.respond(now, reply),
            Dispatch::Call(future) => self.work = Work::Deciding(future),
            Dispatch::Receive(receive) => {
                self.work = Work::Receiving(receive);
                // There is a request, and nobody else asks for its body.
                let _ = self.connection.receive_body(now);
            }
        }
    }

    fn call(&mut self, body: Bytes) {
        if let Work::Receiving(receive) = mem::replace(&mut self.work, Work::Nothing) {
            self.work = Work::Deciding(receive.call(body));
        }
    }

    fn respond(&mut self, now: Instant, reply: Reply) {
        let (head, body) = reply.into_parts();
        let (body, work) = match body {
            ReplyBody::Events(events) => (Body::EventStream, Work::Streaming(events)),
            ReplyBody::Whole(bytes) => (Body::Whole(bytes), Work::Nothing),
        };
        self.work = work;
        let response = head.map(|()| body);
        if let Err(error) = self.connection.respond(now, response) {
            // It is the handler's mistake if it is anyone's: an interim status.
            let reason = CloseReason::StreamError(error.to_string().into());
            self.abort_response(now, reason);
        }
    }

    /// Polls the handler, as long as what it yields is wanted.
    fn work(&mut self, cx: &mut Context<'_>, now: Instant) -> Worked {
        match &mut self.work {
            Work::Nothing | Work::NotAsked(_) => Worked::Parked,
            Work::Receiving(_) if self.connection.phase() == Phase::Body => Worked::Parked,
            Work::Deciding(future) if self.connection.phase() == Phase::Responding => {
                match catch(|| future.as_mut().poll(cx)) {
                    Ok(Poll::Pending) => return Worked::Parked,
                    Ok(Poll::Ready(reply)) => self.respond(now, reply),
                    Err(Panicked) => self.abort(now, CloseReason::HandlerPanicked),
                }
                Worked::Again
            }
            Work::Streaming(_) if self.connection.phase() == Phase::Streaming => {
                self.stream(cx, now)
            }
            // The connection is past it, and knows why it ends.
            _ => {
                let _ = self.drop_work();
                Worked::Again
            }
        }
    }

    /// Takes what the handler's stream yields, as long as there is room.
    fn stream(&mut self, cx: &mut Context<'_>, now: Instant) -> Worked {
        let Work::Streaming(events) = &mut self.work else {
            return Worked::Parked;
        };
        if self.write_blocked && events.can_wait() {
            return Worked::Full;
        }
        let (mut worked, mut sent) = (Worked::Full, 0);
        let end = loop {
            if !self.connection.has_room() {
                break None;
            }
            // There is room, so what is sent is taken.
            let _ = match catch(|| events.poll_next_yielded(cx)) {
                Ok(Poll::Pending) => {
                    worked = Worked::Parked;
                    break None;
                }
                Ok(Poll::Ready(Some(Ok(StreamItem::Event(event))))) => {
                    sent += 1;
                    self.connection.send(now, &event)
                }
                Ok(Poll::Ready(Some(Ok(StreamItem::Comment(comment))))) => {
                    self.connection.comment(now, &comment)
                }
                Ok(Poll::Ready(Some(Ok(StreamItem::Encoded(events))))) => {
                    sent += events.count();
                    self.connection.send_encoded(now, events)
                }
                Ok(Poll::Ready(Some(Err(error)))) => break Some(Err(CloseReason::from(&error))),
                Ok(Poll::Ready(None)) => break Some(Ok(())),
                Err(Panicked) => break Some(Err(CloseReason::HandlerPanicked)),
            };
        };
        self.place.sent(sent);
        match end {
            None => return worked,
            Some(Err(reason)) => self.abort(now, reason),
            Some(Ok(())) => {
                match self.drop_work() {
                    // The phase is the right one.
                    Ok(()) => {
                        let _ = self.connection.finish(now);
                    }
                    Err(Panicked) => self.abort_response(now, CloseReason::HandlerPanicked),
                }
            }
        }
        Worked::Again
    }

    fn abort(&mut self, now: Instant, reason: CloseReason) {
        // One panic more makes no difference to what the client is told.
        let _ = self.drop_work();
        self.abort_response(now, reason);
    }

    fn abort_response(&mut self, now: Instant, reason: CloseReason) {
        // Before that there is a whole answer that says so.
        self.broken_off = self.connection.phase() == Phase::Streaming;
        // Called in the phases that allow it.
        let _ = self.connection.abort(now, reason);
    }

    /// Drops what the handler left, which is the handler's code once more.
    fn drop_work(&mut self) -> Result<(), Panicked> {
        let work = mem::replace(&mut self.work, Work::Nothing);
        catch(|| drop(work))
    }

    fn write(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let mut busy = false;
        while self.connection.has_output() {
            let transmit = self.connection.poll_transmit();
            match self.transport.poll_write_vectored(cx, transmit.slices()) {
                Poll::Pending => {
                    self.write_blocked = true;
                    return busy;
                }
                Poll::Ready(Ok(n)) if n > 0 => {
                    self.write_blocked = false;
                    self.connection.handle_transmitted(now, n);
                    self.place.wrote(n);
                    self.output = OutputSide::Unflushed;
                }
                // A transport that takes nothing of something is broken.
                Poll::Ready(Ok(_)) => {
                    let kind = std::io::ErrorKind::WriteZero;
                    self.connection.handle_transport_error(now, kind);
                }
                Poll::Ready(Err(error)) => {
                    self.connection.handle_transport_error(now, error.kind());
                }
            }
            busy = true;
        }
        let result = match self.output {
            OutputSide::Open | OutputSide::Ended => return busy,
            OutputSide::Unflushed => self.transport.poll_flush(cx),
            OutputSide::Ending => self.transport.poll_shutdown(cx),
            OutputSide::BreakingOff => self.transport.poll_break_off(cx),
        };
        match (result, self.output) {
            (Poll::Pending, _) => return busy,
            // Whether the peer still wants to hear of it or not.
            (Poll::Ready(_), OutputSide::Ending | OutputSide::BreakingOff) => {
                self.output = OutputSide::Ended;
                self.connection.handle_output_ended(now);
            }
            (Poll::Ready(Ok(())), _) => self.output = OutputSide::Open,
            (Poll::Ready(Err(error)), _) => {
                self.output = OutputSide::Open;
                self.connection.handle_transport_error(now, error.kind());
            }
        }
        true
    }

    /// Until the connection's next deadline.
    fn sleep(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<()> {
        let deadline = self.connection.poll_timeout();
        if self.alarm.will_wake(deadline, now) {
            return Poll::Pending;
        }
        self.alarm.poll(&self.runtime, deadline, cx)
    }

    fn closed(&mut self, reason: &CloseReason) -> Poll<()> {
        // Who has asked for nothing loses nothing.
        let had_asked = !matches!(self.work, Work::NotAsked(_));
        let _ = self.drop_work();
        self.place.closed(reason);
        trace::closed(reason);
        let is_cut = self.place.connections().is_cut();
        if *reason == CloseReason::Shutdown && is_cut && had_asked {
            self.place.was_cut();
        }
        Poll::Ready(())
    }
}

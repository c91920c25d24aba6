//! One request and its response: both ends of a connection, with nothing between them.

use std::{
    fmt,
    future::Future,
    mem,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Instant, SystemTime},
};

use ::http::{Method, Response};
use bytes::Bytes;

use super::{NoResponse, Sleep, TestClient, TestClock};
use crate::router::{self, Dispatch, Events, Receive, Reply, ReplyBody, ReplyFuture, Routes};
use sse_core::{
    Decoder, DecoderLimits, MessageEvent, StreamItem,
    http::{
        BodyError, BodyPart, BodyReader, Framing, RequestHead, ResponseHeadLimits,
        ResponseHeadReader,
    },
    internal::{Panicked, catch},
    lifecycle::{CleanUp, CloseReason, Shutdown},
    server::{Body, Connection, ConnectionEvent, Phase},
};

/// Fields are dropped in this order: the handler's stream before the connection, which runs
/// clean-up.
pub(super) struct Exchange {
    work: Work,
    connection: Option<Connection>,
    clean_up: CleanUp,
    received: Received,
    clock: TestClock,
    timer: Option<Sleep>,
    routes: Arc<Routes>,
    peer: Option<SocketAddr>,
    shutdown: Shutdown,
    is_head: bool,
}

/// What the handler is doing.
enum Work {
    Nothing,
    Receiving(Box<Receive>),
    Deciding(ReplyFuture),
    Streaming(Events),
}

/// The client's end.
struct Received {
    /// What was sent and not read yet.
    wire: Vec<u8>,
    ended: bool,
    head: ResponseHeadReader,
    /// There once the head has been read.
    body: Option<BodyReader>,
    /// The body so far, free of its framing, as far as no events were made of it.
    bytes: Vec<u8>,
    /// How the body ended, once it has.
    end: Option<Result<(), BodyError>>,
    decoder: Decoder,
}

impl Exchange {
    pub(super) fn new(client: &TestClient, is_head: bool) -> Self {
        let now = client.clock.now();
        // The date is nobody's in a test.
        let connection = Connection::new(now, SystemTime::UNIX_EPOCH, client.config.clone());
        let limits = DecoderLimits::default();
        let limits = limits
            .with_line(usize::MAX)
            .with_event(usize::MAX)
            .with_id(usize::MAX);
        Self {
            work: Work::Nothing,
            clean_up: connection.clean_up(),
            connection: Some(connection),
            received: Received {
                wire: Vec::new(),
                ended: false,
                head: ResponseHeadReader::new(ResponseHeadLimits::default()),
                body: None,
                bytes: Vec::new(),
                end: None,
                decoder: Decoder::with_limits(limits),
            },
            clock: client.clock.clone(),
            timer: None,
            routes: client.routes.clone(),
            peer: client.peer,
            shutdown: client.shutdown.clone(),
            is_head,
        }
    }

    /// The server receives these bytes.
    pub(super) fn receive(&mut self, bytes: &[u8]) {
        let now = self.clock.now();
        if let Some(connection) = &mut self.connection {
            connection.handle_input(now, bytes);
        }
    }

    pub(super) fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Response<()>, NoResponse>> {
        self.poll_until(cx, |this| {
            let head = this.received.read_head(this.is_head).transpose();
            head.or_else(|| this.reason().map(|reason| Err(NoResponse::Closed(reason))))
        })
    }

    pub(super) fn poll_event(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<MessageEvent, BodyError>>> {
        self.poll_until(cx, |this| this.received.read_event())
    }

    pub(super) fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<Vec<u8>, BodyError>> {
        self.poll_until(cx, |this| {
            let end = this.received.read_body()?;
            Some(end.map(|()| mem::take(&mut this.received.bytes)))
        })
    }

    pub(super) fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<CloseReason> {
        self.poll_until(cx, |this| {
            // What nobody wants to see takes no memory.
            this.received.wire.clear();
            this.reason()
        })
    }

    pub(super) fn disconnect(&mut self) -> CloseReason {
        let now = self.clock.now();
        if let Some(connection) = &mut self.connection {
            connection.handle_eof(now);
            self.take_news(now);
        }
        self.close();
        self.reason().unwrap_or(CloseReason::TaskDropped)
    }

    /// What clean-up callbacks were told, once they were.
    fn reason(&self) -> Option<CloseReason> {
        self.clean_up.reason()
    }

    /// Polls the server until there is what `look` looks for.
    fn poll_until<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut look: impl FnMut(&mut Self) -> Option<T>,
    ) -> Poll<T> {
        loop {
            if let Some(found) = look(self) {
                return Poll::Ready(found);
            }
            if !self.turn(cx) && self.sleep(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }

    /// One round of the server's. Says whether there was anything to do.
    fn turn(&mut self, cx: &mut Context<'_>) -> bool {
        let now = self.clock.now();
        if let Some(connection) = &mut self.connection {
            connection.handle_timeout(now);
        }
        let busy = self.take_news(now);
        let busy = self.work(cx, now) || busy;
        self.transmit(now) || busy
    }

    fn take_news(&mut self, now: Instant) -> bool {
        let mut busy = false;
        while let Some(event) = self.connection.as_mut().and_then(Connection::poll_event) {
            busy = true;
            match event {
                ConnectionEvent::Request(head) => self.dispatch(now, *head),
                ConnectionEvent::RequestBody(body) => self.call_with(body),
                // Of a connection over a socket there is none.
                ConnectionEvent::Respond(_) => {}
                ConnectionEvent::EndOutput => {
                    self.received.ended = true;
                    if let Some(connection) = &mut self.connection {
                        connection.handle_output_ended(now);
                        // The client has all it wanted.
                        connection.handle_eof(now);
                    }
                }
                ConnectionEvent::Closed(_) => self.close(),
                // There are no others in the version that the crates share.
                _ => {}
            }
        }
        busy
    }

    /// First the stream, then what stands for the socket, then clean-up.
    fn close(&mut self) {
        let _ = self.drop_work();
        self.received.ended = true;
        self.timer = None;
        self.connection = None;
    }

    fn dispatch(&mut self, now: Instant, head: RequestHead) {
        let context = router::Context {
            peer: self.peer,
            clean_up: self.clean_up.clone(),
            shutdown: self.shutdown.signal(),
        };
        match self.routes.dispatch(head, context) {
            Dispatch::Answer(reply) => self.respond(now, reply),
            Dispatch::Call(future) => self.work = Work::Deciding(future),
            Dispatch::Receive(receive) => {
                self.work = Work::Receiving(receive);
                if let Some(connection) = &mut self.connection {
                    // There is a request, and nothing else was asked of it.
                    let _ = connection.receive_body(now);
                }
            }
        }
    }

    fn call_with(&mut self, body: Bytes) {
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
        let Some(connection) = &mut self.connection else {
            return;
        };
        if let Err(error) = connection.respond(now, head.map(|()| body)) {
            self.abort(now, CloseReason::StreamError(error.to_string().into()));
        }
    }

    fn work(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let Some(connection) = &mut self.connection else {
            return false;
        };
        match &mut self.work {
            Work::Nothing => return false,
            Work::Receiving(_) if connection.phase() == Phase::Body => return false,
            Work::Deciding(future) if connection.phase() == Phase::Responding => {
                match catch(|| future.as_mut().poll(cx)) {
                    Ok(Poll::Pending) => return false,
                    Ok(Poll::Ready(reply)) => self.respond(now, reply),
                    Err(Panicked) => self.abort(now, CloseReason::HandlerPanicked),
                }
            }
            // One at a time: whoever waits for an event gets it before the next is asked for.
            Work::Streaming(events) if connection.has_room() => {
                match catch(|| events.poll_next_yielded(cx)) {
                    Ok(Poll::Pending) => return false,
                    Ok(Poll::Ready(Some(Ok(yielded)))) => {
                        // There is room, so it is taken.
                        let _ = match yielded {
                            StreamItem::Event(event) => connection.send(now, &event),
                            StreamItem::Comment(comment) => connection.comment(now, &comment),
                            StreamItem::Encoded(events) => connection.send_encoded(now, events),
                        };
                    }
                    Ok(Poll::Ready(Some(Err(error)))) => self.abort(now, CloseReason::from(&error)),
                    Ok(Poll::Ready(None)) => self.finish(now),
                    Err(Panicked) => self.abort(now, CloseReason::HandlerPanicked),
                }
            }
            Work::Streaming(_) if connection.phase() == Phase::Streaming => return false,
            // The connection is past it, and knows why it ends.
            _ => {
                let _ = self.drop_work();
            }
        }
        true
    }

    fn finish(&mut self, now: Instant) {
        let dropped = self.drop_work();
        if let Some(connection) = &mut self.connection {
            // The phase is the right one.
            let _ = match dropped {
                Ok(()) => connection.finish(now),
                Err(Panicked) => connection.abort(now, CloseReason::HandlerPanicked),
            };
        }
    }

    fn abort(&mut self, now: Instant, reason: CloseReason) {
        let _ = self.drop_work();
        if let Some(connection) = &mut self.connection {
            // Called in the phases that allow it.
            let _ = connection.abort(now, reason);
        }
    }

    fn drop_work(&mut self) -> Result<(), Panicked> {
        let work = mem::replace(&mut self.work, Work::Nothing);
        catch(|| drop(work))
    }

    /// What the server has to write, the client has.
    fn transmit(&mut self, now: Instant) -> bool {
        let Some(connection) = &mut self.connection else {
            return false;
        };
        let mut busy = false;
        loop {
            let transmit = connection.poll_transmit();
            let length = transmit.len();
            if length == 0 {
                return busy;
            }
            for slice in transmit.slices() {
                self.received.wire.extend_from_slice(slice);
            }
            connection.handle_transmitted(now, length);
            busy = true;
        }
    }

    /// Until the connection's next deadline.
    fn sleep(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let deadline = self.connection.as_ref().and_then(Connection::poll_timeout);
        let mut timer = self.clock.sleep_until(deadline);
        let polled = Pin::new(&mut timer).poll(cx);
        self.timer = Some(timer);
        polled
    }
}

impl Received {
    fn read_head(&mut self, is_head: bool) -> Result<Option<Response<()>>, NoResponse> {
        let mut input = &self.wire[..];
        let head = self.head.read(&mut input).map_err(NoResponse::BadHead);
        self.wire.drain(..self.wire.len() - input.len());
        let Some(head) = head? else {
            return Ok(None);
        };
        let method = match is_head {
            true => Method::HEAD,
            false => Method::GET,
        };
        let framing = Framing::of(&head, &method).map_err(NoResponse::BadHead)?;
        self.body = Some(BodyReader::new(framing));
        Ok(Some(head))
    }

    /// Reads all that there is of the body. How it ended, once it has.
    fn read_body(&mut self) -> Option<Result<(), BodyError>> {
        let mut input = &self.wire[..];
        while let (Some(body), None) = (&mut self.body, self.end) {
            match body.read(&mut input) {
                Ok(BodyPart::Data(data)) => self.bytes.extend_from_slice(data),
                Ok(BodyPart::End) => self.end = Some(Ok(())),
                Err(error) => self.end = Some(Err(error)),
                Ok(BodyPart::More) if self.ended => self.end = Some(body.end_of_input()),
                Ok(BodyPart::More) => break,
            }
        }
        self.wire.clear();
        self.end
    }

    fn read_event(&mut self) -> Option<Option<Result<MessageEvent, BodyError>>> {
        let end = self.read_body();
        loop {
            let mut input = &self.bytes[..];
            let event = self.decoder.decode_event(&mut input);
            self.bytes.drain(..self.bytes.len() - input.len());
            match event {
                Ok(Some(event)) => return Some(Some(Ok(event))),
                Ok(None) => break,
                // There are no bounds to go past.
                Err(_) => {}
            }
        }
        match end? {
            Ok(()) => Some(None),
            Err(error) => {
                // Told once.
                self.end = Some(Ok(()));
                Some(Some(Err(error)))
            }
        }
    }
}

/// The client goes away.
impl Drop for Exchange {
    fn drop(&mut self) {
        self.disconnect();
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange")
            .field("connection", &self.connection)
            .finish_non_exhaustive()
    }
}

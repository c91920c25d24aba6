//! One request and its response: both ends of a connection, without a network between them.

use std::{
    fmt,
    future::Future,
    mem,
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant, SystemTime},
};

use ::http::{Method, Response};
use sse_core::{
    Decoder, DecoderLimits, MessageEvent,
    http::{BodyError, BodyPart, BodyReader, Framing, ResponseHeadLimits, ResponseHeadReader},
    lifecycle::{CleanUp, CloseReason, ShutdownSignal},
    server::Connection,
};

use super::{NoResponse, Sleep, TestClient, TestClock, coding::Coding};
use crate::{
    exchange::{Exchange, Turn},
    no_place::NoPlace,
};

/// The number of turns after which other tasks run: a stream may always be ready.
const TURNS: usize = 16;

/// The server's end and the client's.
pub(super) struct Pair {
    /// `None` once it is over.
    exchange: Option<Exchange<()>>,
    clean_up: CleanUp,
    received: Received,
    clock: TestClock,
    timer: Option<Sleep>,
    /// Wakes the task when the shutdown begins.
    shutdown: ShutdownSignal,
    is_head: bool,
}

/// The client's end.
struct Received {
    /// The bytes that were sent and are not read yet.
    wire: Vec<u8>,
    ended: bool,
    head: ResponseHeadReader,
    /// Set once the head has been read.
    body: Option<BodyReader>,
    coding: Coding,
    /// The body so far, without its framing and its coding, except for the events that were taken.
    bytes: Vec<u8>,
    /// How the body ended, once it has.
    end: Option<Result<(), BodyError>>,
    decoder: Decoder,
}

impl Pair {
    pub(super) fn new(client: &TestClient, is_head: bool) -> Self {
        let now = client.clock.now();
        // No test needs the date.
        let connection = Connection::new(now, SystemTime::UNIX_EPOCH, client.config.clone());
        let clean_up = connection.clean_up();
        let connections = &client.connections;
        let exchange =
            |place| Exchange::new(connection, (), place, client.routes.clone(), client.peer);
        let exchange = match connections.enter(usize::MAX) {
            Some(place) => Some(exchange(place)),
            None => connections.enter_turned_away(usize::MAX).map(|place| {
                let mut exchange = exchange(place);
                // The time at which clients come back does not matter to a test.
                let no_place = NoPlace::new(0, Duration::ZERO);
                exchange.turn_away(now, no_place.response(NoPlace::CONNECTIONS));
                exchange
            }),
        };
        Self {
            exchange,
            shutdown: client.shutdown().signal(),
            clean_up,
            received: Received::new(),
            clock: client.clock.clone(),
            timer: None,
            is_head,
        }
    }

    /// Passes these bytes to the server.
    pub(super) fn receive(&mut self, bytes: &[u8]) {
        let now = self.clock.now();
        if let Some(exchange) = &mut self.exchange {
            exchange.connection.handle_input(now, bytes);
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
            // Bytes that the test does not read take no memory.
            this.received.wire.clear();
            this.reason()
        })
    }

    pub(super) fn disconnect(&mut self) -> CloseReason {
        let now = self.clock.now();
        if let Some(exchange) = &mut self.exchange {
            exchange.connection.handle_eof(now);
            exchange.hang_up(now);
        }
        self.close();
        self.reason().unwrap_or(CloseReason::TaskDropped)
    }

    /// Returns the reason that clean-up callbacks got, once they ran.
    fn reason(&self) -> Option<CloseReason> {
        self.clean_up.reason()
    }

    /// Drives the server until `look` finds what it looks for.
    fn poll_until<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut look: impl FnMut(&mut Self) -> Option<T>,
    ) -> Poll<T> {
        for _ in 0..TURNS {
            if let Some(found) = look(self) {
                return Poll::Ready(found);
            }
            let now = self.clock.now();
            let turn = match &mut self.exchange {
                Some(exchange) => exchange.turn(cx, now, false),
                None => return Poll::Pending,
            };
            let goes_on = match turn {
                Turn::Closed(_) => {
                    self.close();
                    true
                }
                Turn::EndOutput { .. } => {
                    self.end_output(now);
                    true
                }
                Turn::Spent => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Turn::Parked | Turn::Full | Turn::Respond(_) => self.transmit(now),
            };
            if !goes_on && self.sleep(cx).is_pending() {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Drops the exchange: the stream first, then clean-up runs.
    fn close(&mut self) {
        self.received.ended = true;
        self.timer = None;
        self.exchange = None;
    }

    fn end_output(&mut self, now: Instant) {
        self.received.ended = true;
        if let Some(Exchange { connection, .. }) = &mut self.exchange {
            connection.handle_output_ended(now);
            // The client wants nothing more.
            connection.handle_eof(now);
        }
    }

    /// Passes the server's output to the client.
    fn transmit(&mut self, now: Instant) -> bool {
        let Some(exchange) = &mut self.exchange else {
            return false;
        };
        let mut busy = false;
        loop {
            let transmit = exchange.connection.poll_transmit();
            let length = transmit.len();
            if length == 0 {
                return busy;
            }
            for slice in transmit.slices() {
                self.received.wire.extend_from_slice(slice);
            }
            exchange.transmitted(now, length);
            busy = true;
        }
    }

    /// Waits for the connection's next deadline.
    fn sleep(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let connection = self.exchange.as_ref().map(|exchange| &exchange.connection);
        let deadline = connection.and_then(Connection::poll_timeout);
        let mut timer = self.clock.sleep_until(deadline);
        let polled = Pin::new(&mut timer).poll(cx);
        self.timer = Some(timer);
        // Once a shutdown has begun, every turn sees it; the same is true of a cut.
        let _ = Pin::new(&mut self.shutdown).poll(cx);
        if let Some(exchange) = &mut self.exchange {
            exchange.place.wake_at_shutdown(cx.waker(), true);
        }
        polled
    }
}

impl Received {
    fn new() -> Self {
        let limits = DecoderLimits::default();
        let limits = limits
            .with_line(usize::MAX)
            .with_event(usize::MAX)
            .with_id(usize::MAX);
        Self {
            wire: Vec::new(),
            ended: false,
            head: ResponseHeadReader::new(ResponseHeadLimits::default()),
            body: None,
            coding: Coding::default(),
            bytes: Vec::new(),
            end: None,
            decoder: Decoder::with_limits(limits),
        }
    }

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
        self.coding = Coding::of(&head);
        Ok(Some(head))
    }

    /// Reads all available bytes of the body. Returns how it ended, once it has.
    fn read_body(&mut self) -> Option<Result<(), BodyError>> {
        let mut input = &self.wire[..];
        while let (Some(body), None) = (&mut self.body, self.end) {
            match body.read(&mut input) {
                Ok(BodyPart::Data(data)) => {
                    let decoded = self.coding.decode(data, &mut self.bytes);
                    self.end = decoded.err().map(Err);
                }
                Ok(BodyPart::End) => self.end = Some(self.coding.end()),
                Err(error) => self.end = Some(Err(error)),
                Ok(BodyPart::More) if self.ended => {
                    self.end = Some(body.end_of_input().and_then(|()| self.coding.end()));
                }
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
                // There are no bounds to exceed.
                Err(_) => {}
            }
        }
        match end? {
            Ok(()) => Some(None),
            Err(error) => {
                // The error is returned once.
                self.end = Some(Ok(()));
                Some(Some(Err(error)))
            }
        }
    }
}

/// The client goes away.
impl Drop for Pair {
    fn drop(&mut self) {
        self.disconnect();
    }
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let connection = self.exchange.as_ref().map(|exchange| &exchange.connection);
        f.debug_struct("Pair")
            .field("connection", &connection)
            .finish_non_exhaustive()
    }
}

//! One connection of the server, with its subscriber, as the driver drives it.
//!
//! A subscriber is polled only when it was woken, so that an event whose wake-up is lost stays in the
//! topic and is missing at the end.

use std::{
    io::ErrorKind,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Instant,
};

use sse_core::{
    http::{Response, StatusCode},
    lifecycle::CloseReason,
    server::{Connection, ConnectionConfig, Phase, ResponseBody},
    topic::Subscriber,
};

use crate::{
    evidence::Evidence,
    network::{LinkId, Network, Side},
    pipe::Read,
    tally::Tally,
};

/// The links whose subscribers were woken.
pub(crate) type Woken = Arc<Mutex<Vec<LinkId>>>;

/// One connection.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) connection: Connection,
    pub(crate) subscriber: Option<Subscriber>,
    pub(crate) waker: Arc<SubscriberWaker>,
    pub(crate) last_event_id: Option<String>,
    pub(crate) decides_at: Option<Instant>,
    pub(crate) alarm: Option<Instant>,
    pub(crate) write_blocked: bool,
    pub(crate) input_ended: bool,
    pub(crate) seen: Evidence,
    /// The reason that clean-up got, each time that it ran.
    pub(crate) cleaned: Arc<Mutex<Vec<CloseReason>>>,
}

#[derive(Debug)]
pub(crate) struct SubscriberWaker {
    pub(crate) link: LinkId,
    pub(crate) is_woken: AtomicBool,
    pub(crate) woken: Woken,
}

impl Wake for SubscriberWaker {
    fn wake(self: Arc<Self>) {
        if !self.is_woken.swap(true, Ordering::Relaxed) {
            self.woken.lock().unwrap().push(self.link);
        }
    }
}

impl Served {
    pub(crate) fn new(connection: Connection, link: LinkId, woken: Woken, now: Instant) -> Self {
        let cleaned = Arc::<Mutex<Vec<_>>>::default();
        let log = cleaned.clone();
        connection.clean_up().add(move |reason| {
            log.lock().unwrap().push(reason.clone());
        });
        Self {
            connection,
            subscriber: None,
            waker: Arc::new(SubscriberWaker {
                link,
                is_woken: AtomicBool::new(false),
                woken,
            }),
            last_event_id: None,
            decides_at: None,
            alarm: None,
            write_blocked: false,
            input_ended: false,
            seen: Evidence::new(now),
            cleaned,
        }
    }

    /// Responds that the server is busy, perhaps before the request.
    pub(crate) fn refuse(&mut self, now: Instant) {
        let mut response = Response::new(ResponseBody::Whole("later".into()));
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        self.seen.was_refused = true;
        self.seen.ended = Some(now);
        self.connection.respond(now, response).expect("the first");
    }

    pub(crate) fn read(&mut self, link: LinkId, network: &mut Network) -> bool {
        if self.input_ended {
            return false;
        }
        let now = network.now();
        match network.read(link, Side::Server, 4096) {
            Read::Nothing => return false,
            Read::Bytes(bytes) => self.connection.handle_input(now, &bytes),
            Read::End => {
                self.input_ended = true;
                self.seen.went_away = true;
                self.connection.handle_eof(now);
            }
            Read::Error(kind) => {
                self.input_ended = true;
                self.fail(now, kind);
            }
        }
        true
    }

    pub(crate) fn fail(&mut self, now: Instant, kind: ErrorKind) {
        match kind {
            ErrorKind::TimedOut => self.seen.transport_timed_out = true,
            _ => self.seen.went_away = true,
        }
        self.connection.handle_transport_error(now, kind.into());
    }

    /// Takes events from the topic while there is room.
    pub(crate) fn work(&mut self, now: Instant) -> bool {
        if self.connection.phase() != Phase::Streaming {
            return self.subscriber.take().is_some();
        }
        let waker = Waker::from(self.waker.clone());
        let mut busy = false;
        while let Some(subscriber) = &mut self.subscriber
            && self.connection.has_room()
            && !self.write_blocked
            && self.waker.is_woken.load(Ordering::Relaxed)
        {
            busy = true;
            self.waker.is_woken.store(false, Ordering::Relaxed);
            match subscriber.poll_next(&mut Context::from_waker(&waker)) {
                Poll::Pending => return busy,
                Poll::Ready(Some(Ok(batch))) => {
                    let events = batch.into_encoded();
                    self.connection
                        .send_encoded(now, events)
                        .expect("there is room");
                    self.waker.is_woken.store(true, Ordering::Relaxed);
                }
                Poll::Ready(Some(Err(_))) => {
                    self.subscriber = None;
                    self.seen.too_slow = true;
                    self.seen.ended = Some(now);
                    self.connection
                        .abort(now, CloseReason::SlowConsumer)
                        .expect("it streams");
                }
                Poll::Ready(None) => {
                    self.subscriber = None;
                    self.seen.topic_closed = true;
                    self.seen.ended = Some(now);
                    self.connection.finish(now).expect("it streams");
                }
            }
        }
        busy
    }

    pub(crate) fn write(&mut self, link: LinkId, network: &mut Network) -> bool {
        let now = network.now();
        let mut busy = false;
        loop {
            let transmit = self.connection.poll_transmit();
            if transmit.is_empty() {
                return busy;
            }
            match network.write(link, Side::Server, transmit.slices()) {
                Ok(0) => {
                    self.write_blocked = true;
                    return busy;
                }
                Ok(count) => {
                    self.write_blocked = false;
                    self.seen.last_write = now;
                    self.connection.handle_transmitted(now, count);
                }
                Err(kind) => self.fail(now, kind),
            }
            busy = true;
        }
    }

    /// Ends the connection, for this reason unless it has another one: clean-up runs.
    pub(crate) fn over(
        self,
        reason: &CloseReason,
        now: Instant,
        config: &ConnectionConfig,
        tally: &mut Tally,
    ) {
        assert!(
            self.cleaned.lock().unwrap().is_empty(),
            "clean-up before the end"
        );
        drop(self.subscriber);
        drop(self.connection);
        let cleaned = self.cleaned.lock().unwrap();
        let [told] = &cleaned[..] else {
            panic!("clean-up is to run once: {cleaned:?}");
        };
        // A connection that is dropped when its client has everything has the reason of its end.
        assert!(
            told == reason || *reason == CloseReason::TaskDropped,
            "{told}, not {reason}"
        );
        tally.closed(told);
        self.seen.check(told, now, config);
    }
}

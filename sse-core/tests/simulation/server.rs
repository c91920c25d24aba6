//! The server's side: connections as the driver drives them, on one topic.
//!
//! A subscriber is polled when it was woken and not otherwise, so that an event whose wake-up is
//! lost stays where it is and is missed at the end.

use std::{
    collections::BTreeMap,
    io::ErrorKind,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::{Duration, Instant, SystemTime},
};

use sse_core::{
    http::{Response, StatusCode},
    lifecycle::{CloseReason, Timer},
    server::{Body, Connection, ConnectionConfig, ConnectionEvent, Phase},
    topic::{Announce, Subscriber, Topic, TopicConfig},
};

use crate::{
    agenda::Happening,
    laws::{Promise, Publisher},
    network::{LinkId, Network, Read, Side},
    payload::{Payload, Place},
    scenario::Scenario,
    tally::Tally,
};

/// The clock that topics look at.
pub(crate) type Clock = Arc<Mutex<Instant>>;

/// The links whose subscribers were woken.
type Woken = Arc<Mutex<Vec<LinkId>>>;

#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) topic: Option<Topic>,
    publisher: Publisher,
    connections: BTreeMap<LinkId, Served>,
    /// What the topic promised on each link that a client may still read from.
    pub(crate) promises: BTreeMap<LinkId, Promise>,
    /// Being shut down.
    stopping: bool,
    woken: Woken,
    clock: Clock,
    topic_config: TopicConfig,
    config: Arc<ConnectionConfig>,
    busy: f64,
    undecided: f64,
    largest_event: usize,
}

/// One connection.
#[derive(Debug)]
struct Served {
    connection: Connection,
    subscriber: Option<Subscriber>,
    waker: Arc<SubscriberWaker>,
    last_event_id: Option<String>,
    decides_at: Option<Instant>,
    alarm: Option<Instant>,
    write_blocked: bool,
    input_ended: bool,
    seen: Evidence,
    /// What clean-up was told, each time that it ran.
    cleaned: Arc<Mutex<Vec<CloseReason>>>,
}

/// What would be a reason to close.
#[derive(Debug)]
struct Evidence {
    accepted: Instant,
    asked: Option<Instant>,
    streaming: Option<Instant>,
    ended: Option<Instant>,
    last_write: Instant,
    went_away: bool,
    transport_timed_out: bool,
    topic_closed: bool,
    too_slow: bool,
    was_refused: bool,
    shutdown: bool,
}

#[derive(Debug)]
struct SubscriberWaker {
    link: LinkId,
    is_woken: AtomicBool,
    woken: Woken,
}

impl Wake for SubscriberWaker {
    fn wake(self: Arc<Self>) {
        if !self.is_woken.swap(true, Ordering::Relaxed) {
            self.woken.lock().unwrap().push(self.link);
        }
    }
}

impl Server {
    pub(crate) fn new(scenario: &Scenario, now: Instant) -> Self {
        let mut server = Self {
            topic: None,
            publisher: Publisher {
                end: Place {
                    epoch: 0,
                    sequence: 0,
                },
            },
            connections: BTreeMap::new(),
            promises: BTreeMap::new(),
            stopping: false,
            woken: Woken::default(),
            clock: Arc::new(Mutex::new(now)),
            topic_config: scenario.topic.clone(),
            config: scenario.server.clone(),
            busy: scenario.busy,
            undecided: scenario.undecided,
            largest_event: scenario.largest_event,
        };
        server.start();
        server
    }

    /// The place of the newest event.
    pub(crate) fn end(&self) -> Place {
        self.publisher.end
    }

    pub(crate) fn is_up(&self) -> bool {
        self.topic.is_some() && !self.stopping
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.len()
    }

    /// How many topics and subscribers are alive.
    pub(crate) fn clocks_held(&self) -> usize {
        Arc::strong_count(&self.clock) - 1
    }

    /// The server has time for everybody from now on.
    pub(crate) fn calm_down(&mut self) {
        (self.busy, self.undecided) = (0.0, 0.0);
    }

    pub(crate) fn set_clock(&self, now: Instant) {
        *self.clock.lock().unwrap() = now;
    }

    /// A new life: another epoch, and nothing in the topic.
    pub(crate) fn start(&mut self) {
        self.stopping = false;
        let epoch = self.publisher.end.epoch + 1;
        self.publisher.end = Place { epoch, sequence: 0 };
        let clock = self.clock.clone();
        let now = move || *clock.lock().unwrap();
        self.topic = Some(Topic::new(self.topic_config.clone(), epoch, now));
    }

    /// Its streams are to end; [`kill`](Self::kill) makes an end of those that do not.
    pub(crate) fn stop(&mut self) {
        self.stopping = true;
        if let Some(topic) = &self.topic {
            topic.close();
        }
    }

    /// Everything that is left is cut. With the whole host gone nobody is told.
    pub(crate) fn kill(&mut self, network: &mut Network, tally: &mut Tally, with_its_host: bool) {
        let links: Vec<_> = self.connections.keys().copied().collect();
        let is_shutdown = self.stopping;
        for link in links {
            if is_shutdown && let Some(served) = self.connections.get_mut(&link) {
                served.seen.shutdown = true;
                let _ = served
                    .connection
                    .close(network.now(), CloseReason::Shutdown);
                self.pump(link, network, tally);
            }
            if let Some(served) = self.connections.remove(&link) {
                match with_its_host {
                    true => network.abandon(link, Side::Server),
                    false => network.close(link, Side::Server),
                }
                served.over(
                    &CloseReason::TaskDropped,
                    network.now(),
                    &self.config,
                    tally,
                );
            }
        }
        self.topic = None;
        self.stopping = false;
    }

    pub(crate) fn publish(&mut self, count: u64) -> u64 {
        let Some(topic) = self.topic.as_ref().filter(|_| !self.stopping) else {
            return 0;
        };
        for _ in 0..count {
            let end = &mut self.publisher.end;
            end.sequence += 1;
            let event = Payload::at(*end, self.largest_event).event();
            let position = topic.publish(event).expect("it has room");
            assert_eq!(position.to_string(), end.id());
        }
        count
    }

    pub(crate) fn accept(&mut self, link: LinkId, network: &mut Network, tally: &mut Tally) {
        let now = network.now();
        let date = SystemTime::UNIX_EPOCH + network.agenda.elapsed();
        tally.connections += 1;
        let mut served = Served {
            connection: Connection::new(now, date, self.config.clone()),
            subscriber: None,
            waker: Arc::new(SubscriberWaker {
                link,
                is_woken: AtomicBool::new(false),
                woken: self.woken.clone(),
            }),
            last_event_id: None,
            decides_at: None,
            alarm: None,
            write_blocked: false,
            input_ended: false,
            seen: Evidence {
                accepted: now,
                asked: None,
                streaming: None,
                ended: None,
                last_write: now,
                went_away: false,
                transport_timed_out: false,
                topic_closed: false,
                too_slow: false,
                was_refused: false,
                shutdown: false,
            },
            cleaned: Arc::default(),
        };
        let cleaned = served.cleaned.clone();
        served.connection.clean_up().add(move |reason| {
            cleaned.lock().unwrap().push(reason.clone());
        });
        if network.rng.f64() < self.busy {
            served.refuse(now);
        }
        self.connections.insert(link, served);
        self.pump(link, network, tally);
    }

    /// The network takes more on this link.
    pub(crate) fn is_writable(&mut self, link: LinkId) {
        if let Some(served) = self.connections.get_mut(&link) {
            served.write_blocked = false;
        }
    }

    pub(crate) fn announce(&self) -> Announce {
        self.topic_config.announce
    }

    pub(crate) fn largest_event(&self) -> usize {
        self.largest_event
    }

    /// The links whose subscribers were woken since the last time.
    pub(crate) fn take_woken(&self) -> Vec<LinkId> {
        std::mem::take(&mut *self.woken.lock().unwrap())
    }

    /// Something happened to a connection, or its time has come.
    pub(crate) fn pump(&mut self, link: LinkId, network: &mut Network, tally: &mut Tally) {
        let Some(mut served) = self.connections.remove(&link) else {
            return;
        };
        match self.drive(&mut served, link, network, tally) {
            None => {
                self.connections.insert(link, served);
            }
            Some(reason) => {
                let now = network.now();
                if let Some(since) = network.link(link).and_then(|link| link.silent_since) {
                    served.check_silence(since, now, &self.config);
                }
                served.subscriber = None;
                network.close(link, Side::Server);
                served.over(&reason, now, &self.config, tally);
            }
        }
    }

    fn drive(
        &mut self,
        served: &mut Served,
        link: LinkId,
        network: &mut Network,
        tally: &mut Tally,
    ) -> Option<CloseReason> {
        let now = network.now();
        let mut busy = true;
        while busy {
            served.connection.handle_timeout(now);
            busy = served.read(link, network);
            while let Some(event) = served.connection.poll_event() {
                busy = true;
                match event {
                    ConnectionEvent::Request(head) => {
                        let id = head.request.headers().get("last-event-id");
                        let id = id.map(|id| String::from_utf8_lossy(id.as_bytes()).into_owned());
                        let expected = network.link(link).map(|link| link.asked_with.clone());
                        assert_eq!(
                            id.clone().or(Some(String::new())),
                            expected,
                            "the last event ID"
                        );
                        served.last_event_id = id;
                        served.seen.asked = Some(now);
                        let takes_time = network.rng.f64() < self.undecided;
                        let time = Duration::from_millis(match takes_time {
                            true => network.rng.u64(..40_000),
                            false => 0,
                        });
                        served.decides_at = Some(now + time);
                        network.agenda.after(time, Happening::ServerAlarm(link));
                    }
                    ConnectionEvent::EndOutput => {
                        network.end(link, Side::Server);
                        served.connection.output_ended(now);
                    }
                    ConnectionEvent::Closed(reason) => return Some(reason),
                    other => panic!("{other:?}"),
                }
            }
            busy |= self.decide(served, link, now, tally);
            busy |= served.work(now);
            busy |= served.write(link, network);
        }
        if let Some(deadline) = served.connection.poll_timeout()
            && served
                .alarm
                .is_none_or(|alarm| alarm <= now || alarm > deadline)
        {
            served.alarm = Some(deadline);
            network.agenda.at(deadline, Happening::ServerAlarm(link));
        }
        None
    }

    /// The handler's answer, when it is time.
    fn decide(
        &mut self,
        served: &mut Served,
        link: LinkId,
        now: Instant,
        tally: &mut Tally,
    ) -> bool {
        let responding = served.connection.phase() == Phase::Responding;
        if !responding || served.decides_at.is_none_or(|at| at > now) {
            return false;
        }
        served.decides_at = None;
        let Some(topic) = self.topic.as_ref().filter(|_| !self.stopping) else {
            served.refuse(now);
            return true;
        };
        let id = served.last_event_id.take();
        let subscriber = topic.resume_from(id.as_deref());
        let outcome = subscriber.outcome();
        self.publisher
            .check(id.as_deref(), topic.retained_events(), outcome);
        self.promises
            .insert(link, Promise::new(outcome, self.publisher.end));
        tally.resumed(outcome);
        served.subscriber = Some(subscriber);
        served.waker.is_woken.store(true, Ordering::Relaxed);
        served.seen.streaming = Some(now);
        served
            .connection
            .respond(now, Response::new(Body::EventStream))
            .expect("it is asked");
        true
    }
}

impl Served {
    /// A server that has no time says so, be it before it is asked.
    fn refuse(&mut self, now: Instant) {
        let mut response = Response::new(Body::Whole("later".into()));
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        self.seen.was_refused = true;
        self.seen.ended = Some(now);
        self.connection.respond(now, response).expect("the first");
    }

    fn read(&mut self, link: LinkId, network: &mut Network) -> bool {
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

    fn fail(&mut self, now: Instant, kind: ErrorKind) {
        match kind {
            ErrorKind::TimedOut => self.seen.transport_timed_out = true,
            _ => self.seen.went_away = true,
        }
        self.connection.handle_transport_error(now, kind);
    }

    /// Takes from the topic what there is room for.
    fn work(&mut self, now: Instant) -> bool {
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

    fn write(&mut self, link: LinkId, network: &mut Network) -> bool {
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
                    self.connection.transmitted(now, count);
                }
                Err(kind) => self.fail(now, kind),
            }
            busy = true;
        }
    }

    /// Who vanished without a word is found out in time.
    fn check_silence(&self, since: Instant, now: Instant, config: &ConnectionConfig) {
        let stall = config.stall_timeout;
        let most = match self.seen.streaming {
            Some(streaming) if streaming <= since => config.keep_alive.unwrap_or_default() + stall,
            _ => config.respond_timeout + config.drain_timeout.max(stall),
        };
        let time = now - since;
        assert!(
            time <= most,
            "a client that vanished was there for {time:?}"
        );
    }

    /// The connection is over, for this reason unless it knows better: clean-up runs.
    fn over(
        self,
        reason: &CloseReason,
        now: Instant,
        config: &ConnectionConfig,
        tally: &mut Tally,
    ) {
        tally.closed(reason);
        self.seen.check(reason, now, config);
        assert!(
            self.cleaned.lock().unwrap().is_empty(),
            "clean-up before the end"
        );
        drop(self.subscriber);
        drop(self.connection);
        let cleaned = self.cleaned.lock().unwrap();
        assert_eq!(*cleaned, [reason.clone()], "clean-up is to run once");
    }
}

impl Evidence {
    /// Whether the reason is one that there was a reason for.
    fn check(&self, reason: &CloseReason, now: Instant, config: &ConnectionConfig) {
        let passed = |since: Option<Instant>, time| since.is_some_and(|since| now >= since + time);
        let fits = match reason {
            CloseReason::StreamEnded => self.topic_closed,
            CloseReason::Refused(_) | CloseReason::ResponseSent => self.was_refused,
            CloseReason::ClientWentAway => self.went_away,
            CloseReason::SlowConsumer => self.too_slow,
            CloseReason::Shutdown => self.shutdown,
            CloseReason::TimedOut(Timer::Head) => {
                self.asked.is_none() && passed(Some(self.accepted), config.head_timeout)
            }
            CloseReason::TimedOut(Timer::Respond) => passed(self.asked, config.respond_timeout),
            CloseReason::TimedOut(Timer::Stall) => {
                self.transport_timed_out || passed(Some(self.last_write), config.stall_timeout)
            }
            CloseReason::TimedOut(Timer::Drain) => passed(self.ended, config.drain_timeout),
            CloseReason::TaskDropped => true,
            _ => false,
        };
        assert!(fits, "closed because {reason}, with {self:?}");
    }
}

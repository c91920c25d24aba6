//! The server: a topic, its connections, and its restarts.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, atomic::Ordering},
    time::{Duration, Instant, SystemTime},
};

#[cfg(feature = "compression")]
use sse_core::server::StreamCompression;
use sse_core::{
    http::Response,
    lifecycle::CloseReason,
    server::{Connection, ConnectionConfig, ConnectionEvent, Phase, ResponseBody, StreamOptions},
    topic::{Announce, Topic, TopicConfig},
};

use crate::{
    agenda::Happening,
    laws::{Promise, Publisher},
    network::{LinkId, Network, Side},
    payload::{Payload, Place},
    scenario::Scenario,
    served::{Served, Woken},
    tally::Tally,
};

/// The clock that topics read.
pub(crate) type Clock = Arc<Mutex<Instant>>;

#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) topic: Option<Topic>,
    publisher: Publisher,
    connections: BTreeMap<LinkId, Served>,
    /// The promise of the topic on each link that a client may still read from.
    pub(crate) promises: BTreeMap<LinkId, Promise>,
    /// Whether it is shutting down.
    stopping: bool,
    woken: Woken,
    clock: Clock,
    topic_config: TopicConfig,
    config: Arc<ConnectionConfig>,
    busy: f64,
    undecided: f64,
    largest_event: usize,
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

    /// Returns the number of topics and subscribers.
    pub(crate) fn clocks_held(&self) -> usize {
        Arc::strong_count(&self.clock) - 1
    }

    /// Ends the server's busy times.
    pub(crate) fn calm_down(&mut self) {
        (self.busy, self.undecided) = (0.0, 0.0);
    }

    pub(crate) fn set_clock(&self, now: Instant) {
        *self.clock.lock().unwrap() = now;
    }

    /// Begins another life: another epoch, and an empty topic.
    pub(crate) fn start(&mut self) {
        self.stopping = false;
        let epoch = self.publisher.end.epoch + 1;
        self.publisher.end = Place { epoch, sequence: 0 };
        let clock = self.clock.clone();
        let now = move || *clock.lock().unwrap();
        self.topic = Some(Topic::new(self.topic_config.clone(), epoch, now));
    }

    /// Ends its streams; [`kill`](Self::kill) cuts those that do not end.
    pub(crate) fn stop(&mut self) {
        self.stopping = true;
        if let Some(topic) = &self.topic {
            topic.close();
        }
    }

    /// Cuts all that is left. If the whole host is gone, the clients are not told.
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
        let connection = Connection::new(now, date, self.config.clone());
        let mut served = Served::new(connection, link, self.woken.clone(), now);
        if network.rng.f64() < self.busy {
            served.refuse(now);
        }
        self.connections.insert(link, served);
        self.pump(link, network, tally);
    }

    /// Handles that the network accepts more on this link.
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

    /// Returns the links whose subscribers were woken since the last call.
    pub(crate) fn take_woken(&self) -> Vec<LinkId> {
        std::mem::take(&mut *self.woken.lock().unwrap())
    }

    /// Handles input on a connection, or the passing of time.
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
                    served.seen.check_silence(since, now, &self.config);
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
            while let Some(event) = served.connection.poll_event(now) {
                busy = true;
                match event {
                    ConnectionEvent::Request(head) => {
                        let id = head.request().headers().get("last-event-id");
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
                    ConnectionEvent::EndOutput { .. } => {
                        network.end(link, Side::Server);
                        served.connection.handle_output_ended(now);
                    }
                    ConnectionEvent::Closed(reason) => return Some(reason),
                    other => panic!("{other:?}"),
                }
            }
            busy |= self.decide(served, link, network, tally);
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

    /// Makes the handler's response when it is time.
    fn decide(
        &mut self,
        served: &mut Served,
        link: LinkId,
        network: &mut Network,
        tally: &mut Tally,
    ) -> bool {
        let now = network.now();
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
        let body = ResponseBody::EventStream(stream_options(network));
        served
            .connection
            .respond(now, Response::new(body))
            .expect("it is asked");
        true
    }
}

/// A stream may be compressed, in either way.
fn stream_options(network: &mut Network) -> StreamOptions {
    #[cfg_attr(not(feature = "compression"), allow(unused_mut))]
    let mut options = StreamOptions::default();
    #[cfg(feature = "compression")]
    {
        let compressions = [
            StreamCompression::Off,
            StreamCompression::Shared,
            StreamCompression::Own,
        ];
        options.compression = network.rng.choice(compressions).unwrap_or_default();
    }
    #[cfg(not(feature = "compression"))]
    let _ = network;
    options
}

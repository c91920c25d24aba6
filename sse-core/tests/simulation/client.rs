//! A client: an event source as the driver drives it, and its events so far.

use std::{
    io, mem,
    sync::Arc,
    time::{Duration, Instant},
};

use fastrand::Rng;
use sse_core::client::{
    Attempt, ClientEvent, EventSource, EventSourceConfig, Loss, Phase, Reconnection,
};

use crate::{
    agenda::{ClientId, Happening},
    elsewhere::Elsewhere,
    laws::Record,
    network::{LinkId, Network, Side},
    payload::Place,
    pipe::Read,
    scenario::{Pace, Scenario},
    server::Server,
    tally::Tally,
};

#[derive(Debug)]
pub(crate) struct Client {
    id: ClientId,
    source: EventSource,
    /// The foreign HTTP client that sends its requests, if there is one.
    is_elsewhere: bool,
    elsewhere: Option<Elsewhere>,
    link: Option<LinkId>,
    is_up: bool,
    input_ended: bool,
    pace: Pace,
    /// The client is busy until this time.
    busy_until: Option<Instant>,
    alarm: Option<Instant>,
    /// The earliest time of the next connection.
    not_before: Option<Instant>,
    attempted_at: Option<Instant>,
    /// Whether it paused, and has to resume.
    is_paused: bool,
    /// The reconnection time that the server set.
    reconnection_time: Option<Duration>,
    reconnection: Reconnection,
    is_over: bool,
    record: Record,
}

impl Client {
    pub(crate) fn new(
        id: ClientId,
        config: Arc<EventSourceConfig>,
        seed: u64,
        scenario: &Scenario,
    ) -> Self {
        let mut rng = Rng::with_seed(seed);
        let pace = scenario.pace;
        let reconnection = config.reconnection.clone().expect("it reconnects");
        let mut source = EventSource::new("http://sim/events", config, seed).expect("a good URL");
        if rng.f64() < scenario.preparing {
            source = source.with_preparation();
        }
        Self {
            id,
            is_elsewhere: rng.f64() < scenario.elsewhere,
            elsewhere: None,
            link: None,
            is_up: false,
            input_ended: false,
            pace,
            busy_until: None,
            alarm: None,
            not_before: None,
            attempted_at: None,
            is_paused: false,
            reconnection_time: None,
            reconnection,
            source,
            is_over: false,
            record: Record::default(),
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Closes the event source.
    pub(crate) fn close(&mut self, now: Instant) {
        // This fails where it is over already.
        let _ = self.source.close(now);
        self.busy_until = None;
    }

    /// Ends the client's pauses from now on.
    pub(crate) fn hurry(&mut self) {
        self.pace.dawdling = 0.0;
        self.busy_until = None;
    }

    /// Returns whether everything up to this place was received, and the stream is open.
    pub(crate) fn is_past(&self, end: Place) -> bool {
        self.source.phase() == Phase::Open && self.record.is_past(end)
    }

    /// Handles the answer to a connection attempt.
    pub(crate) fn dialed(&mut self, link: LinkId, is_up: bool, network: &mut Network) {
        if self.link != Some(link) {
            return;
        }
        let now = network.now();
        if is_up {
            self.is_up = true;
            if let Some(link) = network.link(link) {
                self.record.last_id().clone_into(&mut link.asked_with);
            }
            if !self.is_elsewhere {
                self.source.handle_connected(now);
            }
        } else {
            let error = io::Error::from(io::ErrorKind::ConnectionRefused);
            self.source.handle_transport_error(now, error);
        }
    }

    /// Handles input, or the passing of time.
    pub(crate) fn pump(&mut self, network: &mut Network, server: &Server, tally: &mut Tally) {
        let now = network.now();
        while !self.dawdles(now) {
            if mem::take(&mut self.is_paused) {
                let resumed = self.source.resume(now);
                assert!(resumed.is_ok() || self.source.phase() == Phase::Closed);
            }
            // Both calls treat the received bytes in the same way.
            let received = match network.rng.bool() {
                true => self.source.poll_received(),
                false => None,
            };
            if let Some(event) = received.or_else(|| self.source.poll_event(now)) {
                self.take(event, network, server, tally);
                continue;
            }
            if self.read(network) | self.write(network) {
                continue;
            }
            // Input that has arrived counts before the time that has passed.
            let before = self.source.poll_timeout();
            self.source.handle_timeout(now);
            if self.source.poll_timeout() == before {
                break;
            }
        }
        let deadline = self.busy_until.or(self.source.poll_timeout());
        if let Some(deadline) = deadline
            && self
                .alarm
                .is_none_or(|alarm| alarm <= now || alarm > deadline)
        {
            self.alarm = Some(deadline);
            network.agenda.at(deadline, Happening::ClientAlarm(self.id));
        }
    }

    fn dawdles(&mut self, now: Instant) -> bool {
        self.busy_until = self.busy_until.filter(|until| *until > now);
        self.busy_until.is_some()
    }

    fn take(
        &mut self,
        event: ClientEvent,
        network: &mut Network,
        server: &Server,
        tally: &mut Tally,
    ) {
        assert!(!self.is_over, "{event:?} after the end");
        match event {
            ClientEvent::Prepare(attempt) => {
                let failed = self.prepare(*attempt, network);
                *tally.preparations.entry(failed).or_default() += 1;
            }
            ClientEvent::Connect(_) => {
                assert_eq!(self.link, None, "one connection at a time");
                let now = network.now();
                assert!(self.not_before.is_none_or(|then| then <= now), "too soon");
                let before = self.attempted_at.replace(now);
                let floor = self.reconnection.floor;
                assert!(before.is_none_or(|then| then + floor <= now), "too soon");
                if self.is_elsewhere {
                    let request = self.source.take_request(now).expect("one was asked for");
                    self.elsewhere = Some(Elsewhere::new(&request));
                }
                self.link = Some(network.dial(self.id));
                (self.is_up, self.input_ended) = (false, false);
            }
            ClientEvent::Disconnect => {
                let link = self.link.take().expect("a connection");
                self.elsewhere = None;
                network.close(link, Side::Client);
            }
            ClientEvent::Open(response) => {
                if response.headers().contains_key("content-encoding") {
                    tally.compressed += 1;
                }
                let promise = self.link.and_then(|link| server.promises.get(&link));
                let promise = promise.expect("an open stream has a subscriber");
                self.record.opened(*promise, server.announce());
            }
            ClientEvent::Event(event) => {
                self.record.received(&event, server.largest_event());
                assert_eq!(self.source.last_event_id(), self.record.last_id());
                tally.delivered += 1;
                self.change_its_mind(network);
                if network.rng.f64() < self.pace.dawdling {
                    self.busy_until =
                        Some(network.now() + self.pace.pause.mul_f64(network.rng.f64()));
                }
            }
            ClientEvent::ReconnectionTime(time) => self.reconnection_time = Some(time),
            ClientEvent::Lost { loss, wait } => {
                assert_eq!(self.link, None, "disconnected before");
                if !matches!(loss, Loss::Replaced) {
                    self.check_wait(wait);
                }
                self.not_before = Some(network.now() + wait);
                tally.lost(&loss);
                self.change_its_mind_while_it_waits(network);
            }
            ClientEvent::Paused => {
                assert_eq!(self.link, None, "disconnected before");
                self.is_paused = true;
                let pause = self.pace.pause.mul_f64(network.rng.f64());
                self.busy_until = Some(network.now() + pause);
                *tally.losses.entry("paused".into()).or_default() += 1;
            }
            ClientEvent::Closed(Ok(_)) => {
                assert_eq!(self.link, None, "disconnected before");
                assert_eq!(self.source.poll_timeout(), None, "over, and still waits");
                self.is_over = true;
            }
            ClientEvent::Closed(Err(failure)) => panic!("{failure}"),
            ClientEvent::Discarded(error) => panic!("{error}"),
            _ => {}
        }
    }

    /// Checks the wait before the next connection.
    fn check_wait(&self, wait: Duration) {
        let settings = &self.reconnection;
        let longest = settings.ceiling.max(settings.floor);
        let time = self.reconnection_time.unwrap_or(settings.time);
        let shortest = time.clamp(settings.floor, longest);
        assert!(
            (shortest..=longest).contains(&wait),
            "a wait of {wait:?} instead of {shortest:?} to {longest:?}"
        );
    }

    /// Lets the application want another connection, or none for now.
    fn change_its_mind(&mut self, network: &mut Network) {
        let now = network.now();
        match network.rng.u16(..1000) {
            0 | 1 => self.source.reconnect(now).expect("it is not over"),
            2 | 3 => self.source.pause(now).expect("it is not over"),
            _ => {}
        }
    }

    /// Pauses or reconnects during a wait, which a pause does not make shorter. Fails if there is no wait.
    fn change_its_mind_while_it_waits(&mut self, network: &mut Network) {
        let now = network.now();
        match network.rng.u16(..100) {
            0 if self.source.reconnect(now).is_ok() => self.not_before = None,
            1 | 2 => drop(self.source.pause(now)),
            _ => {}
        }
    }

    /// Lets the application do anything with an attempt, which makes none come sooner.
    fn prepare(&mut self, attempt: Attempt, network: &mut Network) -> String {
        let now = network.now();
        let draw = network.rng.f64();
        if draw < 0.1 {
            let time = Duration::from_millis(network.rng.u64(..20_000));
            self.source.wait(now, time).expect("it was asked");
            let floor = self.reconnection.floor;
            self.not_before = self.not_before.max(Some(now + time.max(floor)));
            "put off".into()
        } else if draw < 0.2 {
            self.source.handle_preparation_error(now, "no token");
            "failed".into()
        } else if draw < 0.22 {
            "timed out".into()
        } else {
            assert_eq!(attempt.last_event_id.as_str(), self.record.last_id());
            self.source.attempt(now, attempt).expect("it was asked");
            "sent".into()
        }
    }

    fn read(&mut self, network: &mut Network) -> bool {
        let Some(link) = self.link.filter(|_| self.is_up && !self.input_ended) else {
            return false;
        };
        let now = network.now();
        let read = network.read(link, Side::Client, self.pace.read);
        if let Some(elsewhere) = &mut self.elsewhere {
            let is_nothing = matches!(read, Read::Nothing);
            self.input_ended = matches!(read, Read::End | Read::Error(_));
            elsewhere.take(now, read, &mut self.source);
            return !is_nothing;
        }
        match read {
            Read::Nothing => return false,
            Read::Bytes(bytes) => self.source.handle_input(now, &bytes),
            Read::End => {
                self.input_ended = true;
                self.source.handle_eof(now);
            }
            Read::Error(kind) => {
                self.input_ended = true;
                self.source.handle_transport_error(now, kind.into());
            }
        }
        true
    }

    fn write(&mut self, network: &mut Network) -> bool {
        let Some(link) = self.link.filter(|_| self.is_up) else {
            return false;
        };
        if let Some(elsewhere) = &mut self.elsewhere {
            let slices = [io::IoSlice::new(elsewhere.output())];
            let count = match slices[0].is_empty() {
                true => 0,
                false => network.write(link, Side::Client, &slices).unwrap_or(0),
            };
            elsewhere.written(count);
            return count > 0;
        }
        let transmit = self.source.poll_transmit();
        if transmit.is_empty() {
            return false;
        }
        // The read side finds the fault.
        let count = network
            .write(link, Side::Client, transmit.slices())
            .unwrap_or(0);
        self.source.handle_transmitted(network.now(), count);
        count > 0
    }
}

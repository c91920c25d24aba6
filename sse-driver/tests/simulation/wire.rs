//! Links between clients and the server: bytes that take some time, and faults on the way.

use std::{
    collections::VecDeque,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Wake, Waker},
    time::{Duration, Instant},
};

use sse_driver::Clock;

use crate::{reactor::Reactor, sim::Sim};

/// The end of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Client,
    Server,
}

impl Side {
    pub fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// A fault of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Both ends are reset.
    Reset,
    /// Both ends see the end of the other's output, whatever was on its way.
    End,
    /// The server sees the end of the client's output.
    HalfClose,
    /// Nothing arrives for this time.
    Freeze(Duration),
    /// Nothing arrives any more. After some time both systems report it.
    Silence,
}

/// The time of silence after which the systems at both ends give the other one up.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(20);

/// A connection, from the dial to after its end.
pub struct Link {
    pub id: usize,
    pub client: usize,
    sim: Sim,
    reactor: Arc<Reactor>,
    latency: Duration,
    state: Mutex<State>,
}

pub struct State {
    to_client: Pipe,
    to_server: Pipe,
    pub log: Log,
}

/// The record of a link.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// When the client began the attempt, and when it began its request.
    pub began: Option<Duration>,
    pub asked: Option<Duration>,
    pub connected: Duration,
    pub troubles: Vec<Trouble>,
    /// Whether the client dropped its end, or ended its output.
    pub client_left: bool,
    pub server_left: bool,
    /// Whether the server redirected the client.
    pub redirects: bool,
    /// The number of bytes that have arrived at the server, and the first of them.
    pub arrived: usize,
    beginning: Vec<u8>,
    pub first_arrival: Option<Duration>,
    pub last_arrival: Option<Duration>,
    /// When the head of the request had arrived, if it is not encrypted.
    pub head_arrived: Option<Duration>,
    /// Whether the server has written anything.
    pub has_response: bool,
    /// Whether the client left while it had unread bytes.
    pub left_unread: bool,
    /// Whether the client knows that the link is lost.
    pub is_lost: bool,
}

/// The number of a client's first bytes that are kept: more than the head of its request.
const BEGINNING: usize = 2000;

impl Log {
    /// Returns the record for the moment at which the client learns that the link is lost, which is
    /// once.
    pub fn take(&mut self) -> Self {
        let log = self.clone();
        self.is_lost = true;
        log
    }

    /// Returns the number of bytes of the request's body that have arrived, if they are not
    /// encrypted.
    pub fn arrived_of_body(&self) -> usize {
        self.end_of_head().map_or(0, |end| self.arrived - end)
    }

    fn end_of_head(&self) -> Option<usize> {
        let mut fours = self.beginning.windows(4);
        fours.position(|four| four == b"\r\n\r\n").map(|at| at + 4)
    }

    /// Notes bytes that have arrived at the server.
    fn arrive(&mut self, at: Duration, bytes: &[u8]) {
        self.first_arrival.get_or_insert(at);
        self.last_arrival = Some(at);
        self.arrived += bytes.len();
        let room = BEGINNING.saturating_sub(self.beginning.len());
        self.beginning.extend(bytes.iter().take(room));
        if self.head_arrived.is_none() && self.end_of_head().is_some() {
            self.head_arrived = Some(at);
        }
    }
}

/// One direction.
pub struct Pipe {
    /// The bytes that have arrived.
    bytes: VecDeque<u8>,
    /// The bytes that have arrived, and that the receiver's transport has read ahead.
    taken_in: VecDeque<u8>,
    in_flight: VecDeque<(Instant, Load)>,
    /// The bytes that the sender holds back until a flush.
    held_back: Vec<u8>,
    capacity: usize,
    /// The end after the bytes.
    end: Option<End>,
    /// Whether the sender sends no more.
    is_over: bool,
    end_is_told: bool,
    /// Whether the receiver takes no more, whether it still exists or not.
    is_closed: bool,
    receiver_is_gone: bool,
    frozen_until: Option<Instant>,
    receiver: Option<Waker>,
    sender: Option<Waker>,
    /// The waker of the receiver's sending side, if it waits until everything is read.
    after_reading: Option<Waker>,
    /// Since when the sender has found no room.
    pub full_since: Option<Instant>,
}

enum Load {
    Bytes(Vec<u8>),
    End,
}

#[derive(Clone, Copy, Debug)]
enum End {
    Proper,
    Error(io::ErrorKind),
}

impl Link {
    pub fn new(
        id: usize,
        client: usize,
        sim: &Sim,
        reactor: &Arc<Reactor>,
        latency: Duration,
        capacity: usize,
    ) -> Arc<Self> {
        Arc::new(Self {
            id,
            client,
            sim: sim.clone(),
            reactor: reactor.clone(),
            latency,
            state: Mutex::new(State {
                to_client: Pipe::new(capacity),
                to_server: Pipe::new(capacity),
                log: Log {
                    connected: sim.elapsed(),
                    ..Log::default()
                },
            }),
        })
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn is_over(&self) -> bool {
        let log = &self.state().log;
        log.client_left && log.server_left
    }

    /// Sends the bytes that were held back, and the end after them if there is one.
    pub fn flush(self: &Arc<Self>, from: Side, with_end: bool) {
        let now = self.sim.now();
        let mut state = self.state();
        let pipe = state.to(from.other());
        if pipe.is_over || pipe.is_closed {
            return;
        }
        let held_back = std::mem::take(&mut pipe.held_back);
        let mut loads = Vec::new();
        if !held_back.is_empty() {
            loads.push(Load::Bytes(held_back));
        }
        if with_end {
            loads.push(Load::End);
            pipe.is_over = true;
        }
        let behind = pipe.in_flight.back().map(|(arrival, _)| *arrival);
        let arrival = [Some(now + self.latency), pipe.frozen_until, behind];
        let arrival = arrival.into_iter().flatten().max().unwrap_or(now);
        pipe.in_flight
            .extend(loads.into_iter().map(|load| (arrival, load)));
        drop(state);
        self.expect_arrival(from.other(), arrival);
    }

    fn expect_arrival(self: &Arc<Self>, side: Side, at: Instant) {
        match at <= self.sim.now() {
            true => self.arrive(side),
            false => {
                let link = Arc::downgrade(self);
                let arrival = Arc::new(Arrival { link, side });
                self.sim.wake_at(at, Waker::from(arrival));
            }
        }
    }

    /// Lets bytes arrive that were sent to this side, and have been on their way for long enough.
    fn arrive(self: &Arc<Self>, side: Side) {
        let now = self.sim.now();
        let elapsed = self.sim.elapsed();
        let mut guard = self.state();
        let State {
            to_client,
            to_server,
            log,
        } = &mut *guard;
        let pipe = match side {
            Side::Client => to_client,
            Side::Server => to_server,
        };
        let mut has_arrived = false;
        while pipe
            .in_flight
            .front()
            .is_some_and(|(arrival, _)| *arrival <= now)
        {
            has_arrived = true;
            match pipe.in_flight.pop_front() {
                Some((at, Load::Bytes(bytes))) => {
                    if side == Side::Server {
                        // The arrival may be noticed later.
                        let at = elapsed.saturating_sub(now.saturating_duration_since(at));
                        log.arrive(at, &bytes);
                    }
                    pipe.bytes.extend(bytes);
                }
                _ => {
                    pipe.end.get_or_insert(End::Proper);
                }
            }
        }
        drop(guard);
        if has_arrived {
            self.reactor.arrived(self, side);
        }
    }

    /// Wakes the task that waits for bytes to this side.
    pub fn wake_receiver(&self, side: Side) {
        let receiver = self.state().to(side).receiver.take();
        wake(receiver);
    }

    /// Lets this fault happen.
    pub fn suffer(self: &Arc<Self>, trouble: Trouble) {
        let now = self.sim.now();
        let mut guard = self.state();
        let state = &mut *guard;
        state.log.troubles.push(trouble);
        match trouble {
            Trouble::Reset => state.fail(io::ErrorKind::ConnectionReset),
            Trouble::End => {
                for pipe in [&mut state.to_client, &mut state.to_server] {
                    pipe.in_flight.clear();
                    pipe.end.get_or_insert(End::Proper);
                    (pipe.is_over, pipe.is_closed) = (true, true);
                }
            }
            Trouble::HalfClose => {
                state.to_server.end.get_or_insert(End::Proper);
                state.to_server.is_over = true;
            }
            Trouble::Freeze(time) => {
                let until = now + time;
                for (side, pipe) in [
                    (Side::Client, &mut state.to_client),
                    (Side::Server, &mut state.to_server),
                ] {
                    let until = pipe.frozen_until.max(Some(until)).unwrap_or(until);
                    pipe.frozen_until = Some(until);
                    for (arrival, _) in &mut pipe.in_flight {
                        *arrival = until.max(*arrival);
                    }
                    let link = Arc::downgrade(self);
                    let arrival = Arc::new(Arrival { link, side });
                    self.sim.wake_at(until, Waker::from(arrival));
                }
            }
            Trouble::Silence => {
                let until = now + GIVEN_UP_AFTER;
                for pipe in [&mut state.to_client, &mut state.to_server] {
                    pipe.in_flight.clear();
                    // This never ends, because the end of the link comes before.
                    pipe.frozen_until = Some(until + GIVEN_UP_AFTER);
                }
                let giving_up = Arc::new(GivingUp(Arc::downgrade(self)));
                self.sim.wake_at(until, Waker::from(giving_up));
            }
        }
        let wakers = state.take_wakers();
        drop(guard);
        wakers.into_iter().for_each(Waker::wake);
    }

    fn give_up(&self) {
        let mut state = self.state();
        state.fail(io::ErrorKind::TimedOut);
        let wakers = state.take_wakers();
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Drops this end. Bytes that were held back are lost. If bytes arrived that it has not read,
    /// the other end is reset.
    pub fn drop_end(self: &Arc<Self>, side: Side) {
        let mut state = self.state();
        match side {
            Side::Client => state.log.client_left = true,
            Side::Server => state.log.server_left = true,
        }
        let incoming = state.to(side);
        let in_vain = incoming.is_unread();
        (incoming.is_closed, incoming.receiver_is_gone) = (true, true);
        incoming.receiver = None;
        incoming.in_flight.clear();
        let sender = incoming.sender.take();
        let outgoing = state.to(side.other());
        outgoing.held_back.clear();
        outgoing.sender = None;
        let mut receiver = None;
        if in_vain && outgoing.end.is_none() {
            outgoing.fail(io::ErrorKind::ConnectionReset);
            receiver = outgoing.receiver.take();
        }
        state.log.left_unread |= in_vain && side == Side::Client;
        drop(state);
        wake(sender);
        wake(receiver);
        self.flush(side, true);
    }
}

impl State {
    /// Returns the direction to this side.
    pub fn to(&mut self, side: Side) -> &mut Pipe {
        match side {
            Side::Client => &mut self.to_client,
            Side::Server => &mut self.to_server,
        }
    }

    fn fail(&mut self, kind: io::ErrorKind) {
        self.to_client.fail(kind);
        self.to_server.fail(kind);
    }

    fn take_wakers(&mut self) -> Vec<Waker> {
        let (one, other) = (&mut self.to_client, &mut self.to_server);
        let wakers = [
            one.receiver.take(),
            one.sender.take(),
            other.receiver.take(),
            other.sender.take(),
        ];
        wakers.into_iter().flatten().collect()
    }

    /// Returns whether nothing is on its way, and nothing is held up.
    pub fn is_at_rest(&self) -> bool {
        [&self.to_client, &self.to_server].iter().all(|pipe| {
            !pipe.is_unread()
                && pipe.in_flight.is_empty()
                && pipe.held_back.is_empty()
                && pipe.frozen_until.is_none()
        })
    }
}

impl Pipe {
    fn new(capacity: usize) -> Self {
        Self {
            bytes: VecDeque::new(),
            taken_in: VecDeque::new(),
            in_flight: VecDeque::new(),
            held_back: Vec::new(),
            capacity,
            end: None,
            end_is_told: false,
            is_over: false,
            is_closed: false,
            receiver_is_gone: false,
            frozen_until: None,
            receiver: None,
            sender: None,
            after_reading: None,
            full_since: None,
        }
    }

    fn fail(&mut self, kind: io::ErrorKind) {
        self.bytes.clear();
        self.taken_in.clear();
        self.in_flight.clear();
        self.held_back.clear();
        self.end = Some(End::Error(kind));
        (self.is_over, self.is_closed) = (true, true);
    }

    pub fn room(&self) -> usize {
        let in_flight: usize = self
            .in_flight
            .iter()
            .map(|(_, load)| match load {
                Load::Bytes(bytes) => bytes.len(),
                Load::End => 0,
            })
            .sum();
        let taken = self.bytes.len() + in_flight + self.held_back.len();
        self.capacity.saturating_sub(taken)
    }

    /// Returns whether there is something of which the receiver does not know.
    pub fn has_news(&self) -> bool {
        let end_is_news = self.end.is_some() && !self.end_is_told;
        !self.receiver_is_gone && !self.end_is_told && (self.is_unread() || end_is_news)
    }

    pub fn is_unread(&self) -> bool {
        !(self.bytes.is_empty() && self.taken_in.is_empty())
    }

    /// Lets the receiver's transport read everything ahead, and returns whether there was anything.
    pub fn take_in(&mut self) -> bool {
        let is_something = !self.bytes.is_empty();
        if is_something {
            self.full_since = None;
            self.taken_in.append(&mut self.bytes);
        }
        is_something
    }

    /// Takes up to this many of the arrived bytes; an empty vector is the end.
    pub fn take(&mut self, most: usize) -> Option<io::Result<Vec<u8>>> {
        if let Some(End::Error(kind)) = self.end {
            self.end_is_told = true;
            return Some(Err(kind.into()));
        }
        if !self.is_unread() {
            self.end_is_told |= self.end.is_some();
            return self.end.map(|_| Ok(Vec::new()));
        }
        let from = match self.taken_in.is_empty() {
            true => &mut self.bytes,
            false => &mut self.taken_in,
        };
        self.full_since = None;
        let count = most.min(from.len());
        Some(Ok(from.drain(..count).collect()))
    }

    /// Returns the tasks to wake once bytes were taken.
    pub fn take_waiting(&mut self) -> [Option<Waker>; 2] {
        let is_read = !self.is_unread();
        [self.sender.take(), self.after_reading.take_if(|_| is_read)]
    }

    pub fn wait_to_receive(&mut self, waker: &Waker) {
        self.receiver = Some(waker.clone());
    }

    pub fn wait_to_send(&mut self, waker: &Waker, now: Instant) {
        self.full_since.get_or_insert(now);
        self.sender = Some(waker.clone());
    }

    /// Lets the receiver's other side be woken once the bytes are read.
    pub fn wait_for_reader(&mut self, waker: &Waker) {
        self.after_reading = Some(waker.clone());
    }

    pub fn hold_back(&mut self, bytes: &[u8]) {
        self.held_back.extend_from_slice(bytes);
    }

    /// Returns the reason why nothing can be sent any more.
    pub fn broken(&self) -> Option<io::ErrorKind> {
        match self.end {
            Some(End::Error(kind)) => Some(kind),
            _ if self.is_closed || self.is_over => Some(io::ErrorKind::BrokenPipe),
            _ => None,
        }
    }
}

/// Wakes the receiver when something has arrived.
struct Arrival {
    link: Weak<Link>,
    side: Side,
}

impl Wake for Arrival {
    fn wake(self: Arc<Self>) {
        if let Some(link) = self.link.upgrade() {
            link.thaw(self.side);
            link.arrive(self.side);
        }
    }
}

impl Link {
    fn thaw(&self, side: Side) {
        let now = self.sim.now();
        let mut state = self.state();
        let pipe = state.to(side);
        pipe.frozen_until = pipe.frozen_until.filter(|until| *until > now);
    }
}

/// Lets the systems give a silent link up.
struct GivingUp(Weak<Link>);

impl Wake for GivingUp {
    fn wake(self: Arc<Self>) {
        if let Some(link) = self.0.upgrade() {
            link.give_up();
        }
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

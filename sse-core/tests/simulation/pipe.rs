//! One direction of a link: bytes on their way, and bytes that have arrived.

use std::{
    collections::VecDeque,
    io::ErrorKind,
    time::{Duration, Instant},
};

/// The result of a read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Read {
    Nothing,
    Bytes(Vec<u8>),
    End,
    Error(ErrorKind),
}

/// A part of the bytes on their way, or a signal.
#[derive(Debug)]
pub(crate) enum Load {
    Bytes(Vec<u8>),
    End,
    Reset,
}

/// One direction, named after its receiver.
#[derive(Debug)]
pub(crate) struct Pipe {
    pub(crate) in_flight: VecDeque<Parcel>,
    /// The number of bytes in these.
    pub(crate) in_flight_len: usize,
    /// When the last of them arrives: the order is kept.
    pub(crate) last_arrival: Instant,
    /// The bytes that have arrived and are not read.
    pub(crate) here: VecDeque<u8>,
    /// The signal that comes after them.
    pub(crate) end: Option<Read>,
    /// The number of bytes that were lost silently, and take up room forever.
    pub(crate) lost: usize,
    /// Since when the oldest of these has been on its way.
    pub(crate) lost_since: Option<Instant>,
    /// Whether the sender has ended.
    pub(crate) ended: bool,
    /// Whether the sender was told that there is no room.
    pub(crate) blocked: bool,
    pub(crate) arrived: usize,
}

#[derive(Debug)]
pub(crate) struct Parcel {
    pub(crate) sent: Instant,
    pub(crate) arrival: Instant,
    pub(crate) load: Load,
}

impl Pipe {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            in_flight: VecDeque::new(),
            in_flight_len: 0,
            last_arrival: now,
            here: VecDeque::new(),
            end: None,
            lost: 0,
            lost_since: None,
            ended: false,
            blocked: false,
            arrived: 0,
        }
    }

    pub(crate) fn outstanding(&self) -> usize {
        self.in_flight_len + self.here.len() + self.lost
    }

    /// Drops the bytes on their way.
    pub(crate) fn drop_in_flight(&mut self) -> usize {
        self.in_flight.clear();
        std::mem::take(&mut self.in_flight_len)
    }

    pub(crate) fn unacknowledged_since(&self) -> Option<Instant> {
        let first = self.in_flight.front().map(|parcel| parcel.sent);
        self.lost_since.into_iter().chain(first).min()
    }

    /// Sends this, which arrives after `delay`, and not while the network is frozen.
    pub(crate) fn send(
        &mut self,
        now: Instant,
        latency: Duration,
        frozen: Option<Instant>,
        load: Load,
    ) {
        let earliest = now.max(frozen.unwrap_or(now)) + latency;
        let arrival = earliest.max(self.last_arrival);
        self.last_arrival = arrival;
        if let Load::Bytes(bytes) = &load {
            self.in_flight_len += bytes.len();
        }
        self.in_flight.push_back(Parcel {
            sent: now,
            arrival,
            load,
        });
    }
}

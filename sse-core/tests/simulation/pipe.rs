//! One direction of a link: bytes on their way, and bytes that are there.

use std::{
    collections::VecDeque,
    io::ErrorKind,
    time::{Duration, Instant},
};

/// What a side finds when it reads.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Read {
    Nothing,
    Bytes(Vec<u8>),
    End,
    Error(ErrorKind),
}

/// What is on its way.
#[derive(Debug)]
pub(crate) enum Load {
    Bytes(Vec<u8>),
    End,
    Reset,
}

/// One direction, named after who receives.
#[derive(Debug)]
pub(crate) struct Pipe {
    pub(crate) in_flight: VecDeque<Parcel>,
    /// How many bytes are in these.
    pub(crate) in_flight_len: usize,
    /// When the last of them arrives: nothing overtakes.
    pub(crate) last_arrival: Instant,
    /// What has arrived and is not read.
    pub(crate) here: VecDeque<u8>,
    /// What comes when that is read.
    pub(crate) end: Option<Read>,
    /// Bytes that were lost in silence, and take up room for ever.
    pub(crate) lost: usize,
    /// Since when the oldest of these is on its way.
    pub(crate) lost_since: Option<Instant>,
    /// The sender has ended.
    pub(crate) ended: bool,
    /// The sender was told that there is no room.
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

    /// What is on its way never arrives.
    pub(crate) fn drop_in_flight(&mut self) -> usize {
        self.in_flight.clear();
        std::mem::take(&mut self.in_flight_len)
    }

    pub(crate) fn unacknowledged_since(&self) -> Option<Instant> {
        let first = self.in_flight.front().map(|parcel| parcel.sent);
        self.lost_since.into_iter().chain(first).min()
    }

    /// Sends this, which arrives so much later, and not while the network is frozen.
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

//! Links between clients and the server: their bytes take time, and arrive in pieces of any size.
//!
//! A link is two pipes. Bytes written into one are cut at random, arrive in order, and are read in pieces
//! that do not depend on the writes. A link has a fate from the start: most are without faults, others
//! break after a number of bytes or a time, or fall silent.

use std::{
    collections::BTreeMap,
    io::{ErrorKind, IoSlice},
    time::Instant,
};

use fastrand::Rng;

use crate::{
    agenda::{Agenda, ClientId, Happening},
    pipe::{Load, Parcel, Pipe, Read},
    scenario::Weather,
    trouble::Fate,
};

pub(crate) type LinkId = u64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

impl Side {
    fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) client: ClientId,
    pub(crate) fate: Fate,
    pub(crate) to_client: Pipe,
    pub(crate) to_server: Pipe,
    /// Which ends are held.
    pub(crate) client_open: bool,
    pub(crate) server_open: bool,
    pub(crate) silent_since: Option<Instant>,
    pub(crate) frozen_until: Option<Instant>,
    /// The last event ID that the client's request had to carry.
    pub(crate) asked_with: String,
}

impl Link {
    pub(crate) fn to(&mut self, side: Side) -> &mut Pipe {
        match side {
            Side::Client => &mut self.to_client,
            Side::Server => &mut self.to_server,
        }
    }

    fn open(&mut self, side: Side) -> &mut bool {
        match side {
            Side::Client => &mut self.client_open,
            Side::Server => &mut self.server_open,
        }
    }
}

/// All links.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) agenda: Agenda,
    pub(crate) rng: Rng,
    pub(crate) weather: Weather,
    pub(crate) links: BTreeMap<LinkId, Link>,
    count: LinkId,
}

impl Network {
    pub(crate) fn new(rng: Rng, weather: Weather) -> Self {
        Self {
            agenda: Agenda::new(),
            rng,
            weather,
            links: BTreeMap::new(),
            count: 0,
        }
    }

    pub(crate) fn now(&self) -> Instant {
        self.agenda.now()
    }

    /// Returns the number of links with an end that is held.
    pub(crate) fn open_links(&self) -> usize {
        self.links.len()
    }

    pub(crate) fn link(&mut self, id: LinkId) -> Option<&mut Link> {
        self.links.get_mut(&id)
    }

    /// Begins a connection attempt of a client; [`Happening::Dialed`] is the answer.
    pub(crate) fn dial(&mut self, client: ClientId) -> LinkId {
        self.count += 1;
        let (id, now) = (self.count, self.now());
        let fate = self.weather.fate(&mut self.rng);
        let link = Link {
            client,
            fate,
            to_client: Pipe::new(now),
            to_server: Pipe::new(now),
            client_open: true,
            server_open: false,
            silent_since: None,
            frozen_until: None,
            asked_with: String::new(),
        };
        self.links.insert(id, link);
        if fate != Fate::Swallowed {
            let latency = self.weather.latency(&mut self.rng);
            self.agenda.after(latency, Happening::Dialed(id));
        }
        id
    }

    /// Returns whether the server accepts.
    pub(crate) fn accept(&mut self, id: LinkId) -> bool {
        let Some(link) = self.links.get_mut(&id) else {
            return false;
        };
        if link.fate == Fate::Refused {
            return false;
        }
        link.server_open = true;
        if let Fate::At(time, _) = link.fate {
            self.agenda.after(time, Happening::Trouble(id));
        }
        true
    }

    /// Writes as many bytes as there is room for.
    pub(crate) fn write(
        &mut self,
        id: LinkId,
        from: Side,
        slices: &[IoSlice<'_>],
    ) -> Result<usize, ErrorKind> {
        let now = self.now();
        let to = from.other();
        let Some(link) = self.links.get_mut(&id) else {
            return Err(ErrorKind::BrokenPipe);
        };
        if let Some(Read::Error(kind)) = link.to(from).end {
            return Err(kind);
        }
        let (is_silent, frozen_until) = (link.silent_since.is_some(), link.frozen_until);
        let pipe = link.to(to);
        if pipe.ended {
            return Err(ErrorKind::BrokenPipe);
        }
        let mut room = self.weather.capacity.saturating_sub(pipe.outstanding());
        let mut bytes = Vec::new();
        for slice in slices {
            let count = room.min(slice.len());
            bytes.extend_from_slice(&slice[..count]);
            room -= count;
        }
        let count = bytes.len();
        if count == 0 {
            pipe.blocked = true;
            return Ok(0);
        }
        if is_silent {
            pipe.lost += count;
            pipe.lost_since.get_or_insert(now);
        }
        let mut rest = &bytes[..];
        while !is_silent && !rest.is_empty() {
            let most = self.weather.segment.max(count / 16).min(rest.len());
            let (segment, others) = rest.split_at(self.rng.usize(1..=most));
            rest = others;
            let latency = self.weather.latency(&mut self.rng);
            pipe.send(now, latency, frozen_until, Load::Bytes(segment.to_vec()));
        }
        self.schedule_arrival(id, to);
        if from == Side::Server {
            let timeout = self.weather.user_timeout;
            self.agenda
                .after(timeout, Happening::LookForAcknowledgement(id));
        }
        Ok(count)
    }

    /// Reads some of the available bytes.
    pub(crate) fn read(&mut self, id: LinkId, side: Side, most: usize) -> Read {
        let Some(link) = self.links.get_mut(&id) else {
            return Read::Nothing;
        };
        let is_silent = link.silent_since.is_some();
        let pipe = link.to(side);
        if pipe.here.is_empty() {
            return match &pipe.end {
                None => Read::Nothing,
                Some(Read::Error(kind)) => Read::Error(*kind),
                Some(_) => Read::End,
            };
        }
        let count = self.rng.usize(1..=most.max(1)).min(pipe.here.len());
        let bytes = pipe.here.drain(..count).collect();
        if is_silent {
            // The sender is not told of the room.
            pipe.lost += count;
        } else if std::mem::take(&mut pipe.blocked) {
            let latency = self.weather.latency(&mut self.rng);
            self.agenda
                .after(latency, Happening::Writable(id, side.other()));
        }
        Read::Bytes(bytes)
    }

    /// Shuts down the sending side.
    pub(crate) fn end(&mut self, id: LinkId, from: Side) {
        self.put(id, from.other(), Load::End);
    }

    /// Closes an end. If bytes are left unread, the connection is reset.
    pub(crate) fn close(&mut self, id: LinkId, side: Side) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        *link.open(side) = false;
        let load = match link.to(side).here.is_empty() {
            true => Load::End,
            false => Load::Reset,
        };
        self.put(id, side.other(), load);
        self.forget_if_over(id);
    }

    /// Drops an end without telling the other one.
    pub(crate) fn abandon(&mut self, id: LinkId, side: Side) {
        self.fall_silent(id);
        if let Some(link) = self.links.get_mut(&id) {
            *link.open(side) = false;
        }
        self.forget_if_over(id);
    }

    /// Lets bytes arrive; returns whether there is something to read.
    pub(crate) fn arrive(&mut self, id: LinkId, side: Side) -> bool {
        let now = self.now();
        let Some(link) = self.links.get_mut(&id) else {
            return false;
        };
        let fate = link.fate;
        let is_open = *link.open(side);
        let pipe = link.to(side);
        let (mut news, mut in_vain, mut broken) = (false, false, None);
        while let Some(parcel) = pipe.in_flight.front()
            && parcel.arrival <= now
        {
            let parcel = pipe.in_flight.pop_front();
            news = true;
            match parcel.map(|parcel| (parcel.load, parcel.sent)) {
                Some((Load::Bytes(mut bytes), sent)) => {
                    pipe.in_flight_len -= bytes.len();
                    if let Fate::After(to, most, how) = fate
                        && to == side
                        && pipe.arrived + bytes.len() > most
                    {
                        // The rest is still on its way when it happens.
                        let rest = bytes.split_off(most.saturating_sub(pipe.arrived));
                        pipe.in_flight_len += rest.len();
                        pipe.in_flight.push_front(Parcel {
                            sent,
                            arrival: now,
                            load: Load::Bytes(rest),
                        });
                        broken = Some(how);
                    }
                    pipe.arrived += bytes.len();
                    in_vain |= !is_open;
                    pipe.here.extend(bytes);
                    if broken.is_some() {
                        break;
                    }
                }
                Some((Load::End, _)) => {
                    pipe.end.get_or_insert(Read::End);
                }
                Some((Load::Reset, _)) | None => {
                    pipe.end = Some(Read::Error(ErrorKind::ConnectionReset));
                    // Some systems return the bytes before, others do not.
                    if self.rng.bool() {
                        pipe.here.clear();
                    }
                }
            }
        }
        if let Some(how) = broken {
            self.break_link(id, how);
        } else if in_vain {
            // There is no receiver.
            self.put(id, side.other(), Load::Reset);
        }
        self.schedule_arrival(id, side);
        news
    }

    /// Sends a signal without bytes.
    fn put(&mut self, id: LinkId, to: Side, load: Load) {
        let now = self.now();
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let frozen_until = link.frozen_until;
        let is_silent = link.silent_since.is_some();
        let pipe = link.to(to);
        if matches!(load, Load::End) && pipe.ended {
            return;
        }
        pipe.ended = true;
        if !is_silent {
            let latency = self.weather.latency(&mut self.rng);
            pipe.send(now, latency, frozen_until, load);
            self.schedule_arrival(id, to);
        }
    }

    pub(crate) fn schedule_arrival(&mut self, id: LinkId, side: Side) {
        if let Some(link) = self.links.get_mut(&id)
            && let Some(parcel) = link.to(side).in_flight.front()
        {
            let arrival = parcel.arrival;
            self.agenda.at(arrival, Happening::Arrive(id, side));
        }
    }

    fn forget_if_over(&mut self, id: LinkId) {
        if let Some(link) = self.links.get(&id)
            && !link.client_open
            && !link.server_open
        {
            self.links.remove(&id);
        }
    }
}

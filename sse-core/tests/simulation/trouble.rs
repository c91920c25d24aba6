//! The faults of a link.

use std::{io::ErrorKind, time::Duration};

use crate::{
    agenda::Happening,
    network::{LinkId, Network, Side},
    pipe::{Load, Read},
};

/// The fate of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Fine,
    /// The server refuses the connection.
    Refused,
    /// The connection attempt gets no answer.
    Swallowed,
    /// The link breaks after this many bytes to this side.
    After(Side, usize, Break),
    /// The link breaks after this time.
    At(Duration, Break),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Break {
    /// Both ends are reset.
    Reset,
    /// Both ends see the other's end, whatever was on its way.
    End,
    /// The server sees the end of the client's sending side.
    HalfClose,
    /// Nothing arrives for this long.
    Freeze(Duration),
    /// Nothing ever arrives any more, and neither end is told.
    Silence,
}

impl Network {
    /// Applies the fate of a link.
    pub(crate) fn trouble(&mut self, id: LinkId) {
        if let Some(Fate::At(_, how)) = self.link(id).map(|link| link.fate) {
            self.break_link(id, how);
        }
    }

    pub(crate) fn break_link(&mut self, id: LinkId, how: Break) {
        let now = self.now();
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        // It happens once.
        link.fate = Fate::Fine;
        match how {
            Break::Freeze(time) => {
                let until = now + time;
                link.frozen_until = Some(until);
                for pipe in [&mut link.to_client, &mut link.to_server] {
                    for parcel in &mut pipe.in_flight {
                        parcel.arrival = parcel.arrival.max(until);
                    }
                    pipe.last_arrival = pipe.last_arrival.max(until);
                }
            }
            Break::Silence => self.fall_silent(id),
            Break::Reset | Break::End | Break::HalfClose => {
                for side in [Side::Client, Side::Server] {
                    if how == Break::HalfClose && side == Side::Client {
                        continue;
                    }
                    let pipe = link.to(side);
                    pipe.drop_in_flight();
                    pipe.ended = true;
                    let load = match how {
                        Break::Reset => Load::Reset,
                        _ => Load::End,
                    };
                    let latency = self.weather.latency(&mut self.rng);
                    pipe.send(now, latency, None, load);
                }
                self.schedule_arrival(id, Side::Client);
                self.schedule_arrival(id, Side::Server);
            }
        }
    }

    /// Ends all faults of links, also those that would come later. A link that is silent stays so.
    pub(crate) fn calm_down(&mut self) {
        self.weather.calm_down();
        for link in self.links.values_mut() {
            if !matches!(link.fate, Fate::Swallowed | Fate::Refused) {
                link.fate = Fate::Fine;
            }
        }
    }

    pub(crate) fn fall_silent(&mut self, id: LinkId) {
        let now = self.now();
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        link.silent_since.get_or_insert(now);
        for pipe in [&mut link.to_client, &mut link.to_server] {
            pipe.lost_since = pipe.unacknowledged_since();
            pipe.lost += pipe.drop_in_flight();
        }
        let (probes, timeout) = (self.weather.probes_fail_after, self.weather.user_timeout);
        self.agenda.after(probes, Happening::ProbesFail(id));
        self.agenda
            .after(timeout, Happening::LookForAcknowledgement(id));
    }

    /// Lets the client's system give up the server, if there is silence.
    pub(crate) fn probes_fail(&mut self, id: LinkId) {
        if let Some(link) = self.links.get_mut(&id) {
            link.to_client.end = Some(Read::Error(ErrorKind::TimedOut));
        }
    }

    /// Lets the server's system give up the client, if it acknowledged nothing for too long; returns
    /// whether it did.
    pub(crate) fn look_for_acknowledgement(&mut self, id: LinkId) -> bool {
        let (now, timeout) = (self.now(), self.weather.user_timeout);
        let Some(link) = self.links.get_mut(&id) else {
            return false;
        };
        let Some(since) = link.to_client.unacknowledged_since() else {
            return false;
        };
        let gives_up = since + timeout <= now;
        if gives_up {
            link.to_server.end = Some(Read::Error(ErrorKind::TimedOut));
        } else {
            self.agenda
                .at(since + timeout, Happening::LookForAcknowledgement(id));
        }
        gives_up
    }
}

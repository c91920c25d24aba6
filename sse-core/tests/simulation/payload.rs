//! The published events: each follows from its place, so that a client can check the exact bytes without
//! storing them.

use std::time::Duration;

use fastrand::Rng;
use sse_core::Event;

/// A place in the life of a topic: its epoch and a sequence number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) epoch: u64,
    pub(crate) sequence: u64,
}

impl Place {
    /// Returns the topic's own ID for it.
    pub(crate) fn id(self) -> String {
        let epoch = u32::try_from(self.epoch).ok();
        let epoch = epoch.and_then(|epoch| char::from_digit(epoch, 36));
        format!("{}-{}", epoch.expect("few restarts"), self.sequence)
    }
}

/// The event at a place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Payload {
    pub(crate) data: String,
    pub(crate) event_type: &'static str,
    /// An ID of the publisher's choice.
    pub(crate) own_id: Option<String>,
    /// The reconnection time, which some events have.
    reconnection_time: Option<Duration>,
}

impl Payload {
    pub(crate) fn at(place: Place, largest: usize) -> Self {
        let Place { epoch, sequence } = place;
        let mut rng = Rng::with_seed(epoch << 40 | sequence);
        let len = match rng.u8(..8) {
            0 => rng.usize(..=largest),
            _ => rng.usize(..=largest.min(40)),
        };
        let mut data = format!("{epoch} {sequence}");
        while data.len() < len {
            data += rng
                .choice([
                    " ", "\n", "\r", "\r\n", ":", "x", "ä", "🌲", "id: 1-1", "\n\n",
                ])
                .unwrap_or("");
        }
        Self {
            data,
            event_type: rng.choice(["message", "tick"]).unwrap_or("message"),
            own_id: (rng.u8(..10) == 0).then(|| format!("own/{epoch}/{sequence}")),
            reconnection_time: (rng.u8(..30) == 0).then(|| Duration::from_millis(rng.u64(..9000))),
        }
    }

    pub(crate) fn event(&self) -> Event {
        let mut event = Event::new(self.data.as_str());
        if self.event_type != "message" {
            event = event.with_event_type(self.event_type).expect("a word");
        }
        if let Some(time) = self.reconnection_time {
            event = event.with_reconnection_time(time);
        }
        match &self.own_id {
            Some(id) => event.with_id(id.as_str()).expect("a valid ID"),
            None => event,
        }
    }

    /// Returns the data as a client receives it, with LF as its line ends.
    pub(crate) fn data_received(&self) -> String {
        self.data.replace("\r\n", "\n").replace('\r', "\n")
    }

    pub(crate) fn id(&self, place: Place) -> String {
        self.own_id.clone().unwrap_or_else(|| place.id())
    }
}

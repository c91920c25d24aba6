//! The laws, and what broke them.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use sse_tokio::MessageEvent;

/// What must hold, whatever happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Law {
    NothingLost,
    NothingTwice,
    ComesBack,
    CleanUp,
    Descriptors,
    Memory,
    Tasks,
    Panics,
    Shutdown,
    LeftOpen,
}

impl Law {
    pub(crate) const ALL: [Self; 10] = [
        Self::NothingLost,
        Self::NothingTwice,
        Self::ComesBack,
        Self::CleanUp,
        Self::Descriptors,
        Self::Memory,
        Self::Tasks,
        Self::Panics,
        Self::Shutdown,
        Self::LeftOpen,
    ];
}

impl fmt::Display for Law {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NothingLost => "no event is lost without the client being told",
            Self::NothingTwice => "no event comes twice",
            Self::ComesBack => "a client comes back after every loss",
            Self::CleanUp => "clean-up runs once for each handler",
            Self::Descriptors => "an idle server holds no more descriptors than before",
            Self::Memory => "an idle server holds no more memory than before",
            Self::Tasks => "an idle server runs no more tasks than before",
            Self::Panics => "nothing panics",
            Self::Shutdown => "a shutdown ends by its deadline",
            Self::LeftOpen => "no connection is left open",
        })
    }
}

/// How many violations are kept with their texts.
const KEPT: usize = 20;

/// The violations so far, and the counters of the report.
#[derive(Default)]
pub(crate) struct Record {
    broken: Mutex<Vec<(Law, String)>>,
    counts: Mutex<BTreeMap<&'static str, u64>>,
}

impl Record {
    /// Notes that a law is broken, and prints it at once.
    pub(crate) fn broken(&self, law: Law, how: impl Into<String>) {
        let how = how.into();
        let mut broken = lock(&self.broken);
        if broken.len() < KEPT {
            println!("BROKEN: {law}: {how}");
            broken.push((law, how));
        }
    }

    pub(crate) fn is_broken(&self) -> bool {
        !lock(&self.broken).is_empty()
    }

    /// Returns how often this law was broken.
    pub(crate) fn times_broken(&self, law: Law) -> usize {
        lock(&self.broken).iter().filter(|it| it.0 == law).count()
    }

    /// Counts something for the report.
    pub(crate) fn count(&self, what: &'static str) {
        *lock(&self.counts).entry(what).or_default() += 1;
    }

    pub(crate) fn counts(&self) -> BTreeMap<&'static str, u64> {
        lock(&self.counts).clone()
    }

    pub(crate) fn counted(&self, what: &'static str) -> u64 {
        lock(&self.counts).get(what).copied().unwrap_or_default()
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A place in a topic, as its ID says it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    epoch: String,
    number: u64,
}

impl Place {
    fn of(id: &str) -> Option<Self> {
        let (epoch, number) = id.rsplit_once('-')?;
        Some(Self {
            epoch: epoch.to_owned(),
            number: number.parse().ok()?,
        })
    }
}

/// What one client has of a topic, through all of its connections.
pub(crate) struct Track {
    topic: &'static str,
    last: Option<Place>,
    id: String,
    data: Option<(String, u64)>,
}

impl Track {
    pub(crate) fn new(topic: &'static str) -> Self {
        Self {
            topic,
            last: None,
            id: String::new(),
            data: None,
        }
    }

    pub(crate) fn topic(&self) -> &'static str {
        self.topic
    }

    /// Returns the ID to come back with; empty at first.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Checks the next event against those before it.
    pub(crate) fn take(&mut self, event: &MessageEvent, record: &Record) {
        let id = event.last_event_id();
        let Some(place) = Place::of(id) else {
            return record.broken(Law::NothingLost, format!("{}: the ID {id:?}", self.topic));
        };
        match event.event_type() {
            "resume" => self.hear(event.data(), &place, record),
            _ => self.follow(event.data(), &place, record),
        }
        self.last = Some(place);
        self.id = id.to_owned();
    }

    /// Checks an event that tells of a loss.
    fn hear(&mut self, data: &str, place: &Place, record: &Record) {
        let told: serde_json::Value = serde_json::from_str(data).unwrap_or_default();
        let expected = match (told["outcome"].as_str(), &self.last) {
            (Some("gap"), Some(last)) => {
                record.count("gaps told");
                let lost = told["lost"].as_u64().unwrap_or_default();
                (last.epoch == place.epoch).then_some(last.number + lost)
            }
            (Some("unknown"), last) => {
                record.count("unknown places told");
                let is_new = last.as_ref().is_none_or(|last| last.epoch != place.epoch);
                is_new.then_some(place.number)
            }
            // It was skipped ahead before its first event.
            (Some("gap"), None) => Some(place.number),
            _ => None,
        };
        if expected != Some(place.number) {
            self.complain(Law::NothingLost, data, place, record);
        }
    }

    /// Checks that an event follows the one before it.
    fn follow(&mut self, data: &str, place: &Place, record: &Record) {
        match &self.last {
            Some(last) if last.epoch != place.epoch || last.number + 1 < place.number => {
                self.complain(Law::NothingLost, data, place, record);
            }
            Some(last) if last.number >= place.number => {
                self.complain(Law::NothingTwice, data, place, record);
            }
            _ => {}
        }
        // A publisher counts its events, and its count grows whatever becomes of them.
        let mut words = data.split(' ');
        let (publisher, number) = (words.next(), words.next());
        let number = number.and_then(|number| number.parse().ok());
        let (Some(publisher), Some(number)) = (publisher, number) else {
            return self.complain(Law::NothingLost, data, place, record);
        };
        match &self.data {
            Some((before, last)) if before == publisher && *last >= number => {
                self.complain(Law::NothingTwice, data, place, record);
            }
            _ => {}
        }
        self.data = Some((publisher.to_owned(), number));
        record.count("events");
    }

    fn complain(&self, law: Law, data: &str, place: &Place, record: &Record) {
        let data: String = data.chars().take(60).collect();
        let Self { topic, last, .. } = self;
        record.broken(law, format!("{topic}: {place:?} {data:?} after {last:?}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sse_tokio::Decoder;

    /// Feeds a track these events, each an ID, an event type and data.
    fn broken_by(events: &[(&str, &str, &str)]) -> Vec<Law> {
        let mut text = String::new();
        for (id, event_type, data) in events {
            text += &format!("id: {id}\nevent: {event_type}\ndata: {data}\n\n");
        }
        let (record, mut track) = (Record::default(), Track::new("news"));
        let (mut decoder, mut input) = (Decoder::new(), text.as_bytes());
        while let Some(event) = decoder.decode_event(&mut input).unwrap() {
            track.take(&event, &record);
        }
        let broken = lock(&record.broken);
        broken.iter().map(|it| it.0).collect()
    }

    #[test]
    fn what_is_told_breaks_no_law() {
        let gap = r#"{"outcome":"gap","lost":3,"replayed":9}"#;
        let unknown = r#"{"outcome":"unknown","replayed":9}"#;
        let events = [
            ("a-7", "message", "p 7"),
            ("a-8", "message", "p 8"),
            ("a-11", "resume", gap),
            ("a-12", "message", "p 12"),
            ("b-0", "resume", unknown),
            ("b-1", "message", "q 1"),
        ];
        assert_eq!(broken_by(&events), []);
    }

    #[test]
    fn what_is_not_told_breaks_a_law() {
        let (a7, lost) = (("a-7", "message", "p 7"), [Law::NothingLost]);
        let gap = r#"{"outcome":"gap","lost":3,"replayed":9}"#;
        let unknown = r#"{"outcome":"unknown","replayed":9}"#;
        assert_eq!(broken_by(&[a7, ("a-9", "message", "p 9")]), lost);
        assert_eq!(broken_by(&[a7, ("b-8", "message", "p 8")]), lost);
        assert_eq!(broken_by(&[a7, ("a-11", "resume", gap)]), lost);
        assert_eq!(broken_by(&[a7, ("a-11", "resume", unknown)]), lost);
        let twice = [Law::NothingTwice; 2];
        assert_eq!(broken_by(&[a7, a7]), twice);
        assert_eq!(broken_by(&[a7, ("a-8", "message", "p 7")]), twice[..1]);
    }
}

//! The guarantees for a client: every event that the topic promised it, in order, once; and an exact
//! count of lost ones.

use sse_core::{
    MessageEvent,
    topic::{Announce, Outcome},
};

use crate::payload::{Payload, Place};

/// The topic's promise when a client subscribed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Promise {
    pub(crate) outcome: Outcome,
    /// The first event to come.
    pub(crate) next: Place,
}

impl Promise {
    /// Returns the promise of an outcome. `end` is the place of the newest event.
    pub(crate) fn new(outcome: Outcome, end: Place) -> Self {
        let replayed = match outcome {
            Outcome::Resumed { replayed }
            | Outcome::Gap { replayed, .. }
            | Outcome::Unknown { replayed } => replayed,
            _ => 0,
        };
        let sequence = end.sequence + 1 - replayed;
        Self {
            outcome,
            next: Place { sequence, ..end },
        }
    }
}

/// What one client has received, through all its connections.
#[derive(Debug, Default)]
pub(crate) struct Record {
    /// The place after which it is.
    at: Option<Place>,
    /// The last ID.
    last_id: String,
    /// The event that has to come next, once a stream was open.
    next: Option<Place>,
    /// The outcome that has to be told before.
    unannounced: Option<Outcome>,
    /// The latest possible first event: where a loss is not announced, the first event is the oldest one
    /// at the first read.
    may_begin_at: Option<Place>,
}

impl Record {
    pub(crate) fn last_id(&self) -> &str {
        &self.last_id
    }

    /// Returns whether everything up to this place was received.
    pub(crate) fn is_past(&self, end: Place) -> bool {
        let next = Place {
            sequence: end.sequence + 1,
            ..end
        };
        self.next == Some(next) && self.unannounced.is_none()
    }

    /// Handles the opening of a stream.
    pub(crate) fn opened(&mut self, promise: Promise, announce: Announce) {
        let Promise { outcome, next } = promise;
        match (outcome, self.at) {
            (Outcome::Fresh, None) => assert_eq!(self.last_id, ""),
            (Outcome::Resumed { .. }, Some(at)) => {
                assert_eq!(next, after(at, 0), "resumed at the wrong place");
            }
            (Outcome::Gap { lost, .. }, Some(at)) => {
                assert!(lost > 0, "a gap without a loss");
                assert_eq!(next, after(at, lost), "a gap of another size than was told");
            }
            (Outcome::Unknown { .. }, Some(at)) => {
                assert!(next >= after(at, 0), "sent back behind what was seen");
            }
            (outcome, at) => panic!("{outcome:?} for a client behind {at:?}"),
        }
        let is_announced = match announce {
            Announce::Nothing => false,
            Announce::Losses => outcome.is_loss(),
            _ => true,
        };
        self.unannounced = is_announced.then_some(outcome);
        self.may_begin_at = match outcome {
            Outcome::Gap { replayed, .. } | Outcome::Unknown { replayed } if !is_announced => {
                let sequence = next.sequence + replayed;
                Some(Place { sequence, ..next })
            }
            _ => None,
        };
        self.next = Some(next);
    }

    /// Handles a received event.
    pub(crate) fn received(&mut self, event: &MessageEvent, largest_event: usize) {
        let mut next = self.next.expect("a stream is open");
        let may_begin_at = self.may_begin_at.take();
        if event.event_type() == "resume" {
            return self.noticed(event, next, largest_event);
        }
        if let Some(latest) = may_begin_at {
            let first = named(event.last_event_id(), next.epoch);
            assert!((next..=latest).contains(&first), "begins at {first:?}");
            next = first;
        }
        assert_eq!(self.unannounced, None, "the outcome has to come first");
        let payload = Payload::at(next, largest_event);
        assert_eq!(
            (event.data(), event.event_type(), event.last_event_id()),
            (
                payload.data_received().as_str(),
                payload.event_type,
                payload.id(next).as_str()
            ),
            "something else than the event {next:?}"
        );
        self.move_to(after(next, 0), event.last_event_id());
    }

    fn noticed(&mut self, event: &MessageEvent, next: Place, largest_event: usize) {
        let told: serde_json::Value = serde_json::from_str(event.data()).expect("JSON");
        let lost = || told["lost"].as_u64().expect("a number");
        let more = match self.unannounced.take() {
            // The oldest event at the first read comes first, which may be a later one by then.
            Some(Outcome::Gap { lost: before, .. }) => {
                assert_eq!(told["outcome"], "gap");
                lost().checked_sub(before).expect("no smaller gap")
            }
            Some(Outcome::Unknown { .. }) => {
                assert_eq!(told["outcome"], "unknown");
                let at = named(event.last_event_id(), next.epoch);
                (at.sequence + 1)
                    .checked_sub(next.sequence)
                    .expect("no earlier event")
            }
            Some(outcome) => {
                assert_eq!(event.data(), outcome.to_json());
                0
            }
            // The client was skipped ahead: this many are lost.
            None => {
                assert_eq!(told["outcome"], "gap");
                assert!(lost() > 0, "a gap without a loss");
                lost()
            }
        };
        let next = Place {
            sequence: next.sequence + more,
            ..next
        };
        self.move_to(next, event.last_event_id());
        let at = self.at.expect("it moved");
        // This is the ID of the event there, where it is still known.
        let ids = [at.id(), Payload::at(at, largest_event).id(at)];
        assert!(
            ids.iter().any(|id| id == event.last_event_id()),
            "a notice's ID"
        );
    }

    fn move_to(&mut self, next: Place, id: &str) {
        self.at = Some(Place {
            sequence: next.sequence - 1,
            ..next
        });
        self.next = Some(next);
        id.clone_into(&mut self.last_id);
    }
}

/// Returns the place that an ID names, in this epoch.
fn named(id: &str, epoch: u64) -> Place {
    let digits = id.rsplit(['-', '/']).next().unwrap_or_default();
    let sequence = digits.parse().expect("a number");
    let place = Place { epoch, sequence };
    let ids = [place.id(), format!("own/{epoch}/{sequence}")];
    assert!(ids.iter().any(|known| known == id), "{id} names no place");
    place
}

/// Returns the place of the next event, after this many lost ones.
fn after(place: Place, lost: u64) -> Place {
    Place {
        sequence: place.sequence + 1 + lost,
        ..place
    }
}

/// The expected answers of the topic, from a list of all published events.
#[derive(Debug)]
pub(crate) struct Publisher {
    pub(crate) end: Place,
}

impl Publisher {
    /// Checks the outcome for a client that asks for the events after `id`, when the topic holds this
    /// many.
    pub(crate) fn check(&self, id: Option<&str>, held: u64, outcome: Outcome) {
        let Place {
            epoch,
            sequence: all,
        } = self.end;
        let known = |sequence: u64| (sequence <= all).then_some(sequence);
        let own = id.and_then(|id| id.strip_prefix(&format!("own/{epoch}/")));
        let seen = match (id, own) {
            (None, _) => return assert_eq!(outcome, Outcome::Fresh),
            (Some(id), None) => {
                let start = Place { epoch, sequence: 0 }.id();
                let digits = id.strip_prefix(start.trim_end_matches('0'));
                digits.map(|digits| digits.parse().expect("a number"))
            }
            (_, Some(digits)) => Some(digits.parse().expect("a number")),
        };
        let dropped = all - held;
        let unknown = Outcome::Unknown { replayed: held };
        let Some(seen) = seen.and_then(known) else {
            return assert_eq!(outcome, unknown, "{id:?} is from elsewhere");
        };
        let expected = match dropped.saturating_sub(seen) {
            0 => Outcome::Resumed {
                replayed: all - seen,
            },
            lost => Outcome::Gap {
                lost,
                replayed: held,
            },
        };
        // An ID of the publisher's own is forgotten at some time after its event is dropped.
        let may_be_forgotten = own.is_some() && seen <= dropped;
        assert!(
            outcome == expected || may_be_forgotten && outcome == unknown,
            "{outcome:?} instead of {expected:?} for {id:?} with {held} of {all} held"
        );
    }
}

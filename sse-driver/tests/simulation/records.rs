//! The promises to a client, for each kind of stream: the promised events arrive, in order and
//! once, and a loss is announced.

use std::collections::BTreeMap;

use sse_core::{MessageEvent, topic::Announce};

use crate::{
    jobs, laws,
    payload::{Payload, Place},
    registry::{Asked, Kind},
    served::{complete_topics, describe, item, selects},
    topics::{FORGETFUL, Topics},
};

/// Everything that one client has received, through all its connections.
#[derive(Debug)]
pub enum Record {
    Forgetful(laws::Record),
    Complete(Complete),
    Feed {
        /// The request that is being answered, and the number of received items of it.
        at: Option<(usize, usize)>,
    },
    Job(jobs::Record),
    Upload {
        expected: String,
        is_told: bool,
    },
    /// The stream has no events.
    Nothing,
}

impl Record {
    /// Creates the record of a client that uploads `body`, if it does.
    pub fn new(kind: Kind, body: &[u8], largest_event: usize) -> Self {
        match kind {
            Kind::Forgetful | Kind::Slow => Self::Forgetful(laws::Record::default()),
            Kind::Selected | Kind::Mapped | Kind::Merged | Kind::MergedSelected => {
                Self::Complete(Complete {
                    kind,
                    largest_event,
                    next: BTreeMap::new(),
                })
            }
            Kind::Feed => Self::Feed { at: None },
            Kind::Job => Self::Job(jobs::Record::default()),
            Kind::Upload => Self::Upload {
                expected: describe(body),
                is_told: false,
            },
            Kind::Page | Kind::Gone | Kind::Elsewhere => Self::Nothing,
        }
    }

    /// Notes an open stream, which answers this request. `last_id` is the client's last event ID.
    pub fn opened(&mut self, id: usize, asked: &Asked, last_id: &str, announce: Announce) {
        let asked_after = asked.last_event_id.as_deref().unwrap_or_default();
        assert_eq!(asked_after, last_id, "the last event ID of {asked:?}");
        match self {
            Self::Forgetful(record) => {
                let promise = asked.promise.expect("a promise");
                record.opened(promise, announce);
            }
            Self::Complete(record) => record.opened(asked, last_id),
            Self::Feed { at } => *at = Some((id, 0)),
            Self::Job(record) => record.opened(asked.run.expect("a producer"), last_id),
            Self::Upload { is_told, .. } => *is_told = false,
            Self::Nothing => panic!("a stream of {asked:?}"),
        }
    }

    pub fn received(&mut self, event: &MessageEvent, topics: &Topics) {
        match self {
            Self::Forgetful(record) => record.received(event, topics.largest_event),
            Self::Complete(record) => record.received(event, topics),
            Self::Feed { at } => {
                let (id, number) = at.as_mut().expect("an open stream");
                assert_eq!(event.data(), item(*id, *number), "item {number} of {id}");
                *number += 1;
            }
            Self::Job(record) => record.received(event, &topics.jobs),
            Self::Upload { expected, is_told } => {
                assert_eq!(event.data(), expected);
                assert!(!std::mem::replace(is_told, true), "told twice");
            }
            Self::Nothing => panic!("{event:?} of no stream"),
        }
    }

    /// Returns the number of received items of the handler's stream, if that is known.
    pub fn items(&self) -> Option<usize> {
        match self {
            Self::Feed { at } => at.map(|(_, number)| number),
            Self::Upload { is_told, .. } => Some(usize::from(*is_told)),
            _ => None,
        }
    }

    /// Returns whether everything was received. `given` is the number of items that the handler's
    /// stream has given.
    pub fn has_everything(&self, topics: &Topics, given: usize) -> bool {
        match self {
            Self::Forgetful(record) => record.is_past(topics.end(FORGETFUL)),
            Self::Complete(record) => record.has_everything(topics),
            Self::Feed { at } => at.is_some_and(|(_, number)| number == given),
            Self::Job(record) => record.has_everything(&topics.jobs),
            Self::Upload { .. } | Self::Nothing => true,
        }
    }

    /// Returns whether there is nothing more for the client, and the client knows.
    pub fn is_over(&self) -> bool {
        matches!(self, Self::Job(record) if record.is_over())
    }
}

/// The record of streams of topics that forget nothing.
#[derive(Debug)]
pub struct Complete {
    kind: Kind,
    largest_event: usize,
    /// The place after the last received event, or where the stream began.
    next: BTreeMap<usize, Place>,
}

impl Complete {
    fn opened(&mut self, asked: &Asked, last_id: &str) {
        assert_eq!(asked.starts.len(), complete_topics(self.kind).len());
        for (which, start, resumes) in &asked.starts {
            assert_eq!(*resumes, !last_id.is_empty(), "{asked:?} after {last_id}");
            match self.next.get(which) {
                // The client may get a place after events that it does not get.
                Some(next) if *resumes => {
                    assert!(
                        next <= start,
                        "sent back: {asked:?} to a client at {next:?}"
                    );
                    let mut passed = between(*next, *start);
                    let missed = passed.find(|place| self.is_selected(*place));
                    assert_eq!(missed, None, "passed over");
                }
                _ => {
                    self.next.insert(*which, *start);
                }
            }
        }
    }

    fn is_selected(&self, place: Place) -> bool {
        selects(self.kind, Payload::at(place, self.largest_event).event_type)
    }

    fn received(&mut self, event: &MessageEvent, topics: &Topics) {
        let place = place_of(event.data()).expect("an event that was published");
        let which = topics.of_epoch(place.epoch).expect("a topic");
        let next = *self.next.get(&which).expect("an open stream of this topic");
        assert!(next <= place, "again: {place:?} after {next:?}");
        let missed = between(next, place).find(|place| self.is_selected(*place));
        assert_eq!(missed, None, "missing before {place:?}");
        assert!(self.is_selected(place), "{place:?} is not asked for");
        let payload = Payload::at(place, self.largest_event);
        assert_eq!(
            (event.data(), event.event_type()),
            (payload.data_received().as_str(), payload.event_type),
        );
        let sequence = place.sequence + 1;
        self.next.insert(which, Place { sequence, ..place });
    }

    fn has_everything(&self, topics: &Topics) -> bool {
        complete_topics(self.kind).iter().all(|which| {
            let end = topics.end(*which);
            let behind = Place {
                sequence: end.sequence + 1,
                ..end
            };
            let next = self.next.get(which).copied();
            next.is_some_and(|next| !between(next, behind).any(|place| self.is_selected(place)))
        })
    }
}

fn between(first: Place, behind: Place) -> impl Iterator<Item = Place> {
    (first.sequence..behind.sequence).map(move |sequence| Place { sequence, ..first })
}

/// Returns the place with which an event's data begins.
fn place_of(data: &str) -> Option<Place> {
    let (epoch, rest) = data.split_once(' ')?;
    let digits = rest.find(|c: char| !c.is_ascii_digit());
    let sequence = &rest[..digits.unwrap_or(rest.len())];
    Some(Place {
        epoch: epoch.parse().ok()?,
        sequence: sequence.parse().ok()?,
    })
}

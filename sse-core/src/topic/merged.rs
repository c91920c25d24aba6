//! Several topics in one stream.

use std::{
    error::Error,
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use futures_core::Stream;

use super::{
    Batch, EncodedEvents, Notice, Outcome, SlowConsumer, Subscriber, TooManyTopics, Topic,
    position::{Position, SEPARATOR},
    wire,
};
use crate::{EventError, EventId, IntoEvent, Text};

/// Someone who gets what several topics publish, in one stream that can be resumed.
///
/// A client has one last event ID, so that the ID of each event tells the place in every topic:
/// `2n9c-17,2n9d-4`, say. It stands in place of any ID that the publisher gave. Each topic's events
/// are in their order; there is none between events of different topics.
///
/// Each topic has an [outcome](Self::outcomes) of its own, and a [`Notice`] of its own, which names
/// the topic. A topic that the last event ID says nothing of is [unknown](Outcome::Unknown) to it:
/// one that this client's stream did not have, or that began anew. An ID of the publisher's choice,
/// from a stream of one topic, is looked up in each of them.
///
/// A stream of one topic shares the events' memory with all others. This one copies them, to put
/// its IDs on them.
///
/// ```
/// use std::time::Instant;
/// use sse_core::router::{Refusal, Request, Router};
/// use sse_core::topic::{MergedSubscriber, TopicMap, TopicMapConfig};
///
/// let rooms = TopicMap::new(TopicMapConfig::default(), 0, Instant::now);
///
/// // /rooms?in=kitchen,hall
/// let router = Router::new().events("/rooms", move |request: Request| {
///     let names = request.query_param("in").unwrap_or_default();
///     // Without any there is nothing to subscribe to, which is answered 400.
///     let names = names.split(',').filter(|name| !name.is_empty());
///     Ok::<MergedSubscriber, Refusal>(rooms.resume_all(names, &request)?)
/// });
/// ```
#[derive(Debug)]
pub struct MergedSubscriber {
    parts: Vec<Part>,
    /// The part that is looked at first, so that none waits behind a busy one for long.
    turn: usize,
    beginning: Option<EncodedEvents>,
}

#[derive(Debug)]
struct Part {
    topic: Text,
    subscriber: Subscriber,
    ended: bool,
}

/// How many events are taken at a time, since they are copied then.
const MOST_AT_A_TIME: u64 = 256;

impl MergedSubscriber {
    /// A subscriber to these topics, each under the name by which the client is to know it, that
    /// has seen the event with this ID last. A topic that is there twice counts once.
    ///
    /// ```
    /// use std::{task::Poll, time::Instant};
    /// use sse_core::topic::{MergedSubscriber, Topic, TopicConfig};
    ///
    /// let (tea, coffee) = (
    ///     Topic::new(TopicConfig::default(), 1, Instant::now),
    ///     Topic::new(TopicConfig::default(), 2, Instant::now),
    /// );
    /// let topics = [("tea", &tea), ("coffee", &coffee)];
    /// let mut subscriber = MergedSubscriber::resume_from(topics, None)?;
    /// coffee.publish("espresso")?;
    ///
    /// let Poll::Ready(Some(Ok(batch))) = subscriber.try_next() else { panic!() };
    /// assert_eq!(batch.as_bytes(), b"id: 1-0,2-1\ndata: espresso\n\n");
    ///
    /// // Here the client loses its connection.
    /// tea.publish("green")?;
    /// let mut subscriber = MergedSubscriber::resume_from(topics, Some("1-0,2-1"))?;
    /// let Poll::Ready(Some(Ok(batch))) = subscriber.try_next() else { panic!() };
    /// assert_eq!(batch.as_bytes(), b"id: 1-1,2-1\ndata: green\n\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`MergeError`]: there is no topic, or more than one of them allows
    /// ([`max_merged_topics`](super::TopicConfig::max_merged_topics)), or two have the same epoch.
    pub fn resume_from<'a, N: Into<Text>>(
        topics: impl IntoIterator<Item = (N, &'a Topic)>,
        last_event_id: Option<&str>,
    ) -> Result<Self, MergeError> {
        let mut parts: Vec<(Text, &Topic)> = Vec::new();
        let mut most = usize::MAX;
        for (name, topic) in topics {
            if parts.iter().any(|(_, known)| known.is(topic)) {
                continue;
            }
            most = most.min(topic.config().max_merged_topics);
            if parts.len() >= most {
                return Err(MergeError::TooMany { max: most });
            }
            let name = name.into();
            if let Some((other, _)) = parts
                .iter()
                .find(|(_, other)| other.epoch() == topic.epoch())
            {
                let topics = [other.clone(), name];
                return Err(MergeError::SameEpoch { topics });
            }
            parts.push((name, topic));
        }
        if parts.is_empty() {
            return Err(MergeError::NoTopic);
        }
        let parts = parts.into_iter().map(|(topic, handle)| Part {
            topic,
            subscriber: handle.resume_from(last_event_id),
            ended: false,
        });
        Ok(Self {
            parts: parts.collect(),
            turn: 0,
            beginning: None,
        })
    }

    /// How this subscription joins the history of each topic.
    pub fn outcomes(&self) -> impl Iterator<Item = (&str, Outcome)> {
        self.parts
            .iter()
            .map(|part| (part.topic.as_str(), part.subscriber.outcome()))
    }

    /// The outcomes, where a topic's settings have them told in a field of the response.
    pub(crate) fn outcomes_for_header(&self) -> impl Iterator<Item = (&str, Outcome)> {
        self.parts
            .iter()
            .filter_map(|part| Some((part.topic.as_str(), part.subscriber.outcome_for_header()?)))
    }

    /// Has the stream begin with these events: see [`Subscriber::begin_with`].
    ///
    /// # Errors
    ///
    /// [`EventError`] where one of these is no event.
    pub fn begin_with<E: IntoEvent>(
        mut self,
        events: impl IntoIterator<Item = E>,
    ) -> Result<Self, EventError> {
        // Whoever has the state of things has lost nothing before it.
        let positions = self.parts.iter().map(|part| part.subscriber.position());
        let beginning = EncodedEvents::beginning(events, place_of(positions))?;
        self.beginning = (beginning.count > 0).then_some(beginning);
        Ok(self)
    }

    /// Leaves the events out whose type is none of those wanted: see
    /// [`Subscriber::only_event_types`].
    #[must_use]
    pub fn only_event_types(
        mut self,
        wanted: impl Fn(&str) -> bool + Send + Sync + 'static,
    ) -> Self {
        let wanted: Arc<dyn Fn(&str) -> bool + Send + Sync> = Arc::new(wanted);
        let parts = self.parts.into_iter().map(|part| Part {
            subscriber: part.subscriber.select(wanted.clone()),
            ..part
        });
        self.parts = parts.collect();
        self
    }

    /// What is next, if it is there already: see [`Subscriber::try_next`].
    pub fn try_next(&mut self) -> Poll<Option<Result<Batch, SlowConsumer>>> {
        self.poll_next(&mut Context::from_waker(Waker::noop()))
    }

    /// What is next. `None` once all topics are closed and everything of them was taken.
    ///
    /// # Errors
    ///
    /// [`SlowConsumer`] where one topic [cuts](super::WhenTooSlow::Cut) this subscriber. It is the
    /// last item: the client comes back, and resumes in all of them.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Batch, SlowConsumer>>> {
        if let Some(beginning) = self.beginning.take() {
            return Poll::Ready(Some(Ok(Batch::Events(beginning))));
        }
        let count = self.parts.len();
        let mut all_ended = true;
        for index in (self.turn..count).chain(0..self.turn) {
            let Some(part) = self.parts.get_mut(index).filter(|part| !part.ended) else {
                continue;
            };
            let batch = match part.subscriber.poll_next_of(MOST_AT_A_TIME, cx) {
                Poll::Pending => {
                    all_ended = false;
                    continue;
                }
                Poll::Ready(None) => {
                    part.ended = true;
                    continue;
                }
                Poll::Ready(Some(Err(error))) => {
                    self.parts.iter_mut().for_each(|part| part.ended = true);
                    return Poll::Ready(Some(Err(error)));
                }
                Poll::Ready(Some(Ok(batch))) => batch,
            };
            self.turn = (index + 1) % count;
            return Poll::Ready(Some(Ok(self.renamed(index, batch))));
        }
        match all_ended {
            true => Poll::Ready(None),
            false => Poll::Pending,
        }
    }

    /// What the part of this index yielded, with IDs that tell the place in all topics.
    fn renamed(&self, index: usize, batch: Batch) -> Batch {
        let Some(part) = self.parts.get(index) else {
            return batch;
        };
        match batch {
            Batch::Events(events) => Batch::Events(self.with_places(index, &events)),
            Batch::Notice(notice) => {
                let outcome = notice.outcome();
                let data = outcome.to_json_of(&part.topic);
                let event_type = &part.subscriber.config().notice_event_type;
                Batch::Notice(Notice::new(outcome, data, event_type, self.place()))
            }
            Batch::Place(_) => Batch::Place(EncodedEvents::place(self.place().as_str())),
        }
    }

    fn with_places(&self, index: usize, events: &EncodedEvents) -> EncodedEvents {
        // All but one of the positions are the same for each of these events.
        let mut place = Place::default();
        let mut at = 0..0;
        let mut last = None;
        for (number, part) in self.parts.iter().enumerate() {
            let Some(position) = part.subscriber.place_to_resume_from() else {
                continue;
            };
            let range = place.add(position);
            if number == index {
                (at, last) = (range, Some(position));
            }
        }
        let Place(place) = place;
        let (before, after) = (
            place.get(..at.start).unwrap_or_default(),
            place.get(at.end..).unwrap_or_default(),
        );
        let Some(last) = last else {
            return events.clone();
        };
        let before_all = last.sequence - events.count as u64;

        let room = events.bytes.len() + events.count * (place.len() + "id: \n".len());
        let (mut bytes, mut id) = (Vec::with_capacity(room), String::new());
        for (sequence, event) in (before_all + 1..).zip(wire::events(&events.bytes)) {
            let position = Position { sequence, ..last };
            id.clear();
            id.extend([before, position.text().as_str(), after]);
            wire::put_with_id(&mut bytes, event, id.as_bytes());
        }
        EncodedEvents {
            bytes: bytes.into(),
            count: events.count,
        }
    }

    /// The place in all topics up to which everything was yielded. Losses that were not told yet
    /// are still to come: whoever resumes from here learns of them.
    fn place(&self) -> EventId {
        let parts = self.parts.iter();
        place_of(parts.filter_map(|part| part.subscriber.place_to_resume_from()))
    }
}

fn place_of(positions: impl Iterator<Item = Position>) -> EventId {
    let mut place = Place::default();
    for position in positions {
        place.add(position);
    }
    // Digits, dashes and commas are a valid ID.
    EventId::new(place.0).unwrap_or_default()
}

/// The text of several positions.
#[derive(Default)]
struct Place(String);

impl Place {
    /// Says where in the text it is.
    fn add(&mut self, position: Position) -> std::ops::Range<usize> {
        if !self.0.is_empty() {
            self.0.push(SEPARATOR);
        }
        let start = self.0.len();
        self.0.push_str(position.text().as_str());
        start..self.0.len()
    }
}

impl Stream for MergedSubscriber {
    type Item = Result<Batch, SlowConsumer>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        MergedSubscriber::poll_next(&mut self, cx)
    }
}

/// Why some topics make no stream.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MergeError {
    /// There is none.
    NoTopic,
    /// These are more than one of them allows.
    TooMany {
        /// How many that one allows.
        max: usize,
    },
    /// Two have the same epoch, so that an ID does not tell of which it is.
    SameEpoch {
        /// Their names.
        topics: [Text; 2],
    },
    /// One is not there, and the map has no room for it.
    Map(TooManyTopics),
}

impl fmt::Display for MergeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTopic => f.write_str("no topic is named; name at least one"),
            Self::TooMany { max } => write!(
                f,
                "these are more topics than may be in one stream, {max}; \
                 name fewer, or raise `max_merged_topics`"
            ),
            Self::SameEpoch {
                topics: [one, other],
            } => write!(
                f,
                "the topics {one:?} and {other:?} have the same epoch; \
                 give each topic one of its own"
            ),
            Self::Map(error) => error.fmt(f),
        }
    }
}

impl Error for MergeError {}

impl From<TooManyTopics> for MergeError {
    fn from(error: TooManyTopics) -> Self {
        Self::Map(error)
    }
}

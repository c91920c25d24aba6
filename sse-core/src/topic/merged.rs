//! Several topics in one stream.

use std::{
    cmp::Ordering,
    error::Error,
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use futures_core::Stream;

use super::{
    Batch, EncodedEvents, Notice, Outcome, SlowConsumer, Subscriber, TooManyTopics, Topic,
    merged_id::{self, MOST_WITH_OWN_IDS},
    position::Position,
    wire,
};
use crate::{EventError, EventId, IntoEvent, Text};

/// A subscription to several topics: it yields their events in one stream, which a client can resume.
///
/// A client has only one last event ID, so the ID of each event has the place in every topic, such as
/// `2n9c-17,2n9d-4`. The events of each topic are in order; those of different topics have none.
///
/// If the event at a place has an ID of the publisher's choice, the place has it, too, with the topic's
/// name: `2n9c-17:kitchen:order9,2n9d-4`. After a restart of the server, a new topic finds the client's
/// place by that ID, if it has the same name and the same events are published to it again. If clients
/// should resume after a restart, give every event an ID of your own. An ID that would be longer than 4
/// KiB has the positions only.
///
/// Each topic has an [outcome](Self::outcomes) of its own, and a [`Notice`] of its own, which names the
/// topic. A topic that the last event ID does not name is [unknown](Outcome::Unknown): one that this
/// client's stream did not have, or that was created anew without the event. An ID of the publisher's
/// choice, from a stream of one topic, is looked up in each topic.
///
/// A stream of one topic shares the memory of the events with all others. This one copies them, to put
/// its IDs on them.
///
/// ```
/// use std::time::Instant;
/// use sse_core::topic::{MergeError, MergedSubscriber, TopicMap, TopicMapConfig};
///
/// let rooms = TopicMap::new(TopicMapConfig::default(), 0, Instant::now);
///
/// // /rooms?kitchen,hall
/// let handler = |request: http::Request<()>| -> Result<MergedSubscriber, MergeError> {
///     let names = request.uri().query().unwrap_or_default();
///     // Without topics there is nothing to subscribe to, which is an error.
///     rooms.resume_all(names.split(',').filter(|name| !name.is_empty()), &request)
/// };
/// # handler(http::Request::get("/rooms?kitchen,hall").body(()).unwrap()).unwrap();
/// ```
#[derive(Debug)]
pub struct MergedSubscriber {
    parts: Vec<Part>,
    /// The part that is read first, so that no part waits long behind a busy one.
    turn: usize,
    beginning: Option<EncodedEvents>,
}

#[derive(Debug)]
struct Part {
    topic: Text,
    /// The topic's name, as an ID has it.
    escaped_name: Box<str>,
    subscriber: Subscriber,
    /// The subscriber's place, as far as it was read, and the ID of the event there, as an ID has it, if
    /// the publisher chose one.
    place: (Position, Option<Box<str>>),
    ended: bool,
}

/// The number of events that are taken, and copied, at a time.
const MOST_AT_A_TIME: u64 = 256;

impl MergedSubscriber {
    /// Creates a subscriber to these topics, each with a name that identifies it to the client, for the
    /// client whose last event has this ID. A topic that is there twice counts once.
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
    /// // The client loses its connection here.
    /// tea.publish("green")?;
    /// let mut subscriber = MergedSubscriber::resume_from(topics, Some("1-0,2-1"))?;
    /// let Poll::Ready(Some(Ok(batch))) = subscriber.try_next() else { panic!() };
    /// assert_eq!(batch.as_bytes(), b"id: 1-1,2-1\ndata: green\n\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`MergeError`]: there is no topic, or there are more than one of them allows
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
        let parts = parts
            .into_iter()
            .map(|(name, handle)| Part::new(name, handle, last_event_id));
        Ok(Self {
            parts: parts.collect(),
            turn: 0,
            beginning: None,
        })
    }

    /// Returns the name of each topic, with how this subscription joins its history.
    pub fn outcomes(&self) -> impl Iterator<Item = (&str, Outcome)> {
        self.parts
            .iter()
            .map(|part| (part.topic.as_str(), part.subscriber.outcome()))
    }

    /// Returns the outcomes of those topics whose
    /// [`announce_in_header`](super::TopicConfig::announce_in_header) is set, for a field of the
    /// response.
    pub fn outcomes_for_header(&self) -> impl Iterator<Item = (&str, Outcome)> {
        self.parts
            .iter()
            .filter_map(|part| Some((part.topic.as_str(), part.subscriber.outcome_for_header()?)))
    }

    /// Begins the stream with these events: see [`Subscriber::begin_with`].
    ///
    /// # Errors
    ///
    /// [`EventError`] where one of these cannot become an event.
    pub fn begin_with<E: IntoEvent>(
        mut self,
        events: impl IntoIterator<Item = E>,
    ) -> Result<Self, EventError> {
        // A client that has the current state has lost none of the events before it.
        let positions = self.parts.iter().map(|part| part.subscriber.position());
        let place = place_of(self.parts.iter().zip(positions));
        self.beginning = EncodedEvents::beginning(events, place)?;
        Ok(self)
    }

    /// Leaves out the events of other types, of all topics: see [`Subscriber::only_event_types`].
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

    /// Returns the next item, if it is there already: see [`Subscriber::try_next`].
    pub fn try_next(&mut self) -> Poll<Option<Result<Batch, SlowConsumer>>> {
        self.poll_next(&mut Context::from_waker(Waker::noop()))
    }

    /// Returns the next item. Returns `None` once all topics are closed and everything of them was taken.
    ///
    /// # Errors
    ///
    /// [`SlowConsumer`] where one topic [cuts](super::WhenTooSlow::Cut) this subscriber. It is the last
    /// item: the client reconnects, and resumes in all topics.
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
                    // It may have skipped events that were not wanted.
                    part.look_at_place();
                    all_ended = false;
                    continue;
                }
                Poll::Ready(None) => {
                    part.look_at_place();
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

    /// Returns the item that the part of this index yielded, with IDs that have the place in all topics.
    fn renamed(&mut self, index: usize, batch: Batch) -> Batch {
        if let Batch::Events(events) = &batch {
            return Batch::Events(self.with_places(index, events));
        }
        let Some(part) = self.parts.get_mut(index) else {
            return batch;
        };
        part.look_at_place();
        let place = self.place();
        match (batch, self.parts.get(index)) {
            (Batch::Notice(notice), Some(part)) => {
                let outcome = notice.outcome();
                let data = outcome.to_json_of(&part.topic);
                let event_type = &part.subscriber.config().notice_event_type;
                Batch::Notice(Notice::new(outcome, data, event_type, place))
            }
            _ => Batch::Place(EncodedEvents::place(place.as_str())),
        }
    }

    fn with_places(&mut self, index: usize, events: &EncodedEvents) -> EncodedEvents {
        let Some(part) = self.parts.get(index) else {
            return events.clone();
        };
        let last = part.subscriber.position();
        // The other parts are the same for each of these events.
        let others = self.others(index, true);
        let mut short_others = None;

        let room = others.0.len() + others.1.len() + "id: 2n9c-1000\n".len();
        let mut bytes = Vec::with_capacity(events.shared.len() + events.count * room);
        let (mut id, mut own_id) = (String::new(), None);
        let before_all = last.sequence.saturating_sub(events.count as u64);
        for (sequence, event) in (before_all + 1..).zip(wire::events(events.as_bytes())) {
            let position = Position { sequence, ..last };
            own_id = wire::id(event)
                .filter(|id| !id.is_empty() && *id != position.text().as_str())
                .map(merged_id::escaped);
            let named = own_id.as_ref().map(|id| (&*part.escaped_name, &**id));
            put_between(&mut id, &others, position, named);
            if id.len() > MOST_WITH_OWN_IDS {
                let others = short_others.get_or_insert_with(|| self.others(index, false));
                put_between(&mut id, others, position, None);
            }
            wire::put_with_id(&mut bytes, event, id.as_bytes());
        }
        let place = (last, own_id.map(Into::into));
        if let Some(part) = self.parts.get_mut(index) {
            part.place = place;
        }
        EncodedEvents::new(bytes, events.count)
    }

    /// Returns the parts of an ID before and after that of this index.
    fn others(&self, index: usize, with_own_ids: bool) -> (String, String) {
        let (mut before, mut behind) = (String::new(), String::new());
        for (number, part) in self.parts.iter().enumerate() {
            let Some(position) = part.subscriber.place_to_resume_from() else {
                continue;
            };
            let own_id = part.own_id_at(position).filter(|_| with_own_ids);
            match number.cmp(&index) {
                Ordering::Less => {
                    merged_id::put_part(&mut before, position, own_id);
                    merged_id::put_separator(&mut before);
                }
                Ordering::Equal => {}
                Ordering::Greater => {
                    merged_id::put_separator(&mut behind);
                    merged_id::put_part(&mut behind, position, own_id);
                }
            }
        }
        (before, behind)
    }

    /// Returns the place in all topics up to which everything was yielded. Losses that were not told yet
    /// come after it: a client that resumes from here is told of them.
    fn place(&self) -> EventId {
        place_of(
            self.parts
                .iter()
                .filter_map(|part| Some((part, part.subscriber.place_to_resume_from()?))),
        )
    }
}

impl Part {
    fn new(topic: Text, handle: &Topic, last_event_id: Option<&str>) -> Self {
        let subscriber = handle.resume_named(last_event_id, Some(&topic));
        let own_id = subscriber.own_id();
        Self {
            escaped_name: merged_id::escaped(&topic).into(),
            topic,
            place: (
                subscriber.position(),
                own_id.map(|id| merged_id::escaped(&id).into()),
            ),
            subscriber,
            ended: false,
        }
    }

    /// Reads the ID of the event at the subscriber's place.
    fn look_at_place(&mut self) {
        let position = self.subscriber.position();
        if self.place.0 != position {
            let own_id = self.subscriber.own_id();
            self.place = (position, own_id.map(|id| merged_id::escaped(&id).into()));
        }
    }

    /// Returns the topic's name and the ID at this place, both escaped, if the publisher chose one.
    fn own_id_at(&self, position: Position) -> Option<(&str, &str)> {
        let (place, own_id) = &self.place;
        let own_id = own_id.as_deref().filter(|_| *place == position);
        own_id.map(|own_id| (&*self.escaped_name, own_id))
    }
}

/// Assembles the ID that has this place between those in the other topics.
fn put_between(
    id: &mut String,
    (before, behind): &(String, String),
    position: Position,
    own_id: Option<(&str, &str)>,
) {
    id.clear();
    id.push_str(before);
    merged_id::put_part(id, position, own_id);
    id.push_str(behind);
}

fn place_of<'a>(places: impl Iterator<Item = (&'a Part, Position)> + Clone) -> EventId {
    let text = |with_own_ids: bool| {
        let mut id = String::new();
        for (part, position) in places.clone() {
            if !id.is_empty() {
                merged_id::put_separator(&mut id);
            }
            let own_id = part.own_id_at(position).filter(|_| with_own_ids);
            merged_id::put_part(&mut id, position, own_id);
        }
        id
    };
    let mut id = text(true);
    if id.len() > MOST_WITH_OWN_IDS {
        id = text(false);
    }
    // All its parts are valid in an ID.
    EventId::new(id).unwrap_or_default()
}

impl Stream for MergedSubscriber {
    type Item = Result<Batch, SlowConsumer>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        MergedSubscriber::poll_next(&mut self, cx)
    }
}

/// The error of topics that cannot be merged into one stream. A handler's `?` makes a refusal of it: a
/// 400 for the first two, which the client can mend, and otherwise a 503.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MergeError {
    /// There is no topic.
    NoTopic,
    /// There are more topics than [`max_merged_topics`](super::TopicConfig::max_merged_topics) of one of
    /// them allows.
    TooMany {
        /// The number that it allows.
        max: usize,
    },
    /// Two topics have the same epoch, so that an ID does not tell to which of them it belongs. The
    /// topics of a [`TopicMap`](super::TopicMap) never do; give others an epoch of their own, by
    /// [`Topic::new`](super::Topic::new).
    SameEpoch {
        /// The names of the two.
        topics: [Text; 2],
    },
    /// A topic does not exist, and the map has no room for it.
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

impl Error for MergeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Map(error) => Some(error),
            Self::NoTopic | Self::TooMany { .. } | Self::SameEpoch { .. } => None,
        }
    }
}

impl From<TooManyTopics> for MergeError {
    fn from(error: TooManyTopics) -> Self {
        Self::Map(error)
    }
}

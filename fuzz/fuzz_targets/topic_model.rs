//! The model of a topic: a list of all published events, and of the position of each reader.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::{Duration, Instant},
};

use arbitrary::Arbitrary;
use sse_core::{
    Event,
    topic::{Announce, Batch, Outcome, PublishError, Subscriber, Topic, TopicConfig, WhenTooSlow},
};

/// "abc" in base 36.
const EPOCH: u64 = 13_368;

/// More than the model's guess of what an event takes beside its bytes.
const OVERHEAD: usize = 1024;

/// An ID: of an event, or of none.
#[derive(Arbitrary, Debug)]
pub enum Named {
    Nothing,
    /// Of a published event.
    Event(u16),
    /// In the topic's own form, or nearly.
    Sequence(u64),
    OtherEpoch(u16),
    Own(u8),
    Any([u8; 6]),
    /// The topic's own form, with these bytes in the place of the number.
    NoNumber([u8; 3]),
}

struct Published {
    encoded: Vec<u8>,
    at: Duration,
    own_id: Option<String>,
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

struct Reader {
    subscriber: Subscriber,
    /// The number of published events before its position.
    past: usize,
    /// The outcome that it has to report first.
    unannounced: Option<Outcome>,
    /// At its first read it begins with the oldest event, unless more events than these have been dropped
    /// by then.
    may_pass: usize,
    /// Its next events were taken together with a notice.
    is_behind_notice: bool,
    cut: bool,
    woken: Arc<Count>,
    /// Whether it waits, and how often it should have been woken.
    waits: bool,
    wakes: usize,
}

pub struct World {
    config: TopicConfig,
    clock: Arc<Mutex<Instant>>,
    now: Duration,
    topic: Topic,
    is_closed: bool,
    published: Vec<Published>,
    /// The number of dropped events.
    dropped: usize,
    readers: Vec<Reader>,
}

impl World {
    pub fn new(config: TopicConfig) -> Self {
        let clock = Arc::new(Mutex::new(Instant::now()));
        let time = clock.clone();
        let now = move || *time.lock().expect("no code panics with it");
        Self {
            topic: Topic::new(config.clone(), EPOCH, now),
            config,
            clock,
            now: Duration::ZERO,
            is_closed: false,
            published: Vec::new(),
            dropped: 0,
            readers: Vec::new(),
        }
    }

    pub fn wait(&mut self, time: Duration) {
        self.now += time;
        *self.clock.lock().expect("no code panics with it") += time;
    }

    pub fn close(&mut self) {
        self.topic.close();
        self.is_closed = true;
        self.wake_all();
    }

    pub fn publish(&mut self, id: Option<Named>, len: usize) {
        let sequence = self.published.len() + 1;
        let mut event = Event::new(format!("{sequence}\n{}", "x".repeat(len % 5000)));
        let id = id.and_then(|id| self.id(id));
        let mut encoded = Vec::new();
        match &id {
            None => encoded.extend_from_slice(format!("id: abc-{sequence}\n").as_bytes()),
            Some(id) => match event.with_id(id.as_str()) {
                Ok(named) => event = named,
                // Not a valid ID.
                Err(_) => return,
            },
        }
        event.encode(&mut encoded);
        let (len, at) = (encoded.len(), self.now);
        let is_reserved = id.as_deref().is_some_and(|id| sequence_in(id).is_some());
        match self.topic.publish(event) {
            Ok(position) => {
                assert!(!self.is_closed && !is_reserved);
                assert_eq!(position.to_string(), format!("abc-{sequence}"));
                self.published.push(Published {
                    encoded,
                    at,
                    own_id: id.filter(|id| !id.is_empty()),
                });
                self.look(true);
                self.wake_all();
            }
            Err(PublishError::Closed) => assert!(self.is_closed),
            Err(PublishError::ReservedId(_)) => assert!(is_reserved),
            Err(PublishError::TooLarge { len: told, most }) => {
                assert!(told == len && most < len);
                assert!(len + OVERHEAD > self.config.max_bytes);
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// Every waiting reader has to be woken, once.
    fn wake_all(&mut self) {
        for reader in self.readers.iter_mut().filter(|reader| reader.waits) {
            reader.waits = false;
            reader.wakes += 1;
        }
    }

    pub fn check_wakes(&self) {
        for reader in &self.readers {
            assert_eq!(reader.woken.0.load(Ordering::Relaxed), reader.wakes);
        }
    }

    /// Checks the held events. The model knows the memory of an event only approximately.
    fn look(&mut self, may_drop_for_memory: bool) {
        let all = self.published.len();
        let held = self.topic.retained_events() as usize;
        assert_eq!(self.topic.position().sequence() as usize, all);
        assert!(self.topic.retained_bytes() <= self.config.max_bytes);
        let by_count = all.saturating_sub(self.config.max_events.max(1));
        let by_age = self.config.max_age.map_or(0, |max| {
            let is_old = |event: &Published| event.at + max < self.now;
            self.published.partition_point(is_old)
        });
        let must = self.dropped.max(by_count).max(by_age);
        self.dropped = all - held;
        assert!(self.dropped >= must, "{held} of {all} are held");
        if self.dropped > must {
            assert!(may_drop_for_memory);
            // The most that all of them would have taken.
            let sizes = self.published[must..].iter().map(|event| {
                let own_id = event.own_id.as_ref().map_or(0, |id| 128 + id.len());
                2 * event.encoded.len() + 2 * 24 + own_id + 320
            });
            assert!(sizes.sum::<usize>() + OVERHEAD > self.config.max_bytes);
        }
    }

    pub fn subscribe_from_oldest(&mut self) {
        let subscriber = self.topic.subscribe_from_oldest();
        self.look(false);
        assert_eq!(subscriber.outcome(), Outcome::Fresh);
        self.add_reader(subscriber, self.dropped, usize::MAX);
    }

    pub fn resume(&mut self, id: Named) {
        let id = self.id(id);
        let subscriber = self.topic.resume_from(id.as_deref());
        self.look(false);
        let outcome = subscriber.outcome();
        let (past, expected) = self.expected(id.as_deref(), outcome);
        assert_eq!(outcome, expected, "{id:?}");
        let may_pass = match (outcome.is_loss(), self.config.announce) {
            (false, _) => 0,
            (true, Announce::Nothing) => self.published.len(),
            (true, _) => usize::MAX,
        };
        self.add_reader(subscriber, past, may_pass);
    }

    fn id(&self, named: Named) -> Option<String> {
        Some(match named {
            Named::Nothing => return None,
            Named::Event(index) => {
                let sequence = usize::from(index) % (self.published.len() + 1);
                let event = sequence.checked_sub(1).map(|index| &self.published[index]);
                let own_id = event.and_then(|event| event.own_id.clone());
                own_id.unwrap_or_else(|| format!("abc-{sequence}"))
            }
            Named::Sequence(sequence) => format!("abc-{sequence}"),
            Named::OtherEpoch(sequence) => format!("abd-{sequence}"),
            Named::Own(id) => format!("own/{id}"),
            Named::Any(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Named::NoNumber(bytes) => format!("abc-{}", String::from_utf8_lossy(&bytes)),
        })
    }

    /// Returns the outcome of a resumption, and the number of events before its position.
    fn expected(&self, id: Option<&str>, outcome: Outcome) -> (usize, Outcome) {
        let (all, dropped) = (self.published.len(), self.dropped);
        let held = (all - dropped) as u64;
        let unknown = (dropped, Outcome::Unknown { replayed: held });
        let behind = |seen: usize| match dropped.saturating_sub(seen) {
            0 => {
                let replayed = (all - seen) as u64;
                (seen, Outcome::Resumed { replayed })
            }
            lost => {
                let (lost, replayed) = (lost as u64, held);
                (dropped, Outcome::Gap { lost, replayed })
            }
        };
        let id = match id {
            None | Some("") => return (all, Outcome::Fresh),
            Some(id) => id,
        };
        if let Some(sequence) = sequence_in(id) {
            return match usize::try_from(sequence) {
                Ok(sequence) if sequence <= all => behind(sequence),
                _ => unknown,
            };
        }
        // Of several events with one ID the first counts that is held, or is right before those, if
        // it is still known. One that is not held may be unknown, or still known: all of it is told.
        let is_named = |event: &Published| event.own_id.as_deref() == Some(id);
        let places: Vec<_> = (1..=all)
            .filter(|sequence| is_named(&self.published[sequence - 1]))
            .collect();
        let is_known = |place: &&usize| behind(**place).1 == outcome;
        let right_before = places.iter().find(|place| **place == dropped);
        let place = match places.iter().find(|place| **place > dropped) {
            Some(held) => right_before.filter(is_known).or(Some(held)),
            None => places.iter().find(is_known),
        };
        place.map_or(unknown, |place| behind(*place))
    }

    fn add_reader(&mut self, subscriber: Subscriber, past: usize, may_pass: usize) {
        let outcome = subscriber.outcome();
        let is_announced = match self.config.announce {
            Announce::Nothing => false,
            Announce::Losses => outcome.is_loss(),
            _ => true,
        };
        self.readers.push(Reader {
            subscriber,
            past,
            unannounced: is_announced.then_some(outcome),
            may_pass,
            is_behind_notice: false,
            cut: false,
            woken: Arc::default(),
            waits: false,
            wakes: 0,
        });
    }

    fn index(&self, reader: u8) -> Option<usize> {
        usize::from(reader).checked_rem(self.readers.len())
    }

    pub fn unsubscribe(&mut self, reader: u8) {
        if let Some(index) = self.index(reader) {
            let reader = self.readers.swap_remove(index);
            drop(reader.subscriber);
            // Nothing of the reader is left: the topic holds none of its wakers.
            assert_eq!(Arc::strong_count(&reader.woken), 1);
        }
    }

    pub fn read_all(&mut self, reader: u8) {
        let Some(index) = self.index(reader) else {
            return;
        };
        let events = self.published.len() + 3;
        for _ in 0..events {
            self.read(reader, true);
            let reader = &self.readers[index];
            if reader.waits || reader.cut || self.is_closed && reader.past == events - 3 {
                return;
            }
        }
        panic!("it never comes to an end");
    }

    /// Reads once for a reader.
    pub fn read(&mut self, reader: u8, may_wait: bool) {
        let Some(index) = self.index(reader) else {
            return;
        };
        let reader = &mut self.readers[index];
        let polled = match may_wait {
            true => {
                let waker = Waker::from(reader.woken.clone());
                reader
                    .subscriber
                    .poll_next(&mut Context::from_waker(&waker))
            }
            false => reader.subscriber.try_next(),
        };
        let all = self.published.len();
        let replayed = (all - self.dropped) as u64;
        let passed = match std::mem::take(&mut reader.may_pass) {
            may_pass if self.dropped <= may_pass => self.dropped.saturating_sub(reader.past),
            _ => 0,
        };
        reader.past += passed;
        let lost = match std::mem::take(&mut reader.is_behind_notice) {
            true => 0,
            false => self.dropped.saturating_sub(reader.past) as u64,
        };
        let is_first = reader.unannounced.is_some();
        match polled {
            Poll::Pending => {
                assert!(reader.past == all && !is_first && !self.is_closed);
                reader.waits |= may_wait;
            }
            Poll::Ready(None) => {
                assert!(!is_first && (reader.cut || reader.past == all && self.is_closed));
            }
            Poll::Ready(Some(Err(error))) => {
                assert_eq!(self.config.when_too_slow, WhenTooSlow::Cut);
                assert!(!reader.cut && !is_first && lost > 0);
                assert_eq!(error.lost, lost);
                reader.cut = true;
            }
            Poll::Ready(Some(Ok(Batch::Notice(notice)))) => {
                let expected = match reader.unannounced.take() {
                    Some(outcome) if passed == 0 => outcome,
                    Some(Outcome::Gap { lost, .. }) => {
                        let lost = lost + passed as u64;
                        Outcome::Gap { lost, replayed }
                    }
                    Some(Outcome::Unknown { .. }) => Outcome::Unknown { replayed },
                    Some(other) => other,
                    None => {
                        assert_eq!(self.config.when_too_slow, WhenTooSlow::SkipAhead);
                        assert!(lost > 0);
                        reader.past = self.dropped;
                        Outcome::Gap { lost, replayed }
                    }
                };
                assert_eq!(notice.outcome(), expected);
                reader.is_behind_notice = (self.dropped..all).contains(&reader.past);
                let text = Batch::Notice(notice).into_encoded();
                let (data, past) = (expected.to_json(), reader.past);
                // The ID of the event itself, if it has one, or the place.
                let event = past.checked_sub(1).map(|index| &self.published[index]);
                let own_id = event.and_then(|event| event.own_id.clone());
                let ids = [Some(format!("abc-{past}")), own_id];
                let expected = ids.into_iter().flatten().map(|id| {
                    let text = format!("id: {id}\nevent: resume\ndata: {data}\n\n");
                    sorted_lines(text.as_bytes())
                });
                let told = sorted_lines(text.as_bytes());
                assert!(
                    expected.into_iter().any(|expected| expected == told),
                    "{text:?}"
                );
            }
            Poll::Ready(Some(Ok(Batch::Events(events)))) => {
                assert!(!reader.cut && !is_first && lost == 0 && events.count() > 0);
                let end = reader.past + events.count();
                let expected: Vec<u8> = self.published[reader.past..end]
                    .iter()
                    .flat_map(|event| event.encoded.iter().copied())
                    .collect();
                assert_eq!(events.as_bytes(), expected);
                reader.past = end;
            }
            Poll::Ready(Some(Ok(other))) => panic!("no event here has a type: {other:?}"),
        }
        assert!(self.topic.retained_bytes() <= self.config.max_bytes);
    }
}

/// The encoder chooses the order of an event's fields.
fn sorted_lines(event: &[u8]) -> Vec<Vec<u8>> {
    let mut lines: Vec<_> = event
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::to_vec)
        .collect();
    lines.sort();
    lines
}

/// Returns the number in an ID of the topic's own form. It may stand among the places in other topics,
/// and before a topic's name.
fn sequence_in(id: &str) -> Option<u64> {
    id.split(',').find_map(|place| {
        let position = place.split(':').next()?;
        let digits = position.strip_prefix("abc-")?;
        let sequence = digits.parse().ok()?;
        (u64::to_string(&sequence) == digits).then_some(sequence)
    })
}

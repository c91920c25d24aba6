//! A client that loses its connection anywhere, again and again, misses nothing and gets nothing
//! twice.

use std::task::Poll;

use proptest::prelude::*;
use sse_core::{
    Decoded, Decoder, Event,
    topic::{Announce, Outcome, Subscriber, Topic, TopicConfig},
};

use crate::topic;

#[derive(Clone, Debug)]
enum Step {
    /// Publishes this many events.
    Publish(u8),
    /// The client takes everything.
    Read,
    /// The client takes everything, but the connection is lost after this many bytes.
    Lose(u16),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1..6_u8).prop_map(Step::Publish),
        2 => Just(Step::Read),
        3 => (0..300_u16).prop_map(Step::Lose),
    ]
}

/// A client by the standard.
struct Client {
    decoder: Decoder,
    subscriber: Subscriber,
    seen: Vec<String>,
}

impl Client {
    /// Reads up to `most` bytes.
    fn read(&mut self, mut most: usize) {
        while let Poll::Ready(Some(batch)) = self.subscriber.try_next() {
            let batch = batch.unwrap();
            let bytes = batch.as_bytes();
            let mut input = &bytes[..bytes.len().min(most)];
            most -= input.len();
            while let Some(decoded) = self.decoder.decode(&mut input).unwrap() {
                if let Decoded::Event(event) = decoded
                    && event.event_type() == "message"
                {
                    self.seen.push(event.data().to_owned());
                }
            }
        }
    }

    fn reconnect(&mut self, topic: &Topic) {
        let id = self.decoder.last_event_id().to_owned();
        self.subscriber = topic.resume_from(Some(&id));
        let outcome = self.subscriber.outcome();
        assert!(matches!(outcome, Outcome::Resumed { .. }), "{outcome:?}");
        self.decoder.restart();
    }
}

proptest! {
    #[test]
    fn whatever_is_published_meanwhile(
        steps in prop::collection::vec(step(), 1..60),
        own_ids: bool,
    ) {
        let mut config = TopicConfig::default();
        // A client that has no event yet has to know its place.
        config.announce = Announce::Everything;
        // The segments are small, so that some batches end within the read events.
        config.max_bytes = 48 * 1024;
        let topic = topic(config);
        let mut client = Client {
            decoder: Decoder::new(),
            subscriber: topic.subscribe(),
            seen: Vec::new(),
        };
        client.read(usize::MAX);
        let mut published = Vec::new();
        for step in steps {
            match step {
                Step::Publish(count) => for _ in 0..count {
                    let data = format!("event {}", published.len());
                    let mut event = Event::new(data.clone());
                    if own_ids && published.len() % 3 == 0 {
                        event = event.with_id(format!("own/{}", published.len())).unwrap();
                    }
                    topic.publish(event).unwrap();
                    published.push(data);
                },
                Step::Read => client.read(usize::MAX),
                Step::Lose(bytes) => {
                    client.read(bytes.into());
                    client.reconnect(&topic);
                }
            }
            prop_assert!(published.starts_with(&client.seen));
        }
        client.read(usize::MAX);
        prop_assert_eq!(client.seen, published);
    }
}

#[test]
fn a_batch_can_be_taken_event_by_event() {
    let topic = topic(TopicConfig::default());
    let mut subscriber = topic.subscribe();
    for data in ["one", "two"] {
        topic
            .publish(Event::new(data).under_id(data.len()))
            .unwrap();
    }
    let Poll::Ready(Some(Ok(batch))) = subscriber.try_next() else {
        panic!("there is nothing")
    };
    let mut events = batch.into_encoded().into_events();
    for data in ["one", "two"] {
        assert_eq!(events.size_hint(), (1, None));
        assert_eq!(events.next(), Some(Event::new(data).under_id(data.len())));
    }
    assert_eq!(events.size_hint(), (0, Some(0)));
    assert_eq!(events.next(), None);
}

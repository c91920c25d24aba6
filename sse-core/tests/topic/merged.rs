//! Several topics in one stream.

use std::error::Error;

use futures_util::{FutureExt, StreamExt};
use proptest::prelude::*;
use sse_core::{
    Decoded, Decoder, Event, EventId,
    topic::{
        Announce, MergeError, MergedSubscriber, Outcome, Topic, TopicConfig, TopicMap,
        TopicMapConfig, WhenTooSlow,
    },
};

use crate::{Clock, End, Taken, ids, publish, take, take_all, topic_of};

const NAMES: [&str; 3] = ["tea", "coffee", "milk"];

/// Returns topics with the epochs "a", "b" and "c".
fn topics(config: &TopicConfig) -> [Topic; 3] {
    let clock = Clock::new();
    [10, 11, 12].map(|epoch| topic_of(epoch, &clock, config.clone()))
}

fn merge(topics: &[Topic], id: Option<&str>) -> MergedSubscriber {
    MergedSubscriber::resume_from(NAMES.into_iter().zip(topics), id).unwrap()
}

fn taken(subscriber: &mut MergedSubscriber) -> Taken {
    take_all(|| subscriber.try_next())
}

#[test]
fn every_id_tells_the_place_in_all_topics() {
    let topics = topics(&TopicConfig::default());
    let mut subscriber = merge(&topics, None);
    topics[1].publish("one").unwrap();
    topics[0].publish("two").unwrap();
    let own = Event::new("three\nlines").with_id("own").unwrap();
    topics[0]
        .publish(own.with_event_type("cup").unwrap())
        .unwrap();
    let text = taken(&mut subscriber).text;
    assert_eq!(
        text,
        "id: a-1,b-0,c-0\ndata: two\n\n\
         id: a-2:tea:own,b-0,c-0\nevent: cup\ndata: three\ndata: lines\n\n\
         id: a-2:tea:own,b-1,c-0\ndata: one\n\n"
    );
    publish(&topics[2], 1);
    publish(&topics[0], 1);
    assert_eq!(
        ids(&taken(&mut subscriber).text),
        ["a-2:tea:own,b-1,c-1", "a-3,b-1,c-1"]
    );
}

#[test]
fn it_is_a_stream_that_ends_with_its_topics() {
    let topics = topics(&TopicConfig::default());
    let mut subscriber = merge(&topics, None);
    assert!(subscriber.next().now_or_never().is_none());
    publish(&topics[1], 1);
    let batch = subscriber.next().now_or_never().flatten().unwrap().unwrap();
    assert_eq!(batch.as_bytes(), b"id: a-0,b-1,c-0\ndata: x\n\n");
    topics.iter().for_each(Topic::close);
    assert!(subscriber.next().now_or_never().unwrap().is_none());
}

#[test]
fn an_empty_beginning_is_not_an_item() {
    let topics = topics(&TopicConfig::default());
    let mut subscriber = merge(&topics, None).begin_with([""; 0]).unwrap();
    assert!(subscriber.try_next().is_pending());
}

#[test]
fn the_outcomes_for_the_response_are_those_of_the_topics_that_say_so() {
    let clock = Clock::new();
    let [tea, coffee] = [false, true].map(|tells| {
        let mut config = TopicConfig::default();
        config.announce_in_header = tells;
        topic_of(10 + u64::from(tells), &clock, config)
    });
    let merged = MergedSubscriber::resume_from([("tea", &tea), ("coffee", &coffee)], None).unwrap();
    let told: Vec<_> = merged.outcomes_for_header().collect();
    assert_eq!(told, [("coffee", Outcome::Fresh)]);
}

#[test]
fn a_place_without_an_id_of_the_publishers_choice_is_told_as_a_place() {
    let topics = topics(&TopicConfig::default());
    let own = Event::new("one").with_id("own").unwrap();
    topics[1].publish(own).unwrap();
    publish(&topics[1], 2);
    let mut subscriber = merge(&topics, Some("a-0,b-2,c-0"));
    publish(&topics[0], 1);
    assert_eq!(
        ids(&taken(&mut subscriber).text),
        ["a-1,b-2,c-0", "a-1,b-3,c-0"]
    );
}

#[test]
fn each_topic_has_its_outcome_and_its_notice() {
    let mut config = TopicConfig::default();
    config.max_events = 2;
    let topics = topics(&config);
    topics.iter().for_each(|topic| publish(topic, 4));
    let mut subscriber = merge(&topics, Some("b-1,a-3"));
    let outcomes = [
        Outcome::Resumed { replayed: 1 },
        Outcome::Gap {
            lost: 1,
            replayed: 2,
        },
        Outcome::Unknown { replayed: 2 },
    ];
    let expected: Vec<_> = NAMES.into_iter().zip(outcomes).collect();
    assert_eq!(subscriber.outcomes().collect::<Vec<_>>(), expected);

    let taken = taken(&mut subscriber);
    assert_eq!(taken.notices, outcomes[1..]);
    // The third topic's loss is not told yet.
    let notice = "event: resume\nid: a-4,b-2\n\
                  data: {\"topic\":\"coffee\",\"outcome\":\"gap\",\"lost\":1,\"replayed\":2}\n\n";
    assert!(taken.text.contains(notice), "{}", taken.text);
    assert_eq!(ids(&taken.text).last(), Some(&"a-4,b-4,c-4"));
}

#[test]
fn a_loss_that_was_not_told_is_told_the_next_time() {
    let mut config = TopicConfig::default();
    config.max_events = 2;
    let topics = topics(&config);
    topics.iter().for_each(|topic| publish(topic, 5));
    let text = taken(&mut merge(&topics, Some("a-1,b-2"))).text;
    let losses = [
        Outcome::Gap {
            lost: 2,
            replayed: 2,
        },
        Outcome::Gap {
            lost: 1,
            replayed: 2,
        },
        Outcome::Unknown { replayed: 2 },
    ];
    // The connection is lost after this many bytes.
    for len in 0..=text.len() {
        let mut decoder = Decoder::new();
        decoder.set_last_event_id(&EventId::new("a-1,b-2").unwrap());
        let mut told = String::new();
        let mut input = &text.as_bytes()[..len];
        while let Some(decoded) = decoder.decode(&mut input).unwrap() {
            if let Decoded::Event(event) = decoded {
                told += event.data();
            }
        }
        let again = merge(&topics, Some(decoder.last_event_id()));
        for ((name, outcome), loss) in again.outcomes().zip(losses) {
            if told.contains(name) {
                assert!(!outcome.is_loss(), "{name} after {len} bytes: {outcome}");
            } else {
                assert_eq!(outcome, loss, "{name} after {len} bytes");
            }
        }
    }
}

#[test]
fn one_topic_resumes_from_the_id_of_several_and_several_from_that_of_one() {
    let topics = topics(&TopicConfig::default());
    topics.iter().for_each(|topic| publish(topic, 3));
    let alone = topics[1].resume_from(Some("a-1,b-2,c-3"));
    assert_eq!(alone.outcome(), Outcome::Resumed { replayed: 1 });
    let mut outcomes = Vec::new();
    outcomes.extend(
        merge(&topics, Some("b-2"))
            .outcomes()
            .map(|(_, outcome)| outcome),
    );
    let unknown = Outcome::Unknown { replayed: 3 };
    assert_eq!(
        outcomes,
        [unknown, Outcome::Resumed { replayed: 1 }, unknown]
    );
}

#[test]
fn an_id_that_would_be_taken_for_a_place_is_refused() {
    let [topic, ..] = topics(&TopicConfig::default());
    for id in ["b-1,a-7", "a-7:tea:own"] {
        topic
            .publish(Event::new("x").with_id(id).unwrap())
            .unwrap_err();
    }
    for id in ["b-1,b-7", "a-7x:tea:own"] {
        topic.publish(Event::new("x").with_id(id).unwrap()).unwrap();
    }
}

#[test]
fn it_ends_when_all_its_topics_have() {
    let topics = topics(&TopicConfig::default());
    let mut subscriber = merge(&topics, None);
    topics[0].close();
    topics[1].close();
    assert_eq!(taken(&mut subscriber).end, End::Waits);
    publish(&topics[2], 1);
    assert_eq!(ids(&taken(&mut subscriber).text), ["a-0,b-0,c-1"]);
    topics[2].close();
    assert_eq!(taken(&mut subscriber).end, End::Closed);
}

#[test]
fn a_subscriber_that_is_too_slow_for_one_topic_is_cut_and_resumes_in_all() {
    let mut config = TopicConfig::default();
    config.max_events = 2;
    let topics = topics(&config);
    let mut subscriber = merge(&topics, None);
    topics.iter().for_each(|topic| publish(topic, 1));
    let seen = taken(&mut subscriber).text;
    publish(&topics[0], 1);
    publish(&topics[1], 3);
    let cut = taken(&mut subscriber);
    assert_eq!((ids(&cut.text).len(), cut.end), (1, End::Cut(1)));
    assert_eq!(taken(&mut subscriber).end, End::Closed);

    let id = ids(&seen).last().copied().unwrap();
    let outcomes: Vec<_> = merge(&topics, Some(id))
        .outcomes()
        .map(|(_, o)| o)
        .collect();
    let gap = Outcome::Gap {
        lost: 1,
        replayed: 2,
    };
    let resumed = |replayed| Outcome::Resumed { replayed };
    assert_eq!(outcomes, [resumed(1), gap, resumed(0)]);
}

#[test]
fn a_busy_topic_does_not_keep_the_others_waiting() {
    let topics = topics(&TopicConfig::default());
    let mut subscriber = merge(&topics, None);
    publish(&topics[0], 1_000);
    publish(&topics[1], 1);
    let text = taken(&mut subscriber).text;
    let place = ids(&text).iter().position(|id| id.contains("b-1")).unwrap();
    assert!(place < 500, "{place}");
    assert_eq!(ids(&text).len(), 1_001);
}

#[test]
fn how_many_topics_there_may_be_is_a_setting() {
    let mut config = TopicConfig::default();
    config.max_merged_topics = 2;
    let topics = topics(&config);
    let merge = |count| {
        MergedSubscriber::resume_from(NAMES.into_iter().zip(&topics).take(count), None).map(drop)
    };
    merge(2).unwrap();
    let error = merge(3).unwrap_err();
    assert_eq!(error, MergeError::TooMany { max: 2 });
    let error = merge(0).unwrap_err();
    assert_eq!(error, MergeError::NoTopic);
}

#[test]
fn a_map_without_room_is_why_its_topics_cannot_be_merged() {
    let mut config = TopicMapConfig::default();
    config.max_topics = 1;
    let clock = Clock::new();
    let map = TopicMap::new(config, 7, move || clock.now());
    let _used = map.topic("a").unwrap();
    let cause = map.topic("b").unwrap_err();
    let error = MergeError::from(cause);
    assert_eq!(error.to_string(), cause.to_string());
    let source = error.source().and_then(|source| source.downcast_ref());
    assert_eq!(source, Some(&cause));
}

#[test]
fn a_topic_twice_counts_once_and_two_of_one_epoch_are_refused() {
    let [tea, coffee, _] = topics(&TopicConfig::default());
    let again = tea.clone();
    let pairs = [("tea", &tea), ("coffee", &coffee), ("again", &again)];
    let mut subscriber = MergedSubscriber::resume_from(pairs, None).unwrap();
    publish(&tea, 1);
    assert_eq!(ids(&taken(&mut subscriber).text), ["a-1,b-0"]);

    let [other, ..] = topics(&TopicConfig::default());
    let error = MergedSubscriber::resume_from([("tea", &tea), ("other", &other)], None);
    let names = ["tea".into(), "other".into()];
    assert_eq!(error.unwrap_err(), MergeError::SameEpoch { topics: names });
}

#[derive(Clone, Debug)]
enum Step {
    Publish(prop::sample::Index, u8, bool),
    Read,
    /// The client reads this many bytes, and then its connection is lost.
    Lose(u16),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (any::<prop::sample::Index>(), 1..6_u8, any::<bool>())
            .prop_map(|(topic, count, wanted)| Step::Publish(topic, count, wanted)),
        2 => Just(Step::Read),
        3 => (0..400_u16).prop_map(Step::Lose),
    ]
}

/// A client by the standard.
struct Client {
    decoder: Decoder,
    subscriber: MergedSubscriber,
    /// By topic.
    seen: [Vec<String>; 3],
}

impl Client {
    /// Reads up to `most` bytes.
    fn read(&mut self, most: usize) {
        let text = taken(&mut self.subscriber).text;
        let mut input = &text.as_bytes()[..text.len().min(most)];
        while let Some(decoded) = self.decoder.decode(&mut input).unwrap() {
            if let Decoded::Event(event) = decoded
                && let Some((topic, data)) = event.data().split_once('/')
            {
                self.seen[topic.parse::<usize>().unwrap()].push(data.to_owned());
            }
        }
    }
}

proptest! {
    #[test]
    fn each_topic_is_complete_after_any_losses(
        steps in prop::collection::vec(step(), 1..60),
        selects: bool,
    ) {
        let mut config = TopicConfig::default();
        // A client that has no event yet has to know its place.
        config.announce = Announce::Everything;
        config.when_too_slow = WhenTooSlow::SkipAhead;
        let topics = topics(&config);
        let join = |id: Option<&str>| match selects {
            true => merge(&topics, id).only_event_types(|event_type| event_type == "wanted"),
            false => merge(&topics, id),
        };
        let mut client = Client {
            decoder: Decoder::new(),
            subscriber: join(None),
            seen: Default::default(),
        };
        client.read(usize::MAX);
        let mut published: [Vec<String>; 3] = Default::default();
        let mut count = 0;
        for step in steps {
            match step {
                Step::Publish(index, events, wanted) => for _ in 0..events {
                    count += 1;
                    let index = index.index(3);
                    let mut event = Event::new(format!("{index}/{count}"));
                    if wanted {
                        event = event.with_event_type("wanted").unwrap();
                    }
                    topics[index].publish(event).unwrap();
                    if wanted || !selects {
                        published[index].push(count.to_string());
                    }
                },
                Step::Read => client.read(usize::MAX),
                Step::Lose(bytes) => {
                    client.read(bytes.into());
                    let id = client.decoder.last_event_id().to_owned();
                    client.subscriber = join(Some(&id));
                    for (topic, outcome) in client.subscriber.outcomes() {
                        prop_assert!(matches!(outcome, Outcome::Resumed { .. }), "{topic} {outcome:?}");
                    }
                    client.decoder.restart();
                }
            }
        }
        client.read(usize::MAX);
        prop_assert_eq!(client.seen, published);
    }
}

#[test]
fn the_beginning_of_a_stream_comes_first() {
    let topics = topics(&TopicConfig::default());
    publish(&topics[0], 2);
    let mut subscriber = merge(&topics, None).begin_with(["state"]).unwrap();
    publish(&topics[0], 1);
    assert_eq!(
        taken(&mut subscriber).text,
        "id: a-2,b-0,c-0\ndata: state\n\nid: a-3,b-0,c-0\ndata: x\n\n"
    );
    // A setting of one topic does not apply to another.
    assert_eq!(take(&mut topics[0].subscribe()), Taken::default());
}

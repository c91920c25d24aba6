//! How clients learn the end of a stream.

use sse_core::{
    EventType,
    topic::{
        HistoryBound, TopicEnd, WhenFull,
        resumable::{StreamEnd, StreamError},
    },
};

use super::Streams;
use crate::{End, ids, publish, take};

#[test]
fn every_end_is_an_event_with_an_id_and_a_client_with_it_has_everything() {
    let ends = [
        (StreamEnd::Complete, "complete"),
        (
            StreamEnd::Failed(StreamError::from("no more tokens")),
            "failed",
        ),
        (StreamEnd::Panicked, "failed"),
        (StreamEnd::Dropped, "failed"),
        (StreamEnd::TooLarge(HistoryBound::Bytes), "too_large"),
        (StreamEnd::Stopped("enough".into()), "stopped"),
        (StreamEnd::Abandoned, "abandoned"),
        (StreamEnd::Shutdown, "shutdown"),
    ];
    for (end, outcome) in ends {
        let mut streams = Streams::new(|_| {});
        let id = streams.start("x");
        let topic = streams.topic(id);
        let mut listens = topic.subscribe_from_oldest();
        publish(&topic, 2);
        let before = take(&mut listens).text;
        assert_eq!(ids(&before).len(), 2);
        streams.end(id, end.clone());

        let last = take(&mut listens);
        let told = format!(
            "id: {}\nevent: end\ndata: {{\"outcome\":\"{outcome}\"}}\n\n",
            topic.position()
        );
        assert_eq!((last.text.as_str(), last.end), (told.as_str(), End::Closed));
        // A client that comes later gets everything, and one that has the end has everything.
        let mut late = topic.subscribe_from_oldest();
        assert_eq!(take(&mut late).text, before + &told);
        let returns = topic.resume_from(Some(ids(&told)[0]));
        assert_eq!(returns.end(), Some(TopicEnd::from(&end)));
        assert_eq!(topic.end(), Some(TopicEnd::from(&end)), "{end}");
    }
}

#[test]
fn an_error_keeps_its_cause_and_is_not_told_to_clients() {
    let error = StreamError::new(std::io::Error::other("password 123"));
    let end = StreamEnd::Failed(error);
    assert_eq!(end.to_string(), "the producer failed: password 123");
    assert_eq!(end.to_json(), r#"{"outcome":"failed"}"#);
    let StreamEnd::Failed(error) = end else {
        panic!("it is the same")
    };
    let cause = std::error::Error::source(&error).unwrap();
    assert!(cause.is::<std::io::Error>());
}

#[test]
fn the_last_event_has_the_type_that_it_is_given() {
    let mut streams = Streams::new(|config| {
        config.end_event_type = const { EventType::from_static("over") };
    });
    let id = streams.start("x");
    let topic = streams.topic(id);
    streams.end(id, StreamEnd::Complete);
    let all = take(&mut topic.subscribe_from_oldest());
    assert!(all.text.contains("\nevent: over\n"), "{}", all.text);
}

#[test]
fn a_stream_that_is_full_still_tells_how_it_ended() {
    for when_full in [WhenFull::Reject, WhenFull::DropOldest] {
        let mut streams = Streams::new(|config| {
            (config.topic.max_bytes, config.topic.when_full) = (8 * 1024, when_full);
        });
        let id = streams.start("x");
        let topic = streams.topic(id);
        let taken = (0..1000).take_while(|_| topic.publish("x").is_ok()).count();
        assert_eq!(taken == 1000, when_full == WhenFull::DropOldest);
        streams.end(id, StreamEnd::TooLarge(HistoryBound::Bytes));
        let all = take(&mut topic.subscribe_from_oldest());
        assert!(all.text.ends_with("data: {\"outcome\":\"too_large\"}\n\n"));
        assert_eq!(all.end, End::Closed);
        if when_full == WhenFull::Reject {
            assert_eq!(ids(&all.text).len(), taken + 1);
        }
    }
}

#[test]
fn a_topic_whose_bounds_fit_no_event_is_closed_all_the_same() {
    let mut streams = Streams::new(|config| config.topic.max_bytes = 10);
    let id = streams.start("x");
    let topic = streams.topic(id);
    streams.end(id, StreamEnd::Complete);
    assert_eq!(topic.end(), Some(TopicEnd::Complete));
}

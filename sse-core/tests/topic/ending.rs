//! The end of a topic, and the subscribers that are told.

use sse_core::topic::{Topic, TopicConfig, TopicEnd};

use crate::{End, ids, publish, take, topic};

fn failed() -> TopicEnd {
    TopicEnd::Failed("no more".into())
}

#[test]
fn subscribers_get_everything_and_then_the_reason() {
    let topic = topic(TopicConfig::default());
    let mut subscriber = topic.subscribe();
    publish(&topic, 2);
    assert_eq!((topic.end(), subscriber.end()), (None, None));
    topic.close_with(failed());
    assert_eq!((topic.end(), subscriber.end()), (Some(failed()), None));
    let taken = take(&mut subscriber);
    assert_eq!((ids(&taken.text).len(), taken.end), (2, End::Closed));
    assert_eq!(subscriber.end(), Some(failed()));
    // The first reason counts.
    topic.close();
    assert_eq!(topic.end(), Some(failed()));
}

#[test]
fn a_client_that_comes_back_and_has_everything_is_known_before_its_first_read() {
    let topic = topic(TopicConfig::default());
    publish(&topic, 2);
    let end_of = |id| topic.resume_from(id).end();
    assert_eq!(end_of(Some("abc-2")), None);
    topic.close();
    assert_eq!(end_of(Some("abc-2")), Some(TopicEnd::Complete));
    assert_eq!(end_of(Some("abc-1")), None);
    // It has a loss to be told, or a beginning to be given.
    assert_eq!(end_of(Some("elsewhere")), None);
    let begins = topic
        .resume_from(Some("abc-2"))
        .begin_with(["state"])
        .unwrap();
    assert_eq!(begins.end(), None);
}

#[test]
fn a_client_that_is_unknown_is_told_so_before_the_end() {
    let topic = topic(TopicConfig::default());
    topic.close();
    let mut unknown = topic.resume_from(Some("elsewhere"));
    assert_eq!(unknown.end(), None);
    let taken = take(&mut unknown);
    assert_eq!((taken.notices.len(), taken.end), (1, End::Closed));
    assert_eq!(unknown.end(), Some(TopicEnd::Complete));
}

#[test]
fn a_client_that_was_cut_does_not_have_everything() {
    let mut config = TopicConfig::default();
    config.max_events = 1;
    let topic = topic(config);
    let mut slow = topic.subscribe();
    publish(&topic, 2);
    topic.close();
    assert_eq!(take(&mut slow).end, End::Cut(1));
    assert_eq!(slow.end(), None);
}

#[test]
fn a_topic_that_is_dropped_ends_for_that_reason() {
    let ends = |act: fn(Topic)| {
        let topic = topic(TopicConfig::default());
        let subscriber = topic.subscribe();
        act(topic);
        subscriber.end()
    };
    assert_eq!(ends(drop), Some(TopicEnd::Dropped));
    assert_eq!(ends(|topic| topic.close()), Some(TopicEnd::Complete));
}

#[test]
fn each_end_is_told_in_a_sentence() {
    let texts = [TopicEnd::Complete, failed(), TopicEnd::Dropped].map(|end| end.to_string());
    assert_eq!(
        texts,
        [
            "everything was published",
            "the topic failed: no more",
            "the last handle of the topic was dropped"
        ]
    );
}

//! The beginning of a stream, before the topic's events.

use sse_core::{Event, topic::TopicConfig};

use crate::{publish, take, topic};

#[test]
fn only_the_last_has_the_place_for_its_id() {
    let topic = topic(TopicConfig::default());
    publish(&topic, 2);
    let own = || Event::new("own").with_id("own").unwrap();
    let beginning = [
        own(),
        Event::new("x\ny"),
        own().with_event_type("all").unwrap(),
    ];
    let mut subscriber = topic.subscribe().begin_with(beginning).unwrap();
    publish(&topic, 1);
    assert_eq!(
        take(&mut subscriber).text,
        "id: own\ndata: own\n\ndata: x\ndata: y\n\nevent: all\nid: abc-2\ndata: own\n\n\
         id: abc-3\ndata: x\n\n"
    );
}

#[test]
fn an_empty_beginning_changes_nothing_and_an_error_is_returned() {
    let topic = topic(TopicConfig::default());
    let mut subscriber = topic.subscribe().begin_with([""; 0]).unwrap();
    publish(&topic, 1);
    assert_eq!(take(&mut subscriber).text, "id: abc-1\ndata: x\n\n");
    let failed: Result<&str, &str> = Err("no state");
    let error = topic.subscribe().begin_with([failed]).unwrap_err();
    assert_eq!(error.to_string(), "no state");
}

#[test]
fn it_comes_before_a_notice_and_whatever_is_wanted() {
    let mut config = TopicConfig::default();
    config.max_events = 1;
    let topic = topic(config);
    publish(&topic, 3);
    let subscriber = topic.resume_from(Some("abc-0")).only_event_types(|_| false);
    let taken = take(&mut subscriber.begin_with(["state"]).unwrap());
    let notice = "event: resume\nid: abc-2\n\
                  data: {\"outcome\":\"gap\",\"lost\":2,\"replayed\":1}\n\n";
    let place = "id: abc-3\n\n";
    assert_eq!(
        taken.text,
        format!("id: abc-2\ndata: state\n\n{notice}{place}")
    );
}

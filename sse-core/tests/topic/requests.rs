//! The last event ID in a request.

use sse_core::{
    http::{Request, RequestHead},
    topic::{MergedSubscriber, Outcome, TopicConfig, TopicMap, TopicMapConfig},
};

use crate::{Clock, EPOCH, publish, topic};

fn request(target: &str, fields: &[(&str, &[u8])]) -> Request<()> {
    let mut request = Request::get(target).header("host", "here");
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap()
}

#[test]
fn the_field_counts_and_then_the_query() {
    let resumed = |replayed| Outcome::Resumed { replayed };
    let unknown = Outcome::Unknown { replayed: 3 };
    let field = |value: &'static str| vec![("last-event-id", value.as_bytes())];
    let table = [
        ("/", vec![], Outcome::Fresh),
        ("/", field("abc-2"), resumed(1)),
        ("/?lastEventId=abc-1", vec![], resumed(2)),
        ("/?x=y&lastEventId=abc%2D1&z", vec![], resumed(2)),
        // A program in the place of an EventSource appends the ID, also to a URL that had one at first.
        (
            "/?lastEventId=abc-1&lastEventId=abc%2D2",
            vec![],
            resumed(1),
        ),
        // A page that reconnects repeats its query.
        ("/?lastEventId=abc-1", field("abc-2"), resumed(1)),
        ("/?lastEventId=abc-1", field(""), resumed(2)),
        ("/?lasteventid=abc-1", vec![], Outcome::Fresh),
        ("/?lastEventId=", vec![], Outcome::Fresh),
        ("/", vec![("last-event-id", &b"\xff"[..])], unknown),
    ];
    let topic = topic(TopicConfig::default());
    publish(&topic, 3);
    for (target, fields, outcome) in table {
        let request = request(target, &fields);
        assert_eq!(
            topic.resume(&request).outcome(),
            outcome,
            "{target} {fields:?}"
        );
        // All types that carry it give the same.
        let (parts, ()) = request.clone().into_parts();
        assert_eq!(topic.resume(&parts).outcome(), outcome);
        assert_eq!(
            topic.resume(&request.clone().map(|()| "a body")).outcome(),
            outcome
        );
        let head = RequestHead::new(request).unwrap();
        assert_eq!(topic.resume(&head).outcome(), outcome);
        let merged = MergedSubscriber::resume([("news", &topic)], &parts).unwrap();
        assert_eq!(merged.outcomes().next(), Some(("news", outcome)));
    }
}

#[test]
fn the_parameters_name_is_a_setting_of_the_topic() {
    let mut config = TopicConfig::default();
    config.last_event_id_param = "since".into();
    let topic = topic(config.clone());
    publish(&topic, 2);
    let request = request("/?lastEventId=abc-2&since=abc-1&=abc-2", &[]);
    assert_eq!(
        topic.resume(&request).outcome(),
        Outcome::Resumed { replayed: 1 }
    );
    config.last_event_id_param = "".into();
    assert_eq!(
        crate::topic(config.clone()).resume(&request).outcome(),
        Outcome::Fresh
    );

    let (clock, mut maps) = (Clock::new(), TopicMapConfig::default());
    maps.topic.last_event_id_param = "since".into();
    let rooms = TopicMap::new(maps, EPOCH, move || clock.now());
    publish(&rooms.topic("a").unwrap(), 2);
    let merged = rooms.resume_all(["a", "a"], &request).unwrap();
    let outcomes: Vec<_> = merged.outcomes().collect();
    assert_eq!(outcomes, [("a", Outcome::Resumed { replayed: 1 })]);
}

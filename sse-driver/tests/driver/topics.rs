//! A topic's events on their way to connections.

use futures_util::{FutureExt, StreamExt, future, stream};
use sse_core::{
    Comment, Decoded, Decoder, Event, EventError, IntoStreamItem, StreamItem,
    http::HeaderValue,
    lifecycle::CloseReason,
    topic::{self, Announce, MergedSubscriber, Subscriber, Topic, WhenTooSlow},
};
use sse_driver::{
    KeepAlive, ServerConfig,
    router::{Refusal, Reply, ReplyBody, Request, Router},
};

use crate::{
    harness::{Journal, MILLI, Received, World, secs},
    sim::{Client, Sim},
};

/// A server with a topic at `/`.
struct Broadcast {
    world: World,
    topic: Topic,
    journal: Journal,
}

impl Broadcast {
    fn new(config: topic::TopicConfig) -> Self {
        // Its clock stands still, which is right for a topic without a bound on age.
        let topic = Topic::on(Sim::new(), config);
        let journal = Journal::default();
        let (source, log) = (topic.clone(), journal.clone());
        let router = Router::new().events("/", move |request: Request| {
            log.watch_clean_up(&request);
            source.resume(&request)
        });
        Self {
            world: World::with_config(ServerConfig::default(), router),
            topic,
            journal,
        }
    }

    fn publish(&self, count: usize) {
        for _ in 0..count {
            self.topic.publish("x").unwrap();
        }
    }

    /// Returns a client that has requested `target` with these fields, and has read the first output.
    fn get_with(&self, target: &str, fields: &str) -> Client {
        let mut client = self.world.connect();
        client.send(format!(
            "GET {target} HTTP/1.1\r\nHost: sim\r\n{fields}\r\n"
        ));
        self.world.sim.settle();
        client.read_all();
        client
    }

    fn id(&self, sequence: u64) -> String {
        let epoch = self.topic.position().to_string();
        let (epoch, _) = epoch.split_once('-').unwrap();
        format!("{epoch}-{sequence}")
    }
}

/// Returns the data of the events in an event stream, and the last event ID after them.
fn decode(body: &str) -> (Vec<String>, String) {
    let (mut decoder, mut input, mut data) = (Decoder::new(), body.as_bytes(), Vec::new());
    while let Some(decoded) = decoder.decode(&mut input).unwrap() {
        if let Decoded::Event(event) = decoded {
            data.push(event.data().to_owned());
        }
    }
    (data, decoder.last_event_id().to_owned())
}

#[test]
fn an_event_goes_to_every_client_in_one_write() {
    let it = Broadcast::new(topic::TopicConfig::default());
    let mut clients: Vec<_> = (0..50).map(|_| it.world.get("/")).collect();
    let before: Vec<_> = clients
        .iter()
        .map(|client| client.server_side().writes())
        .collect();
    let polls = it.world.sim.polls();
    it.publish(64);
    it.world.sim.settle();
    assert_eq!(it.world.sim.polls() - polls, 50);
    for (client, before) in clients.iter_mut().zip(before) {
        assert_eq!(client.server_side().writes() - before, 1);
        client.read_all();
        let received = Received::by(client);
        assert_eq!(received.status, 200);
        assert_eq!(received.field("content-type"), Some("text/event-stream"));
        assert_eq!(received.field("sse-resume"), None);
        let (data, last) = decode(&received.body);
        assert_eq!((data.len(), last), (64, it.id(64)));
    }

    it.topic.close();
    it.world.sim.settle();
    for client in &mut clients {
        client.read_all();
        assert!(Received::by(client).complete);
    }
    let over = vec!["clean-up: the stream ended"; 50];
    assert_eq!(it.journal.lines(), over);
}

#[test]
fn more_than_one_vectored_write_takes_goes_in_several() {
    const EVENTS: usize = 1000;
    let mut config = topic::TopicConfig::default();
    // The pieces are small, so that there are many.
    config.max_bytes = 64 * 1024;
    let it = Broadcast::new(config);
    it.publish(EVENTS);
    let mut client = it.get_with(&format!("/?lastEventId={}", it.id(0)), "");
    // The head is sent with the first events.
    assert_eq!(client.server_side().writes(), 2);
    let (data, last) = decode(&Received::by(&client).body);
    assert_eq!((data.len(), last), (EVENTS, it.id(EVENTS as u64)));
    it.topic.close();
    it.world.sim.settle();
    client.read_all();
    assert!(Received::by(&client).complete);
}

#[test]
fn a_keep_alive_finds_its_place_among_topic_events() {
    let it = Broadcast::new(topic::TopicConfig::default());
    let mut client = it.world.get("/");
    it.publish(1);
    it.world.advance(secs(15), &mut client);
    it.publish(1);
    it.world.advance(MILLI, &mut client);
    assert_eq!(
        Received::by(&client).body,
        format!(
            "id: {}\ndata: x\n\n:\nid: {}\ndata: x\n\n",
            it.id(1),
            it.id(2)
        )
    );
}

/// Returns a history of 100 events, a client that reads everything, and one with room for 200 bytes on
/// the way that has read the response's head.
fn slow_and_quick(when_too_slow: WhenTooSlow) -> (Broadcast, Client, Client) {
    let mut config = topic::TopicConfig::default();
    (config.max_events, config.when_too_slow) = (100, when_too_slow);
    let it = Broadcast::new(config);
    let quick = it.world.get("/");
    let mut slow = it.world.sim.connect_over(200).unwrap();
    slow.get("/");
    it.world.sim.settle();
    slow.read_all();
    it.world.sim.settle();
    slow.read_all();
    it.world.sim.settle();
    (it, quick, slow)
}

/// Publishes events, again and again, that `quick` reads and `slow` does not.
fn outrun(it: &Broadcast, quick: &mut Client) {
    for _ in 0..10 {
        it.publish(50);
        it.world.sim.settle();
        quick.read_all();
        it.world.sim.settle();
    }
}

fn read_to_the_end(it: &Broadcast, client: &mut Client) {
    while client.read_all() > 0 {
        it.world.sim.settle();
    }
}

#[test]
fn a_slow_reader_is_cut_with_its_reason_and_comes_back() {
    let (it, mut quick, mut slow) = slow_and_quick(WhenTooSlow::Cut);
    outrun(&it, &mut quick);
    assert_eq!(decode(&Received::by(&quick).body).0.len(), 500);
    // It may be cut when it continues to read at the latest.
    read_to_the_end(&it, &mut slow);
    assert_eq!(
        it.journal.lines(),
        ["clean-up: the client was too slow for its topic"]
    );
    assert!(slow.at_end());

    // Its events are complete, and it can tell that this is not the stream's end.
    let received = Received::by(&slow);
    assert!(!received.complete);
    let (data, last) = decode(&received.body);
    assert_eq!(data.len(), 50);
    let again = it.get_with("/", &format!("Last-Event-ID: {last}\r\n"));
    let (data, last) = decode(&Received::by(&again).body);
    assert_eq!(data[0], r#"{"outcome":"gap","lost":350,"replayed":100}"#);
    assert_eq!((data.len(), last), (101, it.id(500)));
}

#[test]
fn a_slow_reader_that_is_skipped_ahead_is_told() {
    let (it, mut quick, mut slow) = slow_and_quick(WhenTooSlow::SkipAhead);
    outrun(&it, &mut quick);
    read_to_the_end(&it, &mut slow);
    assert_eq!(it.journal.lines(), [] as [&str; 0]);
    let (data, last) = decode(&Received::by(&slow).body);
    let gap = r#"{"outcome":"gap","lost":350,"replayed":100}"#;
    assert_eq!(data.iter().filter(|data| *data == gap).count(), 1);
    assert_eq!((data.len(), last), (50 + 1 + 100, it.id(500)));
}

#[test]
fn a_reader_that_does_not_read_leaves_the_events_in_the_topic() {
    let (it, mut quick, slow) = slow_and_quick(WhenTooSlow::Cut);
    let writes = slow.server_side().writes();
    outrun(&it, &mut quick);
    // The first burst filled the way; the others woke no task.
    assert_eq!(slow.server_side().writes() - writes, 1);
    it.world.sim.advance(secs(30));
    assert_eq!(
        it.journal.lines(),
        ["clean-up: the client took no bytes for too long"]
    );
}

#[test]
fn a_client_resumes_by_field_or_by_query() {
    let mut config = topic::TopicConfig::default();
    config.announce_in_header = true;
    let it = Broadcast::new(config);
    it.publish(5);
    let field = |n| format!("Last-Event-ID: {}\r\n", it.id(n));
    let query = |n| format!("/?a=b&lastEventId={}", it.id(n));
    let cases = [
        ("/".to_owned(), String::new(), "fresh", 0),
        ("/".into(), field(3), "resumed; replayed=2", 2),
        (query(2), String::new(), "resumed; replayed=3", 3),
        // A page that reconnects repeats its query.
        (query(2), field(4), "resumed; replayed=1", 1),
        (
            query(2),
            "Last-Event-ID: \r\n".into(),
            "resumed; replayed=3",
            3,
        ),
        ("/?lastEventId=".into(), String::new(), "fresh", 0),
        (
            "/?lastEventId=elsewhere".into(),
            String::new(),
            "unknown; replayed=5",
            6,
        ),
        (
            query(2),
            "Last-Event-ID: \u{e9}-1\r\n".into(),
            "unknown; replayed=5",
            6,
        ),
    ];
    for (target, fields, outcome, count) in cases {
        let client = it.get_with(&target, &fields);
        let received = Received::by(&client);
        assert_eq!(
            received.field("sse-resume"),
            Some(outcome),
            "{target} {fields}"
        );
        assert_eq!(decode(&received.body).0.len(), count, "{target} {fields}");
    }
}

#[test]
fn several_topics_are_one_stream_with_an_outcome_for_each() {
    let mut config = topic::TopicMapConfig::default();
    config.topic.announce_in_header = true;
    config.topic.max_merged_topics = 2;
    let rooms = topic::TopicMap::on(Sim::new(), config);
    let listened = rooms.clone();
    let world = World::new(Router::new().events("/", move |request: Request| {
        let names = request.query_param("in").unwrap_or_default();
        let names = names.split(',').filter(|name| !name.is_empty());
        Ok::<_, Refusal>(listened.resume_all(names, &request)?)
    }));
    let publish = |room: &str, text: &str| rooms.topic(room).unwrap().publish(text).unwrap();

    publish("hall", "before");
    let mut client = world.get("/?in=kitchen,hall,kitchen");
    publish("kitchen", "soup");
    world.sim.settle();
    client.read_all();
    let received = Received::by(&client);
    let both = "fresh; topic=\"hall\", fresh; topic=\"kitchen\"";
    assert_eq!(received.field("sse-resume"), Some(both));
    let (events, id) = decode(&received.body);
    assert_eq!(events, ["soup"]);

    publish("kitchen", "tea");
    publish("hall", "music");
    let client = world.get(&format!("/?in=hall,kitchen&lastEventId={id}"));
    let received = Received::by(&client);
    let both = "resumed; replayed=1; topic=\"hall\", resumed; replayed=1; topic=\"kitchen\"";
    assert_eq!(received.field("sse-resume"), Some(both));
    assert_eq!(decode(&received.body).0, ["music", "tea"]);

    // Topics beyond the bound are not even created.
    let client = world.get("/?in=hall,attic,cellar");
    assert!(client.received().starts_with("HTTP/1.1 400 "));
    assert_eq!(rooms.len(), 2);
    assert!(world.get("/").received().starts_with("HTTP/1.1 400 "));
}

#[test]
fn the_parameter_has_the_name_that_it_is_given() {
    for (name, outcome) in [("since", "resumed; replayed=1"), ("", "fresh")] {
        let mut config = topic::TopicConfig::default();
        config.announce_in_header = true;
        config.last_event_id_param = name.into();
        let it = Broadcast::new(config);
        it.publish(2);
        let id = it.id(1);
        let client = it.get_with(&format!("/?lastEventId={id}&since={id}&={id}"), "");
        assert_eq!(Received::by(&client).field("sse-resume"), Some(outcome));
    }
}

#[test]
fn a_handler_may_look_at_the_outcome_and_add_to_the_reply() {
    let mut config = topic::TopicConfig::default();
    config.announce = Announce::Everything;
    let topic = Topic::on(Sim::new(), config);
    let source = topic.clone();
    let router = Router::new().events("/", move |request: Request| {
        let subscriber = source.resume(&request);
        let outcome = HeaderValue::from_str(&subscriber.outcome().to_json()).unwrap();
        Reply::from(subscriber).with_header("x-outcome".parse().unwrap(), outcome)
    });
    let world = World::new(router);
    let mut client = world.get("/");
    topic
        .publish(Event::new("x").with_id("mine").unwrap())
        .unwrap();
    world.sim.settle();
    client.read_all();
    let received = Received::by(&client);
    assert_eq!(received.field("x-outcome"), Some(r#"{"outcome":"fresh"}"#));
    let position = topic.position().to_string();
    let start = position.replace("-1", "-0");
    assert_eq!(
        received.body,
        format!(
            "event: resume\nid: {start}\ndata: {{\"outcome\":\"fresh\"}}\n\n\
             id: mine\ndata: x\n\n"
        )
    );
}

#[test]
fn a_runtimes_topics_differ_from_life_to_life() {
    let sim = Sim::new();
    let epoch = || {
        Topic::on(sim.clone(), topic::TopicConfig::default())
            .position()
            .epoch()
    };
    let before = epoch();
    sim.advance(MILLI);
    assert_ne!(before, epoch());
    // The epoch is short in an ID.
    assert!(before < 1 << 40);
}

/// Returns a topic that keeps one event, and a subscriber that has got none of two.
fn outrun_subscriber() -> (Topic, Subscriber) {
    let mut config = topic::TopicConfig::default();
    config.max_events = 1;
    let topic = Topic::on(Sim::new(), config);
    let subscriber = topic.subscribe();
    topic.publish("x").unwrap();
    topic.publish("x").unwrap();
    (topic, subscriber)
}

/// Returns the items of a reply's stream that are ready.
fn items(reply: Reply) -> Vec<Result<StreamItem, EventError>> {
    let (_, ReplyBody::Events(mut events)) = reply.into_parts() else {
        panic!("no event stream");
    };
    let mut items = Vec::new();
    while let Some(Some(item)) = events.next().now_or_never() {
        let is_last = item.is_err();
        items.push(item);
        if is_last {
            break;
        }
    }
    items
}

#[test]
fn a_subscriber_among_other_streams_keeps_its_encoding() {
    let topic = Topic::on(Sim::new(), topic::TopicConfig::default());
    let (alone, until, chained) = (topic.subscribe(), topic.subscribe(), topic.subscribe());
    topic.publish("x").unwrap();
    let shared = items(Reply::events(alone)).remove(0).unwrap();
    let StreamItem::Encoded(events) = &shared else {
        panic!("{shared:?}");
    };
    assert_eq!(events.count(), 1);

    let until = items(Reply::events(until.take_until(future::pending::<()>())));
    let last_words = [
        Comment::new("bye").into_stream_item(),
        "bye".into_stream_item(),
    ];
    let chained = items(Reply::events(
        chained
            .take(1)
            .map(IntoStreamItem::into_stream_item)
            .chain(stream::iter(last_words)),
    ));
    for items in [&until, &chained] {
        let Ok(StreamItem::Encoded(batch)) = &items[0] else {
            panic!("{items:?}");
        };
        // These are the same bytes in memory that others get.
        assert_eq!(batch.as_bytes().as_ptr(), events.as_bytes().as_ptr());
    }
    let expected = [
        StreamItem::Comment(Comment::new("bye")),
        StreamItem::Event(Event::new("bye")),
    ];
    let last: Vec<_> = chained.into_iter().skip(1).map(Result::unwrap).collect();
    assert_eq!(last, expected);
}

#[test]
fn a_subscriber_that_is_too_slow_is_cut_for_that_reason_in_any_stream() {
    let (_topic, subscriber) = outrun_subscriber();
    let plain = Reply::events(subscriber.take_until(future::pending::<()>()));
    let (_other, subscriber) = outrun_subscriber();
    let mapped = Reply::events(subscriber.map(IntoStreamItem::into_stream_item));
    for reply in [plain, mapped] {
        let last = items(reply).pop().unwrap();
        let reason = CloseReason::from(last.unwrap_err());
        assert_eq!(reason, CloseReason::SlowConsumer);
    }
}

#[test]
fn a_stream_of_a_topic_alone_ends_at_a_shutdown_unless_it_is_to_stay() {
    let topic = Topic::on(Sim::new(), topic::TopicConfig::default());
    let ends = |reply: Reply| match reply.into_parts().1 {
        ReplyBody::Events(events) => (events.ends_at_shutdown(), events.can_wait()),
        ReplyBody::Whole(_) => panic!("no event stream"),
    };
    let subscribe = || topic.subscribe();
    let merge = || MergedSubscriber::resume_from([("news", &topic)], None).unwrap();
    assert_eq!(ends(Reply::from(subscribe())), (true, true));
    assert_eq!(ends(Reply::events(merge())), (true, true));
    let until = subscribe().take_until(future::pending::<()>());
    assert_eq!(ends(Reply::events(until)), (true, true));
    assert_eq!(
        ends(Reply::from(subscribe()).map_events(Some)),
        (true, true)
    );
    let stays = Reply::from(subscribe()).with_end_at_shutdown(false);
    assert_eq!(ends(stays.map_events(Some)), (false, true));

    // The stream has another part, which no client can resume.
    let among_others = subscribe().map(IntoStreamItem::into_stream_item);
    assert_eq!(ends(Reply::events(among_others)), (false, false));
    assert_eq!(ends(Reply::events(stream::iter(["x"]))), (false, false));
    assert_eq!(
        ends(Reply::events(stream::iter(["x"])).with_end_at_shutdown(true)),
        (true, false)
    );
}

#[test]
fn a_reply_may_have_a_keep_alive_of_its_own() {
    let it = Broadcast::new(topic::TopicConfig::default());
    let topic = it.topic.clone();
    let reply = move |keep_alive| {
        Reply::from(topic.subscribe())
            .with_keep_alive(keep_alive)
            .map_events(Some)
    };
    let heartbeat = Event::new("").with_event_type("heartbeat").unwrap();
    let heartbeat = KeepAlive::every(secs(5)).with_event(heartbeat);
    let never = reply.clone();
    let world = World::new(
        Router::new()
            .events("/heartbeat", move |_| reply(heartbeat.clone()))
            .events("/never", move |_| never(KeepAlive::never())),
    );
    let mut idle = world.get("/heartbeat");
    let mut silent = world.get("/never");
    world.advance(secs(10), &mut idle);
    let body = "event: heartbeat\ndata:\n\n".repeat(2);
    assert_eq!(Received::by(&idle).body, body);
    world.advance(secs(600), &mut silent);
    assert_eq!(Received::by(&silent).body, "");
}

#[test]
fn comments_of_a_stream_go_out_where_they_stand() {
    let yielded = || {
        stream::iter([
            "a".into_stream_item(),
            Comment::new("b").into_stream_item(),
            "c".into_stream_item(),
        ])
    };
    let world = World::new(Router::new().events("/", move |_| yielded()));
    let client = world.get("/");
    assert_eq!(Received::by(&client).body, "data: a\n\n: b\ndata: c\n\n");
}

#[test]
fn the_events_of_a_topic_are_counted_for_each_client() {
    let it = Broadcast::new(topic::TopicConfig::default());
    let _clients = [it.get_with("/", ""), it.get_with("/", "")];
    it.publish(3);
    it.world.sim.settle();
    assert_eq!(it.world.handle.stats().events, 6);
}

//! Open streams that are listed and ended from outside.

use futures_util::FutureExt;
use sse_core::topic::{Topic, TopicConfig};
use sse_driver::{
    OpenStreams, ServerConfig, TrustedProxies,
    router::{Request, Router},
};

use crate::{
    harness::{Feed, Journal, Received, World, secs},
    sim::Sim,
};

struct Listed {
    world: World,
    streams: OpenStreams,
    topic: Topic,
    feed: Feed,
    journal: Journal,
}

fn listed() -> Listed {
    let streams = OpenStreams::new();
    let mut config = ServerConfig::default();
    config.open_streams = Some(streams.clone());
    config.trusted_proxies = TrustedProxies::with_x_forwarded_for(["127.0.0.1"]).ok();
    let (feed, journal) = (Feed::default(), Journal::default());
    let topic = Topic::on(Sim::new(), TopicConfig::default());
    let (source, log, fed) = (topic.clone(), journal.clone(), feed.handler(&journal));
    let router = Router::new()
        .events("/rooms/{room}", move |request: Request| {
            log.watch_clean_up(&request);
            request.label_stream(request.query_param("user").unwrap_or_default().into_owned());
            source.resume(&request)
        })
        .events("/feed", fed)
        .events("/slow", |request: Request| {
            request.label_stream("slow");
            async move {
                request.shutdown().await;
                request.shutdown().map(|()| "x").into_stream()
            }
        })
        .get("/page", async |_| sse_core::http::Response::new("page"));
    Listed {
        world: World::with_config(config, router),
        streams,
        topic,
        feed,
        journal,
    }
}

#[test]
fn a_stream_is_listed_with_what_is_known_of_it_until_it_ends() {
    let it = listed();
    let (start, sim) = (it.world.sim.elapsed(), &it.world.sim);
    let mut client = it.world.sim.connect_over(300).unwrap();
    client.send(
        "GET /rooms/a?user=alice HTTP/1.1\r\nHost: sim\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n",
    );
    sim.settle();
    let page = it.world.get("/page");
    let [stream] = &it.streams.list()[..] else {
        panic!("{:?}", it.streams.list());
    };
    assert_eq!(stream.route.as_deref(), Some("/rooms/{room}"));
    assert_eq!(stream.path, "/rooms/a");
    assert_eq!(stream.label.as_deref(), Some("alice"));
    assert_eq!(stream.client, Some([192, 0, 2, 7].into()));
    assert!(stream.peer.is_some_and(|peer| peer.ip().is_loopback()));
    assert_eq!((stream.events, stream.last_event), (0, None));
    assert_eq!(stream.behind, Some(0));

    sim.advance(secs(2));
    it.topic.publish("one").unwrap();
    sim.settle();
    let since = stream.since;
    let stream = &it.streams.list()[0];
    assert_eq!((stream.events, stream.behind), (1, Some(0)));
    assert_eq!(stream.last_event, Some(since + secs(2)));
    // The client reads nothing, so that the topic continues without it.
    for _ in 0..200 {
        it.topic.publish("x".repeat(1000)).unwrap();
        sim.settle();
    }
    let stream = &it.streams.list()[0];
    assert!(stream.events < 200);
    assert_eq!(stream.behind, Some(201 - stream.events));

    client.close();
    sim.settle();
    assert!(it.streams.is_empty(), "{:?}", it.streams.list());
    assert_eq!(it.journal.lines(), ["clean-up: the client went away"]);
    drop((page, start));
}

#[test]
fn a_logout_ends_the_streams_of_a_user_between_two_events() {
    let it = listed();
    let mut clients = [
        it.world.get("/rooms/a?user=alice"),
        it.world.get("/rooms/b?user=bob"),
        it.world.get("/rooms/b?user=alice"),
        it.world.get("/feed"),
    ];
    it.topic.publish("hello").unwrap();
    let is_alice = |stream: &sse_driver::OpenStream| stream.label.as_deref() == Some("alice");
    assert_eq!(it.streams.end_where(is_alice, "logged out"), 2);
    it.world.sim.settle();
    let ended = clients.each_mut().map(|client| {
        client.read_all();
        client.at_end()
    });
    assert_eq!(ended, [true, false, true, false]);
    assert!(Received::by(&clients[0]).complete);
    let reasons = ["clean-up: the stream was ended: logged out"; 2];
    assert_eq!(it.journal.lines(), reasons);
    assert_eq!(it.streams.len(), 2);

    // One is ended by its number, which the handler knows.
    let feed = it.streams.list()[1].clone();
    assert_eq!((feed.path.as_str(), feed.behind), ("/feed", None));
    it.feed.push("last");
    it.world.sim.settle();
    assert!(it.streams.end(feed.id, "revoked"));
    assert!(it.streams.end(feed.id, "of two reasons the first counts"));
    it.world.sim.settle();
    assert!(!it.streams.end(feed.id, "it is over"));
    clients[3].read_all();
    assert_eq!(Received::by(&clients[3]).body, "data: last\n\n");
    let lines = it.journal.lines();
    assert_eq!(
        lines[2..],
        ["stream dropped", "clean-up: the stream was ended: revoked"]
    );
    let closed = it.world.handle.stats().closed;
    let ended = sse_core::lifecycle::CloseReason::Ended("x".into());
    assert_eq!(closed.of(&ended), 3);
}

#[test]
fn a_stream_whose_handler_decides_ends_when_it_has() {
    let it = listed();
    let mut client = it.world.get("/slow");
    assert_eq!((it.streams.list().len(), it.streams.len()), (0, 1));
    let is_slow = |stream: &sse_driver::OpenStream| stream.label.as_deref() == Some("slow");
    assert_eq!(it.streams.end_where(is_slow, "too late"), 1);
    it.world.handle.shut_down();
    it.world.sim.settle();
    client.read_all();
    assert_eq!(Received::by(&client).body, "", "{}", client.received());
    assert!(it.streams.is_empty());
}

#[cfg(feature = "http-body")]
#[test]
fn an_embedding_and_a_server_share_a_list() {
    use crate::embedding::harness::{Reader, World, get, now};

    let it = listed();
    let world = World::with(|config| config.open_streams = Some(it.streams.clone()));
    let reader = world.reader();
    let _client = it.world.get("/feed");
    assert_eq!(it.streams.list().len(), 2);
    assert_eq!(
        it.streams
            .end_where(|stream| stream.route.is_none(), "over"),
        1
    );
    assert_eq!(reader.text(), "");
    assert_eq!(reader.job.take(), Some(Ok(())));
    assert_eq!(it.streams.list().len(), 1);
    let lines = world.journal.lines();
    assert_eq!(
        lines,
        ["stream dropped", "clean-up: the stream was ended: over"]
    );
    let dropped = now(&world.sim, world.embedding.respond(get("/"), None, |_| "x"));
    drop(Reader::start(&world.sim, dropped.into_body()));
    assert_eq!(it.streams.list().len(), 1);
}

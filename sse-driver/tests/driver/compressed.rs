//! Compressed streams on their way from handlers to clients, over a socket and inside a foreign server.

use std::io::Read;

use futures_util::{StreamExt, future, stream};
use sse_core::{
    http::header,
    server::StreamCompression,
    topic::{MergedSubscriber, Topic, TopicConfig, resumable::ResumableConfig},
};
use sse_driver::{
    Producer, ResumableStreams,
    router::{self, Reply, Router},
};

use crate::{harness::World, sim::Sim};

pub(crate) const GZIP: &str = "accept-encoding: gzip, deflate\r\n";

fn topic() -> Topic {
    topic_of_epoch(7)
}

fn topic_of_epoch(epoch: u64) -> Topic {
    let mut config = TopicConfig::default();
    config.compress = true;
    let sim = Sim::new();
    let topic = Topic::new(config, epoch, move || sse_core::Clock::now(&sim));
    for _ in 0..50 {
        topic.publish("the same again and again").unwrap();
    }
    topic.close();
    topic
}

/// Returns the head of the response, and its whole body without chunks.
fn ask(router: Router, fields: &str) -> (String, Vec<u8>) {
    ask_in(&World::new(router), fields)
}

fn ask_in(world: &World, fields: &str) -> (String, Vec<u8>) {
    let mut client = world.connect();
    client.send(format!("GET / HTTP/1.1\r\nhost: sim\r\n{fields}\r\n"));
    world.sim.settle();
    client.read_all();
    world.sim.settle();
    split(&client.take_received())
}

/// The head of a response in chunks, and its whole body without them.
pub(crate) fn split(received: &[u8]) -> (String, Vec<u8>) {
    let at = received
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap()
        + 4;
    let (head, mut chunks) = received.split_at(at);
    let mut body = Vec::new();
    loop {
        let end = chunks.windows(2).position(|two| two == b"\r\n").unwrap();
        let size = usize::from_str_radix(str::from_utf8(&chunks[..end]).unwrap(), 16).unwrap();
        body.extend_from_slice(&chunks[end + 2..][..size]);
        chunks = &chunks[end + 2 + size + 2..];
        if size == 0 {
            break;
        }
    }
    (String::from_utf8(head.to_vec()).unwrap(), body)
}

pub(crate) fn decode(body: &[u8]) -> String {
    let mut text = String::new();
    flate2::read::GzDecoder::new(body)
        .read_to_string(&mut text)
        .unwrap();
    text
}

/// Requests twice: with and without the coding. Both get the same events, and one gets fewer bytes.
fn is_compressed(router: impl Fn() -> Router) {
    let (head, plain) = ask(router(), "");
    assert!(!head.contains("content-encoding"));
    assert!(head.contains("vary: accept-encoding\r\n"));
    let (head, coded) = ask(router(), GZIP);
    assert!(head.contains("content-encoding: gzip\r\n"));
    assert!(head.contains("vary: accept-encoding\r\n"));
    assert!(2 * coded.len() < plain.len());
    assert_eq!(decode(&coded).as_bytes(), plain);
}

#[test]
fn a_subscriber_of_a_topic_that_compresses_is_compressed_where_the_client_takes_it() {
    is_compressed(|| {
        let topic = topic();
        Router::new().events("/", move |_: router::Request| topic.subscribe_from_oldest())
    });
}

#[test]
fn a_stream_that_is_made_of_a_subscriber_is_compressed_where_the_handler_says_so() {
    is_compressed(|| {
        let topic = topic();
        Router::new().events("/", move |_: router::Request| {
            let subscriber = topic.subscribe_from_oldest();
            Reply::events(subscriber.take_until(future::pending::<()>()))
                .with_compression(StreamCompression::Shared)
        })
    });
}

#[test]
fn a_resumable_stream_whose_topic_compresses_is_compressed() {
    let world = World::on(|sim| {
        let mut config = ResumableConfig::default();
        config.topic.compress = true;
        let streams = ResumableStreams::on(sim.clone(), config);
        Router::new().events("/", move |request: router::Request| {
            let attachment = streams.attach_or_start("x", &request, |_: Producer| {
                stream::iter(["the same again and again"; 50])
            });
            Ok::<_, router::Refusal>(attachment?)
        })
    });
    let (head, body) = ask_in(&world, GZIP);
    assert!(head.contains("content-encoding: gzip\r\n"));
    let text = decode(&body);
    assert_eq!(text.matches("data: the same again and again\n").count(), 50);
    assert!(2 * body.len() < text.len());
}

#[test]
fn a_handlers_own_stream_is_compressed_where_the_handler_says_so() {
    let events = || stream::iter(["the same again and again"; 50]);
    is_compressed(|| {
        Router::new().events("/", move |_: router::Request| {
            Reply::events(events()).with_compression(StreamCompression::Own)
        })
    });
    let router = Router::new().events("/", move |_: router::Request| events());
    let (head, _) = ask(router, GZIP);
    assert!(!head.contains("content-encoding") && !head.contains("vary"));
}

#[test]
fn some_events_of_a_topic_are_plain_unless_the_handler_says_otherwise() {
    let topic = topic();
    let router = Router::new().events("/", move |_: router::Request| {
        topic.subscribe_from_oldest().only_event_types(|_| true)
    });
    let (head, body) = ask(router, GZIP);
    assert!(!head.contains("content-encoding"));
    assert!(body.starts_with(b"id: "));
}

#[test]
fn some_events_of_a_topic_and_several_topics_are_compressed_for_their_client_where_the_handler_says_so()
 {
    is_compressed(|| {
        let topic = topic();
        Router::new().events("/", move |_: router::Request| {
            let some = topic.subscribe_from_oldest().only_event_types(|_| true);
            Reply::events(some).with_compression(StreamCompression::Own)
        })
    });
    is_compressed(|| {
        let topics = [topic_of_epoch(1), topic_of_epoch(2)];
        Router::new().events("/", move |_: router::Request| {
            let named = ["tea", "coffee"].into_iter().zip(&topics);
            let merged = MergedSubscriber::resume_from(named, Some("1-0,2-0")).unwrap();
            Reply::events(merged).with_compression(StreamCompression::Own)
        })
    });
}

#[cfg(feature = "http-body")]
#[test]
fn inside_a_foreign_server_it_is_the_same() {
    use crate::embedding::harness::{Reader, World, get, now};

    let world = World::new();
    let topic = topic();
    for takes_gzip in [true, false] {
        let mut request = get("/");
        if takes_gzip {
            let coding = "gzip".parse().unwrap();
            request
                .headers_mut()
                .insert(header::ACCEPT_ENCODING, coding);
        }
        let topic = topic.clone();
        let handler = move |_: router::Request| topic.subscribe_from_oldest();
        let answer = world.embedding.respond(request, None, handler);
        let response = now(&world.sim, answer);
        let coding = response.headers().get(header::CONTENT_ENCODING);
        assert_eq!(coding.is_some(), takes_gzip);
        let reader = Reader::start(&world.sim, response.into_body());
        let text = match takes_gzip {
            true => decode(&reader.read.lock().unwrap()),
            false => reader.text(),
        };
        assert_eq!(text.matches("data: the same again and again\n").count(), 50);
    }
}

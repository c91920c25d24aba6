//! Streams that a reply knows by their types, from annotated handlers that hide the type.

use std::time::Instant;

use futures_util::{Stream, StreamExt, stream};
use sse_driver::core::{
    http::StatusCode,
    topic::{Batch, SlowConsumer, Topic, TopicConfig, resumable::ResumableConfig},
};
use sse_driver::{
    OpenStreams, ResumableStreams, controller,
    router::{Refusal, Request, Router},
    sse,
    test_client::{TestClient, TestClock},
};

type Item = Result<Batch, SlowConsumer>;

#[sse("answer")]
fn answer(
    #[state] streams: ResumableStreams,
    request: Request,
) -> Result<impl Stream<Item = Item>, Refusal> {
    Ok(streams.attach_or_start("an-id", &request, |_| stream::iter(["one"]))?)
}

struct News(Topic);

#[controller]
impl News {
    #[sse("news")]
    async fn news(&self, request: Request) -> impl Stream<Item = Item> + use<> {
        self.0.resume(&request)
    }
}

fn request(path: &str, last_event_id: &str) -> sse_driver::core::http::Request<()> {
    let request = sse_driver::core::http::Request::get(path);
    request
        .header("last-event-id", last_event_id)
        .body(())
        .unwrap()
}

#[test]
fn a_client_that_has_a_whole_resumable_stream_is_told_not_to_come_back() {
    let clock = TestClock::new(Instant::now());
    let streams = ResumableStreams::on(clock.clone(), ResumableConfig::default());
    let client = TestClient::new(Router::new().controller(answer { streams }), &clock).unwrap();
    let asking = async {
        let mut response = client.get("/answer").await.unwrap();
        let mut last = String::new();
        while let Some(event) = response.next_event().await {
            last = event.last_event_id().to_owned();
        }
        let again = client.request(request("/answer", &last)).await.unwrap();
        assert_eq!(again.head().status(), StatusCode::NO_CONTENT);
    };
    clock.run(asking).unwrap();
}

#[test]
fn a_subscriber_is_told_of_in_the_head_and_in_the_list_of_streams() {
    let clock = TestClock::new(Instant::now());
    let mut config = TopicConfig::default();
    config.announce_in_header = true;
    let topic = Topic::new(config, 7, Instant::now);
    let streams = OpenStreams::new();
    let client = TestClient::new(Router::new().controller(News(topic.clone())), &clock).unwrap();
    let client = client.with_open_streams(&streams);
    let asking = async {
        topic.publish("one").unwrap();
        let mut response = client.request(request("/news", "7-0")).await.unwrap();
        assert_eq!(
            response.head().headers()["sse-resume"],
            "resumed; replayed=1"
        );
        response.next().await.unwrap().unwrap();
        topic.publish("two").unwrap();
        assert_eq!(streams.list()[0].behind, Some(1));
    };
    clock.run(asking).unwrap();
}

#![allow(unused)]

use sse_driver::{
    EventSource, ResumableStreams,
    core::topic::{Topic, TopicConfig, resumable::ResumableConfig},
    test_client::TestClock,
};

#[derive(serde::Serialize)]
struct Thing;

fn not_prepared(source: EventSource<TestClock>) {
    source.prepare(async |attempt| "a token");
}

fn not_awaited(source: EventSource<TestClock>) {
    source.prepare(|attempt| attempt);
}

fn not_a_connector(source: EventSource<TestClock>) {
    source.with_connector("proxy.example.org:3128");
}

fn not_a_client(source: EventSource<TestClock>) {
    source.with_http_client("a client");
}

fn not_a_request(topic: &Topic, id: &str) {
    topic.resume(&id);
}

fn not_a_clock() {
    Topic::on("tokio", TopicConfig::default());
}

fn not_a_runtime() {
    ResumableStreams::on("tokio", ResumableConfig::default());
}

fn not_an_event(topic: &Topic) {
    topic.publish(Thing);
}

fn not_a_producer(streams: &ResumableStreams) {
    streams.start("a job", |_| Thing);
}

fn main() {}

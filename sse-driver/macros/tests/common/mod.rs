//! Calls a router without a socket.

use std::time::Instant;

use sse_driver::core::{http, lifecycle::CloseReason};
use sse_driver::{
    router::Router,
    test_client::{TestClient, TestClock},
};

/// Returns the status and the body, with each event as `data;`.
pub(crate) fn ask(router: Router, request: http::Request<()>) -> (u16, String) {
    let clock = TestClock::new(Instant::now());
    let client = TestClient::new(router, &clock).unwrap();
    let client = client.with_peer_addr("192.0.2.7:1".parse().unwrap());
    let asking = async {
        let mut response = client.request(request).await.unwrap();
        let status = response.head().status();
        let events = response
            .head()
            .headers()
            .get("content-type")
            .is_some_and(|kind| kind == "text/event-stream");
        if !events {
            return (status.as_u16(), response.text().await.unwrap());
        }
        let mut text = String::new();
        while let Some(event) = response.next_event().await {
            text += &format!("{};", event.data());
        }
        assert_eq!(response.close_reason().await, CloseReason::StreamEnded);
        (status.as_u16(), text)
    };
    clock.run(asking).unwrap()
}

pub(crate) fn get(target: &str) -> http::Request<()> {
    http::Request::get(target).body(()).unwrap()
}

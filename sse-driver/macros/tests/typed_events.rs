//! Enums as events, in both directions.

use std::time::Instant;

use futures_util::{Stream, StreamExt, stream};
use serde::{Deserialize, Serialize};
use sse_driver::core::{Typed, TypedError, TypedEvents};
use sse_driver::{
    FromEvent, IntoEvent,
    router::{Request, Router},
    sse,
    test_client::{TestClient, TestClock},
};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct User {
    name: String,
}

#[derive(Clone, Debug, PartialEq, IntoEvent, FromEvent)]
enum Chat {
    UserJoined(User),
    Message(String),
    #[event("HTTP-Error")]
    HTTPError(Option<u16>),
    Ping,
}

fn all() -> [Chat; 4] {
    [
        Chat::UserJoined(User { name: "Ali".into() }),
        Chat::Message("two\nlines".into()),
        Chat::HTTPError(None),
        Chat::Ping,
    ]
}

#[sse("chat")]
fn chat() -> impl Stream<Item = Chat> {
    stream::iter(all())
}

#[sse("one")]
fn one() -> Result<Chat, sse_driver::router::Refusal> {
    Ok(Chat::Ping)
}

#[test]
fn a_variant_is_an_event_type_and_its_content_is_the_data() {
    let events = all().map(|event| event.into_event().unwrap());
    let types = events
        .each_ref()
        .map(|event| event.event_type().map(|t| t.as_str()));
    assert_eq!(
        types,
        [Some("user_joined"), None, Some("HTTP-Error"), Some("ping")]
    );
    let data = events.each_ref().map(|event| event.data().unwrap());
    assert_eq!(
        data,
        [r#"{"name":"Ali"}"#, r#""two\nlines""#, "null", "null"]
    );
}

#[test]
fn a_client_reads_the_values_that_a_server_yields() {
    let clock = TestClock::new(Instant::now());
    let client =
        TestClient::new(Router::new().controller(chat {}).controller(one {}), &clock).unwrap();
    let read = async {
        let response = client.get("/chat").await.unwrap();
        let events = TypedEvents::<_, Chat>::new(response).map(Result::unwrap);
        let events = events.collect::<Vec<_>>().await;
        assert_eq!(events, all().map(Typed::Known));
        let mut one = client.get("/one").await.unwrap();
        assert_eq!(one.next_event().await.unwrap().event_type(), "ping");
    };
    clock.run(read).unwrap();
}

#[test]
fn an_unknown_type_is_a_value_and_bad_data_an_error_and_the_stream_goes_on() {
    let raw = [
        ("news", "{"),
        ("user_joined", r#"{"nam":"#),
        ("ping", "anything at all"),
        ("user_joined", r#"{"name":"Eve"}"#),
    ];
    let raw = raw.map(|(kind, data)| {
        sse_driver::core::Event::new(data)
            .with_event_type(kind)
            .unwrap()
    });
    let router = Router::new().events("/raw", move |_: Request| stream::iter(raw.clone()));
    let clock = TestClock::new(Instant::now());
    let client = TestClient::new(router, &clock).unwrap();
    let read = async {
        let response = client.get("/raw").await.unwrap();
        TypedEvents::<_, Chat>::new(response)
            .collect::<Vec<_>>()
            .await
    };
    let items = clock.run(read).unwrap();
    let [unknown, bad, ping, eve] = &items[..] else {
        panic!("{items:?}");
    };
    assert!(matches!(unknown, Ok(Typed::Unknown(event)) if event.event_type() == "news"));
    let Err(TypedError::Data(bad)) = bad else {
        panic!("{bad:?}");
    };
    assert_eq!(bad.event().data(), r#"{"nam":"#);
    assert!(bad.to_string().contains("\"user_joined\""), "{bad}");
    assert!(matches!(ping, Ok(Typed::Known(Chat::Ping))));
    assert!(matches!(eve, Ok(Typed::Known(Chat::UserJoined(user))) if user.name == "Eve"));
}

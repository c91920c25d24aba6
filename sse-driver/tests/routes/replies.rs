//! The values that a handler may return, and their replies.

use futures_core::Stream;
use futures_util::{FutureExt, StreamExt, stream};
use sse_core::{
    Event,
    http::{HeaderValue, Response, StatusCode, header},
    topic::{self, MergeError, TooManyTopics, Topic, TopicMap, TopicMapConfig},
};
use sse_driver::router::{Refusal, Reply, ReplyBody, Request, Routed, Router};

use super::{ask, context, head};

/// An error of the application.
#[derive(Debug)]
struct NoSuchRoom;

impl From<NoSuchRoom> for Refusal {
    fn from(_: NoSuchRoom) -> Self {
        Refusal::new(StatusCode::NOT_FOUND, "no such room")
    }
}

/// Half of the test is that this compiles without type annotations.
#[test]
fn a_handler_may_return_any_of_these() {
    fn find(room: &str) -> Result<u32, NoSuchRoom> {
        room.parse().map_err(|_| NoSuchRoom)
    }
    async fn function(request: Request) -> Result<impl Stream<Item = u32>, Refusal> {
        let room = find(request.path_param("a").unwrap_or_default())?;
        Ok(stream::iter([room]))
    }
    fn teapot() -> Refusal {
        Refusal::new(StatusCode::IM_A_TEAPOT, "short and stout")
            .with_header(header::RETRY_AFTER, 5.into())
    }
    #[allow(clippy::disallowed_methods)] // an `Instant` has to come from somewhere
    let topic = Topic::new(topic::TopicConfig::default(), 0, std::time::Instant::now);
    topic.publish("hello").unwrap();
    topic.close();
    let routes = Router::new()
        .events("/stream", |_| stream::iter(["a"]))
        .events("/moved", |request| stream::iter([request.path().len()]))
        .events("/block", |request| async move {
            let path = request.path().to_owned();
            stream::iter([path])
        })
        .events("/closure", async |request: Request| {
            stream::iter([request.path().to_owned()])
        })
        .events("/result", async |request| -> Result<_, Refusal> {
            let room = find(request.query().unwrap_or_default())?;
            Ok(stream::iter([room]))
        })
        .events("/own-error", |request| -> Result<_, NoSuchRoom> {
            let room = find(request.query().unwrap_or_default())?;
            Ok(stream::iter([room]))
        })
        .events("/of-results", |_| {
            stream::iter([Ok::<_, std::io::Error>(Event::new("ok"))])
        })
        .events("/function/{a}", function)
        .events("/boxed", |_| stream::iter([1]).boxed())
        .events("/topic", {
            let topic = topic.clone();
            move |request| topic.resume(&request)
        })
        .events(
            "/topic-if",
            move |request: Request| -> Result<_, NoSuchRoom> {
                find(request.query().unwrap_or_default())?;
                Ok(topic.resume(&request))
            },
        )
        .events("/reply", |_| {
            Reply::events(stream::iter(["b"])).with_header(header::SERVER, "mine".parse().unwrap())
        })
        .get("/refusal", |_| teapot())
        .get("/refused", |_| Err::<Reply, _>(teapot()))
        .get("/text", |_| Response::new("text"))
        .get("/string", |_| Response::new(String::from("string")))
        .get("/bytes", async |_| Response::new(vec![b'b']))
        .get("/maybe", |_| Ok::<_, Refusal>(Response::new("maybe")))
        .build()
        .unwrap();
    let table = [
        ("/stream", 200, "data: a\n\n"),
        ("/moved", 200, "data: 6\n\n"),
        ("/block", 200, "data: /block\n\n"),
        ("/closure", 200, "data: /closure\n\n"),
        ("/result?7", 200, "data: 7\n\n"),
        ("/result?x", 404, "no such room"),
        ("/own-error?7", 200, "data: 7\n\n"),
        ("/own-error?x", 404, "no such room"),
        ("/of-results", 200, "data: ok\n\n"),
        ("/function/7", 200, "data: 7\n\n"),
        ("/function/x", 404, "no such room"),
        ("/boxed", 200, "data: 1\n\n"),
        ("/topic", 200, ""),
        ("/topic?lastEventId=0-0", 200, "id: 0-1\ndata: hello\n\n"),
        ("/topic-if?7", 200, ""),
        ("/topic-if?x", 404, "no such room"),
        ("/reply", 200, "data: b\n\n"),
        ("/refusal", 418, "short and stout"),
        ("/refused", 418, "short and stout"),
        ("/text", 200, "text"),
        ("/string", 200, "string"),
        ("/bytes", 200, "b"),
        ("/maybe", 200, "maybe"),
    ];
    for (target, status, body) in table {
        let answer = ask(&routes, "GET", target);
        assert_eq!((answer.status, &*answer.body), (status, body), "{target}");
    }
    let refusal = ask(&routes, "GET", "/refusal");
    assert_eq!(refusal.field("retry-after"), Some("5"));
    assert_eq!(
        refusal.field("content-type"),
        Some("text/plain; charset=utf-8")
    );
    assert_eq!(ask(&routes, "GET", "/reply").field("server"), Some("mine"));
}

#[test]
fn a_reply_keeps_its_status_and_all_its_fields() {
    let cookie = |value| HeaderValue::from_static(value);
    let router = Router::new().events("/", move |_| {
        let mut reply = Reply::events(stream::iter(["x"]))
            .with_status(StatusCode::ACCEPTED)
            .with_header(header::SET_COOKIE, cookie("a=1"))
            .with_header(header::SET_COOKIE, cookie("b=2"));
        reply.headers_mut().insert("x-more", 3.into());
        reply
    });
    let answer = ask(&router.build().unwrap(), "GET", "/");
    assert_eq!(answer.status, 202);
    let cookies: Vec<_> = answer.headers.get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=1", "b=2"]);
    assert_eq!(answer.field("x-more"), Some("3"));
}

#[test]
fn a_response_has_one_content_type() {
    let json = || HeaderValue::from_static("application/json");
    let html = || HeaderValue::from_static("text/html");
    let router = Router::new()
        .get("/text", move |_| {
            Reply::text(StatusCode::OK, "{}").with_header(header::CONTENT_TYPE, json())
        })
        .get("/twice", move |_| {
            Reply::text(StatusCode::OK, "{}")
                .with_header(header::CONTENT_TYPE, html())
                .with_header(header::CONTENT_TYPE, json())
        })
        .get("/refusal", move |_| {
            Refusal::new(StatusCode::BAD_REQUEST, "{}")
                .with_header(header::CONTENT_TYPE, html())
                .with_header(header::CONTENT_TYPE, json())
        });
    let routes = router.build().unwrap();
    for target in ["/text", "/twice", "/refusal"] {
        let answer = ask(&routes, "GET", target);
        let types: Vec<_> = answer.headers.get_all("content-type").iter().collect();
        assert_eq!(types, ["application/json"], "{target}");
    }
}

#[test]
fn a_reply_may_be_json() {
    let unordered = || {
        // This is a map whose keys are not text.
        let map = std::collections::BTreeMap::from([(vec![1], 2)]);
        Reply::json(StatusCode::OK, &map)
    };
    let routes = Router::new()
        .get("/ok", |_| Reply::json(StatusCode::ACCEPTED, &[("a", 1)]))
        .get("/bad", move |_| Ok::<_, Refusal>(unordered()?))
        .build()
        .unwrap();
    let ok = ask(&routes, "GET", "/ok");
    assert_eq!((ok.status, &*ok.body), (202, r#"[["a",1]]"#));
    assert_eq!(ok.field("content-type"), Some("application/json"));
    assert_eq!(ask(&routes, "GET", "/bad").status, 500);
}

#[test]
fn a_refusal_may_be_of_another_type_than_text() {
    let router = Router::new().get("/", |_| {
        Refusal::new(StatusCode::BAD_REQUEST, "{}").with_header(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        )
    });
    let answer = ask(&router.build().unwrap(), "GET", "/");
    let types: Vec<_> = answer.headers.get_all("content-type").iter().collect();
    assert_eq!(types, ["application/json"]);
}

#[test]
fn an_item_that_cannot_be_an_event_is_the_streams_error() {
    let router = Router::new().events("/", |_| {
        stream::iter([Ok("fine"), Err(std::io::Error::other("the disk is gone"))])
    });
    let routes = router.build().unwrap();
    let Routed::Call(reply) = routes.route(head("GET", "/", &[]), context()) else {
        panic!("the handler is not asked");
    };
    let (_, ReplyBody::Events(events)) = reply.now_or_never().unwrap().into_parts() else {
        panic!("it is not an event stream");
    };
    let items = events.take(2).collect::<Vec<_>>().now_or_never().unwrap();
    assert!(items[0].is_ok());
    let error = items[1].as_ref().unwrap_err().to_string();
    assert!(error.contains("the disk is gone"), "{error}");
}

fn too_many_topics() -> TooManyTopics {
    let mut config = TopicMapConfig::default();
    config.max_topics = 0;
    let topics = TopicMap::new(config, 0, std::time::Instant::now);
    topics.topic("any").unwrap_err()
}

#[test]
fn topics_that_are_not_to_be_had_are_refused_with_a_status_that_says_whose_fault_it_is() {
    let (full, too_many) = (too_many_topics(), MergeError::TooMany { max: 2 });
    for (refusal, status) in [
        (Refusal::from(full), StatusCode::SERVICE_UNAVAILABLE),
        (
            Refusal::from(MergeError::Map(full)),
            StatusCode::SERVICE_UNAVAILABLE,
        ),
        (Refusal::from(too_many), StatusCode::BAD_REQUEST),
        (Refusal::from(MergeError::NoTopic), StatusCode::BAD_REQUEST),
    ] {
        assert_eq!(refusal.status(), status, "{refusal}");
    }
}

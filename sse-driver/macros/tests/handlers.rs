//! Annotated handlers, called by the test client.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Instant,
};

mod common;

use common::{ask, get};
use futures_util::{Stream, StreamExt, stream};
use sse_driver::core::{
    Event, Json,
    http::{self, StatusCode},
    lifecycle::{CleanUp, ShutdownSignal},
};
use sse_driver::{
    IntoEvent, controller,
    router::{FromRequest, LastEventId, Refusal, Request, Router, extract},
    sse,
    test_client::{TestClient, TestClock},
};

struct Greeter {
    greeting: String,
    calls: AtomicU32,
}

fn greeter() -> Greeter {
    Greeter {
        greeting: "Hello".into(),
        calls: AtomicU32::new(0),
    }
}

/// The user that sent the request.
struct User(String);

impl FromRequest for User {
    async fn from_request(request: &Request) -> Result<Self, Refusal> {
        match extract::header::<Option<String>, _>(request, "x-token")?.as_deref() {
            Some("sesame") => Ok(User("Ali".into())),
            _ => Err(Refusal::new(StatusCode::UNAUTHORIZED, "Say who you are.\n")),
        }
    }
}

#[controller("example")]
impl Greeter {
    #[sse("events")]
    fn events(&self, clean_up: CleanUp) -> impl Stream<Item = String> {
        clean_up.add(|_| {});
        self.calls.fetch_add(1, Ordering::Relaxed);
        stream::iter([self.greeting.clone(), "Goodbye".to_owned()])
    }

    #[sse("rooms/{room}/{*rest}")]
    async fn room(
        &self,
        #[path] room: u32,
        #[path("rest")] below: String,
        #[query] since: Option<u64>,
        #[query("tag")] tags: Vec<String>,
        LastEventId(last): LastEventId,
    ) -> Result<impl Stream<Item = String>, Refusal> {
        if room == 13 {
            return Err(Refusal::new(StatusCode::FORBIDDEN, "not this one\n"));
        }
        let line = format!(
            "{} {room} {below} {since:?} {tags:?} {last:?}",
            self.greeting
        );
        Ok(stream::iter([line]))
    }

    #[sse("whole")]
    async fn whole(
        self: Arc<Self>,
        mut request: Request,
        peer: SocketAddr,
        shutdown: ShutdownSignal,
        #[header] x_number: u8,
        #[cookie] sid: String,
    ) -> String {
        request.extensions_mut().insert(1_u8);
        let begun = shutdown.has_begun();
        format!("{} {peer} {begun} {x_number} {sid}", request.path())
    }

    /// A method with two routes, and a guard.
    #[sse("me")]
    #[sse("myself")]
    fn me(&self, user: User) -> String {
        user.0
    }

    #[sse("nothing")]
    fn nothing(&self) {}

    #[sse("maybe/{yes}")]
    fn maybe(&self, #[path] yes: bool) -> Option<Json<Vec<u8>>> {
        yes.then(|| Json(vec![1, 2]))
    }

    #[sse("future")]
    fn future(&self) -> impl Future<Output = Result<Event, Refusal>> {
        let calls = self.calls.load(Ordering::Relaxed);
        async move { Ok(Event::new(calls.to_string())) }
    }

    fn _not_a_handler(&self) -> &str {
        &self.greeting
    }
}

#[track_caller]
fn assert_answer(target: &str, status: u16, text: &str) {
    let answer = ask(Router::new().controller(greeter()), get(target));
    assert_eq!(answer, (status, text.to_owned()), "{target}");
}

#[test]
fn annotated_methods_are_routed_and_no_others() {
    let router = Router::new().controller(greeter());
    let routes: Vec<_> = router.routes().map(|route| route.to_string()).collect();
    let expected = [
        "GET /example/events (events)",
        "GET /example/rooms/{room}/{*rest} (events)",
        "GET /example/whole (events)",
        "GET /example/me (events)",
        "GET /example/myself (events)",
        "GET /example/nothing (events)",
        "GET /example/maybe/{yes} (events)",
        "GET /example/future (events)",
    ];
    assert_eq!(routes, expected);
}

#[test]
fn a_handler_returns_what_it_likes() {
    assert_answer("/example/events", 200, "Hello;Goodbye;");
    assert_answer("/example/nothing", 200, "");
    assert_answer("/example/maybe/true", 200, "[1,2];");
    assert_answer("/example/maybe/false", 404, "There is nothing here.\n");
    assert_answer("/example/future", 200, "0;");
}

#[test]
fn arguments_come_from_the_request() {
    let target = "/example/rooms/7/a%20b/c?tag=x&since=3&tag=y";
    assert_answer(target, 200, "Hello 7 a b/c Some(3) [\"x\", \"y\"] None;");
    let request = http::Request::get("/example/rooms/7/x").header("last-event-id", "9");
    let (_, text) = ask(
        Router::new().controller(greeter()),
        request.body(()).unwrap(),
    );
    assert_eq!(text, "Hello 7 x None [] Some(\"9\");");

    let request = http::Request::get("/example/whole")
        .header("x-number", "200")
        .header("cookie", "a=b; sid=x=y; c=d")
        .body(());
    let answer = ask(Router::new().controller(greeter()), request.unwrap());
    assert_eq!(
        answer,
        (200, "/example/whole 192.0.2.7:1 false 200 x=y;".to_owned())
    );
}

#[test]
fn a_missing_or_invalid_argument_is_named() {
    let not_a_number = "is not valid: invalid digit found in string.\n";
    assert_answer(
        "/example/rooms/x/y",
        400,
        &format!("The part room {not_a_number}"),
    );
    let since = format!("The query parameter since {not_a_number}");
    assert_answer("/example/rooms/7/y?since=x", 400, &since);
    assert_answer("/example/rooms/13/y", 403, "not this one\n");
    assert_answer(
        "/example/whole",
        400,
        "The header field x-number is missing. Send it.\n",
    );

    let bad = [
        (
            vec![("x-number", "256")],
            "The header field x-number is not valid: number too large to fit in target type.\n",
        ),
        (
            vec![("x-number", "1")],
            "The cookie sid is missing. Send it.\n",
        ),
        (
            vec![("x-number", "1"), ("cookie", "sid")],
            "The cookie sid is missing. Send it.\n",
        ),
    ];
    for (fields, text) in bad {
        let mut request = http::Request::get("/example/whole");
        for (name, value) in fields {
            request = request.header(name, value);
        }
        let answer = ask(
            Router::new().controller(greeter()),
            request.body(()).unwrap(),
        );
        assert_eq!(answer, (400, text.to_owned()));
    }
}

#[test]
fn a_guard_keeps_the_handler_from_being_called() {
    assert_answer("/example/me", 401, "Say who you are.\n");
    let request = http::Request::get("/example/myself").header("x-token", "sesame");
    let answer = ask(
        Router::new().controller(greeter()),
        request.body(()).unwrap(),
    );
    assert_eq!(answer, (200, "Ali;".to_owned()));
}

/// Counts to a number.
#[sse("/count/{to}")]
fn count(
    #[path] to: u32,
    #[state] step: usize,
    #[state] name: Arc<str>,
) -> impl Stream<Item = String> {
    stream::iter(1..=to)
        .step_by_usize(step)
        .map(move |n| format!("{name} {n}"))
}

/// A step that a test can observe.
trait StepBy: Stream + Sized {
    fn step_by_usize(self, step: usize) -> impl Stream<Item = Self::Item>;
}

impl<S: Stream> StepBy for S {
    fn step_by_usize(self, step: usize) -> impl Stream<Item = S::Item> {
        self.enumerate()
            .filter_map(
                move |(index, item)| async move { index.is_multiple_of(step).then_some(item) },
            )
    }
}

#[sse]
async fn root() -> &'static str {
    "the root"
}

#[test]
fn a_function_brings_its_route_and_its_state() {
    let router = || {
        Router::new()
            .controller(count {
                step: 2,
                name: "n".into(),
            })
            .controller(root {})
    };
    assert_eq!(
        ask(router(), get("/count/5")),
        (200, "n 1;n 3;n 5;".to_owned())
    );
    assert_eq!(ask(router(), get("/")), (200, "the root;".to_owned()));
    let routes: Vec<_> = router()
        .routes()
        .map(|route| route.path().to_owned())
        .collect();
    assert_eq!(routes, ["/count/{to}", "/"]);
}

#[test]
fn a_function_can_still_be_called() {
    let events = count(2, 1, "n".into()).collect::<Vec<_>>();
    let clock = TestClock::new(Instant::now());
    assert_eq!(clock.run(events).unwrap(), ["n 1", "n 2"]);
}

struct Pair<T>(T);

#[controller]
impl<T: Clone + IntoEvent + Send + Sync + 'static> Pair<T> {
    #[sse("pair")]
    fn pair(&self) -> impl Stream<Item = T> {
        stream::iter([self.0.clone(), self.0.clone()])
    }
}

#[test]
fn a_controller_may_be_generic_and_have_no_path() {
    let answer = ask(
        Router::new().nest("/below", Router::new().controller(Pair("x"))),
        get("/below/pair"),
    );
    assert_eq!(answer, (200, "x;x;".to_owned()));
}

#[derive(serde::Deserialize)]
struct Prompt {
    words: Vec<String>,
}

#[sse("answer", method = POST)]
fn answer(Json(prompt): Json<Prompt>) -> impl Stream<Item = String> {
    stream::iter(prompt.words)
}

#[sse("answer")]
fn asked(request: Request) -> String {
    format!("{}, and no body", request.method())
}

#[test]
fn a_handler_of_another_method_takes_a_body() {
    let router = Router::new().controller(answer {}).controller(asked {});
    let routes: Vec<_> = router.routes().map(|route| route.to_string()).collect();
    assert_eq!(routes, ["POST /answer (response)", "GET /answer (events)"]);

    let clock = TestClock::new(Instant::now());
    let client = TestClient::new(router, &clock).unwrap();
    let post = |kind: &str, body: &'static str| {
        let request = http::Request::post("/answer").header("content-type", kind);
        client.request_with_body(request.body(body).unwrap())
    };
    clock
        .run(async {
            let body = r#"{"words": ["one", "two"]}"#;
            let response = post("application/json", body).await.unwrap();
            let events: Vec<_> = response
                .map(|event| event.unwrap().data().to_owned())
                .collect()
                .await;
            assert_eq!(events, ["one", "two"]);
            for (kind, body, status) in [
                ("text/plain", body, 415),
                ("application/json", "{", 400),
                ("application/json", "{}", 422),
            ] {
                let response = post(kind, body).await.unwrap();
                assert_eq!(response.head().status(), status);
            }
            let mut response = client.get("/answer").await.unwrap();
            assert_eq!(
                response.next_event().await.unwrap().data(),
                "GET, and no body"
            );
        })
        .unwrap();
}

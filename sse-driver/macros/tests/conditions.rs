//! `#[cfg]` on handlers and arguments, several routes of one handler, and user types with names of this
//! crate.

mod common;

use common::{ask, get};
use futures_util::{Stream, stream};
use sse_driver::core::{
    Json,
    http::{self, StatusCode},
};
use sse_driver::{
    IntoEvent, controller,
    router::{FromRequest, Refusal, Request as Asked, Router, extract},
    sse,
};

/// A user type with a name of this crate.
struct Request {
    agent: String,
}

impl FromRequest for Request {
    async fn from_request(request: &Asked) -> Result<Self, Refusal> {
        let agent = extract::header(request, "user-agent")?;
        Ok(Self { agent })
    }
}

struct Rooms;

#[controller("rooms")]
impl Rooms {
    #[cfg(test)]
    #[sse("here")]
    fn here(&self) -> &'static str {
        "here"
    }

    #[cfg(not(test))]
    #[sse("gone")]
    fn gone(&self) -> TypeThatDoesNotExist {}

    #[cfg_attr(test, sse("perhaps"))]
    #[cfg_attr(not(test), sse("perhaps/not"))]
    fn perhaps(&self) -> &'static str {
        "perhaps"
    }

    #[sse("arguments/{room}")]
    fn arguments(
        &self,
        #[cfg(test)]
        #[path]
        room: u32,
        #[cfg(not(test))]
        #[path]
        room: TypeThatDoesNotExist,
        #[query] since: Option<u64>,
        #[cfg(not(test))] guard: TypeThatDoesNotExist,
    ) -> String {
        format!("{room} {since:?}")
    }

    #[sse("two/{room}")]
    #[sse("other/{room}/{*rest}")]
    #[sse("two/{room}", method = POST)]
    async fn two(
        &self,
        #[path] room: u32,
        #[query] since: Option<u64>,
        asked: Asked,
    ) -> impl Stream<Item = String> {
        stream::iter([format!("{} {room} {since:?}", asked.method())])
    }

    #[sse("theirs")]
    fn theirs(&self, request: Request, whole: Asked) -> String {
        format!("{} {}", request.agent, whole.path())
    }

    #[sse("twice")]
    fn twice(&self, one: Asked, other: Asked, #[query] since: u8) -> String {
        format!("{} {} {since}", one.path(), other.path())
    }
}

#[sse("function/{room}")]
#[sse("also/{room}")]
#[cfg_attr(test, sse("tested/{room}"))]
fn function(
    #[cfg(test)]
    #[state]
    name: &'static str,
    #[cfg(not(test))]
    #[state]
    name: TypeThatDoesNotExist,
    #[path] room: String,
    #[cfg(not(test))] request: TypeThatDoesNotExist,
) -> impl Stream<Item = String> {
    stream::iter([format!("{name} {room}")])
}

fn router() -> Router {
    Router::new()
        .controller(Rooms)
        .controller(function { name: "n" })
}

#[track_caller]
fn assert_answer(target: &str, status: u16, text: &str) {
    let answer = ask(router(), get(target));
    assert_eq!(answer, (status, text.to_owned()), "{target}");
}

#[test]
fn a_condition_of_a_handler_is_one_of_its_routes() {
    let routes: Vec<_> = router().routes().map(|route| route.to_string()).collect();
    let expected = [
        "GET /rooms/here (events)",
        "GET /rooms/perhaps (events)",
        "GET /rooms/arguments/{room} (events)",
        "GET /rooms/two/{room} (events)",
        "GET /rooms/other/{room}/{*rest} (events)",
        "POST /rooms/two/{room} (response)",
        "GET /rooms/theirs (events)",
        "GET /rooms/twice (events)",
        "GET /function/{room} (events)",
        "GET /also/{room} (events)",
        "GET /tested/{room} (events)",
    ];
    assert_eq!(routes, expected);
    assert_answer("/rooms/here", 200, "here;");
    assert_answer("/rooms/perhaps", 200, "perhaps;");
}

#[test]
fn an_argument_may_have_a_condition() {
    assert_answer("/rooms/arguments/7?since=3", 200, "7 Some(3);");
}

#[test]
fn a_handler_may_have_several_routes() {
    assert_answer("/rooms/two/7?since=3", 200, "GET 7 Some(3);");
    assert_answer("/rooms/other/7/below", 200, "GET 7 None;");
    let post = http::Request::post("/rooms/two/7").body(()).unwrap();
    assert_eq!(ask(router(), post), (200, "POST 7 None;".to_owned()));
    for path in ["function", "also", "tested"] {
        assert_answer(&format!("/{path}/a"), 200, "n a;");
    }
}

#[test]
fn an_argument_is_taken_by_its_type_and_not_by_its_name() {
    let request = http::Request::get("/rooms/theirs").header("user-agent", "curl");
    let answer = ask(router(), request.body(()).unwrap());
    assert_eq!(answer, (200, "curl /rooms/theirs;".to_owned()));
    assert_answer("/rooms/twice?since=1", 200, "/rooms/twice /rooms/twice 1;");
    assert_answer(
        "/rooms/theirs",
        400,
        "The header field user-agent is missing. Send it.\n",
    );
}

/// A user's error type, which becomes a refusal.
struct Denied;

impl From<Denied> for Refusal {
    fn from(_: Denied) -> Self {
        Refusal::new(StatusCode::FORBIDDEN, "denied\n")
    }
}

type Answer<T> = Result<T, Denied>;

struct Pair<T>(T);

#[controller("pair")]
impl<T: Clone + IntoEvent + FromRequest + Send + Sync + 'static> Pair<T> {
    #[sse("own")]
    fn own(&self, other: T) -> Answer<Option<impl Stream<Item = T>>> {
        Ok(Some(stream::iter([self.0.clone(), other])))
    }

    #[sse("denied")]
    async fn denied(&self) -> Answer<impl Stream<Item = T>> {
        match false {
            true => Ok(stream::iter([self.0.clone()])),
            false => Err(Denied),
        }
    }
}

#[derive(Clone)]
struct Word(&'static str);

impl FromRequest for Word {
    async fn from_request(_: &Asked) -> Result<Self, Refusal> {
        Ok(Self("asked"))
    }
}

impl IntoEvent for Word {
    fn into_event(self) -> Result<sse_driver::core::Event, sse_driver::core::EventError> {
        Json(self.0).into_event()
    }
}

#[test]
fn a_generic_controller_may_take_what_it_does_not_know() {
    let router = || Router::new().controller(Pair(Word("own")));
    let answer = ask(router(), get("/pair/own"));
    assert_eq!(answer, (200, "\"own\";\"asked\";".to_owned()));
    let answer = ask(router(), get("/pair/denied"));
    assert_eq!(answer, (403, "denied\n".to_owned()));
}

macro_rules! handler {
    ($name:ident($taken:ty, $parameter:ty)) => {
        #[sse("made")]
        fn $name(word: $taken, #[query] since: $parameter, asked: Asked) -> String {
            format!("{} {since:?} {}", word.0, asked.path())
        }
    };
}

handler!(made(Word, Option<u64>));

#[test]
fn a_handler_may_be_written_by_a_macro() {
    let answer = ask(Router::new().controller(made {}), get("/made?since=3"));
    assert_eq!(answer, (200, "asked Some(3) /made;".to_owned()));
}

/// The adapter under another name, as in a program that renames its dependency.
mod my_sse {
    pub(crate) use sse_driver::for_macros;
}

#[derive(sse_driver::IntoEvent, sse_driver::FromEvent)]
#[event(crate = crate::my_sse)]
enum Renamed {
    Said(String),
}

#[controller("renamed", crate = crate::my_sse)]
impl Renamed {
    #[sse("said")]
    fn said(&self) -> Renamed {
        let Self::Said(text) = self;
        Renamed::Said(text.clone())
    }
}

#[sse("renamed", crate = crate::my_sse)]
fn renamed() -> Renamed {
    Renamed::Said("hello".to_owned())
}

#[test]
fn the_crate_that_the_code_names_may_have_another_name() {
    let router = || {
        let controller = Renamed::Said("again".to_owned());
        Router::new().controller(renamed {}).controller(controller)
    };
    assert_eq!(ask(router(), get("/renamed")), (200, "\"hello\";".into()));
    let answer = ask(router(), get("/renamed/said"));
    assert_eq!(answer, (200, "\"again\";".into()));
}

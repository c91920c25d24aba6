//! Async guards: the handler is called after them or not at all, and they are bounded and dropped as a
//! handler is.

use std::{future, sync::Arc};

use futures_util::{Stream, stream};
use sse_core::http::StatusCode;
use sse_driver::{
    ServerConfig, controller,
    router::{FromRequest, Refusal, Request, Router},
    sse,
};
use tokens::Tokens;

use crate::{
    harness::{Journal, MILLI, Received, World, secs},
    sim::Client,
};

/// A database whose answers the test gives.
mod tokens {
    use std::{
        future::poll_fn,
        sync::{Arc, Mutex},
        task::{Poll, Waker},
    };

    #[derive(Clone, Default)]
    pub(super) struct Tokens(Arc<Mutex<Shared>>);

    #[derive(Default)]
    struct Shared {
        answer: Option<bool>,
        asked: Option<Waker>,
    }

    impl Tokens {
        /// Waits for the answer.
        pub(super) async fn know(&self) -> bool {
            poll_fn(|cx| {
                let mut shared = self.0.lock().unwrap();
                shared.asked = Some(cx.waker().clone());
                shared.answer.map_or(Poll::Pending, Poll::Ready)
            })
            .await
        }

        pub(super) fn answer(&self, answer: bool) {
            let asked = {
                let mut shared = self.0.lock().unwrap();
                shared.answer = Some(answer);
                shared.asked.take()
            };
            asked.expect("a guard has asked").wake();
        }
    }
}

/// The value that a layer leaves for the guard.
#[derive(Clone, Default)]
struct Database {
    tokens: Tokens,
    journal: Journal,
}

/// A user that the database knows.
struct User;

impl FromRequest for User {
    async fn from_request(request: &Request) -> Result<Self, Refusal> {
        let Some(database) = request.as_http().extensions().get::<Database>() else {
            return Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "none\n"));
        };
        database.journal.watch_clean_up(request);
        let _asking = Asking(database.journal.clone());
        match database.tokens.know().await {
            true => Ok(User),
            false => Err(Refusal::new(StatusCode::UNAUTHORIZED, "Log in first.\n")),
        }
    }
}

/// Logs when the guard is done, or dropped.
struct Asking(Journal);

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.note("guard over");
    }
}

/// A guard that is ready at once, and is taken after the other one.
struct Second;

impl FromRequest for Second {
    async fn from_request(request: &Request) -> Result<Self, Refusal> {
        if let Some(database) = request.as_http().extensions().get::<Database>() {
            database.journal.note("second guard");
        }
        Ok(Self)
    }
}

struct Rooms {
    greeting: String,
    journal: Journal,
}

#[controller]
impl Rooms {
    #[sse("plain")]
    fn plain(&self, _user: User, _second: Second) -> impl Stream<Item = String> + use<> {
        self.journal.note("handler called");
        stream::iter([self.greeting.clone()])
    }

    /// Its stream borrows.
    #[sse("borrows/{room}")]
    async fn borrows(
        &self,
        request: Request,
        #[path] room: u32,
        _user: User,
        _second: Second,
    ) -> impl Stream<Item = &str> {
        future::ready((request, room)).await;
        self.journal.note("handler called");
        stream::iter([self.greeting.as_str()])
    }
}

#[sse("function")]
fn function(
    _user: User,
    _second: Second,
    #[state] journal: Journal,
    #[state] greeting: Arc<str>,
) -> String {
    journal.note("handler called");
    greeting.to_string()
}

/// The three kinds of handlers.
const PATHS: [&str; 3] = ["/plain", "/borrows/7", "/function"];

fn serve(config: ServerConfig) -> (World, Database) {
    let database = Database::default();
    let layer = database.clone();
    let journal = database.journal.clone();
    let router = Router::new()
        .controller(Rooms {
            greeting: "Hello".into(),
            journal: journal.clone(),
        })
        .controller(function {
            journal,
            greeting: "Hello".into(),
        })
        .layer(
            move |mut request: Request, next: sse_driver::router::Next| {
                request.extensions_mut().insert(layer.clone());
                next.run(request)
            },
        );
    (World::with_config(config, router), database)
}

/// Returns a client that has requested `path`, and whose guard waits.
fn ask(world: &World, path: &str) -> Client {
    let client = world.get(path);
    assert_eq!(client.received(), "");
    client
}

#[test]
fn the_handler_is_called_once_its_guards_have_answered() {
    for path in PATHS {
        let (world, database) = serve(ServerConfig::default());
        let mut client = ask(&world, path);
        assert_eq!(database.journal.lines(), [""; 0]);

        database.tokens.answer(true);
        world.sim.settle();
        client.read_all();
        assert_eq!(Received::by(&client).body, "data: Hello\n\n", "{path}");
        let lines = database.journal.lines();
        assert_eq!(lines[..3], ["guard over", "second guard", "handler called"]);
    }
}

#[test]
fn a_guard_that_refuses_after_a_wait_keeps_the_others_and_the_handler_from_being_called() {
    for path in PATHS {
        let (world, database) = serve(ServerConfig::default());
        let mut client = ask(&world, path);

        database.tokens.answer(false);
        world.sim.settle();
        client.read_all();
        let received = Received::by(&client);
        assert_eq!((received.status, &*received.body), (401, "Log in first.\n"));
        let lines = database.journal.lines();
        assert_eq!(lines, ["guard over", "clean-up: the response was sent"]);
    }
}

#[test]
fn a_guard_that_waits_too_long_is_answered_503_as_a_handler_is() {
    for path in PATHS {
        let mut config = ServerConfig::default();
        config.connection.response.respond_timeout = secs(3);
        let (world, database) = serve(config);
        let mut client = ask(&world, path);

        world.advance(secs(3) - MILLI, &mut client);
        assert_eq!(client.received(), "");
        world.advance(MILLI, &mut client);
        assert_eq!(Received::by(&client).status, 503, "{path}");
        assert!(client.at_end());
        let lines = database.journal.lines();
        let over = "clean-up: the handler did not answer in time";
        assert_eq!(lines, ["guard over", over]);
    }
}

#[test]
fn a_client_that_goes_away_ends_the_guard_that_it_waits_for() {
    for path in PATHS {
        let (world, database) = serve(ServerConfig::default());
        ask(&world, path).close();
        world.sim.settle();
        let lines = database.journal.lines();
        let over = "clean-up: the client went away";
        assert_eq!(lines, ["guard over", over], "{path}");
        assert_eq!(world.handle.open_connections(), 0);
    }
}

#[test]
fn arguments_without_waiting_are_taken_before_a_guard_waits() {
    let (world, database) = serve(ServerConfig::default());
    let client = world.get("/borrows/lobby");
    assert_eq!(Received::by(&client).status, 400);
    assert_eq!(database.journal.lines(), [""; 0]);
}

//! The response to a request, and the shutdown.

use futures_util::{FutureExt, stream};
use http_body::Body as _;
use sse_core::{
    Event,
    http::{HeaderValue, Method, Response, StatusCode, header},
    lifecycle::CloseReason,
};
use sse_driver::router::{self, Refusal, Reply, Router};

use super::harness::{Reader, World, get, now};
use crate::harness::{MILLI, secs};

#[test]
fn whole_answers_are_whole() {
    let world = World::new();
    let journal = world.journal.clone();
    let handler = move |request: router::Request| {
        journal.watch_clean_up(&request);
        Err::<stream::Empty<u8>, _>(Refusal::new(StatusCode::FORBIDDEN, "no"))
    };
    for (method, read, length) in [(Method::GET, "no", None), (Method::HEAD, "", Some("2"))] {
        let mut request = get("/");
        *request.method_mut() = method;
        let response = now(
            &world.sim,
            world.embedding.respond(request, None, handler.clone()),
        );
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
        let stated = response.headers().get(header::CONTENT_LENGTH);
        assert_eq!(stated.map(|value| value.to_str().unwrap()), length);
        let exact = (!read.is_empty()).then_some(read.len() as u64);
        assert_eq!(response.body().size_hint().exact(), exact);
        assert_eq!(response.body().is_end_stream(), read.is_empty());
        let reader = Reader::start(&world.sim, response.into_body());
        assert_eq!(reader.text(), read);
    }
    // The server does not take it.
    drop(now(
        &world.sim,
        world.embedding.respond(get("/"), None, handler),
    ));
    let sent = "clean-up: the response was sent";
    let away = "clean-up: the client went away";
    assert_eq!(world.journal.lines(), [sent, sent, away]);
    // This counts once, and not for the request of the head alone.
    assert_eq!(world.embedding.stats().written_bytes, 2);
}

#[test]
fn where_there_is_no_body_no_stream_is_opened() {
    let world = World::new();
    let mut head = get("/");
    *head.method_mut() = Method::HEAD;
    let response = world.respond(head);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert!(response.headers().get(header::CONTENT_LENGTH).is_none());
    assert!(response.body().is_end_stream());
    // Otherwise a server would say that there are no bytes.
    assert_eq!(response.body().size_hint().exact(), None);
    drop(response);
    assert_eq!(
        world.journal.lines(),
        ["stream dropped", "clean-up: the response was sent"]
    );

    let answer = world.embedding.respond(get("/"), None, |_| {
        Reply::events(stream::pending::<Event>()).with_status(StatusCode::NO_CONTENT)
    });
    let response = now(&world.sim, answer);
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    assert!(response.body().is_end_stream());
}

#[test]
fn fields_that_are_the_servers_are_left_out() {
    let world = World::new();
    let answer = world.embedding.respond(get("/"), None, |_| {
        Reply::events(stream::pending::<Event>())
            .with_header(header::TRANSFER_ENCODING, HeaderValue::from_static("gzip"))
            .with_header(header::CONNECTION, HeaderValue::from_static("close"))
            .with_header(header::SET_COOKIE, HeaderValue::from_static("a=1"))
    });
    let response = now(&world.sim, answer);
    assert!(response.headers().get(header::TRANSFER_ENCODING).is_none());
    assert!(response.headers().get(header::CONNECTION).is_none());
    assert_eq!(response.headers()["set-cookie"], "a=1");
}

#[test]
fn a_handler_that_does_not_answer_in_time_is_answered_for() {
    let world = World::with(|config| config.response.respond_timeout = secs(3));
    let journal = world.journal.clone();
    let job = world.sim.start(world.embedding.respond(get("/"), None, {
        async move |request: router::Request| {
            journal.watch_clean_up(&request);
            std::future::pending::<stream::Empty<u8>>().await
        }
    }));
    world.sim.advance(secs(3) - MILLI);
    assert!(job.take().is_none());
    world.sim.advance(MILLI);
    let response = job.take().unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    drop(response);
    assert_eq!(
        world.journal.lines(),
        ["clean-up: the handler did not answer in time"]
    );
}

#[test]
fn an_answer_that_is_dropped_while_its_handler_decides_is_cleaned_up() {
    let world = World::new();
    let journal = world.journal.clone();
    let job = world.sim.start(world.embedding.respond(get("/"), None, {
        async move |request: router::Request| {
            journal.watch_clean_up(&request);
            std::future::pending::<stream::Empty<u8>>().await
        }
    }));
    world.sim.settle();
    job.cancel();
    assert_eq!(world.journal.lines(), ["clean-up: the client went away"]);
    assert_eq!(world.embedding.open(), 0);
}

#[test]
fn an_interim_status_is_not_a_response() {
    let world = World::new();
    let answer = world.embedding.respond(get("/"), None, |_| {
        Reply::text(StatusCode::PROCESSING, "not yet")
    });
    let response = now(&world.sim, answer);
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
}

#[test]
fn the_number_of_open_streams_is_bounded() {
    let world = World::with(|config| config.max_open = 2);
    let (first, second) = (world.open(), world.open());
    let response = world.respond(get("/"));
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    let wait: u64 = response.headers()["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=10).contains(&wait), "{wait}");
    assert_eq!(world.embedding.open(), 2);
    drop(first);
    assert_eq!(world.respond(get("/")).status(), StatusCode::OK);
    drop(second);
}

#[test]
fn a_shutdown_lets_streams_end_and_cuts_the_others() {
    let world = World::with(|config| config.shutdown_timeout = secs(4));
    let endless = world.reader();
    let polite = now(
        &world.sim,
        world.embedding.respond(get("/"), None, |request| {
            stream::once(async move {
                request.shutdown().await;
                "goodbye"
            })
        }),
    );
    let polite = Reader::start(&world.sim, polite.into_body());

    let shutdown = world.sim.start(world.embedding.shut_down());
    world.sim.settle();
    assert_eq!(polite.text(), "data: goodbye\n\n");
    assert_eq!(polite.job.take(), Some(Ok(())));
    // Clients that are still there are served meanwhile.
    world.feed.push("a");
    assert_eq!(endless.text(), "data: a\n\n");
    world.sim.advance(secs(4) - MILLI);
    assert!(shutdown.take().is_none());
    assert!(endless.job.take().is_none());
    world.sim.advance(MILLI);
    assert_eq!(shutdown.take(), Some(1));
    let error = endless.job.take().unwrap().unwrap_err();
    assert_eq!(*error.reason(), CloseReason::Shutdown);
    assert_eq!(
        world.journal.lines(),
        ["stream dropped", "clean-up: the server was shut down"]
    );
    let late = world.respond(get("/"));
    assert_eq!(late.status(), StatusCode::SERVICE_UNAVAILABLE);
    let late = Reader::start(&world.sim, late.into_body());
    assert_eq!(
        late.text(),
        "The server is shutting down. Try again later.\n"
    );
}

#[test]
fn a_shutdown_tells_what_it_cut_and_not_what_is_open() {
    let world = World::with(|config| config.shutdown_timeout = secs(4));
    // A whole response, of which the server has written nothing.
    let page = world
        .embedding
        .respond(get("/"), None, |_| Response::new("page"));
    let page = now(&world.sim, page).into_body();
    // The server drops one of the cut streams, and does nothing with the other.
    let (dropped, forgotten) = (world.open(), world.open());
    let shutdown = world.sim.start(world.embedding.shut_down());
    world.sim.advance(secs(5));
    drop(dropped);
    assert_eq!(
        world.journal.lines(),
        ["stream dropped", "clean-up: the server was shut down"]
    );
    world.sim.advance(secs(4) - MILLI);
    assert!(shutdown.take().is_none());
    world.sim.advance(MILLI);
    assert_eq!(shutdown.take(), Some(1));
    assert_eq!(world.embedding.open(), 2);

    // The response that was not cut can still be taken.
    let reader = Reader::start(&world.sim, page);
    assert_eq!(reader.text(), "page");
    drop(forgotten);
    assert_eq!(world.embedding.shut_down().now_or_never(), Some(2));
}

#[test]
fn a_whole_answer_that_the_server_drops_after_the_cut_is_not_told_as_cut() {
    let world = World::new();
    let page = world
        .embedding
        .respond(get("/"), None, |_| Response::new("page"));
    let page = now(&world.sim, page).into_body();
    world.embedding.cut();
    drop(page);
    assert_eq!(world.embedding.shut_down().now_or_never(), Some(0));
}

#[test]
fn each_task_that_shuts_down_learns_of_the_end() {
    let world = World::new();
    let body = world.open();
    let shutdowns = [0; 2].map(|_| world.sim.start(world.embedding.shut_down()));
    world.sim.settle();
    drop(body);
    world.sim.settle();
    assert_eq!(shutdowns.map(|shutdown| shutdown.take()), [Some(0); 2]);
}

#[test]
fn a_shutdown_waits_for_nothing_where_nothing_is_open() {
    let world = World::new();
    let shutdown = world.sim.start(world.embedding.shut_down());
    world.sim.settle();
    assert_eq!(shutdown.take(), Some(0));
}

#[test]
fn routes_answer_as_they_do_behind_our_own_server() {
    let world = World::new();
    let routes = Router::new()
        .events("/rooms/{room}", |request: router::Request| {
            let room = request.path_param("room").unwrap_or_default().to_owned();
            stream::iter([format!("{room} of {:?}", request.peer_addr())])
        })
        .build()
        .unwrap();
    let peer = "192.0.2.1:4000".parse().unwrap();
    let response = now(
        &world.sim,
        world
            .embedding
            .route(&routes, get("/rooms/blue"), Some(peer)),
    );
    let reader = Reader::start(&world.sim, response.into_body());
    assert_eq!(reader.text(), "data: blue of Some(192.0.2.1:4000)\n\n");

    let mut post = get("/rooms/blue");
    *post.method_mut() = Method::POST;
    let mut with_body = get("/rooms/blue");
    with_body.headers_mut().insert("content-length", 3.into());
    *with_body.body_mut() = "abc".into();
    for (request, status) in [
        (get("/nowhere"), StatusCode::NOT_FOUND),
        (post, StatusCode::METHOD_NOT_ALLOWED),
        (with_body, StatusCode::PAYLOAD_TOO_LARGE),
    ] {
        let response = now(&world.sim, world.embedding.route(&routes, request, None));
        assert_eq!(response.status(), status);
    }
}

#[test]
fn a_cut_answers_for_handlers_that_decide_and_ends_bodies_that_are_not_polled() {
    let world = World::new();
    let journal = world.journal.clone();
    let job = world.sim.start(world.embedding.respond(get("/"), None, {
        async move |request: router::Request| {
            journal.watch_clean_up(&request);
            std::future::pending::<stream::Empty<u8>>().await
        }
    }));
    let body = world.open();
    world.embedding.cut();
    world.sim.settle();
    let response = job.take().expect("it is woken");
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    drop(response);
    drop(body);
    let cut = "clean-up: the server was shut down";
    assert_eq!(world.journal.lines(), [cut, "stream dropped", cut]);
}

#[test]
fn a_body_of_no_bytes_is_sent_without_being_polled() {
    let world = World::new();
    let journal = world.journal.clone();
    let answer = world.embedding.respond(get("/"), None, move |request| {
        journal.watch_clean_up(&request);
        Reply::empty(StatusCode::OK)
    });
    let response = now(&world.sim, answer);
    assert!(response.body().is_end_stream());
    assert_eq!(world.journal.lines(), [""; 0], "the server has it still");
    drop(response);
    assert_eq!(world.journal.lines(), ["clean-up: the response was sent"]);
}

#[test]
fn an_answer_in_the_handlers_place_is_whole() {
    let world = World::new();
    let handler = |_| -> stream::Empty<u8> { panic!("expected in this test") };
    let response = now(&world.sim, world.embedding.respond(get("/"), None, handler));
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let reader = Reader::start(&world.sim, response.into_body());
    assert_eq!(reader.text(), "The server failed to answer.\n");
    // It is read to its end, as by layers that collect it, and has no fault.
    assert_eq!(reader.job.take(), Some(Ok(())));
    let panicked = world.embedding.stats().closed;
    assert_eq!(panicked.of(&CloseReason::HandlerPanicked), 1);
}

#[test]
fn a_request_after_the_beginning_of_a_shutdown_is_refused() {
    let world = World::new();
    world.embedding.begin_shutdown();
    let handler = |_| stream::iter(["never"]);
    let response = now(&world.sim, world.embedding.respond(get("/"), None, handler));
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(response.headers().contains_key(header::RETRY_AFTER));
}

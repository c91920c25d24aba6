//! The event source, against servers that misbehave and one that does not.

use std::{
    io::{ErrorKind, Read, Write},
    sync::{Mutex, mpsc},
    thread,
    time::Duration,
};

use futures_util::{
    StreamExt,
    future::{Either, select},
    stream,
};
use socket2::SockRef;
use sse_core::{
    DecoderLimits, Event,
    client::{Attempt, ClientEvent, End, EventSourceConfig, Loss},
    http::{HeaderValue, Method, StatusCode, header},
};
use sse_driver::{
    self, EventSourceError, EventSourceHandle, ServerConfig,
    router::{Request, Router},
};

use crate::{
    Adapter, EventSource, PATIENCE, patiently,
    peer::{Misbehaving, STREAM_HEAD, flood},
    port::Port,
    running::start_at,
    yield_now,
};

/// Short waits and deadlines: these tests wait for them.
fn impatient() -> EventSourceConfig {
    let mut config = EventSourceConfig::default();
    let reconnection = config.reconnection.as_mut().unwrap();
    reconnection.time = Duration::from_millis(1);
    reconnection.floor = Duration::from_millis(1);
    reconnection.ceiling = Duration::from_millis(5);
    config
}

fn source<A: Adapter>(server: &Misbehaving, config: EventSourceConfig) -> EventSource<A> {
    EventSource::<A>::with_config(&server.url, config).unwrap()
}

/// Returns the data of the next event.
async fn next_data<A: Adapter>(source: &mut EventSource<A>) -> String {
    let event = patiently::<A, _>(source.next())
        .await
        .expect("the stream goes on");
    event.expect("an event").data().to_owned()
}

/// Returns the first loss, and the wait after it.
async fn first_loss<A: Adapter>(mut source: EventSource<A>) -> (Loss, Duration) {
    loop {
        match patiently::<A, _>(source.next_update()).await {
            Some(ClientEvent::Lost { loss, wait }) => return (loss, wait),
            Some(_) => {}
            None => panic!("it ended"),
        }
    }
}

pub fn a_stream_that_ends_at_once_is_not_asked_for_all_the_time<A: Adapter>() {
    A::block_on(async {
        let server = Misbehaving::answering(STREAM_HEAD);
        let (loss, wait) =
            first_loss::<A>(source::<A>(&server, EventSourceConfig::default())).await;
        assert_eq!(loss.name(), "Ended");
        assert!(wait >= Duration::from_secs(3), "{wait:?}");
        assert_eq!(server.requests().len(), 1);
    });
}

pub fn a_retry_of_0_is_held_at_the_floor<A: Adapter>() {
    A::block_on(async {
        let server = Misbehaving::answering(format!("{STREAM_HEAD}retry: 0\n\n"));
        let (_, wait) = first_loss::<A>(source::<A>(&server, EventSourceConfig::default())).await;
        assert!(wait >= Duration::from_secs(1), "{wait:?}");
    });
}

pub fn a_reset_in_mid_event_loses_that_event_alone<A: Adapter>() {
    A::block_on(async {
        let (seen_one, has_seen) = mpsc::channel::<()>();
        let has_seen = Mutex::new(has_seen);
        let server = Misbehaving::new(move |number, mut socket| {
            let text = match number {
                0 => "id: 1\ndata: whole\n\nid: 2\ndata: ha",
                // An event without an id, on a connection with nothing else.
                1 => "data: no id\n\ndata: lf",
                _ => "data: again\n\n",
            };
            let _ = socket.write_all((STREAM_HEAD.to_owned() + text).as_bytes());
            // A reset discards the bytes that the client has not read.
            let _ = has_seen.lock().unwrap().recv();
            let _ = SockRef::from(&socket).set_linger(Some(Duration::ZERO));
        });
        let mut source = source::<A>(&server, impatient());
        let mut seen = Vec::new();
        while seen.len() < 3 {
            let event = patiently::<A, _>(source.next()).await.unwrap().unwrap();
            seen.push((event.data().to_owned(), event.last_event_id().to_owned()));
            seen_one.send(()).unwrap();
        }
        let expected = [("whole", "1"), ("no id", "1"), ("again", "1")];
        assert_eq!(
            seen,
            expected.map(|(data, id)| (data.to_owned(), id.to_owned()))
        );
        let carried: Vec<bool> = server
            .requests()
            .iter()
            .map(|head| head.contains("last-event-id: 1\r\n"))
            .collect();
        assert_eq!(carried, [false, true, true]);
    });
}

pub fn an_endless_line_is_discarded_again_and_again_in_bounded_memory<A: Adapter>() {
    A::block_on(async {
        let server = Misbehaving::new(|_, socket| flood(socket, STREAM_HEAD, "data: x"));
        let mut config = impatient();
        config.decoder_limits = DecoderLimits::default().with_line(100_000);
        let mut source = source::<A>(&server, config);
        let Some(Err(EventSourceError::Discarded(error))) = patiently::<A, _>(source.next()).await
        else {
            panic!("the line is too long")
        };
        assert_eq!(error.limit(), 100_000);
    });
}

pub fn events_get_through_a_flood_of_comments<A: Adapter>() {
    A::block_on(async {
        let server = Misbehaving::new(|_, mut socket| {
            let comments = ": comment\n".repeat(100_000);
            socket
                .write_all((STREAM_HEAD.to_owned() + &comments + "data: x\n\n").as_bytes())
                .unwrap();
            flood(socket, "", ": comment\n");
        });
        let mut source = source::<A>(&server, EventSourceConfig::default());
        assert_eq!(next_data::<A>(&mut source).await, "x");
        // There is no other event, and the endless search for one lets other tasks run.
        let (endless, turn) = (Box::pin(source.next()), Box::pin(yield_now()));
        let Either::Right(_) = select(endless, turn).await else {
            panic!("there is no other event")
        };
    });
}

pub fn a_flood_of_header_fields_is_a_loss<A: Adapter>() {
    A::block_on(async {
        let server = Misbehaving::new(|_, socket| {
            flood(socket, "HTTP/1.1 200 OK\r\n", "X-Field: value\r\n")
        });
        let (loss, _) = first_loss::<A>(source::<A>(&server, impatient())).await;
        let text = loss.to_string();
        assert_eq!(text, "the response head is larger than 65536 bytes");
    });
}

pub fn a_flood_of_interim_responses_is_a_loss<A: Adapter>() {
    A::block_on(async {
        let server =
            Misbehaving::new(|_, socket| flood(socket, "", "HTTP/1.1 102 Processing\r\n\r\n"));
        let (loss, _) = first_loss::<A>(source::<A>(&server, impatient())).await;
        assert_eq!(
            loss.to_string(),
            "the server sent more than 16 interim responses"
        );
    });
}

pub fn interim_responses_come_before_the_response<A: Adapter>() {
    A::block_on(async {
        let server = Misbehaving::answering(format!(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n\
         {STREAM_HEAD}data: x\n\n"
        ));
        let mut source = source::<A>(&server, impatient());
        assert_eq!(next_data::<A>(&mut source).await, "x");
    });
}

pub fn a_slow_drip_is_put_together<A: Adapter>() {
    A::block_on(async {
        let server = Misbehaving::new(|_, mut socket| {
            let head = STREAM_HEAD.replace("Connection: close", "Transfer-Encoding: chunked");
            let body = "5\r\ndata:\r\n5\r\n gr\u{fc}\r\n3\r\nn\n\n\r\n0\r\n\r\n";
            socket.set_nodelay(true).unwrap();
            for byte in (head + body).into_bytes() {
                socket.write_all(&[byte]).unwrap();
                thread::yield_now();
            }
        });
        let mut source = source::<A>(&server, impatient());
        assert_eq!(next_data::<A>(&mut source).await, "gr\u{fc}n");
    });
}

pub fn a_head_that_drips_too_slowly_is_a_loss<A: Adapter>() {
    A::block_on(async {
        let server = Misbehaving::new(|_, mut socket| {
            let _ = socket.write_all(b"HTTP/1.1 200 O");
            let _ = socket.read(&mut [0]);
        });
        let mut config = impatient();
        config.head_timeout = Duration::from_millis(50);
        let (loss, _) = first_loss::<A>(source::<A>(&server, config)).await;
        assert_eq!(loss.name(), "HeadTimeout");
    });
}

pub fn a_silent_stream_is_a_loss_where_one_says_so<A: Adapter>() {
    A::block_on(async {
        let server = Misbehaving::new(|_, mut socket| {
            socket.write_all(STREAM_HEAD.as_bytes()).unwrap();
            let _ = socket.read(&mut [0]);
        });
        let mut config = impatient();
        config.idle_timeout = Some(Duration::from_millis(50));
        let (loss, _) = first_loss::<A>(source::<A>(&server, config)).await;
        assert_eq!(loss.name(), "IdleTimeout");
    });
}

pub fn a_redirect_loop_has_an_end<A: Adapter>() {
    A::block_on(async {
        let server = Misbehaving::answering(
            "HTTP/1.1 302 Found\r\nLocation: /events\r\nContent-Length: 0\r\n\r\n",
        );
        let (loss, wait) =
            first_loss::<A>(source::<A>(&server, EventSourceConfig::default())).await;
        assert_eq!(loss.name(), "TooManyRedirects");
        assert!(wait >= Duration::from_secs(3), "{wait:?}");
        assert_eq!(server.requests().len(), 11);
    });
}

pub fn a_redirect_elsewhere_takes_no_credentials_along<A: Adapter>() {
    A::block_on(async {
        let there = Misbehaving::answering(format!("{STREAM_HEAD}data: there\n\n"));
        let location = there.url.clone();
        let here = Misbehaving::answering(format!(
            "HTTP/1.1 307 Temporary Redirect\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
        ));
        let mut config = impatient();
        config.method = Method::POST;
        config.body = "{}".into();
        let secret = HeaderValue::from_static("Bearer secret");
        config.headers.insert(header::AUTHORIZATION, secret);
        config
            .headers
            .insert(header::COOKIE, HeaderValue::from_static("session=secret"));
        let mut source = source::<A>(&here, config);
        assert_eq!(next_data::<A>(&mut source).await, "there");
        assert!(here.requests()[0].contains("authorization: Bearer secret\r\n"));
        let request = &there.requests()[0];
        assert!(
            request.starts_with("POST /events HTTP/1.1\r\n"),
            "{request}"
        );
        assert!(!request.contains("secret"), "{request}");
    });
}

pub fn a_wrong_content_type_is_final_and_asking_again_harmless<A: Adapter>() {
    A::block_on(async {
        let server = Misbehaving::answering(
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 22\r\n\r\n\
         <h1>Please log in</h1>",
        );
        let mut source = source::<A>(&server, impatient());
        let error = patiently::<A, _>(source.next()).await.unwrap().unwrap_err();
        assert_eq!(
            error.to_string(),
            "the server answered with \"text/html\" instead of \"text/event-stream\": \
         <h1>Please log in</h1>"
        );
        for _ in 0..3 {
            assert!(source.next().await.is_none());
        }
        assert_eq!(server.requests().len(), 1);
    });
}

pub fn after_204_the_client_does_not_reconnect<A: Adapter>() {
    A::block_on(async {
        let server = Misbehaving::answering("HTTP/1.1 204 No Content\r\n\r\n");
        let mut source = source::<A>(&server, impatient());
        let mut last = None;
        while let Some(update) = patiently::<A, _>(source.next_update()).await {
            last = Some(update);
        }
        assert!(matches!(
            last,
            Some(ClientEvent::Closed(Ok(End::NoContent)))
        ));
        assert_eq!(server.requests().len(), 1);
    });
}

pub fn a_status_can_be_one_to_try_again_after<A: Adapter>() {
    A::block_on(async {
        let server = Misbehaving::new(|number, mut socket| {
            let answer = match number {
                0 => "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 0\r\n\r\n".to_owned(),
                _ => format!("{STREAM_HEAD}data: at last\n\n"),
            };
            socket.write_all(answer.as_bytes()).unwrap();
        });
        let mut config = impatient();
        config.retry_statuses = vec![StatusCode::SERVICE_UNAVAILABLE];
        let mut source = source::<A>(&server, config);
        assert_eq!(next_data::<A>(&mut source).await, "at last");
    });
}

pub fn a_401_leads_to_a_fresh_token<A: Adapter>() {
    A::block_on(async {
        let server = Misbehaving::new(|number, mut socket| {
            let answer = match number {
                0 => "HTTP/1.1 401 Unauthorized\r\nContent-Length: 7\r\n\r\nexpired".to_owned(),
                _ => format!("{STREAM_HEAD}id: 1\ndata: in\n\n"),
            };
            socket.write_all(answer.as_bytes()).unwrap();
        });
        let mut source = source::<A>(&server, impatient()).prepare(async |mut attempt: Attempt| {
            // As if the hook asked a server of tokens.
            yield_now().await;
            let token = match attempt.unexpected_response() {
                Some(response) => {
                    assert_eq!(response.body, "expired");
                    "fresh"
                }
                None => "stale",
            };
            let token = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
            attempt.headers.insert(header::AUTHORIZATION, token);
            attempt
        });
        assert_eq!(next_data::<A>(&mut source).await, "in");
        let requests = server.requests();
        assert!(requests[0].contains("authorization: Bearer stale\r\n"));
        assert!(requests[1].contains("authorization: Bearer fresh\r\n"));
    });
}

pub fn the_head_of_the_stream_is_waited_for_or_what_came_in_its_place<A: Adapter>() {
    A::block_on(async {
        let server = Misbehaving::new(|number, mut socket| {
            let answer = match number {
                0 => "HTTP/1.1 202 Accepted\r\nContent-Length: 6\r\n\r\nqueued".to_owned(),
                1 => STREAM_HEAD.replace("Connection", "X-Job: 7\r\nConnection") + "data: x\n\n",
                _ => "\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x64".to_owned(),
            };
            socket.write_all(answer.as_bytes()).unwrap();
        });
        let mut queued = source::<A>(&server, impatient());
        let error = patiently::<A, _>(queued.opened()).await.unwrap_err();
        assert_eq!(error.unexpected_response().unwrap().body, "queued");

        let mut open = source::<A>(&server, impatient());
        let response = patiently::<A, _>(open.opened()).await.unwrap();
        assert_eq!(response.headers()["x-job"], "7");
        assert_eq!(next_data::<A>(&mut open).await, "x");

        // HTTP/2 is reported once, and not tried again.
        let mut foreign = source::<A>(&server, impatient());
        let error = patiently::<A, _>(foreign.opened()).await.unwrap_err();
        assert!(error.to_string().contains("HTTP/2"), "{error}");
    });
}

pub fn a_handle_reconnects_pauses_and_resumes_from_another_thread<A: Adapter>() {
    A::block_on(async {
        let (told, hears) = mpsc::channel();
        let told = Mutex::new(told);
        let server = Misbehaving::new(move |number, mut socket| {
            let event = format!("{STREAM_HEAD}id: {number}\ndata: {number}\n\n");
            socket.write_all(event.as_bytes()).unwrap();
            // Until the client has closed the connection.
            let _ = socket.read(&mut [0]);
            told.lock().unwrap().send(number).unwrap();
        });
        let mut source = source::<A>(&server, impatient());
        let handle = source.handle();
        let elsewhere = |act: fn(&EventSourceHandle)| {
            let handle = handle.clone();
            thread::spawn(move || act(&handle))
        };
        assert_eq!(next_data::<A>(&mut source).await, "0");
        elsewhere(EventSourceHandle::reconnect);
        assert_eq!(next_data::<A>(&mut source).await, "1");
        assert_eq!(hears.recv_timeout(PATIENCE), Ok(0));

        elsewhere(EventSourceHandle::pause);
        while !matches!(
            patiently::<A, _>(source.next_update()).await,
            Some(ClientEvent::Paused)
        ) {}
        assert_eq!(hears.recv_timeout(PATIENCE), Ok(1), "the socket is closed");
        elsewhere(EventSourceHandle::resume);
        assert_eq!(next_data::<A>(&mut source).await, "2");
        let carried = ["last-event-id: 0\r\n", "last-event-id: 1\r\n"];
        for (request, id) in server.requests()[1..].iter().zip(carried) {
            assert!(request.contains(id), "{request}");
        }
        elsewhere(EventSourceHandle::close);
        assert!(patiently::<A, _>(source.next()).await.is_none());
    });
}

pub fn dropping_it_closes_the_socket<A: Adapter>() {
    A::block_on(async {
        let (told, hears) = mpsc::channel();
        let told = Mutex::new(told);
        let server = Misbehaving::new(move |_, mut socket| {
            socket
                .write_all((STREAM_HEAD.to_owned() + "data: x\n\n").as_bytes())
                .unwrap();
            // Until the client has closed the connection.
            let end = socket.read(&mut [0]).map_err(|error| error.kind());
            told.lock().unwrap().send(end).unwrap();
        });
        let mut source = source::<A>(&server, EventSourceConfig::default());
        next_data::<A>(&mut source).await;
        drop(source);
        let end = hears.recv_timeout(PATIENCE).unwrap();
        assert!(
            matches!(end, Ok(0) | Err(ErrorKind::ConnectionReset)),
            "{end:?}"
        );
    });
}

pub fn it_resumes_after_the_server_was_restarted<A: Adapter>() {
    A::block_on(async {
        fn router() -> Router {
            Router::new().events("/count", |request: Request| {
                let next = request
                    .last_event_id()
                    .map_or(0, |id| id.parse::<u64>().unwrap() + 1);
                let event = Event::new(next.to_string())
                    .with_id(next.to_string())
                    .unwrap();
                stream::iter([event]).chain(stream::pending())
            })
        }
        let port = Port::reserve();
        let address = port.address().to_string();
        let start = || start_at::<A>(address.clone(), ServerConfig::default(), router());
        let server = start();
        let url = format!("http://{address}/count");
        let mut source = EventSource::<A>::with_config(url, impatient()).unwrap();
        assert_eq!(next_data::<A>(&mut source).await, "0");

        server.handle.cut();
        server.report();
        let server = start();
        assert_eq!(next_data::<A>(&mut source).await, "1");
        assert_eq!(source.last_event_id(), "1");
        drop(server);
    });
}

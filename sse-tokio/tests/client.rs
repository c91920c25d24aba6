//! The event source over real sockets, against servers that misbehave.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test fails by panicking

use std::{
    io::{BufRead, BufReader, ErrorKind, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use futures_util::{StreamExt, stream};
use socket2::SockRef;
use sse_tokio::{
    Event, EventSource, EventSourceError, Request, Router, Server, StatusCode,
    client::{ClientEvent, Config, End, Failure, Loss, RedirectError},
    core::DecoderLimits,
    http::{HeaderValue, Method, header},
};

const STREAM_HEAD: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";

/// A server that does what a script says, on a thread for each connection.
struct Misbehaving {
    url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Misbehaving {
    /// `script` gets the number of the connection, the request's head having been read.
    fn new(script: impl Fn(usize, TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/events", listener.local_addr().unwrap());
        let requests = Arc::<Mutex<Vec<String>>>::default();
        let (seen, script) = (requests.clone(), Arc::new(script));
        thread::spawn(move || {
            for (number, socket) in listener.incoming().enumerate() {
                let (socket, seen, script) = (socket.unwrap(), seen.clone(), script.clone());
                thread::spawn(move || {
                    seen.lock().unwrap().push(read_head(&socket));
                    script(number, socket);
                });
            }
        });
        Self { url, requests }
    }

    /// Always answers with the same bytes, and then closes.
    fn answering(answer: impl Into<String>) -> Self {
        let answer = answer.into();
        Self::new(move |_, mut socket| {
            let _ = socket.write_all(answer.as_bytes());
        })
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn read_head(socket: &TcpStream) -> String {
    let mut head = String::new();
    let mut lines = BufReader::new(socket.try_clone().unwrap());
    while !head.ends_with("\r\n\r\n") {
        if lines.read_line(&mut head).unwrap_or(0) == 0 {
            break;
        }
    }
    head
}

/// Writes again and again, until the client has had enough.
fn flood(mut socket: TcpStream, beginning: &str, bytes: &str) {
    let _ = socket.write_all(beginning.as_bytes());
    let block = bytes.repeat(1 + 16 * 1024 / bytes.len());
    while socket.write_all(block.as_bytes()).is_ok() {}
}

/// What is waited for in these tests is short.
fn impatient() -> Config {
    let mut config = Config::default();
    let reconnection = config.reconnection.as_mut().unwrap();
    reconnection.time = Duration::from_millis(1);
    reconnection.floor = Duration::from_millis(1);
    reconnection.ceiling = Duration::from_millis(5);
    config
}

fn source(server: &Misbehaving, config: Config) -> EventSource {
    EventSource::with_config(&server.url, config).unwrap()
}

/// So that a test fails instead of hanging.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    let result = tokio::time::timeout(Duration::from_secs(60), future).await;
    result.expect("this takes too long")
}

/// The data of the next event.
async fn next_data(source: &mut EventSource) -> String {
    let event = soon(source.next()).await.expect("the stream goes on");
    event.expect("an event").data().to_owned()
}

/// The first loss, and the wait after it.
async fn first_loss(mut source: EventSource) -> (Loss, Duration) {
    loop {
        match soon(source.next_update()).await {
            Some(ClientEvent::Lost { loss, wait }) => return (loss, wait),
            Some(_) => {}
            None => panic!("it ended"),
        }
    }
}

async fn failure(mut source: EventSource) -> Failure {
    loop {
        match soon(source.next()).await {
            Some(Err(EventSourceError::Failed(failure))) => return failure,
            Some(_) => {}
            None => panic!("it ended without a failure"),
        }
    }
}

#[tokio::test]
async fn a_stream_that_ends_at_once_is_not_asked_for_all_the_time() {
    let server = Misbehaving::answering(STREAM_HEAD);
    let (loss, wait) = first_loss(source(&server, Config::default())).await;
    assert_eq!(loss, Loss::Ended);
    assert!(wait >= Duration::from_secs(3), "{wait:?}");
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_retry_of_0_is_held_at_the_floor() {
    let server = Misbehaving::answering(format!("{STREAM_HEAD}retry: 0\n\n"));
    let (_, wait) = first_loss(source(&server, Config::default())).await;
    assert!(wait >= Duration::from_secs(1), "{wait:?}");
}

#[tokio::test]
async fn a_reset_in_mid_event_loses_that_event_alone() {
    let (seen_one, has_seen) = std::sync::mpsc::channel::<()>();
    let has_seen = Mutex::new(has_seen);
    let server = Misbehaving::new(move |number, mut socket| {
        let text = match number {
            0 => "id: 1\ndata: whole\n\nid: 2\ndata: ha",
            // An event without an id, on a connection with nothing else.
            1 => "data: no id\n\ndata: lf",
            _ => "data: again\n\n",
        };
        let _ = socket.write_all((STREAM_HEAD.to_owned() + text).as_bytes());
        // A reset destroys what has not been read.
        let _ = has_seen.lock().unwrap().recv();
        let _ = SockRef::from(&socket).set_linger(Some(Duration::ZERO));
    });
    let mut source = source(&server, impatient());
    let mut seen = Vec::new();
    while seen.len() < 3 {
        let event = soon(source.next()).await.unwrap().unwrap();
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
}

#[tokio::test]
async fn an_endless_line_is_discarded_again_and_again_in_bounded_memory() {
    let server = Misbehaving::new(|_, socket| flood(socket, STREAM_HEAD, "data: x"));
    let mut config = impatient();
    config.decoder_limits = DecoderLimits::default().with_line(100_000);
    let mut source = source(&server, config);
    let Some(Err(EventSourceError::Discarded(error))) = soon(source.next()).await else {
        panic!("the line is too long")
    };
    assert_eq!(error.limit(), 100_000);
}

#[tokio::test]
async fn events_get_through_a_flood_of_comments() {
    let server = Misbehaving::new(|_, mut socket| {
        let comments = ": comment\n".repeat(100_000);
        socket
            .write_all((STREAM_HEAD.to_owned() + &comments + "data: x\n\n").as_bytes())
            .unwrap();
        flood(socket, "", ": comment\n");
    });
    let mut source = source(&server, Config::default());
    assert_eq!(next_data(&mut source).await, "x");
    // What nobody takes does not pile up: the socket's buffers fill, and that is it. Others run.
    let (endless, turn) = (source.next(), tokio::task::yield_now());
    tokio::select! {
        biased;
        _ = endless => panic!("there is no other event"),
        () = turn => {}
    }
}

#[tokio::test]
async fn a_flood_of_header_fields_is_a_loss() {
    let server =
        Misbehaving::new(|_, socket| flood(socket, "HTTP/1.1 200 OK\r\n", "X-Field: value\r\n"));
    let (loss, _) = first_loss(source(&server, impatient())).await;
    let text = loss.to_string();
    assert_eq!(text, "the response head is larger than 65536 bytes");
}

#[tokio::test]
async fn a_flood_of_interim_responses_is_a_loss() {
    let server = Misbehaving::new(|_, socket| flood(socket, "", "HTTP/1.1 102 Processing\r\n\r\n"));
    let (loss, _) = first_loss(source(&server, impatient())).await;
    assert_eq!(
        loss.to_string(),
        "the server sent more than 16 interim responses"
    );
}

#[tokio::test]
async fn interim_responses_come_before_the_response() {
    let server = Misbehaving::answering(format!(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n\
         {STREAM_HEAD}data: x\n\n"
    ));
    let mut source = source(&server, impatient());
    assert_eq!(next_data(&mut source).await, "x");
}

#[tokio::test]
async fn a_slow_drip_is_put_together() {
    let server = Misbehaving::new(|_, mut socket| {
        let head = STREAM_HEAD.replace("Connection: close", "Transfer-Encoding: chunked");
        let body = "5\r\ndata:\r\n5\r\n gr\u{fc}\r\n3\r\nn\n\n\r\n0\r\n\r\n";
        socket.set_nodelay(true).unwrap();
        for byte in (head + body).into_bytes() {
            socket.write_all(&[byte]).unwrap();
            thread::yield_now();
        }
    });
    let mut source = source(&server, impatient());
    assert_eq!(next_data(&mut source).await, "gr\u{fc}n");
}

#[tokio::test]
async fn a_head_that_drips_too_slowly_is_a_loss() {
    let server = Misbehaving::new(|_, mut socket| {
        let _ = socket.write_all(b"HTTP/1.1 200 O");
        let _ = socket.read(&mut [0]);
    });
    let mut config = impatient();
    config.head_timeout = Duration::from_millis(50);
    let (loss, _) = first_loss(source(&server, config)).await;
    assert_eq!(loss, Loss::HeadTimeout);
}

#[tokio::test]
async fn a_silent_stream_is_a_loss_where_one_says_so() {
    let server = Misbehaving::new(|_, mut socket| {
        socket.write_all(STREAM_HEAD.as_bytes()).unwrap();
        let _ = socket.read(&mut [0]);
    });
    let mut config = impatient();
    config.idle_timeout = Some(Duration::from_millis(50));
    let (loss, _) = first_loss(source(&server, config)).await;
    assert_eq!(loss, Loss::IdleTimeout);
}

#[tokio::test]
async fn a_redirect_loop_has_an_end() {
    let server = Misbehaving::answering(
        "HTTP/1.1 302 Found\r\nLocation: /events\r\nContent-Length: 0\r\n\r\n",
    );
    let failure = failure(source(&server, impatient())).await;
    assert!(
        matches!(failure, Failure::Redirect(RedirectError::TooMany)),
        "{failure:?}"
    );
    assert_eq!(server.requests().len(), 11);
}

#[tokio::test]
async fn a_redirect_elsewhere_takes_no_credentials_along() {
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
    let mut source = source(&here, config);
    assert_eq!(next_data(&mut source).await, "there");
    assert!(here.requests()[0].contains("authorization: Bearer secret\r\n"));
    let request = &there.requests()[0];
    assert!(
        request.starts_with("POST /events HTTP/1.1\r\n"),
        "{request}"
    );
    assert!(!request.contains("secret"), "{request}");
}

#[tokio::test]
async fn a_wrong_content_type_is_final_and_asking_again_harmless() {
    let server = Misbehaving::answering(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 22\r\n\r\n\
         <h1>Please log in</h1>",
    );
    let mut source = source(&server, impatient());
    let error = soon(source.next()).await.unwrap().unwrap_err();
    assert_eq!(
        error.to_string(),
        "the server answered with \"text/html\" instead of \"text/event-stream\": \
         <h1>Please log in</h1>"
    );
    for _ in 0..3 {
        assert!(source.next().await.is_none());
    }
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn after_204_nobody_asks_again() {
    let server = Misbehaving::answering("HTTP/1.1 204 No Content\r\n\r\n");
    let mut source = source(&server, impatient());
    let mut last = None;
    while let Some(update) = soon(source.next_update()).await {
        last = Some(update);
    }
    assert!(matches!(
        last,
        Some(ClientEvent::Closed(Ok(End::NoContent)))
    ));
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_status_can_be_one_to_try_again_after() {
    let server = Misbehaving::new(|number, mut socket| {
        let answer = match number {
            0 => "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 0\r\n\r\n".to_owned(),
            _ => format!("{STREAM_HEAD}data: at last\n\n"),
        };
        socket.write_all(answer.as_bytes()).unwrap();
    });
    let mut config = impatient();
    config.retry_statuses = vec![StatusCode::SERVICE_UNAVAILABLE];
    let mut source = source(&server, config);
    assert_eq!(next_data(&mut source).await, "at last");
}

#[tokio::test]
async fn dropping_it_closes_the_socket() {
    let (told, hears) = std::sync::mpsc::channel();
    let told = Mutex::new(told);
    let server = Misbehaving::new(move |_, mut socket| {
        socket
            .write_all((STREAM_HEAD.to_owned() + "data: x\n\n").as_bytes())
            .unwrap();
        // Until the client is gone.
        let end = socket.read(&mut [0]).map_err(|error| error.kind());
        told.lock().unwrap().send(end).unwrap();
    });
    let mut source = source(&server, Config::default());
    next_data(&mut source).await;
    drop(source);
    let end = tokio::task::spawn_blocking(move || hears.recv().unwrap())
        .await
        .unwrap();
    assert!(
        matches!(end, Ok(0) | Err(ErrorKind::ConnectionReset)),
        "{end:?}"
    );
}

#[tokio::test]
async fn it_resumes_after_the_server_was_restarted() {
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
    let server = Server::bind("127.0.0.1:0").await.unwrap();
    let address = server.local_addr().unwrap();
    let (handle, serving) = (server.handle(), tokio::spawn(server.serve(router())));
    let mut source =
        EventSource::with_config(format!("http://{address}/count"), impatient()).unwrap();
    assert_eq!(next_data(&mut source).await, "0");

    handle.cut();
    serving.await.unwrap().unwrap();
    let server = Server::bind(address.to_string()).await.unwrap();
    tokio::spawn(server.serve(router()));
    assert_eq!(next_data(&mut source).await, "1");
    assert_eq!(source.last_event_id(), "1");
}

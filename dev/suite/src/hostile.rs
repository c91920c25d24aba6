//! The event source, against hostile servers.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use sse_core::{
    client::{ClientEvent, EventSourceConfig, Failure},
    http::Method,
};
use sse_driver::EventSourceError;

use crate::{
    Adapter, EventSource, patiently,
    peer::{Misbehaving, STREAM_HEAD, flood},
};

const CHUNKED: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

/// One attempt, with a short deadline where a test waits for one.
fn once() -> EventSourceConfig {
    let mut config = EventSourceConfig::default();
    config.reconnection = None;
    config
}

fn source<A: Adapter>(server: &Misbehaving, config: EventSourceConfig) -> EventSource<A> {
    EventSource::<A>::with_config(&server.url, config).unwrap()
}

/// Returns the number of events before the failure, and the failure.
async fn failure<A: Adapter>(mut source: EventSource<A>) -> (usize, Failure) {
    let mut events = 0;
    loop {
        match patiently::<A, _>(source.next()).await {
            Some(Ok(_)) => events += 1,
            Some(Err(EventSourceError::Failed(failure))) => return (events, failure),
            other => panic!("{other:?}"),
        }
    }
}

/// Reads until the client has closed the connection.
fn until_closed(mut socket: TcpStream) {
    while socket.read(&mut [0; 1024]).is_ok_and(|n| n > 0) {}
}

pub fn endless_parts_of_an_answer_are_losses<A: Adapter>() {
    A::block_on(async {
        let ok = "HTTP/1.1 200 OK\r\n";
        for (beginning, endless, text) in [
            (
                "HTTP/1.1 200 ",
                "x",
                "the response head is larger than 65536 bytes",
            ),
            (ok, "x", "the response head is larger than 65536 bytes"),
            (
                "HTTP/1.1 200 OK\r\nX: ",
                "y",
                "the response head is larger than 65536 bytes",
            ),
            ("", "\r\n", "it does not begin with HTTP/1.1 or HTTP/1.0"),
            (
                "",
                "HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n",
                "more than 16 interim",
            ),
        ] {
            let server = Misbehaving::new(move |_, socket| flood(socket, beginning, endless));
            let (_, failure) = failure::<A>(source::<A>(&server, once())).await;
            let said = failure.to_string();
            assert!(said.contains(text), "{beginning:?}, {endless:?}: {said}");
        }
        // The stream is open already, and one event has come.
        for (then, endless, text) in [
            ("1;", "x", "extensions of more than 4096 bytes"),
            ("1 ", " ", "extensions of more than 4096 bytes"),
            ("0\r\n", "X: y\r\n", "trailers of more than 16384 bytes"),
            ("0\r\nX: ", "y", "trailers of more than 16384 bytes"),
            ("", "0", "whose size is not valid"),
            ("", "f", "whose size is not valid"),
            ("", "\r\n", "whose size is not valid"),
            ("3\r\nabc", "x", "that does not end after its size"),
        ] {
            let beginning = format!("{CHUNKED}9\r\ndata: x\n\n\r\n{then}");
            let server = Misbehaving::new(move |_, socket| flood(socket, &beginning, endless));
            let (events, failure) = failure::<A>(source::<A>(&server, once())).await;
            let said = failure.to_string();
            assert!(said.contains(text), "{then:?}, {endless:?}: {said}");
            assert_eq!(events, 1, "{then:?}, {endless:?}");
        }
    });
}

pub fn answers_that_cannot_be_trusted_are_losses<A: Adapter>() {
    A::block_on(async {
        let event_stream = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n";
        for (answer, events, text) in [
            (
                "SSH-2.0-OpenSSH_9\r\n".to_owned(),
                0,
                "does not begin with HTTP",
            ),
            (
                "\u{15}\u{3}\u{3}\0\u{2}\u{2}\u{32}".to_owned(),
                0,
                "does not begin with HTTP",
            ),
            (
                "HTTP/2.0 200 OK\r\n\r\n".to_owned(),
                0,
                "does not begin with HTTP/1.",
            ),
            ("HTTP/1.1 20 OK\r\n\r\n".to_owned(), 0, "malformed"),
            ("HTTP/1.1 099 No\r\n\r\n".to_owned(), 0, "malformed"),
            (
                "HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n".to_owned(),
                0,
                "it has a NUL",
            ),
            (
                "HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n".to_owned(),
                0,
                "it has a CR without an LF",
            ),
            (
                "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n".to_owned(),
                0,
                "malformed",
            ),
            (
                "HTTP/1.1 101 Switching Protocols\r\n\r\n".to_owned(),
                0,
                "(101)",
            ),
            (
                format!("{event_stream}Content-Length: 1\r\nContent-Length: 2\r\n\r\n"),
                0,
                "differ",
            ),
            (
                format!("{event_stream}Content-Length: +9\r\n\r\ndata: x\n\n"),
                0,
                "not a number",
            ),
            (
                format!("{event_stream}Content-Length: 10\r\n\r\ndata: x\n\n"),
                1,
                "1 bytes of its",
            ),
            (
                format!("{event_stream}Transfer-Encoding: gzip, chunked\r\n\r\n"),
                0,
                "other than chunked",
            ),
            (
                format!("{event_stream}Content-Encoding: gzip\r\n\r\nx"),
                0,
                "gzip",
            ),
            (
                format!("{CHUNKED}9\r\ndata: x\n\n\r\n"),
                1,
                "the last chunk did not come",
            ),
        ] {
            let server = Misbehaving::answering(&answer);
            let (seen, failure) = failure::<A>(source::<A>(&server, once())).await;
            let said = failure.to_string();
            assert!(said.contains(text), "{answer:?}: {said}");
            assert_eq!(seen, events, "{answer:?}");
        }
    });
}

pub fn an_endless_refusal_is_cut_off<A: Adapter>() {
    A::block_on(async {
        for beginning in [
            "HTTP/1.1 404 Not Found\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n",
            "HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
        ] {
            let server = Misbehaving::new(move |_, socket| flood(socket, beginning, "no"));
            let (_, failure) = failure::<A>(source::<A>(&server, once())).await;
            let (Failure::Status(refusal) | Failure::ContentType(refusal)) = failure else {
                panic!("{failure}")
            };
            assert_eq!(refusal.body.len(), 4096, "{beginning}");
        }
        // The source does not wait for an event that never comes. Where this machine is so slow that the
        // head comes too late, the source asks again.
        let mut config = EventSourceConfig::default();
        config.reconnection.as_mut().unwrap().floor = Duration::ZERO;
        config.reconnection.as_mut().unwrap().time = Duration::from_millis(1);
        config.head_timeout = Duration::from_millis(100);
        let server = Misbehaving::new(|_, mut socket| {
            let _ = socket.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 100\r\n\r\nno");
            until_closed(socket);
        });
        let (_, failure) = failure::<A>(source::<A>(&server, config)).await;
        let Failure::Status(refusal) = failure else {
            panic!("{failure}")
        };
        assert_eq!(refusal.body, "no");
    });
}

pub fn redirects_stay_on_http_and_end<A: Adapter>() {
    A::block_on(async {
        for location in [
            "file:///etc/passwd",
            "javascript:alert(1)",
            "data:text/event-stream,data:x",
            "ftp://127.0.0.1/",
            "ws://127.0.0.1/",
            "http://user:secret@127.0.0.1/",
            "http://",
            "",
        ] {
            let server = Misbehaving::answering(format!(
                "HTTP/1.1 307 Temporary Redirect\r\nLocation: {location}\r\n\r\n"
            ));
            let (_, failure) = failure::<A>(source::<A>(&server, once())).await;
            assert!(
                matches!(failure, Failure::Redirect(_)),
                "{location}: {failure}"
            );
            assert_eq!(server.requests().len(), 1, "{location}");
        }
        // Two servers that redirect to each other, and never end their bodies.
        let to = |url: String| format!("HTTP/1.1 302 Found\r\nLocation: {url}\r\n\r\n");
        let there_url = Arc::new(OnceLock::<String>::new());
        let known = there_url.clone();
        let here = Misbehaving::new(move |_, socket| {
            let url = known.get().unwrap().clone();
            flood(socket, &to(url), "x");
        });
        let back = here.url.clone();
        let there = Misbehaving::new(move |_, socket| flood(socket, &to(back.clone()), "x"));
        there_url.set(there.url.clone()).unwrap();
        let (_, failure) = failure::<A>(source::<A>(&here, once())).await;
        let said = failure.to_string();
        assert!(said.contains("redirected too many times"), "{said}");
        assert_eq!(here.requests().len() + there.requests().len(), 11);
    });
}

pub fn a_server_that_reads_nothing_is_a_loss<A: Adapter>() {
    A::block_on(async {
        // The server reads the head and no more; it neither responds nor closes.
        let held = Mutex::new(Vec::new());
        let server = Misbehaving::new(move |_, socket| held.lock().unwrap().push(socket));
        let mut config = once();
        config.method = Method::POST;
        config.body = vec![b'x'; 32 << 20].into();
        config.head_timeout = Duration::from_millis(200);
        let (_, failure) = failure::<A>(source::<A>(&server, config)).await;
        assert!(
            failure.to_string().contains("did not answer in time"),
            "{failure}"
        );
    });
}

pub fn an_answer_that_comes_before_the_request_is_read_counts<A: Adapter>() {
    A::block_on(async {
        let server = Misbehaving::new(|_, mut socket| {
            let _ = socket.write_all((STREAM_HEAD.to_owned() + "data: early\n\n").as_bytes());
            until_closed(socket);
        });
        let mut config = once();
        config.method = Method::POST;
        config.body = vec![b'x'; 32 << 20].into();
        let mut source = source::<A>(&server, config);
        let event = patiently::<A, _>(source.next()).await.unwrap().unwrap();
        assert_eq!(event.data(), "early");
    });
}

pub fn a_servers_id_cannot_forge_a_request<A: Adapter>() {
    A::block_on(async {
        let server = Misbehaving::new(|number, mut socket| {
            let answer = match number {
                0 => {
                    "HTTP/1.1 302 Found\r\nLocation: /a b\tc?d=\u{e9} HTTP/1.1#x\r\n\r\n".to_owned()
                }
                1 => format!(
                    "{STREAM_HEAD}retry: 0\nid: 1: x HTTP/1.1 GET\ndata: x\n\nid: \0\rdata: y\r\r"
                ),
                _ => "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
            };
            let _ = socket.write_all(answer.as_bytes());
        });
        let mut config = EventSourceConfig::default();
        config.reconnection.as_mut().unwrap().floor = Duration::from_millis(1);
        let mut source = source::<A>(&server, config);
        while let Some(update) = patiently::<A, _>(source.next_update()).await {
            if let ClientEvent::Closed(end) = update {
                end.unwrap();
            }
        }
        let requests = server.requests();
        assert_eq!(requests.len(), 3);
        for request in &requests[1..] {
            let line = request.lines().next().unwrap();
            assert_eq!(line, "GET /a%20bc?d=%C3%A9%20HTTP/1.1 HTTP/1.1");
            assert_eq!(request.matches("\r\n\r\n").count(), 1);
        }
        assert!(
            requests[2].contains("\r\nlast-event-id: 1: x HTTP/1.1 GET\r\n"),
            "{}",
            requests[2]
        );
    });
}

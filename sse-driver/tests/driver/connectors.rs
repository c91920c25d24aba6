//! The connectors of an event source: a function, a proxy, a socket that the runtime lacks.

use std::{
    error::Error,
    future::{poll_fn, ready},
    io::{self, IoSlice},
    sync::{Arc, Mutex},
};

use sse_core::client::{ClientEvent, EventSourceConfig};
use sse_driver::{Connected, Dial, Proxy, Runtime, Transport, UnixConnector};

use crate::{
    harness::secs,
    sim::Sim,
    subscriber::{Source, Subscriber},
};

const STREAM: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: one\n\n";

/// The requests to a server, head by head.
type Asked = Arc<Mutex<Vec<String>>>;

/// Returns a server that responds to each connection's first request with one of these, and then hangs
/// up.
fn answering(sim: &Sim, answers: &'static [&'static str]) -> Asked {
    let (listener, asked) = (sim.listen(), Asked::default());
    let server = sim.clone();
    let log = asked.clone();
    sim.spawn(async move {
        for answer in answers {
            let (mut transport, _) = server.accept(&listener).await.expect("a connection");
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut buffer = [0; 1024];
                let read = poll_fn(|cx| transport.poll_read(cx, &mut buffer)).await;
                head.extend_from_slice(&buffer[..read.expect("a request")]);
            }
            log.lock().unwrap().push(String::from_utf8(head).unwrap());
            let bytes = [IoSlice::new(answer.as_bytes())];
            let written = poll_fn(|cx| transport.poll_write_vectored(cx, &bytes)).await;
            assert_eq!(written.unwrap(), answer.len());
            poll_fn(|cx| transport.poll_flush(cx)).await.unwrap();
        }
    });
    asked
}

fn source(sim: &Sim, url: &str) -> Source {
    Source::on(sim.clone(), url, EventSourceConfig::default()).expect("a good URL")
}

#[test]
fn a_function_brings_the_connection_and_is_told_where_to() {
    let sim = Sim::new();
    let asked = answering(&sim, &[STREAM]);
    let source = source(&sim, "http://example.org:81/x").with_connector(async |dial: Dial<Sim>| {
        assert_eq!(
            (dial.endpoint().host.as_str(), dial.endpoint().port),
            ("example.org", 81)
        );
        dial.tcp("elsewhere", 82).await.map(Connected::direct)
    });
    let subscriber = Subscriber::new(&sim, source);
    assert_eq!(
        subscriber.notes()[..3],
        ["dials example.org:81", "open: 200 OK", "event: one"]
    );
    assert!(asked.lock().unwrap()[0].starts_with("GET /x HTTP/1.1\r\nhost: example.org:81\r\n"));
}

#[test]
fn an_error_of_a_connector_is_a_loss_and_unsupported_is_the_end() {
    for (kind, told) in [
        (io::ErrorKind::PermissionDenied, "lost: "),
        (io::ErrorKind::Unsupported, "failed: "),
    ] {
        let sim = Sim::new();
        let source = source(&sim, "http://example.org/");
        let source = source.with_connector(move |_: Dial<Sim>| ready(Err(kind.into())));
        let notes = Subscriber::new(&sim, source).notes();
        assert!(notes.last().unwrap().starts_with(told), "{notes:?}");
    }
}

#[test]
fn a_runtime_without_unix_sockets_says_so_at_once() {
    let sim = Sim::new();
    let source = source(&sim, "http://example.org/").with_connector(UnixConnector::new("/run/x"));
    let notes = Subscriber::new(&sim, source).notes();
    assert!(
        notes
            .last()
            .unwrap()
            .contains("/run/x: this runtime has no Unix sockets"),
        "{notes:?}"
    );
}

#[test]
fn a_proxy_that_is_not_there_is_named_and_so_is_the_server() {
    for (url, server) in [
        ("http://[::1]:81/x?token=1", "[::1]:81"),
        ("https://example.org/", "example.org:443"),
    ] {
        let sim = Sim::new();
        let proxy = Proxy::new("http://user:pass@proxy:3128").unwrap();
        let mut source = source(&sim, url).with_connector(proxy);
        #[cfg(feature = "tls")]
        {
            source = source.with_tls(crate::tls::authority::Authority::new().client_config());
        }
        let notes = Subscriber::new(&sim, source).notes();
        let lost = format!(
            "lost: cannot connect to {server}: cannot connect to the proxy at proxy:3128: \
             connection refused"
        );
        assert_eq!(notes.last(), Some(&lost));
    }
}

#[test]
fn the_error_of_the_system_is_found_behind_the_name_of_a_proxy() {
    let sim = Sim::new();
    let proxy = Proxy::new("http://proxy:3128").unwrap();
    let mut source = source(&sim, "http://example.org/").with_connector(proxy);
    let job = sim.start(async move {
        while let Some(update) = source.next_update().await {
            if let ClientEvent::Lost { loss, .. } = update {
                return Some(loss);
            }
        }
        None
    });
    sim.advance(secs(1));
    let loss = job.take().expect("it has ended").expect("a loss");
    let error = loss.cause::<io::Error>().expect("its cause");
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    let behind = error
        .source()
        .and_then(|error| error.downcast_ref::<io::Error>());
    assert_eq!(
        behind.expect("the system's").to_string(),
        "connection refused"
    );
}

#[test]
fn a_proxy_forwards_plain_requests() {
    let sim = Sim::new();
    let asked = answering(&sim, &[STREAM]);
    let proxy = Proxy::new("http://proxy:3128")
        .unwrap()
        .with_basic("user", "pass")
        .unwrap();
    let source = source(&sim, "http://example.org:81/x").with_connector(proxy);
    let notes = Subscriber::new(&sim, source).notes();
    assert_eq!(notes[1..3], ["open: 200 OK", "event: one"]);
    let asked = asked.lock().unwrap()[0].clone();
    assert!(
        asked.starts_with("GET http://example.org:81/x HTTP/1.1\r\nhost: example.org:81\r\n"),
        "{asked}"
    );
    assert!(
        asked.contains("\r\nproxy-authorization: Basic dXNlcjpwYXNz\r\n"),
        "{asked}"
    );
}

#[cfg(feature = "tls")]
#[test]
fn a_proxy_is_asked_for_a_tunnel_to_an_https_server() {
    let answers = &[
        "HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.0 200 Connection established\r\n\r\n",
    ];
    use crate::tls::authority::Authority;

    let sim = Sim::new();
    let asked = answering(&sim, answers);
    let proxy = Proxy::new("http://proxy:3128").unwrap();
    let source = source(&sim, "https://[::1]/x")
        .with_tls(Authority::new().client_config())
        .with_connector(proxy);
    let subscriber = Subscriber::new(&sim, source);
    sim.advance(secs(20));
    let notes = subscriber.notes();
    let lost: Vec<_> = notes
        .iter()
        .filter(|note| note.starts_with("lost"))
        .collect();
    assert!(
        lost[0].contains("the proxy answered 407 Proxy Authentication Required to CONNECT"),
        "{notes:?}"
    );
    // The tunnel is made, and ends in the middle of the handshake.
    assert!(!lost[1].contains("407"), "{notes:?}");
    assert!(!notes.iter().any(|note| note.starts_with("open")));
    let asked = asked.lock().unwrap();
    assert_eq!(asked.len(), 2);
    for asked in &*asked {
        assert_eq!(
            asked,
            "CONNECT [::1]:443 HTTP/1.1\r\nhost: [::1]:443\r\n\r\n"
        );
    }
}

/// Returns what the client sends through the tunnel first, or why there is no tunnel, where the proxy writes its
/// answer in pieces of `step` bytes.
#[cfg(feature = "tls")]
fn tunnelled(answer: &'static str, step: usize) -> Result<u8, String> {
    use sse_driver::{Clock, Timer};

    use crate::{harness::MILLI, tls::authority::Authority};

    let sim = Sim::new();
    let (listener, server) = (sim.listen(), sim.clone());
    let first = sim.start(async move {
        let (mut proxy, _) = server.accept(&listener).await.expect("a connection");
        let mut buffer = [0; 1024];
        poll_fn(|cx| proxy.poll_read(cx, &mut buffer))
            .await
            .expect("a CONNECT");
        for piece in answer.as_bytes().chunks(step) {
            let bytes = [IoSlice::new(piece)];
            let written = poll_fn(|cx| proxy.poll_write_vectored(cx, &bytes)).await;
            assert_eq!(written.unwrap(), piece.len());
            poll_fn(|cx| proxy.poll_flush(cx)).await.unwrap();
            let mut timer = server.timer(server.now() + MILLI);
            poll_fn(|cx| timer.poll_elapsed(cx)).await;
        }
        let read = poll_fn(|cx| proxy.poll_read(cx, &mut buffer)).await;
        buffer[..read.unwrap_or(0)].first().copied()
    });
    let source = source(&sim, "https://example.org/")
        .with_tls(Authority::new().client_config())
        .with_connector(Proxy::new("http://proxy:3128").unwrap());
    let subscriber = Subscriber::new(&sim, source);
    sim.advance(secs(2));
    let notes = subscriber.notes();
    let lost = notes.into_iter().find(|note| note.starts_with("lost"));
    first.take().flatten().ok_or(lost.unwrap_or_default())
}

#[cfg(feature = "tls")]
#[test]
fn any_2xx_makes_a_tunnel_whatever_its_fields_and_however_it_arrives() {
    const HANDSHAKE: u8 = 22;
    for step in [1, usize::MAX] {
        for answer in [
            "HTTP/1.1 200 Connection established\r\n\r\n",
            "HTTP/1.1 201 Created\r\n\r\n",
            // Both fields mean nothing here (RFC 9110 section 9.3.6).
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        ] {
            assert_eq!(tunnelled(answer, step), Ok(HANDSHAKE), "{answer:?} {step}");
        }
        for (answer, why) in [
            ("HTTP/1.1 2000 OK\r\n\r\n", "malformed"),
            (
                "HTTP/1.1 302 Found\r\nlocation: /\r\n\r\n",
                "302 Found to CONNECT",
            ),
        ] {
            let lost = tunnelled(answer, step).expect_err(answer);
            assert!(lost.contains(why), "{lost}");
        }
    }
    let lost = tunnelled("HTTP/1.1 200 OK\r\n\r\n220 hello\r\n", usize::MAX);
    let lost = lost.expect_err("the server spoke first");
    assert!(lost.contains("more than its answer"), "{lost}");
}

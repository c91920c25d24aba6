//! An event source, a clock that the test moves, and a log of its events.

use std::{
    io,
    time::{Duration, Instant},
};

use bytes::Bytes;
use proptest::test_runner::Config as ProptestConfig;
use sse_core::{
    client::{
        Attempt, ClientEvent, EventSource, EventSourceConfig, Failure, Loss, UnexpectedResponse,
    },
    http::{Request, Response},
};

pub(crate) const URL: &str = "http://example.org/events";

/// The head of an event stream that ends with its connection.
pub(crate) const OPEN: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";

/// The head of an event stream in chunks.
pub(crate) const CHUNKED: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

/// Runs more cases than usual; `PROPTEST_CASES` sets another number.
pub(crate) fn cases(usual: u32) -> ProptestConfig {
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => ProptestConfig::default(),
        None => ProptestConfig::with_cases(usual),
    }
}

pub(crate) fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

pub(crate) fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

pub(crate) struct Client {
    pub(crate) source: EventSource,
    pub(crate) now: Instant,
    /// The events, one line each.
    log: Vec<String>,
    /// The waits that losses announced.
    pub(crate) waits: Vec<Duration>,
    pub(crate) failure: Option<Failure>,
    pub(crate) opened: Option<Response<()>>,
    /// The attempt that is being prepared.
    pub(crate) attempt: Option<Attempt>,
    /// Whether a connection was asked for that is not made yet.
    asked: bool,
}

impl Client {
    pub(crate) fn new(config: EventSourceConfig) -> Self {
        Self::to(URL, config)
    }

    pub(crate) fn to(url: &str, config: EventSourceConfig) -> Self {
        Self::seeded(url, config, 7)
    }

    pub(crate) fn seeded(url: &str, config: EventSourceConfig, seed: u64) -> Self {
        let now = Instant::now();
        let source = EventSource::new(url, config, seed).expect("a request that can be made");
        Self {
            source,
            now,
            log: Vec::new(),
            waits: Vec::new(),
            failure: None,
            opened: None,
            attempt: None,
            asked: false,
        }
    }

    /// Creates a client that asks before each attempt.
    pub(crate) fn prepared(config: EventSourceConfig) -> Self {
        let mut client = Self::new(config.clone());
        let source = EventSource::new(URL, config, 7).expect("a request that can be made");
        client.source = source.with_preparation();
        client
    }

    /// Creates a client whose event stream is open, with an empty log.
    pub(crate) fn open(config: EventSourceConfig) -> Self {
        let mut client = Self::new(config);
        client.connect();
        client.receive(OPEN);
        client.told();
        client
    }

    /// Polls one event, if there is one.
    pub(crate) fn poll_one(&mut self) -> Option<String> {
        let event = self.source.poll_event(self.now)?;
        Some(self.note(event))
    }

    /// Returns the next received item, if there is one.
    pub(crate) fn take_received(&mut self) -> Option<String> {
        let event = self.source.poll_received()?;
        Some(self.note(event))
    }

    /// The next event of what was received, or why there is none of it.
    pub(crate) fn take_received_event(&mut self) -> Option<String> {
        match self.source.poll_received_event() {
            Ok(event) => event.map(|event| self.note(ClientEvent::Event(event))),
            Err(error) => Some(self.note(ClientEvent::Discarded(error))),
        }
    }

    fn note(&mut self, event: ClientEvent) -> String {
        self.asked = matches!(event, ClientEvent::Connect(_));
        let line = match event {
            ClientEvent::Prepare(attempt) => {
                let line = format!("prepare {}", attempt.number);
                self.attempt = Some(*attempt);
                line
            }
            ClientEvent::Connect(to) => {
                let scheme = if to.tls { "https" } else { "http" };
                format!("connect {scheme} {} {}", to.host, to.port)
            }
            ClientEvent::Disconnect => "disconnect".to_owned(),
            ClientEvent::Open(response) => {
                let line = format!("open {}", response.status().as_u16());
                self.opened = Some(response);
                line
            }
            ClientEvent::Event(event) => format!(
                "{} {:?} {:?}",
                event.event_type(),
                event.last_event_id(),
                event.data()
            ),
            ClientEvent::Comment(text) => format!(":{text}"),
            ClientEvent::ReconnectionTime(time) => format!("retry {time:?}"),
            ClientEvent::Discarded(error) => format!("discarded {:?}", error.bound()),
            ClientEvent::IdTooLong(error) => format!("ID too long: {}", error.limit()),
            ClientEvent::Lost { loss, wait } => {
                self.waits.push(wait);
                match loss {
                    Loss::Transport(error) => format!("lost Transport({:?})", error.kind()),
                    loss => match loss.unexpected_response() {
                        Some(response) => format!("lost {} {}", loss.name(), unexpected(response)),
                        None => format!("lost {loss:?}"),
                    },
                }
            }
            ClientEvent::Paused => "paused".to_owned(),
            ClientEvent::Closed(Ok(end)) => format!("closed {end:?}"),
            ClientEvent::Closed(Err(failure)) => {
                let line = describe(&failure);
                self.failure = Some(failure);
                line
            }
            other => panic!("an event that this test does not know: {other:?}"),
        };
        self.log.push(line.clone());
        line
    }

    /// Returns why the connection was lost.
    pub(crate) fn lost(&mut self) -> Loss {
        while let Some(event) = self.source.poll_event(self.now) {
            if let ClientEvent::Lost { loss, .. } = event {
                return loss;
            }
        }
        panic!("it was not lost")
    }

    /// Polls all events into the log.
    pub(crate) fn poll(&mut self) {
        for _ in 0..100_000 {
            if self.poll_one().is_none() {
                return;
            }
        }
        panic!("it never stops telling");
    }

    /// Returns the log since the last call.
    pub(crate) fn told(&mut self) -> Vec<String> {
        self.poll();
        std::mem::take(&mut self.log)
    }

    /// Returns the bytes to be written now.
    pub(crate) fn unsent(&mut self) -> Vec<u8> {
        let transmit = self.source.poll_transmit();
        let bytes: Vec<u8> = transmit.slices().iter().flat_map(|s| s.to_vec()).collect();
        assert_eq!(bytes.len(), transmit.len());
        bytes
    }

    /// Makes the connection that was asked for, and returns its request.
    pub(crate) fn connect(&mut self) -> String {
        self.poll();
        assert!(
            self.asked,
            "it did not ask for a connection: {:?}",
            self.log
        );
        self.asked = false;
        self.source.handle_connected(self.now);
        let request = self.unsent();
        self.source.handle_transmitted(self.now, request.len());
        assert!(self.unsent().is_empty());
        // Bytes that are not UTF-8 matter to one test, which checks them itself.
        String::from_utf8_lossy(&request).into_owned()
    }

    /// Makes the connection to a proxy, and returns the request.
    pub(crate) fn connect_to_proxy(&mut self, authorization: Option<&'static str>) -> String {
        self.poll();
        let authorization = authorization.map(sse_core::http::HeaderValue::from_static);
        self.source
            .handle_connected_to_proxy(self.now, authorization);
        String::from_utf8(self.unsent()).unwrap()
    }

    /// Takes the request for a foreign HTTP client.
    pub(crate) fn take_request(&mut self) -> Request<Bytes> {
        self.poll();
        assert!(
            self.asked,
            "it did not ask for a connection: {:?}",
            self.log
        );
        self.asked = false;
        let request = self.source.take_request(self.now);
        request.expect("a request")
    }

    /// Ends the subscription, which may be over already.
    pub(crate) fn close(&mut self) {
        let _ = self.source.close(self.now);
    }

    pub(crate) fn receive(&mut self, bytes: impl AsRef<[u8]>) {
        self.source.handle_input(self.now, bytes.as_ref());
        self.poll();
    }

    pub(crate) fn end(&mut self) {
        self.source.handle_eof(self.now);
        self.poll();
    }

    pub(crate) fn fail(&mut self, kind: io::ErrorKind) {
        self.source.handle_transport_error(self.now, kind.into());
        self.poll();
    }

    /// Lets time pass, and handles the deadlines on the way.
    pub(crate) fn advance(&mut self, time: Duration) {
        let end = self.now + time;
        for _ in 0..100_000 {
            self.poll();
            match self.source.poll_timeout() {
                Some(deadline) if deadline <= end => self.now = self.now.max(deadline),
                _ => {
                    self.now = end;
                    return;
                }
            }
            self.source.handle_timeout(self.now);
        }
        panic!("it never comes to rest");
    }

    /// Waits for the next deadline, and returns how long that was.
    pub(crate) fn wait(&mut self) -> Duration {
        self.poll();
        let deadline = self.source.poll_timeout().expect("a deadline");
        let time = deadline.saturating_duration_since(self.now);
        self.advance(time);
        self.poll();
        time
    }

    /// Waits until a connection is asked for, makes it, and returns the next request.
    pub(crate) fn reconnect(&mut self) -> String {
        self.wait();
        self.connect()
    }

    /// Makes a connection whose stream opens, has this content and then ends; returns the next request.
    pub(crate) fn lose_after(&mut self, stream: &str) -> String {
        self.receive(OPEN);
        self.receive(stream);
        self.end();
        self.reconnect()
    }
}

/// Returns a failure as one line.
fn describe(failure: &Failure) -> String {
    match (failure, failure.unexpected_response()) {
        (Failure::GaveUp(loss), Some(response)) => {
            format!("failed GaveUp({}) {}", loss.name(), unexpected(response))
        }
        (_, Some(response)) => format!("failed {} {}", failure.name(), unexpected(response)),
        (_, None) => format!("failed {failure:?}"),
    }
}

/// Returns a response that is not an event stream, in a few words.
fn unexpected(response: &UnexpectedResponse) -> String {
    let body = String::from_utf8_lossy(&response.body);
    let cut = if response.is_cut { " cut" } else { "" };
    format!("{} {body:?}{cut}", response.status().as_u16())
}

/// Returns the value of a field in a request, if it occurs exactly once.
pub(crate) fn field<'r>(request: &'r str, name: &str) -> Option<&'r str> {
    let head = request.split("\r\n\r\n").next().unwrap();
    let mut values = head.split("\r\n").skip(1).filter_map(|line| {
        let (field, value) = line.split_once(": ").expect("a field line");
        field.eq_ignore_ascii_case(name).then_some(value)
    });
    let value = values.next();
    assert_eq!(values.next(), None, "{name} is there twice in {request}");
    value
}

/// Returns the first line of a request.
pub(crate) fn request_line(request: &str) -> &str {
    request.split("\r\n").next().unwrap()
}

/// Returns the part after the head of a request.
pub(crate) fn body(request: &str) -> &str {
    request.split_once("\r\n\r\n").expect("a whole head").1
}

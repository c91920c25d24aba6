//! Streams in the content coding `gzip`: the output of a connection for a topic that compresses, and for
//! a handler's own events.
#![allow(clippy::disallowed_methods)] // an `Instant` has to come from somewhere

mod answers;
mod bounds;
mod laws;
mod own;
mod sharing;

use std::{
    io::Read,
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use flate2::{Decompress, FlushDecompress};
use sse_core::{
    Comment, Event,
    http::{BodyLength, Request, RequestHead, Response},
    server::{
        Connection, ConnectionEvent, KeepAlive, ResponseBody, ResponseConfig, StreamCompression,
        StreamOptions,
    },
    topic::{Batch, EncodedEvents, Subscriber, Topic, TopicConfig},
};

/// The bytes of a body before its blocks.
const HEAD: usize = 10;

fn compressing() -> TopicConfig {
    let mut config = TopicConfig::default();
    config.compress = true;
    config
}

fn topic(config: TopicConfig) -> Topic {
    Topic::new(config, 0, Instant::now)
}

fn options(compression: StreamCompression) -> StreamOptions {
    let mut options = StreamOptions::default();
    options.compression = compression;
    options
}

/// Returns the events that are new to the subscriber, if there are any.
fn next(subscriber: &mut Subscriber) -> Option<EncodedEvents> {
    match subscriber.try_next() {
        Poll::Ready(Some(Ok(batch))) => Some(Batch::into_encoded(batch)),
        Poll::Ready(Some(Err(_)) | None) | Poll::Pending => None,
    }
}

/// A client of a connection, which decodes everything at once.
struct Client {
    connection: Connection,
    now: Instant,
    is_gzip: bool,
    wire: Vec<u8>,
    /// The plain bytes that it must have received.
    plain: Vec<u8>,
    fed: usize,
    decoded: Vec<u8>,
    inflate: Decompress,
}

impl Client {
    fn new(compression: StreamCompression, is_gzip: bool) -> Self {
        Self::with_config(compression, is_gzip, ResponseConfig::default())
    }

    fn with_config(compression: StreamCompression, is_gzip: bool, config: ResponseConfig) -> Self {
        let mut request = Request::get("/");
        if is_gzip {
            request = request.header("accept-encoding", "gzip");
        }
        let now = Instant::now();
        let head = RequestHead::of_server(request.body(()).unwrap(), BodyLength::None);
        let mut connection = Connection::for_response(now, Arc::new(config), &head);
        let body = ResponseBody::EventStream(options(compression));
        connection.respond(now, Response::new(body)).unwrap();
        let Some(ConnectionEvent::Respond(response)) = connection.poll_event(now) else {
            panic!()
        };
        let is_coded = response.headers().contains_key("content-encoding");
        assert_eq!(is_coded, is_gzip);
        let mut client = Self {
            connection,
            now,
            is_gzip,
            wire: Vec::new(),
            plain: Vec::new(),
            fed: HEAD,
            decoded: Vec::new(),
            inflate: Decompress::new(false),
        };
        client.take();
        client
    }

    fn send(&mut self, data: &str) {
        let event = Event::new(data);
        event.encode(&mut self.plain);
        self.connection.send(self.now, &event).unwrap();
        self.take();
    }

    /// Sends events of a topic, and returns the number of bytes.
    fn send_encoded(&mut self, events: EncodedEvents) -> usize {
        let before = self.wire.len();
        self.plain.extend_from_slice(events.as_bytes());
        self.connection.send_encoded(self.now, events).unwrap();
        self.take();
        self.wire.len() - before
    }

    /// Sends all new events, and returns the number of bytes.
    fn send_all(&mut self, subscriber: &mut Subscriber) -> usize {
        let mut sent = 0;
        while let Some(events) = next(subscriber) {
            sent += self.send_encoded(events);
        }
        sent
    }

    /// Passes the idle time after which a keep-alive is due.
    fn idle(&mut self) {
        self.now += Duration::from_secs(15);
        self.connection.handle_timeout(self.now);
        if !self.is_gzip {
            Comment::KEEP_ALIVE.encode(&mut self.plain);
        }
        let before = self.wire.len();
        self.take();
        assert!(self.wire.len() > before, "an idle client gets something");
    }

    /// Takes the queued bytes, and decodes all of them.
    fn take(&mut self) {
        while let Some(bytes) = self.connection.take_body(self.now) {
            self.wire.extend_from_slice(&bytes);
        }
        if !self.is_gzip {
            assert!(self.wire == self.plain);
            return;
        }
        let compared = self.decoded.len();
        loop {
            let before = (self.inflate.total_in(), self.inflate.total_out());
            self.decoded.reserve(4096);
            let input = &self.wire[self.fed..];
            self.inflate
                .decompress_vec(input, &mut self.decoded, FlushDecompress::Sync)
                .unwrap();
            self.fed += (self.inflate.total_in() - before.0) as usize;
            if self.inflate.total_out() == before.1 && self.fed == self.wire.len() {
                break;
            }
        }
        assert!(
            self.decoded.len() == self.plain.len()
                && self.decoded[compared..] == self.plain[compared..],
            "each event can be decoded as soon as it is sent"
        );
    }

    fn finish(mut self) {
        self.connection.finish(self.now).unwrap();
        while let Some(bytes) = self.connection.take_body(self.now) {
            self.wire.extend_from_slice(&bytes);
        }
        let received = match self.is_gzip {
            true => decode(&self.wire).unwrap(),
            false => self.wire,
        };
        assert!(received == self.plain);
    }
}

fn decode(body: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(body).read_to_end(&mut plain)?;
    Ok(plain)
}

/// Returns one line of data that compresses as that of events does, or not at all.
fn payload(seed: u64, len: usize, is_noise: bool) -> String {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut data = String::new();
    while data.len() < len {
        match is_noise {
            true => data.push(random.alphanumeric()),
            false => data += &format!("{{\"symbol\":\"ABC\",\"price\":{}}}", random.u8(..)),
        }
    }
    data.truncate(len);
    data
}

fn keep_alive_event() -> KeepAlive {
    KeepAlive::every(Duration::from_secs(15)).with_event(Event::new("beat"))
}

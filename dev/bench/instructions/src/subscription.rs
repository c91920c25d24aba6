//! The events of a busy stream on their way through an event source, over a transport that only copies:
//! everything that a client costs but the kernel's part.

use std::{
    future::{Future, ready},
    hint::black_box,
    io::{self, IoSlice, Read},
    pin::pin,
    task::{Context, Poll, Waker},
};

use sse_driver::{Connected, Dial, EventSource, Transport};

use crate::{
    corpus::{Corpus, RECIPES, Recipe},
    sim::Sim,
};

/// How many bytes are there when the stream is read, before the reader has to wait: about as many as a
/// socket has for a client that is slower than its server.
const THERE: usize = 107 << 10;

/// How many bytes are in one chunk of the transfer coding.
const CHUNK: usize = 16 << 10;

const CORPORA: [&str; 3] = [
    "200 B of JSON",
    "20 lines of 60 B",
    "id, event type, 200 B of JSON",
];

/// An open event stream.
pub(crate) struct Subscription {
    source: EventSource<Sim>,
    events: usize,
}

impl Subscription {
    /// The works there are, with what each subscribes to.
    pub(crate) fn works() -> impl Iterator<Item = (String, &'static Recipe)> {
        let recipes = RECIPES.iter().filter(|it| CORPORA.contains(&it.name()));
        recipes.map(|recipe| (format!("event source: {}", recipe.name()), recipe))
    }

    pub(crate) fn new(corpus: &Corpus) -> Self {
        let stream = Stream::new(corpus);
        let source = EventSource::on(
            Sim::new(),
            "http://sim/",
            sse_driver::core::client::EventSourceConfig::default(),
        );
        let source = source.expect("a good URL");
        let mut subscription = Self {
            source: source
                .with_connector(move |_: Dial<Sim>| ready(Ok(Connected::direct(stream.clone())))),
            events: corpus.events.len(),
        };
        subscription.next();
        subscription
    }

    /// Takes as many events as the corpus has.
    pub(crate) fn take(&mut self) {
        for _ in 0..self.events {
            self.next();
        }
    }

    fn next(&mut self) {
        let mut next = pin!(self.source.next());
        let mut cx = Context::from_waker(Waker::noop());
        let event = loop {
            if let Poll::Ready(event) = next.as_mut().poll(&mut cx) {
                break event;
            }
        };
        let event = event.expect("it has no end").expect("and no fault");
        black_box(event.data());
    }
}

/// An answer whose body begins anew where it ends.
#[derive(Clone)]
struct Stream {
    head: &'static [u8],
    body: Vec<u8>,
    at: usize,
    there: usize,
}

impl Stream {
    fn new(corpus: &Corpus) -> Self {
        let mut body = Vec::new();
        for part in corpus.wire.chunks(CHUNK) {
            body.extend_from_slice(format!("{:x}\r\n", part.len()).as_bytes());
            body.extend_from_slice(part);
            body.extend_from_slice(b"\r\n");
        }
        Self {
            head: b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
            body,
            at: 0,
            there: THERE,
        }
    }
}

impl Transport for Stream {
    fn poll_read(&mut self, _: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        if !self.head.is_empty() {
            return Poll::Ready(self.head.read(buffer));
        }
        if self.there == 0 {
            self.there = THERE;
            return Poll::Pending;
        }
        let most = buffer.len().min(self.there);
        let mut read = 0;
        while read < most {
            let n = (&self.body[self.at..]).read(&mut buffer[read..most])?;
            read += n;
            self.at = (self.at + n) % self.body.len();
        }
        self.there -= read;
        Poll::Ready(Ok(read))
    }

    fn poll_write_vectored(
        &mut self,
        _: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

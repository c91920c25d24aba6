//! A stream of chunks as a stream of events.

#![cfg(feature = "stream")]

use std::{
    cell::Cell,
    error::Error,
    io,
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll, Waker},
};

use futures_util::{FutureExt, Stream, StreamExt, stream, stream::FusedStream};
use sse_core::{
    DecodeBound, Decoder, DecoderLimits, EventId, EventStream, EventStreamError, MessageEvent,
};

type Chunk = Result<&'static [u8], &'static str>;

/// Chunks, some of which are pending; counts how often it is polled.
struct Chunks {
    chunks: std::vec::IntoIter<Option<Chunk>>,
    polled: Rc<Cell<usize>>,
}

impl Stream for Chunks {
    type Item = Chunk;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Chunk>> {
        self.polled.set(self.polled.get() + 1);
        match self.chunks.next() {
            Some(Some(chunk)) => Poll::Ready(Some(chunk)),
            Some(None) => Poll::Pending,
            None => Poll::Ready(None),
        }
    }
}

/// Returns the chunks. `None` among them is a moment without one.
fn chunks<const N: usize>(chunks: [Option<Chunk>; N]) -> (Chunks, Rc<Cell<usize>>) {
    let polled = Rc::new(Cell::new(0));
    let chunks = Chunks {
        chunks: Vec::from(chunks).into_iter(),
        polled: Rc::clone(&polled),
    };
    (chunks, polled)
}

fn ok(chunk: &'static str) -> Option<Chunk> {
    Some(Ok(chunk.as_bytes()))
}

type Item<E> = Result<MessageEvent, EventStreamError<E>>;

fn poll<S: Stream + Unpin>(stream: &mut S) -> Poll<Option<S::Item>> {
    stream.poll_next_unpin(&mut Context::from_waker(Waker::noop()))
}

/// Returns the data of the next event.
fn next<E>(stream: &mut (impl Stream<Item = Item<E>> + Unpin)) -> Option<String> {
    match poll(stream) {
        Poll::Ready(Some(Ok(event))) => Some(event.data().to_owned()),
        _ => None,
    }
}

#[test]
fn events_of_one_chunk_come_without_asking_for_another() {
    let (chunks, polled) = chunks([ok("data: 1\n\ndata: 2\n\nda"), None, ok("ta: 3\n\n")]);
    let mut events = EventStream::new(chunks);
    assert_eq!(next(&mut events).unwrap(), "1");
    assert_eq!(next(&mut events).unwrap(), "2");
    assert_eq!(polled.get(), 1);
    assert!(poll(&mut events).is_pending());
    assert_eq!(next(&mut events).unwrap(), "3");
    assert_eq!(poll(&mut events), Poll::Ready(None));
}

#[test]
fn the_last_event_id_is_that_of_the_event_that_was_taken() {
    let (chunks, _) = chunks([ok("id: 1\ndata: 1\n\nretry: 5\nid: 2\ndata: 2\n\n")]);
    let mut decoder = Decoder::new();
    decoder.set_last_event_id(&EventId::from(0));
    let mut events = EventStream::with_decoder(chunks, decoder);
    assert_eq!(events.last_event_id(), "0");
    next(&mut events).unwrap();
    assert_eq!(
        (events.last_event_id(), events.reconnection_time()),
        ("1", None)
    );
    next(&mut events).unwrap();
    assert_eq!(events.last_event_id(), "2");
    assert_eq!(events.reconnection_time().unwrap().as_millis(), 5);
}

#[test]
fn an_incomplete_last_event_is_discarded_and_the_end_stays() {
    let (chunks, polled) = chunks([ok("data: 1\n\nid: 9\ndata: 2\n")]);
    let mut events = EventStream::new(chunks);
    assert_eq!(next(&mut events).unwrap(), "1");
    assert!(!events.is_terminated());
    for _ in 0..3 {
        assert_eq!(poll(&mut events), Poll::Ready(None));
        assert!(events.is_terminated());
    }
    assert_eq!(polled.get(), 2, "chunks are not asked for behind their end");
    assert_eq!(events.last_event_id(), "");
}

#[test]
fn behind_an_error_of_the_decoder_comes_the_next_event() {
    let (chunks, _) = chunks([ok("data: 1\n\ndata: too long\n\ndata: 2\n\n")]);
    let decoder = Decoder::with_limits(DecoderLimits::default().with_line(8));
    let mut events = EventStream::with_decoder(chunks, decoder);
    assert_eq!(next(&mut events).unwrap(), "1");
    match poll(&mut events) {
        Poll::Ready(Some(Err(EventStreamError::Decode(error)))) => {
            assert_eq!(error.bound(), DecodeBound::Line);
        }
        other => unreachable!("{other:?} is not an error of the decoder"),
    }
    assert_eq!(next(&mut events).unwrap(), "2");
    assert_eq!(poll(&mut events), Poll::Ready(None));
}

#[test]
fn an_error_of_the_chunks_is_handed_on() {
    let (chunks, _) = chunks([ok("data: 1\n"), Some(Err("reset")), ok("\n")]);
    let mut events = EventStream::new(chunks);
    assert_eq!(
        poll(&mut events),
        Poll::Ready(Some(Err(EventStreamError::Chunks("reset"))))
    );
    assert_eq!(next(&mut events).unwrap(), "1");
}

#[test]
fn a_stream_that_may_not_be_moved_serves_as_well() {
    let chunks = stream::once(async { Ok::<_, io::Error>(b"data: 1\n\n".to_vec()) });
    let events = pin!(EventStream::new(chunks));
    let data = events.map(|event| event.unwrap().into_data());
    assert_eq!(data.collect::<Vec<_>>().now_or_never().unwrap(), ["1"]);
}

#[test]
fn an_error_says_what_its_cause_says() {
    let cause = io::Error::new(io::ErrorKind::ConnectionReset, "the peer went away");
    let error = EventStreamError::Chunks(cause);
    assert_eq!(error.to_string(), "the peer went away");
    let error: Box<dyn Error + Send + Sync> = Box::new(error);
    assert!(
        error
            .downcast_ref::<EventStreamError<io::Error>>()
            .is_some()
    );
}

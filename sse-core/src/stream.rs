//! A stream of byte chunks as a stream of events, over `futures-core` only.

use core::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_core::{
    Stream,
    stream::{FusedStream, TryStream},
};
use pin_project_lite::pin_project;

use crate::{DecodeError, Decoder, MessageEvent};

pin_project! {
    /// A [`Stream`] of byte chunks as a [`Stream`] of [`MessageEvent`]s.
    ///
    /// A chunk may be any type that lends its bytes, such as those of a response body from `reqwest` or
    /// `hyper`, or of a file. This stream is [`Unpin`] if the stream of chunks is.
    ///
    /// ```
    /// use futures_util::{StreamExt, stream};
    /// use sse_core::EventStream;
    ///
    /// # futures_util::FutureExt::now_or_never(async {
    /// let chunks = stream::iter([Ok::<_, std::io::Error>("data: Hello, wo"), Ok("rld!\n\n")]);
    /// let mut events = EventStream::new(chunks);
    /// while let Some(event) = events.next().await {
    ///     assert_eq!(event?.data(), "Hello, world!");
    /// }
    /// # Ok::<(), sse_core::EventStreamError<std::io::Error>>(())
    /// # }).unwrap().unwrap();
    /// ```
    ///
    /// It ends with the stream of chunks; an event that is not complete by then is discarded, as the
    /// standard says. It does not reconnect: that takes a client.
    ///
    /// # Errors
    ///
    /// An item is an [`EventStreamError`] where the stream of chunks fails or the event stream exceeds
    /// one of the decoder's limits. Neither ends this stream: after a [`DecodeError`] comes the next
    /// event, and after an error of the stream of chunks its next chunk.
    ///
    /// # Memory
    ///
    /// It holds one chunk at a time, until all its events have been taken, and what the [`Decoder`]
    /// holds. An event does not keep its chunk alive.
    pub struct EventStream<S: TryStream> {
        #[pin]
        chunks: S,
        chunk: Option<S::Ok>,
        // The number of bytes of the chunk that have been decoded.
        decoded: usize,
        decoder: Decoder,
        ended: bool,
    }
}

impl<S, B, E> EventStream<S>
where
    S: Stream<Item = Result<B, E>>,
    B: AsRef<[u8]>,
{
    /// Creates a stream of the events in `chunks`, decoded with the default limits and without a last
    /// event ID: see [`Decoder::new`].
    pub fn new(chunks: S) -> Self {
        Self::with_decoder(chunks, Decoder::new())
    }

    /// Creates a stream of the events in `chunks`, decoded by `decoder`, which may have other limits, or
    /// the last event ID that the request for the stream carried.
    pub fn with_decoder(chunks: S, decoder: Decoder) -> Self {
        Self {
            chunks,
            chunk: None,
            decoded: 0,
            decoder,
            ended: false,
        }
    }
}

impl<S: TryStream> EventStream<S> {
    /// Returns the last event ID, which the request for the rest of the stream carries in its
    /// `Last-Event-ID` header, unless it is empty. See [`Decoder::last_event_id`].
    #[must_use]
    pub fn last_event_id(&self) -> &str {
        self.decoder.last_event_id()
    }

    /// Returns the reconnection time that the server set last, which a client waits before it connects
    /// again; `None` if the server set none.
    #[must_use]
    pub fn reconnection_time(&self) -> Option<Duration> {
        self.decoder.reconnection_time()
    }
}

impl<S, B, E> Stream for EventStream<S>
where
    S: Stream<Item = Result<B, E>>,
    B: AsRef<[u8]>,
{
    type Item = Result<MessageEvent, EventStreamError<E>>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut this = self.project();
        loop {
            if let Some(chunk) = this.chunk {
                let chunk = chunk.as_ref();
                let mut input = chunk.get(*this.decoded..).unwrap_or_default();
                let event = this.decoder.decode_event(&mut input);
                *this.decoded = chunk.len() - input.len();
                if let Some(event) = event.transpose() {
                    return Poll::Ready(Some(event.map_err(EventStreamError::Decode)));
                }
                *this.chunk = None;
            }
            if *this.ended {
                return Poll::Ready(None);
            }
            match ready!(this.chunks.as_mut().poll_next(cx)) {
                Some(Ok(chunk)) => {
                    *this.chunk = Some(chunk);
                    *this.decoded = 0;
                }
                Some(Err(error)) => {
                    return Poll::Ready(Some(Err(EventStreamError::Chunks(error))));
                }
                None => *this.ended = true,
            }
        }
    }
}

impl<S, B, E> FusedStream for EventStream<S>
where
    S: Stream<Item = Result<B, E>>,
    B: AsRef<[u8]>,
{
    fn is_terminated(&self) -> bool {
        self.ended
    }
}

impl<S: TryStream + fmt::Debug> fmt::Debug for EventStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream")
            .field("chunks", &self.chunks)
            .field("last_event_id", &self.last_event_id())
            .field("reconnection_time", &self.reconnection_time())
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

/// An error that an [`EventStream`] yields in place of an event. The stream continues after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EventStreamError<E> {
    /// The stream of chunks failed with this error.
    Chunks(E),
    /// The event stream exceeded one of the decoder's limits. The event was discarded; the next item is
    /// the next event.
    Decode(DecodeError),
}

impl<E: fmt::Display> fmt::Display for EventStreamError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chunks(error) => fmt::Display::fmt(error, f),
            Self::Decode(error) => fmt::Display::fmt(error, f),
        }
    }
}

impl<E: core::error::Error + 'static> core::error::Error for EventStreamError<E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Chunks(error) => Some(error),
            Self::Decode(error) => Some(error),
        }
    }
}

/// Converts to the stream's own error as an `io::Error`, or to one of the kind
/// [`InvalidData`](std::io::ErrorKind::InvalidData) that holds the [`DecodeError`].
#[cfg(feature = "std")]
impl<E: Into<std::io::Error>> From<EventStreamError<E>> for std::io::Error {
    fn from(error: EventStreamError<E>) -> Self {
        match error {
            EventStreamError::Chunks(error) => error.into(),
            EventStreamError::Decode(error) => error.into(),
        }
    }
}

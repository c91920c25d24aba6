//! A request's body from a foreign server.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};

use bytes::Buf;
use sse_core::{
    internal::catch,
    server::{Connection, Phase},
};

/// The body, from which the connection takes bytes if a handler wants them. Trailers are discarded.
pub(super) struct IncomingBody(Option<Pin<Box<dyn RequestBody>>>);

/// The number of pieces that are read before other tasks get the thread, and that are read when a
/// deadline has passed, because the task may be late, and not the client.
const PIECES: usize = 16;
const LATE_PIECES: usize = 256;

impl IncomingBody {
    /// Creates an empty body.
    pub(super) fn none() -> Self {
        Self(None)
    }

    pub(super) fn of<B>(body: B) -> Self
    where
        B: http_body::Body + Send + 'static,
        B::Data: Send,
    {
        Self(Some(Box::pin(body)))
    }

    /// Passes the available bytes of the body to the connection, as long as it wants them. A body that it
    /// does not want any more is dropped.
    pub(super) fn receive(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        connection: &mut Connection,
    ) {
        let deadline = connection.poll_timeout();
        let pieces = match deadline.is_some_and(|deadline| deadline <= now) {
            true => LATE_PIECES,
            false => PIECES,
        };
        for _ in 0..pieces {
            if connection.phase() != Phase::Body {
                return self.forget();
            }
            let Some(body) = &mut self.0 else {
                return connection.handle_body_end(now);
            };
            match body.as_mut().poll_piece(cx, now, connection) {
                Poll::Pending => return,
                Poll::Ready(Piece::Data) => {}
                Poll::Ready(Piece::End) => {
                    self.forget();
                    connection.handle_body_end(now);
                }
                Poll::Ready(Piece::Broken) => {
                    self.forget();
                    connection.handle_transport_error(now, io::ErrorKind::ConnectionAborted.into());
                }
            }
        }
        cx.waker().wake_by_ref();
    }

    /// Drops the body, which is code of the foreign server or of its user.
    fn forget(&mut self) {
        let body = self.0.take();
        let _ = catch(|| drop(body));
    }
}

impl Drop for IncomingBody {
    fn drop(&mut self) {
        self.forget();
    }
}

/// The result of one poll of the body.
enum Piece {
    Data,
    End,
    /// The server reports that the body failed. Most often the client broke it off.
    Broken,
}

/// Any `http_body::Body`, as one trait object.
trait RequestBody: Send {
    fn poll_piece(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        now: Instant,
        connection: &mut Connection,
    ) -> Poll<Piece>;
}

impl<B> RequestBody for B
where
    B: http_body::Body + Send,
    B::Data: Send,
{
    fn poll_piece(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        now: Instant,
        connection: &mut Connection,
    ) -> Poll<Piece> {
        self.poll_frame(cx).map(|frame| match frame {
            None => Piece::End,
            Some(Err(_)) => Piece::Broken,
            Some(Ok(frame)) => {
                if let Ok(mut data) = frame.into_data() {
                    while data.has_remaining() {
                        let chunk = data.chunk();
                        let len = chunk.len();
                        connection.handle_body(now, chunk);
                        data.advance(len);
                    }
                }
                Piece::Data
            }
        })
    }
}

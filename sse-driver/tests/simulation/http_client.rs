//! A foreign HTTP client, whose requests go to the foreign server without a connection, so that an
//! event source runs over both.

use std::{
    convert::Infallible,
    future::Future,
    io,
    pin::Pin,
    sync::PoisonError,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::Frame;
use sse_core::http::{Request, Response};
use sse_driver::{HttpClient, embedding::Body};

use crate::{
    clients::Surroundings,
    foreign::{SharedHost, Upload},
    sim::Sim,
};

/// Sends the requests of one client.
pub struct ToHost {
    pub around: Surroundings,
    /// The number of the client.
    pub number: usize,
    pub host: SharedHost,
}

/// Tells the registry that the foreign server's part of a client is dropped before its end.
pub struct Gone {
    around: Surroundings,
    number: usize,
    is_over: bool,
}

impl Drop for Gone {
    fn drop(&mut self) {
        if !self.is_over {
            self.around.registry.drop_foreign(self.number);
        }
    }
}

/// The work of the server, and before it the value that reports its drop.
pub struct Held<T> {
    gone: Gone,
    inner: Pin<Box<T>>,
}

impl<T: Future> Future for Held<T> {
    type Output = T::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T::Output> {
        let output = ready!(self.inner.as_mut().poll(cx));
        self.gone.around.sim.note_progress();
        self.gone.is_over = true;
        Poll::Ready(output)
    }
}

impl http_body::Body for Held<Body<Sim>> {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let frame = ready!(http_body::Body::poll_frame(self.inner.as_mut(), cx));
        self.gone.around.sim.note_progress();
        self.gone.is_over = !matches!(frame, Some(Ok(_)));
        Poll::Ready(frame.map(|frame| frame.map_err(io::Error::other)))
    }
}

impl ToHost {
    fn hold<T>(&self, what: T) -> Held<T> {
        Held {
            gone: Gone {
                around: self.around.clone(),
                number: self.number,
                is_over: false,
            },
            inner: Box::pin(what),
        }
    }
}

impl HttpClient for ToHost {
    type Body = Held<Body<Sim>>;
    type Error = Infallible;

    async fn send(&self, request: Request<Bytes>) -> Result<Response<Self::Body>, Infallible> {
        self.around
            .chaos
            .begin_attempt(&self.around.sim, self.number);
        let request = request.map(|body| Upload::new(&self.around, &body));
        let answer = {
            let host = self.host.lock().unwrap_or_else(PoisonError::into_inner);
            host.embedding.route(&host.routes, request, None)
        };
        let response = self.hold(answer).await;
        Ok(response.map(|body| self.hold(body)))
    }
}

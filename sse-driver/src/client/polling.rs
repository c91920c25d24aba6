//! What an event source does while it is polled.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Instant,
};

use futures_core::Stream;
use sse_core::{
    MessageEvent,
    client::{Attempt, AttemptError, ClientEvent, Endpoint},
};

use super::{EventSource, EventSourceError, link::Link, prepare::Prepared};
use crate::{Runtime, alarm::Alarm, trace};

/// After how many rounds, or events that the caller passes over, other tasks have the thread.
const ROUNDS: usize = 64;

impl<R: Runtime> EventSource<R> {
    /// The next event; `None` once the subscription is over. A future that is dropped before it is
    /// ready loses nothing.
    ///
    /// # Errors
    ///
    /// [`EventSourceError::Discarded`] for an event that is too large; the stream goes on after
    /// it. [`EventSourceError::Failed`] where it is over for a reason that is not proper.
    pub async fn next(&mut self) -> Option<Result<MessageEvent, EventSourceError>> {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    /// The next thing that happens, whatever it is; `None` after [`ClientEvent::Closed`]. A future
    /// that is dropped before it is ready loses nothing.
    ///
    /// The connection is made and closed here, and the [hook](Self::prepare) is called:
    /// [`ClientEvent::Prepare`], [`ClientEvent::Connect`] and [`ClientEvent::Disconnect`] say that it
    /// is done, and ask for nothing.
    pub async fn next_update(&mut self) -> Option<ClientEvent> {
        poll_fn(|cx| self.poll_update(cx)).await
    }

    /// [`next_update`](Self::next_update) for futures that are written by hand.
    pub fn poll_update(&mut self, cx: &mut Context<'_>) -> Poll<Option<ClientEvent>> {
        for _ in 0..ROUNDS {
            if self.is_over {
                return Poll::Ready(None);
            }
            let now = self.runtime.now();
            if self.closing.has_begun() {
                // Fails where it is over already.
                let _ = self.machine.close(now);
            }
            if let Some(event) = self.take_event(now) {
                return Poll::Ready(Some(event));
            }
            if self.link.turn(cx, now, &mut self.machine) || self.prepare_next(cx, now) {
                continue;
            }
            // What has come in counts before the time that has passed.
            self.machine.handle_timeout(now);
            if let Some(event) = self.take_event(now) {
                return Poll::Ready(Some(event));
            }
            let deadline = self.machine.poll_timeout();
            if self.alarm.poll(&self.runtime, deadline, cx).is_pending()
                && Pin::new(&mut self.closing).poll(cx).is_pending()
            {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn poll_event(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<MessageEvent, EventSourceError>>> {
        for _ in 0..ROUNDS {
            let Some(event) = ready!(self.poll_update(cx)) else {
                return Poll::Ready(None);
            };
            return Poll::Ready(Some(match event {
                ClientEvent::Event(event) => Ok(event),
                ClientEvent::Discarded(error) => Err(EventSourceError::Discarded(error)),
                ClientEvent::Closed(Err(failure)) => Err(EventSourceError::Failed(failure)),
                _ => continue,
            }));
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Asks the hook for the next attempt, and does what it says. Says whether it said anything.
    fn prepare_next(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let Some(preparer) = &mut self.preparer else {
            return false;
        };
        let Poll::Ready(prepared) = preparer.poll(cx) else {
            return false;
        };
        let machine = &mut self.machine;
        // It is asked in the phase that all of these are for.
        let done = match prepared {
            Ok(Prepared::Send(attempt)) => machine.send(now, attempt),
            Ok(Prepared::Wait(time)) => machine.wait(now, time).map_err(AttemptError::from),
            Ok(Prepared::Stop) => machine.stop(now).map_err(AttemptError::from),
            Err(error) => {
                machine.handle_preparation_error(now, error);
                Ok(())
            }
        };
        if let Err(AttemptError::Invalid(error)) = done {
            machine.handle_preparation_error(now, error);
        }
        true
    }

    /// What the machine has to tell. What it asks for is done.
    fn take_event(&mut self, now: Instant) -> Option<ClientEvent> {
        let event = self.machine.poll_event(now)?;
        trace::event_source(self.machine.url(), &event);
        match &event {
            ClientEvent::Prepare(attempt) => {
                if let Some(preparer) = &mut self.preparer {
                    preparer.begin(Attempt::clone(attempt));
                }
            }
            ClientEvent::Connect(endpoint) => {
                self.link = self.connect(endpoint, now);
            }
            ClientEvent::Disconnect => self.link = Link::Down,
            // There is no time left to prepare in.
            ClientEvent::Lost { .. } => self.cancel_preparing(),
            ClientEvent::Closed(_) => {
                self.cancel_preparing();
                self.is_over = true;
                self.alarm = Alarm::new();
            }
            _ => {}
        }
        Some(event)
    }

    /// What carries the next request.
    fn connect(&mut self, endpoint: &Endpoint, now: Instant) -> Link {
        #[cfg(feature = "http-body")]
        if let Some(client) = &self.http_client {
            // There is a request, since one was asked for.
            return match self.machine.take_request(now) {
                Ok(request) => Link::Sent(client.clone().send_any(request)),
                Err(_) => Link::Down,
            };
        }
        let _ = now;
        Link::Dialing(self.dialer.dial(endpoint.clone()))
    }

    fn cancel_preparing(&mut self) {
        if let Some(preparer) = &mut self.preparer {
            preparer.cancel();
        }
    }
}

impl<R: Runtime> Stream for EventSource<R> {
    type Item = Result<MessageEvent, EventSourceError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_event(cx)
    }
}

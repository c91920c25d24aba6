//! The polling of an event source.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Instant,
};

use futures_core::Stream;
use sse_core::{
    MessageEvent,
    client::{Attempt, AttemptError, ClientEvent, End, Endpoint},
    http::Response,
};

use super::{EventSource, EventSourceError, control::Wanted, link::Link, prepare::Prepared};
use crate::{Runtime, alarm::Alarm, trace};

/// The number of rounds, or of events that the caller skips, after which other tasks get the thread.
const ROUNDS: usize = 64;

impl<R: Runtime> EventSource<R> {
    /// Returns the next event; `None` once the subscription is over. Dropping the future before it is
    /// ready loses nothing. Everything else, such as an ID that is too long, is passed over.
    ///
    /// # Errors
    ///
    /// [`EventSourceError::Discarded`] for an event that is too large; the stream continues after it.
    /// [`EventSourceError::Failed`] where the subscription has failed; the next call returns `None`.
    pub async fn next(&mut self) -> Option<Result<MessageEvent, EventSourceError>> {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    /// Returns the next update of any kind; `None` after [`ClientEvent::Closed`]. Dropping the future
    /// before it is ready loses nothing.
    ///
    /// The event source makes and closes connections itself, and calls the [hook](Self::prepare):
    /// [`ClientEvent::Prepare`], [`ClientEvent::Connect`] and [`ClientEvent::Disconnect`] only report
    /// that, and need no reaction.
    pub async fn next_update(&mut self) -> Option<ClientEvent> {
        poll_fn(|cx| self.poll_update(cx)).await
    }

    /// Waits until the stream is open, and returns the head of its response; returns at once if the
    /// stream is open already. Losses on the way are skipped, unless
    /// [`first_failure_is_final`](sse_core::client::Reconnection::first_failure_is_final) or
    /// [`max_attempts`](sse_core::client::Reconnection::max_attempts) make them failures. Dropping the
    /// future before it is ready loses only the skipped updates.
    ///
    /// # Errors
    ///
    /// [`EventSourceError::Failed`] where the subscription failed. Its
    /// [`unexpected_response`](EventSourceError::unexpected_response) is the response of an API that
    /// answers some requests with a stream and others with JSON or a 202. [`EventSourceError::Ended`]
    /// where the subscription is over without a failure, such as by a 204, or was over before.
    ///
    /// ```
    /// # use sse_driver::{EventSource, EventSourceError, Runtime};
    /// # async fn ask<R: Runtime>(mut source: EventSource<R>) -> Result<(), EventSourceError> {
    /// match source.opened().await {
    ///     Ok(response) => println!("a stream, with {:?}", response.headers()),
    ///     Err(error) => match error.unexpected_response() {
    ///         Some(response) => println!("{}: {:?}", response.status(), response.body),
    ///         None => return Err(error),
    ///     },
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn opened(&mut self) -> Result<&Response<()>, EventSourceError> {
        while self.response.is_none() {
            match self.next_update().await {
                None => return Err(EventSourceError::Ended(End::Closed)),
                Some(ClientEvent::Closed(Ok(end))) => return Err(EventSourceError::Ended(end)),
                Some(ClientEvent::Closed(Err(failure))) => {
                    return Err(EventSourceError::Failed(failure));
                }
                Some(_) => {}
            }
        }
        self.response().ok_or(EventSourceError::Ended(End::Closed))
    }

    /// Does the same as [`next_update`](Self::next_update), for futures written by hand. `None` means
    /// that the subscription is over.
    pub fn poll_update(&mut self, cx: &mut Context<'_>) -> Poll<Option<ClientEvent>> {
        for _ in 0..ROUNDS {
            if let Some(event) = self.take_received() {
                return Poll::Ready(Some(event));
            }
            if self.is_over {
                return Poll::Ready(None);
            }
            let now = self.runtime.now();
            if let Some(wanted) = self.handle.take() {
                self.obey(wanted, now);
            }
            if let Some(event) = self.take_event(now) {
                return Poll::Ready(Some(event));
            }
            if Link::turn(&mut self.link, cx, now, &mut self.machine) || self.prepare_next(cx, now)
            {
                continue;
            }
            // Input that has arrived counts before the time that has passed.
            self.machine.handle_timeout(now);
            if let Some(event) = self.take_event(now) {
                return Poll::Ready(Some(event));
            }
            let deadline = self.machine.poll_timeout();
            if self.alarm.poll(&self.runtime, deadline, cx).is_pending()
                && self.handle.poll_wanted(cx).is_pending()
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
            // Most events come this way, and are moved once.
            if !self.handle.is_wanted()
                && let Some(event) = self.machine.poll_received_event().transpose()
            {
                if let Err(error) = &event {
                    trace::discarded(self.machine.url(), error);
                }
                return Poll::Ready(Some(event.map_err(EventSourceError::Discarded)));
            }
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

    /// Obeys the requests of the handles.
    fn obey(&mut self, wanted: Wanted, now: Instant) {
        let machine = &mut self.machine;
        // All of these fail if the event source is over already.
        let _ = match wanted.pause() {
            Some(true) => machine.pause(now),
            Some(false) => machine.resume(now),
            None => Ok(()),
        };
        if wanted.reconnect() {
            let _ = machine.reconnect(now);
        }
        if wanted.close() {
            let _ = machine.close(now);
        }
    }

    /// Polls the hook for the next attempt, and passes its decision on. Returns whether there was one.
    fn prepare_next(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let Some(preparer) = &mut *self.preparer else {
            return false;
        };
        let Poll::Ready(prepared) = preparer.poll(cx) else {
            return false;
        };
        let machine = &mut self.machine;
        // The hook runs in the phase in which all of these are allowed.
        let done = match prepared {
            Ok(Prepared::Send(attempt)) => machine.attempt(now, attempt),
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

    /// Returns the next received event, unless a handle has a request. This does not read the clock.
    #[inline]
    fn take_received(&mut self) -> Option<ClientEvent> {
        if self.handle.is_wanted() {
            return None;
        }
        let event = self.machine.poll_received();
        if let Some(event) = &event {
            trace::event_source(self.machine.url(), event);
        }
        // Matching it apart and building it again would copy it.
        event
    }

    /// Returns the machine's next event, after doing what it asks for.
    fn take_event(&mut self, now: Instant) -> Option<ClientEvent> {
        let event = self.machine.poll_event(now)?;
        trace::event_source(self.machine.url(), &event);
        match &event {
            ClientEvent::Prepare(attempt) => {
                if let Some(preparer) = &mut *self.preparer {
                    preparer.begin(Attempt::clone(attempt));
                }
            }
            ClientEvent::Connect(endpoint) => {
                let link = self.connect(endpoint, now);
                self.link.set(link);
            }
            ClientEvent::Open(response) => self.response = Some(Box::new(response.clone())),
            ClientEvent::Disconnect => {
                self.link.clear();
                self.response = None;
            }
            // There is no time left to prepare the attempt.
            ClientEvent::Lost { .. } => self.cancel_preparing(),
            ClientEvent::Paused => {
                self.cancel_preparing();
                self.alarm = Alarm::new();
            }
            ClientEvent::Closed(_) => {
                self.cancel_preparing();
                self.is_over = true;
                self.alarm = Alarm::new();
            }
            _ => {}
        }
        Some(event)
    }

    /// Starts the connection or the client's call that carries the next request.
    fn connect(&mut self, endpoint: &Endpoint, now: Instant) -> Link {
        #[cfg(feature = "http-body")]
        if let Some(client) = &*self.http_client {
            // The machine has a request, because it has just asked for a connection.
            return match self.machine.take_request(now) {
                Ok(request) => Link::Sent(client.clone().send_any(request)),
                Err(_) => Link::Down,
            };
        }
        let _ = now;
        Link::Dialing(self.dialer.dial(endpoint.clone()))
    }

    fn cancel_preparing(&mut self) {
        if let Some(preparer) = &mut *self.preparer {
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

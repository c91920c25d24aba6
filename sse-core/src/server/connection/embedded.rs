//! Connections whose request a foreign server reads, or whose response it writes.

use std::{
    sync::Arc,
    time::{Instant, SystemTime},
};

use bytes::Bytes;

use super::{Connection, Host, transitions::responding};
use crate::{
    http::RequestHead,
    server::{
        ConnectionConfig, ResponseConfig,
        request_body::RequestBody,
        state::{Asked, State},
    },
};

impl Connection {
    /// Creates a connection whose request head was read by another parser. It begins where the head is
    /// complete, in [`Phase::Responding`](super::Phase::Responding), without a
    /// [`ConnectionEvent::Request`](super::ConnectionEvent::Request). Pass the bytes that were read
    /// beyond the head to [`handle_input`](Self::handle_input).
    ///
    /// [`RequestHead::new`] makes a head from an `http::Request`, and checks it.
    #[must_use]
    pub fn for_request(
        now: Instant,
        date: SystemTime,
        config: Arc<ConnectionConfig>,
        head: &RequestHead,
    ) -> Self {
        let mut connection = Self::new(now, date, config);
        connection.take_request(now, head);
        connection
    }

    /// Creates the response to a request that a foreign server read. That server writes the response's
    /// head and frames its body, in chunks or in HTTP/2. The connection begins in
    /// [`Phase::Responding`](super::Phase::Responding). [`RequestHead::of_server`] makes a head from the
    /// server's request.
    ///
    /// - [`ConnectionEvent::Respond`](super::ConnectionEvent::Respond) has the response's head, also
    ///   where the machine responds in the application's place, such as with a 503 where
    ///   [`respond`](Self::respond) comes too late. [`take_body`](Self::take_body) returns the body.
    /// - After [`receive_body`](Self::receive_body), pass the request's body to
    ///   [`handle_body`](Self::handle_body) and its end to [`handle_body_end`](Self::handle_body_end).
    ///   Report a body that breaks off with [`handle_transport_error`](Self::handle_transport_error).
    /// - At [`ConnectionEvent::EndOutput`](super::ConnectionEvent::EndOutput) end the body of a stream,
    ///   and report that with [`handle_output_ended`](Self::handle_output_ended).
    /// - At [`ConnectionEvent::Closed`](super::ConnectionEvent::Closed) the body is over. If `EndOutput`
    ///   came, it has ended properly, whatever the reason: a stream may end properly at a
    ///   [shutdown](crate::lifecycle::CloseReason::Shutdown), too. Otherwise let the body fail with any
    ///   reason but [`ResponseSent`], so that the client can tell. Because servers discard the bytes that
    ///   they have not written when a body fails, this event waits for
    ///   [`fail_delay`](ResponseConfig::fail_delay) after an [abort](Self::abort).
    /// - Report a client that went away with [`close`](Self::close). There is no stall deadline and no
    ///   drain deadline, because a foreign server does not tell a client that stalls from a body that is
    ///   polled late.
    ///
    /// [`ResponseSent`]: crate::lifecycle::CloseReason::ResponseSent
    ///
    /// ```
    /// use std::time::Instant;
    /// use sse_core::{Event, http::{BodyLength, Request, RequestHead, Response}};
    /// use sse_core::server::{ResponseBody, Connection, ConnectionEvent};
    ///
    /// let (now, request) = (Instant::now(), Request::get("/events"));
    /// let head = RequestHead::of_server(request.body(())?, BodyLength::None);
    /// let mut connection = Connection::for_response(now, Default::default(), &head);
    ///
    /// connection.respond(now, Response::new(ResponseBody::event_stream()))?;
    /// let Some(ConnectionEvent::Respond(response)) = connection.poll_event(now) else { panic!() };
    /// assert_eq!(response.headers()["content-type"], "text/event-stream");
    /// assert_eq!(*response.body(), BodyLength::Chunked);
    ///
    /// connection.send(now, &Event::new("hello"))?;
    /// assert_eq!(connection.take_body(now).unwrap(), "data: hello\n\n");
    /// assert_eq!(connection.take_body(now), None);
    ///
    /// connection.finish(now)?;
    /// assert!(matches!(connection.poll_event(now), Some(ConnectionEvent::EndOutput { .. })));
    /// connection.handle_output_ended(now);
    /// assert!(matches!(connection.poll_event(now), Some(ConnectionEvent::Closed(_))));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn for_response(now: Instant, config: Arc<ResponseConfig>, head: &RequestHead) -> Self {
        let body = RequestBody::unframed(head, &config);
        let state = responding(now, &config, Asked::No(body), None);
        let response = None;
        let mut connection = Self::in_state(state, Host::Server { config, response });
        connection.note_request(head);
        connection
    }

    /// Handles bytes of the request's body that the foreign server received, without transfer framing.
    ///
    /// Does nothing for a connection over a socket, which reads the body itself.
    pub fn handle_body(&mut self, now: Instant, mut bytes: &[u8]) {
        if !self.is_on_socket() {
            self.receive(now, &mut bytes);
        }
    }

    /// Reports that the foreign server received the whole request body. A body that broke off is a
    /// [transport error](Self::handle_transport_error).
    pub fn handle_body_end(&mut self, now: Instant) {
        if self.is_on_socket() {
            return;
        }
        match &mut self.state {
            State::Body(receiving) => receiving.body.end(),
            State::Responding(responding) => {
                if let Asked::No(body) = &mut responding.body {
                    body.end();
                }
            }
            _ => {}
        }
        self.check_body(now);
    }

    /// Returns the next piece of the body as one piece of memory, and counts it as transmitted. Events
    /// that were queued one by one are joined, and [shared](Self::send_encoded) ones are returned without
    /// a copy. Returns `None` where nothing is queued.
    ///
    /// This is for connections [for a response](Self::for_response). For one over a socket, whose bytes
    /// are framed, it returns `None`.
    pub fn take_body(&mut self, now: Instant) -> Option<Bytes> {
        let Host::Server { .. } = self.host else {
            return None;
        };
        let taken = self.output.take()?;
        self.after_progress(now);
        Some(taken)
    }
}

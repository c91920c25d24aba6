//! A connection whose request was read elsewhere, or whose response is written elsewhere.

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
    /// Creates a connection whose request head was read by a parser of your own. It goes on where the
    /// head is complete, in [`Phase::Responding`](super::Phase::Responding), without telling of a
    /// [`ConnectionEvent::Request`](super::ConnectionEvent::Request). What was read beyond the head goes
    /// to [`handle_input`](Self::handle_input).
    ///
    /// [`RequestHead::new`] makes a head of an `http::Request`, and checks it.
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

    /// Creates the response to a request that a foreign server read: that server writes the response's
    /// head and frames its body, in chunks or in HTTP/2. It begins in
    /// [`Phase::Responding`](super::Phase::Responding). [`RequestHead::of_server`] makes a head of the
    /// server's request.
    ///
    /// - The response's head comes as
    ///   [`ConnectionEvent::Respond`](super::ConnectionEvent::Respond), also where the machine
    ///   answers in the application's place, with a 503 for example where
    ///   [`respond`](Self::respond) comes too late. The body comes from
    ///   [`take_body`](Self::take_body).
    /// - After [`receive_body`](Self::receive_body), the request's body goes to
    ///   [`handle_body`](Self::handle_body) and its end to
    ///   [`handle_body_end`](Self::handle_body_end). A body that breaks off is told with
    ///   [`handle_transport_error`](Self::handle_transport_error).
    /// - [`ConnectionEvent::EndOutput`](super::ConnectionEvent::EndOutput) is the time to end the
    ///   body of a stream; [`handle_output_ended`](Self::handle_output_ended) says that this is
    ///   done.
    /// - At [`ConnectionEvent::Closed`](super::ConnectionEvent::Closed) the body is over. Where
    ///   `EndOutput` came, it has ended, whatever the reason: a stream may end properly at a
    ///   [shutdown](crate::lifecycle::CloseReason::Shutdown), too. Otherwise let it fail with any
    ///   reason but [`ResponseSent`], so that the client can tell. Servers discard what they have not
    ///   written when a body fails, so that after an [abort](Self::abort) this event waits for
    ///   [`fail_delay`](ResponseConfig::fail_delay).
    /// - A client that went away is told with [`close`](Self::close): no foreign server tells a
    ///   client that stalls from a body that is asked for late, and so there is no stall deadline
    ///   and no drain deadline.
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

    /// The foreign server received these bytes of the request's body, free of transfer framing.
    ///
    /// Nothing happens to a connection over a socket, which reads the body itself.
    pub fn handle_body(&mut self, now: Instant, mut bytes: &[u8]) {
        if !self.is_on_socket() {
            self.receive(now, &mut bytes);
        }
    }

    /// The foreign server received the request's body as a whole. One that broke off is a
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

    /// Returns the next piece of the body, as one piece of memory: events that were queued one by one are
    /// together in one, and what is [shared](Self::send_encoded) is given away without a copy. To take it
    /// is to transmit it. `None` where nothing is queued.
    ///
    /// For connections [for a response](Self::for_response). The bytes of a socket's are framed: it
    /// gives none here.
    pub fn take_body(&mut self, now: Instant) -> Option<Bytes> {
        let Host::Server { .. } = self.host else {
            return None;
        };
        let taken = self.output.take()?;
        self.after_progress(now);
        Some(taken)
    }
}

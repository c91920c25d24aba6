//! From state to state. To enter one arms its deadline; to leave one drops it with all that the
//! state owned.

use std::{
    mem,
    time::{Duration, Instant, SystemTime},
};

use ::http::{HeaderValue, Response, StatusCode, header, response::Parts};

use super::{Connection, ConnectionEvent, Host, Incoming};
use crate::{
    http::{BodyLength, RequestHead, encode_response_head},
    lifecycle::CloseReason,
    server::{
        KeepAlive, ResponseBody, ResponseConfig, StreamOptions,
        request_body::RequestBody,
        response::{RequestFacts, embedded_response},
        state::{
            Asked, BodyEnd, Clock, Leaving, Lingering, ReceivingBody, Responding, State, Streaming,
        },
    },
};

impl Connection {
    /// `Head` to `Responding`: the head is complete.
    pub(super) fn take_request(&mut self, now: Instant, head: RequestHead) {
        self.begin_responding(now, &head);
        if let Host::Socket { request, .. } = &mut self.host {
            *request = Some(Box::new(head));
        }
    }

    /// To `Responding`, with this request.
    pub(super) fn begin_responding(&mut self, now: Instant, head: &RequestHead) {
        let clock = self.take_clock();
        self.request = RequestFacts::of(head);
        let body = (head.body() != BodyLength::None).then(|| {
            let config = self.host.config();
            match self.host {
                Host::Socket { .. } => RequestBody::of(head, config),
                Host::Server { .. } => RequestBody::unframed(head, config),
            }
        });
        self.incoming = match body {
            Some(_) => Incoming::Expected,
            None => Incoming::Complete,
        };
        self.enter_responding(now, Asked::No(body), clock);
    }

    pub(super) fn enter_responding(&mut self, now: Instant, body: Asked, clock: Option<Clock>) {
        let deadline = now.checked_add(self.host.config().respond_timeout);
        self.state = State::Responding(Box::new(Responding {
            deadline,
            body,
            clock,
        }));
    }

    /// `Responding` to `Body`: the application asked for it.
    pub(super) fn enter_body(&mut self, now: Instant, body: RequestBody, clock: Option<Clock>) {
        let deadline = now.checked_add(self.host.config().body_timeout);
        self.state = State::Body(Box::new(ReceivingBody {
            deadline,
            body,
            clock,
        }));
    }

    /// `Responding` to `Streaming`: the response's head is queued, and events follow.
    pub(super) fn stream(&mut self, now: Instant, options: StreamOptions) {
        let keep_alive = options.keep_alive.map(Box::new);
        self.state = State::Streaming(Streaming {
            next_comment: next_comment(now, keep_alive.as_deref(), self.host.config()),
            keep_alive,
        });
        self.arm_stall(now);
    }

    /// To `Delivering`: nothing more is accepted.
    pub(super) fn deliver(&mut self, now: Instant, body: BodyEnd, reason: CloseReason) {
        let deadline = match &self.host {
            Host::Socket { config, .. } => {
                drain_deadline(now, config.drain_timeout, self.output.queued())
            }
            // A body that is taken late is not a client that stalls.
            Host::Server { .. } => None,
        };
        self.state = State::Delivering(Box::new(Leaving {
            deadline,
            reason,
            body,
        }));
        self.arm_stall(now);
        self.check_taken(now);
    }

    /// `Delivering` to `Ending`, where everything is transmitted and the caller is to end the
    /// output.
    pub(super) fn end_output(&mut self) -> Option<ConnectionEvent> {
        let body = match &self.state {
            State::Delivering(leaving) if self.output.is_over() => leaving.body,
            _ => return None,
        };
        // In a foreign server, a whole response ends with its length, and a stream that broke off
        // ends with the body's failure.
        if body != BodyEnd::Stream && !self.is_on_socket() {
            return None;
        }
        self.state = match mem::replace(&mut self.state, State::NONE) {
            State::Delivering(leaving) => State::Ending(leaving),
            other => other,
        };
        let broken_off = body == BodyEnd::BrokenOff;
        Some(ConnectionEvent::EndOutput { broken_off })
    }

    /// Inside a foreign server: what follows once the whole body was taken.
    pub(super) fn check_taken(&mut self, now: Instant) {
        let (State::Delivering(leaving), Host::Server { config, .. }) =
            (&mut self.state, &self.host)
        else {
            return;
        };
        if !self.output.is_over() {
            return;
        }
        match leaving.body {
            BodyEnd::Whole => self.close_delivered(),
            BodyEnd::Stream => {}
            BodyEnd::BrokenOff if leaving.deadline.is_some() => {}
            BodyEnd::BrokenOff => match now.checked_add(config.fail_delay) {
                Some(deadline) => leaving.deadline = Some(deadline),
                // Without a deadline it would never fail.
                None => self.close_delivered(),
            },
        }
    }

    /// `Ending` to `Lingering`, or to `Closed` where nothing more is to be expected of the peer.
    pub(super) fn linger(&mut self, now: Instant) {
        let leaving = match mem::replace(&mut self.state, State::NONE) {
            State::Ending(leaving) => *leaving,
            other => return self.state = other,
        };
        self.state = match (&self.host, self.incoming) {
            (Host::Socket { config, .. }, Incoming::Expected) => {
                let linger = now.checked_add(config.linger_timeout);
                State::Lingering(Box::new(Lingering {
                    deadline: leaving.deadline.into_iter().chain(linger).min(),
                    reason: leaving.reason,
                    room: config.linger_limit,
                }))
            }
            _ => State::Closed {
                reason: leaving.reason,
                told: false,
            },
        };
    }

    /// `Delivering` to `Closed`, with the reason that it has.
    pub(super) fn close_delivered(&mut self) {
        self.state = match mem::replace(&mut self.state, State::NONE) {
            State::Delivering(leaving) => State::Closed {
                reason: leaving.reason,
                told: false,
            },
            other => other,
        };
    }

    /// To `Closed`, now. What was not transmitted never is.
    pub(super) fn cut(&mut self, reason: CloseReason) {
        let is_delivered = self.is_on_socket() && self.output.is_over();
        let reason = match mem::replace(&mut self.state, State::NONE) {
            State::Delivering(leaving) | State::Ending(leaving) => {
                // To say that all was delivered is to promise it.
                match leaving.promises_delivery() && !is_delivered {
                    true => reason,
                    false => leaving.reason,
                }
            }
            State::Lingering(lingering) => lingering.reason,
            closed @ State::Closed { .. } => return self.state = closed,
            _ => reason,
        };
        if let Host::Socket { request, .. } = &mut self.host {
            *request = None;
        }
        self.output.clear();
        self.stall = None;
        let told = false;
        self.state = State::Closed { reason, told };
    }

    /// Answers that the request cannot be served.
    pub(super) fn refuse(&mut self, now: Instant, status: StatusCode, text: &str) {
        self.answer(now, status, text, CloseReason::Rejected(status));
    }

    /// Answers in the application's place.
    pub(super) fn answer(
        &mut self,
        now: Instant,
        status: StatusCode,
        text: &str,
        reason: CloseReason,
    ) {
        let (mut head, ()) = Response::new(()).into_parts();
        head.status = status;
        head.headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        );
        self.begin_output(now, head, ResponseBody::Whole(format!("{text}\n").into()));
        self.output.finish();
        self.deliver(now, BodyEnd::Whole, reason);
    }

    /// Queues the response's head and, where there is one, the whole body.
    pub(super) fn begin_output(&mut self, now: Instant, head: Parts, body: ResponseBody) {
        let status = head.status;
        let clock = self.take_clock();
        let bytes = match &mut self.host {
            Host::Server { response, .. } => {
                let (head, bytes) = embedded_response(head, body, self.request);
                *response = Some(Box::new(head));
                bytes
            }
            Host::Socket { .. } => {
                let (framing, delimiting) = self.request.framing(status, &body);
                let mut wire = Vec::new();
                let date = clock.map_or(SystemTime::UNIX_EPOCH, |clock| clock.date(now));
                encode_response_head(status, &head.headers, date, framing, &mut wire);
                self.output.begin(delimiting, wire);
                self.request.body_of(status, body)
            }
        };
        self.output.put_shared(bytes);
        self.count_output();
    }

    /// To be called whenever what is queued has changed.
    pub(super) fn count_output(&mut self) {
        self.output.count(&self.host.config().budget);
    }

    /// There is one response, and one head.
    fn take_clock(&mut self) -> Option<Clock> {
        match &mut self.state {
            State::Head(head) => Some(head.clock),
            State::Body(receiving) => receiving.clock.take(),
            State::Responding(responding) => responding.clock.take(),
            _ => None,
        }
    }

    /// Some of the output was taken.
    pub(super) fn after_progress(&mut self, now: Instant) {
        self.count_output();
        self.stall = None;
        self.arm_stall(now);
        match &mut self.state {
            State::Streaming(streaming) => {
                let keep_alive = streaming.keep_alive.as_deref();
                streaming.next_comment = next_comment(now, keep_alive, self.host.config());
            }
            _ => self.check_taken(now),
        }
    }

    /// To be called whenever something was queued: the client has so long to take some of it.
    pub(super) fn arm_stall(&mut self, now: Instant) {
        // A foreign server says by itself when a client takes nothing.
        if let Host::Socket { config, .. } = &self.host
            && self.stall.is_none()
            && !self.output.is_empty()
        {
            self.stall = now.checked_add(config.stall_timeout);
        }
    }
}

/// When a comment is due of a stream that is idle from `now` on.
fn next_comment(now: Instant, own: Option<&KeepAlive>, config: &ResponseConfig) -> Option<Instant> {
    const SHORTEST: Duration = Duration::from_millis(10);
    let idle = own.map_or(config.keep_alive, KeepAlive::interval)?;
    now.checked_add(idle.max(SHORTEST))
}

/// A time for every 64 KiB of what is queued: a download may be large, but it may not last for ever.
fn drain_deadline(now: Instant, timeout: Duration, queued: usize) -> Option<Instant> {
    const SHARE: usize = 64 * 1024;
    let shares = queued.div_ceil(SHARE).max(1);
    let shares = u32::try_from(shares).unwrap_or(u32::MAX);
    now.checked_add(timeout.checked_mul(shares)?)
}

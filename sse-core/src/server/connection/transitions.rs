//! Transitions from state to state. Entering a state sets its deadline; leaving it drops the deadline
//! with everything else that the state owned.

use std::{
    mem,
    time::{Duration, Instant},
};

use super::{Connection, ConnectionEvent, Host, PeerSide};
use crate::{
    lifecycle::CloseReason,
    server::{
        ResponseConfig,
        request_body::RequestBody,
        state::{
            Asked, BodyEnd, Leaving, Lingering, Moment, Own, ReceivingBody, Responding, State,
            Streaming,
        },
    },
};

/// A step from one state to another.
#[derive(Debug)]
pub(super) enum Step {
    /// The request's head is complete, and announces this body.
    Requested(Instant, RequestBody),
    /// The application asked for the request's body.
    BodyAsked(Instant, RequestBody),
    /// The request's body is complete.
    BodyReceived(Instant),
    /// The response's head is queued, and events follow.
    Opened(Instant, Option<Box<Own>>),
    /// Nothing more will be queued.
    Ended {
        now: Instant,
        body: BodyEnd,
        reason: CloseReason,
    },
    /// The foreign server has taken everything.
    Taken(Instant),
    /// Everything is transmitted, and the caller has been told to end the output.
    Transmitted,
    /// The caller has ended the output.
    OutputEnded(Instant),
    /// The foreign server has had its time to write the bytes that it took.
    Written,
    /// Nothing more is transmitted, for this reason unless there was one already.
    Cut {
        reason: CloseReason,
        /// Whether the peer has everything.
        is_delivered: bool,
    },
}

impl Connection {
    /// Takes a step. A step that does not fit the current state changes nothing.
    pub(super) fn step(&mut self, step: Step) {
        self.state = match (mem::replace(&mut self.state, State::NONE), step) {
            (State::Head(from), Step::Requested(now, body)) => {
                responding(now, self.host.config(), Asked::No(body), Some(from.clock))
            }
            (State::Responding(from), Step::BodyAsked(now, body)) => {
                self.receiving(now, body, from.clock)
            }
            (State::Body(from), Step::BodyReceived(now)) => {
                let bytes = Asked::Untold(from.body.into_bytes());
                responding(now, self.host.config(), bytes, from.clock)
            }
            (State::Responding(_), Step::Opened(now, own)) => self.streaming(now, own),
            (
                State::Head(_) | State::Body(_) | State::Responding(_) | State::Streaming(_),
                Step::Ended { now, body, reason },
            ) => self.delivering(now, body, reason),
            (State::Delivering(from), Step::Taken(now)) => self.taken(now, from),
            (State::Delivering(from), Step::Transmitted) => State::Ending(from),
            (State::Ending(from), Step::OutputEnded(now)) => self.lingering(now, *from),
            (State::Failing(from), Step::Written) => State::closed(from.reason),
            (closed @ State::Closed { .. }, _) => closed,
            (
                State::Delivering(from) | State::Failing(from) | State::Ending(from),
                Step::Cut {
                    reason,
                    is_delivered,
                },
            ) => State::closed(match from.promises_delivery() && !is_delivered {
                true => reason,
                false => from.reason,
            }),
            (State::Lingering(from), Step::Cut { .. }) => State::closed(from.reason),
            (_, Step::Cut { reason, .. }) => State::closed(reason),
            (state, _) => state,
        };
    }

    fn receiving(&self, now: Instant, body: RequestBody, clock: Option<Moment>) -> State {
        State::Body(Box::new(ReceivingBody {
            deadline: now.checked_add(self.host.config().body_timeout),
            body,
            clock,
        }))
    }

    fn streaming(&self, now: Instant, own: Option<Box<Own>>) -> State {
        let mut streaming = Streaming {
            next_comment: None,
            own,
        };
        streaming.expect_idleness(now, self.host.config());
        State::Streaming(streaming)
    }

    fn delivering(&self, now: Instant, body: BodyEnd, reason: CloseReason) -> State {
        let deadline = match &self.host {
            Host::Socket { config, .. } => {
                drain_deadline(now, config.drain_timeout, self.output.queued())
            }
            // A body that is polled late is not a client that stalls.
            Host::Server { .. } => None,
        };
        State::Delivering(Box::new(Leaving {
            deadline,
            reason,
            body,
        }))
    }

    /// Returns the state inside a foreign server that has taken the whole body.
    fn taken(&self, now: Instant, from: Box<Leaving>) -> State {
        match from.body {
            BodyEnd::Whole => State::closed(from.reason),
            // The caller has to be told to end it.
            BodyEnd::Stream => State::Delivering(from),
            BodyEnd::BrokenOff => match now.checked_add(self.host.config().fail_delay) {
                None => State::closed(from.reason),
                deadline => State::Failing(Box::new(Leaving { deadline, ..*from })),
            },
        }
    }

    /// Returns `Lingering`, or `Closed` where nothing more can come from the peer.
    fn lingering(&self, now: Instant, from: Leaving) -> State {
        match (&self.host, self.incoming) {
            (Host::Socket { config, .. }, PeerSide::Expected) => {
                let linger = now.checked_add(config.linger_timeout);
                State::Lingering(Box::new(Lingering {
                    deadline: from.deadline.into_iter().chain(linger).min(),
                    reason: from.reason,
                    room: config.linger_limit,
                }))
            }
            _ => State::closed(from.reason),
        }
    }

    /// Ends the output: nothing more will be queued, and the queued bytes are delivered.
    pub(super) fn end(&mut self, now: Instant, body: BodyEnd, reason: CloseReason) {
        self.step(Step::Ended { now, body, reason });
        self.arm_stall(now);
        self.check_taken(now);
    }

    /// Returns the event that tells the caller to end the output, if everything is transmitted.
    pub(super) fn end_output(&mut self) -> Option<ConnectionEvent> {
        let body = match &self.state {
            State::Delivering(leaving) if self.output.is_over() => leaving.body,
            _ => return None,
        };
        // In a foreign server, a whole response ends with its length, and a stream that broke off ends
        // with the body's failure.
        if body != BodyEnd::Stream && !self.is_on_socket() {
            return None;
        }
        self.step(Step::Transmitted);
        let broken_off = body == BodyEnd::BrokenOff;
        Some(ConnectionEvent::EndOutput { broken_off })
    }

    /// Checks whether the foreign server has taken the whole body. Call it whenever some of the body was
    /// taken.
    pub(super) fn check_taken(&mut self, now: Instant) {
        if !self.is_on_socket() && self.output.is_over() {
            self.step(Step::Taken(now));
        }
    }

    /// Changes to `Closed` now. Bytes that were not transmitted are lost.
    pub(super) fn cut(&mut self, reason: CloseReason) {
        self.cut_off(reason, self.is_on_socket() && self.output.is_over());
    }

    /// Does the same where it is known whether the peer has everything.
    pub(super) fn cut_off(&mut self, reason: CloseReason, is_delivered: bool) {
        self.step(Step::Cut {
            reason,
            is_delivered,
        });
        self.output.clear();
        if let Host::Socket { request, .. } = &mut self.host {
            *request = None;
        }
    }
}

/// Returns `Responding`, with the deadline of the application's response.
pub(super) fn responding(
    now: Instant,
    config: &ResponseConfig,
    body: Asked,
    clock: Option<Moment>,
) -> State {
    State::Responding(Box::new(Responding {
        deadline: now.checked_add(config.respond_timeout),
        body,
        clock,
    }))
}

/// Returns the deadline of the delivery: the timeout for each 64 KiB that are queued, so that a large
/// download has time, but not forever.
fn drain_deadline(now: Instant, timeout: Duration, queued: usize) -> Option<Instant> {
    const SHARE: usize = 64 * 1024;
    let shares = queued.div_ceil(SHARE).max(1);
    let shares = u32::try_from(shares).unwrap_or(u32::MAX);
    now.checked_add(timeout.checked_mul(shares)?)
}

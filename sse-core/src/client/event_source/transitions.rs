//! Transitions from state to state. Entering a state sets its deadline; leaving it drops the deadline
//! with everything else that the state owned.

use std::{
    mem,
    time::{Duration, Instant},
};

use ::http::Response;

use super::{
    super::{
        End, Failure, Loss,
        backoff::Reached,
        incoming::Incoming,
        state::{Answer, Open, Outgoing, Requesting, State, Unexpected, Verdict, later},
        target::Route,
    },
    EventSource,
};
use crate::http::{BodyReader, ResponseHeadReader};
#[cfg(feature = "compression")]
use crate::http::{KnownCoding, content_codings};

/// A step from one state to another.
#[derive(Debug)]
pub(super) enum Step {
    /// The application is to be asked before the next attempt.
    PreparationWanted,
    /// The application was asked to prepare the request.
    Preparing(Instant),
    /// The application has prepared the next request.
    Prepared,
    /// The caller was told to make a connection.
    Asked(Instant),
    /// The connection is established.
    Connected(Instant, Route),
    /// A foreign HTTP client has the request.
    Taken(Instant),
    /// The response opens the stream.
    Opened {
        now: Instant,
        response: Box<Response<()>>,
        body: BodyReader,
    },
    /// The response is not an event stream.
    Unexpected {
        verdict: Verdict,
        response: Box<Response<()>>,
        body: BodyReader,
    },
    /// The response redirects to another URL.
    Redirected,
    /// The next attempt is to be made at this instant.
    Wait(Instant),
    /// It is time for another attempt.
    WaitOver,
    /// The application wants the next attempt at this instant, if it is not due sooner.
    Hurry(Instant),
    /// The application wants no connection for now. The next attempt is allowed from this instant on.
    Pause(Instant),
    /// The application wants a connection again.
    Resume(Instant),
    /// The subscription is over.
    Over(Result<End, Failure>),
}

impl EventSource {
    /// Takes a step. A step that does not fit the current state changes nothing.
    pub(super) fn step(&mut self, step: Step) {
        let had_connection = self.state.has_connection();
        self.state = match (mem::replace(&mut self.state, State::NONE), step) {
            (State::Asking, Step::PreparationWanted) => self.next_attempt(),
            (State::Unprepared, Step::Preparing(now)) => State::Preparing {
                deadline: now.checked_add(self.config.prepare_timeout),
            },
            (State::Unprepared | State::Preparing { .. }, Step::Prepared) => State::Asking,
            (State::Asking, Step::Asked(now)) => {
                self.attempted_at = Some(now);
                self.connecting(now)
            }
            (State::Connecting { .. }, Step::Connected(now, route)) => self.requesting(now, &route),
            (State::Connecting { .. }, Step::Taken(now)) => self.requesting_elsewhere(now),
            (
                State::Requesting(from),
                Step::Opened {
                    now,
                    response,
                    body,
                },
            ) => self.opened(now, *from, response, body),
            (
                State::Requesting(from),
                Step::Unexpected {
                    verdict,
                    response,
                    body,
                },
            ) => State::Unexpected(Box::new(Unexpected {
                deadline: from.deadline,
                request: from.request,
                verdict,
                response: *response,
                body,
                bytes: Vec::new(),
                is_complete: false,
            })),
            (State::Requesting(_), Step::Redirected) => State::Asking,
            (
                State::Unprepared
                | State::Preparing { .. }
                | State::Connecting { .. }
                | State::Requesting(_)
                | State::Unexpected(_)
                | State::Open(_),
                Step::Wait(until),
            ) => State::Waiting { until },
            (State::Waiting { .. }, Step::WaitOver) => self.next_attempt(),
            (State::Waiting { until }, Step::Hurry(soonest)) => State::Waiting {
                until: until.min(soonest),
            },
            (closed @ State::Closed { .. }, Step::Pause(_)) => closed,
            (_, Step::Pause(until)) => {
                self.past.paused = true;
                State::Paused { until }
            }
            (State::Paused { until }, Step::Resume(now)) if until <= now => self.next_attempt(),
            (State::Paused { until }, Step::Resume(_)) => State::Waiting { until },
            (closed @ State::Closed { .. }, _) => closed,
            (_, Step::Over(result)) => State::Closed {
                untold: Some(Box::new(result)),
            },
            (state, _) => state,
        };
        self.past.disconnect |= had_connection && !self.state.has_connection();
    }

    /// Returns the first state of an attempt.
    pub(super) fn next_attempt(&mut self) -> State {
        self.redirects = 0;
        match self.prepares {
            true => State::Unprepared,
            false => State::Asking,
        }
    }

    fn connecting(&self, now: Instant) -> State {
        State::Connecting {
            deadline: now.checked_add(self.config.connect_timeout),
        }
    }

    fn requesting(&self, now: Instant, route: &Route) -> State {
        let limits = self.config.response_head_limits;
        State::Requesting(Box::new(Requesting {
            deadline: now.checked_add(self.config.head_timeout),
            request: Outgoing {
                head: self
                    .target
                    .encode_head(self.decoder.last_event_id_to_send(), route),
                body: self.target.body().clone(),
                written: 0,
            },
            answer: Answer::Bytes(ResponseHeadReader::new(limits)),
        }))
    }

    /// Returns the state of a request that a foreign HTTP client has. That client connects, too, and does
    /// not report when it has.
    fn requesting_elsewhere(&self, now: Instant) -> State {
        let time = self
            .config
            .connect_timeout
            .saturating_add(self.config.head_timeout);
        State::Requesting(Box::new(Requesting {
            deadline: now.checked_add(time),
            request: Outgoing::default(),
            answer: Answer::Foreign,
        }))
    }

    fn opened(
        &self,
        now: Instant,
        from: Requesting,
        response: Box<Response<()>>,
        body: BodyReader,
    ) -> State {
        #[cfg_attr(not(feature = "compression"), allow(unused_mut))]
        let mut incoming = Incoming::new(body);
        #[cfg(feature = "compression")]
        if let Some(coding) = content_codings(response.headers())
            .next()
            .and_then(KnownCoding::of)
        {
            incoming.inflate(coding, self.config.max_gzip_expansion);
        }
        let mut open = Open {
            deadline: None,
            request: from.request,
            untold: Some(response),
            incoming,
            taken_untimed: false,
            since: now,
            gave_event: false,
        };
        open.expect_more(now, &self.config);
        State::Open(Box::new(open))
    }

    /// Gives up the connection after a loss. The next attempt comes at least `at_least` later.
    pub(super) fn lose(&mut self, now: Instant, loss: Loss, at_least: Option<Duration>) {
        let reached = match &self.state {
            State::Preparing { .. }
            | State::Connecting { .. }
            | State::Requesting(_)
            | State::Unexpected(_) => Reached::Nothing,
            State::Open(open) if open.gave_event && matches!(loss, Loss::Ended) => Reached::End,
            State::Open(open) => Reached::Open(now.saturating_duration_since(open.since)),
            _ => return,
        };
        let was_open = matches!(reached, Reached::Open(_) | Reached::End);
        match loss {
            Loss::Replaced => return self.replace(now, was_open),
            Loss::Paused => return self.rest(now, was_open),
            _ => {}
        }
        if loss.is_final() {
            return self.over(Err(Failure::of(loss)));
        }
        let Some(settings) = &self.config.reconnection else {
            // Only an open stream can end properly; before that the response is missing.
            return self.over(match loss {
                Loss::Ended => Ok(End::StreamEnded),
                loss => Err(Failure::of(loss)),
            });
        };
        if settings.first_failure_is_final && !self.has_been_open {
            return self.over(Err(Failure::of(loss)));
        }
        self.backoff.lost(settings, reached);
        if self.backoff.is_exhausted(settings) {
            return self.over(Err(Failure::GaveUp(loss)));
        }
        let reconnection_time = self.decoder.reconnection_time();
        let wait = self.backoff.wait(settings, reconnection_time, at_least);
        self.tell_of(loss, wait);
        self.step(Step::Wait(later(now, wait)));
    }

    fn tell_of(&mut self, loss: Loss, wait: Duration) {
        self.remember(&loss);
        self.past.lost = Some(Box::new((loss, wait)));
    }

    /// Keeps the loss for the application, if it prepares the next attempt.
    fn remember(&mut self, loss: &Loss) {
        if self.prepares {
            self.last_loss = Some(Box::new(loss.clone()));
        }
    }

    /// Replaces the connection by another one, as the application wants.
    fn replace(&mut self, now: Instant, was_open: bool) {
        self.backoff.given_up(was_open);
        let soonest = self.soonest(now);
        self.tell_of(Loss::Replaced, soonest.saturating_duration_since(now));
        self.step(Step::Wait(soonest));
    }

    /// Ends the connection without another one, as the application wants.
    pub(super) fn rest(&mut self, now: Instant, was_open: bool) {
        self.backoff.given_up(was_open);
        self.remember(&Loss::Paused);
        self.step(Step::Pause(self.soonest(now)));
    }

    /// Returns the earliest instant of the next attempt: attempts are never closer than the shortest
    /// reconnection time.
    pub(super) fn soonest(&self, now: Instant) -> Instant {
        let soonest = self.attempted_at.map(|then| later(then, self.floor()));
        soonest.unwrap_or(now).max(now)
    }

    pub(super) fn over(&mut self, result: Result<End, Failure>) {
        self.step(Step::Over(result));
    }
}

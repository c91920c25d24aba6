//! The task of one stream on this node, which does what the stream's member asks for.

use std::{
    future::Future,
    mem,
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use sse_core::{
    Event,
    internal::catch,
    topic::{
        Position,
        follower::{Bell, Page, PageRequest},
        resumable::{
            StreamEnd, StreamError,
            member::{AppendFailure, MemberOutput, MemberPhase},
        },
    },
};

use super::{
    calls::Shared,
    copy::Copy,
    room::{Room, Turn},
};
use crate::{
    ResumableStream, Runtime,
    alarm::Alarm,
    event_log::{AppendError, BoxFuture, LogError, followed::Followed},
    trace,
};

/// The number of turns in a row after which other tasks run.
const TURNS: usize = 32;

/// The log is asked for its tails, and is to answer by then.
type Looking = (BoxFuture<Result<Page, LogError>>, Option<Instant>);

pub(super) struct StreamTask<R: Runtime> {
    runtime: R,
    alarm: Alarm<R>,
    shared: Weak<Shared>,
    room: Arc<Room>,
    followed: Arc<Followed>,
    /// The time that the log keeps the stream after each call.
    keep_for: Duration,
    /// The time after which the owner tells the log again, or any node if the call failed.
    keep_every: Duration,
    /// When the log is told again, whatever is appended until then.
    keep_at: Option<Instant>,
    /// The time that the log may take to answer a look.
    look_for: Duration,
    producer: Option<ResumableStream>,
    copying: Option<BoxFuture<StreamEnd>>,
    appending: Option<(Event, BoxFuture<Result<Position, AppendError>>)>,
    looking: Option<Looking>,
    keeping: Option<BoxFuture<Result<(), LogError>>>,
}

impl<R: Runtime> StreamTask<R> {
    pub(super) fn new(
        runtime: R,
        shared: &Arc<Shared>,
        room: Arc<Room>,
        followed: Arc<Followed>,
    ) -> Self {
        Self {
            runtime,
            alarm: Alarm::new(),
            shared: Arc::downgrade(shared),
            room,
            followed,
            keep_for: shared.config.keep_for(),
            keep_every: shared.config.keep_every(),
            keep_at: None,
            look_for: shared.config.followed.follower.request_timeout,
            producer: None,
            copying: None,
            appending: None,
            looking: None,
            keeping: None,
        }
    }

    fn carry_out(&mut self, now: Instant, output: MemberOutput) {
        match output {
            MemberOutput::Append { event, epoch } => {
                let (log, name) = (&self.followed.log, self.followed.name.clone());
                let appended = match epoch {
                    Some(epoch) => catch(|| log.append_in(name, epoch, event.clone())),
                    None => catch(|| log.append(name, event.clone())),
                };
                match appended {
                    Ok(appended) => self.appending = Some((event, appended)),
                    Err(_) => self.append_failed(now, panicked()),
                }
            }
            MemberOutput::Start { epoch } => self.start(epoch),
            MemberOutput::Cancel(end) => {
                if let Some(producer) = &self.producer {
                    producer.end_with(end);
                }
                if self.room.phase() != MemberPhase::Running {
                    // Its events would come behind the end.
                    drop_caught(&mut self.copying);
                    self.producer = None;
                }
            }
            MemberOutput::End(end) => {
                self.room.with(|state| state.end_here = Some(end));
                self.followed.bells.wake();
            }
            MemberOutput::Look => {
                let name = self.followed.name.clone();
                let request = PageRequest::new(Position::new(0, 0), 0);
                match catch(|| self.followed.log.read(name, request)) {
                    Ok(reading) => {
                        self.looking = Some((reading, now.checked_add(self.look_for)));
                    }
                    Err(_) => self.room.act(|state| state.member.handle_log_failed(now)),
                }
            }
            _ => {}
        }
    }

    /// Starts the producer, because this node owns the stream.
    fn start(&mut self, epoch: u64) {
        let starter = self.room.take_starter();
        let (Some(starter), Some(shared)) = (starter, self.shared.upgrade()) else {
            return;
        };
        match (starter.start)(&shared.producers) {
            Ok(source) => {
                self.producer = Some(source.clone());
                let copy = Copy {
                    runtime: self.runtime.clone(),
                    source,
                    followed: self.followed.clone(),
                    epoch,
                    end_event_type: shared.config.streams.end_event_type.clone(),
                    retry: shared.config.member().retry,
                };
                self.copying = Some(Box::pin(copy.run()));
            }
            Err(error) => {
                let end = StreamEnd::Failed(StreamError::new(error));
                self.room.act(|state| state.member.finish(end));
            }
        }
    }

    /// Returns whether something was done, as the functions below do.
    fn poll_copying(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(copying) = &mut self.copying else {
            return false;
        };
        let end = match catch(|| copying.as_mut().poll(cx)) {
            Ok(Poll::Pending) => return false,
            Ok(Poll::Ready(end)) => end,
            Err(_) => StreamEnd::Lost,
        };
        drop_caught(&mut self.copying);
        if let Some(producer) = self.producer.take() {
            producer.end_with(end.clone());
        }
        let now = self.runtime.now();
        self.room.act(|state| match end {
            StreamEnd::Rejected(error) => state.member.handle_rejected(now, error),
            end => state.member.finish(end),
        });
        true
    }

    fn poll_appending(&mut self, now: Instant, cx: &mut Context<'_>) -> bool {
        let Some((_, appending)) = &mut self.appending else {
            return false;
        };
        let appended = match catch(|| appending.as_mut().poll(cx)) {
            Ok(Poll::Pending) => return false,
            Ok(Poll::Ready(appended)) => appended,
            Err(_) => Err(panicked()),
        };
        let event = self.appending.take().map(|(event, appending)| {
            let _ = catch(|| drop(appending));
            event
        });
        match appended {
            Ok(position) => {
                self.room.act(|state| {
                    state.keeps = true;
                    state.member.handle_appended(now, position);
                });
                if let Some(event) = event {
                    let bell = Bell::new(position).with_event(event);
                    self.followed.bells.ring(bell);
                }
            }
            Err(error) => self.append_failed(now, error),
        }
        true
    }

    fn append_failed(&mut self, now: Instant, error: AppendError) {
        if let AppendError::NotAppended(cause)
        | AppendError::Rejected(cause)
        | AppendError::Unknown(cause) = &error
        {
            trace::log_failed(&self.followed.name, "appended to", cause);
        }
        self.room.act(|state| {
            let member = &mut state.member;
            match &error {
                AppendError::NotAppended(_) | AppendError::OtherEpoch => {
                    member.handle_append_failed(now, AppendFailure::NotAppended);
                }
                AppendError::Unknown(_) => member.handle_append_failed(now, AppendFailure::Unknown),
                AppendError::Rejected(cause) => {
                    member.handle_rejected(now, StreamError::new(cause.clone()));
                }
            }
            state.claim_error = Some(error);
        });
    }

    fn poll_looking(&mut self, now: Instant, cx: &mut Context<'_>) -> bool {
        let Some((looking, deadline)) = &mut self.looking else {
            return false;
        };
        let looked = match catch(|| looking.as_mut().poll(cx)) {
            Ok(Poll::Pending) if deadline.is_none_or(|at| at > now) => return false,
            Ok(Poll::Ready(looked)) => looked.ok(),
            Ok(Poll::Pending) | Err(_) => None,
        };
        let looking = self.looking.take();
        let _ = catch(|| drop(looking));
        self.room.act(|state| match looked {
            Some(page) => state.member.handle_tails(now, page.tails),
            None => state.member.handle_log_failed(now),
        });
        true
    }

    fn poll_keeping(&mut self, now: Instant, cx: &mut Context<'_>) -> bool {
        let Some(keeping) = &mut self.keeping else {
            return false;
        };
        match catch(|| keeping.as_mut().poll(cx)) {
            Ok(Poll::Pending) => return false,
            Ok(Poll::Ready(Err(error))) => {
                trace::log_failed(&self.followed.name, "told to keep a stream", &error);
                self.keep_again(now);
            }
            Err(_) => self.keep_again(now),
            Ok(Poll::Ready(Ok(()))) => {}
        }
        drop_caught(&mut self.keeping);
        true
    }

    /// Whether the log is to be told to keep the stream now. What the producer makes does not have it told,
    /// and an owner whose producer is never silent appends nothing else.
    fn is_to_keep(&mut self, now: Instant, turn: &Turn) -> bool {
        let is_due = turn.keeps || self.keep_at.is_some_and(|at| at <= now);
        if is_due {
            self.keep_at = None;
        }
        if turn.is_owner {
            self.keep_again(now);
        }
        is_due
    }

    fn keep_again(&mut self, now: Instant) {
        let at = now.checked_add(self.keep_every);
        self.keep_at = self.keep_at.or(at);
    }

    fn keep(&mut self) {
        let (name, time) = (self.followed.name.clone(), self.keep_for);
        drop_caught(&mut self.keeping);
        self.keeping = catch(|| self.followed.log.keep_for(name, time)).ok();
    }

    /// Makes one turn. Returns whether there may be more to do at once, and `None` when all is over.
    fn turn(&mut self, now: Instant, cx: &mut Context<'_>) -> Option<(bool, Option<Instant>)> {
        let turn = self.room.turn(now, cx);
        if turn.is_over {
            return None;
        }
        let keeps = self.is_to_keep(now, &turn);
        let mut goes_on = !turn.outputs.is_empty() || keeps;
        for output in turn.outputs {
            self.carry_out(now, output);
        }
        if keeps {
            self.keep();
        }
        goes_on |= self.poll_appending(now, cx);
        goes_on |= self.poll_copying(cx);
        goes_on |= self.poll_looking(now, cx);
        goes_on |= self.poll_keeping(now, cx);
        if turn.is_unused {
            // Not before the log knows for how long to keep it.
            if self.keeping.is_some() {
                return Some((goes_on, None));
            }
            let shared = self.shared.upgrade();
            let is_gone = shared
                .is_none_or(|shared| shared.forget_if_unused(&self.followed.name, &self.room, now));
            if is_gone {
                return None;
            }
            goes_on = true;
        }
        let look_until = self.looking.as_ref().and_then(|(_, deadline)| *deadline);
        let deadlines = [turn.deadline, look_until, self.keep_at];
        let deadline = deadlines.into_iter().flatten().min();
        Some((goes_on, deadline))
    }
}

fn panicked() -> AppendError {
    AppendError::Unknown(LogError::new("the log panicked"))
}

/// A future is dropped as the log's code, too.
fn drop_caught<T>(future: &mut Option<BoxFuture<T>>) {
    let future = mem::take(future);
    let _ = catch(|| drop(future));
}

impl<R: Runtime> Future for StreamTask<R> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        for _ in 0..TURNS {
            let now = this.runtime.now();
            let Some((goes_on, deadline)) = this.turn(now, cx) else {
                return Poll::Ready(());
            };
            if !goes_on && this.alarm.poll(&this.runtime, deadline, cx).is_pending() {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// The last handle and the last client are gone, or the runtime was shut down.
impl<R: Runtime> Drop for StreamTask<R> {
    fn drop(&mut self) {
        if let Some(producer) = self.producer.take() {
            producer.end_with(StreamEnd::Dropped);
        }
        drop_caught(&mut self.copying);
        drop_caught(&mut self.keeping);
        let rest = (self.appending.take(), self.looking.take());
        let _ = catch(|| drop(rest));
        if let Some(shared) = self.shared.upgrade() {
            shared.forget(&self.followed.name, &self.room);
        }
    }
}

//! The task of one topic, which drives the follower over the log.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use sse_core::{
    internal::catch,
    topic::{
        PublishError,
        follower::{Follower, FollowerPhase, Page},
    },
};

use super::{
    BoxFuture, LogError,
    bells::News,
    followed::{Followed, LastOutput},
    topics::Shared,
};
use crate::{Runtime, alarm::Alarm, trace};

pub(super) struct FollowTask<R: Runtime> {
    runtime: R,
    alarm: Alarm<R>,
    shared: Weak<Shared>,
    followed: Arc<Followed>,
    follower: Follower,
    reading: Option<BoxFuture<Result<Page, LogError>>>,
    watching: Watching,
    /// When to check whether the topic is still used.
    look_at: Option<Instant>,
    keep_unused: Duration,
    /// The topic was closed behind its last event, and is still read.
    has_all: bool,
}

enum Watching {
    Running(BoxFuture<LogError>),
    /// It ended this many times in a row, and begins again at this time.
    Waiting {
        until: Option<Instant>,
        failures: u32,
    },
}

impl<R: Runtime> FollowTask<R> {
    pub(super) fn new(runtime: R, shared: &Arc<Shared>, followed: Arc<Followed>) -> Self {
        let config = &shared.config;
        let keep_unused = config.keep_unused;
        Self {
            look_at: runtime.now().checked_add(keep_unused),
            watching: Watching::Waiting {
                until: Some(runtime.now()),
                failures: 0,
            },
            runtime,
            alarm: Alarm::new(),
            shared: Arc::downgrade(shared),
            follower: Follower::new(config.follower.clone()),
            followed,
            reading: None,
            keep_unused,
            has_all: false,
        }
    }

    fn take_news(&mut self, now: Instant, cx: &Context<'_>) {
        for news in self.followed.bells.take(cx) {
            match news {
                News::Up => {
                    if let Watching::Waiting { failures, .. } = &mut self.watching {
                        *failures = 0;
                    }
                    self.follower.handle_up(now);
                }
                News::Bell(bell) => self.follower.handle_bell(now, bell),
            }
        }
    }

    /// Polls the request. Returns whether there is an answer.
    fn poll_reading(&mut self, now: Instant, cx: &mut Context<'_>) -> bool {
        let Some(reading) = &mut self.reading else {
            return false;
        };
        let answer = match catch(|| reading.as_mut().poll(cx)) {
            Ok(Poll::Pending) => return false,
            Ok(Poll::Ready(answer)) => answer,
            Err(_) => Err(LogError::new("the log panicked while it was read")),
        };
        // Dropping a future runs the log's code, too.
        let _ = catch(|| self.reading = None);
        match answer {
            Ok(page) => {
                self.followed.note_answer();
                self.follower.handle_page(now, page);
            }
            Err(error) => {
                trace::log_failed(&self.followed.name, "read", &error);
                self.followed.note_error(now, error);
                self.follower.handle_page_failed(now);
            }
        }
        true
    }

    fn poll_watching(&mut self, now: Instant, cx: &mut Context<'_>) {
        if let Watching::Waiting { until, .. } = self.watching
            && until.is_some_and(|at| at <= now)
        {
            let (name, bells) = (self.followed.name.clone(), self.followed.bells.clone());
            match catch(|| self.followed.log.watch(name, bells)) {
                Ok(watch) => self.watching = Watching::Running(watch),
                Err(_) => self.watch_ended(now, LogError::new("the log panicked")),
            }
        }
        let Watching::Running(watch) = &mut self.watching else {
            return;
        };
        match catch(|| watch.as_mut().poll(cx)) {
            Ok(Poll::Pending) => {}
            Ok(Poll::Ready(error)) => self.watch_ended(now, error),
            Err(_) => self.watch_ended(now, LogError::new("the log panicked while it was watched")),
        }
    }

    fn watch_ended(&mut self, now: Instant, error: LogError) {
        trace::log_failed(&self.followed.name, "watched", &error);
        self.follower.handle_down(now);
        let config = self.follower.config();
        let until = now.checked_add(config.max_retry.min(config.retry.saturating_mul(10)));
        let _ = catch(|| self.watching = Watching::Waiting { until, failures: 0 });
        self.followed.set_last_error(error);
    }

    /// Applies the follower's outputs to the topic. An error means that the topic is closed.
    fn deliver(&mut self, now: Instant) -> Result<bool, PublishError> {
        let mut asks = false;
        while let Some(output) = self.follower.poll_output(now) {
            let last = self.followed.observe(now, &output);
            match output.publish_to(&self.followed.topic) {
                Ok(None) => {}
                Ok(Some(request)) => {
                    let name = self.followed.name.clone();
                    let reading = catch(|| self.followed.log.read(name, request));
                    match reading {
                        // A request that was given up is dropped, so that its answer does not come late.
                        Ok(reading) => {
                            if self.reading.is_some() {
                                self.followed.log_failed(now);
                            }
                            drop(catch(|| self.reading = Some(reading)));
                        }
                        Err(_) => self.follower.handle_page_failed(now),
                    }
                    asks = true;
                }
                Err(PublishError::Closed) => return Err(PublishError::Closed),
                Err(error) => trace::event_passed_over(&self.followed.name, &error),
            }
            if let Some(last) = last {
                return Err(self.close(last));
            }
        }
        match self.followed.last_output() {
            Some(last) => Err(self.close(last)),
            None => Ok(asks),
        }
    }

    fn close(&mut self, last: LastOutput) -> PublishError {
        self.followed.close(last);
        self.has_all = true;
        PublishError::Closed
    }

    /// Forgets the topic, if it was unused for long.
    fn look_at_use(&mut self, now: Instant) {
        if self.look_at.is_none_or(|at| at > now) {
            return;
        }
        if let Some(shared) = self.shared.upgrade() {
            shared.forget_if_unused(&self.followed.name, now);
        }
        let since = self.followed.left_at();
        let next = since.checked_add(self.keep_unused);
        // While it is used, check again after a while.
        self.look_at = next
            .filter(|at| *at > now)
            .or_else(|| now.checked_add(self.keep_unused.max(Duration::from_secs(1))));
    }

    fn deadline(&self) -> Option<Instant> {
        let watch_at = match self.watching {
            Watching::Waiting { until, .. } => until,
            Watching::Running(_) => None,
        };
        let deadlines = [self.follower.poll_timeout(), watch_at, self.look_at];
        deadlines.into_iter().flatten().min()
    }
}

impl<R: Runtime> Future for FollowTask<R> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        loop {
            let now = this.runtime.now();
            if this.followed.is_over() {
                return Poll::Ready(());
            }
            this.poll_watching(now, cx);
            this.take_news(now, cx);
            let has_answer = this.poll_reading(now, cx);
            this.follower.handle_timeout(now);
            let Ok(asks) = this.deliver(now) else {
                if this.has_all {
                    this.followed.set_following();
                }
                return Poll::Ready(());
            };
            if this.follower.phase() == FollowerPhase::Following {
                this.followed.set_following();
            }
            this.look_at_use(now);
            if asks && has_answer {
                // A log that answers at once must not be read to its end in one turn.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if asks {
                continue;
            }
            let deadline = this.deadline();
            if this.alarm.poll(&this.runtime, deadline, cx).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

/// The runtime was shut down: the topic is no longer followed.
impl<R: Runtime> Drop for FollowTask<R> {
    fn drop(&mut self) {
        if !self.has_all {
            self.followed.end();
        }
    }
}

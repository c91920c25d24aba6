//! A log that each node reaches by a way of its own, which fails.

use std::{
    future::{Future, pending, poll_fn},
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::future::select;
use sse_core::{
    Event, Text,
    topic::{
        Position,
        follower::{Page, PageRequest},
    },
};
use sse_driver::{
    Clock, Runtime, Timer,
    event_log::{AppendError, Bells, EventLog, LogError, MemoryLog},
};

use crate::{chaos::Chaos, sim::Sim};

const SECOND: Duration = Duration::from_secs(1);

/// How long a call takes at most where it does not hang.
const LATENCY: Duration = Duration::from_millis(300);

/// One node's way to the log.
#[derive(Clone)]
pub struct Way {
    pub sim: Sim,
    pub chaos: Arc<Chaos>,
    log: MemoryLog,
    trouble: Arc<Mutex<Trouble>>,
}

/// What is wrong with a way.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Trouble {
    /// Nothing comes through.
    pub is_cut: bool,
    /// The share of calls that fail, or of which the answer is lost.
    pub failing: f64,
    /// It takes no events.
    pub is_full: bool,
}

/// What comes of a call.
enum Fate {
    Done,
    /// It is not made, and that is told.
    Refused,
    /// It is made or not, and that is not told.
    Lost(bool),
}

impl Way {
    pub fn new(sim: &Sim, chaos: &Arc<Chaos>, log: &MemoryLog) -> Self {
        Self {
            sim: sim.clone(),
            chaos: chaos.clone(),
            log: log.clone(),
            trouble: Arc::default(),
        }
    }

    pub fn set(&self, trouble: Trouble) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    fn trouble(&self) -> Trouble {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fate(&self) -> Fate {
        let Trouble {
            is_cut, failing, ..
        } = self.trouble();
        self.chaos.draw(|rng| match rng.f64() < failing {
            true => match rng.u8(..3) {
                0 => Fate::Refused,
                1 => Fate::Lost(true),
                _ => Fate::Lost(false),
            },
            false if is_cut => Fate::Refused,
            false => Fate::Done,
        })
    }

    /// Time passes between a call and what comes of it.
    async fn pause(&self) {
        let time = self
            .chaos
            .draw(|rng| rng.bool().then(|| LATENCY.mul_f64(rng.f64())));
        if let Some(time) = time {
            sleep(&self.sim, time).await;
        }
        self.sim.note_progress();
    }

    async fn put(
        &self,
        put: impl Future<Output = Result<Position, AppendError>>,
    ) -> Result<Position, AppendError> {
        self.pause().await;
        if self.trouble().is_full {
            return Err(AppendError::NotAppended(LogError::new("no room")));
        }
        let fate = self.fate();
        match fate {
            Fate::Refused => Err(AppendError::NotAppended(LogError::new("refused"))),
            Fate::Lost(false) => Err(AppendError::Unknown(LogError::new("lost"))),
            Fate::Done | Fate::Lost(true) => {
                let position = put.await;
                self.pause().await;
                match fate {
                    Fate::Done => position,
                    _ => Err(AppendError::Unknown(LogError::new("lost"))),
                }
            }
        }
    }
}

impl EventLog for Way {
    async fn append(&self, topic: &Text, event: Event) -> Result<Position, AppendError> {
        self.put(self.log.append(topic, event)).await
    }

    async fn append_in(
        &self,
        topic: &Text,
        epoch: u64,
        event: Event,
    ) -> Result<Position, AppendError> {
        self.put(self.log.append_in(topic, epoch, event)).await
    }

    async fn read(&self, topic: &Text, request: PageRequest) -> Result<Page, LogError> {
        self.pause().await;
        match self.fate() {
            Fate::Done => {
                let page = self.log.read(topic, request).await;
                self.pause().await;
                page
            }
            Fate::Refused => Err(LogError::new("refused")),
            // It hangs.
            Fate::Lost(_) => pending().await,
        }
    }

    async fn watch(&self, topic: &Text, bells: Bells) -> LogError {
        let lost = pin!(async {
            loop {
                sleep(&self.sim, SECOND).await;
                if !matches!(self.fate(), Fate::Done) {
                    return LogError::new("not watched any more");
                }
            }
        });
        let watched = pin!(self.log.watch(topic, bells));
        select(lost, watched).await.factor_first().0
    }
}

/// Waits.
pub async fn sleep(sim: &Sim, time: Duration) {
    let mut timer = sim.timer(sim.now() + time);
    poll_fn(|cx| timer.poll_elapsed(cx)).await;
    sim.note_progress();
}

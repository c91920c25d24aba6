//! Topics of many nodes, over a log with faults.

mod bounds;
mod faults;
mod shared_streams;
mod streams;

use std::{
    future::pending,
    sync::{Arc, Mutex},
    task::Waker,
    time::Duration,
};

use futures_util::{Stream, StreamExt};
use sse_core::{
    Event, Text,
    topic::{
        Batch, Outcome, Position,
        follower::{Page, PageRequest, Tails},
    },
};
use sse_driver::event_log::{
    AppendError, Bells, EventLog, FollowedTopics, FollowedTopicsConfig, LogError, LogStreamError,
    MemoryLog,
};

use crate::sim::{Job, Sim};

/// Beyond it reads do not answer, so that a test of a log that is read in a loop ends.
const MANY_READS: usize = 100_000;

/// A log that fails on demand.
#[derive(Clone)]
struct Faulty {
    log: MemoryLog,
    faults: Arc<Mutex<Faults>>,
}

#[derive(Default)]
struct Faults {
    /// Everything fails, and all watches end.
    is_down: bool,
    /// Reads of these topics do not answer.
    hang: Vec<Text>,
    /// Reads after so many do not answer until that is changed.
    holds_after: Option<usize>,
    /// Reads panic.
    panics: bool,
    /// Bells are reported as up, and are lost.
    bells_are_lost: bool,
    /// The log is not told for how long to keep topics.
    keeping_fails: bool,
    /// All watches end, and new ones at once. Everything else works.
    watches_fail: bool,
    /// The log takes nothing more, and says so.
    appends_are_rejected: bool,
    /// What is appended in an epoch is there, and that is not told.
    answers_are_lost: bool,
    /// What is appended in an epoch is not there, and that is not told.
    appends_hang: bool,
    /// Reads are answered by a copy of the log with these tails, which has no events to read.
    copy: Option<Tails>,
    reads: usize,
    /// Which topics are to be kept, and for how long.
    kept: Vec<(Text, Duration)>,
    watching: Vec<Waker>,
}

impl Faulty {
    fn new() -> Self {
        Self {
            log: MemoryLog::new(7),
            faults: Arc::default(),
        }
    }

    fn change(&self, change: impl FnOnce(&mut Faults)) {
        let mut faults = self.faults.lock().unwrap();
        change(&mut faults);
        let watching = std::mem::take(&mut faults.watching);
        drop(faults);
        watching.into_iter().for_each(Waker::wake);
    }

    fn set_down(&self, is_down: bool) {
        self.change(|faults| faults.is_down = is_down);
    }

    fn reads(&self) -> usize {
        self.faults.lock().unwrap().reads
    }

    fn check_append(&self) -> Result<(), AppendError> {
        self.check().map_err(AppendError::NotAppended)?;
        match self.faults.lock().unwrap().appends_are_rejected {
            true => Err(AppendError::Rejected(LogError::new("no permission"))),
            false => Ok(()),
        }
    }

    fn check(&self) -> Result<(), LogError> {
        match self.faults.lock().unwrap().is_down {
            true => Err(LogError::new("connection refused")),
            false => Ok(()),
        }
    }
}

impl EventLog for Faulty {
    async fn append(&self, topic: &Text, event: Event) -> Result<Position, AppendError> {
        self.check_append()?;
        self.log.append(topic, event).await
    }

    async fn append_in(
        &self,
        topic: &Text,
        epoch: u64,
        event: Event,
    ) -> Result<Position, AppendError> {
        self.check_append()?;
        if self.faults.lock().unwrap().appends_hang {
            return pending().await;
        }
        let appended = self.log.append_in(topic, epoch, event).await;
        match self.faults.lock().unwrap().answers_are_lost {
            true => Err(AppendError::Unknown(LogError::new("time-out"))),
            false => appended,
        }
    }

    async fn keep_for(&self, topic: &Text, time: Duration) -> Result<(), LogError> {
        self.check()?;
        let mut faults = self.faults.lock().unwrap();
        if faults.keeping_fails {
            return Err(LogError::new("not told"));
        }
        faults.kept.push((topic.clone(), time));
        Ok(())
    }

    async fn read(&self, topic: &Text, request: PageRequest) -> Result<Page, LogError> {
        let (hangs, panics, copy, number) = {
            let mut faults = self.faults.lock().unwrap();
            faults.reads += 1;
            let hangs = faults.hang.contains(topic) || faults.reads > MANY_READS;
            (hangs, faults.panics, faults.copy, faults.reads)
        };
        assert!(!panics, "the log panics");
        std::future::poll_fn(|cx| {
            let mut faults = self.faults.lock().unwrap();
            if faults.holds_after.is_some_and(|reads| number > reads) {
                faults.watching.push(cx.waker().clone());
                return std::task::Poll::Pending;
            }
            std::task::Poll::Ready(())
        })
        .await;
        if let Some(tails) = copy.filter(|_| !hangs) {
            return Ok(Page::new(tails, Vec::new()));
        }
        self.check()?;
        match hangs {
            true => pending().await,
            false => self.log.read(topic, request).await,
        }
    }

    async fn watch(&self, topic: &Text, bells: Bells) -> LogError {
        let lost = std::future::poll_fn(|cx| {
            let mut faults = self.faults.lock().unwrap();
            if faults.is_down || faults.watches_fail {
                return std::task::Poll::Ready(LogError::new("connection refused"));
            }
            faults.watching.push(cx.waker().clone());
            std::task::Poll::Pending
        });
        if self.faults.lock().unwrap().bells_are_lost {
            bells.up();
            return lost.await;
        }
        let watched = std::pin::pin!(self.log.watch(topic, bells));
        let lost = std::pin::pin!(lost);
        futures_util::future::select(lost, watched)
            .await
            .factor_first()
            .0
    }
}

/// A server process.
fn node(sim: &Sim, log: &Faulty) -> FollowedTopics {
    node_with(sim, log, |_| {})
}

fn node_with(
    sim: &Sim,
    log: &Faulty,
    change: impl FnOnce(&mut FollowedTopicsConfig),
) -> FollowedTopics {
    let mut config = FollowedTopicsConfig::default();
    change(&mut config);
    FollowedTopics::on(sim.clone(), log.clone(), config)
}

/// A client that reads everything.
struct Reader {
    got: Arc<Mutex<Got>>,
    job: Job<()>,
}

#[derive(Clone, Debug, Default)]
struct Got {
    text: String,
    outcomes: Vec<Outcome>,
    error: Option<String>,
    is_over: bool,
}

impl Reader {
    fn new<S>(sim: &Sim, mut stream: S) -> Self
    where
        S: Stream<Item = Result<Batch, LogStreamError>> + Send + Unpin + 'static,
    {
        let got = Arc::<Mutex<Got>>::default();
        let sink = got.clone();
        let job = sim.start(async move {
            while let Some(item) = stream.next().await {
                let mut got = sink.lock().unwrap();
                match item {
                    Ok(Batch::Notice(notice)) => got.outcomes.push(notice.outcome()),
                    Ok(batch) => got.text += str::from_utf8(batch.as_bytes()).unwrap(),
                    Err(error) => got.error = Some(error.to_string()),
                }
            }
            sink.lock().unwrap().is_over = true;
        });
        sim.settle();
        Self { got, job }
    }

    fn got(&self) -> Got {
        self.got.lock().unwrap().clone()
    }

    /// Returns the data of its events.
    fn data(&self) -> Vec<String> {
        let text = self.got().text;
        let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
        data.map(str::to_owned).collect()
    }

    fn leave(self) {
        self.job.cancel();
    }
}

/// Returns the output of a future that waits only for the log.
fn run<T: Send + 'static>(sim: &Sim, future: impl Future<Output = T> + Send + 'static) -> T {
    let job = sim.start(future);
    sim.settle();
    job.take().expect("it waits")
}

fn publish(sim: &Sim, node: &FollowedTopics, topic: &str, data: impl Into<Text>) -> Position {
    let publishing = node.topic(topic).unwrap().publish(data.into());
    run(sim, publishing).unwrap()
}

/// Publishes these numbers.
fn publish_many(
    sim: &Sim,
    node: &FollowedTopics,
    topic: &str,
    numbers: std::ops::RangeInclusive<u64>,
) {
    for n in numbers {
        publish(sim, node, topic, n.to_string());
    }
}

fn numbers(range: std::ops::RangeInclusive<u64>) -> Vec<String> {
    range.map(|n| n.to_string()).collect()
}

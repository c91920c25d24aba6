//! Resumable streams: producers continue without their clients, who share them, leave, come back
//! and get the rest.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use futures_util::Stream;
use sse_core::topic::resumable::{ResumableConfig, StartError, StreamEnd};
use sse_driver::{Attachment, Clock, Producer, ResumableStreams, Runtime, Timer, router::Request};

use crate::{
    chaos::Chaos,
    sim::{Sim, SimTimer},
};

/// The number of names.
const NAMES: usize = 3;

/// The largest number of items of a producer.
const LONGEST: usize = 100;

/// The names, and all producers that ran under one of them.
#[derive(Clone)]
pub struct Jobs {
    streams: ResumableStreams,
    sim: Sim,
    chaos: Arc<Chaos>,
    runs: Arc<Mutex<Vec<Run>>>,
}

/// A producer.
#[derive(Clone, Debug)]
pub struct Run {
    name: usize,
    /// The number of items that it gave.
    pub given: usize,
    /// When a client last attached to it.
    attached: Duration,
    /// The name of the end, if the producer ended by itself.
    ended: Option<&'static str>,
    /// Whether it was stopped.
    is_stopped: bool,
    is_held: bool,
    pub cleaned: Vec<StreamEnd>,
    cleaned_at: Duration,
}

impl Jobs {
    pub fn new(sim: &Sim, chaos: &Arc<Chaos>, config: ResumableConfig) -> Self {
        Self {
            streams: ResumableStreams::on(sim.clone(), config),
            sim: sim.clone(),
            chaos: chaos.clone(),
            runs: Arc::default(),
        }
    }

    fn runs(&self) -> MutexGuard<'_, Vec<Run>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn run(&self, run: usize) -> Run {
        self.runs()[run].clone()
    }

    pub fn all(&self) -> Vec<Run> {
        self.runs().clone()
    }

    fn change<T>(&self, run: usize, change: impl FnOnce(&mut Run) -> T) -> T {
        change(&mut self.runs()[run])
    }

    /// Attaches this client, and returns the producer's number.
    pub fn attach(
        &self,
        client: usize,
        request: &Request,
    ) -> Result<(usize, Attachment), StartError> {
        let name = client % NAMES;
        let attached = self
            .streams
            .attach_or_start(&name_of(name), request, |producer| {
                self.produce(name, &producer)
            })?;
        let runs = &mut *self.runs();
        let run = runs.iter().rposition(|run| run.name == name);
        let run = run.expect("a producer of this name");
        // A client that came too late may find the end of a producer that is still there.
        if attached.stream().end().is_none() {
            runs[run].attached = self.sim.elapsed();
        }
        Ok((run, attached))
    }

    fn produce(&self, name: usize, producer: &Producer) -> Work {
        let now = self.sim.elapsed();
        let number = {
            let runs = &mut *self.runs();
            runs.push(Run::new(name, now));
            runs.len() - 1
        };
        let jobs = self.clone();
        producer.clean_up().add(move |end| {
            let now = jobs.sim.elapsed();
            jobs.change(number, |run| {
                run.cleaned.push(end.clone());
                run.cleaned_at = now;
            });
        });
        Work::new(self.clone(), number)
    }

    /// Stops the producer of this name.
    pub fn stop(&self, name: usize) {
        if self.streams.stop(&name_of(name % NAMES), "stopped") {
            let runs = &mut *self.runs();
            let run = runs.iter_mut().rfind(|run| run.name == name % NAMES);
            run.expect("a producer of this name").is_stopped = true;
        }
    }

    /// Forgets the producers of all names.
    pub fn forget_all(&self) {
        for name in 0..NAMES {
            self.stop(name);
            self.streams.forget(&name_of(name), "over");
        }
    }

    /// Returns what is wrong with a clean-up, if anything is.
    pub fn check(&self, has_shut_down: bool) {
        let grace = self.streams.config().grace;
        for run in self.runs().iter() {
            let Some(end) = run.cleaned.first() else {
                continue;
            };
            assert_eq!(run.cleaned.len(), 1, "the clean-up of {run:?}");
            assert!(!run.is_held, "{run:?} is there after its clean-up");
            let is_true = match end {
                StreamEnd::Abandoned => {
                    grace.is_some_and(|grace| run.cleaned_at >= run.attached + grace)
                }
                // The mark is set after the call.
                StreamEnd::Stopped(_) => run.is_stopped,
                StreamEnd::Shutdown => has_shut_down,
                end => run.ended == Some(end.name()),
            };
            assert!(is_true, "{run:?} ended for no reason");
        }
    }
}

fn name_of(name: usize) -> String {
    format!("job {name}")
}

impl Run {
    fn new(name: usize, now: Duration) -> Self {
        Self {
            name,
            given: 0,
            attached: now,
            ended: None,
            is_stopped: false,
            is_held: true,
            cleaned: Vec::new(),
            cleaned_at: now,
        }
    }

    pub fn is_over(&self) -> bool {
        !self.cleaned.is_empty()
    }
}

/// Returns an item of a producer.
pub fn item(run: usize, number: usize) -> String {
    format!("item {number} of job {run}")
}

/// The work of a producer.
struct Work {
    jobs: Jobs,
    run: usize,
    length: usize,
    end: &'static str,
    longest_pause: Duration,
    timer: Option<SimTimer>,
}

impl Work {
    fn new(jobs: Jobs, run: usize) -> Self {
        let (length, end, pause) = jobs
            .chaos
            .draw(|rng| (rng.usize(..=LONGEST), rng.u8(..6), rng.u64(1..4000)));
        Self {
            jobs,
            run,
            length,
            end: match end {
                0 => "failed",
                1 => "panicked",
                _ => "complete",
            },
            longest_pause: Duration::from_millis(pause),
            timer: None,
        }
    }
}

impl Stream for Work {
    type Item = Result<String, &'static str>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(timer) = &mut self.timer {
            std::task::ready!(timer.poll_elapsed(cx));
            self.timer = None;
        }
        let Self { jobs, run, .. } = &*self;
        let (run, sim) = (*run, jobs.sim.clone());
        sim.note_progress();
        let given = jobs.run(run).given;
        if given == self.length {
            let end = self.end;
            jobs.change(run, |run| run.ended = Some(end));
            return Poll::Ready(match end {
                "complete" => None,
                "failed" => Some(Err("the job has failed")),
                _ => panic!("expected in this test"),
            });
        }
        jobs.change(run, |run| run.given += 1);
        let pause = jobs.chaos.draw(|rng| {
            let pauses = rng.bool();
            pauses.then(|| self.longest_pause.mul_f64(rng.f64()))
        });
        self.timer = pause.map(|pause| sim.timer(sim.now() + pause));
        Poll::Ready(Some(Ok(item(run, given))))
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.jobs.change(self.run, |run| run.is_held = false);
    }
}

/// What a client received of a job.
#[derive(Debug, Default)]
pub struct Record {
    run: Option<usize>,
    next: usize,
    /// Whether the client comes back to another job than it left, which it has to learn.
    is_lost: bool,
    is_over: bool,
}

impl Record {
    /// Notes that a client is attached to this producer, whose last event has this ID.
    pub fn opened(&mut self, run: usize, last_id: &str) {
        let resumes = !last_id.is_empty();
        if self.run != Some(run) || !resumes {
            *self = Self {
                run: Some(run),
                is_lost: resumes,
                ..Self::default()
            };
        }
    }

    pub fn received(&mut self, event: &sse_core::MessageEvent, jobs: &Jobs) {
        let run = self.run.expect("an open stream");
        assert!(!self.is_over, "{event:?} after the end");
        match event.event_type() {
            "resume" => {
                assert!(self.is_lost, "a notice without a loss: {event:?}");
                self.is_lost = false;
            }
            "end" => {
                let job = jobs.run(run);
                assert_eq!(self.next, job.given, "the end before the last of {job:?}");
                self.is_over = true;
            }
            _ => {
                assert!(!self.is_lost, "a loss that is not told");
                assert_eq!(event.data(), item(run, self.next));
                self.next += 1;
            }
        }
    }

    pub fn has_everything(&self, jobs: &Jobs) -> bool {
        let Some(run) = self.run.map(|run| jobs.run(run)) else {
            return false;
        };
        self.is_over || (!run.is_over() && self.next == run.given)
    }

    pub fn is_over(&self) -> bool {
        self.is_over
    }
}

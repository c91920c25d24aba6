//! The table of streams and its keeper, under the model checker `loom`: see `sse-core/tests/loom`.

use std::{
    convert::Infallible,
    future::{Future, pending},
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::{Duration, Instant, SystemTime},
};

use loom::thread::{self, JoinHandle};
use sse_core::{
    Budget,
    topic::resumable::{ResumableConfig, StreamEnd},
};

use super::{ResumableStream, ResumableStreams};
use crate::{
    BindOptions, Clock, Runtime, Timer, Transport,
    loom_tasks::{join, model, wait_for},
};

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Keeps the tasks that are spawned, for the threads of a model to run. Its time stands still while a
/// task is awake, and moves to the deadline of the task that waits for one: a keeper that is not woken
/// for a new deadline waits forever.
#[derive(Clone)]
struct Model {
    now: Arc<Mutex<Instant>>,
    tasks: Arc<Mutex<Vec<Task>>>,
}

impl Model {
    fn new() -> Self {
        Self {
            now: Arc::new(Mutex::new(Instant::now())),
            tasks: Arc::default(),
        }
    }

    /// Returns the tasks spawned since the last call: for a new stream its keeper, if there was none, and
    /// then its producer. A producer that is not polled lives for as long as its task is held.
    fn spawned(&self) -> Vec<Task> {
        std::mem::take(&mut *self.tasks.lock().unwrap())
    }
}

fn run(task: Task) -> JoinHandle<()> {
    thread::spawn(move || wait_for(task))
}

/// Returns settings with a budget of their own, and short histories.
fn config() -> ResumableConfig {
    let mut config = ResumableConfig::default();
    config.topic.budget = Budget::new(Budget::DEFAULT);
    config
}

/// Starts a stream whose producer never ends by itself.
fn endless(streams: &ResumableStreams, name: &str) -> ResumableStream {
    streams.start(name, |_| pending::<()>()).unwrap()
}

#[test]
fn the_keeper_is_woken_when_the_last_client_leaves() {
    model(|| {
        let runtime = Model::new();
        let streams = ResumableStreams::on(runtime.clone(), config());
        let stream = endless(&streams, "a");
        let clients = [stream.attach_at(None), stream.attach_at(None)];
        let mut spawned = runtime.spawned();
        let keeper = run(spawned.remove(0));
        let [client, other] = clients;
        let leaves = thread::spawn(move || drop(client));
        drop(other);
        leaves.join().unwrap();
        // The keeper ends when the stream is forgotten.
        keeper.join().unwrap();
        assert_eq!(stream.end(), Some(StreamEnd::Abandoned));
        assert!(streams.get("a").is_none());
    });
}

#[test]
fn a_client_that_attaches_in_time_keeps_the_stream() {
    model(|| {
        let runtime = Model::new();
        let streams = ResumableStreams::on(runtime.clone(), config());
        let stream = endless(&streams, "a");
        let mut spawned = runtime.spawned();
        let keeper = run(spawned.remove(0));
        let client = stream.attach_at(None);
        // The listener came in time, so that the stream continues, or too late.
        let abandoned = streams.stats().abandoned;
        assert_eq!(streams.stats().abandoned, abandoned);
        drop(client);
        keeper.join().unwrap();
        assert_eq!(stream.end(), Some(StreamEnd::Abandoned));
    });
}

#[test]
fn a_stop_wakes_the_producer_the_keeper_and_the_tasks_that_wait_for_the_end() {
    model(|| {
        let runtime = Model::new();
        let streams = ResumableStreams::on(runtime.clone(), config());
        let stream = endless(&streams, "a");
        let client = stream.attach_at(None);
        let tasks: Vec<_> = runtime.spawned().into_iter().map(run).collect();
        assert!(stream.stop("enough"));
        let end = wait_for(Box::pin(stream.ended()));
        assert_eq!(end, StreamEnd::Stopped("enough".into()));
        drop(client);
        for task in tasks {
            task.join().unwrap();
        }
        assert_eq!(streams.stats().running, 0);
    });
}

#[test]
fn an_end_wakes_a_task_that_is_about_to_wait_for_it() {
    model(|| {
        let runtime = Model::new();
        let streams = ResumableStreams::on(runtime.clone(), config());
        let stream = endless(&streams, "a");
        let _spawned = runtime.spawned();
        let stopped = stream.clone();
        let stops = thread::spawn(move || stopped.stop("enough"));
        let end = wait_for(Box::pin(stream.ended()));
        assert_eq!(end, StreamEnd::Stopped("enough".into()));
        assert!(stops.join().unwrap());
    });
}

#[test]
fn one_of_two_stops_counts() {
    model(|| {
        let runtime = Model::new();
        let streams = ResumableStreams::on(runtime.clone(), config());
        let stream = endless(&streams, "a");
        let _spawned = runtime.spawned();
        let stops = [("a", stream.clone()), ("b", stream.clone())]
            .map(|(reason, stream)| thread::spawn(move || stream.stop(reason)));
        let [a, b] = join(stops);
        assert!(a != b, "{a} {b}");
        let reason = if a { "a" } else { "b" };
        assert_eq!(stream.end(), Some(StreamEnd::Stopped(reason.into())));
    });
}

#[test]
fn the_last_of_two_handles_ends_the_producer_and_the_keeper() {
    model(|| {
        let runtime = Model::new();
        let mut config = config();
        config.grace = None;
        let streams = ResumableStreams::on(runtime.clone(), config);
        let client = endless(&streams, "a").attach_at(None);
        let mut spawned = runtime.spawned();
        let keeper = run(spawned.remove(0));
        let leaves = thread::spawn(move || drop(client));
        drop(streams);
        // The producer's task ends, whichever handle was the last.
        spawned.into_iter().for_each(wait_for);
        leaves.join().unwrap();
        keeper.join().unwrap();
    });
}

#[test]
fn a_stream_that_starts_while_the_last_one_is_forgotten_has_a_keeper() {
    model(|| {
        let runtime = Model::new();
        let streams = ResumableStreams::on(runtime.clone(), config());
        endless(&streams, "a");
        let mut spawned = runtime.spawned();
        let first = run(spawned.remove(0));

        let stream = endless(&streams, "b");
        let mut later = runtime.spawned();
        let producer = later.pop();
        // There is another keeper if the first was about to end.
        assert!(later.len() <= 1);
        for keeper in later {
            wait_for(keeper);
        }
        first.join().unwrap();
        assert_eq!(stream.end(), Some(StreamEnd::Abandoned));
        assert!(streams.all().is_empty());
        drop(producer);
    });
}

/// A deadline, which has come when it is checked.
struct At(Instant, Arc<Mutex<Instant>>);

impl Timer for At {
    fn reset(&mut self, deadline: Instant) {
        self.0 = deadline;
    }

    fn poll_elapsed(&mut self, _: &mut Context<'_>) -> Poll<()> {
        let mut now = self.1.lock().unwrap();
        *now = self.0.max(*now);
        Poll::Ready(())
    }
}

impl Clock for Model {
    fn now(&self) -> Instant {
        *self.now.lock().unwrap()
    }

    fn date(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)
    }

    fn seed(&self) -> u64 {
        7
    }
}

impl Runtime for Model {
    type Timer = At;
    type Transport = Box<dyn Transport>;
    type Listener = Infallible;

    fn timer(&self, deadline: Instant) -> At {
        At(deadline, self.now.clone())
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.lock().unwrap().push(Box::pin(task));
    }

    async fn bind(&self, _: SocketAddr, _: &BindOptions) -> io::Result<Infallible> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn local_addr(&self, listener: &Infallible) -> io::Result<SocketAddr> {
        match *listener {}
    }

    async fn accept(&self, listener: &Infallible) -> io::Result<(Box<dyn Transport>, SocketAddr)> {
        match *listener {}
    }

    async fn resolve(&self, _: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    async fn connect(&self, _: SocketAddr) -> io::Result<Box<dyn Transport>> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

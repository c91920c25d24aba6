//! The server: topics, a handler for each, and publishers on threads of their own.

use std::{
    io::{Read, Write},
    net::TcpStream,
    pin::Pin,
    process,
    sync::{
        Arc, Barrier,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    task::{Context, Poll},
    thread,
    time::Instant,
};

use futures_util::Stream;
use sse_core::{
    Event,
    topic::{Batch, SlowConsumer, Subscriber, Topic, TopicConfig},
};
use sse_smol::Smol;
use sse_tokio::{
    Tokio,
    driver::{Runtime, Server, router::Router},
};

use super::{PUBLISHERS, Told};
use crate::{Result, control::own_cpu_time, servers::data};

/// Serves this many topics on this many threads, until this program is ended.
pub(crate) fn serve(kind: &str, threads: usize, topics: usize, control: &str) -> Result<()> {
    match (kind, threads) {
        ("sse-tokio", 0) => tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?
            .block_on(run::<Tokio>(topics, control)),
        ("sse-tokio", threads) => tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .enable_all()
            .build()?
            .block_on(run::<Tokio>(topics, control)),
        // The environment sets the number of its threads.
        ("sse-smol", _) => smol::block_on(run::<Smol>(topics, control)),
        _ => Err(format!("there is no server {kind}").into()),
    }
}

async fn run<R: Runtime + Default>(topics: usize, control: &str) -> Result<()> {
    let topic = |_| Topic::on(R::default(), TopicConfig::default());
    let topics: Vec<Topic> = (0..topics).map(topic).collect();
    let wake_ups = Arc::<AtomicU64>::default();
    let mut router = Router::new();
    for (number, topic) in topics.iter().enumerate() {
        let (topic, wake_ups) = (topic.clone(), wake_ups.clone());
        router = router.events(format!("/events/{number}"), move |_| Counted {
            subscriber: topic.subscribe(),
            wake_ups: wake_ups.clone(),
        });
    }
    let server = Server::<R>::bind("127.0.0.1:0").await?;
    let port = server.local_addr()?.port();
    let control = TcpStream::connect(control)?;
    thread::spawn(move || {
        // An error means that the process that started this one has ended.
        let _ = obey(control, port, &topics, &wake_ups);
        process::exit(0);
    });
    server.serve(router).await?;
    Ok(())
}

/// A subscriber that counts its waits.
struct Counted {
    subscriber: Subscriber,
    wake_ups: Arc<AtomicU64>,
}

impl Stream for Counted {
    type Item = std::result::Result<Batch, SlowConsumer>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = self.subscriber.poll_next(cx);
        if polled.is_pending() {
            self.wake_ups.fetch_add(1, Ordering::Relaxed);
        }
        polled
    }
}

fn obey(mut control: TcpStream, port: u16, topics: &[Topic], wake_ups: &AtomicU64) -> Result<()> {
    control.set_nodelay(true)?;
    control.write_all(&port.to_be_bytes())?;
    thread::scope(|scope| {
        let (done, times) = mpsc::channel();
        let publishers: Vec<_> = (0..PUBLISHERS)
            .map(|_| {
                let (publish, commands) = mpsc::channel::<(u32, Arc<Barrier>)>();
                let done = done.clone();
                scope.spawn(move || {
                    for (events, start) in commands {
                        start.wait();
                        // This fails when the server ends.
                        let _ = done.send(publish_all(topics, events));
                    }
                });
                publish
            })
            .collect();
        let mut last: Vec<u64> = Vec::new();
        let mut command = [0; 8];
        loop {
            control.read_exact(&mut command)?;
            match u64::from_be_bytes(command) {
                0 => {
                    last.sort_unstable();
                    let at = |share: f64| (last.len() as f64 * share) as usize;
                    let told = Told {
                        cpu: own_cpu_time(),
                        wake_ups: wake_ups.load(Ordering::Relaxed),
                        publish_p50: last.get(at(0.5)).copied().unwrap_or_default(),
                        publish_p99: last.get(at(0.99)).copied().unwrap_or_default(),
                    };
                    control.write_all(&told.to_bytes())?;
                }
                command => {
                    let (count, events) = ((command >> 32) as usize, command as u32);
                    let start = Arc::new(Barrier::new(count));
                    for publisher in publishers.iter().take(count) {
                        publisher.send((events, start.clone()))?;
                    }
                    last = times.iter().take(count).flatten().collect();
                }
            }
        }
    })
}

/// Publishes this many events to each of the topics, and returns the time of each in nanoseconds.
fn publish_all(topics: &[Topic], events: u32) -> Vec<u64> {
    let event = Event::new(data());
    let mut times = Vec::with_capacity(topics.len() * events as usize);
    for _ in 0..events {
        for topic in topics {
            let event = event.clone();
            let start = Instant::now();
            // This cannot fail: the event is small enough, and has no ID.
            let _ = topic.publish(event);
            times.push(start.elapsed().as_nanos() as u64);
        }
    }
    times
}

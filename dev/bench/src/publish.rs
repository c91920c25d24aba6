//! The cost of publishing to a topic by the number of waiting subscribers, and the cost to each of
//! them of taking the new events: `cargo run --release --manifest-path dev/bench/Cargo.toml --bin
//! publish`.
//!
//! Waking is counted, what a runtime does with a task that is woken is not: each waker is one that
//! sets a flag of its own.

#![allow(missing_docs)]

use std::{
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Wake, Waker},
    time::{Duration, Instant},
};

use sse_core::{
    Event,
    topic::{Subscriber, Topic, TopicConfig},
};

/// The number of bytes of an event's data.
const DATA: usize = 150;

const ROUNDS: usize = 401;

#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

struct Reader {
    subscriber: Subscriber,
    waker: Waker,
}

impl Reader {
    fn new(topic: &Topic) -> Self {
        Self {
            subscriber: topic.subscribe(),
            waker: Waker::from(Arc::new(Flag::default())),
        }
    }

    /// Takes everything, and waits for more.
    fn park(&mut self) -> usize {
        let mut cx = Context::from_waker(&self.waker);
        let mut taken = 0;
        while let std::task::Poll::Ready(Some(Ok(batch))) = self.subscriber.poll_next(&mut cx) {
            taken += batch.as_bytes().len();
        }
        taken
    }
}

fn main() {
    let event = Event::new("x".repeat(DATA));
    println!("nanoseconds, with events of {DATA} bytes of data; the median of {ROUNDS} rounds\n");
    println!("encoding alone: {:.0}\n", encode(&event));
    println!("| subscribers | first of a burst | each after it | to take 1 and wait | 64 |");
    println!("|--:|--:|--:|--:|--:|");
    for readers in [0, 1, 10, 1_000, 10_000] {
        measure(readers, &event);
    }
}

/// Measures encoding into a reused buffer, with an ID that was made beforehand.
fn encode(event: &Event) -> f64 {
    const TIMES: u32 = 64;
    let event = event.clone().with_id("2n9c0abc-12345").unwrap_or_default();
    let mut buffer = Vec::with_capacity(1 << 16);
    median((0..ROUNDS).map(|_| {
        buffer.clear();
        let start = Instant::now();
        for _ in 0..TIMES {
            black_box(&event).encode(&mut buffer);
        }
        start.elapsed() / TIMES
    }))
}

fn measure(readers: usize, event: &Event) {
    const BURST: u32 = 64;
    let topic = Topic::new(TopicConfig::default(), 0x2_0000_0000, Instant::now);
    let mut readers: Vec<_> = (0..readers).map(|_| Reader::new(&topic)).collect();
    let publish = || {
        if let Err(error) = topic.publish(black_box(event).clone()) {
            panic!("{error}");
        }
    };
    let mut park_all = || {
        let start = Instant::now();
        let taken: usize = readers.iter_mut().map(Reader::park).sum();
        black_box(taken);
        start.elapsed() / readers.len().max(1) as u32
    };
    park_all();

    let (mut first, mut after, mut take_one, mut take_burst) = (vec![], vec![], vec![], vec![]);
    for _ in 0..ROUNDS {
        first.push(time(publish));
        take_one.push(park_all());
        publish();
        after.push(time(|| (1..BURST).for_each(|_| publish())) / (BURST - 1));
        take_burst.push(park_all());
    }
    let [first, after, one, burst] = [first, after, take_one, take_burst].map(median);
    let count = readers.len();
    println!("| {count} | {first:.0} | {after:.0} | {one:.0} | {burst:.0} |");
}

fn time(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn median(samples: impl IntoIterator<Item = Duration>) -> f64 {
    let mut samples: Vec<_> = samples.into_iter().collect();
    samples.sort();
    samples[samples.len() / 2].as_nanos() as f64
}

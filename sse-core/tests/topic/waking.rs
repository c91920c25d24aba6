//! Waiting subscribers are woken: once, and always.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::Duration,
};

use futures_core::Stream;
use futures_util::{FutureExt, StreamExt};
use sse_core::topic::{Position, Subscriber, TopicConfig};

use crate::{EPOCH, publish, topic};

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A subscriber with a waker of its own.
struct Reader {
    subscriber: Subscriber,
    woken: Arc<Count>,
}

impl Reader {
    fn new(subscriber: Subscriber) -> Self {
        let woken = Arc::default();
        Self { subscriber, woken }
    }

    /// Takes everything, and waits.
    fn park(&mut self) {
        let waker = Waker::from(self.woken.clone());
        let mut cx = Context::from_waker(&waker);
        while self.subscriber.poll_next(&mut cx).is_ready() {}
    }

    fn woken(&self) -> usize {
        self.woken.0.load(Ordering::Relaxed)
    }
}

#[test]
fn a_burst_wakes_each_waiting_subscriber_once_and_no_other() {
    let topic = topic(TopicConfig::default());
    let mut readers = [(); 3].map(|()| Reader::new(topic.subscribe()));
    readers[0].park();
    readers[1].park();
    readers[1].park();
    publish(&topic, 64);
    assert_eq!(readers.each_ref().map(Reader::woken), [1, 1, 0]);
    readers[0].park();
    publish(&topic, 64);
    assert_eq!(readers.each_ref().map(Reader::woken), [2, 1, 0]);
}

#[test]
fn as_a_stream_a_subscriber_gives_the_same_as_by_hand() {
    let topic = topic(TopicConfig::default());
    let mut subscriber = topic.subscribe();
    publish(&topic, 2);
    let batch = subscriber.next().now_or_never().flatten();
    let batch = batch.expect("a batch").expect("in time");
    assert_eq!(
        batch
            .as_bytes()
            .iter()
            .filter(|byte| **byte == b'x')
            .count(),
        2
    );
    assert!(subscriber.next().now_or_never().is_none());
    topic.close();
    assert!(subscriber.next().now_or_never().expect("the end").is_none());
}

#[test]
fn the_last_waker_counts() {
    let topic = topic(TopicConfig::default());
    let mut reader = Reader::new(topic.subscribe());
    reader.park();
    let before = std::mem::take(&mut reader.woken);
    reader.park();
    publish(&topic, 1);
    assert_eq!((before.0.load(Ordering::Relaxed), reader.woken()), (0, 1));
}

#[test]
fn a_dropped_subscriber_is_not_woken_and_its_task_not_kept() {
    let topic = topic(TopicConfig::default());
    let mut reader = Reader::new(topic.subscribe());
    reader.park();
    let woken = reader.woken.clone();
    drop(reader);
    assert_eq!(Arc::strong_count(&woken), 1);
    publish(&topic, 1);
    assert_eq!(woken.0.load(Ordering::Relaxed), 0);
}

#[test]
fn the_end_wakes_too() {
    let topic = topic(TopicConfig::default());
    let mut readers = [(); 2].map(|()| Reader::new(topic.subscribe()));
    readers[0].park();
    topic.close();
    assert_eq!(readers[0].woken(), 1);
    drop(topic);
    // It has ended, so that there is nothing to wait for.
    let mut cx = Context::from_waker(Waker::noop());
    let polled = Pin::new(&mut readers[1].subscriber).poll_next(&mut cx);
    assert!(matches!(polled, Poll::Ready(None)));
}

#[test]
fn a_waker_may_publish() {
    struct Echo(sse_core::topic::Topic);
    impl Wake for Echo {
        fn wake(self: Arc<Self>) {
            self.0.publish("echo").unwrap();
        }
    }
    let topic = topic(TopicConfig::default());
    let mut subscriber = topic.subscribe();
    let waker = Waker::from(Arc::new(Echo(topic.clone())));
    assert!(
        subscriber
            .poll_next(&mut Context::from_waker(&waker))
            .is_pending()
    );
    publish(&topic, 1);
    assert_eq!(topic.position().sequence(), 2);
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[allow(clippy::disallowed_methods)] // to tell a wake-up that was lost
fn park(most: Duration) {
    let start = std::time::Instant::now();
    thread::park_timeout(most);
    assert!(start.elapsed() < most, "a wake-up was lost");
}

/// Returns everything until the stream's end.
fn read_all(mut subscriber: Subscriber) -> Vec<u8> {
    /// Far longer than a subscriber has to wait: a lost wake-up fails the test instead of hanging it.
    const LOST: Duration = Duration::from_secs(60);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut cx = Context::from_waker(&waker);
    let mut bytes = Vec::new();
    loop {
        match subscriber.poll_next(&mut cx) {
            Poll::Ready(None) => return bytes,
            Poll::Ready(Some(batch)) => bytes.extend_from_slice(batch.unwrap().as_bytes()),
            Poll::Pending => park(LOST),
        }
    }
}

#[test]
fn many_threads_publish_and_read_and_no_reader_misses_an_event() {
    const PUBLISHERS: usize = 3;
    const READERS: usize = 5;
    const EACH: usize = 3000;
    let topic = topic(TopicConfig::default());
    let all = thread::scope(|scope| {
        let readers: Vec<_> = (0..READERS)
            .map(|_| {
                let subscriber = topic.subscribe();
                scope.spawn(move || read_all(subscriber))
            })
            .collect();
        let publishers: Vec<_> = (0..PUBLISHERS)
            .map(|publisher| {
                let topic = &topic;
                scope.spawn(move || {
                    for n in 0..EACH {
                        topic.publish(format!("{publisher} {n}")).unwrap();
                    }
                })
            })
            .collect();
        for publisher in publishers {
            publisher.join().unwrap();
        }
        topic.close();
        let all: Vec<_> = readers
            .into_iter()
            .map(|reader| reader.join().unwrap())
            .collect();
        all
    });

    // All readers saw the same: every event, in an order that every publisher agrees with.
    let text = str::from_utf8(&all[0]).unwrap();
    assert!(all.iter().all(|other| *other == all[0]));
    let events: Vec<_> = text.split_terminator("\n\n").collect();
    assert_eq!(events.len(), PUBLISHERS * EACH);
    let mut next = [0; PUBLISHERS];
    for (index, event) in events.iter().enumerate() {
        let (id, data) = event.split_once("\ndata: ").unwrap();
        assert_eq!(id, format!("id: abc-{}", index + 1));
        let (publisher, n) = data.split_once(' ').unwrap();
        let next = &mut next[publisher.parse::<usize>().unwrap()];
        assert_eq!(n.parse(), Ok(*next));
        *next += 1;
    }
}

#[test]
fn a_waiting_subscriber_is_woken_when_the_history_continues_elsewhere() {
    let topic = topic(TopicConfig::default());
    let mut reader = Reader::new(topic.subscribe());
    reader.park();
    topic.go_on_behind(Position::new(EPOCH, 3)).unwrap();
    assert_eq!(reader.woken(), 1);
}

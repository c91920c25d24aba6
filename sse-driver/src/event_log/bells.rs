//! The bells of a topic: a bounded queue from the log to the topic's task.

use std::{
    collections::VecDeque,
    fmt,
    sync::Arc,
    task::{Context, Waker},
};

use sse_core::{
    Event, EventId, EventType,
    internal::sync::{Mutex, lock},
    topic::follower::Bell,
};

/// The bells of a topic, which its log rings: see [`EventLog::watch`](super::EventLog::watch).
///
/// Clones ring the same bells. Ringing never waits. Waiting bells are bounded, to 1,000 by default
/// ([`max_bells`](super::FollowedTopicsConfig::max_bells)); those beyond are dropped, and the topic's
/// task reads the log instead.
///
/// ```
/// use sse_driver::{core::topic::{Position, follower::Bell}, event_log::Bells};
///
/// /// Called for each notification of the database.
/// fn notified(bells: &Bells, epoch: u64, number: u64) {
///     bells.ring(Bell::new(Position::new(epoch, number)));
/// }
/// ```
#[derive(Clone)]
pub struct Bells {
    queue: Arc<Mutex<Queue>>,
}

struct Queue {
    news: VecDeque<News>,
    max: usize,
    max_bytes: usize,
    /// The number of bytes of the events that wait.
    bytes: usize,
    /// Whether bells were dropped.
    overflowed: bool,
    task: Option<Waker>,
}

pub(super) enum News {
    Up,
    Bell(Bell),
}

impl Bells {
    pub(super) fn new(max: usize, max_bytes: usize) -> Self {
        Self {
            queue: Arc::new(Mutex::new(Queue {
                news: VecDeque::new(),
                max,
                max_bytes,
                bytes: 0,
                overflowed: false,
                task: None,
            })),
        }
    }

    /// Reports that a bell rings for every event from now on. The node reads the log once more, for the
    /// events appended before.
    pub fn up(&self) {
        self.put(News::Up);
    }

    /// Reports that an event was appended, on this node or another. A bell that is late, or comes twice,
    /// does no harm.
    pub fn ring(&self, bell: Bell) {
        self.put(News::Bell(bell));
    }

    fn put(&self, news: News) {
        let task = {
            let mut queue = lock(&self.queue);
            let size = size_of_news(&news);
            let is_full = queue.news.len() >= queue.max || queue.bytes + size > queue.max_bytes;
            if is_full {
                queue.overflowed = true;
            } else {
                queue.bytes += size;
                queue.news.push_back(news);
            }
            queue.task.take()
        };
        task.into_iter().for_each(Waker::wake);
    }

    /// Wakes the task, which takes the news.
    pub(super) fn wake(&self) {
        let task = lock(&self.queue).task.take();
        task.into_iter().for_each(Waker::wake);
    }

    /// Takes all news, and registers the task for the next. If bells were dropped, the news are as if the
    /// bells were just up.
    pub(super) fn take(&self, cx: &Context<'_>) -> VecDeque<News> {
        let mut queue = lock(&self.queue);
        let mut news = std::mem::take(&mut queue.news);
        queue.bytes = 0;
        if std::mem::take(&mut queue.overflowed) {
            news.push_back(News::Up);
        }
        let before = queue.task.replace(cx.waker().clone());
        drop(queue);
        // This must not happen under the lock: it may drop the last handle of a task.
        drop(before);
        news
    }
}

fn size_of_news(news: &News) -> usize {
    match news {
        News::Bell(Bell {
            event: Some(event), ..
        }) => size_of_event(event),
        _ => 0,
    }
}

pub(super) fn size_of_event(event: &Event) -> usize {
    let texts = [
        event.data(),
        event.id().map(EventId::as_str),
        event.event_type().map(EventType::as_str),
    ];
    texts.into_iter().flatten().map(str::len).sum()
}

impl fmt::Debug for Bells {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let queue = lock(&self.queue);
        f.debug_struct("Bells")
            .field("waiting", &queue.news.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use sse_core::topic::Position;

    use super::*;

    #[test]
    fn all_of_an_event_counts() {
        let long = "x".repeat(100);
        let event = Event::without_data().with_id(&*long).unwrap();
        let bells = Bells::new(1_000, 1_000);
        for n in 1..=100 {
            bells.ring(Bell::new(Position::new(7, n)).with_event(event.clone()));
        }
        let news = bells.take(&Context::from_waker(Waker::noop()));
        assert!(news.len() <= 11, "{}", news.len());
    }
}

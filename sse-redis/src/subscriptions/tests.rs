//! What is to be sent, with and without a connection.

use std::{pin::pin, task::Waker, time::Duration};

use sse_driver::{
    core::topic::follower::{Page, PageRequest, Tails},
    core::{Event, Text},
    event_log::{AppendError, EventLog, FollowedTopics, LogError},
};
use sse_tokio::Tokio;

use super::*;

/// A log that hands out the bells of its topics.
#[derive(Clone, Default)]
struct Handing(Arc<Mutex<Vec<Bells>>>);

impl EventLog for Handing {
    async fn append(&self, _: &Text, _: Event) -> Result<Position, AppendError> {
        Err(AppendError::NotAppended(LogError::new("nothing is taken")))
    }

    async fn append_in(&self, _: &Text, _: u64, _: Event) -> Result<Position, AppendError> {
        Err(AppendError::OtherEpoch)
    }

    async fn read(&self, _: &Text, _: PageRequest) -> Result<Page, LogError> {
        let tails = Tails {
            epoch: 1,
            oldest: 1,
            newest: 0,
        };
        Ok(Page::new(tails, Vec::new()))
    }

    async fn watch(&self, _: &Text, bells: Bells) -> LogError {
        self.0.lock().unwrap().push(bells);
        std::future::pending().await
    }
}

/// Returns the bells of a topic.
fn bells() -> Bells {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let log = Handing::default();
    runtime.block_on(async {
        let topics = FollowedTopics::on(Tokio, log.clone(), Default::default());
        let topic = topics.topic("news").unwrap();
        topic.ready(Duration::from_secs(10)).await.unwrap();
    });
    let bells = log.0.lock().unwrap().pop();
    bells.unwrap()
}

/// Returns the names of the commands and their channels.
fn commands(subscriptions: &Subscriptions) -> Vec<String> {
    let cx = &Context::from_waker(Waker::noop());
    let commands = subscriptions.take_commands(cx).into_iter();
    commands
        .map(|Command { bytes, channel }| {
            let is_end = bytes.windows(11).any(|part| part == b"UNSUBSCRIBE");
            format!("{}{channel}", if is_end { "-" } else { "+" })
        })
        .collect()
}

#[test]
fn watches_that_begin_and_end_without_a_connection_leave_nothing_to_send() {
    let (subscriptions, bells) = (Arc::new(Subscriptions::default()), bells());
    let cx = &mut Context::from_waker(Waker::noop());
    for _ in 0..100 {
        for channel in ["a", "b"] {
            let mut watch = pin!(subscriptions.watch(channel.to_owned(), bells.clone()));
            assert!(watch.as_mut().poll(cx).is_pending());
            subscriptions.lost(&RedisError::TimedOut);
            assert!(watch.as_mut().poll(cx).is_ready());
        }
    }
    assert_eq!(subscriptions.state().commands.len(), 0);
    // A connection begins with what is watched.
    let mut watch = pin!(subscriptions.watch("a".to_owned(), bells.clone()));
    assert!(watch.as_mut().poll(cx).is_pending());
    subscriptions.connected();
    assert_eq!(commands(&subscriptions), ["+a"]);
    {
        let mut other = pin!(subscriptions.watch("b".to_owned(), bells));
        assert!(other.as_mut().poll(cx).is_pending());
        assert_eq!(commands(&subscriptions), ["+b"]);
    }
    assert_eq!(commands(&subscriptions), ["-b"]);
}

//! Server processes, and their clients.

use std::time::Duration;

use futures_util::StreamExt;
use sse_driver::{
    core::topic::{Batch, Outcome, Position},
    event_log::{FollowedTopics, FollowedTopicsConfig, LogStream},
};
use sse_redis::RedisLog;
use sse_suite::Adapter;

use crate::{PATIENCE, patiently};

/// Returns a server process that follows this log, once it does.
pub(crate) async fn node<A: Adapter>(log: RedisLog) -> FollowedTopics {
    let mut config = FollowedTopicsConfig::default();
    config.topic.max_events = 50;
    config.follower.warm_events = 10;
    config.follower.look_every = Some(Duration::from_secs(1));
    config.client_wait = PATIENCE;
    let topics = FollowedTopics::on(A::Runtime::default(), log, config);
    topics.topic("news").unwrap().ready(PATIENCE).await.unwrap();
    topics
}

pub(crate) async fn publish(node: &FollowedTopics, number: u64) -> Position {
    node.topic("news").unwrap().publish(number).await.unwrap()
}

/// Returns a client of a node that gets the events published from now on.
pub(crate) fn listen(node: &FollowedTopics) -> LogStream {
    let topic = node.topic("news").unwrap();
    topic.resume_from(Some(&topic.position().to_string()))
}

/// Takes the next item: events, or a notice.
pub(crate) async fn take<A: Adapter>(
    stream: &mut LogStream,
    got: &mut Vec<u64>,
) -> Option<Outcome> {
    let next = patiently::<A, _>(stream.next()).await;
    match next.unwrap().unwrap() {
        Batch::Notice(notice) => Some(notice.outcome()),
        batch => {
            let text = str::from_utf8(batch.as_bytes()).unwrap();
            let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
            got.extend(data.map(|data| data.parse::<u64>().unwrap()));
            None
        }
    }
}

/// Takes this many events, and returns the notices between them.
pub(crate) async fn take_many<A: Adapter>(
    stream: &mut LogStream,
    count: usize,
) -> (Vec<u64>, Vec<Outcome>) {
    let (mut got, mut told) = (Vec::new(), Vec::new());
    while got.len() < count {
        told.extend(take::<A>(stream, &mut got).await);
    }
    (got, told)
}

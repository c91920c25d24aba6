//! The log of many nodes, if the command line names a Redis server.

use std::time::Duration;

use sse_redis::{RedisConfig, RedisLog};

use crate::on::{
    Runtime,
    adapter::event_log::{FollowedTopic, FollowedTopics, FollowedTopicsConfig},
};

/// How long a program waits for its log before it fails to start.
const READY: Duration = Duration::from_secs(10);

/// Returns the topic `name` on a server at `redis://[[USER]:PASSWORD@]HOST[:PORT]/`, or `rediss://` with
/// TLS, once the end of its log is reached.
pub(crate) async fn topic(
    url: &str,
    name: &str,
    keep: usize,
    topics: FollowedTopicsConfig,
) -> Result<FollowedTopic, Box<dyn std::error::Error>> {
    let mut config = RedisConfig::from_url(url).map_err(|error| format!("--redis: {error}"))?;
    config.max_events = keep as u64;
    let log = RedisLog::on(Runtime, config);
    let topic = FollowedTopics::on(Runtime, log, topics).topic(name)?;
    topic.ready(READY).await.map_err(|error| {
        format!(
            "{error}\nName a Redis server of version 7 or later with --redis redis://HOST:PORT/."
        )
    })?;
    Ok(topic)
}

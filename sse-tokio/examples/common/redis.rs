//! The log of many nodes, where the command line names a Redis server.

use std::time::Duration;

use sse_redis::{RedisConfig, RedisLog};

use crate::on::{
    Runtime,
    adapter::{
        event_log::{FollowedTopic, FollowedTopics, FollowedTopicsConfig},
        http::Uri,
    },
};

/// How long a program waits for its log before it gives up to start.
const READY: Duration = Duration::from_secs(10);

/// The topic `name`, on a server at `redis://[[USER]:PASSWORD@]HOST[:PORT]/`, once the end of its log
/// is reached.
pub(crate) async fn topic(
    url: &str,
    name: &str,
    keep: usize,
    topics: FollowedTopicsConfig,
) -> Result<FollowedTopic, Box<dyn std::error::Error>> {
    let mut config = parse(url)?;
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

/// The scheme, the user, the password, the host and the port of the URL, and no database.
fn parse(url: &str) -> Result<RedisConfig, String> {
    let error = || format!("--redis takes redis://[[USER]:PASSWORD@]HOST[:PORT]/, not {url:?}");
    let uri: Uri = url.parse().map_err(|_| error())?;
    let authority = uri.authority().ok_or_else(error)?;
    let is_plain = uri.scheme_str() == Some("redis") && uri.path().trim_matches('/').is_empty();
    if !is_plain || uri.query().is_some() {
        return Err(error());
    }
    let mut config = RedisConfig::default();
    // An address of version 6 is in brackets there.
    config.host = authority.host().trim_matches(['[', ']']).into();
    config.port = authority.port_u16().unwrap_or(config.port);
    if let Some((credentials, _)) = authority.as_str().rsplit_once('@') {
        let (user, password) = credentials.split_once(':').ok_or_else(error)?;
        if !user.is_empty() {
            config.user = user.into();
        }
        config.password = Some(password.into());
    }
    Ok(config)
}

//! The log: scripts over a stream, and their answers.

use std::{
    fmt,
    future::{Future, poll_fn},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::Poll,
    time::{Duration, Instant, UNIX_EPOCH},
};

use redis::Value;
use sse_driver::{
    Runtime,
    core::{
        Event, Text,
        topic::{
            Position,
            follower::{Page, PageRequest, Tails},
        },
    },
    event_log::{AppendError, Bells, EventLog, LogError},
};

use crate::{
    blob,
    config::RedisConfig,
    connection::{self, Connections},
    error::RedisError,
    link::Failed,
    place::within,
    scripts::Script,
    subscriptions::parse_place,
};

/// The time between a failed attempt of a publish and the next one.
const PAUSE: Duration = Duration::from_millis(100);

/// The largest event number: the scripts count in doubles.
const LARGEST: u64 = 1 << 53;

/// The longest time for which an event is recognised, in seconds: a day.
const MOST_SECONDS: u64 = 24 * 60 * 60;

/// A log on a Redis server. Clones are handles to the same connections, which are made again whenever
/// they are lost, and end with the last handle. See the [crate](crate) for its guarantees.
///
/// ```no_run
/// use std::time::Duration;
/// use sse_redis::{RedisConfig, RedisLog};
///
/// # async fn log<R: sse_driver::Runtime>(runtime: R) -> Result<RedisLog, Box<dyn std::error::Error>> {
/// let log = RedisLog::on(runtime, RedisConfig::from_url("redis://redis.internal/")?);
/// log.ready(Duration::from_secs(10)).await?; // A program may also start without its log.
/// # Ok(log)
/// # }
/// ```
#[derive(Clone)]
pub struct RedisLog {
    shared: Arc<Shared>,
}

struct Shared {
    connections: Arc<Connections>,
    host: Box<dyn Host>,
    /// Distinguishes the events of this log from those of others.
    producer: String,
    published: AtomicU64,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.connections.close();
    }
}

/// For how many seconds a topic is kept at most from one call to the next: a hundred years.
const MOST_KEPT: u64 = 100 * 365 * 24 * 60 * 60;

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The parts of any runtime that are needed here.
trait Host: Send + Sync {
    fn now(&self) -> Instant;
    /// Returns a timer that is ready after this time.
    fn sleep(&self, time: Duration) -> BoxFuture<()>;
}

impl<R: Runtime> Host for R {
    fn now(&self) -> Instant {
        sse_driver::Clock::now(self)
    }

    fn sleep(&self, time: Duration) -> BoxFuture<()> {
        let runtime = self.clone();
        Box::pin(async move {
            let until = sse_driver::Clock::now(&runtime).checked_add(time);
            let never = std::future::pending::<()>();
            within(&runtime, until, never).await;
        })
    }
}

impl RedisLog {
    /// Creates a log on this server. Tasks of the runtime make its connections at once, and again
    /// whenever they are lost; a server that is out of reach is waited for. [`ready`](Self::ready) tells
    /// whether it is there.
    #[must_use]
    pub fn on(runtime: impl Runtime, config: RedisConfig) -> Self {
        let connections = Arc::new(Connections::new(config));
        for purpose in connections.purposes() {
            let task = connection::run(runtime.clone(), connections.clone(), purpose);
            runtime.spawn(task);
        }
        let date = runtime.date().duration_since(UNIX_EPOCH);
        let nanos = date.unwrap_or_default().as_nanos();
        let producer = format!("{:x}-{nanos:x}", runtime.seed());
        Self {
            shared: Arc::new(Shared {
                connections,
                host: Box::new(runtime),
                producer,
                published: AtomicU64::new(0),
            }),
        }
    }

    /// Waits until all connections are open. With a `patience` of zero it waits for the first attempt
    /// only: a server that is down, or refuses the password, is then an error at once.
    ///
    /// It need not be called. It is for a program that should not start without its log.
    ///
    /// # Errors
    ///
    /// The error of the last attempt, once `patience` is over. The log continues to try.
    pub async fn ready(&self, patience: Duration) -> Result<(), RedisError> {
        let Shared {
            connections, host, ..
        } = &*self.shared;
        let mut timer = host.sleep(patience);
        let mut is_late = patience.is_zero();
        poll_fn(|cx| {
            is_late = is_late || timer.as_mut().poll(cx).is_ready();
            let states: Vec<_> = connections.links().map(|link| link.opened(cx)).collect();
            match states.into_iter().find_map(Result::err) {
                None => Poll::Ready(Ok(())),
                Some(error @ RedisError::Over) => Poll::Ready(Err(error)),
                Some(RedisError::NotYet) if patience.is_zero() => Poll::Pending,
                Some(error) if is_late => Poll::Ready(Err(error)),
                Some(_) => Poll::Pending,
            }
        })
        .await
    }

    /// Returns the settings that the log was created with.
    #[must_use]
    pub fn config(&self) -> &RedisConfig {
        &self.shared.connections.config
    }

    /// Returns a key of this topic. All have one hash tag.
    fn key(&self, topic: &Text, kind: &str) -> String {
        format!(
            "{}:{{{topic}}}:{kind}",
            self.config().prefix,
            topic = topic.as_str()
        )
    }

    /// Runs a script by its name, or by its text if the server has forgotten the name.
    async fn run(
        &self,
        script: Script,
        keys: &[String],
        arguments: &[&[u8]],
    ) -> Result<Value, Failed> {
        let connections = &self.shared.connections;
        let link = match script {
            Script::Append => connections.publishes(),
            Script::Read => &connections.commands,
        };
        let mut by_text = false;
        loop {
            let command = connections.names.command(script, by_text, keys, arguments);
            match link.request(command).await? {
                Value::ServerError(error) if error.code() == "NOSCRIPT" && !by_text => {
                    by_text = true;
                }
                value => return Ok(value),
            }
        }
    }

    /// Appends once. The error says whether the event may be appended nevertheless.
    async fn try_append(&self, keys: &[String], arguments: &[&[u8]]) -> Result<Position, Failed> {
        let place = |value: &Value| match value {
            Value::BulkString(place) => parse_place(place),
            _ => None,
        };
        let value = self.run(Script::Append, keys, arguments).await?;
        match &value {
            Value::ServerError(error) => Err(Failed::NotSent(RedisError::of_answer(error))),
            // An error occurred after the stream had the event.
            Value::Array(parts) => {
                let text = parts.get(1).map_or(String::new(), text_of);
                Err(Failed::Unknown(RedisError::of_text(&text)))
            }
            value => place(value).ok_or_else(|| {
                let text = format!("{value:?} in place of a place");
                Failed::Unknown(RedisError::Protocol(text))
            }),
        }
    }
}

impl RedisLog {
    /// Appends an event once, in this epoch alone where there is one.
    async fn put(
        &self,
        topic: &Text,
        epoch: Option<u64>,
        event: Event,
    ) -> Result<Position, AppendError> {
        let Shared {
            host,
            producer,
            published,
            ..
        } = &*self.shared;
        let number = published.fetch_add(1, Ordering::Relaxed);
        let keys = [
            self.key(topic, "log"),
            self.key(topic, "meta"),
            self.key(topic, &format!("once:{producer}:{number}")),
        ];
        let arguments = self.append_arguments(epoch, &event);
        let arguments = arguments.each_ref().map(Vec::as_slice);
        let until = host.now().checked_add(self.config().publish_timeout);
        // The script appends once, however often it is run.
        let mut may_be_done = false;
        loop {
            let error = match self.try_append(&keys, &arguments).await {
                Ok(position) => return Ok(position),
                Err(Failed::NotSent(error)) if error.is_other_epoch() => {
                    return Err(AppendError::OtherEpoch);
                }
                Err(Failed::NotSent(error)) => error,
                Err(Failed::Unknown(error)) => {
                    may_be_done = true;
                    error
                }
            };
            let is_late = until.is_some_and(|at| at <= host.now() + PAUSE);
            if is_late || !error.may_pass() {
                return Err(match (may_be_done, error.is_for_good()) {
                    (true, _) => AppendError::Unknown(error.into()),
                    (false, true) => AppendError::Rejected(error.into()),
                    (false, false) => AppendError::NotAppended(error.into()),
                });
            }
            host.sleep(PAUSE).await;
        }
    }

    /// Returns the arguments of the script that appends an event.
    fn append_arguments(&self, epoch: Option<u64>, event: &Event) -> [Vec<u8>; 5] {
        let config = self.config();
        let known_for = recognised_for(config);
        let epoch = epoch.map_or_else(String::new, |epoch| epoch.to_string());
        [
            config.max_events.to_string().into(),
            blob::encode(event),
            config.max_bell_bytes.to_string().into(),
            known_for.to_string().into(),
            epoch.into(),
        ]
    }

    /// Has the server forget a key after this time.
    async fn expire(&self, key: &str, seconds: u64) -> Result<(), LogError> {
        let command = redis::cmd("EXPIRE")
            .arg(key)
            .arg(seconds)
            .get_packed_command();
        match self.shared.connections.commands.request(command).await {
            Ok(Value::ServerError(error)) => Err(RedisError::of_answer(&error).into()),
            Ok(_) => Ok(()),
            Err(Failed::NotSent(error) | Failed::Unknown(error)) => Err(error.into()),
        }
    }
}

/// Returns the time for which the server recognises an event, in seconds: as long as the publish is repeated,
/// and as long again as the server may be late with the last of its commands.
fn recognised_for(config: &RedisConfig) -> u64 {
    let repeated = config.publish_timeout.saturating_mul(2);
    let late = config
        .answer_timeout
        .saturating_add(config.replicas_timeout);
    let all = repeated.saturating_add(late).as_secs().saturating_add(1);
    all.clamp(60, MOST_SECONDS)
}

impl EventLog for RedisLog {
    async fn append(&self, topic: &Text, event: Event) -> Result<Position, AppendError> {
        self.put(topic, None, event).await
    }

    async fn append_in(
        &self,
        topic: &Text,
        epoch: u64,
        event: Event,
    ) -> Result<Position, AppendError> {
        self.put(topic, Some(epoch), event).await
    }

    async fn keep_for(&self, topic: &Text, time: Duration) -> Result<(), LogError> {
        let seconds = time.as_secs().saturating_add(1).min(MOST_KEPT);
        // The epoch goes first: without it what is left belongs to an epoch that is over.
        self.expire(&self.key(topic, "meta"), seconds).await?;
        self.expire(&self.key(topic, "log"), seconds).await
    }

    async fn read(&self, topic: &Text, request: PageRequest) -> Result<Page, LogError> {
        let after = request.after.sequence();
        let limit = match after < LARGEST {
            true => request.limit,
            false => 0,
        };
        let keys = [self.key(topic, "log"), self.key(topic, "meta")];
        let epoch = request.after.epoch().to_string();
        let (after, limit) = (after.to_string(), limit.to_string());
        let arguments = [epoch.as_bytes(), after.as_bytes(), limit.as_bytes()];
        match self.run(Script::Read, &keys, &arguments).await {
            Ok(Value::ServerError(error)) => Err(RedisError::of_answer(&error).into()),
            Ok(value) => parse_page(value)
                .ok_or_else(|| RedisError::Protocol("a page is not as it should be".into()).into()),
            Err(Failed::NotSent(error) | Failed::Unknown(error)) => Err(error.into()),
        }
    }

    async fn watch(&self, topic: &Text, bells: Bells) -> LogError {
        let channel = self.key(topic, "log");
        let subscriptions = &self.shared.connections.subscriptions;
        subscriptions.watch(channel, bells).await.into()
    }
}

fn text_of(value: &Value) -> String {
    match value {
        Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::SimpleString(text) => text.clone(),
        other => format!("{other:?}"),
    }
}

/// Parses an answer: the epoch, the oldest number, the newest, and the entries of the stream.
fn parse_page(value: Value) -> Option<Page> {
    let parts: [Value; 4] = value.into_sequence().ok()?.try_into().ok()?;
    let [epoch, oldest, newest, entries] = parts;
    let number = |value: Value| match value {
        Value::BulkString(bytes) => str::from_utf8(&bytes).ok()?.parse().ok(),
        Value::Int(number) => u64::try_from(number).ok(),
        _ => None,
    };
    let tails = Tails {
        epoch: number(epoch)?,
        oldest: number(oldest)?,
        newest: number(newest)?,
    };
    let entries = entries.into_sequence().ok()?.into_iter();
    // An entry that another program wrote is ignored, and its number is missing.
    Some(Page::new(tails, entries.filter_map(parse_entry).collect()))
}

/// Parses an entry: its ID, and the field with the event.
fn parse_entry(entry: Value) -> Option<(u64, Event)> {
    let [id, fields]: [Value; 2] = entry.into_sequence().ok()?.try_into().ok()?;
    let fields = fields.into_sequence().ok()?;
    match (id, fields.get(1)) {
        (Value::BulkString(id), Some(Value::BulkString(event))) => {
            Some((parse_place(&id)?.sequence(), blob::decode(event)?))
        }
        _ => None,
    }
}

impl fmt::Debug for RedisLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisLog")
            .field("config", self.config())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_event_is_recognised_for_longer_than_its_last_command_may_take() {
        let mut config = RedisConfig::default();
        assert_eq!(recognised_for(&config), 60);
        config.answer_timeout = Duration::from_secs(120);
        config.replicas_timeout = Duration::from_millis(2_500);
        assert!(recognised_for(&config) > 10 + 120 + 2);
        config.publish_timeout = Duration::MAX;
        assert_eq!(recognised_for(&config), MOST_SECONDS);
    }
}

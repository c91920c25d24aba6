//! The log: scripts over a stream, and what their answers say.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, UNIX_EPOCH},
};

use redis::{Value, cmd};
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
    connection,
    link::{Failed, Link},
    subscriptions::{Subscriptions, parse_place},
};

const APPEND: &str = concat!(include_str!("current.lua"), include_str!("append.lua"));
const READ: &str = concat!(include_str!("current.lua"), include_str!("read.lua"));

/// How long after an attempt that failed a publish is tried again.
const PAUSE: Duration = Duration::from_millis(100);

/// The largest number of an event that is asked for: the scripts count in doubles.
const LARGEST: u64 = 1 << 53;

/// A log on a Redis server. Clones are handles to the same connections, which are dialed again whenever they
/// are lost, and end with the last handle. See the [crate](crate) for what it promises.
#[derive(Clone)]
pub struct RedisLog {
    shared: Arc<Shared>,
}

struct Shared {
    config: Arc<RedisConfig>,
    commands: Arc<Link>,
    /// Nothing is asked on it.
    subscribed: Arc<Link>,
    subscriptions: Arc<Subscriptions>,
    host: Box<dyn Host>,
    /// Tells the events of this log from those of others.
    producer: String,
    published: AtomicU64,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.commands.close();
        self.subscribed.close();
    }
}

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What is asked of the runtime, whichever it is.
trait Host: Send + Sync {
    fn now(&self) -> Instant;
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
            connection::within(&runtime, until, never).await;
        })
    }
}

impl RedisLog {
    /// A log on this server. Its two connections are dialed at once, by tasks of the runtime.
    #[must_use]
    pub fn on(runtime: impl Runtime, config: RedisConfig) -> Self {
        let config = Arc::new(config);
        let [commands, subscribed] = [(); 2].map(|()| Arc::new(Link::new(config.max_requests)));
        let subscriptions = Arc::<Subscriptions>::default();
        runtime.spawn(connection::run(
            runtime.clone(),
            config.clone(),
            commands.clone(),
            None,
        ));
        runtime.spawn(connection::run(
            runtime.clone(),
            config.clone(),
            subscribed.clone(),
            Some(subscriptions.clone()),
        ));
        let date = runtime.date().duration_since(UNIX_EPOCH);
        let nanos = date.unwrap_or_default().as_nanos();
        let producer = format!("{:x}-{nanos:x}", runtime.seed());
        Self {
            shared: Arc::new(Shared {
                config,
                commands,
                subscribed,
                subscriptions,
                host: Box::new(runtime),
                producer,
                published: AtomicU64::new(0),
            }),
        }
    }

    /// The settings.
    #[must_use]
    pub fn config(&self) -> &RedisConfig {
        &self.shared.config
    }

    /// A key of this topic. All have one hash tag.
    fn key(&self, topic: &Text, kind: &str) -> String {
        format!(
            "{}:{{{topic}}}:{kind}",
            self.shared.config.prefix,
            topic = topic.as_str()
        )
    }

    fn append_command(&self, topic: &Text, event: &Event) -> Vec<u8> {
        let Shared {
            config,
            producer,
            published,
            ..
        } = &*self.shared;
        let number = published.fetch_add(1, Ordering::Relaxed);
        cmd("EVAL")
            .arg(APPEND)
            .arg(3)
            .arg(self.key(topic, "log"))
            .arg(self.key(topic, "meta"))
            .arg(self.key(topic, &format!("once:{producer}:{number}")))
            .arg(config.max_events)
            .arg(blob::encode(event))
            .arg(config.max_bell_bytes)
            .get_packed_command()
    }
}

impl EventLog for RedisLog {
    async fn append(&self, topic: &Text, event: Event) -> Result<Position, AppendError> {
        let Shared {
            config,
            commands,
            host,
            ..
        } = &*self.shared;
        let command = self.append_command(topic, &event);
        let until = host.now().checked_add(config.publish_timeout);
        // The script does it once, however often it is asked to.
        let mut may_be_done = false;
        loop {
            let (error, is_final) = match commands.request(command.clone()).await {
                Ok(Value::BulkString(place)) => match parse_place(&place) {
                    Some(position) => return Ok(position),
                    None => (LogError::new("redis returned no place"), true),
                },
                // Such as OOM, READONLY, NOPERM, LOADING.
                Ok(Value::ServerError(error)) => {
                    let text = error.to_string();
                    let may_pass = ["LOADING", "READONLY", "MASTERDOWN", "BUSY"];
                    let is_final = !may_pass.iter().any(|code| text.contains(code));
                    (LogError::new(text), is_final)
                }
                Ok(other) => (LogError::new(format!("redis returned {other:?}")), true),
                Err(Failed::NotSent(error)) => (error, false),
                Err(Failed::Unknown(error)) => {
                    may_be_done = true;
                    (error, false)
                }
            };
            let is_late = until.is_some_and(|at| at <= host.now() + PAUSE);
            if is_final || is_late {
                return Err(match may_be_done {
                    true => AppendError::Unknown(error),
                    false => AppendError::NotAppended(error),
                });
            }
            host.sleep(PAUSE).await;
        }
    }

    async fn read(&self, topic: &Text, request: PageRequest) -> Result<Page, LogError> {
        let after = request.after.sequence();
        let limit = match after < LARGEST {
            true => request.limit,
            false => 0,
        };
        let command = cmd("EVAL")
            .arg(READ)
            .arg(2)
            .arg(self.key(topic, "log"))
            .arg(self.key(topic, "meta"))
            .arg(request.after.epoch())
            .arg(after)
            .arg(limit)
            .get_packed_command();
        match self.shared.commands.request(command).await {
            Ok(Value::ServerError(error)) => Err(LogError::new(error.to_string())),
            Ok(value) => parse_page(value).ok_or_else(|| LogError::new("redis returned no page")),
            Err(Failed::NotSent(error) | Failed::Unknown(error)) => Err(error),
        }
    }

    async fn watch(&self, topic: &Text, bells: Bells) -> LogError {
        let channel = self.key(topic, "log");
        self.shared.subscriptions.watch(channel, bells).await
    }
}

/// The epoch, the oldest number, the newest, and the entries of the stream.
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
    // An entry that another program wrote is none, and its number is missing.
    Some(Page::new(tails, entries.filter_map(parse_entry).collect()))
}

/// The ID, and the field with the event.
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

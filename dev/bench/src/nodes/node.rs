//! A process with topics, a client of each, and orders on its standard input, one a line:
//!
//! | order | answer |
//! |---|---|
//! | `reset` | `ok`: everything is counted from now |
//! | `each` | how many events were published, one to each topic |
//! | `flood 0 SECONDS` | how many events were published, as fast as can be |
//! | `pace RATE SECONDS` | how many events were published, so many a second |
//! | `report EVENTS 0` | once so many have come, or 100 s are over: how many, the seconds from the first to the last, CPU time, p50 and p99 of the time that one took, in microseconds |

use std::{
    io::{self, BufRead},
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use futures_util::{Stream, StreamExt, stream};
use rustix::time::{ClockId, clock_gettime};
use sse_redis::{RedisConfig, RedisLog};
use sse_tokio::{
    Tokio,
    driver::event_log::{FollowedTopic, FollowedTopics, FollowedTopicsConfig},
    topic::{Batch, Topic, TopicConfig},
};

use crate::Result;

/// The number of publishes to Redis that are under way at a time, for the highest rate.
const WINDOW: usize = 256;

/// The number of events after which the clients of one process have a turn. It is smaller than the
/// number of tasks that a turn of the runtime polls, so that no client falls behind its topic's
/// history.
const TURN: usize = 32;

/// The length of an event's data.
const DATA: usize = 200;

pub(crate) fn serve(port: &str, topics: &str) -> Result<()> {
    let (port, topics) = (port.parse()?, topics.parse()?);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let topics = match port {
            0 => Topics::embedded(topics),
            port => Topics::on_redis(port, topics).await?,
        };
        let counts = Counts::default();
        topics.subscribe(&counts);
        println!("ready");
        let (orders, mut given) = tokio::sync::mpsc::unbounded_channel();
        thread::spawn(move || {
            for line in io::stdin().lock().lines().map_while(io::Result::ok) {
                let _ = orders.send(line);
            }
        });
        while let Some(order) = given.recv().await {
            println!("{}", obey(&order, &topics, &counts).await?);
        }
        Ok(())
    })
}

async fn obey(order: &str, topics: &Topics, counts: &Counts) -> Result<String> {
    let words: Vec<&str> = order.split(' ').collect();
    Ok(match words.as_slice() {
        ["reset"] => {
            *counts.lock() = Count::default();
            "ok".into()
        }
        ["each"] => topics
            .publish_all(stream::iter(0..topics.len()))
            .await?
            .to_string(),
        ["flood", _, seconds] => topics.flood(seconds.parse()?).await?.to_string(),
        ["pace", rate, seconds] => {
            let published = topics.pace(rate.parse()?, seconds.parse()?).await?;
            published.to_string()
        }
        ["report", events, _] => counts.report(events.parse()?).await,
        _ => return Err(format!("there is no order {order:?}").into()),
    })
}

enum Topics {
    Embedded(Vec<Topic>),
    OnRedis(Vec<FollowedTopic>),
}

impl Topics {
    fn embedded(count: usize) -> Self {
        let topics = (0..count).map(|_| Topic::on(Tokio, TopicConfig::default()));
        Self::Embedded(topics.collect())
    }

    async fn on_redis(port: u16, count: usize) -> Result<Self> {
        let mut redis = RedisConfig::default();
        redis.port = port;
        // If all events go to one topic, none of them must leave the log before it is read.
        redis.max_events = 100_000;
        let mut config = FollowedTopicsConfig::default();
        config.max_topics = count;
        let all = FollowedTopics::on(Tokio, RedisLog::on(Tokio, redis), config);
        let names = (0..count).map(|n| format!("topic-{n}"));
        let topics: std::result::Result<Vec<_>, _> = names.map(|name| all.topic(&name)).collect();
        let topics = topics?;
        for topic in &topics {
            topic.ready(Duration::from_secs(60)).await?;
        }
        Ok(Self::OnRedis(topics))
    }

    fn len(&self) -> usize {
        match self {
            Self::Embedded(topics) => topics.len(),
            Self::OnRedis(topics) => topics.len(),
        }
    }

    fn subscribe(&self, counts: &Counts) {
        match self {
            Self::Embedded(topics) => {
                for topic in topics {
                    tokio::spawn(read(topic.subscribe(), counts.clone()));
                }
            }
            Self::OnRedis(topics) => {
                for topic in topics {
                    // A client without an ID would begin at the end that the topic has when the
                    // client's task runs.
                    let here = topic.position().to_string();
                    let stream = topic.resume_from(Some(&here));
                    tokio::spawn(read(stream, counts.clone()));
                }
            }
        }
    }

    async fn publish(&self, number: usize) -> Result<()> {
        let now = clock(ClockId::Monotonic).to_string();
        let event = format!("{now} {}", "x".repeat(DATA.saturating_sub(now.len() + 1)));
        match self {
            Self::Embedded(topics) => {
                topics[number % topics.len()].publish(event)?;
            }
            Self::OnRedis(topics) => {
                topics[number % topics.len()].publish(event).await?;
            }
        }
        Ok(())
    }

    async fn flood(&self, seconds: f64) -> Result<usize> {
        let end = Instant::now() + Duration::from_secs_f64(seconds);
        let mut numbers =
            stream::iter(0..).take_while(|_| std::future::ready(Instant::now() < end));
        let mut count = 0;
        if let Self::Embedded(_) = self {
            while let Some(number) = numbers.next().await {
                self.publish(number).await?;
                count += 1;
                if count % TURN == 0 {
                    tokio::task::yield_now().await;
                }
            }
            return Ok(count);
        }
        self.publish_all(numbers).await
    }

    async fn publish_all(&self, numbers: impl Stream<Item = usize>) -> Result<usize> {
        let published = numbers.map(|number| self.publish(number));
        let mut published = pin!(published.buffer_unordered(WINDOW));
        let mut count = 0;
        while let Some(done) = published.next().await {
            done?;
            count += 1;
        }
        Ok(count)
    }

    async fn pace(&self, rate: u64, seconds: f64) -> Result<usize> {
        let mut ticks = tokio::time::interval(Duration::from_secs(1) / u32::try_from(rate)?);
        let count = (rate as f64 * seconds) as usize;
        for number in 0..count {
            ticks.tick().await;
            self.publish(number).await?;
        }
        Ok(count)
    }
}

/// Reads as a client.
async fn read<E>(
    mut stream: impl Stream<Item = std::result::Result<Batch, E>> + Unpin,
    counts: Counts,
) {
    while let Some(Ok(batch)) = stream.next().await {
        let now = clock(ClockId::Monotonic);
        let mut count = counts.lock();
        let text = str::from_utf8(batch.as_bytes()).unwrap_or_default();
        for data in text.lines().filter_map(|line| line.strip_prefix("data: ")) {
            let sent = data.split(' ').next().and_then(|sent| sent.parse().ok());
            count.times.push(now.saturating_sub(sent.unwrap_or(now)));
        }
        count.first.get_or_insert(now);
        count.last = now;
    }
}

/// Returns the nanoseconds of a clock that all processes share.
fn clock(id: ClockId) -> u64 {
    let time = clock_gettime(id);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

#[derive(Clone, Default)]
struct Counts {
    count: Arc<Mutex<Count>>,
}

struct Count {
    /// The time of each event.
    times: Vec<u64>,
    first: Option<u64>,
    last: u64,
    cpu: u64,
}

impl Default for Count {
    fn default() -> Self {
        Self {
            times: Vec::new(),
            first: None,
            last: 0,
            cpu: clock(ClockId::ProcessCPUTime),
        }
    }
}

impl Counts {
    fn lock(&self) -> MutexGuard<'_, Count> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn report(&self, events: usize) -> String {
        let end = Instant::now() + Duration::from_secs(100);
        while self.lock().times.len() < events && Instant::now() < end {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let mut count = self.lock();
        let cpu = clock(ClockId::ProcessCPUTime) - count.cpu;
        let nanos = count.last - count.first.unwrap_or(count.last);
        count.times.sort_unstable();
        let times = &count.times;
        let at = |part: f64| {
            let index = (times.len() as f64 * part) as usize;
            times.get(index).map_or(0.0, |nanos| *nanos as f64 / 1e3)
        };
        format!(
            "{} {} {} {} {}",
            times.len(),
            nanos as f64 / 1e9,
            cpu as f64 / 1e3,
            at(0.5),
            at(0.99)
        )
    }
}

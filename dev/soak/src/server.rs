//! The server: a process of its own, which is told what to do on its standard input, one order a line.
//!
//! | order | answer |
//! |---|---|
//! | `stats` | one line with numbers by name |
//! | `end` | `ok`: some streams were ended from outside |
//! | `shutdown` | `over`, with the numbers at the end; the process ends |
//!
//! The process also ends with its standard input, and so with the program that started it.

use std::{
    collections::BTreeMap,
    env,
    error::Error,
    fmt::Write as _,
    panic,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use fastrand::Rng;
use futures_util::{Stream, StreamExt, stream};
use sse_redis::{RedisConfig, RedisLog};
use sse_tokio::{
    Event, Lifetime, OpenStreams, Producer, Refusal, Reply, Request, ResumableConfig,
    ResumableStreams, Router, Server, ServerConfig, ServerHandle, StatusCode, Tokio, Topic,
    TopicConfig,
    core::lifecycle::StreamError,
    event_log::{FollowedTopics, FollowedTopicsConfig},
    extract,
    tls::{Identity, server_config},
    topic::WhenTooSlow,
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    task::JoinHandle,
    time::{interval, sleep},
};

use crate::{Result, laws::lock};

/// The environment variable with the certificate and the key of the server, in PEM.
pub(crate) const IDENTITY: &str = "SSE_SOAK_IDENTITY";

/// How long a graceful shutdown may take.
pub(crate) const SHUTDOWN: Duration = Duration::from_secs(3);

/// How many events an answer has, without the last, which tells of its end.
pub(crate) const ANSWER: u64 = 60;

/// What a panic that is a part of the test says.
const ON_PURPOSE: &str = "a panic on purpose";

/// What the server counts, beside what it counts by itself.
#[derive(Default)]
struct Counts {
    handlers: AtomicU64,
    cleaned: AtomicU64,
    twice: AtomicU64,
    panics: AtomicU64,
    reasons: Mutex<BTreeMap<&'static str, u64>>,
}

impl Counts {
    /// Counts a handler, and its clean-up when that runs.
    fn enter(self: &Arc<Self>, request: &Request) {
        self.handlers.fetch_add(1, Relaxed);
        let (counts, runs) = (self.clone(), AtomicU64::new(0));
        request.clean_up().add(move |reason| {
            counts.cleaned.fetch_add(1, Relaxed);
            counts.twice.fetch_add(runs.fetch_add(1, Relaxed), Relaxed);
            *lock(&counts.reasons).entry(reason.name()).or_default() += 1;
        });
    }
}

/// Everything that the server serves.
#[derive(Clone)]
struct Shop {
    counts: Arc<Counts>,
    /// Small events, compressed for clients that take it.
    news: Topic,
    /// Large events and a short history: who is slow is cut.
    flood: Topic,
    /// The same, and who is slow is told what was skipped.
    skip: Topic,
    answers: ResumableStreams,
    log: Option<FollowedTopics>,
    open: OpenStreams,
}

impl Shop {
    fn open(redis: u16) -> Self {
        let topic = |max_events, compress, when_too_slow| {
            let mut config = TopicConfig::default();
            (config.max_events, config.max_bytes) = (max_events, 256 * 1024);
            (config.compress, config.when_too_slow) = (compress, when_too_slow);
            Topic::on(Tokio, config)
        };
        let mut answers = ResumableConfig::default();
        answers.grace = Some(Duration::from_secs(2));
        answers.retention = Duration::from_secs(2);
        answers.shutdown_grace = Some(Duration::from_secs(1));
        answers.max_streams = 50;
        let log = (redis != 0).then(|| {
            let mut config = RedisConfig::default();
            config.port = redis;
            config.max_events = 500;
            config.publish_timeout = Duration::from_secs(2);
            let mut topics = FollowedTopicsConfig::default();
            topics.client_wait = Duration::from_secs(5);
            topics.follower.look_every = Some(Duration::from_secs(1));
            FollowedTopics::on(Tokio, RedisLog::on(Tokio, config), topics)
        });
        Self {
            counts: Arc::default(),
            news: topic(400, true, WhenTooSlow::Cut),
            flood: topic(10_000, false, WhenTooSlow::Cut),
            skip: topic(10_000, true, WhenTooSlow::SkipAhead),
            answers: ResumableStreams::on(Tokio, answers),
            log,
            open: OpenStreams::new(),
        }
    }

    /// Serves each path by a method of this.
    fn router(&self) -> Router {
        macro_rules! on {
            ($call:expr) => {{
                let shop = self.clone();
                move |request: Request| {
                    shop.counts.enter(&request);
                    let call: fn(&Shop, &Request) -> _ = $call;
                    call(&shop, &request)
                }
            }};
        }
        Router::new()
            .events("/news", on!(|shop, it| shop.news.resume(it)))
            .events("/flood", on!(|shop, it| shop.flood.resume(it)))
            .events("/skip", on!(|shop, it| shop.skip.resume(it)))
            .events("/log", on!(Self::log))
            .events("/answers/{name}", on!(Self::answer))
            .post("/answers/{name}/stop", on!(Self::stop))
            .events("/count", on!(|_, _| count()))
            .events("/fail", on!(|_, _| fail()))
            .events("/panic", on!(|_, _| panic()))
            .get("/text", on!(|_, _| Reply::text(StatusCode::OK, "hello")))
            .post("/upload", on!(Self::upload))
    }

    fn log(&self, request: &Request) -> std::result::Result<Reply, Refusal> {
        let Some(log) = &self.log else {
            return Err(Refusal::new(StatusCode::NOT_FOUND, "no Redis\n"));
        };
        Ok(Reply::events(log.topic("log")?.resume(request)))
    }

    fn answer(&self, request: &Request) -> std::result::Result<Reply, Refusal> {
        let name: String = extract::path(request, "name")?;
        let answer = self.answers.attach_or_start(&name, request, speak)?;
        Ok(answer.into())
    }

    fn stop(&self, request: &Request) -> std::result::Result<Option<Reply>, Refusal> {
        let name: String = extract::path(request, "name")?;
        let stopped = self.answers.stop(&name, "asked to");
        Ok(stopped.then(|| Reply::empty(StatusCode::NO_CONTENT)))
    }

    fn upload(&self, request: &Request) -> std::result::Result<Reply, Refusal> {
        let body: serde_json::Value = request.json()?;
        let length = body.as_array().map_or(0, Vec::len);
        Ok(Reply::text(StatusCode::OK, length.to_string()))
    }

    /// Publishes until the process ends, in bursts now and then.
    fn publish(&self, draws: &mut Rng, publishes_log: bool) {
        let publisher = format!("p{}", std::process::id());
        let topics = [
            (self.news.clone(), 100, 40),
            (self.flood.clone(), 4_000, 50),
            (self.skip.clone(), 2_000, 50),
        ];
        for (topic, length, pause) in topics {
            let (publisher, mut draws) = (publisher.clone(), draws.fork());
            tokio::spawn(async move {
                let mut ticks = interval(Duration::from_millis(pause));
                let mut number = 0_u64;
                loop {
                    ticks.tick().await;
                    let burst = if draws.u8(..) == 0 { 100 } else { 1 };
                    for _ in 0..burst {
                        number += 1;
                        let event = event(&publisher, number, length);
                        if let Err(error) = topic.publish(event) {
                            println!("broken publishing: {error}");
                        }
                    }
                }
            });
        }
        let topic = self.log.as_ref().and_then(|log| log.topic("log").ok());
        if let (Some(topic), true) = (topic, publishes_log) {
            tokio::spawn(async move {
                for number in 1_u64.. {
                    sleep(Duration::from_millis(50)).await;
                    // While Redis is away this fails, and the event may be published or not.
                    let _ = topic.publish(event(&publisher, number, 100)).await;
                }
            });
        }
    }

    /// Returns everything that is counted, as one line.
    fn stats(&self, servers: &[ServerHandle]) -> String {
        let Self {
            counts, answers, ..
        } = self;
        let open: usize = servers.iter().map(ServerHandle::open_connections).sum();
        let stats = servers.iter().map(ServerHandle::stats);
        let (accepted, events) =
            stats.fold((0, 0), |sum, it| (sum.0 + it.accepted, sum.1 + it.events));
        let kept = answers.stats();
        let mut line = format!(
            "handlers={} cleaned={} twice={} panics={} open={open} streams={} answers={} \
             tasks={} accepted={accepted} events={events}",
            counts.handlers.load(Relaxed),
            counts.cleaned.load(Relaxed),
            counts.twice.load(Relaxed),
            counts.panics.load(Relaxed),
            self.open.len(),
            kept.running + kept.finished,
            tokio::runtime::Handle::current()
                .metrics()
                .num_alive_tasks(),
        );
        for (reason, count) in lock(&counts.reasons).iter() {
            let _ = write!(line, " reason.{reason}={count}");
        }
        line
    }
}

/// An event of a publisher, which has its count, and so many bytes more.
fn event(publisher: &str, number: u64, length: usize) -> Event {
    // Some of it compresses well, some does not.
    let noise = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let filling = format!("{noise:x}").repeat(length / 16);
    Event::new(format!("{publisher} {number} {filling}"))
}

/// The producer of an answer.
fn speak(producer: Producer) -> impl Stream<Item = String> {
    let name = producer.name().clone();
    stream::iter(0..ANSWER).then(move |number| {
        let name = name.clone();
        async move {
            sleep(Duration::from_millis(30)).await;
            format!("{name} {number}")
        }
    })
}

fn count() -> impl Stream<Item = u64> {
    stream::iter(0..).then(|number| async move {
        sleep(Duration::from_millis(20)).await;
        number
    })
}

fn fail() -> impl Stream<Item = std::result::Result<u64, StreamError>> {
    stream::iter([Ok(1), Ok(2), Err(StreamError::from("failed on purpose"))])
}

fn panic() -> impl Stream<Item = u64> {
    stream::iter(0..).map(|number| match number {
        3 => panic::panic_any(ON_PURPOSE),
        _ => number,
    })
}

/// Counts panics that are not on purpose.
fn count_panics(counts: &Arc<Counts>) {
    let (counts, report) = (counts.clone(), panic::take_hook());
    panic::set_hook(Box::new(move |panic| {
        if panic.payload().downcast_ref() != Some(&ON_PURPOSE) {
            counts.panics.fetch_add(1, Relaxed);
            report(panic);
        }
    }));
}

fn config(open: &OpenStreams) -> ServerConfig {
    let mut config = ServerConfig::default();
    config.max_connections = 500;
    config.shutdown_timeout = SHUTDOWN;
    config.shutdown_spread.ends = Duration::from_secs(1);
    config.lifetime = Some(Lifetime::at_most(Duration::from_secs(30)));
    config.open_streams = Some(open.clone());
    let connection = &mut config.connection;
    connection.head_timeout = Duration::from_secs(2);
    connection.stall_timeout = Duration::from_secs(3);
    connection.drain_timeout = Duration::from_secs(3);
    connection.response.body_timeout = Duration::from_secs(3);
    connection.response.body_limit = 64 * 1024;
    connection.response.keep_alive = Some(Duration::from_secs(1));
    config
}

type Serving = JoinHandle<std::result::Result<sse_tokio::Report, sse_tokio::RouteError>>;

/// Serves as it is told: `serve PORT TLS-PORT REDIS-PORT SEED log|-`.
pub(crate) fn serve(arguments: &[String]) -> Result<()> {
    let [port, tls_port, redis, seed, log] = arguments else {
        return Err("this is for the program itself".into());
    };
    let _ = rlimit::increase_nofile_limit(1 << 16);
    let mut draws = Rng::with_seed(seed.parse()?);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let shop = Shop::open(redis.parse()?);
        count_panics(&shop.counts);
        let pem = env::var(IDENTITY)?;
        let tls = server_config(&Identity::from_pem(pem.as_bytes(), pem.as_bytes())?)?;
        let plain = Server::bind(format!("127.0.0.1:{port}")).await?;
        let secured = Server::bind(format!("127.0.0.1:{tls_port}")).await?;
        let servers = [plain, secured.with_tls(tls)].map(|it| it.with_config(config(&shop.open)));
        let handles: Vec<_> = servers.iter().map(Server::handle).collect();
        let serving = servers.map(|it| tokio::spawn(it.serve(shop.router())));
        shop.publish(&mut draws, log == "log");
        println!("ready");
        obey(&shop, &handles, serving, &mut draws).await
    })
}

async fn obey(
    shop: &Shop,
    handles: &[ServerHandle],
    serving: [Serving; 2],
    draws: &mut Rng,
) -> Result<()> {
    let mut orders = BufReader::new(tokio::io::stdin()).lines();
    while let Some(order) = orders.next_line().await? {
        match order.as_str() {
            "stats" => println!("{}", shop.stats(handles)),
            "end" => {
                shop.open.end_where(|_| draws.u8(..) < 64, "drawn");
                println!("ok");
            }
            "shutdown" => {
                handles.iter().for_each(ServerHandle::shut_down);
                let mut cut = 0;
                for server in serving {
                    cut += server.await??.cut;
                }
                println!("over cut={cut} {}", shop.stats(handles));
                break;
            }
            _ => return Err(Box::<dyn Error + Send + Sync>::from("no such order")),
        }
    }
    Ok(())
}

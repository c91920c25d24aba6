//! A server under everything at once, for as long as is asked. Fails by the name of a law that is broken.
//!
//! ```sh
//! cargo run --release -p sse-soak -- --minutes 60
//! cargo run --release -p sse-soak -- --seconds 30 --seed 7
//! ```
//!
//! Two servers on tokio serve topics, one of them on Redis, resumable streams, streams that fail and panic,
//! and uploads; over TCP and TLS, compressed for half of the clients. One server is steady; the other one is
//! shut down gracefully and killed, and comes back, behind nginx and haproxy with the settings of
//! `docs/proxies.md`. Redis is killed, and begins with nothing. Clients follow topics, leave and come back;
//! read answers to their end; stall, read slowly, reset and half-close; and send bad requests, half
//! requests and bodies that do not end.
//!
//! A round is a storm of clients and a calm: then the servers are to be idle, and to hold what they held
//! after the first round. Without Redis or a proxy on the machine the run does without it, and says so.
//!
//! Everything that is drawn comes from the seed. When it happens depends on the machine. Everything listens
//! on 127.0.0.1 and ends with this program, and all counts are bounded: `clients/mod.rs` has the numbers.

mod clients;
mod laws;
mod process;
mod server;
mod servers;

use std::{error::Error, process::ExitCode, sync::Arc, time::Duration};

use fastrand::Rng;
use sse_soak::programs::{Proxy, Running};
use sse_suite::{port::Port, tls::Authority};
use tokio::{
    sync::watch,
    task::block_in_place,
    time::{Instant, timeout},
};

use clients::{Door, World};
use laws::{Law, Record};
use process::Plan;
use servers::{Idle, MORE_MEMORY, Redis, Servers};

type Failed = Box<dyn Error + Send + Sync>;
type Result<T, E = Failed> = std::result::Result<T, E>;

/// How long all clients may take to stop: the longest waits for the end of a connection.
const STOP_WITHIN: Duration = Duration::from_secs(240);

struct Settings {
    length: Duration,
    seed: u64,
}

impl Settings {
    fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self> {
        use lexopt::prelude::*;
        let mut settings = Self {
            length: Duration::from_secs(30),
            seed: fastrand::u64(..),
        };
        let mut parser = lexopt::Parser::from_args(arguments);
        while let Some(argument) = parser.next()? {
            match argument {
                Long("minutes") => {
                    settings.length = Duration::from_secs(60 * parser.value()?.parse::<u64>()?);
                }
                Long("seconds") => {
                    settings.length = Duration::from_secs(parser.value()?.parse()?);
                }
                Long("seed") => settings.seed = parser.value()?.parse()?,
                other => return Err(other.unexpected().into()),
            }
        }
        Ok(settings)
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.split_first() {
        Some((first, rest)) if first == "serve" => server::serve(rest).map(|()| true),
        _ => Settings::parse(arguments).and_then(|settings| run(&settings)),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("the soak cannot go on: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Returns whether all laws hold.
fn run(settings: &Settings) -> Result<bool> {
    let _ = rlimit::increase_nofile_limit(1 << 16);
    println!("{:?}, --seed {}", settings.length, settings.seed);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut draws = Rng::with_seed(settings.seed);
        let record = Arc::<Record>::default();
        let (world, servers) = build(&record, &mut draws).await?;
        let mut soak = Soak {
            world,
            servers,
            record,
            draws,
            begin: Instant::now(),
            idle: Vec::new(),
        };
        soak.rounds(settings.length).await?;
        soak.end().await
    })
}

/// Starts everything but the clients.
async fn build(record: &Arc<Record>, draws: &mut Rng) -> Result<(World, Servers)> {
    let authority = Authority::new();
    let (certificate, key) = authority.certify("127.0.0.1");
    let redis = block_in_place(Redis::find)?;
    if redis.is_none() {
        println!("redis-server is not installed: no topic follows a log");
    }
    let plan = |publishes_log| Plan {
        port: Port::reserve().into(),
        tls_port: Port::reserve().into(),
        redis: redis.as_ref().map_or(0, Redis::port),
        publishes_log,
        identity: format!("{certificate}{key}"),
    };
    let plans = [plan(true), plan(false)];
    let mut doors = plans.each_ref().map(doors);
    let mut proxies = Vec::new();
    for proxy in [Proxy::Nginx, Proxy::Haproxy] {
        if let Some(running) = start_proxy(proxy, &plans[1])? {
            doors[1].push(Door::through(running.address));
            proxies.push(running);
        }
    }
    let has_log = redis.is_some();
    let servers = Servers::start(plans, redis, proxies, record.clone(), draws).await?;
    let world = World {
        doors: doors.into(),
        has_log,
        tls: authority.client(),
        record: record.clone(),
        stop: watch::channel(false).1,
    };
    Ok((world, servers))
}

/// Returns the ways to a server without a proxy.
fn doors(plan: &Plan) -> Vec<Door> {
    let at = |port: &Port, is_secured| Door {
        address: port.address(),
        is_secured,
        is_proxied: false,
    };
    vec![at(&plan.port, false), at(&plan.tls_port, true)]
}

fn start_proxy(proxy: Proxy, plan: &Plan) -> Result<Option<Running>> {
    let upstream = plan.port.address();
    // Longer than the keep-alives of the servers.
    match block_in_place(|| proxy.start(upstream, Duration::from_secs(10))) {
        Ok(running) => Ok(Some(running)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            println!("{error}: no client comes through it");
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// The run.
struct Soak {
    world: World,
    servers: Servers,
    record: Arc<Record>,
    draws: Rng,
    begin: Instant,
    /// What the steady server held in each calm.
    idle: Vec<Idle>,
}

impl Soak {
    /// Storms and calms for so long, or until a law is broken.
    async fn rounds(&mut self, length: Duration) -> Result<()> {
        let is_long = length > Duration::from_secs(300);
        loop {
            let storm = match is_long {
                true => Duration::from_secs(self.draws.u64(20..60)),
                false => length / 5,
            };
            // One round warms up, so that one more is the least.
            if self.idle.len() >= 2 && self.begin.elapsed() + storm > length {
                return Ok(());
            }
            self.storm(storm).await?;
            if self.record.is_broken() {
                return Ok(());
            }
            let idle = self.servers.calm().await?;
            self.idle.push(idle);
            self.tell(&idle);
            if self.record.is_broken() {
                return Ok(());
            }
        }
    }

    async fn storm(&mut self, length: Duration) -> Result<()> {
        let (stop, told) = watch::channel(false);
        self.world.stop = told;
        let mut clients = clients::start(&self.world, &mut self.draws);
        let (end, pace) = (Instant::now() + length, length / 6);
        self.servers.weather(end, pace, &mut self.draws).await?;
        stop.send_replace(true);
        let stopped = timeout(STOP_WITHIN, async {
            while let Some(client) = clients.join_next().await {
                if let Err(error) = client {
                    self.record
                        .broken(Law::Panics, format!("a client: {error}"));
                }
            }
        });
        if stopped.await.is_err() {
            let text = format!("{} clients do not stop", clients.len());
            self.record.broken(Law::LeftOpen, text);
        }
        Ok(())
    }

    /// Prints a line on the round.
    fn tell(&self, idle: &Idle) {
        let counted = |what| self.record.counted(what);
        println!(
            "{:6.1} min, round {}: {} events, {} losses, {} visits; idle: {} descriptors, {} tasks, {:.1} MiB",
            self.begin.elapsed().as_secs_f64() / 60.0,
            self.idle.len(),
            counted("events") + counted("events of answers"),
            counted("connections lost"),
            counted("visits"),
            idle.descriptors,
            idle.tasks,
            idle.memory as f64 / 1024.0,
        );
    }

    /// Shuts the servers down under their clients, and reports. Returns whether all laws hold.
    async fn end(mut self) -> Result<bool> {
        let (stop, told) = watch::channel(false);
        self.world.stop = told;
        let mut clients = clients::start(&self.world, &mut self.draws);
        tokio::time::sleep(Duration::from_secs(3)).await;
        let stats = self.servers.end().await?;
        stop.send_replace(true);
        if timeout(STOP_WITHIN, async {
            while clients.join_next().await.is_some() {}
        })
        .await
        .is_err()
        {
            self.record
                .broken(Law::LeftOpen, "clients of servers that are gone");
        }
        println!("\n| what | how often |\n|---|---|");
        for (what, count) in self.record.counts() {
            println!("| {what} | {count} |");
        }
        for (name, count) in stats {
            println!("| steady server: {name} | {count} |");
        }
        if let (Some(first), Some(last)) = (self.idle.first(), self.idle.last()) {
            let most = self
                .idle
                .iter()
                .map(|idle| idle.memory)
                .max()
                .unwrap_or_default();
            println!(
                "\nidle after the first round, and after the last of {}: {first:?}, {last:?}",
                self.idle.len()
            );
            println!(
                "the most memory: {most} KiB; at most {MORE_MEMORY} KiB more than after the first"
            );
        }
        println!("\n| law | broken |\n|---|---|");
        for law in Law::ALL {
            println!("| {law} | {} |", self.record.times_broken(law));
        }
        Ok(!self.record.is_broken())
    }
}

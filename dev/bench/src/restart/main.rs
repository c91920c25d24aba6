//! A server that is started again behind a port that stays open: how long until all clients are back,
//! with nothing lost, and how many connect at once.
//!
//! `cargo run --release --manifest-path dev/bench/Cargo.toml --no-default-features --bin restart`,
//! behind `--`:
//!
//! - `clients=5000`, `rate=10` (events per second), `rounds=1`;
//! - `spread=none,retry,ends,both`: the settings of a graceful shutdown that are measured;
//! - `end=stop` (a graceful shutdown) or `end=kill`;
//! - `down=0`: how many milliseconds the port has no server, after the old one is gone;
//! - `storm`: a server that is gone for a second, beside axum and a limit, and clients that come back as soon as they
//!   can; behind it `quick`, `tls`, `redis` (beside topics of one process), `clients=2000,8000`,
//!   `ways=kill,stop,browser` (the last: killed, and clients that wait 3 s), `servers=bare,axum,sse-tokio,…` and
//!   `rounds=3`.
//!
//! This process has the listening socket, as systemd has it under socket activation: connections that
//! are made while there is no server wait in its queue. The server is a process of its own with one
//! thread, and gets the socket as its standard input. Its topic has events under IDs of its own, one
//! for each step of the clock, so that a new server begins with the history of the old one and the
//! events in between. Clients are one thread of this process. They behave as browsers do: their
//! reconnection time is 3 s until a `retry` line says otherwise. Every client checks that each event
//! follows the one before.
//!
//! In a storm each server listens by itself, as it does by default, and the port is closed without one.

mod bare;
mod clients;
mod events;
#[allow(dead_code)] // Not all of it is used here.
#[path = "../link.rs"]
mod link;
mod log;
mod process;
#[allow(dead_code)] // Its CPU time is not asked for.
#[path = "../nodes/redis.rs"]
mod redis;
mod server;
mod storm;
#[path = "../tls.rs"]
mod tls;
#[cfg(feature = "peers")]
#[path = "../tls_listener.rs"]
mod tls_listener;
#[cfg(feature = "peers")]
mod with_axum;

use std::{
    error::Error,
    process::ExitCode,
    time::{Duration, Instant},
};

use clients::{Clients, Pace, Storm};
use events::Clock;
use process::{Orders, Port, Process};
use server::{Kind, Spread};
use tls::Handshakes;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// The time that the old server runs with all of its clients.
const BEFORE: Duration = Duration::from_secs(2);

/// The longest time of the storm.
const PATIENCE: Duration = Duration::from_secs(60);

struct Plan {
    clients: usize,
    rate: u32,
    rounds: usize,
    spreads: Vec<Spread>,
    is_killed: bool,
    down: Duration,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.split_first() {
        Some((serve, how)) if serve == "serve" => server::serve(how),
        Some((storm, how)) if storm == "storm" => {
            let _ = rlimit::increase_nofile_limit(1 << 16);
            storm::Plan::new(how).and_then(|plan| plan.run())
        }
        _ => Plan::new(&arguments).and_then(|plan| plan.run()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

impl Plan {
    fn new(arguments: &[String]) -> Result<Self> {
        let mut plan = Self {
            clients: 5_000,
            rate: 10,
            rounds: 1,
            spreads: Spread::ALL.to_vec(),
            is_killed: false,
            down: Duration::ZERO,
        };
        for argument in arguments {
            match argument.split_once('=') {
                Some(("clients", count)) => plan.clients = count.parse()?,
                Some(("rate", rate)) => plan.rate = rate.parse()?,
                Some(("rounds", count)) => plan.rounds = count.parse()?,
                Some(("down", millis)) => plan.down = Duration::from_millis(millis.parse()?),
                Some(("end", "stop")) => plan.is_killed = false,
                Some(("end", "kill")) => plan.is_killed = true,
                Some(("spread", list)) => {
                    plan.spreads = list.split(',').map(Spread::named).collect::<Result<_>>()?;
                }
                _ => return Err(format!("{argument}? See the top of this program.").into()),
            }
        }
        if plan.is_killed {
            // No setting of a graceful shutdown makes a difference.
            plan.spreads.truncate(1);
        }
        Ok(plan)
    }

    fn run(&self) -> Result<()> {
        let _ = rlimit::increase_nofile_limit(1 << 16);
        println!(
            "{} clients, {} events/s, {}",
            self.clients,
            self.rate,
            if self.is_killed { "killed" } else { "stopped" }
        );
        println!(
            "| spread | old one gone | back: 50 % | 99 % | all | connections in the busiest 100 ms \
             | in the busiest second | lost | twice | new server's CPU | its peak memory |"
        );
        println!("|---|---|---|---|---|---|---|---|---|---|---|");
        for _ in 0..self.rounds {
            for &spread in &self.spreads {
                self.measure(spread)?;
            }
        }
        Ok(())
    }

    fn measure(&self, spread: Spread) -> Result<()> {
        let port = Port::held()?;
        let clock = Clock::new(self.rate);
        let orders = Orders {
            kind: Kind::Tokio,
            spread,
            clock,
            handshakes: Handshakes::None,
            redis: 0,
            address: None,
        };
        let mut old = Process::start(&port, orders)?;
        let (pace, plain) = (Pace::Browser, Handshakes::None);
        let mut clients = Clients::new(port.address, self.clients, pace, plain)?;
        clients.connect_all()?;
        clients.run_until(Instant::now() + BEFORE)?;

        let begin = Instant::now();
        clients.storm_begins(begin, clock.number());
        match self.is_killed {
            true => old.kill()?,
            false => old.stop()?,
        }
        while !old.is_gone()? {
            clients.run_until(Instant::now() + Duration::from_millis(5))?;
        }
        let gone = begin.elapsed();
        clients.run_until(Instant::now() + self.down)?;
        let new = Process::start(&port, orders)?;
        while !clients.all_are_back() {
            if begin.elapsed() > PATIENCE {
                return Err(format!("{} clients are not back", clients.missing()).into());
            }
            clients.run_until(Instant::now() + Duration::from_millis(5))?;
        }
        let (cpu, memory) = new.cost()?;
        let Storm {
            mut back,
            mut connections,
            lost,
            twice,
        } = clients.storm();
        let seconds = |time: Duration| format!("{:.2} s", time.as_secs_f64());
        println!(
            "| {} | {} | {} | {} | {} | {} | {} | {lost} | {twice} | {} | {:.0} MiB |",
            spread.name(),
            seconds(gone),
            seconds(percentile(&mut back, 0.5)),
            seconds(percentile(&mut back, 0.99)),
            seconds(percentile(&mut back, 1.0)),
            busiest(&mut connections, Duration::from_millis(100)),
            busiest(&mut connections, Duration::from_secs(1)),
            seconds(cpu),
            memory as f64 / f64::from(1 << 20),
        );
        Ok(())
    }
}

/// Returns the time that this share of all (such as 0.5) has not exceeded.
fn percentile(times: &mut [Duration], share: f64) -> Duration {
    times.sort_unstable();
    let index = (times.len() as f64 * share).ceil() as usize;
    times
        .get(index.saturating_sub(1))
        .copied()
        .unwrap_or_default()
}

/// Returns the largest number of times within one window of this length.
fn busiest(times: &mut [Duration], window: Duration) -> usize {
    times.sort_unstable();
    let mut first = 0;
    let mut most = 0;
    for (last, time) in times.iter().enumerate() {
        while times[first] + window <= *time {
            first += 1;
        }
        most = most.max(last + 1 - first);
    }
    most
}

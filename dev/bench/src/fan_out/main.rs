//! One event to very many: deliveries per second, the server's CPU time for each, their latency,
//! and the memory that an idle connection takes.
//!
//! `cargo run --release --manifest-path dev/bench/Cargo.toml --bin fan_out`, behind `--`:
//!
//! - `quick`: fewer rounds, and 100 and 1,000 clients alone;
//! - `clients=100,1000,5000`, `rounds=5`, `servers=bare,sse-tokio`: others than the usual ones;
//! - `tls`: 1,000 clients over TLS; the limit encrypts the same bytes and does nothing else;
//! - `embedded`: 1,000 event streams in axum, over HTTP/1.1 and HTTP/2: its own, and our embedding's;
//! - `threads`, `threads quick`: our servers on several threads, and publishers on others;
//! - `connections`, `connections quick`: connections opened, answered and closed; `connections tls` and
//!   `connections tls quick` over TLS, by whole handshakes and by those that resume a session.
//!
//! Every server is a process of its own with one thread for its tasks; the clients are one thread
//! of this process, which only counts. A round has a turn of each server: it is started, the
//! clients connect, it publishes on command, and it is ended. Ratios are between servers of the
//! same round, to the bare one, which writes bytes that were encoded beforehand to every socket and
//! does nothing else; of all rounds the median is told.

mod connections;
#[path = "../control.rs"]
mod control;
mod http2;
#[path = "../link.rs"]
mod link;
mod load;
mod report;
mod servers;
mod threads;
#[path = "../tls.rs"]
mod tls;
#[cfg(feature = "peers")]
#[path = "../tls_listener.rs"]
mod tls_listener;
mod turn;

use std::{error::Error, process::ExitCode};

use servers::Kind;
use tls::Handshakes;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// What to measure.
struct Plan {
    clients: Vec<usize>,
    rounds: usize,
    servers: Vec<Kind>,
    handshakes: Handshakes,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.as_slice() {
        [serve, name, handshakes, control] if serve == "serve" => {
            serve_as(name, handshakes, control)
        }
        [serve, name, threads, topics, control] if serve == "serve-threads" => {
            serve_on_threads(name, threads, topics, control)
        }
        [mode, rest @ ..] if mode == "threads" => is_quick(rest).and_then(threads::run),
        [mode, rest @ ..] if mode == "connections" => match rest.split_first() {
            Some((tls, rest)) if tls == "tls" => is_quick(rest).and_then(connections::run_over_tls),
            _ => is_quick(rest).and_then(connections::run),
        },
        others => Plan::new(others).and_then(|plan| run(&plan)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn serve_as(name: &str, handshakes: &str, control: &str) -> Result<()> {
    raise_descriptor_limit();
    let tls = tls::server_config(Handshakes::named(handshakes)?)?;
    Kind::named(name)?.serve(control, tls)
}

fn serve_on_threads(name: &str, threads: &str, topics: &str, control: &str) -> Result<()> {
    raise_descriptor_limit();
    threads::serve(name, threads.parse()?, topics.parse()?, control)
}

/// Returns whether the mode is to be quick, which is its only argument.
fn is_quick(arguments: &[String]) -> Result<bool> {
    raise_descriptor_limit();
    match arguments {
        [] => Ok(false),
        [quick] if quick == "quick" => Ok(true),
        others => Err(format!("{others:?}? See the top of this program.").into()),
    }
}

fn run(plan: &Plan) -> Result<()> {
    raise_descriptor_limit();
    for &clients in &plan.clients {
        let mut rounds = Vec::new();
        for round in 0..plan.rounds {
            eprintln!("{clients} clients, round {} of {}", round + 1, plan.rounds);
            let turns = plan
                .servers
                .iter()
                .map(|&kind| turn::take(kind, clients, plan.handshakes));
            rounds.push(turns.collect::<Result<Vec<_>>>()?);
        }
        report::print(clients, &plan.servers, plan.handshakes, &rounds);
    }
    Ok(())
}

impl Plan {
    fn new(arguments: &[String]) -> Result<Self> {
        let mut plan = Self {
            clients: vec![100, 1_000, 5_000],
            rounds: 5,
            servers: Kind::ALL.to_vec(),
            handshakes: Handshakes::None,
        };
        for argument in arguments {
            match argument.split_once('=') {
                None if argument == "quick" => {
                    plan.clients.retain(|clients| *clients <= 1_000);
                    plan.rounds = 3;
                }
                None if argument == "tls" => {
                    plan.clients = vec![1_000];
                    plan.servers = Kind::OVER_TLS.to_vec();
                    plan.handshakes = Handshakes::Full;
                }
                None if argument == "embedded" => {
                    plan.clients = vec![1_000];
                    plan.servers = Kind::EMBEDDED.to_vec();
                }
                Some(("clients", list)) => {
                    let counts = list.split(',').map(str::parse);
                    plan.clients = counts.collect::<std::result::Result<_, _>>()?;
                }
                Some(("rounds", count)) => plan.rounds = count.parse()?,
                Some(("servers", list)) => {
                    plan.servers = list.split(',').map(Kind::named).collect::<Result<_>>()?;
                }
                _ => return Err(format!("{argument}? See the top of this program.").into()),
            }
        }
        Ok(plan)
    }
}

/// Raises it as far as this user is allowed to.
fn raise_descriptor_limit() {
    const ENOUGH: u64 = 1 << 16;
    if rlimit::Resource::NOFILE.set(ENOUGH, ENOUGH).is_err() {
        let _ = rlimit::increase_nofile_limit(ENOUGH);
    }
}

fn median(samples: impl Iterator<Item = f64>) -> f64 {
    let mut samples: Vec<_> = samples.collect();
    samples.sort_by(f64::total_cmp);
    samples.get(samples.len() / 2).copied().unwrap_or(f64::NAN)
}

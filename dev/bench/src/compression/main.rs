//! Compressed event streams, one event to many: bytes on the wire, the server's CPU time for each delivery and
//! the memory of each connection.
//!
//! `cargo run --release --manifest-path dev/bench/Cargo.toml --features compression --bin compression`, and
//! behind `--`:
//!
//! - `quick`: one round, and fewer events;
//! - `clients=1000`, `rounds=5`, `events=300`: others than the usual ones.
//!
//! Every server is a process of its own with one thread for its tasks; the clients are one thread of this
//! process. All of them take `gzip`, and decode what they get. An event is published when all clients have
//! the one before. A round has a turn of each server with each kind of events: it is started, the clients
//! connect, it publishes on command, and it is ended. Ratios are between servers of the same round, to the
//! same topic without compression; of all rounds the median is told.

mod clients;
#[path = "../control.rs"]
mod control;
mod corpora;
mod report;
mod servers;
mod turn;

use std::{error::Error, process::ExitCode};

use corpora::Corpus;
use servers::Kind;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// What to measure.
struct Plan {
    clients: usize,
    rounds: usize,
    events: u32,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // As far as this user is allowed to.
    let _ = rlimit::increase_nofile_limit(1 << 16);
    let done = match arguments.as_slice() {
        [serve, name, control] if serve == "serve" => {
            Kind::named(name).and_then(|kind| kind.serve(control))
        }
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

fn run(plan: &Plan) -> Result<()> {
    println!(
        "{} clients, {} rounds of {} events.",
        plan.clients, plan.rounds, plan.events
    );
    for corpus in Corpus::ALL {
        let mut rounds = Vec::new();
        for round in 0..plan.rounds {
            eprintln!("{}, round {} of {}", corpus.name(), round + 1, plan.rounds);
            let turns = Kind::ALL.iter().map(|kind| turn::take(*kind, corpus, plan));
            rounds.push(turns.collect::<Result<Vec<_>>>()?);
        }
        report::print(corpus, &rounds);
    }
    Ok(())
}

impl Plan {
    fn new(arguments: &[String]) -> Result<Self> {
        let mut plan = Self {
            clients: 1_000,
            rounds: 5,
            events: 300,
        };
        for argument in arguments {
            match argument.split_once('=') {
                None if argument == "quick" => (plan.rounds, plan.events) = (1, 100),
                Some(("clients", count)) => plan.clients = count.parse()?,
                Some(("rounds", count)) => plan.rounds = count.parse()?,
                Some(("events", count)) => plan.events = count.parse()?,
                _ => return Err(format!("{argument}? See the top of this program.").into()),
            }
        }
        Ok(plan)
    }
}

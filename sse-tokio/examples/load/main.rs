//! Opens many clients to an event stream, and reports how the server performs: `load -c 1000 URL`.
//!
//! `cargo run --release -p sse-tokio --example load -- --help`

mod client;
mod flags;
mod report;
mod stamp;
mod tally;

use std::{
    error::Error,
    fs,
    future::pending,
    io::{self, Write},
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    sync::Notify,
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep},
};

use client::Clients;
use flags::Flags;
use report::Report;
use tally::Tally;

/// How often progress is shown.
const PROGRESS: Duration = Duration::from_secs(1);

#[tokio::main]
async fn main() -> ExitCode {
    let flags = match Flags::parse() {
        Ok(Some(flags)) => flags,
        Ok(None) => return ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "load: {error}\nTry --help.");
            return ExitCode::FAILURE;
        }
    };
    match load(&flags).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "load: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn load(flags: &Flags) -> Result<(), Box<dyn Error>> {
    flags::check_open_files(flags.clients)?;
    let stopped = Arc::<Notify>::default();
    let stop = stopped.clone();
    ctrlc::set_handler(move || stop.notify_one())?;

    let tally = Arc::new(Tally::new(flags.clients));
    let clients = Clients::new(flags, tally.clone())?;
    let mut tasks = JoinSet::new();
    let start = Instant::now();
    let running = async {
        clients.start(&mut tasks, flags.ramp).await?;
        pending::<Result<(), Box<dyn Error>>>().await
    };
    tokio::select! {
        result = running => result?,
        () = sleep(flags.duration) => {}
        () = stopped.notified() => {}
        () = show_progress(&tally, start) => {}
    }
    let took = start.elapsed();
    let report = Report::of(&tally, took, flags);
    tasks.shutdown().await;
    if tally.started.get() == 0 {
        let seconds = took.as_secs_f64();
        let error = format!(
            "the first client had no stream after {seconds:.1} s, when the run ended; --time waits \
             longer for the answer of the server"
        );
        return Err(error.into());
    }

    // A closed output is no fault of the run.
    let _ = write!(io::stdout(), "{report}");
    if let Some(file) = &flags.json {
        let json = serde_json::to_string_pretty(&report)? + "\n";
        fs::write(file, json).map_err(|error| format!("cannot write {file}: {error}"))?;
    }
    Ok(())
}

/// Prints a line each second, for as long as it is polled.
async fn show_progress(tally: &Tally, start: Instant) {
    let mut ticks = interval(PROGRESS);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    let (mut events, mut then) = (tally.events(), Instant::now());
    loop {
        ticks.tick().await;
        let (now_events, now) = (tally.events(), Instant::now());
        let rate = (now_events - events) as f64 / (now - then).as_secs_f64();
        (events, then) = (now_events, now);
        let seconds = start.elapsed().as_secs_f64();
        let line = report::progress(tally, seconds, rate);
        let _ = writeln!(io::stderr(), "{line}");
    }
}

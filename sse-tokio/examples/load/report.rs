//! The result: a line while it runs, and a table or JSON at the end.

use std::{collections::BTreeMap, fmt, time::Duration};

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::{
    flags::Flags,
    tally::{Tally, Times},
};

/// The result of the run. Times are in milliseconds.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    seconds: f64,
    clients: usize,
    clients_started: u64,
    clients_open: u64,
    /// The number of streams that were opened, and of those that were opened after a loss.
    opened: u64,
    reconnects: u64,
    /// The number of connections that were lost, or could not be made.
    lost: u64,
    /// The number of clients that gave up.
    failed: u64,
    events: u64,
    events_per_second: f64,
    bytes_of_data: u64,
    /// `None` where no numbers were looked at, or there were none.
    events_missed: Option<u64>,
    events_repeated: Option<u64>,
    opening: Option<Percentiles>,
    latency: Option<Percentiles>,
    /// The reasons of losses, with their counts.
    losses: BTreeMap<String, u64>,
    /// What the flags asked for and the events did not have.
    #[serde(skip)]
    lacks: Vec<String>,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Percentiles {
    count: u64,
    p50: f64,
    p90: f64,
    p99: f64,
    p99_9: f64,
    max: f64,
}

impl Percentiles {
    fn of(times: &Times) -> Option<Self> {
        let all = times.all()?;
        let at = |quantile| millis(&all, quantile);
        Some(Self {
            count: all.len(),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p99_9: at(0.999),
            max: at(1.0),
        })
    }
}

fn millis(times: &Histogram<u64>, quantile: f64) -> f64 {
    times.value_at_quantile(quantile) as f64 / 1000.0
}

impl Report {
    pub(crate) fn of(tally: &Tally, took: Duration, flags: &Flags) -> Self {
        let seconds = took.as_secs_f64();
        let has_numbers = tally.numbered.get() > 0;
        let latency = Percentiles::of(&tally.latency);
        let mut lacks = Vec::new();
        if flags.sequence && !has_numbers {
            lacks.push("by their IDs      not counted: no ID ends in a number".to_owned());
        }
        if let (Some(field), None) = (&flags.stamp, latency) {
            lacks.push(format!(
                "latency           not measured: no event has a time in {field:?}"
            ));
        }
        Self {
            seconds,
            clients: tally.clients,
            clients_started: tally.started.get(),
            clients_open: tally.open.get(),
            opened: tally.opened.get(),
            reconnects: tally.reopened.get(),
            lost: tally.lost.get(),
            failed: tally.failed.get(),
            events: tally.events(),
            events_per_second: tally.events() as f64 / seconds.max(f64::EPSILON),
            bytes_of_data: tally.bytes.get(),
            events_missed: has_numbers.then(|| tally.missed.get()),
            events_repeated: has_numbers.then(|| tally.repeated.get()),
            opening: Percentiles::of(&tally.opening),
            latency,
            losses: tally.losses(),
            lacks,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seconds           {:.1}", self.seconds)?;
        writeln!(
            f,
            "clients           {}, of which {} were started and {} are open",
            self.clients, self.clients_started, self.clients_open
        )?;
        writeln!(
            f,
            "streams           {} opened, {} of them again; {} lost, {} failed for good",
            self.opened, self.reconnects, self.lost, self.failed
        )?;
        writeln!(
            f,
            "events            {}, {:.1} a second; {} bytes of data",
            self.events, self.events_per_second, self.bytes_of_data
        )?;
        if let (Some(missed), Some(repeated)) = (self.events_missed, self.events_repeated) {
            writeln!(f, "by their IDs      {missed} missed, {repeated} repeated")?;
        }
        for lack in &self.lacks {
            writeln!(f, "{lack}")?;
        }
        writeln!(
            f,
            "\nmilliseconds          p50        p90        p99      p99.9        max"
        )?;
        for (name, times) in [("opening", self.opening), ("latency", self.latency)] {
            if let Some(times) = times {
                let Percentiles {
                    p50,
                    p90,
                    p99,
                    p99_9,
                    max,
                    ..
                } = times;
                writeln!(
                    f,
                    "{name:<14} {p50:>10.3} {p90:>10.3} {p99:>10.3} {p99_9:>10.3} {max:>10.3}"
                )?;
            }
        }
        if !self.losses.is_empty() {
            writeln!(f, "\nlost")?;
        }
        for (why, count) in &self.losses {
            writeln!(f, "{count:>10}  {why}")?;
        }
        Ok(())
    }
}

/// Returns the line of progress after `seconds`, with `rate` events a second.
pub(crate) fn progress(tally: &Tally, seconds: f64, rate: f64) -> String {
    let mut line = format!(
        "{seconds:>4.0} s: {} of {} open, {rate:.0} events/s, {} reconnects, {} lost",
        tally.open.get(),
        tally.clients,
        tally.reopened.get(),
        tally.lost.get()
    );
    if let Some(times) = tally.latency.all() {
        let (p50, p99) = (millis(&times, 0.5), millis(&times, 0.99));
        line += &format!(", latency {p50:.1} ms, p99 {p99:.1} ms");
    }
    line
}

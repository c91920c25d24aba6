//! The turn of one server: it is started, measured and ended.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::{
    Result,
    control::Process,
    load::{Clients, Latencies},
    servers::Kind,
    tls::Handshakes,
};

/// The path of the events.
const PATH: &str = "/events";

/// The number of events of a backlog, which are published at once.
const BACKLOG: u32 = 64;

/// The time for which each kind of delivery is measured.
const SPAN: Duration = Duration::from_millis(300);

/// The time that the clients do not read, where the server's CPU time for single events is
/// measured. Without it the measurement would mostly be of how the kernel wakes a client on the
/// same machine, which happens the more often the slower a server is.
const NAP: Duration = Duration::from_millis(1);

/// The number of deliveries per second where latency is measured.
const RATE: f64 = 30_000.0;

/// The time for which latency is measured.
const LATENCY_SPAN: Duration = Duration::from_secs(1);

/// The number of clients that connect before memory is measured, so that allocations for the first
/// connections do not count as a cost of the later ones.
const FIRST: usize = 16;

/// The time that a server is left alone before its memory is measured.
const REST: Duration = Duration::from_millis(50);

/// The measured values.
pub(crate) struct Measures {
    /// With a backlog of 64, and with one event in flight.
    pub(crate) many: Delivery,
    pub(crate) one: Delivery,
    /// At a fixed rate, in nanoseconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    /// Resident memory for each connection, in bytes.
    pub(crate) memory: f64,
}

pub(crate) struct Delivery {
    pub(crate) per_second: f64,
    /// The server's CPU time for each, in nanoseconds.
    pub(crate) cpu: f64,
    /// The number of TLS records that bring all events published at once to one client.
    pub(crate) records: f64,
}

/// The server, its clients, and the number of events that each of these should have received.
struct Turn {
    server: Process,
    clients: Clients,
    count: usize,
    published: u64,
}

pub(crate) fn take(kind: Kind, clients: usize, handshakes: Handshakes) -> Result<Measures> {
    measure(kind, clients, handshakes).map_err(|error| format!("{}: {error}", kind.name()).into())
}

fn measure(kind: Kind, count: usize, handshakes: Handshakes) -> Result<Measures> {
    let mut turn = Turn {
        server: kind.start(handshakes)?,
        clients: Clients::new(kind.protocol(), handshakes)?,
        count: FIRST,
        published: 0,
    };
    turn.clients.connect(turn.server.address, PATH, FIRST)?;
    turn.publish(1, |_| {})?;
    let before = turn.server.resident()?;
    turn.clients
        .connect(turn.server.address, PATH, count.saturating_sub(FIRST))?;
    turn.count = count.max(FIRST);
    turn.publish(1, |_| {})?;
    thread::sleep(REST);
    let grown = turn.server.resident()?.saturating_sub(before);
    let memory = grown as f64 / count.saturating_sub(FIRST).max(1) as f64;

    turn.clients.forget_counts();
    turn.published = 0;
    let many = turn.deliver(BACKLOG)?;
    turn.clients.nap = NAP;
    let one = turn.deliver(1)?;
    turn.clients.nap = Duration::ZERO;
    let (p50, p99) = turn.latency()?;
    if !turn.clients.all_have(turn.published) {
        return Err("not everyone got the same events".into());
    }
    Ok(Measures {
        many,
        one,
        p50,
        p99,
        memory,
    })
}

impl Turn {
    /// Publishes this many events at once, and waits until every client has received them.
    fn publish(&mut self, events: u32, each: impl FnMut(u64)) -> Result<()> {
        self.published += u64::from(events);
        self.server.publish(events)?;
        let deliveries = u64::from(events) * self.count as u64;
        self.clients.receive_events(deliveries, each)
    }

    /// Delivers events, this many at a time, until the time is over.
    fn deliver(&mut self, at_a_time: u32) -> Result<Delivery> {
        self.publish(at_a_time, |_| {})?;
        let (before, cpu_before) = (self.published, self.server.cpu_time()?);
        let records_before = self.clients.records();
        let start = Instant::now();
        while start.elapsed() < SPAN {
            self.publish(at_a_time, |_| {})?;
        }
        let passed = start.elapsed();
        let cpu = self.server.cpu_time()? - cpu_before;
        let deliveries = (self.published - before) as f64 * self.count as f64;
        Ok(Delivery {
            per_second: deliveries / passed.as_secs_f64(),
            cpu: cpu.as_nanos() as f64 / deliveries,
            records: (self.clients.records() - records_before) as f64 * f64::from(at_a_time)
                / deliveries,
        })
    }

    /// Returns the latencies of single events at a fixed rate, from the command to publish on: the
    /// median, and the one that one in a hundred exceeds.
    fn latency(&mut self) -> Result<(f64, f64)> {
        let between = Duration::from_secs_f64(self.count as f64 / RATE);
        let mut latencies = Latencies::new();
        let start = Instant::now();
        let mut next = start;
        while start.elapsed() < LATENCY_SPAN {
            thread::sleep(next.saturating_duration_since(Instant::now()));
            next += between;
            latencies.start();
            self.publish(1, |events| latencies.came(events))?;
        }
        Ok((latencies.percentile(0.5), latencies.percentile(0.99)))
    }
}

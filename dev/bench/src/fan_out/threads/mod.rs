//! `fan_out threads`: our servers on runtimes with several threads, and publishers on threads of their own.
//!
//! The publishers publish as fast as they can, so many events each to every topic, and then wait until
//! every client has got them. How long each call of `publish` takes is measured: that is the wait for the
//! topic's lock, the encoding and the waking of those who wait. A subscriber that finds nothing new waits,
//! and each such wait ends with one wake-up of its task: they are counted, for each delivery.

mod server;

use std::{
    env,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    process::{Child, Command},
    time::{Duration, Instant},
};

use crate::{
    Result,
    load::{Clients, Protocol},
    median,
    tls::Handshakes,
};
pub(crate) use server::serve;

/// The number of publishers, and of events that each publishes at once to every topic.
const PUBLISHERS: u32 = 2;
const EVENTS: u32 = 32;

/// The time for which each kind of delivery is measured.
const SPAN: Duration = Duration::from_millis(500);

/// The time that the clients do not read where single events are delivered: see `turn.rs`.
const NAP: Duration = Duration::from_millis(1);

/// The runtimes, and the number of threads that run their tasks. For tokio, 0 is the runtime of the
/// current thread.
const SERVERS: [(&str, usize); 5] = [
    ("sse-tokio", 0),
    ("sse-tokio", 1),
    ("sse-tokio", 2),
    ("sse-smol", 1),
    ("sse-smol", 2),
];

/// The number of topics, and of clients of each.
#[derive(Clone, Copy)]
struct Shape {
    topics: usize,
    clients: usize,
}

/// The measured values; times are in nanoseconds.
struct Measures {
    per_second: f64,
    cpu: f64,
    wake_ups: f64,
    publish_p50: f64,
    publish_p99: f64,
    one_cpu: f64,
    one_wake_ups: f64,
}

/// The report of a server once its publishers are done. It counts from the server's start, except
/// for the times, which are those of the last events.
pub(super) struct Told {
    cpu: u64,
    wake_ups: u64,
    publish_p50: u64,
    publish_p99: u64,
}

impl Told {
    const LEN: usize = 32;

    fn to_bytes(&self) -> Vec<u8> {
        let numbers = [self.cpu, self.wake_ups, self.publish_p50, self.publish_p99];
        numbers.iter().flat_map(|n| n.to_be_bytes()).collect()
    }

    fn from_bytes(bytes: &[u8; Self::LEN]) -> Self {
        let (numbers, _) = bytes.as_chunks::<8>();
        let mut numbers = numbers.iter().map(|bytes| u64::from_be_bytes(*bytes));
        let mut next = || numbers.next().unwrap_or_default();
        Self {
            cpu: next(),
            wake_ups: next(),
            publish_p50: next(),
            publish_p99: next(),
        }
    }
}

/// Measures everything: `quick` has one round and a tenth of the clients.
pub(crate) fn run(is_quick: bool) -> Result<()> {
    let (rounds, share) = if is_quick { (1, 10) } else { (3, 1) };
    let shapes = [(1, 5_000 / share), (100 / share, 50)];
    for (topics, clients) in shapes {
        let shape = Shape { topics, clients };
        let mut measured: Vec<Vec<Measures>> = SERVERS.iter().map(|_| Vec::new()).collect();
        for round in 0..rounds {
            eprintln!("{topics} topics, round {} of {rounds}", round + 1);
            for (&(kind, threads), measured) in SERVERS.iter().zip(&mut measured) {
                let turn = Turn::new(kind, threads, shape).and_then(Turn::measure);
                measured.push(turn.map_err(|error| format!("{kind}, {threads}: {error}"))?);
            }
        }
        print(shape, rounds, &measured);
    }
    Ok(())
}

fn print(shape: Shape, rounds: usize, measured: &[Vec<Measures>]) {
    println!(
        "\nTopics: {}, clients of each: {}, {rounds} rounds, {PUBLISHERS} publishers. Deliveries in thousands, \
         times in µs.\n",
        shape.topics, shape.clients
    );
    println!(
        "| server | threads | deliveries/s, {PUBLISHERS} x {EVENTS} at once | CPU each | wake-ups each \
         | `publish`, p50 | p99 | CPU each, 1 at once | wake-ups each |"
    );
    println!("|---|--:|{}", "--:|".repeat(7));
    for ((kind, threads), rounds) in SERVERS.iter().zip(measured) {
        let of = |value: fn(&Measures) -> f64| median(rounds.iter().map(value));
        let threads = match threads {
            0 => "current".to_owned(),
            threads => threads.to_string(),
        };
        println!(
            "| {kind} | {threads} | {:.0} | {:.2} | {:.3} | {:.1} | {:.1} | {:.2} | {:.3} |",
            of(|m| m.per_second) / 1e3,
            of(|m| m.cpu) / 1e3,
            of(|m| m.wake_ups),
            of(|m| m.publish_p50) / 1e3,
            of(|m| m.publish_p99) / 1e3,
            of(|m| m.one_cpu) / 1e3,
            of(|m| m.one_wake_ups),
        );
    }
}

/// A server in a process of its own, which is ended when this is dropped, and its clients.
struct Turn {
    child: Child,
    control: TcpStream,
    clients: Clients,
    shape: Shape,
}

/// The cost of this many deliveries.
struct Delivered {
    deliveries: f64,
    seconds: f64,
    cpu: f64,
    wake_ups: f64,
    publish_p50: Vec<f64>,
    publish_p99: Vec<f64>,
}

impl Turn {
    fn new(kind: &str, threads: usize, shape: Shape) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?.to_string();
        let (threads, topics) = (threads.to_string(), shape.topics.to_string());
        let child = Command::new(env::current_exe()?)
            .args(["serve-threads", kind, &threads, &topics, &address])
            .env("SMOL_THREADS", &threads)
            .spawn()?;
        let (mut control, _) = listener.accept()?;
        control.set_nodelay(true)?;
        control.set_read_timeout(Some(Duration::from_secs(30)))?;
        let mut port = [0; 2];
        control.read_exact(&mut port)?;
        let mut turn = Self {
            child,
            control,
            clients: Clients::new(Protocol::Http1, Handshakes::None)?,
            shape,
        };
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, u16::from_be_bytes(port)));
        for topic in 0..shape.topics {
            let path = format!("/events/{topic}");
            turn.clients.connect(address, &path, shape.clients)?;
        }
        Ok(turn)
    }

    fn measure(mut self) -> Result<Measures> {
        let many = self.deliver(PUBLISHERS, EVENTS)?;
        self.clients.nap = NAP;
        let one = self.deliver(1, 1)?;
        Ok(Measures {
            per_second: many.deliveries / many.seconds,
            cpu: many.cpu / many.deliveries,
            wake_ups: many.wake_ups / many.deliveries,
            publish_p50: median(many.publish_p50.into_iter()),
            publish_p99: median(many.publish_p99.into_iter()),
            one_cpu: one.cpu / one.deliveries,
            one_wake_ups: one.wake_ups / one.deliveries,
        })
    }

    /// Delivers this many events at a time, until the time is over.
    fn deliver(&mut self, publishers: u32, events: u32) -> Result<Delivered> {
        let mut before = self.publish(publishers, events)?;
        let mut delivered = Delivered {
            deliveries: 0.0,
            seconds: 0.0,
            cpu: 0.0,
            wake_ups: 0.0,
            publish_p50: Vec::new(),
            publish_p99: Vec::new(),
        };
        let start = Instant::now();
        while start.elapsed() < SPAN {
            let told = self.publish(publishers, events)?;
            delivered.deliveries += self.count(publishers, events) as f64;
            delivered.cpu += (told.cpu - before.cpu) as f64;
            delivered.wake_ups += (told.wake_ups - before.wake_ups) as f64;
            delivered.publish_p50.push(told.publish_p50 as f64);
            delivered.publish_p99.push(told.publish_p99 as f64);
            before = told;
        }
        delivered.seconds = start.elapsed().as_secs_f64();
        Ok(delivered)
    }

    /// Publishes, waits until every client has received everything, and returns the server's
    /// report.
    fn publish(&mut self, publishers: u32, events: u32) -> Result<Told> {
        let command = u64::from(publishers) << 32 | u64::from(events);
        self.control.write_all(&command.to_be_bytes())?;
        let deliveries = self.count(publishers, events);
        self.clients.receive_events(deliveries, |_| {})?;
        self.control.write_all(&0_u64.to_be_bytes())?;
        let mut told = [0; Told::LEN];
        self.control.read_exact(&mut told)?;
        Ok(Told::from_bytes(&told))
    }

    /// Returns the number of deliveries that this many events make.
    fn count(&self, publishers: u32, events: u32) -> u64 {
        let clients = (self.shape.topics * self.shape.clients) as u64;
        u64::from(publishers) * u64::from(events) * clients
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

//! `restart storm`: a server that is gone for a second, and clients that come back as soon as they can.

use std::{
    fs,
    time::{Duration, Instant},
};

use crate::{
    Result,
    clients::{Clients, Pace, Storm},
    events::Clock,
    log::Log,
    percentile,
    process::{Orders, Port, Process},
    server::{Kind, Spread},
    tls::Handshakes,
};

/// Events per second.
const RATE: u32 = 50;

/// The time that the old server runs with all of its clients.
const BEFORE: Duration = Duration::from_secs(1);

/// The time without a server.
const DOWN: Duration = Duration::from_secs(1);

/// The longest time of the storm. The program does not wait for clients that are not back by then.
const PATIENCE: Duration = Duration::from_secs(120);

/// The interval at which the program checks whether all clients are back.
const INTERVAL: Duration = Duration::from_millis(5);

/// What happens to the server, and when its clients connect again.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Way {
    name: &'static str,
    is_killed: bool,
    pace: Pace,
}

const WAYS: [Way; 3] = [
    Way {
        name: "kill",
        is_killed: true,
        pace: Pace::Hurry,
    },
    Way {
        name: "stop",
        is_killed: false,
        pace: Pace::Hurry,
    },
    Way {
        name: "browser",
        is_killed: true,
        pace: Pace::Browser,
    },
];

pub(crate) struct Plan {
    clients: Vec<usize>,
    ways: Vec<Way>,
    servers: Vec<Kind>,
    handshakes: Vec<Handshakes>,
    rounds: usize,
}

/// The measured values of one storm.
struct Measures {
    half: f64,
    most: f64,
    all: f64,
    cpu: f64,
    memory: f64,
    attempts: f64,
    /// The number of SYN segments that were sent again, and of times that the queue of a listening
    /// socket was full, on the whole machine.
    syns_again: u64,
    overflows: u64,
    lost: u64,
    twice: u64,
}

impl Plan {
    pub(crate) fn new(arguments: &[String]) -> Result<Self> {
        let embedded = |kind: &Kind| *kind != Kind::Redis;
        let mut plan = Self {
            clients: vec![2_000, 8_000],
            ways: WAYS.to_vec(),
            servers: Kind::ALL.iter().copied().filter(embedded).collect(),
            handshakes: vec![Handshakes::None],
            rounds: 3,
        };
        for argument in arguments {
            match argument.split_once('=') {
                None if argument == "quick" => {
                    plan.clients.truncate(1);
                    plan.ways.truncate(1);
                    plan.rounds = 1;
                }
                None if argument == "tls" => {
                    plan.handshakes = vec![Handshakes::Full, Handshakes::Resumed];
                    plan.servers.retain(|kind| *kind != Kind::Bare);
                    plan.ways.truncate(1);
                }
                None if argument == "redis" => {
                    plan.servers = vec![Kind::Tokio, Kind::Redis];
                }
                Some(("clients", list)) => {
                    let counts = list.split(',').map(str::parse);
                    plan.clients = counts.collect::<std::result::Result<_, _>>()?;
                }
                Some(("ways", list)) => {
                    plan.ways = list.split(',').map(way).collect::<Result<_>>()?;
                }
                Some(("servers", list)) => {
                    plan.servers = list.split(',').map(Kind::named).collect::<Result<_>>()?;
                }
                Some(("rounds", count)) => plan.rounds = count.parse()?,
                _ => return Err(format!("{argument}? See the top of this program.").into()),
            }
        }
        Ok(plan)
    }

    pub(crate) fn run(&self) -> Result<()> {
        for &handshakes in &self.handshakes {
            for &clients in &self.clients {
                for &way in &self.ways {
                    self.measure_all(clients, way, handshakes)?;
                }
            }
        }
        Ok(())
    }

    /// Prints a table with a row for each server.
    fn measure_all(&self, clients: usize, way: Way, handshakes: Handshakes) -> Result<()> {
        let mut rounds: Vec<Vec<Measures>> = Vec::new();
        for round in 0..self.rounds {
            eprintln!("{clients} clients, round {} of {}", round + 1, self.rounds);
            let one = self.servers.iter().map(|&kind| {
                let measured = measure(kind, clients, way, handshakes);
                measured.map_err(|error| format!("{}: {error}", kind.name()).into())
            });
            rounds.push(one.collect::<Result<_>>()?);
        }
        println!(
            "\n{clients} clients, {RATE} events/s, {}, {}, {} rounds. From the start of the new server until \
             so many have an event that is newer; in brackets, as a ratio to the first row's.\n",
            way.name,
            handshakes.name(),
            self.rounds,
        );
        println!(
            "| server | 50 % back, s | 99 % | all | new server's CPU, s | its peak memory, MB | attempts to connect \
             | SYNs sent again | full queue | lost | twice |"
        );
        println!("|---|{}", "--:|".repeat(10));
        for (index, kind) in self.servers.iter().enumerate() {
            print_row(kind.name(), index, &rounds);
        }
        Ok(())
    }
}

fn print_row(name: &str, index: usize, rounds: &[Vec<Measures>]) {
    let cell = |value: fn(&Measures) -> f64, digits: usize| {
        let of = |round: &Vec<Measures>| round.get(index).map_or(f64::NAN, value);
        let first = |round: &Vec<Measures>| round.first().map_or(f64::NAN, value);
        let ratio = median(rounds.iter().map(|round| of(round) / first(round)));
        let value = median(rounds.iter().map(of));
        match index {
            0 => format!("{value:.digits$}"),
            _ => format!("{value:.digits$} ({ratio:.2})"),
        }
    };
    // Values that should be 0 are shown as the sum of all rounds.
    let sum = |value: fn(&Measures) -> u64| -> u64 {
        rounds
            .iter()
            .filter_map(|it| it.get(index))
            .map(value)
            .sum()
    };
    println!(
        "| {name} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
        cell(|m| m.half, 2),
        cell(|m| m.most, 2),
        cell(|m| m.all, 2),
        cell(|m| m.cpu, 2),
        cell(|m| m.memory, 0),
        cell(|m| m.attempts, 0),
        sum(|m| m.syns_again),
        sum(|m| m.overflows),
        sum(|m| m.lost),
        sum(|m| m.twice),
    );
}

fn measure(kind: Kind, count: usize, way: Way, handshakes: Handshakes) -> Result<Measures> {
    let clock = Clock::new(RATE);
    let log = match kind {
        Kind::Redis => Some(Log::start(clock)?),
        _ => None,
    };
    let orders = Orders {
        kind,
        // The clients ignore `retry`: the storm itself is measured.
        spread: Spread::None,
        clock,
        handshakes,
        redis: log.as_ref().map_or(0, Log::port),
        address: None,
    };
    let port = Port::free()?;
    let mut old = Process::start(&port, orders)?;
    old.listens()?;
    let mut clients = Clients::new(port.address, count, way.pace, handshakes)?;
    clients.connect_all()?;
    clients.run_until(Instant::now() + BEFORE)?;

    match way.is_killed {
        true => old.kill()?,
        false => old.stop()?,
    }
    clients.run_until(Instant::now() + DOWN)?;
    // The port is free when it has gone, which a stop of very many clients may take longer for.
    while !old.is_gone()? {
        clients.run_until(Instant::now() + INTERVAL)?;
    }
    let kernel = Kernel::now()?;
    let begin = Instant::now();
    clients.storm_begins(begin, clock.number());
    let new = Process::start(&port, orders)?;
    while !clients.all_are_back() {
        if begin.elapsed() > PATIENCE {
            eprintln!(
                "{}: {} clients are not back",
                kind.name(),
                clients.missing()
            );
            break;
        }
        clients.run_until(Instant::now() + INTERVAL)?;
    }
    let (cpu, memory) = new.cost()?;
    let Kernel {
        syns_again,
        overflows,
    } = Kernel::now()?;
    let Storm {
        mut back,
        connections,
        lost,
        twice,
    } = clients.storm();
    // Clients that are not back take longer than all others.
    back.resize(count, PATIENCE);
    let mut at = |share| percentile(&mut back, share).as_secs_f64();
    Ok(Measures {
        half: at(0.5),
        most: at(0.99),
        all: at(1.0),
        cpu: cpu.as_secs_f64(),
        memory: memory as f64 / 1e6,
        attempts: connections.len() as f64,
        syns_again: syns_again - kernel.syns_again,
        overflows: overflows - kernel.overflows,
        lost,
        twice,
    })
}

fn way(name: &str) -> Result<Way> {
    let found = WAYS.into_iter().find(|way| way.name == name);
    found.ok_or_else(|| format!("there is no way {name}").into())
}

fn median(samples: impl Iterator<Item = f64>) -> f64 {
    let mut samples: Vec<_> = samples.collect();
    samples.sort_by(f64::total_cmp);
    samples.get(samples.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The TCP counters of the system since its start.
struct Kernel {
    syns_again: u64,
    overflows: u64,
}

impl Kernel {
    fn now() -> Result<Self> {
        // The file has a line of names and below it a line of numbers.
        let text = fs::read_to_string("/proc/net/netstat")?;
        let mut lines = text.lines().filter(|line| line.starts_with("TcpExt:"));
        let (names, numbers) = (lines.next().unwrap_or(""), lines.next().unwrap_or(""));
        let number = |wanted: &str| -> Result<u64> {
            let mut both = names.split(' ').zip(numbers.split(' '));
            let found = both.find(|(name, _)| *name == wanted);
            let (_, number) = found.ok_or_else(|| format!("the system does not count {wanted}"))?;
            Ok(number.parse()?)
        };
        Ok(Self {
            syns_again: number("TCPSynRetrans")?,
            overflows: number("ListenOverflows")?,
        })
    }
}

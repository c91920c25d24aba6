//! `fan_out connections`: clients open connections, ask for a stream, get its first event, and
//! close.

use std::{
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::{Duration, Instant},
};

use sse_tokio::tls::rustls::ClientConfig;

use crate::{
    Result,
    control::MARK,
    link::Link,
    load::request,
    median,
    servers::Kind,
    tls::{self, Handshakes},
};

/// The number of connections that are open at a time, where the number per second is measured.
const AT_A_TIME: usize = 64;

/// The time for which connections are counted.
const SPAN: Duration = Duration::from_millis(500);

/// The number of connections that are opened one after the other, where the time until the first
/// event is measured.
const ALONE: usize = 500;

/// The longest time that a client waits.
const PATIENCE: Duration = Duration::from_secs(20);

/// The measured values; times are in nanoseconds.
struct Measures {
    per_second: f64,
    /// The server's CPU time for each connection.
    cpu: f64,
    p50: f64,
    p99: f64,
}

/// Measures every server: `quick` has one round.
pub(crate) fn run(is_quick: bool) -> Result<()> {
    measure_all(Kind::ALL, Handshakes::None, is_quick)
}

/// Measures the servers that have TLS, with handshakes of both kinds.
pub(crate) fn run_over_tls(is_quick: bool) -> Result<()> {
    for handshakes in [Handshakes::Full, Handshakes::Resumed] {
        measure_all(Kind::OVER_TLS, handshakes, is_quick)?;
    }
    Ok(())
}

fn measure_all(kinds: &[Kind], handshakes: Handshakes, is_quick: bool) -> Result<()> {
    let rounds = if is_quick { 1 } else { 5 };
    let mut measured: Vec<Vec<Measures>> = Vec::new();
    for round in 0..rounds {
        eprintln!("connections, round {} of {rounds}", round + 1);
        let turns = kinds.iter().map(|&kind| {
            let measured = measure(kind, handshakes);
            measured.map_err(|error| format!("{}: {error}", kind.name()).into())
        });
        measured.push(turns.collect::<Result<_>>()?);
    }
    print(kinds, handshakes, &measured);
    Ok(())
}

fn print(kinds: &[Kind], handshakes: Handshakes, rounds: &[Vec<Measures>]) {
    println!(
        "\nConnections with one event each, {}, {} rounds, {AT_A_TIME} at a time. CPU time of the server \
         in µs; from `connect` to the first event, one connection at a time, in µs.\n",
        handshakes.name(),
        rounds.len()
    );
    println!("| server | connections/s | CPU each | first event, p50 | p99 |");
    println!("|---|--:|--:|--:|--:|");
    for (index, kind) in kinds.iter().enumerate() {
        let cell = |value: fn(&Measures) -> f64, unit: f64| {
            let of = |round: &Vec<Measures>| round.get(index).map_or(f64::NAN, value);
            let first = |round: &Vec<Measures>| round.first().map_or(f64::NAN, value);
            let ratio = median(rounds.iter().map(|round| of(round) / first(round)));
            let value = median(rounds.iter().map(of)) / unit;
            match index {
                0 => format!("{value:.0}"),
                _ => format!("{value:.0} ({ratio:.2})"),
            }
        };
        println!(
            "| {} | {} | {} | {} | {} |",
            kind.name(),
            cell(|m| m.per_second, 1.0),
            cell(|m| m.cpu, 1e3),
            cell(|m| m.p50, 1e3),
            cell(|m| m.p99, 1e3),
        );
    }
}

fn measure(kind: Kind, handshakes: Handshakes) -> Result<Measures> {
    let mut server = kind.start(handshakes)?;
    // Each client has its own tickets.
    let client = |_| tls::client_config(handshakes);
    let clients: Vec<_> = (0..AT_A_TIME).map(client).collect::<Result<_>>()?;
    // Allocations for the first connections do not count as a cost of the later ones.
    open(server.address, &clients)?;

    let cpu_before = server.cpu_time()?;
    let (start, mut count) = (Instant::now(), 0);
    while start.elapsed() < SPAN {
        open(server.address, &clients)?;
        count += AT_A_TIME;
    }
    let passed = start.elapsed();
    let cpu = server.cpu_time()? - cpu_before;

    let mut times = Vec::with_capacity(ALONE);
    for _ in 0..ALONE {
        let start = Instant::now();
        open(server.address, &clients[..1])?;
        times.push(start.elapsed().as_nanos() as f64);
    }
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times.get((ALONE as f64 * share) as usize).copied();
    Ok(Measures {
        per_second: count as f64 / passed.as_secs_f64(),
        cpu: cpu.as_nanos() as f64 / count as f64,
        p50: at(0.5).unwrap_or(f64::NAN),
        p99: at(0.99).unwrap_or(f64::NAN),
    })
}

/// Opens a connection for each of the clients at once, waits for the first event of each, and closes them.
fn open(address: SocketAddr, clients: &[Option<Arc<ClientConfig>>]) -> Result<()> {
    let connect = |config: &Option<Arc<ClientConfig>>| -> Result<Link> {
        let socket = TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let tls = config.as_ref().map(tls::client).transpose()?;
        let mut link = Link::new(socket, request("/first").into_bytes(), tls)?;
        link.send()?;
        Ok(link)
    };
    let links: Vec<Link> = clients.iter().map(connect).collect::<Result<_>>()?;
    let mut buffer = [0; 4096];
    for mut link in links {
        loop {
            let n = link.read(&mut buffer)?;
            if n == 0 {
                return Err("the server closed a connection".into());
            }
            if buffer[..n].contains(&MARK) {
                break;
            }
        }
    }
    Ok(())
}

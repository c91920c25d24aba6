//! Events through a whole connection: a server in another process writes an encoded stream as fast
//! as the socket takes it, and clients take turns at it.
//!
//! `cargo run --release --manifest-path dev/bench/Cargo.toml --bin client`, with a part of a client's name
//! behind `--` to measure that one alone, beside the limit.

#![allow(missing_docs)]

#[path = "../corpus.rs"]
mod corpus;
#[cfg(feature = "peers")]
mod peers;
mod server;

use std::{
    io::{BufRead, BufReader},
    pin::Pin,
    process::{Command, Stdio},
    time::Instant,
};

use corpus::{Corpus, RECIPES};
use rustix::time::{ClockId, clock_gettime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

pub(crate) type Error = Box<dyn std::error::Error>;

/// Takes this many events from a URL, and returns the number of bytes of their data.
pub(crate) type Client = fn(String, usize) -> Pin<Box<dyn Future<Output = Result<usize, Error>>>>;

const ROUNDS: usize = 15;

/// The approximate number of bytes of the stream that a client takes in a round.
const SIZE: usize = 24 << 20;

const CORPORA: [&str; 3] = [
    "200 B of JSON",
    "20 lines of 60 B",
    "id, event type, 200 B of JSON",
];

/// The limit, then ours, then the peers.
fn clients() -> Vec<(&'static str, Client)> {
    #[allow(unused_mut)]
    let mut clients: Vec<(&'static str, Client)> = vec![
        (
            "reads the bytes and throws them away (limit)",
            |url, events| Box::pin(bytes(url, events)),
        ),
        ("**`sse_tokio::EventSource`**", |url, events| {
            Box::pin(ours(url, events))
        }),
    ];
    #[cfg(feature = "peers")]
    clients.extend(peers::CLIENTS);
    clients
}

fn main() -> Result<(), Error> {
    let argument = std::env::args().nth(1).unwrap_or_default();
    if argument == "server" {
        return server::serve();
    }
    let mut clients = clients();
    let (mut is_limit, len) = (true, clients.len());
    clients.retain(|(name, _)| std::mem::take(&mut is_limit) || name.contains(&argument));
    if clients.len() == 1 && len > 1 {
        return Err(format!("there is no client with {argument:?} in its name").into());
    }
    let mut server = Command::new(std::env::current_exe()?)
        .arg("server")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut port = String::new();
    BufReader::new(server.stdout.take().ok_or("no output")?).read_line(&mut port)?;
    let result = tables(port.trim(), &clients);
    server.kill()?;
    server.wait()?;
    result
}

fn tables(port: &str, clients: &[(&'static str, Client)]) -> Result<(), Error> {
    for name in CORPORA {
        let (n, recipe) = RECIPES
            .iter()
            .enumerate()
            .find(|(_, r)| r.name() == name)
            .ok_or("no corpus")?;
        let corpus = recipe.make(server::SIZE);
        let events = corpus.events.len() * (SIZE / server::SIZE);
        let url = format!("http://127.0.0.1:{port}/{n}");

        let mut rounds = vec![Vec::new(); clients.len()];
        for round in 0..=ROUNDS {
            for ((name, client), rounds) in clients.iter().zip(&mut rounds) {
                let expected = data(&corpus) * (SIZE / server::SIZE);
                let taken = take(*client, &url, events)?;
                // The limit sees no events.
                if taken.bytes != expected && !name.contains("limit") {
                    return Err(format!(
                        "{name} took {} bytes of data, not {expected}",
                        taken.bytes
                    )
                    .into());
                }
                // The first round warms up.
                if round > 0 {
                    rounds.push(taken);
                }
            }
        }

        println!("{name}, {events} events a round:\n");
        println!(
            "| client | million events/s | CPU per event, ns | CPU, as a ratio to the limit's |"
        );
        println!("|---|--:|--:|--:|");
        for (rounds, (name, _)) in std::iter::zip(&rounds_with_limit(&rounds), clients) {
            let speed = median(
                rounds
                    .iter()
                    .map(|(taken, _)| events as f64 / taken.seconds / 1e6),
            );
            let cpu = median(
                rounds
                    .iter()
                    .map(|(taken, _)| taken.cpu / events as f64 * 1e9),
            );
            let ratio = median(rounds.iter().map(|(taken, limit)| taken.cpu / limit.cpu));
            println!("| {name} | {speed:.2} | {cpu:.0} | {ratio:.2} |");
        }
        println!();
    }
    Ok(())
}

/// Each client's rounds with the limit's of the same turn.
fn rounds_with_limit(rounds: &[Vec<Taken>]) -> Vec<Vec<(Taken, Taken)>> {
    let with_limit = |client: &Vec<Taken>| {
        std::iter::zip(client, &rounds[0])
            .map(|(a, b)| (*a, *b))
            .collect()
    };
    rounds.iter().map(with_limit).collect()
}

#[derive(Clone, Copy)]
struct Taken {
    bytes: usize,
    seconds: f64,
    cpu: f64,
}

fn take(client: Client, url: &str, events: usize) -> Result<Taken, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (start, cpu) = (Instant::now(), cpu_time());
    let bytes = runtime.block_on(client(url.to_owned(), events))?;
    Ok(Taken {
        bytes,
        seconds: start.elapsed().as_secs_f64(),
        cpu: cpu_time() - cpu,
    })
}

/// Returns the CPU time that this process has used so far, in seconds.
fn cpu_time() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

fn data(corpus: &Corpus) -> usize {
    corpus
        .events
        .iter()
        .filter_map(|event| event.data())
        .map(str::len)
        .sum()
}

fn median(samples: impl Iterator<Item = f64>) -> f64 {
    let mut samples: Vec<f64> = samples.collect();
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}

/// Takes about as many bytes as the others do.
async fn bytes(url: String, _events: usize) -> Result<usize, Error> {
    let (authority, target) = url
        .trim_start_matches("http://")
        .split_once('/')
        .ok_or("no target")?;
    let mut socket = tokio::net::TcpStream::connect(authority).await?;
    let head = format!("GET /{target} HTTP/1.1\r\nHost: {authority}\r\n\r\n");
    socket.write_all(head.as_bytes()).await?;
    let (mut buffer, mut bytes) = (vec![0; 64 << 10], 0);
    while bytes < SIZE {
        bytes += socket.read(&mut buffer).await?;
    }
    Ok(bytes)
}

async fn ours(url: String, events: usize) -> Result<usize, Error> {
    let mut source = sse_tokio::EventSource::new(&url)?;
    let mut bytes = 0;
    for _ in 0..events {
        bytes += source.next().await.ok_or("the end")??.data().len();
    }
    Ok(bytes)
}

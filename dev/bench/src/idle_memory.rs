//! The resident memory of an idle connection: `idle_memory [CONNECTIONS]`, 5,000 by default.
//!
//! Of each runtime three servers are measured, each in a process of its own, which is this program
//! again: ours, with its defaults, with a stream for each client (`stream`) and with a topic for all
//! (`topic`), and a bare one that holds each socket in a task that waits to read (`bare`). Every client
//! has read one event and then waits.

mod idle;

use std::{
    env, fs,
    io::{BufRead, BufReader},
    net::Ipv4Addr,
    process::{Child, Command, Stdio},
};

use futures_util::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use sse_async_std::AsyncStd;
use sse_smol::Smol;
use sse_tokio::{Tokio, driver::Runtime};
use tokio_util::compat::TokioAsyncReadCompatExt;

use idle::{Result, connect};

const RUNTIMES: [&str; 3] = ["tokio", "smol", "async-std"];
const SERVERS: [&str; 3] = ["bare", "stream", "topic"];

fn main() -> Result<()> {
    rlimit::increase_nofile_limit(u64::MAX)?;
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [runtime, server] => serve(runtime, server),
        [] => measure_all(5_000),
        [connections] => measure_all(connections.parse()?),
        _ => Err("idle_memory [CONNECTIONS]".into()),
    }
}

fn measure_all(connections: usize) -> Result<()> {
    println!("Resident memory per idle connection in bytes, {connections} held.\n");
    println!("| runtime | {} |", SERVERS.join(" | "));
    println!("|---|{}", "--:|".repeat(SERVERS.len()));
    for runtime in RUNTIMES {
        let cells = SERVERS.map(|server| measure(runtime, server, connections));
        let cells: Vec<_> = cells.into_iter().collect::<Result<_>>()?;
        let cells: Vec<_> = cells.iter().map(ToString::to_string).collect();
        println!("| {runtime} | {} |", cells.join(" | "));
    }
    Ok(())
}

/// Serves on one thread until this process is ended.
fn serve(runtime: &str, server: &str) -> Result<()> {
    match runtime {
        "tokio" => tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?
            .block_on(async {
                match server {
                    "bare" => bare_on_tokio().await,
                    _ => serve_ours::<Tokio>(server).await,
                }
            }),
        "smol" => smol::block_on(async {
            match server {
                "bare" => bare_on_smol().await,
                _ => serve_ours::<Smol>(server).await,
            }
        }),
        "async-std" => async_std::task::block_on(async {
            match server {
                "bare" => bare_on_async_std().await,
                _ => serve_ours::<AsyncStd>(server).await,
            }
        }),
        _ => Err(format!("there is no runtime {runtime}").into()),
    }
}

async fn serve_ours<R: Runtime + Default>(server: &str) -> Result<()> {
    idle::serve_ours::<R>(server, |address| println!("{address}")).await
}

async fn bare_on_tokio() -> Result<()> {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("{}", listener.local_addr()?);
    loop {
        let (socket, _) = listener.accept().await?;
        tokio::spawn(hold(socket.compat()));
    }
}

async fn bare_on_smol() -> Result<()> {
    let listener = smol::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("{}", listener.local_addr()?);
    loop {
        let (socket, _) = listener.accept().await?;
        smol::spawn(hold(socket)).detach();
    }
}

async fn bare_on_async_std() -> Result<()> {
    let listener = async_std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("{}", listener.local_addr()?);
    loop {
        let (socket, _) = listener.accept().await?;
        async_std::task::spawn(hold(socket));
    }
}

/// Sends an event, and waits to read.
async fn hold(mut socket: impl AsyncRead + AsyncWrite + Unpin) {
    let mut byte = [0];
    if socket.write_all(b"data: hello\n\n").await.is_err() {
        return;
    }
    while socket.read(&mut byte).await.is_ok_and(|n| n > 0) {}
}

/// Returns the bytes of resident memory that each of this many connections adds to this server on
/// this runtime.
fn measure(runtime: &str, server: &str, connections: usize) -> Result<usize> {
    let mut child = Command::new(env::current_exe()?)
        .args([runtime, server])
        .env("ASYNC_STD_THREAD_COUNT", "1")
        .env("SMOL_THREADS", "1")
        .stdout(Stdio::piped())
        .spawn()?;
    let result = measure_process(&mut child, connections);
    child.kill()?;
    child.wait()?;
    result
}

fn measure_process(child: &mut Child, connections: usize) -> Result<usize> {
    let output = child.stdout.take().ok_or("the server has no output")?;
    let mut address = String::new();
    BufReader::new(output).read_line(&mut address)?;
    let address = address.trim();

    // Allocations for the first connections do not count as a cost of the later ones.
    let first: Vec<_> = (0..16).map(|_| connect(address)).collect::<Result<_>>()?;
    let before = resident(child)?;
    let more: Vec<_> = (0..connections)
        .map(|_| connect(address))
        .collect::<Result<_>>()?;
    let after = resident(child)?;
    drop((first, more));
    Ok(after.saturating_sub(before) / connections.max(1))
}

/// Returns the process's resident memory in bytes.
fn resident(child: &Child) -> Result<usize> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    Ok(kib.ok_or("no VmRSS")?.trim().parse::<usize>()? * 1024)
}

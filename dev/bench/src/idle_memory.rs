//! What an idle connection costs in resident memory: `idle_memory [CONNECTIONS]`, 5,000 unless told.
//!
//! Three servers are measured in one run, each in a process of its own, which is this program again:
//! ours, with its defaults, with a stream for each client and with a topic for all, and a bare one
//! that holds each socket in a task that waits to read. Every client has read one event and then
//! waits.

use std::{
    env,
    error::Error,
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
};

use futures_util::{StreamExt, stream};
use sse_tokio::{Router, Server, ServerConfig, Tokio, Topic, topic};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const SERVERS: [&str; 3] = ["bare", "sse-tokio", "topic"];

/// How long a client waits for its event.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

fn main() -> Result<()> {
    rlimit::increase_nofile_limit(u64::MAX)?;
    let argument = env::args().nth(1);
    match argument.as_deref() {
        Some("bare") => runtime()?.block_on(serve_bare()),
        Some("sse-tokio") => runtime()?.block_on(serve_ours(a_stream_each())),
        Some("topic") => runtime()?.block_on(serve_ours(one_topic()?)),
        other => {
            let connections = other.map_or(Ok(5_000), str::parse)?;
            println!("resident memory per idle connection, {connections} held");
            for server in SERVERS {
                let bytes = measure(server, connections)?;
                println!("{server:10} {bytes:6} bytes");
            }
            Ok(())
        }
    }
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?)
}

fn a_stream_each() -> Router {
    Router::new().events("/", |_| stream::iter(["hello"]).chain(stream::pending()))
}

fn one_topic() -> Result<Router> {
    let topic = Topic::on(Tokio, topic::TopicConfig::default());
    topic.publish("hello")?;
    Ok(Router::new().events("/", move |_| topic.subscribe_from_oldest()))
}

async fn serve_ours(router: Router) -> Result<()> {
    let mut config = ServerConfig::default();
    config.max_connections = usize::MAX;
    let server = Server::bind("127.0.0.1:0").await?.with_config(config);
    println!("{}", server.local_addr()?);
    server.serve(router).await?;
    Ok(())
}

async fn serve_bare() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    loop {
        let (mut socket, _) = listener.accept().await?;
        tokio::spawn(async move {
            let mut byte = [0];
            let greeted = socket.write_all(b"data: hello\n\n").await.is_ok();
            while greeted && socket.read(&mut byte).await.is_ok_and(|n| n > 0) {}
        });
    }
}

/// Bytes of resident memory that each of so many connections adds to this server.
fn measure(server: &str, connections: usize) -> Result<usize> {
    let mut child = Command::new(env::current_exe()?)
        .arg(server)
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

    // Whatever comes into being with the first connections is not the later ones' cost.
    let first: Vec<_> = (0..16).map(|_| connect(address)).collect::<Result<_>>()?;
    let before = resident(child)?;
    let more: Vec<_> = (0..connections)
        .map(|_| connect(address))
        .collect::<Result<_>>()?;
    let after = resident(child)?;
    drop((first, more));
    Ok(after.saturating_sub(before) / connections.max(1))
}

/// A client that has read its event.
fn connect(address: &str) -> Result<TcpStream> {
    let mut socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")?;
    let (mut text, mut buffer) = (Vec::new(), [0; 1024]);
    while !text.windows(5).any(|window| window == b"hello") {
        match socket.read(&mut buffer)? {
            0 => return Err("the server closed a connection".into()),
            n => text.extend_from_slice(&buffer[..n]),
        }
    }
    Ok(socket)
}

/// The process's resident memory in bytes.
fn resident(child: &Child) -> Result<usize> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    Ok(kib.ok_or("no VmRSS")?.trim().parse::<usize>()? * 1024)
}

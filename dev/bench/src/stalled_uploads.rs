//! The resident memory that stalled uploads take: `stalled_uploads [CLIENTS [BUDGET]]`, 10,000
//! clients and the default budget by default; `BUDGET` is in bytes.
//!
//! Each client sends a byte less than a request body may have, and then waits. The server is in a
//! process of its own, which is this program again.

use std::{
    env,
    error::Error,
    fs,
    io::{BufRead, BufReader, ErrorKind, Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
    time::Duration,
};

use futures_util::stream;
use sse_tokio::{Budget, Request, Router, Server, ServerConfig};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The largest body by default.
const BODY: usize = 1024 * 1024;

fn main() -> Result<()> {
    rlimit::increase_nofile_limit(u64::MAX)?;
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |text: Option<&&str>, default| text.map_or(Ok(default), |text| text.parse());
    if let ["serve", budget] = arguments[..] {
        return tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?
            .block_on(serve(budget.parse()?));
    }
    let clients = number(arguments.first(), 10_000)?;
    let budget = number(arguments.get(1), Budget::DEFAULT)?;
    let mut child = Command::new(env::current_exe()?)
        .args(["serve", &budget.to_string()])
        .stdout(Stdio::piped())
        .spawn()?;
    let measured = measure(&mut child, clients);
    child.kill()?;
    child.wait()?;
    let (before, after, refused) = measured?;
    let mib = |bytes: usize| bytes / (1024 * 1024);
    println!(
        "{clients} uploads that stall a byte before their end, a budget of {} MiB",
        mib(budget)
    );
    println!(
        "resident memory: {} MiB before, {} MiB after",
        mib(before),
        mib(after)
    );
    println!("{refused} were refused");
    Ok(())
}

async fn serve(budget: usize) -> Result<()> {
    let mut config = ServerConfig::default();
    config.max_connections = usize::MAX;
    config.connection.response.budget = Budget::new(budget);
    // The clients stall for as long as it takes to send them all.
    config.connection.response.body_timeout = Duration::from_secs(3600);
    let server = Server::bind("127.0.0.1:0").await?.with_config(config);
    println!("{}", server.local_addr()?);
    let handler = |request: Request| stream::iter([request.body().len()]);
    server.serve(Router::new().post("/", handler)).await?;
    Ok(())
}

/// Returns the server's resident memory before and after, and the number of refused clients.
fn measure(child: &mut Child, clients: usize) -> Result<(usize, usize, usize)> {
    let output = child.stdout.take().ok_or("the server has no output")?;
    let mut address = String::new();
    BufReader::new(output).read_line(&mut address)?;
    let before = resident(child)?;
    let mut waiting = Vec::new();
    let mut refused = 0;
    for _ in 0..clients {
        match upload(address.trim())? {
            Some(socket) => waiting.push(socket),
            None => refused += 1,
        }
    }
    // The last bytes may still be on their way.
    std::thread::sleep(Duration::from_secs(1));
    Ok((before, resident(child)?, refused))
}

/// Returns a client that waits; `None` if it was refused.
fn upload(address: &str) -> Result<Option<TcpStream>> {
    let mut socket = TcpStream::connect(address)?;
    write!(
        socket,
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {BODY}\r\n\r\n"
    )?;
    if let Err(error) = socket.write_all(&vec![b'x'; BODY - 1]) {
        return match error.kind() {
            ErrorKind::BrokenPipe | ErrorKind::ConnectionReset => Ok(None),
            _ => Err(error.into()),
        };
    }
    // A refusal arrives at the first bytes that are too many.
    socket.set_read_timeout(Some(Duration::from_millis(1)))?;
    match socket.read(&mut [0; 16]) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(Some(socket)),
        _ => Ok(None),
    }
}

/// Returns the process's resident memory in bytes.
fn resident(child: &Child) -> Result<usize> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    Ok(kib.ok_or("no VmRSS")?.trim().parse::<usize>()? * 1024)
}

//! The server: a process that listens on a socket that it was given.

use std::{
    env, fs,
    io::Write,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::fd::{AsFd, OwnedFd},
    process::{Child, Command, Stdio},
    time::{Duration, SystemTime},
};

use sse_tokio::{Event, Request, Router, Server, ServerConfig, Tokio, Topic, TopicConfig};
use tokio::io::AsyncReadExt;

use crate::Result;

/// How many clients may wait for a server.
const BACKLOG: i32 = 4096;

/// How many events a new server's history begins with.
const HISTORY: u64 = 2_000;

/// How a graceful shutdown spreads the clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spread {
    None,
    Retry,
    Ends,
    Both,
}

impl Spread {
    pub(crate) const ALL: [Self; 4] = [Self::None, Self::Retry, Self::Ends, Self::Both];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Retry => "retry",
            Self::Ends => "ends",
            Self::Both => "both",
        }
    }

    pub(crate) fn named(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|spread| spread.name() == name);
        found.ok_or_else(|| format!("there is no spread {name}").into())
    }
}

/// The port that stays open.
pub(crate) struct Port {
    listener: OwnedFd,
    pub(crate) address: SocketAddr,
    /// When the first event was.
    began: SystemTime,
}

impl Port {
    pub(crate) fn open() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        // Again, with room for more.
        rustix::net::listen(&listener, BACKLOG)?;
        Ok(Self {
            address: listener.local_addr()?,
            listener: listener.into(),
            began: SystemTime::now(),
        })
    }

    /// The number of the last event by now.
    pub(crate) fn number(&self, rate: u32) -> u64 {
        number(self.began, rate)
    }
}

fn number(began: SystemTime, rate: u32) -> u64 {
    let passed = began.elapsed().unwrap_or_default();
    (passed.as_secs_f64() * f64::from(rate)) as u64
}

/// A server in a process of its own. It is killed when this is dropped.
pub(crate) struct Process {
    child: Child,
    control: TcpStream,
}

impl Process {
    pub(crate) fn start(port: &Port, spread: Spread, rate: u32) -> Result<Self> {
        let control = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let began = port.began.duration_since(SystemTime::UNIX_EPOCH)?;
        let child = Command::new(env::current_exe()?)
            .args(["serve", &control.local_addr()?.to_string(), spread.name()])
            .args([rate.to_string(), began.as_micros().to_string()])
            .stdin(Stdio::from(port.listener.try_clone()?))
            .spawn()?;
        let (control, _) = control.accept()?;
        Ok(Self { child, control })
    }

    /// Has it shut down gracefully.
    pub(crate) fn stop(&mut self) -> Result<()> {
        Ok(self.control.write_all(b"s")?)
    }

    pub(crate) fn kill(&mut self) -> Result<()> {
        Ok(self.child.kill()?)
    }

    pub(crate) fn is_gone(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// Its CPU time, and the most memory that it had, in bytes.
    pub(crate) fn cost(&self) -> Result<(Duration, u64)> {
        let path = |file| format!("/proc/{}/{file}", self.child.id());
        // In nanoseconds.
        let cpu = fs::read_to_string(path("schedstat"))?;
        let cpu = cpu.split(' ').next().ok_or("no CPU time")?.parse()?;
        let status = fs::read_to_string(path("status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
        let memory = kib.ok_or("no VmHWM")?.trim().parse::<u64>()? * 1024;
        Ok((Duration::from_nanos(cpu), memory))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Serves on its standard input until it is told to stop.
pub(crate) fn serve(how: &[String]) -> Result<()> {
    let [control, spread, rate, began] = how else {
        return Err("this is for the program itself".into());
    };
    let _ = rlimit::increase_nofile_limit(1 << 16);
    let (spread, rate): (_, u32) = (Spread::named(spread)?, rate.parse()?);
    let began = SystemTime::UNIX_EPOCH + Duration::from_micros(began.parse()?);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut config = ServerConfig::default();
    let windows = &mut config.shutdown_spread;
    if matches!(spread, Spread::None | Spread::Retry) {
        windows.ends = Duration::ZERO;
    }
    if matches!(spread, Spread::None | Spread::Ends) {
        windows.retry = Duration::ZERO;
    }
    runtime.block_on(async {
        let listener = TcpListener::from(std::io::stdin().as_fd().try_clone_to_owned()?);
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let topic = Topic::on(Tokio, TopicConfig::default());
        // All that there was, and what there was meanwhile.
        let mut published = number(began, rate).saturating_sub(HISTORY);
        publish(&topic, &mut published, began, rate);
        let source = topic.clone();
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_millis(5)).await;
                publish(&topic, &mut published, began, rate);
            }
        });
        let server = Server::new(Tokio, listener).with_config(config);
        let handle = server.handle();
        let mut control = tokio::net::TcpStream::connect(control.as_str()).await?;
        tokio::spawn(async move {
            let _ = control.read_u8().await;
            handle.shut_down();
        });
        let subscribe = move |request: Request| source.resume(&request);
        server.serve(Router::new().events("/", subscribe)).await?;
        Ok(())
    })
}

/// Publishes what is due.
fn publish(topic: &Topic, published: &mut u64, began: SystemTime, rate: u32) {
    while *published < number(began, rate) {
        *published += 1;
        // It is small enough, and the ID is one.
        let _ = topic.publish(Event::new(published.to_string()).under_id(*published));
    }
}

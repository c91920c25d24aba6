//! The servers as processes, seen from the program that measures them.

use std::{
    env, fs,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    ops::RangeInclusive,
    os::fd::OwnedFd,
    process::{Child, Command, Stdio},
    time::{Duration, SystemTime},
};

use crate::{
    Result,
    events::Clock,
    server::{Kind, Spread},
    tls::{self, Handshakes},
};

/// The number of clients that may wait for a server on a port that stays open.
const BACKLOG: i32 = 4096;

/// The ports of servers that listen by themselves, below those that Linux gives to clients.
const OWN_PORTS: RangeInclusive<u16> = 20_000..=30_000;

/// The arguments of a server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Orders {
    pub(crate) kind: Kind,
    pub(crate) spread: Spread,
    pub(crate) clock: Clock,
    pub(crate) handshakes: Handshakes,
    /// The port of Redis, for a server that needs it.
    pub(crate) redis: u16,
    /// The address to listen on; without it the standard input is the listening socket.
    pub(crate) address: Option<SocketAddr>,
}

impl Orders {
    fn to_arguments(self) -> Result<[String; 7]> {
        let began = self.clock.began.duration_since(SystemTime::UNIX_EPOCH)?;
        Ok([
            self.kind.name().to_owned(),
            self.spread.name().to_owned(),
            began.as_micros().to_string(),
            self.clock.rate.to_string(),
            self.handshakes.name().to_owned(),
            self.redis.to_string(),
            self.address.map_or("-".to_owned(), |it| it.to_string()),
        ])
    }

    pub(crate) fn from_arguments(arguments: &[String]) -> Result<Self> {
        let [kind, spread, began, rate, handshakes, redis, address] = arguments else {
            return Err("this is for the program itself".into());
        };
        let began = SystemTime::UNIX_EPOCH + Duration::from_micros(began.parse()?);
        Ok(Self {
            kind: Kind::named(kind)?,
            spread: Spread::named(spread)?,
            clock: Clock {
                began,
                rate: rate.parse()?,
            },
            handshakes: Handshakes::named(handshakes)?,
            redis: redis.parse()?,
            address: match address.as_str() {
                "-" => None,
                address => Some(address.parse()?),
            },
        })
    }
}

/// The port of all servers.
pub(crate) struct Port {
    pub(crate) address: SocketAddr,
    /// The listening socket, if it stays open without a server.
    listener: Option<OwnedFd>,
}

impl Port {
    /// Returns a port that stays open.
    pub(crate) fn held() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        // This sets a longer queue.
        rustix::net::listen(&listener, BACKLOG)?;
        Ok(Self {
            address: listener.local_addr()?,
            listener: Some(listener.into()),
        })
    }

    /// Returns a port on which each server listens by itself, and which is closed without a server.
    /// It is not one that the system gives to clients, which could take it meanwhile.
    pub(crate) fn free() -> Result<Self> {
        let listener = OWN_PORTS.rev().find_map(|port| {
            let address = (Ipv4Addr::LOCALHOST, port);
            TcpListener::bind(address).ok()
        });
        Ok(Self {
            address: listener.ok_or("no free port")?.local_addr()?,
            listener: None,
        })
    }
}

/// A server, which is killed when this is dropped.
pub(crate) struct Process {
    child: Child,
    control: TcpStream,
}

impl Process {
    /// Starts it.
    pub(crate) fn start(port: &Port, mut orders: Orders) -> Result<Self> {
        let control = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let stdin = match &port.listener {
            Some(listener) => Stdio::from(listener.try_clone()?),
            None => {
                orders.address = Some(port.address);
                Stdio::null()
            }
        };
        let child = Command::new(env::current_exe()?)
            .args(["serve", &control.local_addr()?.to_string()])
            .args(orders.to_arguments()?)
            .env(tls::IDENTITY, tls::identity_pem()?)
            // The servers on tokio set this in code.
            .env("ASYNC_STD_THREAD_COUNT", "1")
            .env("SMOL_THREADS", "1")
            .stdin(stdin)
            .spawn()?;
        let (control, _) = control.accept()?;
        Ok(Self { child, control })
    }

    /// Waits until it listens.
    pub(crate) fn listens(&mut self) -> Result<()> {
        Ok(self.control.read_exact(&mut [0])?)
    }

    /// Shuts it down gracefully.
    pub(crate) fn stop(&mut self) -> Result<()> {
        Ok(self.control.write_all(b"s")?)
    }

    pub(crate) fn kill(&mut self) -> Result<()> {
        Ok(self.child.kill()?)
    }

    pub(crate) fn is_gone(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// Returns the CPU time of its threads, and its largest memory in bytes.
    pub(crate) fn cost(&self) -> Result<(Duration, u64)> {
        let folder = format!("/proc/{}", self.child.id());
        let mut cpu = Duration::ZERO;
        for task in fs::read_dir(format!("{folder}/task"))? {
            let told = fs::read_to_string(task?.path().join("schedstat"))?;
            let nanos = told.split(' ').next().ok_or("no CPU time")?.parse()?;
            cpu += Duration::from_nanos(nanos);
        }
        let status = fs::read_to_string(format!("{folder}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
        let memory = kib.ok_or("no VmHWM")?.trim().parse::<u64>()? * 1024;
        Ok((cpu, memory))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

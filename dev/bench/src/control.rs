//! The commands to a server: they go over a connection of their own, which the publishing task
//! reads, so that every server publishes on the thread of its other tasks.
//!
//! The server says on which port it listens. A number tells it to publish so many events; 0 asks
//! for the CPU time that it has used.

use std::{
    env,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    process::{Child, Command},
    time::Duration,
};

use futures_util::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use rustix::time::{ClockId, clock_gettime};

use crate::Result;

/// The byte by which clients count: every event has one, and nothing else in a stream does.
pub(crate) const MARK: u8 = b'~';

/// Returns the ID of an event, for a server that does not make one by itself: as long as ours.
#[allow(dead_code)] // without the peers, no server of one program needs it
pub(crate) fn id(sequence: u64) -> String {
    format!("2n9c0abc-{sequence}")
}

/// A server in a process of its own, which ends when this is dropped.
pub(crate) struct Process {
    child: Child,
    control: TcpStream,
    pub(crate) address: SocketAddr,
}

impl Process {
    /// Starts this program again as a server: with `serve`, these arguments and the address that it connects to.
    pub(crate) fn start<'a>(
        arguments: impl IntoIterator<Item = &'a str>,
        set: impl FnOnce(&mut Command),
    ) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let mut command = Command::new(env::current_exe()?);
        command
            .arg("serve")
            .args(arguments)
            .arg(listener.local_addr()?.to_string());
        set(&mut command);
        let child = command.spawn()?;
        let (mut control, _) = listener.accept()?;
        control.set_nodelay(true)?;
        control.set_read_timeout(Some(Duration::from_secs(30)))?;
        let mut port = [0; 4];
        control.read_exact(&mut port)?;
        let port = u16::try_from(u32::from_be_bytes(port))?;
        Ok(Self {
            child,
            control,
            address: (Ipv4Addr::LOCALHOST, port).into(),
        })
    }

    pub(crate) fn publish(&mut self, events: u32) -> Result<()> {
        Ok(self.control.write_all(&events.to_be_bytes())?)
    }

    /// Returns the CPU time that it has used, in all its threads.
    pub(crate) fn cpu_time(&mut self) -> Result<Duration> {
        self.control.write_all(&0_u32.to_be_bytes())?;
        let mut nanos = [0; 8];
        self.control.read_exact(&mut nanos)?;
        Ok(Duration::from_nanos(u64::from_be_bytes(nanos)))
    }

    /// Returns its resident memory in bytes.
    pub(crate) fn resident(&self) -> Result<usize> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
        Ok(kib.ok_or("no VmRSS")?.trim().parse::<usize>()? * 1024)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The server's side: sends the port on which it listens, and obeys until the program ends it.
pub(crate) async fn obey(
    mut control: impl AsyncRead + AsyncWrite + Unpin,
    port: u16,
    mut publish: impl FnMut(u32),
) -> Result<()> {
    control.write_all(&u32::from(port).to_be_bytes()).await?;
    let mut count = [0; 4];
    loop {
        control.read_exact(&mut count).await?;
        match u32::from_be_bytes(count) {
            0 => control.write_all(&own_cpu_time().to_be_bytes()).await?,
            events => publish(events),
        }
    }
}

/// Returns the CPU time that this process has used, in nanoseconds.
pub(crate) fn own_cpu_time() -> u64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

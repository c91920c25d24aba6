//! The clients: one thread that counts what comes, and does as little as it can beside.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

use rustix::event::epoll;

use crate::{Result, control::MARK};

/// How long nothing may come before the server is taken for broken.
const PATIENCE: Duration = Duration::from_secs(20);

/// How many connect before the server has had time for them: less than a listening socket's queue.
const AT_A_TIME: usize = 64;

pub(crate) struct Clients {
    poll: rustix::fd::OwnedFd,
    sockets: Vec<TcpStream>,
    /// How many events each has got.
    counts: Vec<u64>,
    buffer: Box<[u8]>,
    /// How long not to look, each time before looking for what has come.
    pub(crate) nap: Duration,
}

impl Clients {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            poll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            sockets: Vec::new(),
            counts: Vec::new(),
            buffer: vec![0; 256 * 1024].into(),
            nap: Duration::ZERO,
        })
    }

    /// Connects so many more, each of which has then got the head of its response.
    pub(crate) fn connect(
        &mut self,
        address: SocketAddr,
        path: &str,
        mut more: usize,
    ) -> Result<()> {
        let request = request(path);
        while more > 0 {
            let now = more.min(AT_A_TIME);
            more -= now;
            for _ in 0..now {
                let mut socket = TcpStream::connect(address)?;
                socket.write_all(request.as_bytes())?;
                socket.set_nonblocking(true)?;
                let data = epoll::EventData::new_u64(self.sockets.len() as u64);
                let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
                epoll::add(&self.poll, &socket, data, flags)?;
                self.sockets.push(socket);
                self.counts.push(0);
            }
            let mut silent: Vec<bool> = vec![true; self.sockets.len()];
            let mut answered = 0;
            while answered < now {
                self.receive(|client, _| {
                    if std::mem::replace(&mut silent[client], false) {
                        answered += 1;
                    }
                })?;
            }
        }
        Ok(())
    }

    /// Waits until so many events have come in all, and tells `each` how many came when.
    pub(crate) fn receive_events(
        &mut self,
        mut count: u64,
        mut each: impl FnMut(u64),
    ) -> Result<()> {
        while count > 0 {
            self.receive(|_, events| {
                count = count.saturating_sub(events);
                each(events);
            })?;
        }
        Ok(())
    }

    /// Counts from 0 again.
    pub(crate) fn forget_counts(&mut self) {
        self.counts.fill(0);
    }

    /// Whether everyone has got so many events.
    pub(crate) fn all_have(&self, count: u64) -> bool {
        self.counts.iter().all(|&got| got == count)
    }

    /// Waits until something comes, and tells of each client whether it was the start of something
    /// and how many events.
    fn receive(&mut self, mut each: impl FnMut(usize, u64)) -> Result<()> {
        if !self.nap.is_zero() {
            thread::sleep(self.nap);
        }
        let mut ready = Vec::with_capacity(1024);
        let patience = rustix::event::Timespec::try_from(PATIENCE)?;
        epoll::wait(
            &self.poll,
            rustix::buffer::spare_capacity(&mut ready),
            Some(&patience),
        )?;
        if ready.is_empty() {
            return Err("the server went silent".into());
        }
        for event in ready {
            let client = event.data.u64() as usize;
            loop {
                match self.sockets[client].read(&mut self.buffer) {
                    Ok(0) => return Err("the server closed a connection".into()),
                    Ok(n) => {
                        let events = memchr::memchr_iter(MARK, &self.buffer[..n]).count() as u64;
                        self.counts[client] += events;
                        each(client, events);
                        // With room left in the buffer nothing is left in the socket.
                        if n < self.buffer.len() {
                            break;
                        }
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }
}

/// What a client asks for this path.
pub(crate) fn request(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n")
}

/// When something began, and how long what came after it took.
pub(crate) struct Latencies {
    start: Instant,
    nanos: Vec<u32>,
}

impl Latencies {
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
            nanos: Vec::new(),
        }
    }

    pub(crate) fn start(&mut self) {
        self.start = Instant::now();
    }

    pub(crate) fn came(&mut self, events: u64) {
        let passed = self.start.elapsed().as_nanos() as u32;
        self.nanos.extend((0..events).map(|_| passed));
    }

    /// In nanoseconds, the latency that so much of all (0.5, say) has not exceeded.
    pub(crate) fn percentile(&mut self, share: f64) -> f64 {
        self.nanos.sort_unstable();
        let index = (self.nanos.len() as f64 * share) as usize;
        self.nanos.get(index).copied().map_or(f64::NAN, f64::from)
    }
}

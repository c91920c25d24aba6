//! The clients: one thread that counts the received events, and does as little else as it can.

use std::{
    io,
    net::{SocketAddr, TcpStream},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use rustix::event::epoll;
use sse_tokio::tls::rustls::ClientConfig;

use crate::{
    Result,
    control::MARK,
    http2::{self, Came, Frames},
    link::Link,
    tls::{self, Handshakes},
};

/// The longest time without received bytes, after which the server counts as broken.
const PATIENCE: Duration = Duration::from_secs(20);

/// The number of clients that connect before the server has had time for them: less than the queue
/// of a listening socket holds.
const AT_A_TIME: usize = 64;

/// The protocol by which clients ask for event streams.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Protocol {
    Http1,
    /// This many streams on each connection. Ours have HTTP/2 only inside another server.
    #[cfg_attr(not(feature = "peers"), allow(dead_code))]
    Http2(usize),
}

pub(crate) struct Clients {
    poll: rustix::fd::OwnedFd,
    protocol: Protocol,
    tls: Option<Arc<ClientConfig>>,
    connections: Vec<Connection>,
    buffer: Box<[u8]>,
    /// The time to wait before each look at what has arrived.
    pub(crate) nap: Duration,
}

struct Connection {
    link: Link,
    /// The number of event streams, of those that were answered, and of received events.
    streams: u64,
    answers: u64,
    events: u64,
    http2: Option<Frames>,
}

impl Clients {
    pub(crate) fn new(protocol: Protocol, handshakes: Handshakes) -> Result<Self> {
        Ok(Self {
            poll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            protocol,
            tls: tls::client_config(handshakes)?,
            connections: Vec::new(),
            buffer: vec![0; 256 * 1024].into(),
            nap: Duration::ZERO,
        })
    }

    /// Asks for this many more streams, and waits until each has received the head of its response.
    pub(crate) fn connect(
        &mut self,
        address: SocketAddr,
        path: &str,
        mut more: usize,
    ) -> Result<()> {
        while more > 0 {
            let mut asked = 0;
            while asked < more.min(AT_A_TIME) {
                asked += self.ask(address, path, more - asked)?;
            }
            more -= asked;
            let mut answered = 0;
            while answered < asked as u64 {
                self.receive(|came| answered += came.answers)?;
            }
        }
        Ok(())
    }

    /// Opens one connection, with as many streams as it may have and are wanted. Returns their
    /// number.
    fn ask(&mut self, address: SocketAddr, path: &str, wanted: usize) -> Result<usize> {
        let socket = TcpStream::connect(address)?;
        let (streams, requests, http2) = match self.protocol {
            Protocol::Http1 => (1, request(path).into_bytes(), None),
            Protocol::Http2(most) => {
                let streams = wanted.min(most);
                let requests = http2::requests(path, streams);
                (streams, requests, Some(Frames::default()))
            }
        };
        let tls = self.tls.as_ref().map(tls::client).transpose()?;
        let mut link = Link::new(socket, requests, tls)?;
        link.send()?;
        let socket = link.socket();
        socket.set_nonblocking(true)?;
        let data = epoll::EventData::new_u64(self.connections.len() as u64);
        let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
        epoll::add(&self.poll, socket, data, flags)?;
        self.connections.push(Connection {
            link,
            streams: streams as u64,
            answers: 0,
            events: 0,
            http2,
        });
        Ok(streams)
    }

    /// Waits until this many events have arrived in all, and calls `each` with every number of
    /// events that arrives.
    pub(crate) fn receive_events(
        &mut self,
        mut count: u64,
        mut each: impl FnMut(u64),
    ) -> Result<()> {
        while count > 0 {
            self.receive(|came| {
                count = count.saturating_sub(came.events);
                each(came.events);
            })?;
        }
        Ok(())
    }

    /// Counts from 0 again.
    pub(crate) fn forget_counts(&mut self) {
        for connection in &mut self.connections {
            connection.events = 0;
        }
    }

    /// Returns whether every stream has received this many events. For the streams of one
    /// connection the sum counts.
    pub(crate) fn all_have(&self, count: u64) -> bool {
        self.connections
            .iter()
            .all(|connection| connection.events == count * connection.streams)
    }

    /// Returns the number of received TLS records.
    pub(crate) fn records(&self) -> u64 {
        let links = self.connections.iter().map(|it| &it.link);
        links.map(Link::records).sum()
    }

    /// Waits until something arrives, and calls `each` with it.
    fn receive(&mut self, mut each: impl FnMut(Came)) -> Result<()> {
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
            let connection = &mut self.connections[event.data.u64() as usize];
            loop {
                match connection.link.read(&mut self.buffer) {
                    Ok(0) => return Err("the server closed a connection".into()),
                    Ok(n) => {
                        each(connection.take(&self.buffer[..n])?);
                        // If the buffer has room left, the socket has nothing more.
                        if n < self.buffer.len() && !connection.link.is_over_tls() {
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

impl Connection {
    fn take(&mut self, bytes: &[u8]) -> Result<Came> {
        let came = match &mut self.http2 {
            None => Came {
                // The first bytes of a connection are its answer.
                answers: u64::from(self.answers == 0),
                events: memchr::memchr_iter(MARK, bytes).count() as u64,
            },
            Some(frames) => frames.take(bytes, self.link.socket())?,
        };
        self.answers += came.answers;
        self.events += came.events;
        Ok(came)
    }
}

/// Returns the request of a client for this path.
pub(crate) fn request(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n")
}

/// The start of a measurement, and the times from it until each arrival.
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

    /// Returns the latency in nanoseconds that this share of all (such as 0.5) has not exceeded.
    pub(crate) fn percentile(&mut self, share: f64) -> f64 {
        self.nanos.sort_unstable();
        let index = (self.nanos.len() as f64 * share) as usize;
        self.nanos.get(index).copied().map_or(f64::NAN, f64::from)
    }
}

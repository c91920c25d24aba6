//! The clients: one thread that reads events, and connects again.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    fmt::Write,
    io,
    net::SocketAddr,
    os::fd::OwnedFd,
    sync::Arc,
    time::{Duration, Instant},
};

use rustix::{
    event::epoll,
    net::{AddressFamily, SocketFlags, SocketType},
};
use sse_core::{Decoded, Decoder};
use sse_tokio::tls::rustls::ClientConfig;

use crate::{
    Result,
    link::Link,
    tls::{self, Handshakes},
};

/// The reconnection time of a client to which no server has sent another one.
const RECONNECTION_TIME: Duration = Duration::from_secs(3);

/// The wait of a client in a hurry after a failed attempt.
const HURRY: Duration = Duration::from_millis(200);

/// The number of clients that connect before the server has had time for them.
const AT_A_TIME: usize = 64;

/// The longest time that the server may take to answer these.
const PATIENCE: Duration = Duration::from_secs(20);

/// When clients connect again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// As browsers do: after 3 s, or what a `retry` line says.
    Browser,
    /// At once, and then every 200 ms.
    Hurry,
}

pub(crate) struct Clients {
    address: SocketAddr,
    pace: Pace,
    poll: OwnedFd,
    clients: Vec<Client>,
    /// The clients that are to connect, and when.
    waiting: BinaryHeap<Reverse<(Instant, usize)>>,
    buffer: Box<[u8]>,
    /// The beginning of the storm, and the number of the last event before it.
    begin: Option<(Instant, u64)>,
    storm: Storm,
}

/// What was observed since the storm began.
#[derive(Default)]
pub(crate) struct Storm {
    /// When each client received an event that is newer than the storm, over a connection that is
    /// newer, too.
    pub(crate) back: Vec<Duration>,
    /// When each attempt to connect was made.
    pub(crate) connections: Vec<Duration>,
    pub(crate) lost: u64,
    pub(crate) twice: u64,
}

struct Client {
    link: Option<Link>,
    tls: Option<Arc<ClientConfig>>,
    head: Vec<u8>,
    has_head: bool,
    decoder: Decoder,
    retry: Duration,
    last: Option<u64>,
    last_event_id: String,
    /// Whether it got an answer since the storm began. It may have tried to connect before: a
    /// segment that the old server's full queue dropped is sent again a second later, and reaches
    /// the new server.
    is_new: bool,
    is_back: bool,
}

impl Clients {
    pub(crate) fn new(
        address: SocketAddr,
        count: usize,
        pace: Pace,
        handshakes: Handshakes,
    ) -> Result<Self> {
        let client = |_| -> Result<Client> {
            Ok(Client {
                link: None,
                tls: tls::client_config(handshakes)?,
                head: Vec::new(),
                has_head: false,
                decoder: Decoder::new(),
                retry: RECONNECTION_TIME,
                last: None,
                last_event_id: String::new(),
                is_new: false,
                is_back: false,
            })
        };
        Ok(Self {
            address,
            pace,
            poll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            clients: (0..count).map(client).collect::<Result<_>>()?,
            waiting: BinaryHeap::new(),
            buffer: vec![0; 64 * 1024].into(),
            begin: None,
            storm: Storm::default(),
        })
    }

    /// Connects all clients, a few at a time.
    pub(crate) fn connect_all(&mut self) -> Result<()> {
        for first in (0..self.clients.len()).step_by(AT_A_TIME) {
            let these = first..(first + AT_A_TIME).min(self.clients.len());
            for client in these.clone() {
                self.connect(client)?;
            }
            let end = Instant::now() + PATIENCE;
            while self.clients[these.clone()].iter().any(|it| !it.has_head) {
                if Instant::now() > end {
                    return Err("the server does not answer".into());
                }
                self.turn(Duration::from_millis(20))?;
            }
        }
        Ok(())
    }

    pub(crate) fn storm_begins(&mut self, now: Instant, number: u64) {
        self.begin = Some((now, number));
    }

    pub(crate) fn all_are_back(&self) -> bool {
        self.missing() == 0
    }

    pub(crate) fn missing(&self) -> usize {
        self.clients.len() - self.storm.back.len()
    }

    pub(crate) fn storm(self) -> Storm {
        self.storm
    }

    /// Reads, and connects the clients whose time has come, until `end`.
    pub(crate) fn run_until(&mut self, end: Instant) -> Result<()> {
        loop {
            let now = Instant::now();
            while let Some(Reverse((at, client))) = self.waiting.peek().copied() {
                if at > now {
                    break;
                }
                self.waiting.pop();
                self.connect(client)?;
            }
            if now >= end {
                return Ok(());
            }
            let next = self.waiting.peek().map_or(end, |Reverse((at, _))| *at);
            self.turn(next.min(end).saturating_duration_since(now))?;
        }
    }

    fn connect(&mut self, number: usize) -> Result<()> {
        if let Some((begin, _)) = self.begin {
            self.storm.connections.push(begin.elapsed());
        }
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket =
            rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
        match rustix::net::connect(&socket, &self.address) {
            Ok(()) | Err(rustix::io::Errno::INPROGRESS) => {}
            Err(rustix::io::Errno::CONNREFUSED) => {
                self.lose(number);
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        }
        let data = epoll::EventData::new_u64(number as u64);
        let flags = epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::ET;
        epoll::add(&self.poll, &socket, data, flags)?;
        let client = &mut self.clients[number];
        let tls = client.tls.as_ref().map(tls::client).transpose()?;
        client.link = Some(Link::new(socket.into(), client.request().into(), tls)?);
        client.head.clear();
        client.has_head = false;
        client.decoder = Decoder::new();
        client.is_new = false;
        Ok(())
    }

    /// Handles a connection that is closed or could not be made: the client connects again after a
    /// while.
    fn lose(&mut self, number: usize) {
        let client = &mut self.clients[number];
        client.link = None;
        let wait = match self.pace {
            Pace::Browser => client.retry,
            Pace::Hurry if client.has_head => Duration::ZERO,
            Pace::Hurry => HURRY,
        };
        client.has_head = false;
        self.waiting.push(Reverse((Instant::now() + wait, number)));
    }

    /// Waits at most this long until something happens, and handles it.
    fn turn(&mut self, wait: Duration) -> Result<()> {
        let mut ready = Vec::with_capacity(1024);
        let wait = rustix::event::Timespec::try_from(wait)?;
        epoll::wait(
            &self.poll,
            rustix::buffer::spare_capacity(&mut ready),
            Some(&wait),
        )?;
        for event in ready {
            let number = event.data.u64() as usize;
            if !self.read(number)? {
                self.lose(number);
            }
        }
        Ok(())
    }

    /// Reads, and returns whether the connection is still open.
    fn read(&mut self, number: usize) -> Result<bool> {
        let Self {
            clients,
            buffer,
            begin,
            storm,
            ..
        } = self;
        let client = &mut clients[number];
        loop {
            let Some(link) = &mut client.link else {
                return Ok(true);
            };
            match link.read(buffer) {
                Ok(0) => return Ok(false),
                Ok(n) => {
                    let events = client.receive(&buffer[..n], begin.is_some(), storm)?;
                    if let (Some((begin, number)), true) = (*begin, events) {
                        client.note_back(begin, number, storm);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Err(_) => return Ok(false),
            }
        }
    }
}

impl Client {
    /// Without chunks, which a client of HTTP/1.0 does not know.
    fn request(&self) -> String {
        let mut request = String::from("GET / HTTP/1.0\r\nAccept: text/event-stream\r\n");
        if !self.last_event_id.is_empty() {
            // Writing to a string does not fail.
            let _ = write!(request, "Last-Event-ID: {}\r\n", self.last_event_id);
        }
        request + "\r\n"
    }

    /// Handles bytes that were received in the storm or before, and returns whether they contained
    /// an event.
    fn receive(&mut self, mut input: &[u8], in_storm: bool, storm: &mut Storm) -> Result<bool> {
        if !self.has_head {
            let before = self.head.len();
            self.head.extend_from_slice(input);
            let Some(end) = memchr::memmem::find(&self.head, b"\r\n\r\n") else {
                return Ok(false);
            };
            // The status line of HTTP/1.0 or HTTP/1.1.
            if self.head.get(8..12) != Some(b" 200") {
                return Err(String::from_utf8_lossy(&self.head).into());
            }
            self.has_head = true;
            self.is_new = in_storm;
            input = &input[end + 4 - before..];
        }
        let mut has_events = false;
        while let Some(decoded) = self.decoder.decode(&mut input)? {
            match decoded {
                Decoded::ReconnectionTime(time) => self.retry = time,
                Decoded::Event(event) => {
                    let number: u64 = event.data().parse()?;
                    if let Some(last) = self.last {
                        storm.lost += number.saturating_sub(last + 1);
                        storm.twice += (last + 1).saturating_sub(number);
                    }
                    self.last = Some(number);
                    self.last_event_id.clear();
                    self.last_event_id += event.last_event_id();
                    has_events = true;
                }
                _ => {}
            }
        }
        Ok(has_events)
    }

    fn note_back(&mut self, begin: Instant, number: u64, storm: &mut Storm) {
        if self.is_new && !self.is_back && self.last.is_some_and(|last| last > number) {
            self.is_back = true;
            storm.back.push(begin.elapsed());
        }
    }
}

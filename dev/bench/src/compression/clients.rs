//! The clients: one thread that decodes and counts the received bytes.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    thread,
    time::Duration,
};

use rustix::event::epoll;
use sse_core::{
    gzip::GzipDecoder,
    http::{BodyPart, BodyReader, Framing, Method, ResponseHeadLimits, ResponseHeadReader, header},
};

use crate::{Result, control::MARK};

/// The longest time without received bytes, after which the server counts as broken.
const PATIENCE: Duration = Duration::from_secs(30);

/// The number of clients that connect before the server has had time for them: less than the queue
/// of a listening socket holds.
const AT_A_TIME: usize = 64;

/// The time that the clients do not read, each time. Without it the measurement would mostly be of
/// how the kernel wakes a client on the same machine.
const NAP: Duration = Duration::from_millis(1);

pub(crate) struct Clients {
    poll: rustix::fd::OwnedFd,
    clients: Vec<Client>,
    buffer: Box<[u8]>,
    /// The number of received bytes, with their transfer framing.
    pub(crate) bytes: u64,
}

struct Client {
    socket: TcpStream,
    head: ResponseHeadReader,
    /// `Some` once the head was received.
    body: Option<BodyReader>,
    decoder: Option<GzipDecoder>,
    plain: Vec<u8>,
    events: u64,
}

impl Clients {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            poll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            clients: Vec::new(),
            buffer: vec![0; 256 * 1024].into(),
            bytes: 0,
        })
    }

    /// Connects this many more clients, and waits until each has received the head of its response.
    pub(crate) fn connect(
        &mut self,
        address: SocketAddr,
        path: &str,
        more: usize,
        is_coded: bool,
    ) -> Result<()> {
        let all = self.clients.len() + more;
        while self.clients.len() < all {
            for _ in 0..AT_A_TIME.min(all - self.clients.len()) {
                self.ask(address, path)?;
            }
            while self.clients.iter().any(|client| client.body.is_none()) {
                self.receive()?;
            }
        }
        match self
            .clients
            .iter()
            .all(|client| client.decoder.is_some() == is_coded)
        {
            true => Ok(()),
            false => Err("the responses are not coded as they should be".into()),
        }
    }

    fn ask(&mut self, address: SocketAddr, path: &str) -> Result<()> {
        let mut socket = TcpStream::connect(address)?;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\
             Accept-Encoding: gzip\r\n\r\n"
        );
        socket.write_all(request.as_bytes())?;
        socket.set_nonblocking(true)?;
        let data = epoll::EventData::new_u64(self.clients.len() as u64);
        let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
        epoll::add(&self.poll, &socket, data, flags)?;
        self.clients.push(Client {
            socket,
            head: ResponseHeadReader::new(ResponseHeadLimits::default()),
            body: None,
            decoder: None,
            plain: Vec::new(),
            events: 0,
        });
        Ok(())
    }

    /// Waits until each client has received this many events in all.
    pub(crate) fn receive_events(&mut self, count: u64) -> Result<()> {
        while self.clients.iter().any(|client| client.events < count) {
            self.receive()?;
        }
        match self.clients.iter().all(|client| client.events == count) {
            true => Ok(()),
            false => Err("a client got more events than there were".into()),
        }
    }

    fn receive(&mut self) -> Result<()> {
        thread::sleep(NAP);
        let mut ready = Vec::with_capacity(1024);
        let patience = rustix::event::Timespec::try_from(PATIENCE)?;
        let buffer = rustix::buffer::spare_capacity(&mut ready);
        epoll::wait(&self.poll, buffer, Some(&patience))?;
        if ready.is_empty() {
            return Err("the server went silent".into());
        }
        for event in ready {
            let client = &mut self.clients[event.data.u64() as usize];
            loop {
                match client.socket.read(&mut self.buffer) {
                    Ok(0) => return Err("the server closed a connection".into()),
                    Ok(n) => {
                        client.take(&self.buffer[..n])?;
                        self.bytes += n as u64;
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }
}

impl Client {
    fn take(&mut self, mut input: &[u8]) -> Result<()> {
        if self.body.is_none() {
            let Some(head) = self.head.read(&mut input)? else {
                return Ok(());
            };
            self.body = Some(BodyReader::new(Framing::of(&head, &Method::GET)?));
            if head.headers().contains_key(header::CONTENT_ENCODING) {
                self.decoder = Some(GzipDecoder::new(1000));
            }
        }
        while let Some(body) = &mut self.body
            && let BodyPart::Data(mut data) = body.read(&mut input)?
        {
            self.plain.clear();
            match &mut self.decoder {
                None => self.plain.extend_from_slice(data),
                Some(decoder) => while decoder.decode(&mut data, &mut self.plain)? {},
            }
            self.events += memchr::memchr_iter(MARK, &self.plain).count() as u64;
        }
        Ok(())
    }
}

//! The limit: one thread, `epoll`, and a log of encoded events, of which every socket gets what it has not
//! had. It takes each connection that waits before it does anything else, reads nothing of the request but
//! the last event ID, frames nothing, and has no TLS.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{TcpListener, TcpStream},
    os::fd::{AsFd, OwnedFd},
    sync::{Arc, Mutex, PoisonError},
};

use rustix::event::{EventfdFlags, epoll, eventfd};

use crate::{Result, process::Orders, server::obey, tls::Handshakes};

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";

/// The longest queue of connections that the system allows.
const BACKLOG: i32 = 1 << 16;

const LISTENER: u64 = u64::MAX;
const BELL: u64 = u64::MAX - 1;

/// All events, one after the other, and where each begins.
#[derive(Default)]
struct Log {
    first: u64,
    starts: Vec<usize>,
    bytes: Vec<u8>,
}

impl Log {
    fn push(&mut self, number: u64) {
        if self.starts.is_empty() {
            self.first = number;
        }
        self.starts.push(self.bytes.len());
        self.bytes
            .extend_from_slice(format!("id: {number}\ndata: {number}\n\n").as_bytes());
    }

    /// Returns where the events begin that are newer than this one.
    fn after(&self, number: Option<u64>) -> usize {
        let newer =
            number.and_then(|number| usize::try_from((number + 1).checked_sub(self.first)?).ok());
        let start = newer.and_then(|newer| self.starts.get(newer));
        start.copied().unwrap_or(self.bytes.len())
    }
}

struct Client {
    socket: TcpStream,
    /// The position in the log, once there was a request.
    sent: Option<usize>,
}

impl Client {
    /// Writes what the client has not had, as much as the socket takes.
    fn send(&mut self, log: &[u8]) -> io::Result<()> {
        let Some(sent) = &mut self.sent else {
            return Ok(());
        };
        while *sent < log.len() {
            match self.socket.write(&log[*sent..]) {
                Ok(n) => *sent += n,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

pub(crate) fn serve(orders: Orders, control: TcpStream) -> Result<()> {
    if orders.handshakes != Handshakes::None {
        return Err("the limit has no TLS".into());
    }
    let listener = TcpListener::bind(orders.own_address()?)?;
    rustix::net::listen(&listener, BACKLOG)?;
    listener.set_nonblocking(true)?;
    let bell = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
    let log = Arc::new(Mutex::new(Log::default()));
    let (publisher, ringing) = (log.clone(), bell.clone());
    orders.clock.publish(move |number| {
        let mut log = publisher.lock().unwrap_or_else(PoisonError::into_inner);
        log.push(number);
        // This fails where nothing has listened for very long.
        let _ = rustix::io::write(&ringing, &1_u64.to_ne_bytes());
    });
    obey(control, || std::process::exit(0))?;
    serve_clients(&listener, &bell, &log)
}

fn serve_clients(listener: &TcpListener, bell: &OwnedFd, log: &Mutex<Log>) -> Result<()> {
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let level = epoll::EventFlags::IN;
    epoll::add(&poll, listener, epoll::EventData::new_u64(LISTENER), level)?;
    epoll::add(&poll, bell, epoll::EventData::new_u64(BELL), level)?;
    let mut clients: Vec<Option<Client>> = Vec::new();
    let mut ready = Vec::with_capacity(1024);
    loop {
        ready.clear();
        epoll::wait(&poll, rustix::buffer::spare_capacity(&mut ready), None)?;
        for event in &ready {
            match event.data.u64() {
                LISTENER => accept_all(listener, &poll, &mut clients)?,
                BELL => {
                    let _ = rustix::io::read(bell, &mut [0; 8]);
                    let log = log.lock().unwrap_or_else(PoisonError::into_inner);
                    for place in &mut clients {
                        let Some(client) = place else { continue };
                        if client.send(&log.bytes).is_err() {
                            *place = None;
                        }
                    }
                }
                number => {
                    let place = &mut clients[number as usize];
                    let Some(client) = place else { continue };
                    let log = log.lock().unwrap_or_else(PoisonError::into_inner);
                    if !answer(client, &log) {
                        *place = None;
                    }
                }
            }
        }
    }
}

fn accept_all(
    listener: &TcpListener,
    poll: impl AsFd,
    clients: &mut Vec<Option<Client>>,
) -> Result<()> {
    let edge = epoll::EventFlags::IN | epoll::EventFlags::ET;
    loop {
        match listener.accept() {
            Ok((socket, _)) => {
                socket.set_nonblocking(true)?;
                socket.set_nodelay(true)?;
                let data = epoll::EventData::new_u64(clients.len() as u64);
                epoll::add(&poll, &socket, data, edge)?;
                clients.push(Some(Client { socket, sent: None }));
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Answers a request, which arrives in one piece, and returns whether the client is still there.
fn answer(client: &mut Client, log: &Log) -> bool {
    let mut request = [0; 1024];
    let Ok(n @ 1..) = client.socket.read(&mut request) else {
        return false;
    };
    let request = String::from_utf8_lossy(&request[..n]);
    let last = request
        .lines()
        .find_map(|line| line.strip_prefix("Last-Event-ID: "));
    let missed = &log.bytes[log.after(last.and_then(|id| id.parse().ok()))..];
    client.sent = Some(log.bytes.len());
    // This is in one piece, and less than a new socket takes.
    client.socket.write_all(&[HEAD, missed].concat()).is_ok()
}

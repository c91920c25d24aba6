//! The limit: one thread, `epoll`, and for every socket one `write` of a piece of a log that was
//! encoded beforehand; over TLS, once it is encrypted for that socket. It does not parse the
//! request, frame the body, or watch its clients.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
};

use rustix::event::epoll;
use sse_tokio::tls::rustls::ServerConnection;

use super::{Tls, data};
use crate::{
    Result,
    control::{id, own_cpu_time},
};

/// The number of events in the log. No more are published at once.
const LOG: u64 = 64;

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";

const LISTENER: u64 = u64::MAX;
const CONTROL: u64 = u64::MAX - 1;

pub(crate) fn serve(control: &str, tls: Tls) -> Result<()> {
    let log: Vec<u8> = (0..LOG)
        .flat_map(|n| format!("id: {}\ndata: {}\n\n", id(10_000 + n), data()).into_bytes())
        .collect();
    let each = log.len() / LOG as usize;
    // The response to a request for `/first`: a stream with one event.
    let first = [HEAD, &log[..each]].concat();

    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    rustix::net::listen(&listener, 1024)?;
    listener.set_nonblocking(true)?;
    let mut control = TcpStream::connect(control)?;
    let port = u32::from(listener.local_addr()?.port());
    control.write_all(&port.to_be_bytes())?;

    let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let (level, edge) = (
        epoll::EventFlags::IN,
        epoll::EventFlags::IN | epoll::EventFlags::ET,
    );
    epoll::add(&poll, &listener, epoll::EventData::new_u64(LISTENER), level)?;
    epoll::add(&poll, &control, epoll::EventData::new_u64(CONTROL), level)?;
    let mut clients: Vec<Option<Client>> = Vec::new();
    loop {
        let mut ready = Vec::with_capacity(1024);
        epoll::wait(&poll, rustix::buffer::spare_capacity(&mut ready), None)?;
        for event in ready {
            match event.data.u64() {
                LISTENER => match listener.accept() {
                    Ok((socket, _)) => {
                        socket.set_nonblocking(true)?;
                        socket.set_nodelay(true)?;
                        let data = epoll::EventData::new_u64(clients.len() as u64);
                        epoll::add(&poll, &socket, data, edge)?;
                        clients.push(Some(Client::new(socket, &tls)?));
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error.into()),
                },
                CONTROL => {
                    let mut count = [0; 4];
                    control.read_exact(&mut count)?;
                    match u32::from_be_bytes(count) as usize {
                        0 => control.write_all(&own_cpu_time().to_be_bytes())?,
                        events => {
                            for client in clients.iter_mut().flatten() {
                                client.send(&log[..events * each])?;
                            }
                        }
                    }
                }
                client => {
                    let place = &mut clients[client as usize];
                    let Some(client) = place else { continue };
                    let mut request = [0; 1024];
                    match client.read(&mut request) {
                        // The request, which arrives in one piece.
                        Ok(n @ 1..) => client.send(match &request[..n] {
                            [b'G', b'E', b'T', b' ', b'/', b'f', ..] => &first,
                            _ => HEAD,
                        })?,
                        // The handshake goes on.
                        Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                        // The client has gone.
                        _ => *place = None,
                    }
                }
            }
        }
    }
}

/// A socket, over TLS or without.
struct Client {
    socket: TcpStream,
    tls: Option<Box<ServerConnection>>,
}

impl Client {
    fn new(socket: TcpStream, tls: &Tls) -> Result<Self> {
        let tls = match tls {
            None => None,
            Some(config) => Some(Box::new(ServerConnection::new(config.clone())?)),
        };
        Ok(Self { socket, tls })
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(tls) = &mut self.tls else {
            return self.socket.write_all(bytes);
        };
        tls.writer().write_all(bytes)?;
        while tls.wants_write() {
            tls.write_tls(&mut self.socket)?;
        }
        Ok(())
    }

    /// Reads until there are bytes, or no more will come.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else {
            return self.socket.read(buffer);
        };
        loop {
            match tls.reader().read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                read => return read,
            }
            if tls.read_tls(&mut self.socket)? == 0 {
                return Ok(0);
            }
            tls.process_new_packets().map_err(io::Error::other)?;
            while tls.wants_write() {
                tls.write_tls(&mut self.socket)?;
            }
        }
    }
}

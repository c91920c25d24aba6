//! The limit: one thread, `epoll`, and for every socket one `write` of a piece of a log
//! that was encoded before. It does not parse the request, frame the body, or look after anybody.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
};

use rustix::event::epoll;

use crate::{
    Result,
    control::{data, id, own_cpu_time},
};

/// How many events the log has: more are never published at once.
const LOG: u64 = 64;

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";

const LISTENER: u64 = u64::MAX;
const CONTROL: u64 = u64::MAX - 1;

pub(crate) fn serve(control: &str) -> Result<()> {
    let log: Vec<u8> = (0..LOG)
        .flat_map(|n| format!("id: {}\ndata: {}\n\n", id(10_000 + n), data()).into_bytes())
        .collect();
    let each = log.len() / LOG as usize;
    // What a request for `/first` is answered: a stream with one event.
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
    let mut sockets: Vec<Option<TcpStream>> = Vec::new();
    loop {
        let mut ready = Vec::with_capacity(1024);
        epoll::wait(&poll, rustix::buffer::spare_capacity(&mut ready), None)?;
        for event in ready {
            match event.data.u64() {
                LISTENER => match listener.accept() {
                    Ok((socket, _)) => {
                        socket.set_nonblocking(true)?;
                        socket.set_nodelay(true)?;
                        let data = epoll::EventData::new_u64(sockets.len() as u64);
                        epoll::add(&poll, &socket, data, edge)?;
                        sockets.push(Some(socket));
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
                            for socket in sockets.iter_mut().flatten() {
                                socket.write_all(&log[..events * each])?;
                            }
                        }
                    }
                }
                client => {
                    let place = &mut sockets[client as usize];
                    let Some(socket) = place else { continue };
                    let mut request = [0; 1024];
                    match socket.read(&mut request) {
                        // The request, which comes in one piece.
                        Ok(n @ 1..) => socket.write_all(match &request[..n] {
                            [b'G', b'E', b'T', b' ', b'/', b'f', ..] => &first,
                            _ => HEAD,
                        })?,
                        // The client has gone.
                        _ => *place = None,
                    }
                }
            }
        }
    }
}

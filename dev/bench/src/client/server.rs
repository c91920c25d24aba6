//! The server: no library, one thread per connection, and nothing encoded twice.

use std::{
    fmt::Write as _,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::Arc,
    thread,
};

use crate::{Error, corpus::RECIPES};

/// The approximate length of an event stream, after which it begins again.
pub(crate) const SIZE: usize = 1 << 20;

/// The number of its bytes in one chunk of the transfer coding.
const CHUNK: usize = 16 << 10;

/// Serves the corpus whose number is the target, again and again until the client goes away. Ends
/// when its input ends, which is when the program that started it ends.
pub(crate) fn serve() -> Result<(), Error> {
    let bodies: Vec<Vec<u8>> = RECIPES
        .iter()
        .map(|recipe| chunked(&recipe.make(SIZE).wire))
        .collect();
    let bodies = Arc::new(bodies);
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?.port());
    thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let bodies = bodies.clone();
            // A client that went away is not an error here.
            thread::spawn(move || drop(answer(socket, &bodies)));
        }
    });
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

fn chunked(wire: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    for part in wire.chunks(CHUNK) {
        let mut size = String::new();
        let _ = write!(size, "{:x}\r\n", part.len());
        body.extend_from_slice(size.as_bytes());
        body.extend_from_slice(part);
        body.extend_from_slice(b"\r\n");
    }
    body
}

fn answer(mut socket: TcpStream, bodies: &[Vec<u8>]) -> Result<(), Error> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        socket.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let target = String::from_utf8_lossy(&head);
    let target = target.split(' ').nth(1).ok_or("no target")?;
    let body = bodies
        .get(target.trim_start_matches('/').parse::<usize>()?)
        .ok_or("no corpus")?;
    socket.write_all(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
    )?;
    loop {
        socket.write_all(body)?;
    }
}

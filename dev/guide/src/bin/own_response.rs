//! Event streams inside the responses of another HTTP server: it writes the head and frames the
//! body, and asks an iterator for the bytes in between. The server is a stand-in here.

use std::{
    io::{self, BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use sse_core::{
    Event,
    lifecycle::CloseReason,
    server::{Connection, ConnectionEvent, Phase},
};

/// The bytes of an event stream with a number every `every`, and a comment where that is long.
struct Numbers {
    connection: Connection,
    numbers: std::ops::Range<u32>,
    next: Instant,
    every: Duration,
}

impl Numbers {
    fn new(numbers: std::ops::Range<u32>, every: Duration) -> Self {
        let now = Instant::now();
        let connection = Connection::for_body(now, Default::default());
        // What is held for this client is given back however the response ends.
        connection
            .clean_up()
            .add(|reason| eprintln!("over: {reason}"));
        Self {
            connection,
            numbers,
            next: now,
            every,
        }
    }
}

impl Iterator for Numbers {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            let now = Instant::now();
            self.connection.handle_timeout(now);
            if self.connection.phase() == Phase::Streaming && now >= self.next {
                self.next = now + self.every;
                // The phase is the right one, and there is room for one.
                let _ = match self.numbers.next() {
                    Some(n) => self.connection.send(now, &Event::new(n.to_string())).ok(),
                    None => self.connection.finish(now).ok(),
                };
            }
            let transmit = self.connection.poll_transmit();
            if !transmit.is_empty() {
                let slices = transmit.slices().iter();
                let bytes: Vec<u8> = slices.flat_map(|slice| slice.iter().copied()).collect();
                // The server writes it before it asks again.
                self.connection.transmitted(now, bytes.len());
                return Some(bytes);
            }
            match self.connection.poll_event() {
                Some(ConnectionEvent::EndOutput) => self.connection.output_ended(now),
                Some(ConnectionEvent::Closed(_)) => return None,
                _ => {
                    let wake = self
                        .connection
                        .poll_timeout()
                        .map_or(self.next, |at| at.min(self.next));
                    thread::sleep(wake.saturating_duration_since(now));
                }
            }
        }
    }
}

/// The server drops the body of a client that went away.
impl Drop for Numbers {
    fn drop(&mut self) {
        // Fails where it is over already.
        let _ = self
            .connection
            .close(Instant::now(), CloseReason::ClientWentAway);
    }
}

/// Another server: HTTP/1.1, a chunk for each item of a body.
fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?);
    for socket in listener.incoming() {
        let socket = socket?;
        thread::spawn(move || respond(socket, Numbers::new(1..4, Duration::from_millis(50))));
    }
    Ok(())
}

fn respond(mut socket: TcpStream, body: impl Iterator<Item = Vec<u8>>) -> io::Result<()> {
    let mut lines = BufReader::new(socket.try_clone()?).lines();
    while lines
        .next()
        .transpose()?
        .is_some_and(|line| !line.is_empty())
    {}
    socket.write_all(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n\
          Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
    )?;
    for bytes in body {
        write!(socket, "{:x}\r\n", bytes.len())?;
        socket.write_all(&bytes)?;
        socket.write_all(b"\r\n")?;
    }
    socket.write_all(b"0\r\n\r\n")
}

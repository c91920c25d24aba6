//! Event streams inside the responses of a foreign HTTP server: it reads requests, writes the head
//! that it is given and frames the body, which it asks an iterator for. The server is a stand-in
//! here.

use std::{
    io::{self, BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use sse_core::{
    Event,
    http::{BodyLength, Request, RequestHead, Response},
    lifecycle::CloseReason,
    server::{Connection, ConnectionEvent, Phase, ResponseBody},
};

/// The bytes of an event stream with a number every `every`, and a comment where that is long.
struct Numbers {
    connection: Connection,
    numbers: std::ops::Range<u32>,
    next: Instant,
    every: Duration,
    /// All of it is written, and the body may end properly.
    has_ended: bool,
}

impl Numbers {
    fn new(head: &RequestHead, numbers: std::ops::Range<u32>, every: Duration) -> Self {
        let now = Instant::now();
        let mut connection = Connection::for_response(now, Default::default(), head);
        // The phase allows it, and 200 is a final status.
        let _ = connection.respond(now, Response::new(ResponseBody::event_stream()));
        // What is held for this client is given back however the response ends.
        connection
            .clean_up()
            .add(|reason| eprintln!("over: {reason}"));
        Self {
            connection,
            numbers,
            next: now,
            every,
            has_ended: false,
        }
    }

    /// The head that the foreign server is to write. It is there from the beginning.
    fn response(&mut self) -> Option<Response<BodyLength>> {
        match self.connection.poll_event(Instant::now()) {
            Some(ConnectionEvent::Respond(response)) => Some(*response),
            _ => None,
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
            if let Some(bytes) = self.connection.take_body(now) {
                return Some(bytes.into());
            }
            match self.connection.poll_event(now) {
                Some(ConnectionEvent::EndOutput { .. }) => {
                    self.has_ended = true;
                    self.connection.handle_output_ended(now);
                }
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
        thread::spawn(move || serve(socket));
    }
    Ok(())
}

fn serve(mut socket: TcpStream) -> io::Result<()> {
    let mut lines = BufReader::new(socket.try_clone()?).lines();
    while lines
        .next()
        .transpose()?
        .is_some_and(|line| !line.is_empty())
    {}
    // What this server made of it.
    let request = Request::get("/").header("host", "a").body(());
    let head = RequestHead::new(request.map_err(io::Error::other)?).map_err(io::Error::other)?;

    let mut body = Numbers::new(&head, 1..4, Duration::from_millis(50));
    let response = body.response().ok_or(io::ErrorKind::InvalidData)?;
    write!(socket, "HTTP/1.1 {}\r\n", response.status())?;
    for (name, value) in response.headers() {
        write!(socket, "{name}: ")?;
        socket.write_all(value.as_bytes())?;
        socket.write_all(b"\r\n")?;
    }
    socket.write_all(b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n")?;
    for bytes in &mut body {
        write!(socket, "{:x}\r\n", bytes.len())?;
        socket.write_all(&bytes)?;
        socket.write_all(b"\r\n")?;
    }
    // Without the last chunk the client can tell that the stream broke off.
    match body.has_ended {
        true => socket.write_all(b"0\r\n\r\n"),
        false => Ok(()),
    }
}

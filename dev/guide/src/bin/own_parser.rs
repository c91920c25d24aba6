//! A server that has an HTTP parser already, here `httparse`. It hands a parsed request in and
//! takes bytes out; the head of the response, its framing, the request's body and every deadline
//! after the head's are the connection's. Try GET /hello, or POST something to /repeat.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    thread,
    time::{Duration, Instant, SystemTime},
};

use sse_core::{
    Event,
    http::{Request, RequestHead, Response, StatusCode},
    server::{Connection, ConnectionEvent, ResponseBody},
};

fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?);
    for socket in listener.incoming() {
        let socket = socket?;
        thread::spawn(move || {
            if let Err(error) = serve(socket) {
                eprintln!("{error}");
            }
        });
    }
    Ok(())
}

/// Their part: a request's head, and what came after it.
fn read_request(socket: &mut TcpStream) -> io::Result<(Request<()>, Vec<u8>)> {
    socket.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut bytes = Vec::new();
    while bytes.len() < 16 * 1024 {
        let mut buffer = [0; 4096];
        match socket.read(&mut buffer)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            n => bytes.extend_from_slice(&buffer[..n]),
        }
        let mut fields = [httparse::EMPTY_HEADER; 100];
        let mut parsed = httparse::Request::new(&mut fields);
        if let httparse::Status::Complete(length) =
            parsed.parse(&bytes).map_err(io::Error::other)?
        {
            let mut request = Request::builder()
                .method(parsed.method.unwrap_or_default())
                .uri(parsed.path.unwrap_or_default());
            for field in parsed.headers {
                request = request.header(field.name, field.value);
            }
            let request = request.body(()).map_err(io::Error::other)?;
            return Ok((request, bytes.split_off(length)));
        }
    }
    Err(io::Error::other("the head is too large"))
}

/// Our part.
fn serve(mut socket: TcpStream) -> io::Result<()> {
    let (request, rest) = read_request(&mut socket)?;
    // Refused here: for example two hosts, or two lengths of the body.
    let head = RequestHead::new(request).map_err(io::Error::other)?;
    let now = Instant::now();
    let mut connection = Connection::for_request(now, SystemTime::now(), Default::default(), &head);
    connection.handle_input(now, &rest);
    match head.request().uri().path() {
        "/repeat" => connection.receive_body(now).map_err(io::Error::other)?,
        "/hello" => stream(&mut connection, "hello")?,
        _ => {
            let mut response = Response::new(ResponseBody::Whole("Try /hello.\n".into()));
            *response.status_mut() = StatusCode::NOT_FOUND;
            connection
                .respond(now, response)
                .map_err(io::Error::other)?;
        }
    }
    loop {
        let now = Instant::now();
        connection.handle_timeout(now);
        let deadline = connection.poll_timeout();
        let left = deadline.map(|at| {
            at.saturating_duration_since(now)
                .max(Duration::from_millis(1))
        });
        let transmit = connection.poll_transmit();
        let done = if !transmit.is_empty() {
            socket.set_write_timeout(left)?;
            socket
                .write_vectored(transmit.slices())
                .map(|n| connection.handle_transmitted(now, n))
        } else {
            match connection.poll_event(now) {
                Some(ConnectionEvent::RequestBody(body)) => {
                    stream(&mut connection, &String::from_utf8_lossy(&body))?;
                    continue;
                }
                Some(ConnectionEvent::EndOutput { .. }) => {
                    let _ = socket.shutdown(Shutdown::Write);
                    connection.handle_output_ended(now);
                    continue;
                }
                Some(ConnectionEvent::Closed(reason)) => {
                    eprintln!("over: {reason}");
                    return Ok(());
                }
                Some(_) => continue,
                None => {}
            }
            let mut buffer = [0; 4096];
            socket.set_read_timeout(left)?;
            socket.read(&mut buffer).map(|n| match n {
                0 => connection.handle_eof(Instant::now()),
                n => connection.handle_input(Instant::now(), &buffer[..n]),
            })
        };
        match done {
            Err(error) if !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                connection.handle_transport_error(Instant::now(), error);
            }
            Ok(()) | Err(_) => {}
        }
    }
}

/// `text` as an event, and no more.
fn stream(connection: &mut Connection, text: &str) -> io::Result<()> {
    let now = Instant::now();
    let response = Response::new(ResponseBody::event_stream());
    connection
        .respond(now, response)
        .map_err(io::Error::other)?;
    connection
        .send(now, &Event::new(text))
        .map_err(io::Error::other)?;
    connection.finish(now).map_err(io::Error::other)
}

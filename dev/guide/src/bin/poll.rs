//! Many connections on one thread, over `mio`: each client gets a number every 100 ms.

use std::{
    collections::HashMap,
    io::{self, ErrorKind, Read, Write},
    net::Shutdown,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use mio::{Events, Interest, Poll, Token, net::TcpListener, net::TcpStream};
use sse_core::{
    Event,
    http::Response,
    server::{Connection, ConnectionConfig, ConnectionEvent, ResponseBody},
};

const LISTENER: Token = Token(0);
const TICK: Duration = Duration::from_millis(100);

struct Client {
    socket: TcpStream,
    connection: Connection,
}

fn main() -> io::Result<()> {
    let mut poll = Poll::new()?;
    let mut listener = TcpListener::bind(([127, 0, 0, 1], 0).into())?;
    poll.registry()
        .register(&mut listener, LISTENER, Interest::READABLE)?;
    println!("{}", listener.local_addr()?);

    let config = Arc::new(ConnectionConfig::default());
    let mut clients = HashMap::<Token, Client>::new();
    let mut next_token = 1;
    let (mut count, mut next_tick) = (0, Instant::now() + TICK);
    let mut ready = Events::with_capacity(1024);
    loop {
        // Until something is ready, it is time for the next number, or a connection has a deadline.
        let deadlines = clients
            .values()
            .filter_map(|client| client.connection.poll_timeout());
        let wake = deadlines.fold(next_tick, Instant::min);
        poll.poll(
            &mut ready,
            Some(wake.saturating_duration_since(Instant::now())),
        )?;

        let now = Instant::now();
        if ready.iter().any(|event| event.token() == LISTENER) {
            while let Ok((mut socket, _)) = listener.accept() {
                let (token, interest) =
                    (Token(next_token), Interest::READABLE | Interest::WRITABLE);
                poll.registry().register(&mut socket, token, interest)?;
                let connection = Connection::new(now, SystemTime::now(), config.clone());
                clients.insert(token, Client { socket, connection });
                next_token += 1;
            }
        }
        if now >= next_tick {
            (count, next_tick) = (count + 1, now + TICK);
            let event = Event::new(count.to_string());
            for client in clients.values_mut() {
                // A client that is not streaming, or is too slow, goes without this one.
                let _ = client.connection.send(now, &event);
            }
        }
        clients.retain(|_, client| client.turn(now));
    }
}

impl Client {
    /// Does what there is to do now; `false` once it is over. Whether the socket is ready it says
    /// itself, so that no event of `mio` is missed.
    fn turn(&mut self, now: Instant) -> bool {
        let Self { socket, connection } = self;
        let mut buffer = [0; 4096];
        loop {
            match socket.read(&mut buffer) {
                Ok(0) => break connection.handle_eof(now),
                Ok(n) => connection.handle_input(now, &buffer[..n]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => break connection.handle_transport_error(now, error),
            }
        }
        // After the input: a request that came in time is none that came too late.
        connection.handle_timeout(now);
        loop {
            let transmit = connection.poll_transmit();
            if !transmit.is_empty() {
                match socket.write_vectored(transmit.slices()) {
                    Ok(n) => connection.handle_transmitted(now, n),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                    Err(error) => connection.handle_transport_error(now, error),
                }
                continue;
            }
            match connection.poll_event(now) {
                Some(ConnectionEvent::Request(_)) => {
                    // The phase allows it, and 200 is a final status.
                    let _ = connection.respond(now, Response::new(ResponseBody::event_stream()));
                }
                Some(ConnectionEvent::EndOutput { .. }) => {
                    let _ = socket.shutdown(Shutdown::Write);
                    connection.handle_output_ended(now);
                }
                Some(ConnectionEvent::Closed(reason)) => {
                    eprintln!("over: {reason}");
                    return false;
                }
                Some(_) => {}
                None => return true,
            }
        }
    }
}

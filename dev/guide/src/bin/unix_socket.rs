//! The event source over a transport of your own, here a Unix socket: prints the data of each event,
//! and connects again after a loss as it does anywhere.

use std::{
    env,
    error::Error,
    io::{self, ErrorKind, Read, Write},
    os::unix::net::UnixStream,
    thread,
    time::{Duration, Instant},
};

use sse_core::client::{ClientEvent, EventSource, EventSourceConfig};

fn main() -> Result<(), Box<dyn Error>> {
    let path = env::args().nth(1).ok_or("give the path of a socket")?;
    // The URL says what to ask for. Where that is found is this program's business.
    let seed = u64::from(std::process::id());
    let mut source = EventSource::new(
        "http://localhost/events",
        EventSourceConfig::default(),
        seed,
    )?;
    let mut socket = None;
    loop {
        // What does it have to say?
        let now = Instant::now();
        source.handle_timeout(now);
        while let Some(event) = source.poll_event(now) {
            match event {
                ClientEvent::Connect(_) => match UnixStream::connect(&path) {
                    Ok(connected) => {
                        socket = Some(connected);
                        source.handle_connected(now);
                    }
                    Err(error) => source.handle_transport_error(now, error),
                },
                ClientEvent::Disconnect => socket = None,
                ClientEvent::Event(event) => println!("{}", event.data()),
                ClientEvent::Lost { loss, wait } => eprintln!("{loss}; again in {wait:?}"),
                ClientEvent::Closed(end) => {
                    eprintln!("over: {}", end?);
                    return Ok(());
                }
                _ => {}
            }
        }
        // Wait for bytes, or for its next deadline.
        let left = source
            .poll_timeout()
            .map(|at| at.saturating_duration_since(now));
        let Some(socket) = &mut socket else {
            thread::sleep(left.unwrap_or_default());
            continue;
        };
        if let Err(error) = turn(&mut source, socket, left)
            && ![ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind())
        {
            source.handle_transport_error(Instant::now(), error);
        }
    }
}

/// One write of the request, or one read of the response.
fn turn(
    source: &mut EventSource,
    socket: &mut UnixStream,
    left: Option<Duration>,
) -> io::Result<()> {
    let left = left.map(|left| left.max(Duration::from_millis(1)));
    let transmit = source.poll_transmit();
    if !transmit.is_empty() {
        socket.set_write_timeout(left)?;
        let n = socket.write_vectored(transmit.slices())?;
        source.handle_transmitted(Instant::now(), n);
        return Ok(());
    }
    let mut buffer = [0; 4096];
    socket.set_read_timeout(left)?;
    match socket.read(&mut buffer)? {
        0 => source.handle_eof(Instant::now()),
        n => source.handle_input(Instant::now(), &buffer[..n]),
    }
    Ok(())
}

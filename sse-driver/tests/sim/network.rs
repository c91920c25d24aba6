//! Connections as queues of bytes, one for each direction, and a queue of them to accept.

use std::{
    collections::VecDeque,
    future::pending,
    io::{self, IoSlice},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6},
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    time::Duration,
};

use sse_driver::Transport;

use super::{Connected, Sim, lock};

/// The address of the server.
pub const SERVER: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 80));

/// An address without a host: connecting to it has no outcome.
pub const NO_HOST: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 1), 80));

/// The same for IPv6.
pub const NO_HOST_IPV6: SocketAddr = SocketAddr::V6(SocketAddrV6::new(
    Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1),
    80,
    0,
    0,
));

/// The address of clients.
const CLIENT: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 50_000));

/// The number of bytes on the way in one direction before the sender has to wait.
const CAPACITY: usize = 64 * 1024;

/// The bytes on the way in one direction.
#[derive(Default)]
struct Pipe {
    bytes: VecDeque<u8>,
    /// The number of the last bytes that the sender holds back until it flushes.
    held_back: usize,
    capacity: usize,
    /// Whether the sender has ended.
    ended: bool,
    /// Whether the receiver is gone.
    closed: bool,
    /// Whether the connection was reset; bytes on the way are lost.
    reset: bool,
    receiver: Option<Waker>,
    sender: Option<Waker>,
    /// The number of read attempts of the receiver.
    reads: u64,
    /// The number of writes of the sender.
    writes: u64,
}

impl Pipe {
    fn new(capacity: usize) -> Arc<Mutex<Self>> {
        Arc::new(Mutex::new(Self {
            capacity,
            ..Self::default()
        }))
    }

    /// Takes as many bytes as there is room for, and holds them back.
    fn hold(&mut self, bytes: &[u8]) -> usize {
        let count = bytes.len().min(self.capacity - self.bytes.len());
        self.bytes.extend(&bytes[..count]);
        self.held_back += count;
        count
    }

    fn flush(&mut self) {
        self.held_back = 0;
        wake(&mut self.receiver);
    }

    /// Returns the number of bytes that can be received.
    fn there(&self) -> usize {
        self.bytes.len() - self.held_back
    }

    /// Receives as many bytes as fit.
    fn receive(&mut self, buffer: &mut [u8]) -> usize {
        let count = buffer.len().min(self.there());
        for (place, byte) in buffer.iter_mut().zip(self.bytes.drain(..count)) {
            *place = byte;
        }
        wake(&mut self.sender);
        count
    }

    fn end(&mut self) {
        self.ended = true;
        wake(&mut self.receiver);
    }

    fn close(&mut self) {
        self.closed = true;
        wake(&mut self.sender);
    }

    fn reset(&mut self) {
        self.reset = true;
        self.bytes.clear();
        self.held_back = 0;
        wake(&mut self.sender);
        wake(&mut self.receiver);
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

/// One end of a connection, for the driver.
pub struct SimTransport {
    sim: Sim,
    incoming: Arc<Mutex<Pipe>>,
    outgoing: Arc<Mutex<Pipe>>,
}

impl Transport for SimTransport {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.sim.count_step();
        let mut pipe = lock(&self.incoming);
        pipe.reads += 1;
        if pipe.reset {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if pipe.there() == 0 && !pipe.ended {
            pipe.receiver = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Ok(pipe.receive(buffer)))
    }

    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.sim.count_step();
        let mut pipe = lock(&self.outgoing);
        if pipe.reset {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if pipe.closed || pipe.ended {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let count = slices.iter().map(|slice| pipe.hold(slice)).sum();
        if count == 0 {
            pipe.flush();
            pipe.sender = Some(cx.waker().clone());
            return Poll::Pending;
        }
        pipe.writes += 1;
        Poll::Ready(Ok(count))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        lock(&self.outgoing).flush();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut pipe = lock(&self.outgoing);
        pipe.flush();
        pipe.end();
        Poll::Ready(Ok(()))
    }
}

/// Bytes that are held back are lost. The rest is as in TCP: closing with unread bytes resets the
/// connection, which destroys the bytes that the other end has not read yet.
impl Drop for SimTransport {
    fn drop(&mut self) {
        let in_vain = !lock(&self.incoming).bytes.is_empty();
        lock(&self.incoming).close();
        let mut outgoing = lock(&self.outgoing);
        let there = outgoing.there();
        outgoing.bytes.truncate(there);
        outgoing.held_back = 0;
        match in_vain {
            true => outgoing.reset(),
            false => outgoing.end(),
        }
    }
}

/// The client's end of a connection, which the test controls. A client does nothing by itself, not even
/// reading.
///
/// Dropping it does not tell the server.
pub struct Client {
    incoming: Arc<Mutex<Pipe>>,
    outgoing: Arc<Mutex<Pipe>>,
    received: Vec<u8>,
}

/// The observable state of the server's end of a connection.
#[derive(Clone)]
pub struct ServerSide {
    incoming: Arc<Mutex<Pipe>>,
    outgoing: Arc<Mutex<Pipe>>,
}

impl Client {
    /// Sends `bytes`; returns how many of them there was room for.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> usize {
        let mut pipe = lock(&self.outgoing);
        match pipe.closed || pipe.reset {
            true => 0,
            false => {
                let count = pipe.hold(bytes.as_ref());
                pipe.flush();
                count
            }
        }
    }

    /// Requests `path`.
    pub fn get(&mut self, path: &str) {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: sim\r\n\r\n"));
    }

    /// Reads at most `count` of the available bytes, which may let the server continue.
    pub fn read(&mut self, count: usize) -> usize {
        let mut buffer = vec![0; count];
        let count = lock(&self.incoming).receive(&mut buffer);
        self.received.extend_from_slice(&buffer[..count]);
        count
    }

    /// Reads all available bytes.
    pub fn read_all(&mut self) -> usize {
        let there = lock(&self.incoming).there();
        self.read(there)
    }

    /// Returns the bytes read since the last call.
    #[cfg_attr(not(feature = "tls"), allow(dead_code))]
    pub fn take_received(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.received)
    }

    /// Returns all bytes read so far.
    pub fn received(&self) -> &str {
        std::str::from_utf8(&self.received).expect("the server sends UTF-8")
    }

    /// Returns whether everything was read and the server has ended.
    pub fn at_end(&self) -> bool {
        let pipe = lock(&self.incoming);
        pipe.ended && pipe.bytes.is_empty()
    }

    /// Returns whether the server reset the connection.
    pub fn was_reset(&self) -> bool {
        lock(&self.incoming).reset
    }

    /// Shuts down its sending side and continues to read.
    pub fn half_close(&mut self) {
        lock(&self.outgoing).end();
    }

    /// Closes the connection.
    pub fn close(self) {
        lock(&self.outgoing).end();
        lock(&self.incoming).close();
    }

    /// Resets the connection.
    pub fn reset(self) {
        lock(&self.outgoing).reset();
        lock(&self.incoming).reset();
    }

    /// Vanishes: from now on no byte is taken. (A real socket's kernel would still take some for the
    /// client. There is no kernel here.)
    pub fn vanish(self) {
        let mut pipe = lock(&self.incoming);
        pipe.capacity = pipe.bytes.len();
    }

    /// Returns the other end.
    pub fn server_side(&self) -> ServerSide {
        ServerSide {
            incoming: self.outgoing.clone(),
            outgoing: self.incoming.clone(),
        }
    }
}

impl ServerSide {
    /// Returns whether the server closed its end.
    pub fn is_closed(&self) -> bool {
        lock(&self.incoming).closed
    }

    /// Returns the number of read attempts of the server.
    pub fn reads(&self) -> u64 {
        lock(&self.incoming).reads
    }

    /// Returns the number of writes of the server.
    pub fn writes(&self) -> u64 {
        lock(&self.outgoing).writes
    }
}

/// The connections that wait to be accepted.
#[derive(Default)]
pub struct Backlog {
    listening: bool,
    swallows_dials: bool,
    queue: VecDeque<io::Result<Connected>>,
    /// The connections that the driver made, in both directions.
    dialed: Vec<[Arc<Mutex<Pipe>>; 2]>,
    acceptor: Option<Waker>,
    /// The times when a connection was accepted, or accepting failed.
    answers: Vec<Duration>,
}

impl Backlog {
    #[allow(dead_code)]
    pub(super) fn listening(&self) -> bool {
        self.listening
    }
}

/// The listening socket, of which each runtime has one.
pub struct SimListener {
    sim: Sim,
}

impl Sim {
    /// Listens.
    pub fn listen(&self) -> SimListener {
        lock(&self.shared.backlog).listening = true;
        SimListener { sim: self.clone() }
    }

    /// Connects to the server, if it listens.
    pub fn connect(&self) -> Option<Client> {
        self.connect_over(CAPACITY)
    }

    /// Connects with room for only this many bytes on the way in each direction.
    pub fn connect_over(&self, capacity: usize) -> Option<Client> {
        let (client, transport) = self.client_over(capacity);
        self.offer(Ok((Box::new(transport), CLIENT)))
            .then_some(client)
    }

    /// Returns a client and the server's end of its connection, which needs no accepting.
    pub fn client_and_transport(&self) -> (Client, SimTransport) {
        self.client_over(CAPACITY)
    }

    fn client_over(&self, capacity: usize) -> (Client, SimTransport) {
        let (to_server, to_client) = (Pipe::new(capacity), Pipe::new(capacity));
        let transport = SimTransport {
            sim: self.clone(),
            incoming: to_server.clone(),
            outgoing: to_client.clone(),
        };
        let client = Client {
            incoming: to_client,
            outgoing: to_server,
            received: Vec::new(),
        };
        (client, transport)
    }

    /// Makes all later connection attempts have no outcome.
    pub fn swallow_dials(&self) {
        lock(&self.shared.backlog).swallows_dials = true;
    }

    /// Connects, and returns the client's end for the driver.
    pub(super) async fn dial(&self) -> io::Result<SimTransport> {
        if lock(&self.shared.backlog).swallows_dials {
            pending::<()>().await;
        }
        let client = self.connect().ok_or(io::ErrorKind::ConnectionRefused)?;
        let pipes = [client.incoming.clone(), client.outgoing.clone()];
        lock(&self.shared.backlog).dialed.push(pipes);
        Ok(SimTransport {
            sim: self.clone(),
            incoming: client.incoming,
            outgoing: client.outgoing,
        })
    }

    /// Resets every connection that the driver made.
    #[allow(dead_code)] // not every test has a client of the driver's
    pub fn reset_dialed(&self) {
        let dialed = std::mem::take(&mut lock(&self.shared.backlog).dialed);
        dialed.iter().flatten().for_each(|pipe| lock(pipe).reset());
    }

    /// Returns both ends of a connection that needs no accepting.
    #[cfg_attr(not(feature = "tls"), allow(dead_code))]
    pub fn pair(&self, capacity: usize) -> (SimTransport, SimTransport) {
        let (one, other) = (Pipe::new(capacity), Pipe::new(capacity));
        let end = |incoming: &Arc<Mutex<Pipe>>, outgoing: &Arc<Mutex<Pipe>>| SimTransport {
            sim: self.clone(),
            incoming: incoming.clone(),
            outgoing: outgoing.clone(),
        };
        (end(&one, &other), end(&other, &one))
    }

    /// Makes accepting fail once.
    pub fn fail_accept(&self, kind: io::ErrorKind) {
        self.offer(Err(kind.into()));
    }

    /// Returns the times when a connection was accepted, or accepting failed.
    pub fn accept_times(&self) -> Vec<Duration> {
        lock(&self.shared.backlog).answers.clone()
    }

    pub(super) fn offer(&self, what: io::Result<Connected>) -> bool {
        let mut backlog = lock(&self.shared.backlog);
        if backlog.listening {
            backlog.queue.push_back(what);
            wake(&mut backlog.acceptor);
        }
        backlog.listening
    }
}

impl SimListener {
    pub(super) fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Connected>> {
        self.sim.count_step();
        if !self.sim.may_go_on(cx) {
            return Poll::Pending;
        }
        let now = self.sim.elapsed();
        let mut backlog = lock(&self.sim.shared.backlog);
        match backlog.queue.pop_front() {
            Some(answer) => {
                backlog.answers.push(now);
                self.sim.note_progress();
                Poll::Ready(answer)
            }
            None => {
                backlog.acceptor = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// Connections that wait to be accepted are rejected.
impl Drop for SimListener {
    fn drop(&mut self) {
        let mut backlog = lock(&self.sim.shared.backlog);
        backlog.listening = false;
        let queue = std::mem::take(&mut backlog.queue);
        drop(backlog);
        drop(queue);
    }
}

//! A TLS connection polled by hand over a transport that does only what the test says: it wakes no task,
//! and takes and returns the bytes that the test chooses.

use std::{
    io::{self, IoSlice, Write},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use rustls::{ClientConnection, pki_types::ServerName};
use sse_driver::{Transport, tls::Tls};

use super::authority::{Authority, NAME};

/// A transport whose reactor has not polled the socket yet: bytes can be read before a task is woken for
/// them.
#[derive(Clone, Default)]
struct Asleep(Arc<Mutex<Wires>>);

#[derive(Default)]
struct Wires {
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
    /// The number of writes that take nothing.
    empty_writes: usize,
}

impl Transport for Asleep {
    fn poll_read(&mut self, _: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let incoming = &mut self.0.lock().unwrap().incoming;
        if incoming.is_empty() {
            return Poll::Pending;
        }
        let count = buffer.len().min(incoming.len());
        for (place, byte) in buffer.iter_mut().zip(incoming.drain(..count)) {
            *place = byte;
        }
        Poll::Ready(Ok(count))
    }

    fn poll_write_vectored(
        &mut self,
        _: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut wires = self.0.lock().unwrap();
        if let Some(left) = wires.empty_writes.checked_sub(1) {
            wires.empty_writes = left;
            return Poll::Ready(Ok(0));
        }
        for slice in slices {
            wires.outgoing.extend_from_slice(slice);
        }
        Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A side of the server's end, which counts its wake-ups.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Woken {
    fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

struct Server {
    tls: Tls<Asleep>,
    wires: Asleep,
    reader: Arc<Woken>,
    writer: Arc<Woken>,
}

impl Server {
    fn read(&mut self) -> Poll<io::Result<Vec<u8>>> {
        let (waker, mut buffer) = (Waker::from(self.reader.clone()), [0; 100]);
        let mut cx = Context::from_waker(&waker);
        let polled = self.tls.poll_read(&mut cx, &mut buffer);
        polled.map_ok(|count| buffer[..count].to_vec())
    }

    fn write(&mut self, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let waker = Waker::from(self.writer.clone());
        let mut cx = Context::from_waker(&waker);
        let slices = [IoSlice::new(bytes)];
        self.tls.poll_write_vectored(&mut cx, &slices)
    }

    fn handshake(&mut self) -> Poll<io::Result<()>> {
        let waker = Waker::from(self.writer.clone());
        self.tls.poll_handshake(&mut Context::from_waker(&waker))
    }

    fn receives(&self, bytes: &[u8]) {
        self.wires.0.lock().unwrap().incoming.extend(bytes);
    }
}

fn take_ciphertext(client: &mut ClientConnection) -> Vec<u8> {
    let mut ciphertext = Vec::new();
    while client.wants_write() {
        client.write_tls(&mut ciphertext).unwrap();
    }
    ciphertext
}

/// Returns a server that waits only for the last part of the client's handshake, which the client has
/// ready.
fn before_the_last_flight() -> (Server, ClientConnection) {
    let (authority, wires) = (Authority::new(), Asleep::default());
    let mut server = Server {
        tls: Tls::server(wires.clone(), authority.server_config()).unwrap(),
        wires,
        reader: Arc::default(),
        writer: Arc::default(),
    };
    let name = ServerName::try_from(NAME).unwrap();
    let mut client = ClientConnection::new(authority.client_config(), name).unwrap();
    while client.is_handshaking() {
        server.receives(&take_ciphertext(&mut client));
        assert!(server.read().is_pending());
        let said = std::mem::take(&mut server.wires.0.lock().unwrap().outgoing);
        let mut said = &said[..];
        while !said.is_empty() {
            client.read_tls(&mut said).unwrap();
            client.process_new_packets().unwrap();
        }
    }
    (server, client)
}

#[test]
fn the_side_that_ends_the_handshake_wakes_the_other() {
    let (mut server, mut client) = before_the_last_flight();
    client.writer().write_all(b"hello").unwrap();
    assert!(server.read().is_pending());
    // The writer reads the end of the handshake, and the bytes that the reader waits for.
    server.receives(&take_ciphertext(&mut client));
    assert!(matches!(server.write(b"welcome"), Poll::Ready(Ok(7))));
    assert_eq!(server.reader.count(), 1);
    assert!(matches!(server.read(), Poll::Ready(Ok(read)) if read == b"hello"));

    let (mut server, mut client) = before_the_last_flight();
    client.writer().write_all(b"hello").unwrap();
    assert!(server.write(b"welcome").is_pending());
    server.receives(&take_ciphertext(&mut client));
    assert!(matches!(server.read(), Poll::Ready(Ok(read)) if read == b"hello"));
    assert_eq!(server.writer.count(), 1);
    assert!(matches!(server.write(b"welcome"), Poll::Ready(Ok(7))));
    // It is over: neither wakes the other any more.
    assert!(server.read().is_pending());
    assert!(matches!(server.write(b"welcome"), Poll::Ready(Ok(7))));
    assert_eq!((server.reader.count(), server.writer.count()), (0, 1));
}

#[test]
fn a_fault_behind_the_handshake_is_not_passed_over() {
    let (mut server, mut client) = before_the_last_flight();
    server.receives(&take_ciphertext(&mut client));
    // This record is not encrypted.
    server.receives(b"\x17\x03\x03\x00\x20this is not what a client sends.");
    match server.handshake() {
        Poll::Ready(Err(error)) => assert_eq!(error.kind(), io::ErrorKind::InvalidData),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_transport_that_takes_nothing_is_broken() {
    let (authority, wires) = (Authority::new(), Asleep::default());
    wires.0.lock().unwrap().empty_writes = 3;
    let name = ServerName::try_from(NAME).unwrap();
    let mut tls = Tls::client(wires, authority.client_config(), name).unwrap();
    match tls.poll_handshake(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Err(error)) => assert_eq!(error.kind(), io::ErrorKind::WriteZero),
        other => panic!("{other:?}"),
    }
}

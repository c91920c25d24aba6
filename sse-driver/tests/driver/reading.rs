//! The size of reads from an event stream.

use std::{
    future::ready,
    io::{self, IoSlice},
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use sse_driver::{Connected, Dial, Transport};

use crate::{
    sim::Sim,
    subscriber::{Subscriber, source},
};

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";

/// Accepts every request. Its response is an endless event stream, of which the test sets the available
/// bytes.
#[derive(Clone, Default)]
struct Stream {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    /// The number of bytes that can be read.
    there: usize,
    /// The number of bytes that were read.
    read: usize,
    /// The lengths of the buffers of the reads.
    buffers: Vec<usize>,
    reader: Option<Waker>,
}

impl Stream {
    /// Sends this many bytes, and returns the lengths of the buffers that got some.
    fn send(&self, sim: &Sim, bytes: usize) -> Vec<usize> {
        let reader = {
            let mut shared = self.shared.lock().unwrap();
            shared.there = bytes;
            shared.reader.take()
        };
        reader.expect("it is read from").wake();
        sim.settle();
        let mut shared = self.shared.lock().unwrap();
        assert_eq!(shared.there, 0, "everything is read");
        std::mem::take(&mut shared.buffers)
    }
}

impl Transport for Stream {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut shared = self.shared.lock().unwrap();
        if shared.there == 0 {
            shared.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        shared.buffers.push(buffer.len());
        let n = shared.there.min(buffer.len());
        for (at, byte) in buffer[..n].iter_mut().enumerate() {
            *byte = match shared.read + at {
                at if at < HEAD.len() => HEAD[at],
                at if at % 100 == 0 => b'\n',
                _ => b':',
            };
        }
        shared.there -= n;
        shared.read += n;
        Poll::Ready(Ok(n))
    }

    fn poll_write_vectored(
        &mut self,
        _: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

const KIB: usize = 1024;

#[test]
fn a_stream_is_read_in_pieces_as_large_as_what_it_has_to_say() {
    let (sim, stream) = (Sim::new(), Stream::default());
    let transport = stream.clone();
    let source = source(&sim, "/")
        .with_connector(move |_: Dial<Sim>| ready(Ok(Connected::direct(transport.clone()))));
    let subscriber = Subscriber::new(&sim, source);
    let send = |bytes| stream.send(&sim, bytes);

    // It begins small, and a full buffer is followed by a larger one.
    let pieces = [4, 16, 64, 64, 64].map(|size| size * KIB);
    assert_eq!(send(HEAD.len() + 200 * KIB), pieces);
    // It stays the same for a stream that continues like this,
    assert_eq!(send(100 * KIB), [64 * KIB, 64 * KIB]);
    assert_eq!(send(16 * KIB), [64 * KIB]);
    // and gets small again for one with fewer bytes.
    assert_eq!(send(16 * KIB - 1), [64 * KIB]);
    assert_eq!(send(100), [16 * KIB]);
    for _ in 0..10 {
        assert_eq!(send(100), [4 * KIB]);
    }
    let notes = subscriber.notes();
    assert_eq!(notes[1], "open: 200 OK");
    assert!(notes[2..].iter().all(|note| note == "comment"));
}

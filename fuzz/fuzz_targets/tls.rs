//! Calls two ends of TLS in any order, over a wire that cuts their bytes anywhere and on which an attacker
//! changes, adds, drops, repeats, exchanges and reflects them.
//!
//! - An end reads what the other one has written, in order, and nothing else.
//! - An end reads a proper end only where the other one has closed its output, and behind everything that it
//!   has written. Otherwise each end fails, with the error of TLS or for the missing end, and that stays.
//! - Without an attacker both ends read everything, and whether the output was closed or broken off. A task whose
//!   last call had to wait is polled only once it was woken.
//! - An end takes no more than a record of what the wire has no room for, and adds little to what it was
//!   given.
#![no_main]

mod tls_ends;
mod tls_wire;

use std::{
    io::{self, ErrorKind, IoSlice},
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use rustls::{ClientConfig, pki_types::ServerName};
use sse_driver::{Transport, tls::Tls};
use tls_ends::{ENDS, Ends, NAME};
use tls_wire::{End, Fault, Wire};

/// The largest number of bytes that an end takes beyond those that were written to the wire.
const RECORD: usize = 16 * 1024;

/// More than an end adds to its output in all, and for each write.
const HANDSHAKE: usize = 8 * 1024;
const OVERHEAD: usize = 64;

/// More turns than the tasks of both ends need.
const ROUNDS: usize = 10_000;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    is_tls13: bool,
    /// Resumes the TLS session of a connection before.
    resumes: bool,
    calls: Vec<(bool, Call<'a>)>,
}

/// What an end does, or what the wire does to what it writes.
#[derive(Arbitrary, Debug)]
enum Call<'a> {
    Handshake,
    Read(u16),
    Write(u16),
    Flush,
    End(bool),
    Room(u16),
    Fault(Fault<'a>),
}

/// How the output of an end was ended.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Ending {
    Closed,
    BrokenOff,
}

/// What an end has read last.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Heard {
    Proper,
    Cut,
    Failure,
}

/// A task of an end.
#[derive(Clone, Copy)]
enum Side {
    Reader,
    Writer,
}

/// Whether a task was woken.
#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// An end of the connection.
struct Peer {
    tls: Tls<End>,
    which: usize,
    wire: Wire,
    flags: [Arc<Flag>; 2],
    wakers: [Waker; 2],
    /// Whether the last call of each task had to wait.
    waits: [bool; 2],
    /// How many bytes it has written, and read.
    written: usize,
    read: usize,
    writes: usize,
    /// How many bytes of TLS it had written at the last call.
    sent: usize,
    is_connected: bool,
    ending: Option<Ending>,
    heard: Option<Heard>,
    failure: Option<rustls::Error>,
    /// Its output is over.
    is_done: bool,
}

/// Returns the bytes that an end writes.
fn bytes(which: usize, range: Range<usize>) -> Vec<u8> {
    let byte = |at: usize| {
        let seed = at as u64 * 2 + which as u64;
        (seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8
    };
    range.map(byte).collect()
}

impl Peer {
    fn new(tls: Tls<End>, which: usize, wire: &Wire) -> Self {
        let flags: [Arc<Flag>; 2] = Default::default();
        Self {
            tls,
            which,
            wire: wire.clone(),
            wakers: flags.clone().map(Waker::from),
            flags,
            waits: [false; 2],
            written: 0,
            read: 0,
            writes: 0,
            sent: 0,
            is_connected: false,
            ending: None,
            heard: None,
            failure: None,
            is_done: false,
        }
    }

    /// Makes a call, and checks its error if it has one. Returns whether it became ready.
    fn call<T>(
        &mut self,
        side: Side,
        call: impl FnOnce(&mut Tls<End>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<Result<T, ErrorKind>> {
        self.wire.begin_call();
        let waker = &self.wakers[side as usize];
        let result = call(&mut self.tls, &mut Context::from_waker(waker));
        self.waits[side as usize] = result.is_pending();
        let sent = self.wire.written(self.which);
        assert_eq!(self.tls.take_progress(), sent > self.sent);
        self.sent = sent;
        result.map(|result| result.map_err(|error| self.fail(&error)))
    }

    fn fail(&mut self, error: &io::Error) -> ErrorKind {
        match error.kind() {
            ErrorKind::InvalidData => {
                let inner = error.get_ref().unwrap();
                let failure: &rustls::Error = inner.downcast_ref().unwrap();
                assert_eq!(self.failure.get_or_insert_with(|| failure.clone()), failure);
            }
            ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe => {}
            _ => panic!("{error}"),
        }
        error.kind()
    }

    /// Makes the handshake. Returns whether it is over, as the other calls do.
    fn shake_hands(&mut self) -> bool {
        let result = self.call(Side::Writer, Tls::poll_handshake);
        self.is_connected |= matches!(result, Poll::Ready(Ok(())));
        result.is_ready()
    }

    fn read(&mut self, size: usize) -> bool {
        let mut buffer = vec![0; size];
        let result = self.call(Side::Reader, |tls, cx| tls.poll_read(cx, &mut buffer));
        let heard = match result {
            Poll::Pending => return false,
            Poll::Ready(Ok(count @ 1..)) => {
                assert_eq!(self.heard, None);
                let expected = bytes(1 - self.which, self.read..self.read + count);
                assert!(buffer[..count] == expected);
                self.read += count;
                self.is_connected = true;
                return true;
            }
            Poll::Ready(Ok(0)) => Heard::Proper,
            Poll::Ready(Err(ErrorKind::UnexpectedEof)) => Heard::Cut,
            Poll::Ready(Err(_)) => Heard::Failure,
        };
        assert_eq!(*self.heard.get_or_insert(heard), heard);
        true
    }

    fn write(&mut self, size: usize) {
        let bytes = bytes(self.which, self.written..self.written + size);
        let (one, two) = bytes.split_at(size / 3);
        let slices = [one, two].map(IoSlice::new);
        let result = self.call(Side::Writer, |tls, cx| tls.poll_write_vectored(cx, &slices));
        if let Poll::Ready(Ok(count)) = result {
            assert_eq!(self.ending, None);
            self.is_connected = true;
            self.written += count;
            self.writes += 1;
        }
    }

    fn flush(&mut self) -> bool {
        self.call(Side::Writer, Tls::poll_flush).is_ready()
    }

    /// Ends the output. The first call of it decides how.
    fn end(&mut self, ending: Ending) {
        self.ending.get_or_insert(ending);
        let result = self.call(Side::Writer, |tls, cx| match ending {
            Ending::Closed => tls.poll_shutdown(cx),
            Ending::BrokenOff => tls.poll_break_off(cx),
        });
        self.is_done |= result.is_ready();
    }

    /// Whether it may still be called. Behind its own `close_notify` an invalid record makes rustls panic where
    /// assertions are compiled: <https://github.com/rustls/rustls/issues/959>.
    fn may_read(&self, is_honest: bool) -> bool {
        is_honest || self.ending != Some(Ending::Closed)
    }

    /// Whether the writer has come to where it ends the output.
    fn may_end(&mut self, is_honest: bool) -> bool {
        match is_honest {
            true => self.shake_hands() && self.flush(),
            false => (self.heard.is_some() || self.ending.is_some()) && self.flush(),
        }
    }

    /// Continues the tasks that were woken. Returns whether one was.
    fn go_on(&mut self, is_honest: bool) -> bool {
        let [reader, mut writer] =
            [0, 1].map(|side| self.flags[side].0.swap(false, Ordering::Relaxed));
        if reader && self.may_read(is_honest) {
            while self.heard.is_none() && self.read(4_000) {}
            writer |= self.heard.is_some();
        }
        if writer && !self.is_done && self.may_end(is_honest) {
            self.end(Ending::Closed);
        }
        reader || writer
    }
}

/// Both ends of a connection: the client and the server.
struct Pair {
    wire: Wire,
    peers: [Peer; 2],
    /// Nothing has kept the ends from getting everything.
    is_honest: bool,
}

impl Pair {
    fn new(client: &Arc<ClientConfig>, ends: &Ends) -> Self {
        let wire = Wire::default();
        let name = ServerName::try_from(NAME).unwrap();
        let client = Tls::client(wire.end(0), client.clone(), name).unwrap();
        let server = Tls::server(wire.end(1), ends.server.clone()).unwrap();
        let peers = [Peer::new(client, 0, &wire), Peer::new(server, 1, &wire)];
        Self {
            wire,
            peers,
            is_honest: true,
        }
    }

    /// Makes a call of this end, or lets something happen to what it has written.
    fn act(&mut self, which: usize, call: Call<'_>) {
        let peer = &mut self.peers[which];
        let may_read = peer.may_read(self.is_honest);
        match call {
            Call::Handshake | Call::Read(_) | Call::Write(_) if !may_read => {}
            Call::Handshake => _ = peer.shake_hands(),
            Call::Read(size) => _ = peer.read(1 + usize::from(size)),
            Call::Write(size) => peer.write(size.into()),
            Call::Flush => _ = peer.flush(),
            Call::End(is_proper) => {
                // Without its part of the handshake there is no connection.
                self.is_honest &= peer.is_connected;
                peer.end(match is_proper {
                    true => Ending::Closed,
                    false => Ending::BrokenOff,
                });
            }
            Call::Room(more) => self.wire.add_room(which, more.into()),
            Call::Fault(fault) => self.is_honest &= !self.wire.strike(which, &fault),
        }
        self.check();
    }

    fn check(&self) {
        for (peer, other) in [(0, 1), (1, 0)].map(|(one, two)| (&self.peers[one], &self.peers[two]))
        {
            assert!(peer.read <= other.written);
            if peer.heard == Some(Heard::Proper) {
                assert_eq!(
                    (other.ending, other.written),
                    (Some(Ending::Closed), peer.read)
                );
            }
            assert!(peer.written <= peer.sent + RECORD);
            assert!(peer.sent <= peer.written + OVERHEAD * peer.writes + HANDSHAKE);
        }
    }

    /// Polls every task once that does not wait, and then those that are woken, until none is. After an attack it
    /// polls those that wait, too: nothing wakes a task for what the attacker took away.
    fn run(&mut self) {
        for peer in &self.peers {
            for (flag, waits) in peer.flags.iter().zip(peer.waits) {
                if !waits || !self.is_honest {
                    flag.0.store(true, Ordering::Relaxed);
                }
            }
        }
        for _ in 0..ROUNDS {
            let mut has_moved = false;
            for peer in &mut self.peers {
                has_moved |= peer.go_on(self.is_honest);
            }
            has_moved |= self.wire.wake_readers();
            self.check();
            if !has_moved && !self.wire.make_room() {
                return;
            }
        }
        panic!("the tasks do not come to rest");
    }

    /// Lets everything come to its end.
    fn finish(mut self) {
        self.run();
        if !self.is_honest {
            for which in [0, 1] {
                self.wire.strike(which, &Fault::End);
            }
            self.run();
        }
        for (peer, other) in [(0, 1), (1, 0)].map(|(one, two)| (&self.peers[one], &self.peers[two]))
        {
            let is_over = peer.heard.is_some() || !peer.may_read(self.is_honest);
            assert!(peer.is_done && is_over, "a task waits for ever");
            if self.is_honest {
                assert_eq!((&peer.failure, peer.read), (&None, other.written));
                let heard = match other.ending {
                    Some(Ending::BrokenOff) => Heard::Cut,
                    _ => Heard::Proper,
                };
                assert_eq!(peer.heard, Some(heard));
            }
        }
    }
}

fuzz_target!(|input: Input<'_>| {
    let ends = &ENDS[usize::from(input.is_tls13)];
    let client = ends.client();
    if input.resumes {
        Pair::new(&client, ends).finish();
    }
    let mut pair = Pair::new(&client, ends);
    for (which, call) in input.calls {
        pair.act(which.into(), call);
    }
    pair.finish();
});

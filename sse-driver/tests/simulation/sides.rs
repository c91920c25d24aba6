//! A TLS connection whose sides are tasks of their own, as the driver's transports allow: at each
//! end one task reads and one writes, and either may make the handshake.

use std::{
    future::poll_fn,
    io::IoSlice,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    thread,
    time::Duration,
};

use fastrand::Rng;
use rustls::pki_types::ServerName;
use sse_driver::{Clock, Runtime, Timer, Transport, tls::Tls};

use crate::{
    chaos::{Chaos, Runtimes},
    scenario::Scenario,
    sim::{Job, Sim},
    transport::End,
    wire::Link,
};

/// The number of these worlds for each seed of the others, because they are small.
pub const WORLDS: u64 = 8;

/// The largest number of pieces that each side writes, and of bytes in one.
const PIECES: usize = 6;
const PIECE: usize = 3000;

/// The longest pause between two pieces, and before the end. Bytes are not on their way for longer.
const PAUSE: Duration = Duration::from_secs(2);
const LAST_PAUSE: Duration = Duration::from_secs(60);

/// By then everything is over.
const END: Duration = Duration::from_secs(3600);

/// An end of the connection, shared by its sides.
#[derive(Clone)]
struct Shared {
    sim: Sim,
    chaos: Arc<Chaos>,
    tls: Arc<Mutex<Tls<End>>>,
    way: Arc<Mutex<Way>>,
}

/// The bytes that the end has sent, and those that it has received.
#[derive(Debug, Default)]
struct Way {
    sent: usize,
    /// Whether a piece is being written.
    is_writing: bool,
    received: usize,
    has_ended: bool,
}

/// Prints the seed if the world of it fails.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("again: SEED={} has it fail", self.0 / WORLDS);
        }
    }
}

/// Runs the world of this seed.
///
/// # Panics
///
/// Where a side waits for something that is there, or bytes are lost.
pub fn run(seed: u64) {
    let _seed = Seed(seed);
    let mut disarray = Scenario::draw(seed).disarray;
    disarray.late_notices = Rng::with_seed(seed).f64();
    let chaos = Chaos::new(!seed, disarray);
    let sim = Sim::with_disorder(Arc::new(Runtimes(chaos.clone())));
    let (client, server, _) = chaos.new_link(&sim, 0);
    let name = ServerName::try_from(crate::NAME).expect("a name");
    let client = Tls::client(client, crate::tls::client_config(), name);
    let server = Tls::server(server, crate::tls::server_config());
    let ends = [client, server].map(|tls| Shared {
        sim: sim.clone(),
        chaos: chaos.clone(),
        tls: Arc::new(Mutex::new(tls.expect("a configuration"))),
        way: Arc::default(),
    });
    let sides: Vec<Job<()>> = ends
        .iter()
        .flat_map(|end| {
            [
                sim.start(end.clone().read()),
                sim.start(end.clone().write()),
            ]
        })
        .collect();
    let link = chaos.link(0).expect("a link");
    chaos.pass(&sim, sim.now() + END, || check(&link, &ends));
    let are_over = sides.iter().all(|side| side.take().is_some());
    let ways = ends.each_ref().map(Shared::way);
    assert!(are_over, "a side waits for ever: {ways:?}");
    assert!(ways.iter().all(|way| way.has_ended), "{ways:?}");
}

/// Checks that each end has received everything that the other one has sent, once nothing is left
/// to be done.
fn check(link: &Link, ends: &[Shared; 2]) {
    let is_at_rest = link.state().is_at_rest();
    let [client, server] = ends.each_ref().map(Shared::way);
    if !is_at_rest {
        return;
    }
    for (one, other) in [(&client, &server), (&server, &client)] {
        assert!(
            one.received == other.sent && !one.is_writing,
            "a side does not hear of what there is: {client:?}, {server:?}"
        );
    }
}

impl Shared {
    fn way(&self) -> MutexGuard<'_, Way> {
        self.way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn poll<T>(&self, mut poll: impl FnMut(&mut Tls<End>, &mut Context<'_>) -> Poll<T>) -> T {
        poll_fn(|cx| {
            let mut tls = self.tls.lock().unwrap_or_else(PoisonError::into_inner);
            poll(&mut tls, cx)
        })
        .await
    }

    async fn pause(&self, time: Duration) {
        let mut timer = self.sim.timer(self.sim.now() + time);
        poll_fn(|cx| timer.poll_elapsed(cx)).await;
        self.sim.note_progress();
    }

    async fn read(self) {
        let mut buffer = [0; 1000];
        loop {
            let read = self.poll(|tls, cx| tls.poll_read(cx, &mut buffer)).await;
            self.sim.note_progress();
            let count = read.expect("nothing goes wrong on this link");
            let way = &mut *self.way();
            for (at, byte) in (way.received..).zip(&buffer[..count]) {
                assert_eq!(*byte, byte_at(at), "byte {at}");
            }
            way.received += count;
            if count == 0 {
                way.has_ended = true;
                return;
            }
        }
    }

    async fn write(self) {
        let pieces = self.chaos.draw(|rng| rng.usize(1..=PIECES));
        for _ in 0..pieces {
            let pause = self.chaos.draw(|rng| PAUSE.mul_f64(rng.f64()));
            if self.chaos.draw(|rng| rng.bool()) {
                self.pause(pause).await;
            }
            let length = self.chaos.draw(|rng| rng.usize(1..=PIECE));
            self.write_piece(length).await;
        }
        self.pause(LAST_PAUSE).await;
        let ended = self.poll(|tls, cx| tls.poll_shutdown(cx)).await;
        self.sim.note_progress();
        ended.expect("nothing goes wrong on this link");
    }

    async fn write_piece(&self, length: usize) {
        let from = self.way().sent;
        self.way().is_writing = true;
        let bytes: Vec<u8> = (from..from + length).map(byte_at).collect();
        let mut left = &bytes[..];
        while !left.is_empty() {
            let slices = [IoSlice::new(left)];
            let wrote = self
                .poll(|tls, cx| tls.poll_write_vectored(cx, &slices))
                .await;
            left = &left[wrote.expect("nothing goes wrong on this link")..];
            self.sim.note_progress();
        }
        let flushed = self.poll(|tls, cx| tls.poll_flush(cx)).await;
        self.sim.note_progress();
        flushed.expect("nothing goes wrong on this link");
        let way = &mut *self.way();
        (way.sent, way.is_writing) = (from + length, false);
    }
}

/// Returns the byte at this place of everything that is sent.
fn byte_at(at: usize) -> u8 {
    (at % 251) as u8
}

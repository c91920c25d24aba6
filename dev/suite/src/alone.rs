//! Tests that measure the whole process: its file descriptors and its memory. They have a process of
//! their own, and run one after another.

use std::{
    fs::{self, File},
    io::Write,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use futures_util::stream;
use peak_alloc::PeakAlloc;
use rlimit::Resource;
use sse_core::{
    DecoderLimits,
    client::EventSourceConfig,
    lifecycle::{CloseReason, Deadline},
};
use sse_driver::{EventSourceError, ServerConfig, router::Router};

use crate::{
    Adapter, EventSource, PATIENCE,
    handlers::{Tally, hello_and_silence},
    patiently,
    peer::{Misbehaving, STREAM_HEAD},
    port::Port,
    running::{start, start_with},
};

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

const KIB: usize = 1024;

/// Held by the test that measures.
static ALONE: Mutex<()> = Mutex::new(());

/// Waits until no other test of this process runs. A test that panicked while it held the lock has
/// changed nothing that matters to others.
fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the number of open file descriptors.
fn descriptors() -> usize {
    // One of them is that of the folder that is read here.
    fs::read_dir("/proc/self/fd").unwrap().count() - 1
}

/// Returns the most memory in use during `work`, beyond the memory in use before, and the result of
/// `work`.
fn peak_of<T>(work: impl FnOnce() -> T) -> (usize, T) {
    HEAP.reset_peak_usage();
    let before = HEAP.current_usage();
    let result = work();
    (HEAP.peak_usage() - before, result)
}

/// Runs `round` many times, and asserts that nothing of it is left: no file descriptor, and no memory
/// beyond what a runtime may keep.
fn leaves_nothing(rounds: usize, mut round: impl FnMut(usize)) {
    const STORE: usize = 64 * KIB;
    // The first rounds allocate what the runtime keeps for later ones.
    (0..rounds / 4).for_each(&mut round);
    let (fds, heap) = (descriptors(), HEAP.current_usage());
    (0..rounds).for_each(&mut round);

    let start = Instant::now();
    while descriptors() > fds || HEAP.current_usage() > heap + STORE {
        assert!(
            start.elapsed() < PATIENCE,
            "after {rounds} rounds: {fds} file descriptors before, {} now; {heap} bytes before, {} now",
            descriptors(),
            HEAP.current_usage(),
        );
        thread::yield_now();
    }
}

pub fn two_thousand_connections_leave_nothing_behind<A: Adapter>() {
    let _alone = alone();
    let server = start::<A>(
        Router::new()
            .events("/idle", |_| hello_and_silence())
            .events("/short", |_| stream::iter(["hello"])),
    );
    leaves_nothing(2000, |round| {
        match round % 5 {
            0 => drop(server.connect()),
            1 => server.get("/idle").reset(),
            2 => drop(server.get("/short").answer()),
            3 => drop(server.request("nonsense\r\n\r\n")),
            _ => drop(server.get("/idle").read_until("hello")),
        }
        if round % 50 == 0 {
            server.empty();
        }
    });
    server.empty();
}

pub fn a_thousand_event_sources_leave_nothing_behind<A: Adapter>() {
    let _alone = alone();
    let server = start::<A>(
        Router::new()
            .events("/idle", |_| hello_and_silence())
            .events("/short", |_| stream::iter(["hello"])),
    );
    // Nothing listens there.
    let port = Port::reserve();
    let closed = port.address();
    leaves_nothing(1000, |round| {
        let (address, path) = match round % 3 {
            0 => (server.address, "idle"),
            1 => (server.address, "short"),
            _ => (closed, "idle"),
        };
        let mut config = EventSourceConfig::default();
        config.reconnection = None;
        let url = format!("http://{address}/{path}");
        A::block_on(async {
            let mut source = EventSource::<A>::with_config(url, config).unwrap();
            let event = patiently::<A, _>(source.next()).await.unwrap();
            assert_eq!(event.is_err(), address == closed);
        });
        if round % 50 == 0 {
            server.empty();
        }
    });
    server.empty();
}

pub fn clients_that_never_read_cost_a_bounded_amount_of_memory<A: Adapter>() {
    const CLIENTS: usize = 20;
    const EVENT: usize = 20 * KIB;
    let _alone = alone();
    let tally = Tally::default();
    let mut config = ServerConfig::default();
    config.connection.stall_timeout = Duration::from_millis(500);
    let queue = config.connection.response.high_water_mark + EVENT;
    let endless = tally.route(|_| stream::repeat_with(|| "x".repeat(EVENT)));
    let server = start_with::<A>(config, Router::new().events("/", endless));
    let (peak, clients) = peak_of(|| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| server.get("/")).collect();
        while tally.requests() < CLIENTS {
            thread::yield_now();
        }
        server.empty();
        clients
    });
    // The queue may have grown by doubling; and there is an event in the making, and the task.
    let most = CLIENTS * (2 * queue + EVENT + 16 * KIB);
    assert!(peak < most, "{peak} bytes, and not {most}");
    drop(clients);
    let stalled = CloseReason::TimedOut(Deadline::Stall);
    assert_eq!(tally.once_each(), vec![stalled; CLIENTS]);
}

pub fn hostile_servers_cost_a_bounded_amount_of_memory<A: Adapter>() {
    const LIMIT: usize = 512 * KIB;
    let _alone = alone();
    let chunked = STREAM_HEAD.replace("Connection: close", "Transfer-Encoding: chunked");
    for (beginning, endless) in [
        (STREAM_HEAD.to_owned(), "data: x"),
        (STREAM_HEAD.to_owned(), "data: x\n"),
        (STREAM_HEAD.to_owned(), "data\n"),
        (STREAM_HEAD.to_owned() + "id: ", "1"),
        (STREAM_HEAD.to_owned() + ":", "comment"),
        (chunked + "ffffffffffffffff\r\n", "data: x"),
    ] {
        let what = format!("{beginning:?}, {endless:?}");
        // The server stops after a while, so that the test has something to wait for.
        let server = Misbehaving::new(move |_, mut socket| {
            let _ = socket.write_all(beginning.as_bytes());
            let block = endless.repeat(KIB);
            for _ in 0..16 * LIMIT / block.len() {
                let _ = socket.write_all(block.as_bytes());
            }
            let _ = socket.write_all(b"\n\ndata: the end\n\n");
        });
        let mut config = EventSourceConfig::default();
        config.decoder_limits = DecoderLimits::default().with_line(LIMIT).with_event(LIMIT);
        let (peak, ()) = peak_of(|| {
            A::block_on(async {
                let mut source = EventSource::<A>::with_config(&server.url, config).unwrap();
                let mut discarded = 0;
                loop {
                    match patiently::<A, _>(source.next()).await {
                        Some(Err(EventSourceError::Discarded(_))) => discarded += 1,
                        Some(Ok(event)) if event.data() == "the end" => break,
                        other => panic!("{what}: {other:?}"),
                    }
                }
                assert!(discarded > 0, "{what}");
            });
        });
        // One line, one event's data, each with what growing takes, and what the peer needs here.
        assert!(peak < 3 * LIMIT, "{what}: {peak} bytes");
    }
}

pub fn running_out_of_file_descriptors_is_survived<A: Adapter>() {
    let _alone = alone();
    let mut config = ServerConfig::default();
    config.connection.response.keep_alive = Some(Duration::from_millis(20));
    let tally = Tally::default();
    let router = Router::new().events("/", tally.route(|_| hello_and_silence()));
    let server = start_with::<A>(config, router);
    let mut open = server.get("/");
    open.read_until("hello");

    let (soft, hard) = rlimit::getrlimit(Resource::NOFILE).unwrap();
    let limit = descriptors() as u64 + 20;
    rlimit::setrlimit(Resource::NOFILE, limit, hard).unwrap();
    let mut fillers = Vec::new();
    let full = loop {
        match File::open("/dev/null") {
            Ok(file) => fillers.push(file),
            Err(error) => break error,
        }
    };
    // Room for the client's end of the connection, and none for the server's.
    drop(fillers.pop());
    let mut waiting = server.connect();
    let sent = waiting.0.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    // Connected clients get events, for as long as the server takes to try again several times.
    let mut comments = 0;
    while comments < 20 || server.handle.stats().accept_errors < 2 {
        open.read_until("2\r\n:\n\r\n");
        comments += 1;
    }
    let refused = tally.requests();
    drop(fillers);
    rlimit::setrlimit(Resource::NOFILE, soft, hard).unwrap();

    assert_eq!(full.raw_os_error(), Some(24), "{full}"); // EMFILE
    sent.unwrap();
    assert_eq!(refused, 1, "no connection can be accepted");
    waiting.read_until("hello");
    server.get("/").read_until("hello");
    drop((open, waiting));
    server.empty();
    server.handle.shut_down();
    let report = server.report();
    assert!(report.accept_errors > 0, "{report}");
    assert_eq!(report.accepted, 3);
    assert_eq!(tally.once_each().len(), 3);
}

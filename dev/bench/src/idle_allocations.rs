//! The allocations of an idle connection, by the type that is allocated: `idle_allocations RUNTIME SERVER`, with
//! `tokio`, `smol` or `async-std`, and `stream` or `topic`, as in `idle_memory`.
//!
//! The sizes are those that were asked for, without what an allocator adds. Of blocks that are there for many
//! connections, such as a vector of wakers, the table has the part of one.

mod idle;

use std::{
    alloc::System,
    backtrace::Backtrace,
    collections::{BTreeMap, HashMap},
    env, process,
    sync::{
        LazyLock, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use sse_async_std::AsyncStd;
use sse_smol::Smol;
use sse_tokio::Tokio;
use tracking_allocator::{AllocationGroupId, AllocationRegistry, AllocationTracker, Allocator};

use idle::{Result, connect, serve_ours};

#[global_allocator]
static ALLOCATOR: Allocator<System> = Allocator::system();

/// The number of connections.
const CONNECTIONS: usize = 1_000;

/// The time in which the server becomes idle.
const SETTLING: Duration = Duration::from_millis(500);

/// Whether blocks are counted: while the connections are made.
static COUNTS: AtomicBool = AtomicBool::new(false);

/// The blocks that were allocated and not freed, by their addresses.
static BLOCKS: LazyLock<Mutex<HashMap<usize, Block>>> = LazyLock::new(Mutex::default);

struct Block {
    size: usize,
    calls: Backtrace,
}

struct Tracker;

fn blocks() -> MutexGuard<'static, HashMap<usize, Block>> {
    BLOCKS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl AllocationTracker for Tracker {
    fn allocated(&self, address: usize, size: usize, _: usize, _: AllocationGroupId) {
        if COUNTS.load(Ordering::Relaxed) {
            let calls = Backtrace::force_capture();
            blocks().insert(address, Block { size, calls });
        }
    }

    fn deallocated(
        &self,
        address: usize,
        _: usize,
        _: usize,
        _: AllocationGroupId,
        _: AllocationGroupId,
    ) {
        let freed = blocks().remove(&address);
        drop(freed);
    }
}

fn main() -> Result<()> {
    rlimit::increase_nofile_limit(u64::MAX)?;
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let [runtime, server] = arguments[..] else {
        return Err("idle_allocations RUNTIME SERVER".into());
    };
    AllocationRegistry::set_global_tracker(Tracker)?;
    AllocationRegistry::enable_tracking();
    let (runtime, server) = (runtime.to_owned(), server.to_owned());
    let (tell, address) = mpsc::channel();
    let _serving = thread::spawn(move || {
        if let Err(error) = serve(&runtime, &server, move |address| drop(tell.send(address))) {
            eprintln!("{error}");
        }
    });
    let address = address.recv()?;

    // Allocations for the first connections do not count as a cost of the later ones.
    let first: Vec<_> = (0..16).map(|_| connect(&address)).collect::<Result<_>>()?;
    let mut more = Vec::with_capacity(CONNECTIONS);
    COUNTS.store(true, Ordering::Relaxed);
    for _ in 0..CONNECTIONS {
        more.push(connect(&address)?);
    }
    thread::sleep(SETTLING);
    COUNTS.store(false, Ordering::Relaxed);
    AllocationRegistry::disable_tracking();
    report();
    drop((first, more));
    process::exit(0)
}

fn serve(runtime: &str, server: &str, listening: impl FnOnce(String)) -> Result<()> {
    match runtime {
        "tokio" => tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?
            .block_on(serve_ours::<Tokio>(server, listening)),
        "smol" => smol::block_on(serve_ours::<Smol>(server, listening)),
        "async-std" => async_std::task::block_on(serve_ours::<AsyncStd>(server, listening)),
        _ => Err(format!("there is no runtime {runtime}").into()),
    }
}

/// Prints the blocks, the largest first.
fn report() {
    let mut places: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for block in blocks().values() {
        let (count, bytes) = places.entry(place(&block.calls)).or_default();
        *count += 1;
        *bytes += block.size;
    }
    let mut places: Vec<_> = places.into_iter().collect();
    places.sort_by_key(|(_, (_, bytes))| std::cmp::Reverse(*bytes));
    let all: usize = places.iter().map(|(_, (_, bytes))| bytes).sum();
    let each = |n: usize| n as f64 / CONNECTIONS as f64;
    println!("| allocated by | blocks | bytes |");
    println!("|---|--:|--:|");
    for (place, (count, bytes)) in &places {
        println!("| `{place}` | {:.2} | {:.1} |", each(*count), each(*bytes));
    }
    println!("| all | | {:.1} |", each(all));
}

/// Returns the first function of the calls that names a crate other than the allocator and the standard library.
fn place(calls: &Backtrace) -> String {
    const PASSED_OVER: [&str; 5] = [
        "alloc",
        "core",
        "idle_allocations",
        "std",
        "tracking_allocator",
    ];
    /// The length of the shown part of the name, because types are long.
    const SHOWN: usize = 80;
    let calls = calls.to_string();
    let functions = calls.lines().filter_map(|line| {
        let (number, function) = line.trim_start().split_once(": ")?;
        number.parse::<usize>().ok().map(|_| function)
    });
    let names_a_crate = |function: &&str| {
        let parts = function.split(|char: char| !char.is_alphanumeric() && !"_:".contains(char));
        let mut crates = parts.filter_map(|part| part.split_once("::").map(|(name, _)| name));
        crates.any(|name| !name.is_empty() && !PASSED_OVER.contains(&name))
    };
    match functions.clone().find(names_a_crate) {
        Some(function) => function.chars().take(SHOWN).collect(),
        None => "others".to_owned(),
    }
}

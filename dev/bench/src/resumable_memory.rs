//! The memory of a resumable stream: `resumable_memory [STREAMS]`, 1,000 by default.
//!
//! The bytes that are allocated are counted, and not what the system says, so that runs differ by the
//! length of IDs alone. Names have the length of a UUID. An event has a token of five bytes, as a
//! language model writes them.

use std::{
    env,
    error::Error,
    future,
    sync::atomic::{AtomicUsize, Ordering},
};

use peak_alloc::PeakAlloc;
use sse_tokio::{Producer, ResumableConfig, ResumableStream, ResumableStreams, Tokio};

type Failed = Box<dyn Error + Send + Sync>;

#[global_allocator]
static ALLOCATED: PeakAlloc = PeakAlloc;

/// The number of producers that have published everything.
static PUBLISHED: AtomicUsize = AtomicUsize::new(0);

async fn produce(producer: Producer, tokens: usize, ends: bool) -> Result<(), Failed> {
    for _ in 0..tokens {
        producer.publish("token")?;
    }
    PUBLISHED.fetch_add(1, Ordering::Relaxed);
    match ends {
        true => Ok(()),
        false => future::pending().await,
    }
}

/// Starts this many streams, and waits until all have published everything, and have ended if they
/// end.
async fn start(
    streams: &ResumableStreams,
    count: usize,
    tokens: usize,
    ends: bool,
) -> Result<Vec<ResumableStream>, Failed> {
    PUBLISHED.store(0, Ordering::Relaxed);
    let mut all = Vec::with_capacity(count);
    for n in 0..count {
        let name = format!("{n:036}");
        all.push(streams.start(&name, |producer| produce(producer, tokens, ends))?);
    }
    while PUBLISHED.load(Ordering::Relaxed) < count {
        tokio::task::yield_now().await;
    }
    for stream in all.iter().filter(|_| ends) {
        stream.ended().await;
    }
    Ok(all)
}

/// Returns the bytes that one of the `count` things takes that `make` makes.
async fn each<T>(count: usize, make: impl Future<Output = Result<T, Failed>>) -> Result<T, Failed> {
    let before = ALLOCATED.current_usage();
    let made = make.await?;
    let taken = ALLOCATED.current_usage().saturating_sub(before);
    println!("{:7} bytes", taken / count);
    Ok(made)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failed> {
    let count = env::args()
        .nth(1)
        .map_or(Ok(1_000), |count| count.parse())?;
    let mut config = ResumableConfig::default();
    (config.max_streams, config.max_streams_per_owner) = (count, count);
    println!("allocated for each of {count}");
    for tokens in [0, 1, 100, 1_000] {
        for ends in [false, true] {
            let streams = ResumableStreams::on(Tokio, config.clone());
            let state = if ends { "finished" } else { "running " };
            print!("{state} stream, {tokens:5} tokens ");
            let all = each(count, start(&streams, count, tokens, ends)).await?;
            if tokens == 1_000 && !ends {
                print!("a client that is attached to one ");
                let attach = all.iter().map(|stream| stream.attach_at(None));
                drop(each(count, async { Ok(attach.collect::<Vec<_>>()) }).await?);
            }
            // The rest of these streams is dropped before others are measured.
            drop((streams, all));
            for _ in 0..10 * count {
                tokio::task::yield_now().await;
            }
        }
    }
    Ok(())
}

//! The turn of one server: it is started, measured and ended.

use std::{thread, time::Duration};

use crate::{
    Plan, Result,
    clients::Clients,
    control::Process,
    corpora::Corpus,
    servers::{EVENT_BITS, Kind},
};

/// The number of clients that connect before memory is measured, so that allocations for the first
/// connections do not count as a cost of the later ones.
const FIRST: usize = 16;

/// The number of bytes of events that the clients have received before anything is measured. A
/// client that joins a shared stream gets plain bytes until the next restart point, which comes at
/// most 96 KiB after the one before. The other servers send the same from the first event on.
const WARM_UP: usize = 16 << 10;
const WARM_UP_SHARED: usize = 112 << 10;

/// Returns the number of events that have this many bytes.
fn events_of(corpus: Corpus, bytes: usize) -> u64 {
    let sample = 64;
    let encoded = |n| corpus.data(n).len() + "id: 0-00\ndata: \n\n".len();
    let size: usize = (0..sample).map(encoded).sum::<usize>() / sample as usize;
    (bytes / size) as u64
}

/// The time that a server is left alone before its memory is measured.
const REST: Duration = Duration::from_millis(50);

/// The measured values.
pub(crate) struct Measures {
    /// The bytes of each event on the wire.
    pub(crate) bytes: f64,
    /// The server's CPU time for each delivery, in nanoseconds.
    pub(crate) cpu: f64,
    /// Resident memory for each connection, in bytes.
    pub(crate) memory: f64,
}

pub(crate) fn take(kind: Kind, corpus: Corpus, plan: &Plan) -> Result<Measures> {
    measure(kind, corpus, plan).map_err(|error| format!("{}: {error}", kind.name()).into())
}

fn measure(kind: Kind, corpus: Corpus, plan: &Plan) -> Result<Measures> {
    let mut server = Process::start([kind.name()], |_| ())?;
    let path = format!("/{}", corpus.name());
    let one_event = (corpus.number() as u32) << EVENT_BITS | 1;

    let mut first = Clients::new()?;
    first.connect(server.address, &path, FIRST, kind.is_coded())?;
    let before_them = events_of(corpus, WARM_UP);
    for n in 1..=before_them {
        server.publish(one_event)?;
        first.receive_events(n)?;
    }
    let before = server.resident()?;
    let mut clients = Clients::new()?;
    clients.connect(server.address, &path, plan.clients, kind.is_coded())?;
    let mut published = 0;
    let mut publish = |server: &mut Process, clients: &mut Clients| -> Result<()> {
        published += 1;
        server.publish(one_event)?;
        clients.receive_events(published)?;
        first.receive_events(before_them + published)
    };
    let warm_up = match kind {
        Kind::Shared => WARM_UP_SHARED,
        _ => WARM_UP,
    };
    for _ in 0..events_of(corpus, warm_up) {
        publish(&mut server, &mut clients)?;
    }
    thread::sleep(REST);
    let memory = server.resident()?.saturating_sub(before) as f64 / plan.clients as f64;

    clients.bytes = 0;
    let cpu_before = server.cpu_time()?;
    for _ in 0..plan.events {
        publish(&mut server, &mut clients)?;
    }
    let cpu = server.cpu_time()? - cpu_before;
    let events = f64::from(plan.events);
    Ok(Measures {
        bytes: clients.bytes as f64 / (events * plan.clients as f64),
        cpu: cpu.as_nanos() as f64 / (events * (plan.clients + FIRST) as f64),
        memory,
    })
}

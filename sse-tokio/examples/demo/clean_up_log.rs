//! What clean-up callbacks were told, for whoever wants to watch.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use futures_util::{Stream, StreamExt, stream};
use serde::Serialize;
use sse_tokio::{CloseReason, Event, EventError, Request};
use tokio::sync::broadcast;

/// How many entries a newcomer gets to see.
const KEPT: usize = 50;

/// The latest clean-ups, and those to come.
#[derive(Debug)]
pub(crate) struct CleanUpLog {
    connections: AtomicU64,
    latest: Mutex<VecDeque<Entry>>,
    live: broadcast::Sender<Entry>,
}

#[derive(Clone, Debug, Serialize)]
struct Entry {
    #[serde(skip)]
    id: u64,
    connection: u64,
    path: String,
    peer: String,
    reason: String,
    after_seconds: f64,
}

impl Default for CleanUpLog {
    fn default() -> Self {
        Self {
            connections: AtomicU64::new(0),
            latest: Mutex::default(),
            live: broadcast::Sender::new(KEPT),
        }
    }
}

impl CleanUpLog {
    /// Has this connection's end logged.
    pub(crate) fn watch(self: &Arc<Self>, request: &Request) {
        let connection = self.connections.fetch_add(1, Ordering::Relaxed) + 1;
        let path = request.path().to_owned();
        let peer = request
            .peer_addr()
            .map_or_else(|| "unknown".into(), |peer| peer.to_string());
        let (log, start) = (self.clone(), Instant::now());
        request.clean_up().add(move |reason: &CloseReason| {
            log.write(Entry {
                id: 0,
                connection,
                path,
                peer,
                reason: reason.to_string(),
                after_seconds: (start.elapsed().as_secs_f64() * 10.0).round() / 10.0,
            });
        });
    }

    fn write(&self, mut entry: Entry) {
        println!(
            "connection {} ({} from {}) ended after {} s: {}",
            entry.connection, entry.path, entry.peer, entry.after_seconds, entry.reason
        );
        let mut latest = self.latest();
        entry.id = latest.back().map_or(1, |last| last.id + 1);
        if latest.len() == KEPT {
            latest.pop_front();
        }
        latest.push_back(entry.clone());
        // Fails when nobody is watching.
        let _ = self.live.send(entry);
    }

    /// What was logged after the entry with this id, and what is yet to be.
    pub(crate) fn entries(
        &self,
        last_event_id: Option<&str>,
    ) -> impl Stream<Item = Result<Event, EventError>> + use<> {
        // An id from before a restart is higher than any of this run, or means another entry;
        // the page takes what it has seen out.
        let after = last_event_id.and_then(|id| id.parse().ok()).unwrap_or(0);
        let latest = self.latest();
        let last = latest.back().map_or(0, |entry| entry.id);
        let after = if after > last { 0 } else { after };
        let replay: Vec<_> = latest
            .iter()
            .filter(|entry| entry.id > after)
            .cloned()
            .collect();
        // Under the lock: nothing is logged between the replay and what follows.
        let live = self.live.subscribe();
        drop(latest);

        let live = stream::unfold(live, |mut live| async {
            loop {
                match live.recv().await {
                    Ok(entry) => return Some((entry, live)),
                    // Too slow a reader misses some; the page shows the latest anyway.
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => return None,
                }
            }
        });
        stream::iter(replay)
            .chain(live)
            .map(|entry| Ok(Event::json(&entry)?.with_id(entry.id)?))
    }

    fn latest(&self) -> MutexGuard<'_, VecDeque<Entry>> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

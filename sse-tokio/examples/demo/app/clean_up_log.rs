//! The log of clean-up callbacks, for all pages that watch it.

use std::{
    collections::VecDeque,
    mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Poll, Waker},
    time::Instant,
};

use futures_util::{Stream, StreamExt, stream};
use serde::Serialize;

use super::console::Console;
use crate::on::adapter::{CloseReason, Event, EventError, Request};

/// The number of entries that a new page gets.
const KEPT: usize = 50;

/// The latest clean-ups, and those to come.
#[derive(Debug)]
pub(crate) struct CleanUpLog {
    console: Console,
    connections: AtomicU64,
    shared: Mutex<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    latest: VecDeque<Entry>,
    /// The streams that have seen all entries.
    waiting: Vec<Waker>,
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

impl CleanUpLog {
    /// Creates an empty log. Each entry is printed on `console`, too.
    pub(crate) fn new(console: Console) -> Self {
        Self {
            console,
            connections: AtomicU64::new(0),
            shared: Mutex::default(),
        }
    }

    /// Logs the end of this connection.
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
        self.console.say(format_args!(
            "connection {} ({} from {}) ended after {} s: {}",
            entry.connection, entry.path, entry.peer, entry.after_seconds, entry.reason
        ));
        let mut shared = self.shared();
        entry.id = shared.latest.back().map_or(1, |last| last.id + 1);
        if shared.latest.len() == KEPT {
            shared.latest.pop_front();
        }
        shared.latest.push_back(entry);
        let waiting = mem::take(&mut shared.waiting);
        drop(shared);
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Returns the entries after the one with this id, and those to come. A reader that is too slow
    /// misses some, because the page only shows the latest.
    pub(crate) fn entries(
        self: &Arc<Self>,
        last_event_id: Option<&str>,
    ) -> impl Stream<Item = Result<Event, EventError>> + use<> {
        // An id from before a restart is higher than any of this run, or is another entry; the page
        // removes the entries that it has.
        let seen = last_event_id.and_then(|id| id.parse().ok()).unwrap_or(0);
        let newest = self.shared().latest.back().map_or(0, |entry| entry.id);
        let mut seen: u64 = if seen > newest { 0 } else { seen };

        let log = self.clone();
        stream::poll_fn(move |cx| {
            let mut shared = log.shared();
            if let Some(entry) = shared.latest.iter().find(|entry| entry.id > seen) {
                seen = entry.id;
                return Poll::Ready(Some(entry.clone()));
            }
            if !shared
                .waiting
                .iter()
                .any(|waker| waker.will_wake(cx.waker()))
            {
                shared.waiting.push(cx.waker().clone());
            }
            Poll::Pending
        })
        .map(|entry| Ok(Event::json(&entry)?.under_id(entry.id)))
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

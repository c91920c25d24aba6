//! The counters and times of all clients together.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use hdrhistogram::Histogram;

/// The number of kinds of losses that are counted separately. All others are counted together.
const MOST_KINDS: usize = 20;

/// The longest time. Times are stored in microseconds, with three digits, up to an hour.
const LONGEST: u64 = 3_600_000_000;
const DIGITS: u8 = 3;

/// The number of parts in which each value is stored, so that clients on several threads do not wait for
/// each other.
const PARTS: usize = 8;

/// Counters.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) clients: usize,
    pub(crate) started: Count,
    pub(crate) open: Count,
    pub(crate) opened: Count,
    pub(crate) reopened: Count,
    pub(crate) lost: Count,
    pub(crate) failed: Count,
    pub(crate) bytes: Count,
    /// The events whose IDs end in a number, if these are looked at.
    pub(crate) numbered: Count,
    pub(crate) missed: Count,
    pub(crate) repeated: Count,
    events: Count,
    pub(crate) opening: Times,
    pub(crate) latency: Times,
    why: Mutex<BTreeMap<String, u64>>,
}

#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    pub(crate) fn take_one(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Tally {
    pub(crate) fn new(clients: usize) -> Self {
        Self {
            clients,
            ..Self::default()
        }
    }

    pub(crate) fn event(&self, bytes: usize) {
        self.events.add(1);
        self.bytes.add(bytes as u64);
    }

    pub(crate) fn events(&self) -> u64 {
        self.events.get()
    }

    /// Counts a loss or a failure. Returns whether it is the first of its kind.
    pub(crate) fn count_loss(&self, why: String) -> bool {
        let mut kinds = lock(&self.why);
        let why = match kinds.len() < MOST_KINDS || kinds.contains_key(&why) {
            true => why,
            false => "of other kinds".to_owned(),
        };
        let count = kinds.entry(why).or_default();
        *count += 1;
        *count == 1
    }

    pub(crate) fn losses(&self) -> BTreeMap<String, u64> {
        lock(&self.why).clone()
    }
}

/// The times that something took.
#[derive(Debug, Default)]
pub(crate) struct Times([Mutex<Option<Histogram<u64>>>; PARTS]);

impl Times {
    /// Records a time. `client` is the number of the client.
    pub(crate) fn record(&self, client: usize, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(LONGEST);
        let Some(part) = self.0.get(client % PARTS) else {
            return;
        };
        let mut part = lock(part);
        if part.is_none() {
            *part = Histogram::new_with_bounds(1, LONGEST, DIGITS).ok();
        }
        if let Some(histogram) = &mut *part {
            histogram.saturating_record(micros.max(1));
        }
    }

    /// Returns all times, if there are any.
    pub(crate) fn all(&self) -> Option<Histogram<u64>> {
        let mut all: Option<Histogram<u64>> = None;
        for part in &self.0 {
            let part = lock(part);
            match (&mut all, &*part) {
                (Some(all), Some(part)) => {
                    // They have the same bounds.
                    let _ = all.add(part);
                }
                (None, Some(part)) => all = Some(part.clone()),
                (_, None) => {}
            }
        }
        all
    }
}

/// Nothing panics while it is locked.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! The entries of a map that were unused for long.

use std::{collections::BTreeMap, time::Instant};

/// When a map was looked through for unused entries last, and what was found. It is looked through only if an
/// entry can be due, so that names of clients' choice that find no room cost nothing.
#[derive(Debug, Default)]
pub struct Unused {
    /// No entry has been unused since before this time.
    since: Option<Instant>,
}

impl Unused {
    /// Removes the entries that have been unused since a time that `is_due`. `unused_since` tells it of an entry;
    /// none comes into use meanwhile. Returns `None` where no entry can be due.
    pub fn take<K: Clone + Ord, V>(
        &mut self,
        entries: &mut BTreeMap<K, V>,
        now: Instant,
        is_due: impl Fn(Instant) -> bool,
        unused_since: impl Fn(&mut V) -> Option<Instant>,
    ) -> Option<Vec<V>> {
        if self.since.is_some_and(|since| !is_due(since)) {
            return None;
        }
        let (mut due, mut first) = (Vec::new(), now);
        for (name, entry) in &mut *entries {
            match unused_since(entry) {
                Some(since) if is_due(since) => due.push(name.clone()),
                since => first = since.map_or(first, |since| first.min(since)),
            }
        }
        self.since = Some(first);
        let due = due.iter();
        Some(due.filter_map(|name| entries.remove(name)).collect())
    }
}

//! A client, which goes from node to node, and what it gets.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::StreamExt;
use sse_core::topic::{Batch, Outcome};
use sse_driver::event_log::SharedStreams;

use super::{log::sleep, producers::Producers};
use crate::sim::{Job, Sim};

/// A client and what it has.
pub struct Client {
    pub name: String,
    /// The node that it is attached to, or was last.
    pub node: usize,
    pub job: Option<Job<()>>,
    pub got: Arc<Mutex<Got>>,
}

#[derive(Clone, Debug, Default)]
pub struct Got {
    pub last_id: Option<String>,
    /// The producer that made its last event, and the next of its events.
    pub at: Option<(usize, usize)>,
    /// The epoch of the log in which each producer's events are.
    pub epochs: BTreeMap<usize, String>,
    /// The data of the last event.
    pub end: Option<String>,
    /// It needs nothing more: it has the end, or was told that there is no such stream.
    pub is_over: bool,
    /// A connection of it is under way.
    pub is_attached: bool,
    pub events: u64,
    pub notices: u64,
    pub fault: Option<String>,
}

pub fn lock(got: &Mutex<Got>) -> MutexGuard<'_, Got> {
    got.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One connection of a client.
pub async fn connect(
    sim: Sim,
    node: (usize, SharedStreams),
    name: String,
    producers: Producers,
    got: Arc<Mutex<Got>>,
) {
    let (number, streams) = node;
    let last_id = lock(&got).last_id.clone();
    if last_id.is_none() {
        let of_name = name.clone();
        let started = streams.start(&name, move |producer| {
            producers.produce(&of_name, number, &producer)
        });
        if started.await.is_err() {
            return;
        }
    }
    let Ok(attached) = streams.attach_at(&name, last_id.as_deref()).await else {
        return;
    };
    sim.note_progress();
    let Some(mut attached) = attached.filter(|attached| !attached.is_over()) else {
        // A name that was started a moment ago may be lost by now; then it is tried again.
        lock(&got).is_over = last_id.is_some();
        return;
    };
    lock(&got).is_attached = true;
    while let Some(item) = attached.next().await {
        sim.note_progress();
        match item {
            Ok(batch) => lock(&got).take(&batch),
            Err(_) => break,
        }
    }
    drop(attached);
    lock(&got).is_attached = false;
    sleep(&sim, std::time::Duration::from_secs(1)).await;
}

impl Got {
    fn take(&mut self, batch: &Batch) {
        if let Batch::Notice(notice) = batch {
            self.notices += 1;
            // What comes next is of any place.
            self.at = None;
            let is_loss = matches!(
                notice.outcome(),
                Outcome::Gap { .. } | Outcome::Unknown { .. }
            );
            if !is_loss {
                self.fault = Some(format!("a notice of {:?}", notice.outcome()));
            }
            return;
        }
        let Ok(text) = str::from_utf8(batch.as_bytes()) else {
            self.fault = Some("not a text".into());
            return;
        };
        for event in text.split("\n\n").filter(|event| !event.is_empty()) {
            self.take_event(event);
        }
    }

    fn take_event(&mut self, event: &str) {
        let field = |name: &str| {
            let mut lines = event.lines();
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        };
        let data = field("data").unwrap_or_default();
        if self.end.is_some() {
            self.fault = Some(format!("behind the end: {event:?}"));
        }
        match field("id") {
            Some(id) if self.last_id.as_deref() == Some(id) => {
                self.fault = Some(format!("twice: {event:?}"));
            }
            Some(id) => self.last_id = Some(id.to_owned()),
            None => self.fault = Some(format!("without an ID: {event:?}")),
        }
        match field("event") {
            Some("end") => {
                self.end = Some(data.to_owned());
                self.is_over = true;
            }
            Some(other) => self.fault = Some(format!("a record for a client: {other}")),
            None => self.take_item(data),
        }
    }

    fn take_item(&mut self, data: &str) {
        self.events += 1;
        let Some((run, item)) = data.split_once('/') else {
            self.fault = Some(format!("not an item: {data:?}"));
            return;
        };
        let (Ok(run), Ok(item)) = (run.parse(), item.parse::<usize>()) else {
            self.fault = Some(format!("not an item: {data:?}"));
            return;
        };
        if let Some(at) = self.at
            && at != (run, item)
        {
            self.fault = Some(format!(
                "{data:?} where {at:?} is next, and nothing is told"
            ));
        }
        self.at = Some((run, item + 1));
        let id = self.last_id.as_deref().unwrap_or_default();
        let epoch = id.split('-').next().unwrap_or_default();
        let before = self.epochs.entry(run).or_insert_with(|| epoch.to_owned());
        if *before != epoch {
            self.fault = Some(format!("{data:?} is in the epochs {before} and {epoch}"));
        }
    }
}

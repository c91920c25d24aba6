//! A client, and its guarantees.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use sse_core::{
    Decoded, Decoder,
    topic::{
        Batch, Outcome,
        follower::{LogItem, LogSubscriber, Page, PageRequest},
    },
};

use super::{Tally, node::Node};

/// The oldest event of each epoch of the log.
pub(super) type Epochs = BTreeMap<u64, u64>;

#[derive(Default)]
pub(super) struct Client {
    last_event_id: Option<String>,
    connection: Option<Connection>,
    /// Distinguishes the answers for this connection from those for the one before.
    pub(super) life: u64,
    woken: Arc<Woken>,
}

struct Connection {
    subscriber: LogSubscriber,
    node: usize,
    node_life: u64,
    /// The place of the client, as far as it knows.
    place: (u64, u64),
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

pub(super) enum Read {
    /// It waits to be woken.
    Nothing,
    /// It has read something, and there may be more.
    Something,
    Asks(PageRequest),
    /// Its stream ended.
    Over,
}

fn parse(id: &str) -> (u64, u64) {
    let (epoch, sequence) = id.split_once('-').unwrap();
    let epoch = u64::from_str_radix(epoch, 36).unwrap();
    (epoch, sequence.parse().unwrap())
}

impl Client {
    pub(super) fn is_connected(&self) -> bool {
        self.connection.is_some()
    }

    /// Returns whether its node is the same as when it connected.
    pub(super) fn is_at(&self, node: usize, life: u64) -> bool {
        let connection = self.connection.as_ref();
        connection.is_some_and(|here| here.node == node && here.node_life == life)
    }

    pub(super) fn node(&self) -> Option<usize> {
        Some(self.connection.as_ref()?.node)
    }

    pub(super) fn connect(&mut self, number: usize, node: &Node, page: usize, tally: &mut Tally) {
        self.life += 1;
        let id = self.last_event_id.as_deref();
        let position = node.topic.position();
        let place = match id {
            Some(id) => {
                tally.resumed_elsewhere += 1;
                parse(id)
            }
            None => (position.epoch(), position.sequence()),
        };
        self.connection = Some(Connection {
            subscriber: LogSubscriber::new(&node.topic, id, page),
            node: number,
            node_life: node.life,
            place,
        });
        self.woken.0.store(true, Ordering::Relaxed);
    }

    pub(super) fn disconnect(&mut self) {
        self.connection = None;
        self.life += 1;
    }

    pub(super) fn take_woken(&mut self) -> bool {
        self.woken.0.swap(false, Ordering::Relaxed) && self.is_connected()
    }

    pub(super) fn answer(&mut self, page: Option<Page>) {
        if let Some(connection) = &mut self.connection {
            match page {
                Some(page) => connection.subscriber.handle_page(page),
                None => connection.subscriber.handle_page_failed(),
            }
            self.woken.0.store(true, Ordering::Relaxed);
        }
    }

    /// Reads once. The last `lost` events do not arrive.
    pub(super) fn read(&mut self, lost: usize, epochs: &Epochs, tally: &mut Tally) -> Read {
        let Some(connection) = &mut self.connection else {
            return Read::Nothing;
        };
        let waker = Waker::from(self.woken.clone());
        let polled = connection
            .subscriber
            .poll_next(&mut Context::from_waker(&waker));
        let batch = match polled {
            Poll::Pending => return Read::Nothing,
            Poll::Ready(None) => return Read::Over,
            Poll::Ready(Some(LogItem::Read(request))) => return Read::Asks(request),
            Poll::Ready(Some(LogItem::Batch(batch))) => batch,
            Poll::Ready(Some(other)) => panic!("{other:?}"),
        };
        let (mut decoder, mut bytes) = (Decoder::new(), batch.as_bytes());
        let mut events = Vec::new();
        while let Some(decoded) = decoder.decode(&mut bytes).unwrap() {
            if let Decoded::Event(event) = decoded {
                let data = event.data().to_owned();
                events.push((data, decoder.last_event_id().to_owned()));
            }
        }
        if let Batch::Notice(notice) = &batch {
            let id = parse(&events[0].1);
            connection.check_notice(notice.outcome(), id, epochs, tally);
            self.last_event_id = Some(events[0].1.clone());
            return Read::Something;
        }
        events.truncate(events.len().saturating_sub(lost));
        for (data, id) in events {
            let (epoch, sequence) = connection.place;
            let next = (epoch, sequence + 1);
            assert_eq!(parse(&id), next, "something else than the event is next");
            assert_eq!(data, format!("{epoch}/{}", sequence + 1));
            connection.place = next;
            self.last_event_id = Some(id);
            tally.received += 1;
        }
        Read::Something
    }

    /// Returns whether it has everything up to here.
    pub(super) fn is_past(&self, end: (u64, u64)) -> bool {
        let connection = self.connection.as_ref();
        connection.is_some_and(|connection| connection.place == end)
    }
}

impl Connection {
    /// Checks that a notice is true.
    fn check_notice(
        &mut self,
        outcome: Outcome,
        id: (u64, u64),
        epochs: &Epochs,
        tally: &mut Tally,
    ) {
        let (epoch, sequence) = self.place;
        match outcome {
            Outcome::Gap { lost, .. } => {
                assert_eq!(id, (epoch, sequence + lost), "a gap of another size");
                // The events of an epoch that is over can no longer be read.
                let is_over = epochs.keys().any(|other| *other > epoch);
                let is_lost = is_over || id.1 < epochs[&epoch];
                assert!(is_lost, "the log has what is told to be lost");
                tally.gaps += 1;
            }
            Outcome::Unknown { .. } => {
                assert!(
                    id.0 > epoch,
                    "{id:?} is unknown to a client at {:?}",
                    self.place
                );
                tally.unknown += 1;
            }
            other => panic!("{other:?} is no loss"),
        }
        self.place = id;
    }
}

//! A client that gets its events from the log, until the topic has them.

use std::{
    collections::VecDeque,
    mem,
    task::{Context, Poll},
};

use super::{LogItem, Page, PageRequest, Tails};
use crate::{
    EncodedEvents, EventId, EventType, Text,
    budget::Holding,
    topic::{
        Announce, Batch, Notice, Outcome, Position, Subscriber, Topic, selection::Wanted, wire,
    },
};

/// The state of a client that gets its events from the log.
pub(super) struct Replay {
    /// The place after the last event that the client was given.
    pub(super) behind: Position,
    /// Whether it begins with the oldest event in the log.
    pub(super) at_oldest: bool,
    batches: VecDeque<Batch>,
    /// The number of events in a row that were left out.
    left_out: u64,
    pub(super) is_asked: bool,
    /// The topic's epoch when the log was asked last, unless it did not answer.
    pub(super) asked_in: Option<u64>,
    /// The log has left this epoch: the client continues when the topic has left it, too.
    pub(super) over: Option<u64>,
    /// The ID of a client that has not joined: it named a place that the log does not have, and joins
    /// when the topic has come to the log's epoch.
    pub(super) unknown: Option<Text>,
    /// Wakes when the topic has moved, if the client waits for that.
    topic_moves: Option<Subscriber>,
}

/// What comes next for the client.
pub(super) enum Replayed {
    Item(LogItem),
    Live(Box<Subscriber>),
    /// The client with this ID joins now.
    Join(Text),
    Over,
}

impl Replay {
    pub(super) fn behind(behind: Position, asked_in: Option<u64>) -> Self {
        Self {
            behind,
            at_oldest: false,
            batches: VecDeque::new(),
            left_out: 0,
            is_asked: false,
            asked_in,
            over: None,
            unknown: None,
            topic_moves: None,
        }
    }

    /// Returns the outcome of joining a log with these tails at this place.
    fn outcome(&self, tails: Tails) -> Outcome {
        let first = self.behind.sequence() + 1;
        let replayed = (tails.newest + 1).saturating_sub(first.max(tails.oldest));
        match tails.oldest.saturating_sub(first) {
            0 => Outcome::Resumed { replayed },
            lost => Outcome::Gap { lost, replayed },
        }
    }

    /// Joins the client here, and tells it the outcome.
    pub(super) fn join(&mut self, topic: &Topic, tails: Tails) -> Outcome {
        let outcome = self.outcome(tails);
        topic.count(outcome);
        if let Outcome::Gap { lost, .. } = outcome {
            self.pass_over(lost);
        }
        let tells = match topic.config().announce {
            Announce::Nothing => false,
            Announce::Losses => outcome.is_loss(),
            Announce::Everything => true,
        };
        if tells {
            self.tell(topic, outcome);
        }
        outcome
    }

    fn tell(&mut self, topic: &Topic, outcome: Outcome) {
        let event_type = &topic.config().notice_event_type;
        let notice = Notice::new(outcome, outcome.to_json(), event_type, self.behind);
        self.batches.push_back(Batch::Notice(notice));
    }

    fn pass_over(&mut self, events: u64) {
        let Position { epoch, sequence } = self.behind;
        self.behind = Position::new(epoch, sequence + events);
    }

    /// Skips `lost` events, and tells the client.
    fn lose(&mut self, topic: &Topic, lost: u64, replayed: u64) {
        self.pass_over(lost);
        self.tell(topic, Outcome::Gap { lost, replayed });
    }

    /// Takes the events of a page for the client: at most up to the topic's newest, because the topic
    /// decides how long the log is waited for.
    pub(super) fn take(
        &mut self,
        topic: &Topic,
        page: Page,
        tails: Tails,
        wanted: Option<&Wanted>,
    ) {
        match self.outcome(tails) {
            Outcome::Gap { lost, .. } if self.at_oldest => self.pass_over(lost),
            Outcome::Gap { lost, replayed } => self.lose(topic, lost, replayed),
            _ => {}
        }
        self.at_oldest = false;
        let newest = topic.position();
        if newest.epoch() != self.behind.epoch() {
            return;
        }
        let before = self.behind.sequence();
        let is_there = |sequence: u64| page.events.iter().any(|(other, _)| *other > sequence);
        let has_nothing = tails.newest > before && !is_there(before);
        self.encode(topic, page, newest.sequence(), wanted);
        // As rarely as a full topic does.
        if self.left_out > topic.config().max_events as u64 / 4 {
            let place = EncodedEvents::place(self.behind.text().as_str());
            self.batches.push_back(Batch::Place(place));
            self.left_out = 0;
        }
        let (first, held) = topic.held();
        let missing = first.saturating_sub(self.behind.sequence() + 1);
        if has_nothing && missing > 0 {
            // The log does not return an event that it claims to have, and the topic has skipped it.
            self.lose(topic, missing, held);
        }
    }

    /// Queues the events of a page up to `newest` that are new to the client, and tells it of those between them that
    /// are missing.
    fn encode(&mut self, topic: &Topic, page: Page, newest: u64, wanted: Option<&Wanted>) {
        let epoch = self.behind.epoch();
        let (mut bytes, mut count) = (Vec::new(), 0);
        for (sequence, event) in page.events {
            let next = self.behind.sequence() + 1;
            if sequence < next || sequence > newest {
                continue;
            }
            if sequence > next {
                self.put(topic, &mut bytes, &mut count);
                self.lose(topic, sequence - next, newest + 1 - sequence);
            }
            let own_id = event.id().map(EventId::as_str);
            if own_id.is_some_and(|id| Position::in_epoch(epoch, id).is_some()) {
                // As the topic rejects it: the client would come back as if it had what is before that place.
                self.put(topic, &mut bytes, &mut count);
                self.lose(topic, 1, newest - sequence);
                continue;
            }
            let place = Position::new(epoch, sequence);
            self.behind = place;
            let event_type = event.event_type().map(EventType::as_str);
            let event_type = event_type.filter(|it| !it.is_empty()).unwrap_or("message");
            if wanted.is_none_or(|wanted| wanted(event_type)) {
                wire::put_event(&mut bytes, place, &event);
                count += 1;
                self.left_out = 0;
            } else {
                self.left_out += 1;
            }
        }
        self.put(topic, &mut bytes, &mut count);
    }

    /// Queues encoded events, which count in the budget until the client's connection has sent them.
    fn put(&mut self, topic: &Topic, bytes: &mut Vec<u8>, count: &mut usize) {
        if *count > 0 {
            let bytes = topic
                .config()
                .budget
                .count(Holding::Queue, mem::take(bytes));
            let events = EncodedEvents::new(bytes, mem::take(count));
            self.batches.push_back(Batch::Events(events));
        }
    }

    pub(super) fn poll(
        &mut self,
        topic: &Topic,
        most: usize,
        cx: &mut Context<'_>,
    ) -> Poll<Replayed> {
        loop {
            if let Some(batch) = self.batches.pop_front() {
                return Poll::Ready(Replayed::Item(LogItem::Batch(batch)));
            }
            if self.is_asked {
                return Poll::Pending;
            }
            if self.over.is_none()
                && let Some(subscriber) = topic.subscriber_behind(self.behind)
            {
                return Poll::Ready(Replayed::Live(Box::new(subscriber)));
            }
            let epoch = topic.epoch();
            if self.over != Some(epoch) {
                self.over = None;
                if let Some(id) = self.unknown.take() {
                    return Poll::Ready(Replayed::Join(id));
                }
            }
            let may_be_over = epoch != self.behind.epoch() && self.asked_in != Some(epoch);
            if self.over.is_none() && (may_be_over || topic.has_passed(self.behind)) {
                self.is_asked = true;
                self.asked_in = Some(epoch);
                let request = PageRequest::new(self.behind, most);
                return Poll::Ready(Replayed::Item(LogItem::Read(request)));
            }
            // The topic has not reached this place or this epoch yet.
            let Some(moves) = &mut self.topic_moves else {
                self.topic_moves = Some(topic.quiet_subscriber());
                // It may have reached it just before.
                continue;
            };
            match moves.poll_next(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => return Poll::Ready(Replayed::Over),
                Poll::Ready(Some(_)) => self.topic_moves = None,
            }
        }
    }
}

//! The laws find the faults that they are meant to find.

use std::sync::Arc;

use sse_core::{Decoder, MessageEvent, topic::TopicConfig};

use crate::{
    chaos::{Chaos, Runtimes},
    jobs::Jobs,
    payload::{Payload, Place},
    records::Record,
    registry::{Asked, Kind},
    scenario::Scenario,
    sim::Sim,
    topics::{COMPLETE, Topics},
};

const LARGEST: usize = 20;

fn topics() -> Topics {
    let scenario = Scenario::draw(0);
    let chaos = Chaos::new(0, scenario.disarray);
    let sim = Sim::with_disorder(Arc::new(Runtimes(chaos.clone())));
    let jobs = Jobs::new(&sim, &chaos, scenario.jobs);
    let topics = Topics::new(&sim, TopicConfig::default(), LARGEST, jobs);
    topics.publish(COMPLETE[0], 20);
    topics
}

/// Returns the event at this place of the first topic that forgets nothing.
fn event(topics: &Topics, sequence: u64) -> MessageEvent {
    let place = Place {
        sequence,
        ..topics.end(COMPLETE[0])
    };
    let payload = Payload::at(place, LARGEST);
    let data = payload.data_received().replace('\n', "\ndata: ");
    let (kind, id) = (payload.event_type, payload.id(place));
    let text = format!("event: {kind}\nid: {id}\ndata: {data}\n\n");
    let event = Decoder::new().decode_event(&mut text.as_bytes());
    event.unwrap().expect("an event")
}

/// Returns a client whose stream begins with the first event.
fn opened(topics: &Topics, kind: Kind) -> Record {
    let mut record = Record::new(kind, &[], LARGEST);
    let start = Place {
        sequence: 1,
        ..topics.end(COMPLETE[0])
    };
    let asked = Asked::for_test(kind, vec![(COMPLETE[0], start, false)]);
    record.opened(0, &asked, "", TopicConfig::default().announce);
    record
}

/// Returns the events of the first topic that selecting streams get.
fn selected(topics: &Topics) -> Vec<u64> {
    let epoch = topics.end(COMPLETE[0]).epoch;
    let is_selected = |sequence: &u64| {
        let place = Place {
            epoch,
            sequence: *sequence,
        };
        Payload::at(place, LARGEST).event_type == crate::served::SELECTED
    };
    (1..=20).filter(is_selected).collect()
}

#[test]
fn valid_sequences_pass_the_laws() {
    let topics = topics();
    let mut record = opened(&topics, Kind::Selected);
    for sequence in selected(&topics) {
        assert!(!record.has_everything(&topics, 0));
        record.received(&event(&topics, sequence), &topics);
    }
    assert!(record.has_everything(&topics, 0));
}

#[test]
#[should_panic(expected = "missing before")]
fn a_hole_is_found() {
    let topics = topics();
    let second = selected(&topics)[1];
    opened(&topics, Kind::Selected).received(&event(&topics, second), &topics);
}

#[test]
#[should_panic(expected = "again")]
fn a_repeat_is_found() {
    let topics = topics();
    let first = selected(&topics)[0];
    let mut record = opened(&topics, Kind::Selected);
    record.received(&event(&topics, first), &topics);
    record.received(&event(&topics, first), &topics);
}

#[test]
#[should_panic(expected = "is not asked for")]
fn an_event_that_was_not_selected_is_found() {
    let topics = topics();
    let selected = selected(&topics);
    let first = (1..).find(|sequence| !selected.contains(sequence));
    let before = selected
        .into_iter()
        .filter(|sequence| Some(*sequence) < first);
    let mut record = opened(&topics, Kind::Selected);
    for sequence in before.collect::<Vec<_>>() {
        record.received(&event(&topics, sequence), &topics);
    }
    record.received(&event(&topics, first.unwrap()), &topics);
}

#[test]
#[should_panic(expected = "item 0 of 3")]
fn an_item_of_another_response_is_found() {
    let mut record = Record::new(Kind::Feed, &[], LARGEST);
    let asked = Asked::for_test(Kind::Feed, Vec::new());
    record.opened(3, &asked, "", TopicConfig::default().announce);
    let text = format!("data: {}\n\n", crate::served::item(2, 0));
    let event = Decoder::new().decode_event(&mut text.as_bytes());
    record.received(&event.unwrap().unwrap(), &topics());
}

#[test]
#[should_panic(expected = "a busy loop")]
fn a_task_that_wakes_itself_for_nothing_is_found() {
    let chaos = Chaos::new(0, Scenario::draw(0).disarray);
    let sim = Sim::with_disorder(Arc::new(Runtimes(chaos)));
    sim.start(std::future::poll_fn(|cx| {
        cx.waker().wake_by_ref();
        std::task::Poll::<()>::Pending
    }));
    sim.settle();
}

//! The laws find the faults that they are meant to find.

use sse_core::{
    Decoder, MessageEvent,
    topic::{Announce, Outcome},
};

use crate::{
    laws::{Promise, Publisher, Record},
    payload::{Payload, Place},
};

const LARGEST: usize = 20;

fn place(sequence: u64) -> Place {
    Place { epoch: 1, sequence }
}

fn decoded(text: &str) -> MessageEvent {
    let event = Decoder::new().decode_event(&mut text.as_bytes());
    event.unwrap().expect("an event")
}

/// Returns the event that is published at this place.
fn event(place: Place) -> MessageEvent {
    let payload = Payload::at(place, LARGEST);
    let data = payload.data_received().replace('\n', "\ndata: ");
    let (kind, id) = (payload.event_type, payload.id(place));
    decoded(&format!("event: {kind}\nid: {id}\ndata: {data}\n\n"))
}

fn notice(outcome: Outcome, at: Place) -> MessageEvent {
    let (id, data) = (at.id(), outcome.to_json());
    decoded(&format!("event: resume\nid: {id}\ndata: {data}\n\n"))
}

/// Returns a client that has seen the events 1 and 2.
fn after_two() -> Record {
    let mut record = Record::default();
    record.opened(Promise::new(Outcome::Fresh, place(0)), Announce::Losses);
    record.received(&event(place(1)), LARGEST);
    record.received(&event(place(2)), LARGEST);
    record
}

fn resumed(record: &mut Record, outcome: Outcome, end: u64) {
    record.opened(Promise::new(outcome, place(end)), Announce::Losses);
}

#[test]
fn valid_sequences_pass_the_laws() {
    let mut record = after_two();
    assert!(record.is_past(place(2)) && !record.is_past(place(3)));
    resumed(&mut record, Outcome::Resumed { replayed: 1 }, 3);
    record.received(&event(place(3)), LARGEST);
    let gap = Outcome::Gap {
        lost: 2,
        replayed: 1,
    };
    resumed(&mut record, gap, 6);
    record.received(&notice(gap, place(5)), LARGEST);
    record.received(&event(place(6)), LARGEST);
    assert!(record.is_past(place(6)));
}

#[test]
#[should_panic(expected = "something else than the event")]
fn a_hole_is_found() {
    after_two().received(&event(place(4)), LARGEST);
}

#[test]
#[should_panic(expected = "something else than the event")]
fn a_repeat_is_found() {
    after_two().received(&event(place(2)), LARGEST);
}

#[test]
#[should_panic(expected = "resumed at the wrong place")]
fn a_resumption_one_too_early_is_found() {
    resumed(&mut after_two(), Outcome::Resumed { replayed: 2 }, 3);
}

#[test]
#[should_panic(expected = "a gap of another size")]
fn a_gap_of_the_wrong_size_is_found() {
    let gap = Outcome::Gap {
        lost: 1,
        replayed: 1,
    };
    resumed(&mut after_two(), gap, 5);
}

#[test]
#[should_panic(expected = "the outcome has to come first")]
fn a_gap_that_is_not_told_is_found() {
    let mut record = after_two();
    let gap = Outcome::Gap {
        lost: 1,
        replayed: 1,
    };
    resumed(&mut record, gap, 4);
    record.received(&event(place(4)), LARGEST);
}

#[test]
#[should_panic(expected = "Fresh for a client behind")]
fn a_forgotten_last_event_id_is_found() {
    resumed(&mut after_two(), Outcome::Fresh, 2);
}

#[test]
#[should_panic(expected = "is from elsewhere")]
fn an_id_from_before_a_restart_has_to_be_unknown() {
    let publisher = Publisher { end: place(9) };
    publisher.check(Some("2-3"), 9, Outcome::Resumed { replayed: 6 });
}

#[test]
#[should_panic(expected = "instead of")]
fn a_topic_that_gives_up_too_soon_is_found() {
    let publisher = Publisher { end: place(9) };
    publisher.check(Some("1-3"), 9, Outcome::Unknown { replayed: 9 });
}

//! A server that restarts, and publishes its stored events again, with IDs of the application's.

use sse_core::{
    Decoded, Decoder, Event,
    topic::{Announce, MergedSubscriber, Outcome, Topic, TopicConfig},
};

use crate::{Clock, ids, take, take_all, topic_of};

/// Returns a topic with this epoch and the stored events with these numbers.
fn refilled(epoch: u64, config: &TopicConfig, stored: std::ops::RangeInclusive<u32>) -> Topic {
    let topic = topic_of(epoch, &Clock::new(), config.clone());
    stored.for_each(|number| store(&topic, number));
    topic
}

fn store(topic: &Topic, number: u32) {
    let event = Event::new(number.to_string());
    topic
        .publish(event.with_id(format!("row {number}")).unwrap())
        .unwrap();
}

/// Returns the ID that a client sends after this text.
fn last_event_id(text: &str) -> String {
    let (mut decoder, mut input) = (Decoder::new(), text.as_bytes());
    while decoder.decode(&mut input).unwrap().is_some() {}
    decoder.last_event_id().to_owned()
}

fn data(text: &str) -> Vec<String> {
    let (mut decoder, mut input) = (Decoder::new(), text.as_bytes());
    let mut data = Vec::new();
    while let Some(decoded) = decoder.decode(&mut input).unwrap() {
        if let Decoded::Event(event) = decoded {
            data.push(event.data().to_owned());
        }
    }
    data
}

const RESUMED_WITH_ONE: Outcome = Outcome::Resumed { replayed: 1 };

#[test]
fn a_stream_with_a_beginning_is_resumed() {
    let config = TopicConfig::default();
    let before = refilled(1, &config, 1..=3);
    let text = take(&mut before.subscribe().begin_with(["state"]).unwrap()).text;
    assert_eq!(text, "id: row 3\ndata: state\n\n");

    let after = refilled(2, &config, 1..=4);
    let mut again = after.resume_from(Some(&last_event_id(&text)));
    assert_eq!(again.outcome(), RESUMED_WITH_ONE);
    assert_eq!(take(&mut again).text, "id: row 4\ndata: 4\n\n");
}

#[test]
fn a_stream_in_which_nothing_was_wanted_for_long_is_resumed() {
    let config = TopicConfig::default();
    let before = refilled(1, &config, 1..=10);
    let mut subscriber = before
        .subscribe_from_oldest()
        .only_event_types(|event_type| event_type == "wanted");
    (11..=4_000).for_each(|number| store(&before, number));
    let text = take(&mut subscriber).text;
    assert_eq!(data(&text), [""; 0]);
    let place = last_event_id(&text);

    let after = refilled(2, &config, 1..=4_000);
    let outcome = after.resume_from(Some(&place)).outcome();
    let Outcome::Resumed { replayed } = outcome else {
        panic!("{place}: {outcome}");
    };
    assert!(replayed < 2_500, "{place}: {outcome}");
}

#[test]
fn a_notice_leaves_the_client_its_place() {
    let mut config = TopicConfig::default();
    config.announce = Announce::Everything;
    let before = refilled(1, &config, 1..=3);
    let text = take(&mut before.resume_from(Some("row 3"))).text;
    assert_eq!(ids(&text), ["row 3"]);
    let after = refilled(2, &config, 1..=4);
    let again = after.resume_from(Some(&last_event_id(&text)));
    assert_eq!(again.outcome(), RESUMED_WITH_ONE);
}

#[test]
fn the_newest_events_id_is_a_place_even_when_it_is_too_old_to_be_held() {
    let clock = Clock::new();
    let mut config = TopicConfig::default();
    config.max_age = Some(std::time::Duration::from_secs(1));
    let topic = topic_of(1, &clock, config.clone());
    store(&topic, 1);
    store(&topic, 2);
    clock.advance(std::time::Duration::from_secs(2));
    let text = take(&mut topic.subscribe().begin_with(["state"]).unwrap()).text;
    assert_eq!(
        (topic.retained_events(), &*last_event_id(&text)),
        (0, "row 2")
    );
    // Nothing is missing after it, and it is known here, too.
    let outcome = |id| topic.resume_from(Some(id)).outcome();
    assert_eq!(outcome("row 2"), Outcome::Resumed { replayed: 0 });
    assert_eq!(outcome("row 1"), Outcome::Unknown { replayed: 0 });
    assert_eq!(
        refilled(2, &config, 1..=3)
            .resume_from(Some("row 2"))
            .outcome(),
        RESUMED_WITH_ONE
    );
}

#[test]
fn an_id_that_several_events_have_is_the_place_of_the_first() {
    let topic = refilled(1, &TopicConfig::default(), 1..=1);
    store(&topic, 1);
    let text = take(&mut topic.subscribe().begin_with(["state"]).unwrap()).text;
    assert_eq!(ids(&text), ["1-2"]);
    // Nor is the empty one, which makes the client forget the last.
    topic.publish(Event::new("").with_id("").unwrap()).unwrap();
    let text = take(&mut topic.subscribe().begin_with(["state"]).unwrap()).text;
    assert_eq!(ids(&text), ["1-3"]);
}

fn merge(topics: &[(&str, &Topic)], id: Option<&str>) -> MergedSubscriber {
    MergedSubscriber::resume_from(topics.iter().copied(), id).unwrap()
}

fn merged_text(subscriber: &mut MergedSubscriber) -> String {
    take_all(|| subscriber.try_next()).text
}

/// Returns the outcome of each topic.
fn outcomes(subscriber: &MergedSubscriber) -> Vec<Outcome> {
    subscriber.outcomes().map(|(_, outcome)| outcome).collect()
}

#[test]
fn a_merged_stream_is_resumed_in_every_topic_wherever_it_is_lost() {
    let config = TopicConfig::default();
    let (tea, coffee) = (refilled(1, &config, 1..=1), refilled(2, &config, 1..=7));
    // The name has the separators of an ID.
    let name = "coffee, hot: 100%";
    let mut subscriber = merge(&[("tea", &tea), (name, &coffee)], None);
    (2..=4).for_each(|number| store(&tea, number));
    (8..=10).for_each(|number| store(&coffee, number));
    let text = merged_text(&mut subscriber);
    let all = ids(&text);
    assert_eq!(all.len(), 6);
    assert_eq!(
        all[0],
        "1-2:tea:row%202,2-7:coffee%2C%20hot%3A%20100%25:row%207"
    );
    for (at, id) in all.into_iter().enumerate() {
        // Both have the same IDs, and new epochs.
        let (tea, coffee) = (refilled(21, &config, 1..=5), refilled(22, &config, 6..=10));
        let mut again = merge(&[(name, &coffee), ("tea", &tea)], Some(id));
        let (tea, coffee) = (at.min(2) as u64, at.saturating_sub(2) as u64);
        let resumed = |replayed| Outcome::Resumed { replayed };
        assert_eq!(
            outcomes(&again),
            [resumed(3 - coffee), resumed(3 - tea)],
            "{id}"
        );
        assert_eq!(
            data(&merged_text(&mut again)).len() as u64,
            6 - tea - coffee,
            "{id}"
        );
    }
}

#[test]
fn a_merged_stream_that_has_begun_or_has_nothing_wanted_is_resumed() {
    let config = TopicConfig::default();
    let (tea, coffee) = (refilled(1, &config, 1..=3), refilled(2, &config, 1..=7));
    let topics = [("tea", &tea), ("coffee", &coffee)];
    let begun = merged_text(&mut merge(&topics, None).begin_with(["state"]).unwrap());
    assert_eq!(last_event_id(&begun), "1-3:tea:row%203,2-7:coffee:row%207");

    let mut choosy = merge(&topics, None).only_event_types(|event_type| event_type == "wanted");
    (4..=3_000).for_each(|number| store(&tea, number));
    // A place of one tells that of the other, which it has passed silently.
    store(&coffee, 8);
    merged_text(&mut choosy);
    (3_001..=6_000).for_each(|number| store(&tea, number));
    let place = last_event_id(&merged_text(&mut choosy));
    assert!(place.ends_with(",2-8:coffee:row%208"), "{place}");

    let (tea, coffee) = (refilled(3, &config, 1..=6_000), refilled(4, &config, 1..=8));
    let topics = [("tea", &tea), ("coffee", &coffee)];
    for id in [last_event_id(&begun), place] {
        let outcomes = outcomes(&merge(&topics, Some(&id)));
        assert!(
            outcomes.iter().all(|outcome| !outcome.is_loss()),
            "{id}: {outcomes:?}"
        );
    }
}

#[test]
fn while_a_topic_lives_its_position_counts() {
    let mut config = TopicConfig::default();
    config.max_events = 2;
    let (tea, coffee) = (refilled(1, &config, 1..=1), refilled(2, &config, 1..=1));
    let topics = [("tea", &tea), ("coffee", &coffee)];
    let id = "1-1:tea:row%201,2-1:coffee:row%201";
    (2..=5).for_each(|number| store(&tea, number));
    let gap = Outcome::Gap {
        lost: 2,
        replayed: 2,
    };
    let resumed = Outcome::Resumed { replayed: 0 };
    assert_eq!(outcomes(&merge(&topics, Some(id))), [gap, resumed]);
    // A stream of one topic resumes from it, too, for as long as the topic lives.
    assert_eq!(tea.resume_from(Some(id)).outcome(), gap);
    let unknown = Outcome::Unknown { replayed: 1 };
    assert_eq!(
        refilled(3, &config, 1..=1).resume_from(Some(id)).outcome(),
        unknown
    );
    // Another topic does not take its ID for its own.
    let (milk, coffee) = (refilled(3, &config, 1..=1), refilled(4, &config, 1..=1));
    let topics = [("milk", &milk), ("coffee", &coffee)];
    assert_eq!(outcomes(&merge(&topics, Some(id))), [unknown, resumed]);
}

#[test]
fn an_id_that_would_become_too_long_has_the_positions_alone() {
    let config = TopicConfig::default();
    let (tea, coffee) = (refilled(1, &config, 1..=1), refilled(2, &config, 1..=1));
    let mut subscriber = merge(&[("tea", &tea), ("coffee", &coffee)], None);
    for len in [4_000, 4_090, 10] {
        let event = Event::new("x").with_id("y".repeat(len)).unwrap();
        tea.publish(event).unwrap();
    }
    let text = merged_text(&mut subscriber);
    let [fits, too_long, fits_again] = *ids(&text) else {
        panic!("{text}");
    };
    assert!(
        fits.len() > 4_000 && fits.ends_with("yy,2-1:coffee:row%201"),
        "{fits}"
    );
    assert_eq!(too_long, "1-3,2-1");
    assert_eq!(fits_again, "1-4:tea:yyyyyyyyyy,2-1:coffee:row%201");
    // The same holds for the ID of a beginning.
    for topic in [&tea, &coffee] {
        let event = Event::new("x").with_id("z".repeat(2_100)).unwrap();
        topic.publish(event).unwrap();
    }
    let topics = [("tea", &tea), ("coffee", &coffee)];
    let mut begun = merge(&topics, None).begin_with(["state"]).unwrap();
    assert_eq!(last_event_id(&merged_text(&mut begun)), "1-5,2-2");
}

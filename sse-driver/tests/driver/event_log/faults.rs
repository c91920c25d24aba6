//! Logs that are down, lost, slow, restarted empty, or panic.

use std::{error::Error, time::Duration};

use sse_core::topic::Outcome;
use sse_driver::event_log::LogPublishError;

use super::*;
use crate::harness::secs;

#[test]
fn a_log_that_is_down_at_the_start_is_waited_for() {
    let (sim, log) = (Sim::new(), Faulty::new());
    log.set_down(true);
    let node = node(&sim, &log);
    let topic = node.topic("news").unwrap();
    let readers =
        [None, Some("7-1"), Some("elsewhere")].map(|id| Reader::new(&sim, topic.resume_from(id)));
    sim.advance(secs(20));
    assert!(!topic.is_following());
    // Another process has reached three events.
    (1..=3).for_each(|n: u64| {
        let event = Event::new(n.to_string());
        let log = log.log.clone();
        run(&sim, async move { log.append(&"news".into(), event).await }).unwrap();
    });
    log.set_down(false);
    sim.advance(secs(6));
    let [fresh, behind, unknown] = readers.map(|reader| (reader.data(), reader.got().outcomes));
    assert_eq!(fresh, (vec![], vec![]));
    assert_eq!(behind, (numbers(2..=3), vec![]));
    assert_eq!(unknown.0, numbers(1..=3));
    assert_eq!(unknown.1, [Outcome::Unknown { replayed: 3 }]);
}

#[test]
fn a_program_can_wait_for_its_log_and_is_told_why_it_does_not_come() {
    let (sim, log) = (Sim::new(), Faulty::new());
    log.set_down(true);
    let topic = node(&sim, &log).topic("news").unwrap();
    let ready = |within| {
        let topic = topic.clone();
        sim.start(async move { topic.ready(within).await })
    };
    let in_vain = ready(secs(3));
    sim.advance(secs(4));
    let error = in_vain.take().unwrap().unwrap_err();
    assert_eq!(
        error.to_string(),
        "the log was not reached for 3s: connection refused"
    );
    assert!(error.source().is_some());
    let waits = ready(secs(60));
    log.set_down(false);
    sim.advance(secs(6));
    assert!(waits.take().unwrap().is_ok());
}

#[test]
fn a_client_that_waits_too_long_is_let_go() {
    let (sim, log) = (Sim::new(), Faulty::new());
    log.set_down(true);
    let node = node_with(&sim, &log, |config| config.client_wait = secs(5));
    let reader = Reader::new(&sim, node.topic("news").unwrap().resume_from(None));
    sim.advance(secs(4));
    assert!(!reader.got().is_over);
    sim.advance(secs(1));
    let got = reader.got();
    assert!(got.is_over && got.error.unwrap().contains("connection refused"));
}

#[test]
fn clients_stay_while_the_log_is_lost_and_get_everything_in_order() {
    let (sim, log) = (Sim::new(), Faulty::new());
    let node = node(&sim, &log);
    let reader = Reader::new(&sim, node.topic("news").unwrap().resume_from(None));
    publish(&sim, &node, "news", "1");
    log.set_down(true);
    sim.advance(secs(5));
    let error = run(&sim, node.topic("news").unwrap().publish("lost")).unwrap_err();
    assert!(matches!(error, LogPublishError::Append(_)) && !error.may_be_published());
    for n in 2..=1_500_u64 {
        let log = log.log.clone();
        let appended = async move { log.append(&"news".into(), Event::new(n.to_string())).await };
        run(&sim, appended).unwrap();
    }
    sim.advance(secs(600));
    assert_eq!(reader.data(), ["1"]);
    log.set_down(false);
    sim.advance(secs(6));
    assert_eq!(reader.data(), numbers(1..=1_500));
    assert!(reader.got().outcomes.is_empty() && !reader.got().is_over);
}

#[test]
fn a_log_that_comes_back_empty_is_told_and_followed() {
    let (sim, log) = (Sim::new(), Faulty::new());
    let node = node(&sim, &log);
    let reader = Reader::new(&sim, node.topic("news").unwrap().resume_from(None));
    publish(&sim, &node, "news", "1");
    log.set_down(true);
    log.log.begin_anew();
    sim.advance(secs(5));
    log.set_down(false);
    sim.advance(secs(6));
    assert_eq!(reader.got().outcomes, [Outcome::Unknown { replayed: 0 }]);
    publish(&sim, &node, "news", "2");
    assert!(reader.got().text.ends_with("id: 8-1\ndata: 2\n\n"));
    // An earlier client is told, too, on any node.
    let back = Reader::new(&sim, node.topic("news").unwrap().resume_from(Some("7-1")));
    assert_eq!(back.got().outcomes, [Outcome::Unknown { replayed: 1 }]);
}

#[test]
fn a_lost_last_bell_is_found() {
    let (sim, log) = (Sim::new(), Faulty::new());
    log.change(|faults| faults.bells_are_lost = true);
    let [here, there] = [(); 2].map(|()| node(&sim, &log));
    let reader = Reader::new(&sim, here.topic("news").unwrap().resume_from(None));
    publish(&sim, &there, "news", "1");
    assert!(reader.data().is_empty());
    sim.advance(secs(10));
    assert_eq!(reader.data(), ["1"]);
}

#[test]
fn a_read_that_does_not_answer_is_made_again() {
    let (sim, log) = (Sim::new(), Faulty::new());
    log.change(|faults| faults.hang = vec!["news".into()]);
    let node = node(&sim, &log);
    let reader = Reader::new(&sim, node.topic("news").unwrap().resume_from(Some("7-0")));
    sim.advance(secs(5));
    publish(&sim, &node, "news", "1");
    log.change(|faults| faults.hang.clear());
    sim.advance(secs(4));
    assert!(reader.data().is_empty());
    sim.advance(secs(2));
    assert_eq!(reader.data(), ["1"]);
}

#[test]
fn no_topic_waits_for_another() {
    let (sim, log) = (Sim::new(), Faulty::new());
    log.change(|faults| faults.hang = vec!["slow".into()]);
    let node = node(&sim, &log);
    let [slow, fast] = ["slow", "fast"].map(|name| {
        let stream = node.topic(name).unwrap().resume_from(Some("7-0"));
        Reader::new(&sim, stream)
    });
    for name in ["slow", "fast"] {
        publish(&sim, &node, name, "1");
    }
    assert_eq!((slow.data().len(), fast.data().len()), (0, 1));
}

#[test]
fn a_log_that_panics_has_failed() {
    let (sim, log) = (Sim::new(), Faulty::new());
    log.change(|faults| faults.panics = true);
    let node = node(&sim, &log);
    let reader = Reader::new(&sim, node.topic("news").unwrap().resume_from(Some("7-0")));
    publish(&sim, &node, "news", "1");
    sim.advance(secs(2));
    log.change(|faults| faults.panics = false);
    sim.advance(secs(6));
    assert_eq!(reader.data(), ["1"]);
}

#[test]
fn a_client_whose_pages_fail_waits_and_is_let_go_at_last() {
    let (sim, log) = (Sim::new(), Faulty::new());
    let first = node(&sim, &log);
    publish_many(&sim, &first, "news", 1..=20);
    let node = node_with(&sim, &log, |config| config.follower.warm_events = 0);
    let topic = node.topic("news").unwrap();
    let live = Reader::new(&sim, topic.resume_from(None));
    log.set_down(true);
    let [waits, gives_up] = [(); 2].map(|()| Reader::new(&sim, topic.resume_from(Some("7-0"))));
    sim.advance(secs(20));
    waits.leave();
    let back = Reader::new(&sim, topic.resume_from(Some("7-0")));
    sim.advance(secs(11));
    assert!(
        gives_up
            .got()
            .error
            .unwrap()
            .contains("not reached for 30s")
    );
    log.set_down(false);
    sim.advance(secs(6));
    assert_eq!(back.data(), numbers(1..=20));
    assert!(!live.got().is_over);
}

#[test]
fn an_answer_that_cannot_be_known_is_told() {
    #[derive(Clone)]
    struct Silent;
    impl EventLog for Silent {
        async fn append(&self, _: &Text, _: Event) -> Result<Position, AppendError> {
            Err(AppendError::Unknown(LogError::new("time-out")))
        }
        async fn append_in(
            &self,
            topic: &Text,
            _: u64,
            event: Event,
        ) -> Result<Position, AppendError> {
            self.append(topic, event).await
        }
        async fn read(&self, _: &Text, _: PageRequest) -> Result<Page, LogError> {
            pending().await
        }
        async fn watch(&self, _: &Text, _: Bells) -> LogError {
            LogError::new("no news")
        }
    }
    let sim = Sim::new();
    let node = FollowedTopics::on(sim.clone(), Silent, Default::default());
    let error = run(&sim, node.topic("news").unwrap().publish("x")).unwrap_err();
    assert!(error.may_be_published());
    assert_eq!(
        error.to_string(),
        "the log may have taken the event or not: time-out"
    );
    // A watch that always ends is begun again, and not in a loop.
    let polls = sim.polls();
    sim.advance(Duration::from_secs(60));
    assert!(sim.polls() - polls < 200, "{}", sim.polls() - polls);
}

#[test]
fn a_log_is_not_asked_without_a_pause_whatever_the_settings() {
    const AGES: Duration = Duration::from_secs(u64::MAX / 4);
    for time in [Duration::ZERO, Duration::from_nanos(1), AGES, Duration::MAX] {
        let (sim, log) = (Sim::new(), Faulty::new());
        let node = node_with(&sim, &log, |config| {
            config.follower.look_every = Some(time);
            config.follower.look_every_when_down = time;
            config.follower.request_timeout = time;
            config.follower.retry = time;
            config.follower.max_retry = time;
            config.follower.hole_wait = time;
            config.follower.older_epoch_wait = time;
            config.keep_unused = time;
            config.client_wait = time;
        });
        let reader = Reader::new(&sim, node.topic("news").unwrap().resume_from(None));
        sim.advance(secs(1));
        log.set_down(true);
        sim.advance(secs(1));
        log.set_down(false);
        log.change(|faults| faults.watches_fail = true);
        sim.advance(secs(1));
        assert!(log.reads() < 500, "{time:?}: {} reads", log.reads());
        assert!(sim.polls() < 5_000, "{time:?}: {} polls", sim.polls());
        drop(reader);
    }
}

#[test]
fn a_client_asks_seldom_while_the_answers_of_the_log_are_of_no_use_and_is_let_go() {
    // A backup was restored, and its copy lacks events that the topic has dropped already.
    let older = |newest| Tails {
        epoch: 6,
        oldest: 1,
        newest,
    };
    let lagging = |newest| Tails {
        epoch: 7,
        oldest: 1,
        newest,
    };
    let inconsistent = Tails {
        epoch: 7,
        oldest: 9,
        newest: 3,
    };
    for tails in [older(12), lagging(12), inconsistent] {
        let (sim, log) = (Sim::new(), Faulty::new());
        let node = node_with(&sim, &log, |config| {
            config.topic.max_events = 10;
            config.follower.look_every = None;
            config.follower.older_epoch_wait = secs(600);
            config.client_page_events = 20;
        });
        let topic = node.topic("news").unwrap();
        publish_many(&sim, &node, "news", 1..=50);
        let mut stream = topic.resume_from(Some("7-5"));
        let first = sim.start(async move { (stream.next().await, stream) });
        sim.settle();
        let (item, stream) = first.take().unwrap();
        assert!(matches!(item, Some(Ok(Batch::Events(_)))));
        log.change(|faults| faults.copy = Some(tails));
        let reads = log.reads();
        let reader = Reader::new(&sim, stream);
        sim.advance(secs(29));
        assert!(!reader.got().is_over, "{tails:?}");
        assert!(log.reads() - reads < 100, "{tails:?}: {}", log.reads());
        sim.advance(secs(2));
        let error = reader.got().error.unwrap();
        assert!(error.contains("could not be used"), "{tails:?}: {error}");
        // A client that comes while the log is as it was gets everything.
        log.change(|faults| faults.copy = None);
        let reader = Reader::new(&sim, topic.resume_from(Some("7-5")));
        assert_eq!(reader.data(), numbers(6..=50));
    }
}

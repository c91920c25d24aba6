//! How a stream ends, and that all nodes agree on it.

use std::time::Duration;

use sse_core::{
    EventType,
    lifecycle::StreamError,
    topic::{
        Position,
        follower::Tails,
        resumable::{
            StreamEnd,
            member::{MemberConfig, MemberOutput, MemberPhase},
        },
    },
};

use crate::world::{Fate, SECOND, World};

/// Nodes of which the first has started the stream.
fn started(nodes: usize) -> World {
    started_with(nodes, |_| {})
}

fn started_with(nodes: usize, change: impl FnOnce(&mut MemberConfig)) -> World {
    let mut config = MemberConfig::default();
    config.grace = None;
    change(&mut config);
    let mut world = World::with(nodes, config);
    world.settle();
    world.start(0);
    world
}

#[test]
fn a_producers_end_is_that_of_the_stream_on_all_nodes() {
    let mut world = started(3);
    world.produce(0);
    world.nodes[0].member.finish(StreamEnd::Complete);
    world.settle();
    for node in 0..3 {
        assert_eq!(world.outcome(node), Some("complete"));
        assert_eq!(world.phase(node), MemberPhase::Ended);
    }
    // The claim, an event, and the end.
    assert_eq!(world.log.len(), 3);
}

#[test]
fn any_node_stops_the_stream_and_the_owner_cancels_its_producer() {
    let mut world = started(3);
    assert!(world.nodes[2].member.stop("enough".into()));
    world.settle();
    assert_eq!(world.outcome(0), Some("stopped"));
    let end = StreamEnd::Stopped("enough".into());
    assert_eq!(world.nodes[0].cancelled, std::slice::from_ref(&end));
    for node in &world.nodes {
        assert_eq!(node.member.end(), Some(&end));
    }
    assert!(!world.nodes[1].member.stop("too late".into()));
    // A node that comes later is told, too.
    let late = world.add_node();
    world.settle();
    assert_eq!(world.nodes[late].member.end(), Some(&end));
}

#[test]
fn of_several_stops_all_nodes_are_told_the_reason_that_the_log_got_first() {
    for first in [0, 1] {
        let mut world = started(3);
        for (node, reason) in [(0, "mine"), (1, "theirs")] {
            assert!(world.nodes[node].member.stop(reason.into()));
            world.take(node);
        }
        world.settle_append(first, Fate::Appended);
        // The other one's end is the first.
        world.settle_append(1 - first, Fate::Appended);
        world.take(1 - first);
        world.settle_append(1 - first, Fate::Appended);
        world.settle();
        let reason = ["mine", "theirs"][first];
        let end = StreamEnd::Stopped(reason.into());
        assert_eq!(world.nodes[0].cancelled, std::slice::from_ref(&end));
        for node in &world.nodes {
            assert_eq!(node.member.end(), Some(&end));
        }
    }
}

#[test]
fn a_reason_that_the_log_did_not_take_is_appended_again() {
    for fate in [Fate::NotAppended, Fate::UnknownAndNotThere, Fate::Unknown] {
        let mut world = started(2);
        assert!(world.nodes[1].member.stop("enough".into()));
        world.take(1);
        world.settle_append(1, fate);
        world.pass(2 * SECOND);
        let end = StreamEnd::Stopped("enough".into());
        assert_eq!(world.nodes[0].cancelled, [end], "{fate:?}");
    }
}

#[test]
fn a_reason_that_no_stop_follows_is_not_that_of_another_end() {
    let mut world = started(2);
    assert!(world.nodes[1].member.stop("enough".into()));
    world.take(1);
    world.settle_append(1, Fate::Appended);
    world.nodes[1].is_dead = true;
    world.nodes[0].member.finish(StreamEnd::Complete);
    world.settle();
    assert_eq!(world.nodes[0].member.end(), Some(&StreamEnd::Complete));
}

#[test]
fn a_reason_is_told_up_to_its_largest_length() {
    for max in [0, 6, 1024] {
        let mut world = started_with(2, |config| config.max_reason_len = max);
        let long = "x".repeat(max + 1);
        assert!(world.nodes[1].member.stop(long.into()));
        world.settle();
        let end = StreamEnd::Stopped("x".repeat(max).into());
        for node in &world.nodes {
            assert_eq!(node.member.end(), Some(&end));
        }
    }
    assert_eq!(MemberConfig::default().max_reason_len, 1024);
}

#[test]
fn the_error_of_a_producer_is_told_to_all_nodes_up_to_its_largest_length() {
    for max in [0, 6, 1024] {
        let mut world = started_with(2, |config| config.max_reason_len = max);
        let long = "x".repeat(max + 1);
        let own = StreamEnd::Failed(StreamError::from(&*long));
        world.nodes[0].member.finish(own.clone());
        world.settle();
        assert_eq!(world.nodes[0].member.end(), Some(&own));
        let told = StreamEnd::Failed(StreamError::from("x".repeat(max)));
        assert_eq!(world.nodes[1].member.end(), Some(&told));
    }
}

#[test]
fn an_error_that_another_end_follows_is_not_told() {
    let mut world = started(2);
    let failed = StreamEnd::Failed(StreamError::from("no more room"));
    world.nodes[0].member.finish(failed);
    world.take(0);
    world.settle_append(0, Fate::Appended);
    let lost = StreamEnd::Lost.to_event(EventType::from_static("end"));
    world.log.push(lost);
    world.settle();
    assert_eq!(world.nodes[1].member.end(), Some(&StreamEnd::Lost));
}

#[test]
fn a_failure_of_which_the_log_has_no_error_is_one_all_the_same() {
    let mut world = started(2);
    let failed = StreamEnd::Failed(StreamError::from("lost"));
    world
        .log
        .push(failed.to_event(EventType::from_static("end")));
    world.settle();
    let end = StreamEnd::Failed(StreamError::from("on another node"));
    assert_eq!(world.nodes[1].member.end(), Some(&end));
}

#[test]
fn a_stop_by_a_program_that_tells_no_reason_is_one_all_the_same() {
    let mut world = started(2);
    let end = StreamEnd::Stopped("x".into()).to_event(EventType::from_static("end"));
    world.log.push(end);
    world.settle();
    let end = StreamEnd::Stopped("on another node".into());
    assert_eq!(world.nodes[0].cancelled, [end]);
}

#[test]
fn the_owner_that_stops_its_stream_knows_the_reason() {
    let mut world = started(2);
    assert!(world.nodes[0].member.stop("enough".into()));
    world.settle();
    let reason = StreamEnd::Stopped("enough".into());
    assert_eq!(world.nodes[0].cancelled, [reason]);
}

#[test]
fn of_two_ends_at_once_the_first_in_the_log_counts_everywhere() {
    let mut world = started(3);
    world.nodes[0].member.finish(StreamEnd::Complete);
    world.nodes[1].member.stop("enough".into());
    world.take(1);
    // The reason of the stop comes before it.
    world.settle_append(1, Fate::Appended);
    world.take(0);
    world.take(1);
    world.settle_append(1, Fate::Appended);
    world.settle_append(0, Fate::Appended);
    world.settle();
    let ends: Vec<_> = world.nodes.iter().map(|node| node.ended.clone()).collect();
    assert!(ends.iter().all(|end| *end == ends[0]), "{ends:?}");
    assert_eq!(world.outcome(0), Some("stopped"));
}

#[test]
fn an_end_that_the_log_did_not_take_is_appended_again() {
    for fate in [Fate::NotAppended, Fate::UnknownAndNotThere, Fate::Unknown] {
        let mut world = started(2);
        world.nodes[0].member.finish(StreamEnd::Complete);
        world.take(0);
        world.settle_append(0, fate);
        world.take(0);
        // Not at once.
        assert!(!world.settle_append(0, Fate::Appended));
        world.pass(SECOND);
        assert_eq!(world.outcome(1), Some("complete"), "{fate:?}");
    }
}

#[test]
fn an_owner_that_makes_nothing_tells_that_it_is_alive() {
    let mut world = started(2);
    world.nodes[1].member.attach();
    world.pass(300 * SECOND);
    assert_eq!(
        [0, 1].map(|node| world.phase(node)),
        [MemberPhase::Running; 2]
    );
    assert_eq!(world.nodes[0].member.config().grace, None);
    // Each 10 s, with the claim.
    assert_eq!(world.log.len(), 31);
}

#[test]
fn an_owner_that_makes_something_need_not_tell() {
    let mut world = started(2);
    for _ in 0..60 {
        world.produce(0);
        world.pass(5 * SECOND);
    }
    assert_eq!(world.log.len(), 61);
}

#[test]
fn a_stream_whose_owner_dies_is_lost_after_the_lease() {
    let mut world = started(3);
    world.nodes[0].is_dead = true;
    world.pass(29 * SECOND);
    assert_eq!(world.phase(1), MemberPhase::Running);
    world.pass(2 * SECOND);
    assert_eq!([1, 2].map(|node| world.outcome(node)), [Some("lost"); 2]);
}

#[test]
fn a_node_that_comes_when_the_owner_is_dead_finds_that_out() {
    let mut world = started(1);
    world.nodes[0].is_dead = true;
    world.pass(300 * SECOND);
    let late = world.add_node();
    world.pass(29 * SECOND);
    assert_eq!(world.phase(late), MemberPhase::Running);
    world.pass(2 * SECOND);
    assert_eq!(world.outcome(late), Some("lost"));
}

#[test]
fn an_owner_that_was_taken_for_dead_cancels_its_producer() {
    let mut world = started(2);
    // The owner is held up: nothing of it runs.
    world.nodes[0].is_dead = true;
    world.pass(31 * SECOND);
    assert_eq!(world.outcome(1), Some("lost"));
    world.nodes[0].is_dead = false;
    // It makes something before it knows.
    world.produce(0);
    world.settle();
    assert_eq!(world.outcome(0), Some("lost"));
    assert_eq!(world.nodes[0].cancelled, [StreamEnd::Lost]);
    let late = world.add_node();
    world.settle();
    assert_eq!(world.nodes[late].ended, world.nodes[0].ended);
}

#[test]
fn what_the_log_has_is_read_before_an_owner_is_taken_for_dead() {
    let mut world = started(2);
    // The other node is held up, and the owner is not.
    world.nodes[1].is_dead = true;
    world.pass(100 * SECOND);
    world.nodes[1].is_dead = false;
    world.take(1);
    assert!(world.nodes[1].outputs.contains(&MemberOutput::Look));
    world.settle();
    world.pass(100 * SECOND);
    assert_eq!(world.phase(1), MemberPhase::Running);
}

#[test]
fn silence_does_not_count_while_the_log_does_not_answer() {
    let mut world = started(2);
    world.nodes[0].is_dead = true;
    for _ in 0..10 {
        world.now += 20 * SECOND;
        world.nodes[1].member.handle_log_failed(world.now);
        world.take(1);
    }
    assert!(world.nodes[1].outputs.is_empty());
    world.pass(31 * SECOND);
    assert_eq!(world.outcome(1), Some("lost"));
}

#[test]
fn silence_does_not_count_while_the_log_is_read_and_takes_nothing() {
    for (grace, rounds) in [(None, 40), (Some(60 * SECOND), 90)] {
        let mut world = started_with(2, |config| config.grace = grace);
        world.nodes[1].member.attach();
        for _ in 0..rounds {
            world.now += SECOND;
            for node in [0, 1] {
                world.take(node);
                world.settle_append(node, Fate::NotAppended);
                world.answer_look(node);
                world.read(node);
            }
        }
        world.pass(5 * SECOND);
        assert_eq!(
            [0, 1].map(|node| world.phase(node)),
            [MemberPhase::Running; 2],
            "{grace:?}"
        );
        // Then it counts again.
        world.nodes[0].is_dead = true;
        world.pass(31 * SECOND);
        assert_eq!(world.outcome(1), Some("lost"), "{grace:?}");
    }
}

#[test]
fn an_owner_that_is_heard_of_before_its_end_is_appended_is_not_lost() {
    let mut world = started_with(2, |config| config.grace = Some(60 * SECOND));
    world.nodes[0].is_dead = true;
    world.nodes[1].member.attach();
    // The log hangs, with a record of this node's.
    world.take(1);
    world.now += 31 * SECOND;
    world.take(1);
    assert!(world.answer_look(1));
    world.nodes[0].is_dead = false;
    world.produce(0);
    world.settle();
    assert_eq!(world.phase(1), MemberPhase::Running);
}

#[test]
fn a_stop_counts_where_the_owner_was_taken_for_dead_in_error() {
    let mut world = started(2);
    world.nodes[0].is_dead = true;
    world.now += 31 * SECOND;
    world.take(1);
    assert!(world.answer_look(1));
    world.take(1);
    assert!(world.nodes[1].member.stop("enough".into()));
    world.settle_append(1, Fate::NotAppended);
    world.pass(2 * SECOND);
    assert_eq!(world.outcome(1), Some("stopped"));
}

#[test]
fn without_clients_on_any_node_the_producer_is_cancelled_after_the_grace_time() {
    let mut world = started_with(3, |config| config.grace = Some(60 * SECOND));
    world.pass(59 * SECOND);
    assert_eq!(world.phase(0), MemberPhase::Running);
    world.pass(2 * SECOND);
    assert_eq!(world.nodes[0].cancelled[0], StreamEnd::Abandoned);
    assert_eq!(
        [0, 1, 2].map(|node| world.outcome(node)),
        [Some("abandoned"); 3]
    );
}

#[test]
fn a_client_on_any_node_keeps_the_producer() {
    for node in 0..2 {
        let mut world = started_with(2, |config| config.grace = Some(60 * SECOND));
        world.pass(50 * SECOND);
        world.nodes[node].member.attach();
        world.pass(600 * SECOND);
        assert_eq!(world.phase(0), MemberPhase::Running);
        world.nodes[node].member.detach(world.now);
        // Up to a third more.
        world.pass(59 * SECOND);
        assert_eq!(world.phase(0), MemberPhase::Running);
        world.pass(22 * SECOND);
        assert_eq!(world.outcome(1), Some("abandoned"), "{node}");
    }
}

#[test]
fn nodes_with_clients_do_not_tell_of_them_more_often_than_one() {
    let records = |readers: usize| {
        let mut world = started_with(8, |config| config.grace = Some(60 * SECOND));
        for node in 1..=readers {
            world.nodes[node].member.attach();
            // Not all in one instant.
            world.pass(SECOND);
        }
        let before = world.log.len();
        world.pass(600 * SECOND);
        world.log.len() - before
    };
    let (one, many) = (records(1), records(6));
    assert!(many <= one + 8, "{one} {many}");
}

#[test]
fn a_grace_time_that_is_very_short_is_not_told_of_all_the_time() {
    let mut world = started_with(2, |config| config.grace = Some(Duration::ZERO));
    for node in [0, 1] {
        world.nodes[node].member.attach();
    }
    for _ in 0..10 {
        world.take(1);
        world.settle_append(1, Fate::Appended);
        while world.read(0) || world.read(1) {}
    }
    // The claim, and one record of clients.
    assert_eq!(world.log.len(), 2);
    // A client of another node keeps the producer all the same.
    world.nodes[0].member.detach(world.now);
    world.pass(60 * SECOND);
    assert_eq!(world.phase(0), MemberPhase::Running);
    world.nodes[1].member.detach(world.now);
    world.pass(6 * SECOND);
    assert_eq!(world.outcome(0), Some("abandoned"));
}

#[test]
fn a_lease_that_is_very_short_is_not_renewed_all_the_time() {
    let mut world = started_with(2, |config| config.lease = Duration::ZERO);
    for _ in 0..10 {
        world.take(0);
        world.settle_append(0, Fate::Appended);
        while world.read(0) || world.read(1) {}
    }
    assert_eq!(world.log.len(), 1);
    world.pass(60 * SECOND);
    assert_eq!(world.phase(1), MemberPhase::Running);
    world.nodes[0].is_dead = true;
    world.pass(4 * SECOND);
    assert_eq!(world.outcome(1), Some("lost"));
}

#[test]
fn times_that_are_longer_than_instants_reach_do_not_end() {
    let mut world = started_with(2, |config| {
        config.grace = Some(Duration::MAX);
        config.lease = Duration::MAX;
        config.retention = Duration::MAX;
    });
    world.nodes[1].member.attach();
    world.settle();
    world.nodes[1].member.handle_log_failed(world.now);
    world.nodes[1].member.detach(world.now);
    world.pass(600 * SECOND);
    assert_eq!(world.phase(0), MemberPhase::Running);
}

#[test]
fn a_node_does_not_keep_an_ended_stream_for_longer_because_of_a_late_client() {
    let mut world = started(2);
    let retention = world.nodes[1].member.config().retention;
    world.nodes[0].member.finish(StreamEnd::Complete);
    world.settle();
    world.pass(retention - 60 * SECOND);
    world.nodes[1].member.attach();
    world.pass(10 * SECOND);
    assert!(!world.nodes[1].member.is_unused(world.now));
    world.nodes[1].member.detach(world.now);
    world.pass(50 * SECOND);
    assert!(world.nodes[1].member.is_unused(world.now));
}

#[test]
fn a_client_that_stays_does_not_keep_an_ended_stream_beyond_the_retention() {
    let mut world = started(2);
    let retention = world.nodes[1].member.config().retention;
    world.nodes[1].member.attach();
    world.nodes[0].member.finish(StreamEnd::Complete);
    world.settle();
    world.pass(retention - SECOND);
    assert!(!world.nodes[1].member.is_unused(world.now));
    assert_eq!(
        world.nodes[1].member.poll_timeout(),
        Some(world.now + SECOND)
    );
    world.pass(SECOND);
    assert!(world.nodes[1].member.is_unused(world.now));
    // A call that is under way does.
    world.nodes[1].member.hold();
    assert!(!world.nodes[1].member.is_unused(world.now));
}

#[test]
fn an_ended_stream_is_forgotten_where_the_log_has_another_one() {
    let tails = |epoch, newest| Tails {
        epoch,
        oldest: 1,
        newest,
    };
    for (told, phase) in [
        (tails(1, 9), MemberPhase::Ended),
        // What this node has is better than nothing.
        (tails(2, 0), MemberPhase::Ended),
        (tails(2, 1), MemberPhase::Forgotten),
    ] {
        let mut world = started(1);
        world.nodes[0].member.attach();
        world.nodes[0].member.finish(StreamEnd::Complete);
        world.settle();
        let member = &mut world.nodes[0].member;
        member.handle_tails(world.now, told);
        assert_eq!(member.phase(), phase, "{told:?}");
        assert_eq!(member.is_unused(world.now), phase == MemberPhase::Forgotten);
        assert_eq!(member.position(), Some(Position::new(1, 2)));
    }
}

#[test]
fn a_node_forgets_what_it_does_not_use() {
    let mut world = started(2);
    let retention = world.nodes[0].member.config().retention;
    world.nodes[1].member.attach();
    world.pass(2 * retention);
    assert!(!world.nodes[1].member.is_unused(world.now));
    world.nodes[1].member.detach(world.now);
    world.pass(retention - SECOND);
    assert!(!world.nodes[1].member.is_unused(world.now));
    world.pass(SECOND);
    assert!(world.nodes[1].member.is_unused(world.now));
    // The owner does not, until the stream has ended.
    assert!(!world.nodes[0].member.is_unused(world.now));
    world.nodes[0].member.finish(StreamEnd::Complete);
    world.pass(retention + SECOND);
    assert!(world.nodes[0].member.is_unused(world.now));
}

#[test]
fn a_call_keeps_a_name_that_was_not_started() {
    let mut world = World::new(1);
    let node = &mut world.nodes[0].member;
    node.hold();
    node.hold();
    assert!(!node.is_unused(world.now));
    node.release(world.now);
    assert!(!node.is_unused(world.now));
    node.release(world.now);
    assert!(node.is_unused(world.now));
}

#[test]
fn a_stream_that_has_ended_is_finished_once_nothing_uses_it() {
    let mut world = started(2);
    let member = |world: &World| world.nodes[1].member.finished_since();
    world.pass(SECOND);
    assert_eq!(world.nodes[1].member.listeners(), 0);
    world.nodes[1].member.attach();
    world.nodes[1].member.attach();
    assert_eq!(world.nodes[1].member.listeners(), 2);
    world.nodes[1].member.detach(world.now);
    world.nodes[1].member.hold();
    world.nodes[0].member.finish(StreamEnd::Complete);
    world.settle();
    assert_eq!(member(&world), None);
    world.now += SECOND;
    world.nodes[1].member.detach(world.now);
    assert_eq!(member(&world), None);
    world.now += SECOND;
    world.nodes[1].member.release(world.now);
    assert_eq!(member(&world), Some(world.now));
    // The owner was not used when it ended.
    assert_eq!(
        world.nodes[0].member.finished_since(),
        Some(world.now - 2 * SECOND)
    );
    let running = started(1);
    assert_eq!(running.nodes[0].member.finished_since(), None);
}

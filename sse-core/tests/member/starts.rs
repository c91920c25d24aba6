//! Which node starts a stream.

use sse_core::topic::{
    Position,
    resumable::{StreamEnd, member::MemberPhase},
};

use crate::world::{Fate, SECOND, World};

#[test]
fn a_node_starts_its_producer_when_it_has_read_its_own_claim() {
    let mut world = World::new(2);
    assert!(world.nodes[0].member.start());
    assert!(!world.nodes[0].member.start());
    world.take(0);
    assert!(world.settle_append(0, Fate::Appended));
    world.take(0);
    assert!(world.starts.is_empty());
    world.settle();
    assert_eq!(world.starts, [(0, 1)]);
    assert_eq!(world.phase(1), MemberPhase::Running);
    assert!(world.nodes[0].member.is_owner() && !world.nodes[1].member.is_owner());
}

#[test]
fn of_two_starts_at_once_the_first_in_the_log_counts() {
    let mut world = World::new(3);
    for node in [0, 1] {
        assert!(world.nodes[node].member.start());
        world.take(node);
    }
    world.settle_append(1, Fate::Appended);
    world.settle_append(0, Fate::Appended);
    world.settle();
    assert_eq!(world.starts, [(1, 1)]);
    assert!(!world.nodes[0].member.is_claiming());
}

#[test]
fn a_stream_that_was_started_is_not_started_again() {
    let mut world = World::new(2);
    world.start(0);
    for node in [0, 1] {
        assert!(!world.nodes[node].member.start());
    }
    world.nodes[0].member.finish(StreamEnd::Complete);
    world.settle();
    assert!(!world.nodes[1].member.start());
    let late = world.add_node();
    world.settle();
    assert_eq!(world.phase(late), MemberPhase::Ended);
    assert!(!world.nodes[late].member.start());
    assert_eq!(world.starts, [(0, 1)]);
}

#[test]
fn a_claim_that_the_log_did_not_take_can_be_made_again() {
    let mut world = World::new(1);
    assert!(world.nodes[0].member.start());
    world.take(0);
    world.settle_append(0, Fate::NotAppended);
    assert!(!world.nodes[0].member.is_claiming());
    assert_eq!(world.phase(0), MemberPhase::Unclaimed);
    world.start(0);
    assert_eq!(world.starts, [(0, 1)]);
}

#[test]
fn a_claim_of_which_the_log_does_not_tell_is_waited_for() {
    let mut world = World::new(1);
    assert!(world.nodes[0].member.start());
    world.take(0);
    world.settle_append(0, Fate::Unknown);
    assert!(world.nodes[0].member.is_claiming());
    world.settle();
    assert_eq!(world.starts, [(0, 1)]);
}

#[test]
fn a_claim_that_does_not_come_is_given_up_after_the_lease() {
    let mut world = World::new(1);
    assert!(world.nodes[0].member.start());
    world.take(0);
    world.settle_append(0, Fate::UnknownAndNotThere);
    world.pass(29 * SECOND);
    assert!(world.nodes[0].member.is_claiming());
    world.pass(SECOND);
    assert!(!world.nodes[0].member.is_claiming());
    assert!(world.nodes[0].member.is_unused(world.now));
}

#[test]
fn a_claim_that_comes_when_it_was_given_up_is_followed_by_an_end() {
    let mut world = World::new(2);
    assert!(world.nodes[0].member.start());
    world.take(0);
    world.settle_append(0, Fate::Unknown);
    world.nodes[0].member.give_up_start();
    world.settle();
    assert!(world.starts.is_empty());
    assert_eq!([0, 1].map(|node| world.outcome(node)), [Some("failed"); 2]);
}

#[test]
fn a_log_without_its_first_events_was_claimed() {
    let mut world = World::new(1);
    let member = &mut world.nodes[0].member;
    member.handle_begin(world.now, Position::new(1, 5));
    assert_eq!(member.phase(), MemberPhase::Running);
    assert!(!member.start() && !member.is_owner());
}

#[test]
fn in_another_epoch_a_name_can_be_started_anew() {
    let mut world = World::new(2);
    world.start(0);
    world.begin_anew();
    world.settle();
    assert_eq!([0, 1].map(|node| world.outcome(node)), [Some("lost"); 2]);
    assert_eq!(world.phase(0), MemberPhase::Forgotten);
    assert_eq!(world.nodes[0].cancelled, [StreamEnd::Lost]);
    let next = world.add_node();
    world.start(next);
    assert_eq!(world.starts, [(0, 1), (next, 2)]);
}

#[test]
fn a_claim_goes_to_the_epoch_that_the_log_has_come_to() {
    let mut world = World::new(2);
    world.settle();
    assert!(world.nodes[0].member.start());
    world.take(0);
    world.begin_anew();
    world.settle_append(0, Fate::Appended);
    world.settle();
    assert_eq!(world.starts, [(0, 2)]);
    assert_eq!(world.phase(1), MemberPhase::Running);
}

#[test]
fn a_claim_that_the_log_has_lost_before_it_was_read_is_made_again() {
    for fate in [Fate::Appended, Fate::UnknownAndNotThere] {
        let mut world = World::new(2);
        world.settle();
        assert!(world.nodes[0].member.start());
        world.take(0);
        world.settle_append(0, fate);
        world.begin_anew();
        world.settle();
        assert_eq!(world.starts, [(0, 2)], "{fate:?}");
    }
}

#[test]
fn a_claim_that_was_taken_before_the_log_began_anew_is_made_again_when_that_is_told_later() {
    let mut world = World::new(1);
    world.settle();
    assert!(world.nodes[0].member.start());
    // The log takes it in its first epoch, and loses it with all it has; the node is told of that first.
    let now = world.now;
    assert!(world.nodes[0].member.poll_output(now).is_some());
    world.begin_anew();
    assert!(world.read(0));
    let member = &mut world.nodes[0].member;
    member.handle_appended(now, Position::new(1, 1));
    // Not all the time, where the log says so again and again.
    assert!(member.poll_output(now).is_none());
    world.pass(2 * SECOND);
    assert_eq!(world.starts, [(0, 2)]);
}

#[test]
fn a_claim_that_the_log_has_lost_before_the_node_began_to_read_is_made_again() {
    let mut world = World::new(2);
    assert!(world.nodes[0].member.start());
    world.take(0);
    world.settle_append(0, Fate::Appended);
    world.begin_anew();
    world.pass(SECOND);
    assert_eq!(world.starts, [(0, 2)]);
    assert_eq!(world.phase(1), MemberPhase::Running);
}

#[test]
fn a_claim_that_the_log_took_and_lost_without_a_sign_is_given_up_after_the_lease() {
    let mut world = World::new(1);
    assert!(world.nodes[0].member.start());
    world.take(0);
    world.settle_append(0, Fate::Appended);
    world.log.clear();
    world.pass(29 * SECOND);
    // Time in which the log does not answer is not counted.
    world.nodes[0].member.handle_log_failed(world.now);
    world.pass(29 * SECOND);
    assert!(world.nodes[0].member.is_claiming());
    world.pass(SECOND);
    assert!(!world.nodes[0].member.is_claiming());
    assert!(world.nodes[0].member.is_unused(world.now));
    world.start(0);
    assert_eq!(world.starts, [(0, 1)]);
}

#[test]
fn a_claim_that_waits_to_be_read_in_another_epoch_is_not_made_twice() {
    let mut world = World::new(2);
    world.settle();
    world.begin_anew();
    assert!(world.nodes[0].member.start());
    world.take(0);
    world.settle_append(0, Fate::Appended);
    world.settle();
    assert_eq!(world.starts, [(0, 2)]);
    assert_eq!(world.log.len(), 1);
}

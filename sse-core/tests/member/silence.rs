//! What the log tells a node that has not heard of the owner for too long.

use std::time::Instant;

use sse_core::{
    Event,
    topic::{
        Position,
        follower::Tails,
        resumable::{
            StreamEnd,
            member::{AppendFailure, MemberOutput, MemberPhase, StreamMember},
        },
    },
};

use crate::world::{SECOND, World};

/// A node that follows a stream, whose owner is dead, and that has just asked the log.
fn looking() -> World {
    let mut world = World::new(2);
    world.nodes[0].member.attach();
    world.start(0);
    world.nodes[0].is_dead = true;
    world.now += 30 * SECOND;
    world.take(1);
    assert!(world.nodes[1].outputs.contains(&MemberOutput::Look));
    world
}

fn tails(epoch: u64, newest: u64) -> Tails {
    Tails {
        epoch,
        oldest: 1,
        newest,
    }
}

/// Returns the data of what the member appends.
fn appends(member: &mut StreamMember, now: Instant) -> Option<String> {
    match member.poll_output(now) {
        Some(MemberOutput::Append { event, .. }) => event.data().map(str::to_owned),
        _ => None,
    }
}

const LOST: &str = r#"{"outcome":"lost"}"#;

#[test]
fn the_log_is_asked_once() {
    let mut world = looking();
    world.take(1);
    let outputs = &world.nodes[1].outputs;
    let looks = outputs.iter().filter(|it| **it == MemberOutput::Look);
    assert_eq!(looks.count(), 1);
    let next = world.nodes[1].member.poll_timeout();
    assert!(next.is_none_or(|at| at > world.now));
}

#[test]
fn a_log_without_anything_new_tells_that_the_owner_is_dead() {
    let mut world = looking();
    let (now, member) = (world.now, &mut world.nodes[1].member);
    let read = member.position().unwrap();
    assert_eq!(read, Position::new(1, 1));
    member.handle_tails(now, tails(1, read.sequence()));
    assert_eq!(appends(member, now).as_deref(), Some(LOST));
}

#[test]
fn what_the_log_has_is_waited_for_and_an_answer_counts_once() {
    let mut world = looking();
    let (now, member) = (world.now, &mut world.nodes[1].member);
    member.handle_tails(now, tails(1, 3));
    // Of two answers the first counts.
    member.handle_tails(now, tails(1, 1));
    assert_eq!(appends(member, now), None);
    for sequence in [2, 3] {
        member.handle_record(now, Position::new(1, sequence), &Event::new("words"));
    }
    assert_eq!(appends(member, now), None);
    assert_eq!(member.phase(), MemberPhase::Running);
}

#[test]
fn events_that_the_log_has_dropped_are_not_waited_for() {
    let mut world = looking();
    let (now, member) = (world.now, &mut world.nodes[1].member);
    member.handle_tails(now, tails(1, 8));
    member.handle_passed_over(now, Position::new(1, 7));
    assert_eq!(appends(member, now), None);
    member.handle_passed_over(now, Position::new(1, 8));
    assert_eq!(member.position(), Some(Position::new(1, 8)));
    assert_eq!(appends(member, now).as_deref(), Some(LOST));
}

#[test]
fn a_log_in_another_epoch_is_followed_there_first() {
    let mut world = looking();
    let (now, member) = (world.now, &mut world.nodes[1].member);
    member.handle_tails(now, tails(2, 0));
    assert_eq!(appends(member, now), None);
    // The silence counts anew.
    assert_eq!(member.poll_timeout(), Some(now + 30 * SECOND));
    assert!(member.handle_anew(now, Position::new(2, 0)));
    assert_eq!(member.phase(), MemberPhase::Forgotten);
}

#[test]
fn an_owner_is_cancelled_on_its_node_only() {
    let mut world = World::new(2);
    world.nodes[0].member.attach();
    world.start(0);
    let shutdown = StreamEnd::Shutdown;
    assert!(!world.nodes[1].member.cancel(shutdown.clone()));
    assert!(world.nodes[0].member.cancel(shutdown.clone()));
    // There is something to do at once.
    assert!(world.nodes[0].member.poll_timeout() <= Some(world.now));
    world.settle();
    assert_eq!(world.nodes[0].cancelled[0], shutdown);
    assert_eq!(
        [0, 1].map(|node| world.outcome(node)),
        [Some("shutdown"); 2]
    );
}

#[test]
fn an_end_that_the_log_did_not_take_is_no_longer_wanted_where_the_owner_may_live() {
    let mut world = looking();
    let (now, member) = (world.now, &mut world.nodes[1].member);
    member.handle_tails(now, tails(1, 1));
    assert_eq!(appends(member, now).as_deref(), Some(LOST));
    member.handle_append_failed(now, AppendFailure::NotAppended);
    let retry = now + SECOND;
    assert_eq!(appends(member, retry), None);
    assert_eq!(member.phase(), MemberPhase::Running);
}

#[test]
fn a_producer_that_does_not_end_at_once_is_cancelled_once() {
    let mut world = World::new(1);
    world.start(0);
    let member = &mut world.nodes[0].member;
    assert!(member.cancel(StreamEnd::Shutdown));
    let mut cancelled = 0;
    for second in 0..300 {
        let now = world.now + second * SECOND;
        member.handle_timeout(now);
        member.handle_tails(now, tails(1, 1));
        while let Some(output) = member.poll_output(now) {
            match output {
                MemberOutput::Cancel(_) => cancelled += 1,
                MemberOutput::Append { .. } => member.handle_appended(now, Position::new(1, 2)),
                _ => {}
            }
        }
    }
    assert_eq!(cancelled, 1);
}

#[test]
fn records_that_are_not_read_back_are_appended_again() {
    let mut world = World::new(2);
    world.nodes[1].member.attach();
    world.start(0);
    // The first node is the owner and the second has a client: each appends, and reads nothing.
    for (node, interval) in [(0, 10 * SECOND), (1, 15 * SECOND)] {
        let member = &mut world.nodes[node].member;
        let appends = (0..120).filter(|second| {
            let now = world.now + *second * SECOND;
            let appends = member.poll_output(now).is_some();
            if appends {
                member.handle_appended(now, Position::new(1, 2));
            }
            appends
        });
        let seconds: Vec<_> = appends.collect();
        assert!(seconds.len() >= 7, "{seconds:?}");
        let intervals = seconds.windows(2).map(|pair| (pair[1] - pair[0]) * SECOND);
        assert!(
            intervals.into_iter().all(|it| it == interval),
            "{seconds:?}"
        );
    }
}

#[test]
fn the_clients_of_a_node_count_when_the_node_that_told_of_its_own_has_gone() {
    let mut world = World::new(3);
    world.start(0);
    for node in [1, 2] {
        world.nodes[node].member.attach();
        world.pass(SECOND);
    }
    world.pass(60 * SECOND);
    for gone in [1, 2] {
        world.nodes[gone].is_dead = true;
        world.pass(200 * SECOND);
        assert_eq!(world.phase(0), MemberPhase::Running);
        world.nodes[gone].is_dead = false;
        world.pass(200 * SECOND);
    }
}

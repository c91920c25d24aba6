//! A log that takes nothing more from a node, for good.

use sse_core::{
    lifecycle::StreamError,
    topic::{
        Position,
        follower::Tails,
        resumable::{
            StreamEnd,
            member::{MemberOutput, MemberPhase, StreamMember},
        },
    },
};

use crate::world::{SECOND, World};

fn error() -> StreamError {
    StreamError::from("no permission")
}

fn tails(epoch: u64, newest: u64) -> Tails {
    Tails {
        epoch,
        oldest: 1,
        newest,
    }
}

fn outputs(member: &mut StreamMember, now: std::time::Instant) -> Vec<MemberOutput> {
    member.handle_timeout(now);
    std::iter::from_fn(|| member.poll_output(now)).collect()
}

/// An owner whose log has rejected an event of its producer; it has read the log up to its claim.
fn rejected() -> World {
    let mut world = World::new(2);
    world.start(0);
    let now = world.now;
    world.nodes[0].member.handle_rejected(now, error());
    world
}

#[test]
fn an_owner_cancels_its_producer_and_looks_for_what_the_log_has_before_its_clients_are_told() {
    let mut world = rejected();
    let (now, member) = (world.now, &mut world.nodes[0].member);
    assert!(member.poll_timeout().is_some_and(|at| at <= now));
    let end = StreamEnd::Rejected(error());
    let told = outputs(member, now);
    assert_eq!(
        told,
        [MemberOutput::Cancel(end.clone()), MemberOutput::Look]
    );
    // The log has an event that this node has yet to read.
    member.handle_tails(now, tails(1, 2));
    assert_eq!(outputs(member, now), []);
    assert_eq!(member.phase(), MemberPhase::Running);
    member.handle_record(now, Position::new(1, 2), &sse_core::Event::new("rest"));
    assert_eq!(member.phase(), MemberPhase::Forgotten);
    let told = outputs(member, now);
    let ends = [MemberOutput::Cancel(end.clone()), MemberOutput::End(end)];
    assert_eq!(told, ends);
}

#[test]
fn a_log_that_does_not_tell_what_it_has_is_not_waited_for() {
    for other_epoch in [false, true] {
        let mut world = rejected();
        let (now, member) = (world.now, &mut world.nodes[0].member);
        outputs(member, now);
        match other_epoch {
            true => member.handle_tails(now, tails(2, 0)),
            false => member.handle_log_failed(now),
        }
        let end = MemberOutput::End(StreamEnd::Rejected(error()));
        assert!(outputs(member, now).contains(&end));
        assert_eq!(member.phase(), MemberPhase::Forgotten);
    }
}

#[test]
fn a_log_that_rejects_is_asked_for_no_more_records() {
    let mut world = rejected();
    let (now, member) = (world.now, &mut world.nodes[0].member);
    member.finish(StreamEnd::Complete);
    for second in 0..100 {
        let outputs = outputs(member, now + second * SECOND);
        let appends = outputs
            .iter()
            .any(|it| matches!(it, MemberOutput::Append { .. }));
        assert!(!appends, "{outputs:?}");
    }
}

#[test]
fn a_stream_that_was_about_to_end_ends_so() {
    let mut world = World::new(1);
    world.start(0);
    let (now, member) = (world.now, &mut world.nodes[0].member);
    member.finish(StreamEnd::Complete);
    assert!(matches!(
        outputs(member, now)[..],
        [MemberOutput::Append { .. }]
    ));
    member.handle_rejected(now, error());
    outputs(member, now);
    member.handle_tails(now, tails(1, 1));
    let end = MemberOutput::End(StreamEnd::Complete);
    assert!(outputs(member, now).contains(&end));
}

#[test]
fn a_stop_that_another_nodes_log_rejects_is_repeated_and_costs_its_clients_nothing() {
    let mut world = World::new(2);
    world.start(0);
    let (now, member) = (world.now, &mut world.nodes[1].member);
    member.attach();
    assert!(member.stop("enough".into()));
    assert!(matches!(
        outputs(member, now)[..],
        [MemberOutput::Append { .. }]
    ));
    member.handle_rejected(now, error());
    assert_eq!(outputs(member, now), []);
    assert_eq!(member.phase(), MemberPhase::Running);
    let retry = now + SECOND;
    assert!(matches!(
        outputs(member, retry)[..],
        [MemberOutput::Append { .. }]
    ));
}

#[test]
fn a_report_of_clients_that_is_rejected_is_made_again_when_it_is_due() {
    let mut world = World::new(2);
    world.start(0);
    let (now, member) = (world.now, &mut world.nodes[1].member);
    member.attach();
    let reports = (0..20).filter(|second| {
        let now = now + *second * SECOND;
        let appends = matches!(outputs(member, now)[..], [MemberOutput::Append { .. }]);
        member.handle_rejected(now, error());
        appends
    });
    assert_eq!(reports.collect::<Vec<_>>(), [0, 15]);
}

#[test]
fn a_claim_that_the_log_rejects_is_given_up() {
    let mut world = World::new(1);
    let (now, member) = (world.now, &mut world.nodes[0].member);
    assert!(member.start());
    assert!(matches!(
        outputs(member, now)[..],
        [MemberOutput::Append { .. }]
    ));
    assert!(member.is_claiming());
    member.handle_rejected(now, error());
    assert!(!member.is_claiming());
    assert_eq!(member.phase(), MemberPhase::Unclaimed);
}

#[test]
fn an_owner_that_is_heard_of_again_is_not_lost_by_a_rejected_end() {
    let mut world = World::new(2);
    world.start(0);
    let (now, member) = (world.now + 30 * SECOND, &mut world.nodes[1].member);
    assert_eq!(outputs(member, now), [MemberOutput::Look]);
    member.handle_tails(now, tails(1, 1));
    assert!(matches!(
        outputs(member, now)[..],
        [MemberOutput::Append { .. }]
    ));
    member.handle_rejected(now, error());
    assert_eq!(outputs(member, now), [MemberOutput::Look]);
    member.handle_tails(now, tails(1, 2));
    member.handle_record(now, Position::new(1, 2), &sse_core::Event::new("alive"));
    assert_eq!(outputs(member, now), []);
    assert_eq!(member.phase(), MemberPhase::Running);
}

//! What holds whatever happens, in whichever order.

use proptest::prelude::*;
use sse_core::topic::resumable::StreamEnd;

use crate::world::{Fate, SECOND, World};

#[derive(Clone, Debug)]
enum Step {
    Start(usize),
    Stop(usize),
    Finish(usize),
    Attach(usize),
    Detach(usize),
    Produce(usize),
    Read(usize),
    Take(usize),
    Append(usize, Fate),
    Look(usize),
    LogFailed(usize),
    Die(usize),
    Wait(u64),
    BeginAnew,
}

const NODES: usize = 3;

fn step() -> impl Strategy<Value = Step> {
    let node = 0..NODES;
    let fate = prop_oneof![
        6 => Just(Fate::Appended),
        1 => Just(Fate::NotAppended),
        1 => Just(Fate::Unknown),
        1 => Just(Fate::UnknownAndNotThere),
    ];
    prop_oneof![
        3 => node.clone().prop_map(Step::Start),
        1 => node.clone().prop_map(Step::Stop),
        1 => node.clone().prop_map(Step::Finish),
        1 => node.clone().prop_map(Step::Attach),
        1 => node.clone().prop_map(Step::Detach),
        2 => node.clone().prop_map(Step::Produce),
        12 => node.clone().prop_map(Step::Read),
        8 => node.clone().prop_map(Step::Take),
        8 => (node.clone(), fate).prop_map(|(node, fate)| Step::Append(node, fate)),
        3 => node.clone().prop_map(Step::Look),
        1 => node.clone().prop_map(Step::LogFailed),
        1 => node.prop_map(Step::Die),
        4 => (1_u64..40).prop_map(Step::Wait),
        1 => Just(Step::BeginAnew),
    ]
}

fn run(world: &mut World, step: &Step) {
    match *step {
        Step::Start(node) => drop(world.nodes[node].member.start()),
        Step::Stop(node) => drop(world.nodes[node].member.stop("enough".into())),
        Step::Finish(node) => {
            if world.nodes[node].produces.take().is_some() {
                world.nodes[node].member.finish(StreamEnd::Complete);
            }
        }
        Step::Attach(node) => world.nodes[node].member.attach(),
        Step::Detach(node) => world.nodes[node].member.detach(world.now),
        Step::Produce(node) => world.produce(node),
        Step::Read(node) => drop(world.read(node)),
        Step::Take(node) => world.take(node),
        Step::Append(node, fate) => drop(world.settle_append(node, fate)),
        Step::Look(node) => drop(world.answer_look(node)),
        Step::LogFailed(node) => world.nodes[node].member.handle_log_failed(world.now),
        // One is left.
        Step::Die(node) if node > 0 => world.nodes[node].is_dead = true,
        Step::Die(_) => {}
        Step::Wait(seconds) => world.now += SECOND * u32::try_from(seconds).unwrap(),
        Step::BeginAnew => world.begin_anew(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_stream_has_one_start_and_one_end_that_all_nodes_agree_on(
        steps in prop::collection::vec(step(), 0..200),
    ) {
        let mut world = World::new(NODES);
        for step in &steps {
            run(&mut world, step);
        }
        // Now nothing fails any more, and the stream's clients stay.
        for node in &mut world.nodes {
            node.member.handle_log_failed(world.now);
        }
        world.pass(300 * SECOND);
        for epoch in 1..=world.epoch {
            let starts = world.starts.iter().filter(|(_, of)| *of == epoch);
            prop_assert!(starts.count() <= 1, "{:?}", world.starts);
        }
        // Those that read an end in the last epoch read the same.
        let late = world.add_node();
        world.settle();
        let end = world.nodes[late].ended.clone();
        for node in world.nodes.iter().filter(|node| !node.is_dead) {
            if let Some((_, at)) = &node.ended
                && at.epoch() == world.epoch
                && at.sequence() > 0
            {
                prop_assert_eq!(&node.ended, &end);
            }
        }
        // An owner that lives runs on only where there are clients, and nothing else runs.
        let runs = world.nodes.iter().filter(|node| !node.is_dead && node.produces.is_some());
        let owners = runs.filter(|node| node.member.is_owner());
        let has_clients = world.nodes.iter().any(|node| !node.is_dead && node.member.listeners() > 0);
        prop_assert!(owners.count() <= usize::from(has_clients));
    }
}

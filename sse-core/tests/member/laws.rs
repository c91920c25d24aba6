//! What holds whatever happens, in whichever order.

use proptest::prelude::*;

use crate::{
    history::{MAX_NODES, NODES, Step},
    world::{Fate, World},
};

fn step() -> impl Strategy<Value = Step> {
    let node = 0..MAX_NODES;
    let fate = prop_oneof![
        6 => Just(Fate::Appended),
        1 => Just(Fate::NotAppended),
        1 => Just(Fate::Unknown),
        1 => Just(Fate::UnknownAndNotThere),
    ];
    prop_oneof![
        3 => node.clone().prop_map(Step::Start),
        1 => node.clone().prop_map(Step::GiveUp),
        1 => node.clone().prop_map(Step::Stop),
        1 => node.clone().prop_map(Step::Finish),
        1 => node.clone().prop_map(Step::Cancel),
        1 => node.clone().prop_map(Step::Attach),
        1 => node.clone().prop_map(Step::Detach),
        2 => node.clone().prop_map(Step::Produce),
        12 => node.clone().prop_map(Step::Read),
        8 => node.clone().prop_map(Step::Take),
        8 => (node.clone(), fate).prop_map(|(node, fate)| Step::Append(node, fate)),
        1 => (0_usize..3).prop_map(Step::AppendLate),
        3 => node.clone().prop_map(Step::Look),
        1 => node.clone().prop_map(Step::LogFailed),
        1 => node.prop_map(Step::Die),
        1 => Just(Step::Join),
        4 => (1_u32..40).prop_map(Step::Wait),
        1 => (0_usize..5).prop_map(Step::Trim),
        1 => Just(Step::BeginAnew),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_stream_has_one_start_and_one_end_that_all_nodes_agree_on(
        steps in prop::collection::vec(step(), 0..200),
    ) {
        let mut world = World::new(NODES);
        for step in &steps {
            world.happen(step);
        }
        world.calm_down();
    }
}

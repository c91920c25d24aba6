//! Laws for any sequence of appends, bells, answers, losses and pauses.

use proptest::prelude::*;

use crate::world::{Step, World};

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (1..6_u64).prop_map(Step::Append),
        6 => (0..12_u64, any::<bool>()).prop_map(|(back, full)| Step::Bell(back, full)),
        1 => (0..8_u64).prop_map(Step::Trim),
        1 => Just(Step::BeginAnew),
        1 => Just(Step::Up),
        1 => Just(Step::Down),
        5 => Just(Step::Answer),
        1 => Just(Step::AnswerLate),
        1 => Just(Step::Fail),
        1 => (0..10_u64).prop_map(Step::Unasked),
        2 => (1..12_000_u64).prop_map(Step::Pass),
        5 => Just(Step::Take),
    ];
    prop::collection::vec(step, 0..120)
}

proptest! {
    #[test]
    fn every_event_is_delivered_in_order_or_counted(
        first in 0..10_u64,
        warm in 0..5_u64,
        steps in steps(),
    ) {
        let mut world = World::new(first, warm);
        for step in &steps {
            world.happen(step);
        }
        world.calm_down();
    }
}

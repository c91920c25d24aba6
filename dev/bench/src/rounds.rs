//! Measuring: in each round everything takes a turn, so that a disturbance of the machine disturbs
//! all.

use std::{hint::black_box, time::Instant};

const ROUNDS: usize = 41;

/// Work to time. It returns a count, which proves that the work was done.
pub(crate) type Work<'a> = Box<dyn FnMut() -> usize + 'a>;

/// Returns the time of the first of `works` in nanoseconds, and how many times as long each takes:
/// medians over all rounds, of the time and of the ratio within a round.
pub(crate) fn measure(works: &mut [Work<'_>]) -> (f64, Vec<f64>) {
    let mut yardstick = Vec::new();
    let mut ratios = vec![Vec::new(); works.len()];
    for round in 0..=ROUNDS {
        let times: Vec<f64> = works
            .iter_mut()
            .map(|work| {
                let start = Instant::now();
                black_box(work());
                start.elapsed().as_secs_f64() * 1e9
            })
            .collect();
        // The first round warms the caches up.
        if round > 0 {
            yardstick.push(times[0]);
            for (ratios, time) in ratios.iter_mut().zip(&times) {
                ratios.push(time / times[0]);
            }
        }
    }
    (median(yardstick), ratios.into_iter().map(median).collect())
}

fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}

//! Pseudo-random numbers that spread things in time, from a seed that is an argument.

/// A stream of numbers from the SplitMix64 generator: good enough to spread clients out, but not to keep
/// a secret.
#[derive(Clone, Debug)]
pub struct Jitter(u64);

impl Jitter {
    /// Creates the stream of numbers that follow from `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Returns a number from 0 up to, but not including, `end`; 0 where `end` is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        // The high half of a product takes no division, and its bias does not matter here.
        ((u128::from(self.next()) * u128::from(end)) >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_below_the_end_and_reach_all_of_it() {
        let mut jitter = Jitter::new(7);
        let mut seen = [0; 10];
        for _ in 0..1000 {
            seen[jitter.below(10) as usize] += 1;
        }
        assert!(seen.iter().all(|&count| count > 50), "{seen:?}");
        assert_eq!(jitter.below(0), 0);
        assert_eq!(Jitter::new(7).next(), Jitter::new(7).next());
        assert_ne!(Jitter::new(7).next(), Jitter::new(8).next());
    }
}

//! Randomness from seeds alone. Never: the operating system's, or anything that a second run would not draw again.

use serde::{Deserialize, Serialize};

/// A stream of numbers (`SplitMix64`).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Random(u64);

/// A number that follows from a seed and a name alone, so that leaving other things out does not change it.
pub(crate) fn keyed(seed: u64, name: &str) -> u64 {
    let mut hash = seed ^ 0x9e37_79b9_7f4a_7c15;
    for byte in name.bytes() {
        hash = scramble(hash ^ u64::from(byte));
    }
    scramble(hash)
}

/// A number that follows from a seed and another number.
pub(crate) fn mixed(seed: u64, number: u64) -> u64 {
    scramble(scramble(seed).wrapping_add(number.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
}

fn scramble(mut mixed: u64) -> u64 {
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(scramble(seed ^ 0x5851_f42d_4c95_7f2d))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        scramble(self.0)
    }

    /// A number below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: u32) -> u32 {
        u32::try_from(self.next() % u64::from(end.max(1))).expect("below a 32-bit number")
    }

    /// A number from `least` to `most`.
    pub(crate) fn within(&mut self, least: u32, most: u32) -> u32 {
        least + self.below(most - least + 1)
    }

    /// True so many times in a thousand.
    pub(crate) fn chance(&mut self, per_mille: u32) -> bool {
        self.below(1000) < per_mille
    }

    /// One of several things, each with its weight.
    pub(crate) fn weighed<T: Copy>(&mut self, from: &[(u32, T)]) -> T {
        let mut drawn = self.below(from.iter().map(|(weight, _)| weight).sum());
        let of = |(weight, _): &&(u32, T)| {
            let here = drawn < *weight;
            drawn = drawn.saturating_sub(*weight);
            here
        };
        from.iter().find(of).expect("the draw is below the sum").1
    }

    pub(crate) fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        let at = self.below(u32::try_from(from.len()).expect("short lists"));
        from[usize::try_from(at).expect("32 bits fit")].clone()
    }
}

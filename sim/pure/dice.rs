//! The only source of chance. Integer arithmetic throughout: a seed means the same on every machine.

/// A probability as a ratio of integers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ratio {
    pub of: u32,
    pub out_of: u32,
}

impl Ratio {
    pub const NEVER: Ratio = Ratio { of: 0, out_of: 1 };
    pub const ALWAYS: Ratio = Ratio { of: 1, out_of: 1 };

    pub const fn new(of: u32, out_of: u32) -> Ratio {
        Ratio { of, out_of }
    }
}

impl std::fmt::Display for Ratio {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.of, self.out_of)
    }
}

/// A small seeded generator (SplitMix64). Every part of a run owns a child of its own, so that a new draw in one part
/// does not shift the others.
#[derive(Clone, Debug)]
pub struct Dice {
    state: u64,
}

impl Dice {
    pub fn new(seed: u64) -> Dice {
        let mut dice = Dice { state: seed ^ 0x6d61_726d_6f74_0001 };
        dice.next();
        dice
    }

    /// A generator for one part; different names give independent streams.
    pub fn child(&self, part: u64) -> Dice {
        Dice::new(self.state.rotate_left(17) ^ part.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    pub fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in `0..n`; zero if `n` is zero.
    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(n)) >> 64) as u64
    }

    /// Uniform in `low..=high`.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// An index into a list of `n`.
    pub fn index(&mut self, n: usize) -> usize {
        self.below(n as u64) as usize
    }

    pub fn chance(&mut self, ratio: Ratio) -> bool {
        ratio.of > 0 && self.below(u64::from(ratio.out_of)) < u64::from(ratio.of)
    }

    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// A member of a list that is not empty.
    pub fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.index(list.len())]
    }
}

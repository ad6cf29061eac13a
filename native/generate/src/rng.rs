//! Pseudo-random numbers: SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).

const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// The SplitMix64 finaliser: spreads every input bit over the result.
pub fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(GAMMA);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// What a stream of numbers is for; a part of a record has its own, so that one part can change without moving the others.
#[derive(Clone, Copy)]
pub enum Part {
    Ids = 1,
    Head,
    Name,
    Work,
    TrackTitles,
    Tracks,
    Credits,
    Media,
    Notes,
    Identifiers,
    Videos,
    Companies,
    Lists,
    Images,
    /// Which records change from one month to the next.
    Choice,
    /// Unused ids between known ones.
    Between,
    /// Records that return.
    Returned,
    /// How one record changes.
    Edit,
}

/// One stream of numbers, fixed by seed, space (a data type), ordinal and part.
pub struct Rng(u64);

impl Rng {
    /// The stream of one part of one record.
    pub fn new(seed: u64, space: u64, ordinal: u64, part: Part) -> Rng {
        let domain = mix(seed ^ ((space << 8) | part as u64).wrapping_mul(GAMMA));
        Rng(mix(domain ^ ordinal))
    }

    /// The next 64 bits.
    #[inline]
    pub fn bits(&mut self) -> u64 {
        let value = mix(self.0);
        self.0 = self.0.wrapping_add(GAMMA);
        value
    }

    /// A number from 0 to `n` - 1.
    #[inline]
    pub fn below(&mut self, n: usize) -> usize {
        (((self.bits() >> 32) * n as u64) >> 32) as usize
    }

    /// A number from `low` to `high`, both included.
    #[inline]
    pub fn between(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high - low + 1)
    }

    /// A number from 0 to 1, 1 excluded.
    #[inline]
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// True with probability `p`.
    #[inline]
    pub fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// Any of the items, all alike.
    #[inline]
    pub fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }

    /// An index below `n`, small ones far more often (density falls with the square root of the index).
    #[inline]
    pub fn leaning(&mut self, n: usize) -> usize {
        let u = self.unit();
        (u * u * n as f64) as usize
    }

    /// An index below `n`, leaning still more to small ones.
    #[inline]
    pub fn steep(&mut self, n: usize) -> usize {
        let u = self.unit();
        (u * u * u * n as f64) as usize
    }

    /// One of a list that is sorted by how usual its items are.
    #[inline]
    pub fn usual<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.leaning(items.len())]
    }

    /// An item by its weight.
    pub fn weighted<T: Copy>(&mut self, items: &[(T, u32)]) -> T {
        let total: u32 = items.iter().map(|item| item.1).sum();
        let mut left = self.below(total as usize) as u32;
        for &(item, weight) in items {
            if left < weight {
                return item;
            }
            left -= weight;
        }
        items[0].0
    }
}

//! Distributions given by their quantiles.

use crate::rng::Rng;

/// A distribution as points (share of the population, value), straight between them.
pub struct Quantiles(pub &'static [(f64, f64)]);

impl Quantiles {
    /// The value that the share `u` of the population lies below.
    pub fn at(&self, u: f64) -> f64 {
        let mut from = self.0[0];
        for &to in &self.0[1..] {
            if u < to.0 {
                return from.1 + (to.1 - from.1) * (u - from.0) / (to.0 - from.0);
            }
            from = to;
        }
        from.1
    }

    /// As [`Quantiles::at`], rounded down: values of counts are given as "just below the next".
    pub fn count(&self, u: f64) -> usize {
        self.at(u) as usize
    }

    /// A count drawn on its own.
    pub fn draw(&self, rng: &mut Rng) -> usize {
        self.count(rng.unit())
    }
}

/// Links the parts of one record: with probability `share` a part takes the record's common level, else a level of its own.
///
/// Each part keeps its exact distribution, and rank correlations come out as the product of two shares.
pub struct Level(pub f64);

impl Level {
    /// A level for one part.
    pub fn part(&self, rng: &mut Rng, share: f64) -> f64 {
        if rng.chance(share) { self.0 } else { rng.unit() }
    }
}

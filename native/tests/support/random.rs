//! Reproducible randomness, and shrinking of inputs that fail.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// SplitMix64: small, fast, and the same everywhere.
#[derive(Clone)]
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`; 0 if `n` is 0.
    pub fn below(&mut self, n: usize) -> usize {
        if n == 0 { 0 } else { (self.next() % n as u64) as usize }
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub fn pick<'a, T: ?Sized>(&mut self, items: &[&'a T]) -> &'a T {
        items[self.below(items.len())]
    }

    /// A number up to `most`, small ones more often.
    pub fn few(&mut self, most: usize) -> usize {
        let most = self.below(most + 1);
        self.below(most + 1)
    }
}

/// Number of cases a property test runs: `DEADWAX_CASES`, else `default`.
pub fn cases(default: usize) -> usize {
    number("DEADWAX_CASES").map_or(default, |n| n as usize)
}

/// Seed of this run: `DEADWAX_SEED`, else the clock.
pub fn seed() -> u64 {
    number("DEADWAX_SEED").unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |t| t.as_nanos() as u64))
}

/// A number from the environment.
pub fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Runs `check`; a panic is a failure like any other.
pub fn attempt(check: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
    catch_unwind(AssertUnwindSafe(check)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned().or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
        Err(format!("panicked: {}", text.unwrap_or_default()))
    })
}

/// Runs `check` on `n` inputs from `make`; on a failure shrinks the input and says how to repeat it.
pub fn for_all(name: &str, n: usize, mut make: impl FnMut(&mut Rng) -> Vec<u8>, check: impl Fn(&[u8]) -> Result<(), String>) {
    let seed = seed();
    for case in 0..n {
        let mut rng = Rng::new(seed.wrapping_add((case as u64).wrapping_mul(0x5851_f42d_4c95_7f2d)));
        let input = make(&mut rng);
        if let Err(first) = attempt(|| check(&input)) {
            let small = shrink(&input, &check);
            let last = attempt(|| check(&small)).err().unwrap_or_else(|| first.clone());
            panic!(
                "{name}: case {case} of seed {seed} (repeat with DEADWAX_SEED={seed})\nfirst: {first}\nshrunk to {} bytes: {last}\ninput: b\"{}\"",
                small.len(),
                small.escape_ascii()
            );
        }
    }
}

/// Runs `check` with a fresh [`Rng`] for each of `n` cases; what it draws is the input.
pub fn for_each(name: &str, n: usize, check: impl Fn(&mut Rng) -> Result<(), String>) {
    let seed = seed();
    for case in 0..n {
        let own = seed.wrapping_add((case as u64).wrapping_mul(0x5851_f42d_4c95_7f2d));
        if let Err(what) = attempt(|| check(&mut Rng::new(own))) {
            panic!("{name}: case {case} of seed {seed} (alone with DEADWAX_CASES=1 DEADWAX_SEED={own}): {what}");
        }
    }
}

/// A smaller input that fails too: pieces are cut out as long as that helps.
pub fn shrink(input: &[u8], check: &impl Fn(&[u8]) -> Result<(), String>) -> Vec<u8> {
    const PATIENCE: Duration = Duration::from_secs(20);
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let begin = Instant::now();
    let mut best = input.to_vec();
    let mut size = best.len().div_ceil(2).max(1);
    loop {
        let mut at = 0;
        let mut helped = false;
        while at < best.len() && begin.elapsed() < PATIENCE {
            let end = (at + size).min(best.len());
            let candidate = [&best[..at], &best[end..]].concat();
            if attempt(|| check(&candidate)).is_err() {
                best = candidate;
                helped = true;
            } else {
                at += size.div_ceil(2);
            }
        }
        if begin.elapsed() >= PATIENCE || (size == 1 && !helped) {
            break;
        }
        size = if helped { size } else { size / 2 };
    }
    std::panic::set_hook(hook);
    best
}

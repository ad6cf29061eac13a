//! What became of each entry of an index, in two bits.

use std::ops::Range;

/// Not seen so far.
pub const ABSENT: u8 = 0;
/// Came as it was.
pub const SAME: u8 = 1;
/// Came in other raw bytes.
pub const TOUCHED: u8 = 2;
/// Came with another content.
pub const UPDATED: u8 = 3;

/// A mark for each position below a length.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    low: Vec<u64>,
    high: Vec<u64>,
    len: u64,
}

impl Marks {
    pub fn new(len: u64) -> Self {
        let words = len.div_ceil(64) as usize;
        Self { low: vec![0; words], high: vec![0; words], len }
    }

    pub fn len(&self) -> u64 {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn get(&self, pos: u64) -> u8 {
        let (word, bit) = ((pos / 64) as usize, pos % 64);
        (self.low[word] >> bit & 1) as u8 | ((self.high[word] >> bit & 1) as u8) << 1
    }

    pub fn set(&mut self, pos: u64, mark: u8) {
        let (word, bit) = ((pos / 64) as usize, pos % 64);
        self.low[word] = self.low[word] & !(1 << bit) | u64::from(mark & 1) << bit;
        self.high[word] = self.high[word] & !(1 << bit) | u64::from(mark >> 1) << bit;
    }

    /// Marks a range as [`SAME`], unless one of it was seen before.
    pub fn fill(&mut self, range: Range<u64>) -> bool {
        if words(range.clone()).any(|(word, mask)| (self.low[word] | self.high[word]) & mask != 0) {
            return false;
        }
        for (word, mask) in words(range) {
            self.low[word] |= mask;
        }
        true
    }

    /// The first position from `from` on that was not seen, or the length.
    pub fn next_absent(&self, from: u64) -> u64 {
        for (word, mask) in words(from..self.len) {
            let absent = !(self.low[word] | self.high[word]) & mask;
            if absent != 0 {
                return word as u64 * 64 + u64::from(absent.trailing_zeros());
            }
        }
        self.len
    }

    /// How many below `end` were not seen.
    pub fn absent_below(&self, end: u64) -> u64 {
        words(0..end).map(|(word, mask)| u64::from((!(self.low[word] | self.high[word]) & mask).count_ones())).sum()
    }
}

/// The words that a range touches, and which of their bits.
fn words(range: Range<u64>) -> impl Iterator<Item = (usize, u64)> {
    let Range { start, end } = range;
    let last = if start < end { end.div_ceil(64) } else { start / 64 };
    (start / 64..last).map(move |word| {
        let first_bit = start.saturating_sub(word * 64);
        let bits_end = (end - word * 64).min(64);
        (word as usize, (u64::MAX << first_bit) & (u64::MAX >> (64 - bits_end)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_what_single_marks_are() {
        for (start, end) in [(0, 0), (0, 1), (3, 64), (63, 65), (64, 128), (1, 200), (199, 200), (130, 130), (200, 200)] {
            let (mut filled, mut single) = (Marks::new(200), Marks::new(200));
            assert!(filled.fill(start..end));
            (start..end).for_each(|pos| single.set(pos, SAME));
            assert_eq!(filled, single, "{start}..{end}");
            assert_eq!(filled.absent_below(200), 200 - (end - start));
            assert_eq!(filled.absent_below(70), (0..70).filter(|pos| !(start..end).contains(pos)).count() as u64);
            assert_eq!(filled.next_absent(start), if end == start { start } else { end });
            assert_eq!(filled.fill(start..end), start == end, "a range that was seen is not filled again");
        }
    }

    #[test]
    fn a_mark_is_what_was_set_last() {
        let mut marks = Marks::new(3);
        for mark in [UPDATED, TOUCHED, SAME, UPDATED, ABSENT] {
            marks.set(1, mark);
            assert_eq!((marks.get(0), marks.get(1), marks.get(2)), (ABSENT, mark, ABSENT));
        }
    }
}

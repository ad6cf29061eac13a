//! Looking for records by their ids: what ids there are in a piece, and which records are wanted of it.

use std::collections::HashSet;

/// Numbers below this are told apart by JavaScript too.
const EXACT_MAX: u64 = 1 << 53;

/// The ids that are looked for. Records of all others are passed over as soon as their ids are known: nothing of them is written or hashed.
#[derive(Debug, Default)]
pub struct Wanted {
    ids: HashSet<Vec<u8>>,
}

impl Wanted {
    pub fn new(ids: impl IntoIterator<Item = String>) -> Self {
        Self { ids: ids.into_iter().map(String::into_bytes).collect() }
    }

    pub fn has(&self, id: &[u8]) -> bool {
        self.ids.contains(id)
    }
}

/// A wanted record of a piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub id: String,
    /// Its range in the buffer.
    pub start: usize,
    pub end: usize,
    /// A rule keeps it back: it has no body.
    pub is_skipped: bool,
}

/// What was seen of a piece's ids, rejected records included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub records: u64,
    /// Smallest and largest id that is a canonical decimal below 2^53; MAX and 0 if there is none.
    pub min: u64,
    pub max: u64,
    /// Ids of any other kind.
    pub odd: u64,
    /// In the order of records; those that are not skipped are in the order of bodies.
    pub found: Vec<Found>,
}

impl Default for Seen {
    fn default() -> Self {
        Self { records: 0, min: u64::MAX, max: 0, odd: 0, found: Vec::new() }
    }
}

impl Seen {
    /// Counts a record.
    pub fn note(&mut self, id: &[u8]) {
        self.records += 1;
        self.widen(id);
    }

    /// Takes in an id without a record.
    pub fn widen(&mut self, id: &[u8]) {
        match number(id) {
            Some(n) => {
                self.min = self.min.min(n);
                self.max = self.max.max(n);
            }
            None => self.odd += 1,
        }
    }
}

/// The number that a canonical decimal below 2^53 stands for.
pub fn number(id: &[u8]) -> Option<u64> {
    if id.is_empty() || id.len() > 16 || (id[0] == b'0' && id.len() > 1) || !id.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let n = id.iter().fold(0, |n, &digit| n * 10 + u64::from(digit - b'0'));
    (n < EXACT_MAX).then_some(n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_canonical_decimals_are_numbers() {
        for (id, expected) in [("0", Some(0)), ("7", Some(7)), ("9007199254740991", Some(EXACT_MAX - 1))] {
            assert_eq!(number(id.as_bytes()), expected, "{id}");
        }
        for id in ["", "00", "07", "-1", "+1", "1 ", "x", "9007199254740992", "99999999999999999999", "unknown"] {
            assert_eq!(number(id.as_bytes()), None, "{id:?}");
        }
    }
}

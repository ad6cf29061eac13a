//! An id as 64 bits: numbers first, in their order, then odd ids, then records without an id.

use crate::hash;

/// Numbers from here on are odd ids.
const NUMBERS_END: u64 = 1 << 53;
/// Decimal digits of a number below [`NUMBERS_END`].
const DIGITS_MAX: usize = 16;
/// The first key of an odd id.
pub const ODD: u64 = 1 << 63;
/// The first key of a record without an id.
pub const NAMELESS: u64 = ODD | 1 << 62;

/// An id's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    pub key: u64,
    /// The key is a hash, so that the index has to keep the id itself.
    pub odd: bool,
}

/// The key of an id: the number that it is the canonical decimal of, else a hash of it.
pub fn key_of(id: &[u8]) -> Key {
    match number_of(id) {
        Some(key) => Key { key, odd: false },
        None => Key { key: (hash::xxh3_64(id) >> 1) & !(1 << 62) | ODD, odd: true },
    }
}

/// The key of a record without an id, by the first 16 bytes of its canonical hash.
pub fn unknown_key(hash: &[u8; 16]) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *hash;
    NAMELESS | u64::from_be_bytes([a, b, c, d, e, f, g, h]) >> 2
}

/// Whether the index keeps the id of `key` as a string.
pub fn is_odd(key: u64) -> bool {
    (ODD..NAMELESS).contains(&key)
}

fn number_of(id: &[u8]) -> Option<u64> {
    let leading_zero = id.len() > 1 && id[0] == b'0';
    if id.is_empty() || id.len() > DIGITS_MAX || leading_zero {
        return None;
    }
    let mut number = 0u64;
    for &digit in id {
        if !digit.is_ascii_digit() {
            return None;
        }
        number = number * 10 + u64::from(digit - b'0');
    }
    (number < NUMBERS_END).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_numbers_are_themselves() {
        for number in [0, 1, 9, 10, 19_000_000, NUMBERS_END - 1] {
            assert_eq!(key_of(number.to_string().as_bytes()), Key { key: number, odd: false });
        }
    }

    #[test]
    fn all_else_is_odd() {
        for id in ["", "00", "01", "-1", "+1", "1 ", "1.0", "unknown", "9007199254740992", "99999999999999999999999", "١"] {
            let Key { key, odd } = key_of(id.as_bytes());
            assert!(odd && is_odd(key), "{id}: {key:x}");
        }
        assert_ne!(key_of(b"a"), key_of(b"b"));
    }

    #[test]
    fn records_without_an_id_come_last() {
        assert!(unknown_key(&[0; 16]) == NAMELESS && !is_odd(unknown_key(&[0; 16])));
        assert_eq!(unknown_key(&[255; 16]), u64::MAX);
    }
}

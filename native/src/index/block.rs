//! A block of an index file: keys and flags, then raw fingerprints, then hashes, each in a column.
//!
//! ```text
//! check u64 | first key u64 | count u32 | bytes of the columns u32 | varint (key delta << 3 | flags) [n] | raw u64 [n] | hash [u8; 16] [n]
//! ```
//!
//! The check covers all behind it, seeded with the block's offset: a block at another one's place is damage too. Little-endian.

use super::file::corrupt;
use crate::fault::Fault;

/// The id came more than once in its dump.
pub const MULTI: u8 = 1;
/// Equal to nothing: what downstream has is not known for sure.
pub const DIRTY: u8 = 2;
/// A record without an id, known by its content.
pub const UNKNOWN: u8 = 4;

const FLAG_BITS: u32 = 3;
const HEAD_BYTES: usize = 24;
const RAW_BYTES: usize = 8;
const HASH_BYTES: usize = 16;

/// What is known of a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    pub key: u64,
    /// xxh3 of the record's XML from `<` to `>`; 0: not known, and equal to nothing.
    pub raw: u64,
    /// The first half of the SHA-256 in its body.
    pub hash: [u8; 16],
    pub flags: u8,
}

/// Appends the block of `entries` at `offset` of the file; keys must not descend. Answers its checksum.
pub fn write(entries: &[Entry], offset: u64, out: &mut Vec<u8>) -> u64 {
    let start = out.len();
    let first = entries.first().map_or(0, |entry| entry.key);
    out.extend_from_slice(&[0; 8]);
    out.extend_from_slice(&first.to_le_bytes());
    out.extend_from_slice(&(entries.len() as u32).to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    let mut previous = first;
    for entry in entries {
        debug_assert!(entry.key >= previous, "keys do not descend");
        push_varint(u128::from(entry.key - previous) << FLAG_BITS | u128::from(entry.flags), out);
        previous = entry.key;
    }
    for entry in entries {
        out.extend_from_slice(&entry.raw.to_le_bytes());
    }
    for entry in entries {
        out.extend_from_slice(&entry.hash);
    }
    let bytes = (out.len() - start - HEAD_BYTES) as u32;
    out[start + 20..start + 24].copy_from_slice(&bytes.to_le_bytes());
    let check = check(&out[start + 8..], offset);
    out[start..start + 8].copy_from_slice(&check.to_le_bytes());
    check
}

fn check(bytes: &[u8], offset: u64) -> u64 {
    xxhash_rust::xxh3::xxh3_64_with_seed(bytes, offset)
}

fn push_varint(mut value: u128, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// A block as it is looked at: verified, its keys and flags unfolded.
#[derive(Debug, Default)]
pub struct Block {
    bytes: Vec<u8>,
    keys: Vec<u64>,
    flags: Vec<u8>,
    raws_at: usize,
}

impl Block {
    /// The buffer to read a block's `bytes` into, before [`Block::decode`].
    pub fn buffer(&mut self, bytes: usize) -> &mut [u8] {
        self.keys.clear();
        self.bytes.resize(bytes, 0);
        &mut self.bytes
    }

    /// Verifies and unfolds what was read from `offset`; the directory says which `count` and `first` key it has.
    pub fn decode(&mut self, offset: u64, count: usize, first: u64) -> Result<(), Fault> {
        self.keys.clear();
        self.flags.clear();
        self.unfold(offset, count, first).inspect_err(|_| self.keys.clear())
    }

    fn unfold(&mut self, offset: u64, count: usize, first: u64) -> Result<(), Fault> {
        let damaged = |what: &str| corrupt(offset, format!("a block of the record index is damaged: {what}"));
        let bytes = &self.bytes[..];
        let word = |at: usize| bytes.get(at..at + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes);
        if bytes.len() < HEAD_BYTES || word(0) != check(&bytes[8..], offset) {
            return Err(damaged("its checksum is wrong"));
        }
        let sizes = word(16);
        if word(8) != first || sizes as u32 as usize != count || (sizes >> 32) as usize != bytes.len() - HEAD_BYTES {
            return Err(damaged("it is not what the directory says"));
        }
        self.keys.reserve(count);
        self.flags.reserve(count);
        let mut at = HEAD_BYTES;
        let mut key = first;
        for _ in 0..count {
            let mut word = u128::from(*bytes.get(at).ok_or_else(|| damaged("it ends early"))?);
            at += 1;
            if word >= 0x80 {
                word &= 0x7f;
                let mut shift = 7;
                loop {
                    let byte = *bytes.get(at).filter(|_| shift < 70).ok_or_else(|| damaged("a key does not end"))?;
                    at += 1;
                    word |= u128::from(byte & 0x7f) << shift;
                    shift += 7;
                    if byte < 0x80 {
                        break;
                    }
                }
            }
            key = u64::try_from(word >> FLAG_BITS).ok().and_then(|delta| key.checked_add(delta)).ok_or_else(|| damaged("a key is too large"))?;
            self.keys.push(key);
            self.flags.push(word as u8 & ((1 << FLAG_BITS) - 1));
        }
        if bytes.len() - at != count * (RAW_BYTES + HASH_BYTES) {
            return Err(damaged("its columns do not fill it"));
        }
        self.raws_at = at;
        Ok(())
    }

    /// Keys in their order; none if the block is not sound.
    pub fn keys(&self) -> &[u64] {
        &self.keys
    }

    pub fn raw(&self, i: usize) -> (u64, u8) {
        let at = self.raws_at + i * RAW_BYTES;
        let raw = self.bytes[at..at + RAW_BYTES].try_into().map_or(0, u64::from_le_bytes);
        (raw, self.flags[i])
    }

    pub fn entry(&self, i: usize) -> Entry {
        let (raw, flags) = self.raw(i);
        let at = self.raws_at + self.keys.len() * RAW_BYTES + i * HASH_BYTES;
        Entry { key: self.keys[i], raw, hash: self.bytes[at..at + HASH_BYTES].try_into().unwrap_or_default(), flags }
    }
}

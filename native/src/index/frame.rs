//! What one piece of a dump was against the index, in the order of its records.
//!
//! ```text
//! bytes of the payload u32 | check of that u32 | check of the payload u64 | payload
//! payload: PIECE, then operations, then END
//! ```
//!
//! Positions are varints of the zigzag difference to where the last one ended, so that a piece without changes is one operation.

use super::block::Entry;
use crate::hash::xxh3_64;

pub const HEAD_BYTES: usize = 16;

/// Kinds of frames, the first byte of a payload.
pub const HEADER: u8 = 1;
pub const PIECE: u8 = 2;
pub const CORRECTED: u8 = 3;
pub const DELETED: u8 = 4;
/// What lies between a length and this frame does not count: the run went back to that length.
pub const REWOUND: u8 = 5;
/// The end of every payload. It is not 0, so that bytes a file system never wrote are told from damage.
pub const END: &[u8; 4] = b"end\n";

const SEEN: u8 = 1;
const CREATED: u8 = 2;
const UPDATED: u8 = 3;
const TOUCHED: u8 = 4;
const HELD: u8 = 5;

/// What a record, or a range of them, was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op<'a> {
    /// Entries whose raw bytes came again.
    Seen { pos: u64, count: u64 },
    /// A record that the index does not have; its id, where it is odd.
    Created { entry: Entry, odd: Option<&'a str> },
    /// Differs from the entry, and is published.
    Updated { pos: u64, entry: Entry },
    /// Other raw bytes, but the same record: not published.
    Touched { pos: u64, raw: u64, hash: [u8; 16] },
    /// Differs from an entry whose id came more than once: not published before the end has decided.
    Held { pos: u64, raw: u64, hash: [u8; 16] },
}

/// Takes down what the records of one piece were.
#[derive(Clone, Debug)]
pub struct Frame {
    bytes: Vec<u8>,
    /// A range that may grow.
    seen: (u64, u64),
    last: u64,
}

impl Default for Frame {
    fn default() -> Self {
        Self::new()
    }
}

impl Frame {
    pub fn new() -> Self {
        let mut bytes = vec![0; HEAD_BYTES];
        bytes.push(PIECE);
        Self { bytes, seen: (0, 0), last: 0 }
    }

    /// The entry's raw bytes came again.
    #[inline]
    pub fn seen(&mut self, pos: u64) {
        let (start, count) = self.seen;
        if count > 0 && pos == start + count {
            self.seen.1 += 1;
        } else {
            self.flush_seen();
            self.seen = (pos, 1);
        }
    }

    /// A record that the index does not have; `odd` is its id where [`super::Key::odd`] says so.
    pub fn created(&mut self, key: u64, raw: u64, hash: &[u8; 16], flags: u8, odd: Option<&str>) {
        self.flush_seen();
        self.bytes.extend_from_slice(&[CREATED, flags]);
        push_varint(key, &mut self.bytes);
        self.fingerprints(raw, hash);
        // The length and one; 0: none.
        push_varint(odd.map_or(0, |id| id.len() as u64 + 1), &mut self.bytes);
        self.bytes.extend_from_slice(odd.unwrap_or_default().as_bytes());
    }

    /// Differs from the entry, and is published. With several entries of the key: any of them.
    pub fn updated(&mut self, pos: u64, key: u64, raw: u64, hash: &[u8; 16]) {
        self.position(UPDATED, pos);
        push_varint(key, &mut self.bytes);
        self.fingerprints(raw, hash);
    }

    /// Other raw bytes, but the same record; the index takes over what is given.
    pub fn touched(&mut self, pos: u64, raw: u64, hash: &[u8; 16]) {
        self.position(TOUCHED, pos);
        self.fingerprints(raw, hash);
    }

    /// Differs from an entry that is MULTI: whether it is published is decided at the end of the file.
    pub fn held(&mut self, pos: u64, raw: u64, hash: &[u8; 16]) {
        self.position(HELD, pos);
        self.fingerprints(raw, hash);
    }

    /// The frame as it stands on disk.
    pub fn finish(mut self) -> Vec<u8> {
        self.flush_seen();
        seal(self.bytes)
    }

    fn flush_seen(&mut self) {
        let (pos, count) = std::mem::take(&mut self.seen);
        if count > 0 {
            self.bytes.push(SEEN);
            push_varint(zigzag(pos, self.last), &mut self.bytes);
            push_varint(count, &mut self.bytes);
            self.last = pos + count;
        }
    }

    fn position(&mut self, op: u8, pos: u64) {
        self.flush_seen();
        self.bytes.push(op);
        push_varint(zigzag(pos, self.last), &mut self.bytes);
        self.last = pos + 1;
    }

    fn fingerprints(&mut self, raw: u64, hash: &[u8; 16]) {
        self.bytes.extend_from_slice(&raw.to_le_bytes());
        self.bytes.extend_from_slice(hash);
    }
}

/// Closes a frame whose first [`HEAD_BYTES`] are free.
pub fn seal(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.extend_from_slice(END);
    let length = (bytes.len() - HEAD_BYTES) as u32;
    let check = xxh3_64(&bytes[HEAD_BYTES..]);
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    bytes[4..8].copy_from_slice(&length_check(length).to_le_bytes());
    bytes[8..16].copy_from_slice(&check.to_le_bytes());
    bytes
}

/// The check of a frame's length.
pub fn length_check(length: u32) -> u32 {
    xxh3_64(&length.to_le_bytes()) as u32
}

fn zigzag(to: u64, from: u64) -> u64 {
    let difference = to.wrapping_sub(from) as i64;
    ((difference << 1) ^ (difference >> 63)) as u64
}

fn push_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// The operations of a piece's payload, without its kind and its end; None where it is malformed.
#[derive(Clone, Debug)]
pub struct Ops<'a> {
    rest: &'a [u8],
    last: u64,
}

impl<'a> Ops<'a> {
    pub fn new(rest: &'a [u8]) -> Self {
        Self { rest, last: 0 }
    }

    fn operation(&mut self, op: u8) -> Option<Op<'a>> {
        match op {
            SEEN => {
                let pos = self.place()?;
                let count = self.varint()?;
                self.last = pos.checked_add(count)?;
                Some(Op::Seen { pos, count })
            }
            CREATED => {
                let flags = self.take(1)?[0];
                let key = self.varint()?;
                let (raw, hash) = self.fingerprints()?;
                let odd = match self.varint()? {
                    0 => None,
                    length => Some(std::str::from_utf8(self.take(usize::try_from(length - 1).ok()?)?).ok()?),
                };
                Some(Op::Created { entry: Entry { key, raw, hash, flags }, odd })
            }
            UPDATED => {
                let pos = self.one()?;
                let key = self.varint()?;
                let (raw, hash) = self.fingerprints()?;
                Some(Op::Updated { pos, entry: Entry { key, raw, hash, flags: 0 } })
            }
            TOUCHED | HELD => {
                let pos = self.one()?;
                let (raw, hash) = self.fingerprints()?;
                Some(if op == TOUCHED { Op::Touched { pos, raw, hash } } else { Op::Held { pos, raw, hash } })
            }
            _ => None,
        }
    }

    fn place(&mut self) -> Option<u64> {
        let zigzag = self.varint()?;
        let difference = (zigzag >> 1) as i64 ^ -((zigzag & 1) as i64);
        self.last.checked_add_signed(difference)
    }

    fn one(&mut self) -> Option<u64> {
        let pos = self.place()?;
        self.last = pos.checked_add(1)?;
        Some(pos)
    }

    fn fingerprints(&mut self) -> Option<(u64, [u8; 16])> {
        let raw = u64::from_le_bytes(self.take(8)?.try_into().ok()?);
        Some((raw, self.take(16)?.try_into().ok()?))
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            value |= u64::from(byte & 0x7f).checked_shl(shift)?;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }
}

impl<'a> Iterator for Ops<'a> {
    type Item = Result<Op<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        let (&op, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(self.operation(op).ok_or(Malformed))
    }
}

/// A payload that no [`Frame`] has written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

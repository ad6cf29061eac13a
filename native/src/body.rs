//! A message body around a record's JSON: `{"type":"data","id":…,"sha256":…,` and the record's members.
//!
//! Bodies of the fast path are written first and hashed in batches, while they are still in the cache: see [`crate::sha256`].

use crate::detect::Kind;
use crate::hash::hex_into;
use crate::packed::Output;
use crate::sha256::{self, Hash};

pub const PREFIX: &[u8] = b"{\"type\":\"data\",\"id\":\"";
pub const MIDDLE: &[u8] = b"\",\"sha256\":\"";
/// Hex digits of a SHA-256.
pub const HEX: usize = 64;
/// Bytes of bodies that are hashed together: less than a second-level cache holds.
const BATCH_BYTES: usize = 128 << 10;

/// A body that lacks its hash, by offsets into the output.
struct Body {
    start: u32,
    /// Where the digits of the hash go.
    hex: u32,
    /// Behind the JSON; a LF follows.
    end: u32,
    xml_bytes: u32,
    xxh3: (u64, u128),
}

/// Bodies that lack their hashes.
#[derive(Default)]
pub struct Batch {
    bodies: Vec<Body>,
    hashes: Vec<Hash>,
    /// What goes into the digest of the set: ids and hashes.
    pairs: Vec<u8>,
    pair_ends: Vec<usize>,
}

/// Writes the body's beginning at `o`, with room for the hash; where the JSON goes.
///
/// # Safety
/// So many bytes are writable.
#[inline(always)]
pub unsafe fn begin(id: &[u8], mut o: *mut u8) -> *mut u8 {
    // SAFETY: the caller's.
    unsafe {
        for part in [PREFIX, id, MIDDLE] {
            std::ptr::copy_nonoverlapping(part.as_ptr(), o, part.len());
            o = o.add(part.len());
        }
        *o.add(HEX) = b'"';
        o.add(HEX + 1)
    }
}

impl Batch {
    /// Forgets what a panic left.
    pub fn clear(&mut self) {
        self.bodies.clear();
    }

    /// Takes in the body that was just put at the end of `out`, `len` bytes long, whose id is `id` bytes long.
    pub fn add(&mut self, len: usize, id: usize, record: &[u8], out: &mut Output) {
        let start = out.written() - len;
        out.bodies += 1;
        self.bodies.push(Body {
            start: start as u32,
            hex: (start + PREFIX.len() + id + MIDDLE.len()) as u32,
            end: out.written() as u32 - 1,
            xml_bytes: record.len() as u32,
            xxh3: crate::hash::xxh3(record),
        });
        if out.written() - out.len() >= BATCH_BYTES {
            self.settle(out);
        }
    }

    /// Takes out the bodies that say nothing new, now that their hashes are known.
    fn sift(&mut self, out: &mut Output) {
        let Some(mut log) = out.log.take() else { return };
        let base = out.columns.ends.len();
        let (mut kept, mut to) = (0, out.len());
        // The numbers of the bodies that go.
        let mut gone = Vec::new();
        for i in 0..self.bodies.len() {
            let body = &mut self.bodies[i];
            let (kind, comes_out) = log.decide(body.xxh3.0, &self.hashes[i]);
            if !comes_out {
                out.held += u64::from(kind == Kind::Held);
                out.unchanged += u64::from(kind != Kind::Held);
                gone.push((base + i) as u32);
                continue;
            }
            out.columns.kinds.push(kind.number());
            let (start, len) = (body.start as usize, (body.end - body.start) as usize + 1);
            if to < start {
                out.bytes_mut().copy_within(start..start + len, to);
                let back = (start - to) as u32;
                (body.start, body.hex, body.end) = (body.start - back, body.hex - back, body.end - back);
                self.bodies.swap(kept, i);
                self.hashes.swap(kept, i);
            }
            kept += 1;
            to += len;
        }
        out.log = Some(log);
        if gone.is_empty() {
            return;
        }
        self.bodies.truncate(kept);
        self.hashes.truncate(kept);
        out.truncate(to);
        out.bodies -= gone.len() as u32;
        for mark in out.flagged.marks.iter_mut().rev().take_while(|mark| mark.bodies as usize > base) {
            mark.bodies -= gone.partition_point(|&body| body < mark.bodies) as u32;
        }
    }

    /// Hashes what is there: bodies, digest and columns are whole afterwards.
    pub fn settle(&mut self, out: &mut Output) {
        if self.bodies.is_empty() {
            return;
        }
        let bytes = out.bytes_mut();
        self.hashes.clear();
        sha256::each(self.bodies.iter().map(|body| &bytes[body.hex as usize + HEX + 1..body.end as usize]), &mut self.hashes);
        self.sift(out);
        let Some(last) = self.bodies.last() else { return };
        let id = |body: &Body| body.start as usize + PREFIX.len()..body.hex as usize - MIDDLE.len();
        let bytes = out.bytes_mut();
        let last_id = String::from_utf8_lossy(&bytes[id(last)]).into_owned();
        self.pairs.clear();
        self.pair_ends.clear();
        for (body, hash) in self.bodies.iter().zip(&self.hashes) {
            let hex = body.hex as usize;
            hex_into(hash, &mut bytes[hex..hex + HEX]);
            // The members follow; hashed they were as an object of their own.
            bytes[hex + HEX + 1] = b',';
            self.pairs.extend_from_slice(&bytes[id(body)]);
            self.pairs.push(0);
            self.pairs.extend_from_slice(&bytes[hex..hex + HEX]);
            self.pair_ends.push(self.pairs.len());
        }
        let columns = &mut *out.columns;
        for (body, hash) in self.bodies.iter().zip(&self.hashes) {
            columns.ends.push(body.end);
            columns.xml_bytes.push(body.xml_bytes);
            columns.xxh3_64.push(body.xxh3.0);
            columns.xxh3_128.push(body.xxh3.1);
            columns.sha256.push(*hash);
        }
        self.hashes.clear();
        let mut from = 0;
        let pairs = self.pair_ends.iter().map(|&end| &self.pairs[std::mem::replace(&mut from, end)..end]);
        sha256::each(pairs, &mut self.hashes);
        self.hashes.iter().for_each(|sum| out.digest.add_sum(sum));
        out.last_id = Some(last_id);
        out.settled();
        self.bodies.clear();
    }
}

//! What leaves of a piece: bodies one after another, each with a LF, and a table of columns behind them.

use crate::detect::Log;
use crate::flagged::Flagged;
use crate::hash::SetDigest;
use crate::wanted::Seen;

/// A record that was rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// Inflated offset of its first byte.
    pub offset: u64,
    pub id: Option<String>,
    pub kind: &'static str,
    pub message: String,
    pub raw: String,
}

/// Counts and columns of a piece; see `Piece.table` in `index.d.ts` for the layout.
#[derive(Default)]
pub struct Columns {
    pub ends: Vec<u32>,
    pub xml_bytes: Vec<u32>,
    pub xxh3_64: Vec<u64>,
    pub xxh3_128: Vec<u128>,
    pub sha256: Vec<[u8; 32]>,
    /// What became of each record, if records are compared; see [`crate::detect::Kind::number`].
    pub kinds: Vec<u8>,
}

impl Columns {
    fn clear(&mut self) {
        self.ends.clear();
        self.xml_bytes.clear();
        self.xxh3_64.clear();
        self.xxh3_128.clear();
        self.sha256.clear();
        self.kinds.clear();
    }

    /// Bytes that the table takes at an offset of a multiple of 8.
    pub fn bytes(&self) -> usize {
        let n = self.ends.len();
        2 * (n * 4).next_multiple_of(8) + n * (8 + 16 + 32) + self.kinds.len()
    }

    /// Writes the table into `out`, [`Columns::bytes`] long.
    pub fn write(&self, out: &mut [u8]) {
        let n = self.ends.len();
        let words = (n * 4).next_multiple_of(8);
        let (ends, rest) = out.split_at_mut(words);
        let (sizes, rest) = rest.split_at_mut(words);
        let (short, rest) = rest.split_at_mut(n * 8);
        let (long, rest) = rest.split_at_mut(n * 16);
        let (sha, kinds) = rest.split_at_mut(n * 32);
        ends.chunks_exact_mut(4).zip(&self.ends).for_each(|(o, v)| o.copy_from_slice(&v.to_le_bytes()));
        sizes.chunks_exact_mut(4).zip(&self.xml_bytes).for_each(|(o, v)| o.copy_from_slice(&v.to_le_bytes()));
        short.chunks_exact_mut(8).zip(&self.xxh3_64).for_each(|(o, v)| o.copy_from_slice(&v.to_le_bytes()));
        long.chunks_exact_mut(16).zip(&self.xxh3_128).for_each(|(o, v)| o.copy_from_slice(&v.to_be_bytes()));
        sha.chunks_exact_mut(32).zip(&self.sha256).for_each(|(o, v)| o.copy_from_slice(v));
        kinds.copy_from_slice(&self.kinds);
    }
}

/// Where bodies are written: a slot, or memory of its own if the slot is too small.
pub struct Output<'a> {
    slot: &'a mut [u8],
    own: Option<Vec<u8>>,
    /// Bytes written, and of these the ones that are whole bodies with their columns.
    written: usize,
    len: usize,
    pub columns: &'a mut Columns,
    pub read: u64,
    pub empty: u64,
    /// Records that a rule keeps back.
    pub skipped: u64,
    /// Records without a body, since nothing is to be told of them.
    pub unchanged: u64,
    /// Records without a body, since their ids come more than once and the file's end decides.
    pub held: u64,
    pub unknown_ids: u64,
    /// Bodies so far, those without their hashes included.
    pub bodies: u32,
    pub digest: SetDigest,
    pub last_id: Option<String>,
    pub rejects: Vec<Reject>,
    pub flagged: Flagged,
    /// What became of the records, if they are compared.
    pub log: Option<Log>,
    /// Kept where records are looked for by their ids.
    pub seen: Seen,
}

impl<'a> Output<'a> {
    pub fn new(slot: &'a mut [u8], columns: &'a mut Columns) -> Self {
        columns.clear();
        Self {
            slot,
            own: None,
            written: 0,
            len: 0,
            columns,
            read: 0,
            empty: 0,
            skipped: 0,
            unchanged: 0,
            held: 0,
            unknown_ids: 0,
            bodies: 0,
            digest: SetDigest::default(),
            last_id: None,
            rejects: Vec::new(),
            flagged: Flagged::default(),
            log: None,
            seen: Seen::default(),
        }
    }

    /// Bytes of bodies so far.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Bytes so far, with what is not [`Output::settled`].
    pub fn written(&self) -> usize {
        self.written
    }

    /// Forgets what was written behind `len`.
    pub fn truncate(&mut self, len: usize) {
        self.written = self.written.min(len);
        if let Some(own) = &mut self.own {
            own.truncate(len);
        }
    }

    /// All that was written is whole.
    pub fn settled(&mut self) {
        self.len = self.written;
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// A place in the slot with at least `n` writable bytes, if there is one.
    pub fn place(&mut self, n: usize) -> Option<*mut u8> {
        if self.own.is_some() || self.slot.len() - self.written < n {
            return None;
        }
        // SAFETY: within the slot.
        Some(unsafe { self.slot.as_mut_ptr().add(self.written) })
    }

    /// `n` bytes were written at the last [`Output::place`].
    pub fn placed(&mut self, n: usize) {
        self.written += n;
    }

    /// Appends bytes that were written elsewhere.
    pub fn append(&mut self, bytes: &[u8]) {
        if self.own.is_none() {
            if bytes.len() <= self.slot.len() - self.written {
                self.slot[self.written..self.written + bytes.len()].copy_from_slice(bytes);
                self.written += bytes.len();
                return;
            }
            self.own = Some(self.slot[..self.written].to_vec());
        }
        if let Some(own) = &mut self.own {
            own.extend_from_slice(bytes);
            self.written += bytes.len();
        }
    }

    /// Whole bodies so far.
    pub fn bytes(&self) -> &[u8] {
        &self.own.as_deref().unwrap_or(self.slot)[..self.len]
    }

    /// All that was written.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.own.as_deref_mut().unwrap_or(self.slot)[..self.written]
    }

    /// Writes the table and, behind it, `log`: the offset of the table, and the memory of its own if there is one.
    pub fn finish(mut self, log: &[u8]) -> (usize, Option<Vec<u8>>) {
        let table = self.len.next_multiple_of(8);
        let behind = table + self.columns.bytes();
        let need = behind + log.len();
        if self.own.is_none() && need > self.slot.len() {
            self.own = Some(self.slot[..self.len].to_vec());
        }
        match self.own {
            Some(mut own) => {
                own.resize(need, 0);
                self.columns.write(&mut own[table..behind]);
                own[behind..].copy_from_slice(log);
                (table, Some(own))
            }
            None => {
                self.columns.write(&mut self.slot[table..behind]);
                self.slot[behind..need].copy_from_slice(log);
                (table, None)
            }
        }
    }
}

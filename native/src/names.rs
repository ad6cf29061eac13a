//! Element and attribute names, numbered, with their JSON keys ready to copy. Dumps have a few dozen per type.

use crate::contract::Field;

/// Number of a name.
pub type Id = u16;

/// Longest name that is numbered, in bytes: its longest key is then 32 bytes.
pub const NAME_BYTES_MAX: usize = 26;
const SLOTS: usize = 4096;
/// Names beyond this are not numbered, so that the table stays sparse; their records take the defining reader.
const NAMES_MAX: usize = 1024;
const NONE: Id = Id::MAX;
const MIX: u64 = 0x9e37_79b9_7f4a_7c15;

/// A JSON key with the bytes around it, at most 32, in a block that is copied whole.
#[derive(Clone, Copy)]
pub struct Key {
    pub bytes: [u8; 32],
    pub len: usize,
}

impl Key {
    pub fn new(parts: &[&[u8]]) -> Self {
        let mut key = Self { bytes: [0; 32], len: 0 };
        for part in parts {
            key.bytes[key.len..key.len + part.len()].copy_from_slice(part);
            key.len += part.len();
        }
        key
    }
}

/// A numbered name.
pub struct Name {
    words: [u64; 4],
    pub len: usize,
    pub bytes: Vec<u8>,
    /// `,"name":`
    pub child: Key,
    /// `,"@name":"`
    pub attribute: Key,
    /// `,"name":"`
    pub stripped: Key,
    /// What the contract does with a record's field of this name.
    pub field: Option<Field>,
}

/// The names of one data type and contract.
pub struct Names {
    names: Vec<Name>,
    table: Vec<Id>,
    fields: &'static [(&'static [u8], Field)],
}

/// The first `n` bytes of a word, `n` taken as at most 8.
#[inline(always)]
fn mask(n: usize) -> u64 {
    if n >= 8 { u64::MAX } else { (1u64 << (n * 8)) - 1 }
}

#[inline(always)]
unsafe fn word(p: *const u8) -> u64 {
    // SAFETY: 8 readable bytes.
    u64::from_le(unsafe { p.cast::<u64>().read_unaligned() })
}

impl Names {
    pub fn new(fields: &'static [(&'static [u8], Field)]) -> Self {
        Self { names: Vec::new(), table: vec![NONE; SLOTS], fields }
    }

    #[inline(always)]
    pub fn get(&self, id: Id) -> &Name {
        &self.names[id as usize]
    }

    /// The number of the `len` bytes at `p`, or None if they are not a plain, short ASCII name.
    ///
    /// # Safety
    /// 32 bytes at `p` are readable.
    #[inline(always)]
    pub unsafe fn intern(&mut self, p: *const u8, len: usize) -> Option<Id> {
        if len == 0 || len > NAME_BYTES_MAX {
            return None;
        }
        // SAFETY: the caller's.
        let (a, b) = unsafe { (word(p) & mask(len), if len > 8 { word(p.add(8)) & mask(len - 8) } else { 0 }) };
        let mut slot = ((a ^ b.rotate_left(23) ^ len as u64).wrapping_mul(MIX) >> 52) as usize;
        loop {
            let id = self.table[slot];
            if id == NONE {
                // SAFETY: the caller's, and len is at most 26.
                return self.add(unsafe { std::slice::from_raw_parts(p, len) }, slot);
            }
            let name = &self.names[id as usize];
            if name.words[0] == a && name.words[1] == b && name.len == len && (len <= 16 || unsafe { Self::same_tail(name, p) }) {
                return Some(id);
            }
            slot = (slot + 1) & (SLOTS - 1);
        }
    }

    unsafe fn same_tail(name: &Name, p: *const u8) -> bool {
        // SAFETY: 32 readable bytes.
        unsafe { word(p.add(16)) & mask(name.len - 16) == name.words[2] && (name.len <= 24 || word(p.add(24)) & mask(name.len - 24) == name.words[3]) }
    }

    /// Whether the bytes at `p` are this name followed by `>`.
    ///
    /// # Safety
    /// 40 bytes at `p` are readable.
    #[inline(always)]
    pub unsafe fn closes(&self, id: Id, p: *const u8) -> bool {
        let name = self.get(id);
        // SAFETY: the caller's.
        unsafe {
            *p.add(name.len) == b'>'
                && word(p) & mask(name.len) == name.words[0]
                && (name.len <= 8 || word(p.add(8)) & mask(name.len - 8) == name.words[1])
                && (name.len <= 16 || Self::same_tail(name, p))
        }
    }

    #[cold]
    fn add(&mut self, bytes: &[u8], slot: usize) -> Option<Id> {
        let plain = |&b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b':');
        if self.names.len() >= NAMES_MAX || !bytes.iter().all(plain) || !(bytes[0].is_ascii_alphabetic() || bytes[0] == b'_') {
            return None;
        }
        let mut padded = [0u8; 32];
        padded[..bytes.len()].copy_from_slice(bytes);
        let mut words = [0u64; 4];
        for (w, chunk) in words.iter_mut().zip(padded.chunks_exact(8)) {
            *w = chunk.iter().rev().fold(0, |acc, &b| acc << 8 | b as u64);
        }
        let id = self.names.len() as Id;
        self.names.push(Name {
            words,
            len: bytes.len(),
            bytes: bytes.to_vec(),
            child: Key::new(&[b",\"", bytes, b"\":"]),
            attribute: Key::new(&[b",\"@", bytes, b"\":\""]),
            stripped: Key::new(&[b",\"", bytes, b"\":\""]),
            field: self.fields.iter().find(|(name, _)| *name == bytes).map(|&(_, field)| field),
        });
        self.table[slot] = id;
        Some(id)
    }
}

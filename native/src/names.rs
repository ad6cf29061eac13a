//! Element and attribute names, numbered, with their JSON keys ready to copy. Dumps have a few dozen per type.

use crate::contract::Field;
use crate::simd::Pattern;

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
    /// `name>`, as in end tags.
    ends: Vec<Pattern>,
    table: Vec<Id>,
    fields: &'static [(&'static [u8], Field)],
}

impl Names {
    pub fn new(fields: &'static [(&'static [u8], Field)]) -> Self {
        Self { names: Vec::new(), ends: Vec::new(), table: vec![NONE; SLOTS], fields }
    }

    #[inline(always)]
    pub fn get(&self, id: Id) -> &Name {
        &self.names[id as usize]
    }

    /// The name as it stands in end tags, with the `>`.
    ///
    /// # Safety
    /// The number is of these names.
    #[inline(always)]
    pub unsafe fn end(&self, id: Id) -> &Pattern {
        // SAFETY: the caller's; there is an end for each name.
        unsafe { self.ends.get_unchecked(id as usize) }
    }

    /// The number of a name, or None if it is not a plain, short ASCII name.
    pub fn intern(&mut self, bytes: &[u8]) -> Option<Id> {
        if bytes.is_empty() || bytes.len() > NAME_BYTES_MAX {
            return None;
        }
        let hash = bytes.iter().fold(0u64, |hash, &b| (hash.rotate_left(8) ^ b as u64).wrapping_mul(MIX));
        let mut slot = (hash >> 52) as usize;
        loop {
            let id = self.table[slot];
            if id == NONE {
                return self.add(bytes, slot);
            }
            if self.names[id as usize].bytes == bytes {
                return Some(id);
            }
            slot = (slot + 1) & (SLOTS - 1);
        }
    }

    #[cold]
    fn add(&mut self, bytes: &[u8], slot: usize) -> Option<Id> {
        let plain = |&b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b':');
        if self.names.len() >= NAMES_MAX || !bytes.iter().all(plain) || !(bytes[0].is_ascii_alphabetic() || bytes[0] == b'_') {
            return None;
        }
        let id = self.names.len() as Id;
        self.ends.push(Pattern::new(&[bytes, b">"]));
        self.names.push(Name {
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

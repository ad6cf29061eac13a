//! Where everything stands in an index file.
//!
//! ```text
//! magic | blocks | odd ids | meta | directory | footer
//! ```
//!
//! Each part has a checksum: blocks their own, the others in the footer, the footer at its end. Little-endian.

use crate::fault::{Code, Fault};
use crate::hash::xxh3_64;

pub const MAGIC: &[u8; 8] = b"deadwaxI";
pub const FORMAT: u64 = 1;
/// Entries of a block.
pub const BLOCK_RECORDS: usize = 1024;
/// Ids that are no numbers, of one index.
pub const ODD_IDS_MAX: usize = 1_000_000;
/// And their bytes.
pub const ODD_BYTES_MAX: usize = 64 << 20;
/// Words of the footer.
const FOOTER_WORDS: usize = 15;
pub const FOOTER_BYTES: usize = FOOTER_WORDS * 8;
pub const PLACE_BYTES: usize = 24;

/// Damage, at a byte of the file.
pub fn corrupt(offset: u64, what: impl AsRef<str>) -> Fault {
    Fault::new(Code::IndexCorrupt, offset, format!("{}; `deadwax state repair` rebuilds it", what.as_ref()))
}

/// Where a block stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub first_key: u64,
    pub offset: u64,
    /// Entries in front of it.
    pub position: u64,
}

impl Place {
    pub fn write(&self, out: &mut Vec<u8>) {
        for word in [self.first_key, self.offset, self.position] {
            out.extend_from_slice(&word.to_le_bytes());
        }
    }

    pub fn read(bytes: &[u8]) -> Self {
        Self { first_key: word(bytes, 0), offset: word(bytes, 1), position: word(bytes, 2) }
    }
}

/// A stretch of the file, and its checksum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Part {
    pub offset: u64,
    pub bytes: u64,
    pub check: u64,
}

impl Part {
    pub fn of(offset: u64, bytes: &[u8]) -> Self {
        Self { offset, bytes: bytes.len() as u64, check: xxh3_64(bytes) }
    }

    pub fn end(&self) -> u64 {
        self.offset.saturating_add(self.bytes)
    }
}

/// What stands at the end of the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Footer {
    pub records: u64,
    /// Entries that share their key with the one before them.
    pub shared: u64,
    /// A checksum of the blocks' checksums, so that no two indexes have the same footer.
    pub blocks: u64,
    pub odd: Part,
    pub meta: Part,
    pub directory: Part,
}

impl Footer {
    pub fn to_bytes(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(FOOTER_BYTES);
        let Self { records, shared, blocks, odd, meta, directory } = self;
        let parts = [odd, meta, directory].into_iter().flat_map(|part| [part.offset, part.bytes, part.check]);
        for word in [u64::from_le_bytes(*MAGIC), FORMAT, records, shared, blocks].into_iter().chain(parts) {
            out.extend_from_slice(&word.to_le_bytes());
        }
        out.extend_from_slice(&xxh3_64(&out).to_le_bytes());
        out
    }

    /// None if the bytes are no footer.
    pub fn read(bytes: &[u8]) -> Option<(u64, Self)> {
        let sound = bytes.len() == FOOTER_BYTES && word(bytes, 0) == u64::from_le_bytes(*MAGIC) && {
            let (words, check) = bytes.split_at(FOOTER_BYTES - 8);
            xxh3_64(words) == word(check, 0)
        };
        let part = |at: usize| Part { offset: word(bytes, at), bytes: word(bytes, at + 1), check: word(bytes, at + 2) };
        sound.then(|| {
            (word(bytes, 1), Self { records: word(bytes, 2), shared: word(bytes, 3), blocks: word(bytes, 4), odd: part(5), meta: part(8), directory: part(11) })
        })
    }
}

fn word(bytes: &[u8], i: usize) -> u64 {
    bytes.get(i * 8..i * 8 + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes)
}

//! An index file made of rows in any order.

use std::path::{Path, PathBuf};

use super::block::{DIRTY, Entry, MULTI, UNKNOWN};
use super::changes::{Change, Changes, Kind};
use super::key::{key_of, unknown_key};
use super::sort::Sorter;
use super::writer::{Odd, Writer};
use crate::fault::Fault;

/// Takes rows. Of an id that comes several times the last one counts; if one of them is dirty, all of them do.
pub struct Builder {
    path: PathBuf,
    block_records: usize,
    sorter: Sorter,
    odd: Odd,
}

impl Builder {
    pub fn new(path: &Path, block_records: usize, run_records: usize) -> Self {
        Self { path: path.to_owned(), block_records, sorter: Sorter::new(path, run_records), odd: Odd::default() }
    }

    /// Adds a row; None for a record without an id.
    pub fn push(&mut self, id: Option<&str>, raw: u64, hash: &[u8; 16], flags: u8) -> Result<(), Fault> {
        let (at, unknown) = match id {
            None => (unknown_key(hash), UNKNOWN),
            Some(id) => {
                let key = key_of(id.as_bytes());
                if key.odd {
                    self.odd.insert(key.key, id)?;
                }
                (key.key, 0)
            }
        };
        self.sorter.push(Change { at, raw, hash: *hash, kind: Kind::Created, flags: flags & (MULTI | DIRTY) | unknown })
    }

    /// Writes the file; answers how many entries it has, and how many bytes.
    pub fn finish(self, meta: &str) -> Result<(u64, u64), Fault> {
        let mut writer = Writer::create(&self.path, self.block_records)?;
        let mut rows = self.sorter.finish()?.created;
        let mut group: Vec<Entry> = Vec::new();
        while let Some(Change { at, raw, hash, flags, .. }) = rows.next()? {
            if group.first().is_some_and(|first| first.key != at) {
                flush(&mut group, &self.odd, &mut writer)?;
            }
            group.push(Entry { key: at, raw, hash, flags });
        }
        flush(&mut group, &self.odd, &mut writer)?;
        writer.finish(meta)
    }
}

fn flush(group: &mut Vec<Entry>, odd: &Odd, writer: &mut Writer) -> Result<(), Fault> {
    if group.iter().any(|entry| entry.flags & DIRTY != 0) {
        let mut written: Vec<[u8; 16]> = Vec::new();
        for entry in group.drain(..) {
            if !written.contains(&entry.hash) {
                written.push(entry.hash);
                writer.push(Entry { raw: 0, flags: entry.flags & UNKNOWN | DIRTY, ..entry }, odd.get(entry.key))?;
            }
        }
    } else if let Some(&entry) = group.last() {
        writer.push(entry, odd.get(entry.key))?;
    }
    group.clear();
    Ok(())
}

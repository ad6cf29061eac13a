//! What of an index has not come: ids that are gone, with the hashes that downstream may have of them.

use super::cursor::Cursor;
use super::file::corrupt;
use super::ledger::Ledger;
use super::marks;
use crate::fault::Fault;

/// Some of the ids that are gone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deletions {
    pub ids: Vec<String>,
    pub hashes: Vec<[u8; 16]>,
    /// Where to go on; None at the end.
    pub next: Option<u64>,
}

impl Ledger {
    /// Ids of the index that have not come; records without an id are not among them.
    pub fn deletion_count(&self) -> Result<u64, Fault> {
        let Some(index) = self.index() else { return Ok(0) };
        let end = index.nameless_from()?;
        if index.shared() == 0 {
            return Ok(self.state().marks.absent_below(end));
        }
        let mut cursor = index.cursor();
        let (mut count, mut from) = (0, 0);
        while let Some((start, entries)) = self.next_gone(&mut cursor, from, end)? {
            count += 1;
            from = start + entries;
        }
        Ok(count)
    }

    /// Up to `max` of them from a position, or a few more: all hashes of an id come together.
    pub fn deletions(&self, from: u64, max: usize) -> Result<Deletions, Fault> {
        let mut found = Deletions::default();
        let Some(index) = self.index() else { return Ok(found) };
        let end = index.nameless_from()?;
        let mut cursor = index.cursor();
        let mut from = from;
        while let Some((start, entries)) = self.next_gone(&mut cursor, from, end)? {
            if found.ids.len() >= max.max(1) {
                found.next = Some(start);
                break;
            }
            from = start + entries;
            for pos in start..from {
                let Some(entry) = cursor.entry(pos)? else { break };
                found.ids.push(index.id_of(entry.key)?.ok_or_else(|| corrupt(pos, "the record index lacks an odd id"))?);
                found.hashes.push(entry.hash);
            }
        }
        Ok(found)
    }

    /// The entries of the first id from a position on of which none has come: their position and number.
    fn next_gone(&self, cursor: &mut Cursor, mut from: u64, end: u64) -> Result<Option<(u64, u64)>, Fault> {
        let are_shared = self.index().is_some_and(|index| index.shared() > 0);
        loop {
            let pos = if from < end { self.state().marks.next_absent(from) } else { end };
            if pos >= end {
                return Ok(None);
            }
            if !are_shared {
                return Ok(Some((pos, 1)));
            }
            let Some(entry) = cursor.entry(pos)? else { return Ok(None) };
            let found = cursor.find(entry.key)?;
            let entries = found.pos..found.pos + u64::from(found.count);
            from = entries.end;
            let state = self.state();
            if entries.clone().all(|pos| state.marks.get(pos) == marks::ABSENT) {
                return Ok(Some((entries.start, entries.end - entries.start)));
            }
        }
    }
}

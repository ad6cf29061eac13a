//! Looking entries up: the block that was looked at last stays unfolded.

use std::sync::Arc;

use super::block::{Block, Entry};
use super::reader::Index;
use crate::fault::Fault;

/// Where a key stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Of the first entry with the key or a larger one.
    pub pos: u64,
    /// How many entries have the key. Of several, all are DIRTY.
    pub count: u32,
}

/// Reads an index in any order; steps forward are cheap.
#[derive(Debug)]
pub struct Cursor {
    index: Arc<Index>,
    block: Block,
    number: usize,
    /// The positions of the block; empty before there is one.
    start: u64,
    end: u64,
}

impl Cursor {
    pub(super) fn new(index: Arc<Index>) -> Self {
        Self { index, block: Block::default(), number: 0, start: 0, end: 0 }
    }

    /// The position of the first entry with a key >= `key`, and how many entries have it.
    pub fn find(&mut self, key: u64) -> Result<Found, Fault> {
        let pos = self.lower_bound(key)?;
        let mut count = 0;
        while self.entry(pos + u64::from(count))?.is_some_and(|entry| entry.key == key) {
            count += 1;
        }
        Ok(Found { pos, count })
    }

    fn lower_bound(&mut self, key: u64) -> Result<u64, Fault> {
        let here =
            self.start < self.end && self.block.keys().first().is_some_and(|&first| first < key) && self.block.keys().last().is_some_and(|&last| key <= last);
        if !here {
            // Entries of one key may begin at the end of the block before the one that starts with it.
            let number = self.index.blocks().partition_point(|place| place.first_key < key);
            let Some(number) = number.checked_sub(1) else { return Ok(0) };
            self.enter(number)?;
        }
        Ok(self.start + self.block.keys().partition_point(|&other| other < key) as u64)
    }

    /// The entry at `pos`; None behind the last one.
    pub fn entry(&mut self, pos: u64) -> Result<Option<Entry>, Fault> {
        Ok(self.reach(pos)?.map(|i| self.block.entry(i)))
    }

    /// Raw fingerprint and flags of the entry at `pos`; None behind the last one.
    #[inline]
    pub fn raw(&mut self, pos: u64) -> Result<Option<(u64, u8)>, Fault> {
        Ok(self.reach(pos)?.map(|i| self.block.raw(i)))
    }

    /// Up to `max` entries from `pos` on, and where to go on; None at the end.
    pub fn entries(&mut self, pos: u64, max: usize) -> Result<(Vec<Entry>, Option<u64>), Fault> {
        let end = pos.saturating_add(max as u64).min(self.index.len());
        let mut entries = Vec::with_capacity(end.saturating_sub(pos) as usize);
        for pos in pos..end {
            entries.extend(self.entry(pos)?);
        }
        Ok((entries, (end < self.index.len()).then_some(end)))
    }

    #[inline]
    fn reach(&mut self, pos: u64) -> Result<Option<usize>, Fault> {
        if pos < self.start || pos >= self.end {
            if pos >= self.index.len() {
                return Ok(None);
            }
            self.enter_at(pos)?;
        }
        Ok(Some((pos - self.start) as usize))
    }

    #[cold]
    fn enter_at(&mut self, pos: u64) -> Result<(), Fault> {
        let is_next = self.start < self.end && pos == self.end;
        let number = if is_next { self.number + 1 } else { self.index.blocks().partition_point(|place| place.position <= pos) - 1 };
        self.enter(number)
    }

    fn enter(&mut self, number: usize) -> Result<(), Fault> {
        if self.start < self.end && number == self.number {
            return Ok(());
        }
        (self.start, self.end) = (0, 0);
        self.index.read_block(number, &mut self.block)?;
        self.number = number;
        (self.start, self.end) = (self.index.blocks()[number].position, self.index.block_end(number));
        Ok(())
    }
}

//! The next index: the old one and a ledger's changes, side by side in one pass.

use std::ops::Range;
use std::path::Path;

use super::block::{DIRTY, Entry, MULTI, UNKNOWN};
use super::changes::{Change, Changes, InOrder, Kind};
use super::file::{BLOCK_RECORDS, corrupt};
use super::key::{self, NAMELESS};
use super::ledger::{Last, Ledger};
use super::log::{Parts, Upto};
use super::marks;
use super::sort::{RUN_RECORDS, Sorter};
use super::writer::Writer;
use crate::fault::{Code, Fault};

/// How to merge.
#[derive(Clone, Copy, Debug)]
pub struct How<'a> {
    /// The next index file.
    pub out: &'a Path,
    /// Kept in it.
    pub meta: &'a str,
    /// Entries that were not seen stay, unless their deletion is confirmed.
    pub keep: bool,
    /// Those that stay have no raw fingerprint any more: what it would come to by now is only known when the record comes again.
    pub recheck: bool,
    /// Those that stay are equal to nothing any more: nobody knows whether downstream still has them.
    pub doubt: bool,
    /// Nothing is replaced or dropped; what downstream may have beside it is added as dirty.
    pub dirty: bool,
    pub block_records: usize,
    /// Changes that are sorted in memory.
    pub run_records: usize,
}

impl<'a> How<'a> {
    /// A merge at the end of a sound run.
    pub fn new(out: &'a Path, meta: &'a str) -> Self {
        Self { out, meta, keep: false, recheck: false, doubt: false, dirty: false, block_records: BLOCK_RECORDS, run_records: RUN_RECORDS }
    }
}

/// Writes the next index; answers how many entries it has, and how many bytes.
pub fn merge(ledger: &Ledger, how: How) -> Result<(u64, u64), Fault> {
    let length = ledger.sync()?;
    let path = ledger.path().ok_or_else(|| Fault::new(Code::Internal, 0, "a ledger without a file cannot be merged"))?;
    if !how.dirty && !ledger.corrections()?.is_empty() {
        return Err(Fault::new(Code::Internal, 0, "corrections have not been published"));
    }
    let (ascends, has_rewound) = {
        let state = ledger.state();
        (state.ascends, state.has_rewound)
    };
    // What no longer counts may have been delivered all the same.
    let parts = || (has_rewound && !how.dirty).then(|| Parts::read(path, Upto::Length(length))).transpose();
    if ascends && !(has_rewound && how.dirty) {
        // Each in the order of the index, but one among the other: the ledger is read twice.
        let changed = InOrder::open(path, length, Some(false), parts()?)?;
        return Merge::new(ledger, how, changed, InOrder::open(path, length, Some(true), parts()?)?)?.run();
    }
    let mut sorter = Sorter::new(how.out, how.run_records);
    let mut changes = InOrder::open(path, length, None, parts()?)?;
    while let Some(change) = changes.next()? {
        sorter.push(change)?;
    }
    drop(changes);
    let sorted = sorter.finish()?;
    Merge::new(ledger, how, sorted.changed, sorted.created)?.run()
}

/// The changes of one id, in their order.
#[derive(Default)]
struct Found {
    changes: Vec<Change>,
}

struct Merge<'a, A, B> {
    ledger: &'a Ledger,
    how: How<'a>,
    writer: Writer,
    changed: Ahead<A>,
    created: Ahead<B>,
    found: Found,
    any_again: bool,
}

impl<'a, A: Changes, B: Changes> Merge<'a, A, B> {
    fn new(ledger: &'a Ledger, how: How<'a>, changed: A, created: B) -> Result<Self, Fault> {
        let writer = Writer::create(how.out, how.block_records)?;
        let any_again = !ledger.state().again.is_empty();
        Ok(Self { ledger, how, writer, changed: Ahead::new(changed)?, created: Ahead::new(created)?, found: Found::default(), any_again })
    }

    fn run(mut self) -> Result<(u64, u64), Fault> {
        if let Some(index) = self.ledger.index().cloned() {
            let mut cursor = index.cursor();
            let mut entries = Vec::new();
            let mut pos = 0;
            let mut ahead = cursor.entry(0)?;
            while let Some(first) = ahead {
                let start = pos;
                entries.clear();
                while let Some(entry) = ahead.filter(|entry| entry.key == first.key) {
                    entries.push(entry);
                    pos += 1;
                    ahead = cursor.entry(pos)?;
                }
                self.created_below(first.key)?;
                self.entries_of_one_id(&entries, start..pos)?;
            }
        }
        self.created_below(u64::MAX)?;
        self.created_at(u64::MAX)?;
        if self.changed.head.is_some() {
            return Err(corrupt(0, "the ledger changes entries behind the end of the record index"));
        }
        self.writer.finish(self.how.meta)
    }

    fn created_below(&mut self, key: u64) -> Result<(), Fault> {
        while let Some(at) = self.created.head.map(|change| change.at).filter(|&at| at < key) {
            self.created_at(at)?;
        }
        Ok(())
    }

    fn created_at(&mut self, key: u64) -> Result<(), Fault> {
        self.found.changes.clear();
        self.created.take_while(|at| at == key, &mut self.found.changes)?;
        let Some(&last) = self.found.changes.last() else { return Ok(()) };
        if self.how.dirty {
            return self.push_dirty(key, &[]);
        }
        let multi = if self.found.changes.len() > 1 && key < NAMELESS { MULTI } else { 0 };
        self.push(Entry { key, raw: last.raw, hash: last.hash, flags: last.flags & UNKNOWN | multi })
    }

    fn entries_of_one_id(&mut self, entries: &[Entry], positions: Range<u64>) -> Result<(), Fault> {
        let Some(&first) = entries.first() else { return Ok(()) };
        self.found.changes.clear();
        self.changed.take_while(|at| at < positions.end, &mut self.found.changes)?;
        if self.created.head.is_some_and(|change| change.at == first.key) {
            return Err(corrupt(positions.start, "the ledger creates what the record index has"));
        }
        let (is_present, deleted) = {
            let state = self.ledger.state();
            (positions.clone().any(|pos| state.marks.get(pos) != marks::ABSENT), state.deleted)
        };
        if self.how.dirty {
            let may_be_deleted = !is_present && deleted.is_some() && first.key < NAMELESS;
            let is_published = self.found.changes.iter().any(|change| change.kind.is_content());
            return if is_published || may_be_deleted { self.push_dirty(first.key, entries) } else { self.push_all(entries) };
        }
        if !is_present {
            let stays = self.how.keep && deleted.is_none_or(|up_to| positions.start >= up_to);
            // Of tombstones that were begun any may have been sent.
            let doubt = self.how.doubt || (deleted.is_some() && first.key < NAMELESS);
            return match (stays, doubt) {
                (true, false) if self.how.recheck => entries.iter().try_for_each(|&entry| self.push(Entry { raw: 0, ..entry })),
                (true, false) => self.push_all(entries),
                (true, true) if first.key < NAMELESS => self.push_dirty(first.key, entries),
                _ => Ok(()),
            };
        }
        let again = if self.any_again { self.again(positions) } else { None };
        let (repeated, is_same) = again.map_or((false, false), |(repeated, last)| (repeated, last == Last::Same));
        let multi = if repeated { MULTI } else { 0 };
        match self.found.changes.last() {
            Some(last) if !is_same => self.push(Entry { key: first.key, raw: last.raw, hash: last.hash, flags: first.flags & UNKNOWN | multi }),
            _ if entries.len() == 1 => self.push(Entry { flags: first.flags & !MULTI | multi, ..first }),
            _ => self.push_all(entries),
        }
    }

    fn again(&self, mut positions: Range<u64>) -> Option<(bool, Last)> {
        let state = self.ledger.state();
        positions.find_map(|pos| state.again.get(&pos).map(|again| (again.repeated, again.last)))
    }

    fn push_all(&mut self, entries: &[Entry]) -> Result<(), Fault> {
        entries.iter().try_for_each(|&entry| self.push(entry))
    }

    /// What downstream may have: what it had, and what was published since.
    fn push_dirty(&mut self, key: u64, entries: &[Entry]) -> Result<(), Fault> {
        let published = self.found.changes.iter().filter(|change| change.kind.is_content()).map(|change| change.hash);
        let mut hashes: Vec<[u8; 16]> = Vec::new();
        for hash in entries.iter().map(|entry| entry.hash).chain(published) {
            if !hashes.contains(&hash) {
                hashes.push(hash);
            }
        }
        let unknown = if key >= NAMELESS { UNKNOWN } else { 0 };
        hashes.into_iter().try_for_each(|hash| self.push(Entry { key, raw: 0, hash, flags: DIRTY | unknown }))
    }

    fn push(&mut self, entry: Entry) -> Result<(), Fault> {
        if !key::is_odd(entry.key) {
            return self.writer.push(entry, None);
        }
        let of_index = self.ledger.index().map_or(Ok(None), |index| index.id_of(entry.key))?;
        let id = of_index.or_else(|| self.ledger.state().odd.get(entry.key).map(str::to_owned));
        self.writer.push(entry, id.as_deref())
    }
}

/// Changes, the next of which is known.
struct Ahead<C> {
    changes: C,
    head: Option<Change>,
}

impl<C: Changes> Ahead<C> {
    fn new(mut changes: C) -> Result<Self, Fault> {
        Ok(Self { head: changes.next()?, changes })
    }

    fn take_while(&mut self, is_taken: impl Fn(u64) -> bool, out: &mut Vec<Change>) -> Result<(), Fault> {
        while let Some(change) = self.head.filter(|change| is_taken(change.at)) {
            out.push(change);
            self.head = self.changes.next()?;
        }
        Ok(())
    }
}

const _: () = assert!(Kind::ALL[Kind::Created as usize] as u8 == Kind::Created as u8);

//! Sorts changes with bounded memory: runs of a fixed number of them go to a file without a name, and are merged from there.
//!
//! Changes at one place keep the order in which they came.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::changes::{Change, Changes, Kind};
use super::writer::unwritable;
use crate::fault::Fault;

/// Changes of a run.
pub const RUN_RECORDS: usize = 1 << 18;
const CHANGE_BYTES: usize = 34;
/// Changes that are read from a run at a time.
const READ_RECORDS: usize = 512;

/// Takes changes in any order.
pub struct Sorter {
    /// Where the file of the runs is made.
    beside: PathBuf,
    run_records: usize,
    run: Vec<(Change, u32)>,
    file: Option<File>,
    written: u64,
    /// Of each run: where it begins, where its created records begin, where it ends.
    runs: Vec<[u64; 3]>,
}

/// Sorted changes: those of entries by position, created records by key.
pub struct Sorted {
    pub changed: Merged,
    pub created: Merged,
}

impl Sorter {
    pub fn new(beside: &Path, run_records: usize) -> Self {
        Self { beside: beside.to_owned(), run_records: run_records.max(1), run: Vec::new(), file: None, written: 0, runs: Vec::new() }
    }

    pub fn push(&mut self, change: Change) -> Result<(), Fault> {
        self.run.push((change, self.run.len() as u32));
        if self.run.len() < self.run_records { Ok(()) } else { self.spill().map_err(|e| unwritable(&self.beside, e)) }
    }

    pub fn finish(mut self) -> Result<Sorted, Fault> {
        if self.runs.is_empty() {
            let split = self.sort();
            let changes: Vec<_> = self.run.drain(..).map(|(change, _)| change).collect();
            let (changed, created) = changes.split_at(split);
            return Ok(Sorted { changed: Merged::of(vec![Run::memory(changed)])?, created: Merged::of(vec![Run::memory(created)])? });
        }
        self.spill().map_err(|e| unwritable(&self.beside, e))?;
        self.run = Vec::new();
        let Some(file) = self.file.take().map(Arc::new) else { return Ok(Sorted { changed: Merged::of(vec![])?, created: Merged::of(vec![])? }) };
        let part = |which: usize| self.runs.iter().map(|run| Run::file(&file, run[which], run[which + 1])).collect();
        Ok(Sorted { changed: Merged::of(part(0))?, created: Merged::of(part(1))? })
    }

    /// Sorts the run; answers where its created records begin.
    fn sort(&mut self) -> usize {
        self.run.sort_unstable_by_key(|&(change, number)| (change.kind == Kind::Created, change.at, number));
        self.run.partition_point(|(change, _)| change.kind != Kind::Created)
    }

    fn spill(&mut self) -> io::Result<()> {
        let split = self.sort() as u64;
        let mut bytes = Vec::with_capacity(READ_RECORDS * CHANGE_BYTES);
        let start = self.written;
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(nameless(&self.beside)?),
        };
        for some in self.run.chunks(READ_RECORDS) {
            bytes.clear();
            some.iter().for_each(|(change, _)| write(change, &mut bytes));
            file.write_all(&bytes)?;
            self.written += bytes.len() as u64;
        }
        self.runs.push([start, start + split * CHANGE_BYTES as u64, self.written]);
        self.run.clear();
        Ok(())
    }
}

/// A file that is gone with its handle.
fn nameless(beside: &Path) -> io::Result<File> {
    let mut path = beside.as_os_str().to_owned();
    path.push(".sort");
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path)?;
    fs::remove_file(&path)?;
    Ok(file)
}

fn write(change: &Change, out: &mut Vec<u8>) {
    out.extend_from_slice(&change.at.to_le_bytes());
    out.extend_from_slice(&change.raw.to_le_bytes());
    out.extend_from_slice(&change.hash);
    out.extend_from_slice(&[change.kind as u8, change.flags]);
}

fn read(bytes: &[u8]) -> Option<Change> {
    let (at, rest) = bytes.split_first_chunk()?;
    let (raw, rest) = rest.split_first_chunk()?;
    let (hash, rest) = rest.split_first_chunk()?;
    let &[kind, flags] = rest else { return None };
    Some(Change { at: u64::from_le_bytes(*at), raw: u64::from_le_bytes(*raw), hash: *hash, kind: *Kind::ALL.get(kind as usize)?, flags })
}

/// A sorted run, of which some is at hand.
struct Run {
    file: Option<Arc<File>>,
    from: u64,
    end: u64,
    some: Vec<Change>,
    at: usize,
}

impl Run {
    fn memory(changes: &[Change]) -> Self {
        Self { file: None, from: 0, end: 0, some: changes.to_vec(), at: 0 }
    }

    fn file(file: &Arc<File>, from: u64, end: u64) -> Self {
        Self { file: Some(file.clone()), from, end, some: Vec::new(), at: 0 }
    }

    fn next(&mut self) -> Result<Option<Change>, Fault> {
        if self.at == self.some.len() && self.from < self.end {
            self.fill().map_err(|e| unwritable(Path::new("its changes"), e))?;
        }
        let change = self.some.get(self.at).copied();
        self.at += 1;
        Ok(change)
    }

    fn fill(&mut self) -> io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let mut bytes = vec![0; (self.end - self.from).min((READ_RECORDS * CHANGE_BYTES) as u64) as usize];
        file.read_exact_at(&mut bytes, self.from)?;
        self.from += bytes.len() as u64;
        self.some.clear();
        self.some.extend(bytes.chunks_exact(CHANGE_BYTES).filter_map(read));
        self.at = 0;
        Ok(())
    }
}

/// The changes of several runs as one.
pub struct Merged {
    runs: Vec<Run>,
    /// The next change of each run, by place and number of the run.
    heads: BinaryHeap<Reverse<(u64, usize)>>,
    changes: Vec<Option<Change>>,
}

impl Merged {
    fn of(runs: Vec<Run>) -> Result<Self, Fault> {
        let mut merged = Self { heads: BinaryHeap::with_capacity(runs.len()), changes: vec![None; runs.len()], runs };
        (0..merged.runs.len()).try_for_each(|number| merged.step(number))?;
        Ok(merged)
    }

    fn step(&mut self, number: usize) -> Result<(), Fault> {
        self.changes[number] = self.runs[number].next()?;
        self.heads.extend(self.changes[number].map(|change| Reverse((change.at, number))));
        Ok(())
    }
}

impl Changes for Merged {
    fn next(&mut self) -> Result<Option<Change>, Fault> {
        let Some(Reverse((_, number))) = self.heads.pop() else { return Ok(None) };
        let change = self.changes[number];
        self.step(number)?;
        Ok(change)
    }
}

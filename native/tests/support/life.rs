//! A record index through its life: month after month, with crashes, brakes and superseded runs, and downstream beside it.
//!
//! After every step the index must be sound: what it calls known is what downstream has; what downstream has, it knows of.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use deadwax_native::fault::Fault;
use deadwax_native::index::key::NAMELESS;
use deadwax_native::index::ledger::{Counts, Ledger, Start};
use deadwax_native::index::log::Upto;
use deadwax_native::index::merge::{How, merge};
use deadwax_native::index::{DIRTY, Entry, Index};

use super::months::{Entries, Folder, Published, Record, baseline, detect, entries, formless};
use super::random::Rng;

/// How often things go wrong, as one in so many steps; 0: never.
#[derive(Clone, Copy, Debug)]
pub struct Troubles {
    pub crash: usize,
    pub brake: usize,
    pub supersede: usize,
}

/// An index, and what downstream has.
pub struct Life {
    folder: Folder,
    generation: usize,
    block_records: usize,
    pub index: Option<Arc<Index>>,
    downstream: BTreeMap<u64, [u8; 16]>,
}

/// How a month ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Done,
    Braked,
    Superseded,
}

type Outcome<T> = Result<T, String>;

fn told(fault: Fault) -> String {
    format!("{} {fault}", fault.code.as_str())
}

fn holds(is_so: bool, what: impl FnOnce() -> String) -> Outcome<()> {
    if is_so { Ok(()) } else { Err(what()) }
}

impl Life {
    pub fn new(block_records: usize) -> Self {
        Self { folder: Folder::new(), generation: 0, block_records, index: None, downstream: BTreeMap::new() }
    }

    fn ledger_path(&self) -> PathBuf {
        self.folder.file("ledger")
    }

    fn header(&self) -> String {
        format!("run {}", self.generation)
    }

    fn open(&self, start: Start) -> Outcome<Ledger> {
        Ledger::open(Some(&self.ledger_path()), self.index.clone(), Some(&self.header()), start).map_err(told)
    }

    /// Takes in a dump, in pieces; whatever goes wrong, it is brought to an end.
    pub fn month(&mut self, rng: &mut Rng, records: &[Record], troubles: Troubles) -> Outcome<End> {
        let pieces: Vec<&[Record]> = records.chunks(1 + rng.below(records.len() / 2 + 2)).collect();
        let one_in = |rng: &mut Rng, n: usize| n > 0 && rng.one_in(n);
        let mut ledger = self.open(Start::Fresh)?;
        let mut checkpoints = vec![(0, ledger.sync().map_err(told)?)];
        let mut sum = Some(Counts::default());
        let mut next = 0;
        loop {
            let crashes = one_in(rng, troubles.crash);
            if next < pieces.len() {
                self.piece(rng, &ledger, pieces[next], crashes, &mut sum)?;
                next += 1;
                if !crashes {
                    if rng.one_in(2) {
                        checkpoints.push((next, ledger.sync().map_err(told)?));
                    }
                    continue;
                }
            } else {
                if let Some(sum) = sum {
                    holds(sum == ledger.counts(), || format!("sum {sum:?} of {:?}", ledger.counts()))?;
                }
                self.counts_are_right(&ledger, records)?;
                self.correct(rng, &ledger, records, crashes)?;
                // Even where deletions were begun before.
                let brakes = one_in(rng, troubles.brake);
                let deletes_crash = one_in(rng, troubles.crash);
                if !crashes && brakes {
                    self.merge(&ledger, true, false)?;
                    self.ends_as(records, true)?;
                    return Ok(End::Braked);
                }
                if !crashes && self.delete(rng, &ledger, deletes_crash)? {
                    self.merge(&ledger, false, false)?;
                    self.ends_as(records, false)?;
                    return Ok(End::Done);
                }
            }
            drop(ledger);
            self.tear(rng, pieces.get(next).copied().unwrap_or_default())?;
            sum = None;
            if one_in(rng, troubles.supersede) {
                ledger = Ledger::open(Some(&self.ledger_path()), self.index.clone(), None, Start::Resume(Upto::LastWhole)).map_err(told)?;
                holds(ledger.header() == self.header(), || "the header is lost".to_owned())?;
                self.merge(&ledger, false, true)?;
                return Ok(End::Superseded);
            }
            checkpoints.truncate(1 + rng.below(checkpoints.len()));
            let &(piece, length) = checkpoints.last().expect("the first checkpoint");
            // To begin again takes no checkpoint, and leaves none.
            let begins_again = piece == 0 && rng.one_in(2);
            checkpoints.truncate(if begins_again { 1 } else { checkpoints.len() });
            ledger = self.open(if begins_again { Start::Fresh } else { Start::Resume(Upto::Length(length)) })?;
            if rng.one_in(2) {
                checkpoints.push((piece, ledger.sync().map_err(told)?));
            }
            next = piece;
        }
    }

    /// Appends the frame of a piece, makes it durable, and publishes; a crash may come before, between or after.
    fn piece(&mut self, rng: &mut Rng, ledger: &Ledger, records: &[Record], crashes: bool, sum: &mut Option<Counts>) -> Outcome<()> {
        let (frame, published) = detect(self.index.as_ref(), records).map_err(told)?;
        let counts = ledger.append(&frame).map_err(told)?;
        if let Some(sum) = sum {
            sum.created += counts.created;
            sum.updated += counts.updated;
            sum.unchanged += counts.unchanged;
            sum.touched += counts.touched;
            sum.repeated += counts.repeated;
        }
        if crashes && rng.one_in(3) {
            return Ok(());
        }
        if !published.is_empty() || rng.one_in(2) {
            let length = ledger.sync().map_err(told)?;
            holds(length == ledger.length(), || "not all of the ledger is durable".to_owned())?;
        }
        let arrives = if crashes { rng.below(published.len() + 1) } else { published.len() };
        for Published { key, hash } in &published[..arrives] {
            self.downstream.insert(*key, *hash);
        }
        Ok(())
    }

    fn counts_are_right(&self, ledger: &Ledger, records: &[Record]) -> Outcome<()> {
        let before = self.index.as_ref().map_or(Ok(Entries::new()), entries).map_err(told)?;
        let mut expected = Counts { repeated: records.len() as i64, ..Counts::default() };
        let mut raws: BTreeMap<u64, u64> = BTreeMap::new();
        for record in records {
            let raw = raws.entry(record.key()).or_insert(record.raw());
            // Of records without an id the first one counts.
            if record.id.is_some() {
                *raw = record.raw();
            }
        }
        for (key, group) in baseline(records) {
            expected.repeated -= 1;
            match before.get(&key).map(Vec::as_slice) {
                None => expected.created += 1,
                Some([old]) if old.flags & DIRTY == 0 && old.hash == group[0].hash => {
                    expected.unchanged += 1;
                    expected.touched += i64::from(old.raw != raws[&key]);
                }
                Some(_) => expected.updated += 1,
            }
        }
        let counts = ledger.counts();
        holds(counts == expected, || format!("counts {counts:?}, but {expected:?}"))?;
        let gone = before.keys().filter(|key| **key < NAMELESS && !raws.contains_key(key)).count() as u64;
        let counted = ledger.deletion_count().map_err(told)?;
        holds(counted == gone, || format!("{counted} ids are called gone, but {gone} are"))
    }

    fn correct(&mut self, rng: &mut Rng, ledger: &Ledger, records: &[Record], crashes: bool) -> Outcome<()> {
        ledger.sync().map_err(told)?;
        let raws: BTreeSet<u64> = ledger.corrections().map_err(told)?.into_iter().collect();
        let again: Vec<&Record> = records.iter().filter(|record| raws.contains(&record.raw())).collect();
        let arrives = if crashes { rng.below(again.len() + 1) } else { again.len() };
        for record in &again[..arrives] {
            self.downstream.insert(record.key(), record.hash());
        }
        if !crashes {
            ledger.mark_corrected().map_err(told)?;
            ledger.sync().map_err(told)?;
            holds(ledger.corrections().map_err(told)?.is_empty(), || "corrections come twice".to_owned())?;
        }
        Ok(())
    }

    /// False if it crashed.
    fn delete(&mut self, rng: &mut Rng, ledger: &Ledger, crashes: bool) -> Outcome<bool> {
        let (gone, max) = (ledger.deletion_count().map_err(told)?, 1 + rng.below(5));
        if gone == 0 {
            return Ok(true);
        }
        ledger.mark_deleted(0).map_err(told)?;
        ledger.sync().map_err(told)?;
        let (mut from, mut ids) = (0, BTreeSet::new());
        loop {
            let page = ledger.deletions(from, max).map_err(told)?;
            for (id, hash) in page.ids.iter().zip(&page.hashes) {
                let key = deadwax_native::index::key_of(id.as_bytes()).key;
                if self.downstream.get(&key) == Some(hash) {
                    self.downstream.remove(&key);
                }
                ids.insert(id.clone());
            }
            if crashes && rng.one_in(3) {
                return Ok(false);
            }
            let end = self.index.as_ref().map_or(0, |index| index.len());
            ledger.mark_deleted(page.next.unwrap_or(end)).map_err(told)?;
            if rng.one_in(2) {
                ledger.sync().map_err(told)?;
            }
            match page.next {
                Some(next) => from = next,
                None => break,
            }
        }
        holds(ids.len() as u64 == gone, || format!("{} ids of {gone}", ids.len()))?;
        Ok(true)
    }

    /// What a crash leaves behind the last frame: nothing, some of the next one, or room that was never written.
    fn tear(&self, rng: &mut Rng, piece: &[Record]) -> Outcome<()> {
        let (frame, _) = detect(self.index.as_ref(), piece).map_err(told)?;
        let torn = match rng.below(4) {
            0 => Vec::new(),
            1 => vec![0; rng.below(100)],
            2 => [&frame[..rng.below(frame.len())], &[0; 4]].concat(),
            _ => frame[..rng.below(frame.len())].to_vec(),
        };
        let torn = if torn.len() <= frame.len() || torn.iter().all(|&b| b == 0) { torn } else { Vec::new() };
        let file = OpenOptions::new().append(true).open(self.ledger_path());
        file.and_then(|mut file| file.write_all(&torn)).map_err(|e| e.to_string())
    }

    fn merge(&mut self, ledger: &Ledger, keep: bool, dirty: bool) -> Outcome<()> {
        self.generation += 1;
        let (out, meta) = (self.folder.file(&format!("{}.idx", self.generation)), format!("generation {}", self.generation));
        let how = How { keep, dirty, block_records: self.block_records, run_records: 1 + self.generation * 7 % 23, ..How::new(&out, &meta) };
        let (records, bytes) = merge(ledger, how).map_err(told)?;
        let index = Index::open(&out).map_err(told)?;
        holds((records, bytes, &*meta) == (index.len(), index.bytes(), index.meta()), || "the index is not what was written".to_owned())?;
        self.index = Some(index);
        self.is_sound()
    }

    /// What the index calls known, downstream has; what downstream has, the index knows of.
    fn is_sound(&self) -> Outcome<()> {
        let entries = self.index.as_ref().map_or(Ok(Entries::new()), entries).map_err(told)?;
        for (&key, group) in &entries {
            let has = self.downstream.get(&key);
            let is_clean = |entry: &Entry| entry.flags & DIRTY == 0;
            holds(group.len() == 1 || !group.iter().any(is_clean), || format!("{key:x}: one of several is not dirty: {group:?}"))?;
            holds(!is_clean(&group[0]) || has == Some(&group[0].hash), || format!("{key:x}: {group:?}, but downstream has {has:?}"))?;
            holds(has.is_none_or(|hash| group.iter().any(|entry| entry.hash == *hash)), || format!("{key:x}: downstream has {has:?}, of {group:?}"))?;
        }
        let lost: Vec<_> = self.downstream.keys().filter(|key| **key < NAMELESS && !entries.contains_key(key)).collect();
        holds(lost.is_empty(), || format!("forgotten: {lost:x?}"))
    }

    /// Index and downstream are what the dump says; with the brake, some more.
    fn ends_as(&self, records: &[Record], braked: bool) -> Outcome<()> {
        let expected = formless(baseline(records));
        let mut entries = formless(self.index.as_ref().map_or(Ok(Entries::new()), entries).map_err(told)?);
        let mut downstream = self.downstream.clone();
        if braked {
            entries.retain(|key, _| expected.contains_key(key));
        }
        downstream.retain(|key, _| expected.contains_key(key) || (!braked && *key < NAMELESS));
        holds(entries == expected, || format!("the index has {entries:x?}, not {expected:x?}"))?;
        let hashes: BTreeMap<u64, [u8; 16]> = expected.iter().map(|(&key, group)| (key, group[0].hash)).collect();
        holds(downstream == hashes, || format!("downstream has {downstream:x?}, not {hashes:x?}"))
    }
}

//! The ledger of a run: what its file was against the index so far, and the log of it, which outlives a crash.
//!
//! An id counts once, by its last record. A record that is published and comes again as the index has it, or one that was held back
//! and came last, is published once more at the end: see [`Ledger::corrections`].

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use roaring::RoaringTreemap;

use super::block::{Entry, UNKNOWN};
use super::file::corrupt;
use super::frame::{self, HEAD_BYTES, Op, Ops};
use super::key::{self, NAMELESS};
use super::log::{self, Frames, Log, Parts, Upto};
use super::marks::{self, Marks};
use super::reader::Index;
use super::writer::Odd;
use crate::fault::{Code, Fault};
use crate::hash::xxh3_64;

/// Ids that come more than once in a file.
pub const DUPLICATE_IDS_MAX: usize = 1_000_000;
const FORMAT: u8 = 1;

/// Where to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With nothing. What another run has left is replaced; of the same run it no longer counts.
    Fresh,
    /// With the ledger up to there.
    Resume(Upto),
}

/// How many ids are what, by their last record so far; differences may be negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub created: i64,
    pub updated: i64,
    pub unchanged: i64,
    /// Of the unchanged, those with other raw bytes.
    pub touched: i64,
    /// Records whose id came before.
    pub repeated: i64,
}

impl Counts {
    fn add(&mut self, last: Last, by: i64) {
        match last {
            Last::Same => self.unchanged += by,
            Last::Touched(_) => (self.unchanged, self.touched) = (self.unchanged + by, self.touched + by),
            Last::Updated | Last::Held(_) => self.updated += by,
        }
    }

    fn since(self, before: Self) -> Self {
        Self {
            created: self.created - before.created,
            updated: self.updated - before.updated,
            unchanged: self.unchanged - before.unchanged,
            touched: self.touched - before.touched,
            repeated: self.repeated - before.repeated,
        }
    }
}

/// What the last record of an id was; with its raw fingerprint where the index does not have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Last {
    Same,
    Touched(u64),
    Updated,
    Held(u64),
}

/// An entry whose id came more than once, or was held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Again {
    pub last: Last,
    pub repeated: bool,
    /// A record other than the entry's was published.
    published: bool,
}

/// What the frames so far come to.
#[derive(Debug)]
pub(super) struct State {
    pub header: String,
    pub marks: Marks,
    /// Entries from here on are of records without an id.
    nameless_from: u64,
    created: RoaringTreemap,
    /// Created keys that are hashes: they are spread too far for a bitmap.
    created_hashed: HashSet<u64>,
    pub odd: Odd,
    pub again: HashMap<u64, Again>,
    /// Created keys that came more than once.
    pub again_created: HashSet<u64>,
    pub counts: Counts,
    pub corrected: bool,
    pub deleted: Option<u64>,
    /// Whether changes of entries, and created records, came in the order of the index.
    pub ascends: bool,
    last_pos: u64,
    last_key: u64,
    pub length: u64,
    /// There are frames that no longer count.
    pub has_rewound: bool,
    /// Appended, but not written.
    pending: Vec<u8>,
    /// Why nothing can be appended any more.
    failed: Option<Fault>,
}

/// A ledger, in memory only if it has no path.
#[derive(Debug)]
pub struct Ledger {
    index: Option<Arc<Index>>,
    state: Mutex<State>,
    log: Option<(PathBuf, Mutex<Log>)>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl Ledger {
    /// Opens a ledger against `index`; one that goes on must have the `header`, if one is given.
    pub fn open(path: Option<&Path>, index: Option<Arc<Index>>, header: Option<&str>, start: Start) -> Result<Self, Fault> {
        let nameless_from = index.as_ref().map_or(Ok(0), |index| index.nameless_from())?;
        let mut state = State::new(index.as_ref().map_or(0, |index| index.len()), nameless_from);
        let identity = index.as_ref().map_or(0, |index| index.identity());
        let log = match (path, start) {
            (None, _) => {
                state.begin(header.unwrap_or_default(), identity);
                None
            }
            (Some(path), Start::Fresh) => match begun(path, header.unwrap_or_default(), identity) {
                Some(length) => Some(state.resume(path, Upto::Length(length), header, identity)?),
                None => {
                    state.begin(header.unwrap_or_default(), identity);
                    Some(Log::create(path)?)
                }
            },
            (Some(path), Start::Resume(upto)) => Some(state.resume(path, upto, header, identity)?),
        };
        let log = log.map(|log| (log.path().to_owned(), Mutex::new(log)));
        Ok(Self { index, state: Mutex::new(state), log })
    }

    pub fn index(&self) -> Option<&Arc<Index>> {
        self.index.as_ref()
    }

    pub fn path(&self) -> Option<&Path> {
        self.log.as_ref().map(|(path, _)| &**path)
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Takes in the frame of a piece, in file order; answers by how much counts have grown.
    pub fn append(&self, frame: &[u8]) -> Result<Counts, Fault> {
        let internal = || Fault::new(Code::Internal, 0, "this is not the frame of a piece");
        let payload = frame.get(HEAD_BYTES..).filter(|payload| frame[8..HEAD_BYTES] == xxh3_64(payload).to_le_bytes()).ok_or_else(internal)?;
        let ops = payload.strip_suffix(frame::END).and_then(|payload| payload.strip_prefix(&[frame::PIECE])).ok_or_else(internal)?;
        let mut state = self.state();
        state.usable()?;
        let before = state.counts;
        if let Err(fault) = state.piece(Ops::new(ops)) {
            return Err(state.fail(fault));
        }
        state.push(frame, self.log.is_some());
        Ok(state.counts.since(before))
    }

    /// Makes durable what was appended before; answers that length. May block, so call it on a thread of its own.
    pub fn sync(&self) -> Result<u64, Fault> {
        let Some((_, log)) = &self.log else { return Ok(lock(&self.state).length) };
        let mut log = lock(log);
        let pending = {
            let mut state = self.state();
            state.usable()?;
            std::mem::take(&mut state.pending)
        };
        log.append(&pending).map_err(|fault| self.state().fail(fault))?;
        Ok(log.durable())
    }

    /// Totals so far.
    pub fn counts(&self) -> Counts {
        self.state().counts
    }

    pub fn header(&self) -> String {
        self.state().header.clone()
    }

    /// In bytes, whether durable or not.
    pub fn length(&self) -> u64 {
        self.state().length
    }

    /// Whether it holds what was found before the run went back, and what may have been delivered.
    pub fn has_rewound(&self) -> bool {
        self.state().has_rewound
    }

    /// Records without an id that have come, each content once.
    pub fn nameless(&self) -> u64 {
        let state = self.state();
        let known = state.marks.len() - state.nameless_from;
        let absent = state.marks.absent_below(state.marks.len()) - state.marks.absent_below(state.nameless_from);
        known - absent + state.created_hashed.iter().filter(|&&key| key >= NAMELESS).count() as u64
    }

    pub fn is_corrected(&self) -> bool {
        self.state().corrected
    }

    /// How far deletions are confirmed; None if none was begun.
    pub fn deleted_up_to(&self) -> Option<u64> {
        self.state().deleted
    }

    /// Raw fingerprints, ascending, of records to publish once more.
    pub fn corrections(&self) -> Result<Vec<u64>, Fault> {
        let state = self.state();
        if state.corrected {
            return Ok(Vec::new());
        }
        let mut same: Vec<u64> = state.again.iter().filter(|(_, again)| again.published && again.last == Last::Same).map(|(&pos, _)| pos).collect();
        let mut raws: Vec<u64> = state.again.values().filter_map(Again::raw_to_correct).collect();
        drop(state);
        same.sort_unstable();
        let mut cursor = self.index.as_ref().map(|index| index.cursor());
        for pos in same {
            let entry = cursor.as_mut().map_or(Ok(None), |cursor| cursor.raw(pos))?;
            raws.extend(entry.map(|(raw, _)| raw));
        }
        raws.sort_unstable();
        raws.dedup();
        Ok(raws)
    }

    /// Says that corrections were published.
    pub fn mark_corrected(&self) -> Result<(), Fault> {
        self.note(&[frame::CORRECTED])
    }

    /// Says that deletions below `up_to` were confirmed.
    pub fn mark_deleted(&self, up_to: u64) -> Result<(), Fault> {
        let mut payload = vec![frame::DELETED];
        payload.extend_from_slice(&up_to.to_le_bytes());
        self.note(&payload)
    }

    fn note(&self, payload: &[u8]) -> Result<(), Fault> {
        let mut state = self.state();
        state.usable()?;
        state.apply(payload).map_err(|what| Fault::new(Code::Internal, 0, what))?;
        state.push(&sealed(payload), self.log.is_some());
        Ok(())
    }
}

impl Again {
    /// None for what came last as the index has it: the index knows its fingerprint.
    fn raw_to_correct(&self) -> Option<u64> {
        match self.last {
            Last::Held(raw) => Some(raw),
            Last::Touched(raw) if self.published => Some(raw),
            _ => None,
        }
    }
}

/// Where the header of a ledger ends; None if there is none, or another one.
fn begun(path: &Path, header: &str, identity: u64) -> Option<u64> {
    let mut frames = Frames::open(path, Upto::LastWhole).ok()?;
    let payload = frames.next_frame().ok()??;
    State::new(0, 0).read_header(payload, Some(header), identity).ok()?;
    Some(frames.offset())
}

fn sealed(payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; HEAD_BYTES];
    bytes.extend_from_slice(payload);
    frame::seal(bytes)
}

impl State {
    fn new(len: u64, nameless_from: u64) -> Self {
        Self {
            header: String::new(),
            marks: Marks::new(len),
            nameless_from,
            created: RoaringTreemap::new(),
            created_hashed: HashSet::new(),
            odd: Odd::default(),
            again: HashMap::new(),
            again_created: HashSet::new(),
            counts: Counts::default(),
            corrected: false,
            deleted: None,
            ascends: true,
            last_pos: 0,
            last_key: 0,
            length: 0,
            has_rewound: false,
            pending: Vec::new(),
            failed: None,
        }
    }

    fn begin(&mut self, header: &str, identity: u64) {
        let mut payload = vec![frame::HEADER, FORMAT];
        payload.extend_from_slice(&identity.to_le_bytes());
        payload.extend_from_slice(header.as_bytes());
        header.clone_into(&mut self.header);
        self.push(log::MAGIC, true);
        self.push(&sealed(&payload), true);
    }

    /// Goes on at a length, and says so where something lies behind it.
    fn resume(&mut self, path: &Path, upto: Upto, header: Option<&str>, identity: u64) -> Result<Log, Fault> {
        self.replay(path, upto, header, identity)?;
        let log = Log::resume(path, self.length)?;
        if self.length == 0 {
            self.begin(header.unwrap_or_default(), identity);
        }
        if let Upto::Length(to) = upto
            && to < self.length
        {
            let mut payload = vec![frame::REWOUND];
            payload.extend_from_slice(&to.to_le_bytes());
            self.push(&sealed(&payload), true);
        }
        Ok(log)
    }

    fn replay(&mut self, path: &Path, upto: Upto, header: Option<&str>, identity: u64) -> Result<(), Fault> {
        let parts = Parts::read(path, upto)?;
        let mut frames = Frames::open(path, if parts.end() == 0 { upto } else { Upto::Length(parts.end()) })?;
        let mut expected = Some(header);
        loop {
            let is_live = parts.is_live(frames.offset());
            let payload = match frames.next_frame()? {
                Some(payload) => payload,
                None if expected.is_some() && upto != Upto::LastWhole => return Err(frames.damaged("its header is missing")),
                None if expected.flatten().is_some() => return Err(mismatch(path, "it has no header")),
                None => break,
            };
            let done = match expected.take() {
                Some(header) => self.read_header(payload, header, identity),
                None if is_live => self.apply(payload).map_err(Err),
                None => self.recall(payload).map_err(Err),
            };
            match done {
                Ok(()) => {}
                Err(Ok(why)) => return Err(mismatch(path, why)),
                Err(Err(what)) => return Err(frames.damaged(what)),
            }
        }
        // Without its header there is nothing.
        self.length = if expected.is_some() { 0 } else { frames.offset() };
        Ok(())
    }

    /// Takes note of a frame that no longer counts: what a fold of the ledger has to know of it.
    fn recall(&mut self, payload: &[u8]) -> Result<(), &'static str> {
        self.has_rewound = true;
        match payload.split_first() {
            // Deletions were begun, and none of them counts as confirmed.
            Some((&frame::DELETED, _)) => self.deleted = self.deleted.or(Some(0)),
            Some((&frame::PIECE, ops)) => {
                let ops = Ops::new(ops);
                for op in ops {
                    if let Op::Created { entry, odd: Some(id) } = op.map_err(|_| "a frame is malformed")? {
                        self.odd.insert(entry.key, id).map_err(|_| "it has too many ids that are no numbers")?;
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The inner results tell a mismatch from damage.
    fn read_header(&mut self, payload: &[u8], expected: Option<&str>, identity: u64) -> Result<(), Result<&'static str, &'static str>> {
        let header = payload.strip_prefix(&[frame::HEADER]).and_then(|rest| rest.split_first()).ok_or(Err("its header is damaged"))?;
        let (&format, rest) = header;
        if format != FORMAT {
            return Err(Ok("it has another format"));
        }
        let (own, text) = rest.split_first_chunk().ok_or(Err("its header is damaged"))?;
        if u64::from_le_bytes(*own) != identity {
            return Err(Ok("it is of another index"));
        }
        let text = std::str::from_utf8(text).map_err(|_| Err("its header is no text"))?;
        if expected.is_some_and(|expected| expected != text) {
            return Err(Ok("it is of another run"));
        }
        text.clone_into(&mut self.header);
        Ok(())
    }

    fn apply(&mut self, payload: &[u8]) -> Result<(), &'static str> {
        let (&kind, rest) = payload.split_first().ok_or("a frame is empty")?;
        match (kind, rest.len()) {
            (frame::PIECE, _) => self.piece(Ops::new(rest)).map_err(|_| "a frame does not fit the index"),
            (frame::REWOUND, 8) => Ok(()),
            (frame::CORRECTED, 0) => {
                self.corrected = true;
                Ok(())
            }
            (frame::DELETED, 8) => {
                self.deleted = rest.try_into().ok().map(u64::from_le_bytes);
                Ok(())
            }
            _ => Err("a frame is of no known kind"),
        }
    }

    fn push(&mut self, bytes: &[u8], is_kept: bool) {
        self.length += bytes.len() as u64;
        if is_kept {
            self.pending.extend_from_slice(bytes);
        }
    }

    fn usable(&self) -> Result<(), Fault> {
        self.failed.clone().map_or(Ok(()), Err)
    }

    /// What was done in part cannot be undone.
    fn fail(&mut self, fault: Fault) -> Fault {
        self.failed.get_or_insert(fault).clone()
    }

    fn piece(&mut self, ops: Ops) -> Result<(), Fault> {
        for op in ops {
            match op.map_err(|_| foreign())? {
                Op::Seen { pos, count } => self.seen(pos, count)?,
                Op::Created { entry, odd } => self.create(entry, odd)?,
                Op::Updated { pos, .. } => self.change(pos, Last::Updated)?,
                Op::Touched { pos, raw, .. } => self.change(pos, Last::Touched(raw))?,
                Op::Held { pos, raw, .. } => self.change(pos, Last::Held(raw))?,
            }
        }
        Ok(())
    }

    fn seen(&mut self, pos: u64, count: u64) -> Result<(), Fault> {
        let end = pos.checked_add(count).filter(|&end| end <= self.marks.len()).ok_or_else(foreign)?;
        if self.marks.fill(pos..end) {
            self.counts.unchanged += count as i64;
            return Ok(());
        }
        (pos..end).try_for_each(|pos| self.came(pos, Last::Same))
    }

    fn change(&mut self, pos: u64, last: Last) -> Result<(), Fault> {
        self.ascends &= self.last_pos <= pos;
        self.last_pos = pos;
        self.came(pos, last)
    }

    fn came(&mut self, pos: u64, last: Last) -> Result<(), Fault> {
        if pos >= self.marks.len() {
            return Err(foreign());
        }
        let earlier = match self.marks.get(pos) {
            marks::ABSENT => None,
            marks::SAME => Some(Last::Same),
            marks::TOUCHED => Some(Last::Touched(0)),
            _ => Some(Last::Updated),
        };
        if earlier.is_none() {
            self.marks.set(
                pos,
                match last {
                    Last::Touched(_) => marks::TOUCHED,
                    Last::Updated => marks::UPDATED,
                    Last::Same | Last::Held(_) => marks::SAME,
                },
            );
        }
        let has_again = matches!(last, Last::Held(_)) || earlier.is_some();
        self.counts.repeated += i64::from(earlier.is_some());
        if pos >= self.nameless_from && earlier.is_some() {
            // The same content, so that the last record is as good as the first.
            return Ok(());
        }
        if !has_again {
            self.counts.add(last, 1);
            return Ok(());
        }
        let before = self.again.get(&pos).copied();
        let earlier = before.map(|again| again.last).or(earlier);
        let published = before.is_some_and(|again| again.published) || earlier == Some(Last::Updated) || last == Last::Updated;
        if before.is_none() {
            self.room_for_another()?;
        }
        self.again.insert(pos, Again { last, repeated: earlier.is_some(), published });
        if let Some(earlier) = earlier {
            self.counts.add(earlier, -1);
        }
        self.counts.add(last, 1);
        Ok(())
    }

    fn create(&mut self, entry: Entry, odd: Option<&str>) -> Result<(), Fault> {
        let Entry { key, flags, .. } = entry;
        if key::is_odd(key) != odd.is_some() || (flags & UNKNOWN != 0) != (key >= NAMELESS) {
            return Err(foreign());
        }
        self.ascends &= self.last_key <= key;
        self.last_key = key;
        let is_new = if key < key::ODD { self.created.insert(key) } else { self.created_hashed.insert(key) };
        if !is_new {
            self.counts.repeated += 1;
            if key < NAMELESS && !self.again_created.contains(&key) {
                self.room_for_another()?;
                self.again_created.insert(key);
            }
            return Ok(());
        }
        self.counts.created += 1;
        odd.map_or(Ok(()), |id| self.odd.insert(key, id))
    }

    fn room_for_another(&self) -> Result<(), Fault> {
        if self.again.len() + self.again_created.len() < DUPLICATE_IDS_MAX {
            return Ok(());
        }
        Err(Fault::new(Code::IndexTooLarge, 0, format!("more than {DUPLICATE_IDS_MAX} ids come several times")))
    }
}

fn foreign() -> Fault {
    corrupt(0, "a piece does not fit the record index")
}

fn mismatch(path: &Path, why: &str) -> Fault {
    Fault::new(Code::LedgerMismatch, 0, format!("ledger {}: {why}", path.display()))
}

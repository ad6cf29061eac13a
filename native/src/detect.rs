//! What became of each record: held against the index of what downstream has, and taken down in a frame of the ledger.
//!
//! A [`Detector`] finds the index entry of a record, a [`Log`] says what the two are to each other once the record's hash is known.
//!
//! The fast way asks nothing of a record but its bytes: where their xxh3 is that of the entry that comes next, this is the entry's
//! record, since equal bytes have equal ids. By definition the record is parsed, its entry found by its id, and then compared.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::fault::Fault;
use crate::index::{self, Cursor, Entry, Frame, Index};
use crate::sha256::Hash;

/// Entries behind the expected one that are looked at before a record is parsed: ids that vanished cost no parsing.
const AHEAD: u64 = 4;

/// What of an entry may be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Equal bytes are unchanged records, which are not parsed.
    Raw,
    /// Rules have changed: only equal canonical hashes are unchanged records.
    Hash,
    /// The canonical hash means something else now: equal bytes are unchanged records, and get the new hash.
    Rebase,
}

/// Which records come out as bodies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Publish {
    Changes,
    All,
}

/// What a file's records are held against.
#[derive(Clone)]
pub struct Comparison {
    /// None: downstream has nothing, and every record is created.
    pub index: Option<Arc<Index>>,
    pub trust: Trust,
    pub publish: Publish,
}

/// How the records of a file are sifted.
#[derive(Clone, Default)]
pub struct Settings {
    pub comparison: Option<Comparison>,
    /// Ascending xxh3 of the records that are wanted; all others are passed over.
    pub only: Option<Arc<[u64]>>,
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Unchanged,
    Created,
    Updated,
    /// Undecided until the file's end, since its id came more than once.
    Held,
}

impl Kind {
    /// As the column `kinds` has it, where what is undecided counts as unchanged.
    pub fn number(self) -> u8 {
        match self {
            Kind::Unchanged | Kind::Held => 0,
            Kind::Created => 1,
            Kind::Updated => 2,
        }
    }
}

/// A record whose hash is not known yet: its key, and the entry that has it.
pub struct Candidate {
    /// None of a record without an id, whose key is its hash.
    key: Option<u64>,
    odd: Option<Box<str>>,
    entry: Option<(u64, Entry)>,
}

/// How a record is to be taken.
pub enum Lookup {
    /// As the entry at this position has it.
    Seen(u64),
    /// To be parsed.
    Candidate(Candidate),
}

/// Finds the entries of records; kept from piece to piece, since records mostly come in the index's order.
pub struct Detector {
    settings: Settings,
    cursor: Option<Cursor>,
    /// The position of the entry that comes next.
    next: u64,
}

impl Detector {
    pub fn new(settings: &Settings) -> Self {
        let cursor = settings.comparison.as_ref().and_then(|c| c.index.as_ref()).map(Index::cursor);
        Self { settings: settings.clone(), cursor, next: 0 }
    }

    /// An empty log, if records are compared.
    pub fn log(&self) -> Option<Log> {
        self.settings.comparison.as_ref().map(|c| Log::new(c.trust, c.publish))
    }

    /// Whether records may be taken by their bytes alone, or passed over.
    pub fn sifts(&self) -> bool {
        self.settings.only.is_some() || self.believes_bytes()
    }

    /// Whether equal bytes need no parsing.
    fn believes_bytes(&self) -> bool {
        self.cursor.is_some() && self.settings.comparison.as_ref().is_some_and(|c| (c.trust, c.publish) == (Trust::Raw, Publish::Changes))
    }

    /// Whether only some records are wanted.
    pub fn picks(&self) -> bool {
        self.settings.only.is_some()
    }

    /// Whether a record with this xxh3 is wanted.
    pub fn wants(&self, raw: u64) -> bool {
        self.settings.only.as_ref().is_none_or(|only| only.binary_search(&raw).is_ok())
    }

    /// The position of an entry of just these bytes, if it is the next one or soon follows it. Records without an id are parsed always:
    /// whether rules report them must not depend on where they stand.
    pub fn next(&mut self, raw: u64) -> Result<Option<u64>, Fault> {
        if !self.believes_bytes() || raw == 0 {
            return Ok(None);
        }
        let Some(cursor) = &mut self.cursor else { return Ok(None) };
        for pos in self.next..=self.next + AHEAD {
            match cursor.raw(pos)? {
                None => break,
                Some((of, flags)) if of == raw && flags & (index::DIRTY | index::UNKNOWN) == 0 => {
                    self.next = pos + 1;
                    return Ok(Some(pos));
                }
                Some(_) => {}
            }
        }
        Ok(None)
    }

    /// The entry of a key; of several, which all are dirty, the first.
    fn find(&mut self, key: u64) -> Result<Option<(u64, Entry)>, Fault> {
        let Some(cursor) = &mut self.cursor else { return Ok(None) };
        let found = cursor.find(key)?;
        self.next = found.pos + found.count as u64;
        if found.count == 0 {
            return Ok(None);
        }
        Ok(cursor.entry(found.pos)?.map(|entry| (found.pos, entry)))
    }

    /// Looks a record up by its id.
    pub fn look_up(&mut self, id: &[u8], raw: impl FnOnce() -> u64) -> Result<Lookup, Fault> {
        let key = index::key_of(id);
        let entry = self.find(key.key)?;
        if let Some((pos, entry)) = entry.filter(|_| self.believes_bytes())
            && entry.flags & index::DIRTY == 0
            && entry.raw != 0
            && entry.raw == raw()
        {
            return Ok(Lookup::Seen(pos));
        }
        let odd = key.odd.then(|| String::from_utf8_lossy(id).into());
        Ok(Lookup::Candidate(Candidate { key: Some(key.key), odd, entry }))
    }

    /// Looks a record without an id up, by its canonical hash.
    pub fn look_up_unknown(&mut self, hash: &Hash) -> Result<Candidate, Fault> {
        let entry = self.find(index::unknown_key(&short(hash)))?;
        Ok(Candidate { key: None, odd: None, entry })
    }
}

fn short(hash: &Hash) -> [u8; 16] {
    let mut short = [0; 16];
    short.copy_from_slice(&hash[..16]);
    short
}

/// Something that waits for the hash of a record before it.
enum Waiting {
    Seen(u64),
    Candidate(Candidate),
}

/// What became of the records of one piece, in their order.
pub struct Log {
    trust: Trust,
    publish: Publish,
    frame: Frame,
    waiting: VecDeque<Waiting>,
}

impl Log {
    fn new(trust: Trust, publish: Publish) -> Self {
        Self { trust, publish, frame: Frame::default(), waiting: VecDeque::new() }
    }

    /// Takes down a record that is as its entry says.
    pub fn seen(&mut self, pos: u64) {
        if self.waiting.is_empty() {
            self.frame.seen(pos);
        } else {
            self.waiting.push_back(Waiting::Seen(pos));
        }
    }

    /// Takes down a record whose hash is to come by [`Log::decide`], in the same order.
    pub fn wait(&mut self, candidate: Candidate) {
        self.waiting.push_back(Waiting::Candidate(candidate));
    }

    /// Decides on the record that waits longest: what it is, and whether its body comes out.
    pub fn decide(&mut self, raw: u64, hash: &Hash) -> (Kind, bool) {
        let kind = loop {
            match self.waiting.pop_front() {
                None => break Kind::Unchanged,
                Some(Waiting::Seen(pos)) => self.frame.seen(pos),
                Some(Waiting::Candidate(candidate)) => break self.judge(&candidate, raw, hash),
            }
        };
        while let Some(&Waiting::Seen(pos)) = self.waiting.front() {
            self.frame.seen(pos);
            self.waiting.pop_front();
        }
        let comes_out = self.publish == Publish::All || matches!(kind, Kind::Created | Kind::Updated);
        (kind, comes_out)
    }

    fn judge(&mut self, candidate: &Candidate, raw: u64, hash: &Hash) -> Kind {
        let short = short(hash);
        let key = candidate.key.unwrap_or_else(|| index::unknown_key(&short));
        let Some((pos, entry)) = &candidate.entry else {
            let flags = if candidate.key.is_none() { index::UNKNOWN } else { 0 };
            self.frame.created(key, raw, &short, flags, candidate.odd.as_deref());
            return Kind::Created;
        };
        let bytes_equal = entry.raw != 0 && entry.raw == raw;
        let (equal, as_it_was) = match self.trust {
            Trust::Raw => (bytes_equal || entry.hash == short, bytes_equal),
            Trust::Hash => (entry.hash == short, bytes_equal),
            Trust::Rebase => (bytes_equal, false),
        };
        match (entry.flags & index::DIRTY != 0, equal) {
            (false, true) if as_it_was => {
                self.frame.seen(*pos);
                Kind::Unchanged
            }
            (false, true) => {
                self.frame.touched(*pos, raw, &short);
                Kind::Unchanged
            }
            (false, false) if entry.flags & index::MULTI != 0 => {
                self.frame.held(*pos, raw, &short);
                Kind::Held
            }
            _ => {
                self.frame.updated(*pos, key, raw, &short);
                Kind::Updated
            }
        }
    }

    /// The frame of the piece, for the ledger.
    pub fn finish(self) -> Vec<u8> {
        self.frame.finish()
    }
}

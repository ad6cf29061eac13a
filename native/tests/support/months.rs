//! Dumps made up for the record index, what a reader makes of them, and what must come of it: said by maps, as simply as can be.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use deadwax_native::fault::Fault;
use deadwax_native::hash::xxh3_64;
use deadwax_native::index::{DIRTY, Entry, Frame, Index, MULTI, UNKNOWN, key_of, unknown_key};

use super::random::Rng;

/// A record of a dump: its id, if it has one, what it says, and in which of several forms of the same meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub id: Option<String>,
    pub content: u64,
    pub form: u64,
}

impl Record {
    pub fn hash(&self) -> [u8; 16] {
        let text = format!("{:?} {}", self.id, self.content);
        let (a, b) = (xxh3_64(text.as_bytes()), xxh3_64(format!("{text}.").as_bytes()));
        (u128::from(a) << 64 | u128::from(b)).to_be_bytes()
    }

    pub fn raw(&self) -> u64 {
        xxh3_64(format!("{:?} {} {}", self.id, self.content, self.form).as_bytes())
    }

    pub fn key(&self) -> u64 {
        self.id.as_ref().map_or_else(|| unknown_key(&self.hash()), |id| key_of(id.as_bytes()).key)
    }

    fn odd(&self) -> Option<&str> {
        self.id.as_deref().filter(|id| key_of(id.as_bytes()).odd)
    }
}

/// A dump: ids ascend or not, come several times, are odd or missing.
pub fn dump(rng: &mut Rng, most: usize) -> Vec<Record> {
    let ids = 1 + rng.below(most);
    let mut records: Vec<Record> = Vec::new();
    let (odd, missing, twice) = (rng.below(30), rng.below(10), rng.below(30));
    for number in 0..ids {
        let id = match rng.below(100) {
            n if n < odd => Some(format!("x{number}")),
            n if n < odd + missing => None,
            _ => Some(number.to_string()),
        };
        for _ in 0..if rng.below(100) < twice { 1 + rng.few(3) } else { usize::from(rng.below(100) < 90) } {
            records.push(Record { id: id.clone(), content: rng.below(3) as u64, form: rng.below(2) as u64 });
        }
    }
    if rng.one_in(2) {
        shuffle(rng, &mut records);
    }
    records
}

/// The dump of the month after: some records changed, gone, new, or elsewhere.
pub fn evolve(rng: &mut Rng, records: &[Record], most: usize) -> Vec<Record> {
    let (changed, gone, added) = (rng.below(30), rng.below(20), rng.below(20));
    let mut next = Vec::new();
    for record in records {
        let mut record = record.clone();
        match rng.below(100) {
            n if n < gone => continue,
            n if n < gone + changed => record.content = rng.below(4) as u64,
            n if n < gone + changed + 5 => record.form ^= 1,
            _ => {}
        }
        next.push(record);
        if rng.below(100) < added {
            next.push(Record { id: Some(rng.below(most * 2).to_string()), content: rng.below(4) as u64, form: 0 });
        }
    }
    if rng.one_in(4) {
        shuffle(rng, &mut next);
    }
    next
}

fn shuffle<T>(rng: &mut Rng, items: &mut [T]) {
    for i in (1..items.len()).rev() {
        items.swap(i, rng.below(i + 1));
    }
}

/// What downstream gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    pub key: u64,
    pub hash: [u8; 16],
}

/// The frame of a piece, and what of it is published: each record looked up by itself.
pub fn detect(index: Option<&Arc<Index>>, records: &[Record]) -> Result<(Vec<u8>, Vec<Published>), Fault> {
    let mut frame = Frame::new();
    let mut published = Vec::new();
    let mut cursor = index.map(|index| index.cursor());
    for record in records {
        let (key, raw, hash) = (record.key(), record.raw(), record.hash());
        let found = cursor.as_mut().map_or(Ok(None), |cursor| cursor.find(key).map(Some))?.filter(|found| found.count > 0);
        let (Some(cursor), Some(found)) = (&mut cursor, found) else {
            frame.created(key, raw, &hash, if record.id.is_none() { UNKNOWN } else { 0 }, record.odd());
            published.push(Published { key, hash });
            continue;
        };
        let entry = cursor.entry(found.pos)?.expect("an entry that was found");
        assert_eq!((cursor.raw(found.pos)?, entry.key), (Some((entry.raw, entry.flags)), key));
        let is_dirty = found.count > 1 || entry.flags & DIRTY != 0;
        if !is_dirty && entry.raw == raw {
            frame.seen(found.pos);
        } else if !is_dirty && entry.hash == hash {
            frame.touched(found.pos, raw, &hash);
        } else if !is_dirty && entry.flags & MULTI != 0 {
            frame.held(found.pos, raw, &hash);
        } else {
            frame.updated(found.pos, key, raw, &hash);
            published.push(Published { key, hash });
        }
    }
    Ok((frame.finish(), published))
}

/// What an index holds: entries by key, in their order.
pub type Entries = BTreeMap<u64, Vec<Entry>>;

/// All entries of an index file, its odd ids verified.
pub fn entries(index: &Arc<Index>) -> Result<Entries, Fault> {
    let mut entries = Entries::new();
    assert_eq!(index.verify()?, index.len());
    let mut cursor = index.cursor();
    for pos in 0..index.len() {
        let entry = cursor.entry(pos)?.expect("an entry below the length");
        entries.entry(entry.key).or_default().push(entry);
    }
    assert_eq!(cursor.entry(index.len())?, None);
    Ok(entries)
}

/// What the index holds after a dump: of each id its last record.
pub fn baseline(records: &[Record]) -> Entries {
    let mut entries = Entries::new();
    for record in records {
        let entry = Entry { key: record.key(), raw: record.raw(), hash: record.hash(), flags: if record.id.is_none() { UNKNOWN } else { 0 } };
        let multi = if record.id.is_some() && entries.contains_key(&entry.key) { MULTI } else { 0 };
        entries.insert(entry.key, vec![Entry { flags: entry.flags | multi, ..entry }]);
    }
    entries
}

/// Of records without an id any of their forms will do.
pub fn formless(mut entries: Entries) -> Entries {
    entries.values_mut().flatten().filter(|entry| entry.flags & UNKNOWN != 0).for_each(|entry| entry.raw = 0);
    entries
}

/// A folder for index files, gone with the value.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        use std::sync::atomic::{AtomicU64, Ordering};
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        // In memory where that can be had: what is made durable by the thousand is not what is tested.
        let memory = Path::new("/dev/shm");
        let base = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let path = base.join(format!("deadwax-index-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed)));
        std::fs::create_dir_all(&path).expect("a folder for temporary files");
        Self(path)
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

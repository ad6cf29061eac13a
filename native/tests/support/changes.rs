//! Comparing a document with an index, and the naive model of it: a map, and the bodies of a run without an index.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use deadwax_native::detect::{Comparison, Publish, Settings, Trust};
use deadwax_native::index::frame::{END, HEAD_BYTES, Op, Ops, PIECE};
use deadwax_native::index::writer::Writer;
use deadwax_native::index::{DIRTY, Entry, Index, MULTI, UNKNOWN, key_of, unknown_key};

use super::run::{Outcome, check_body};

/// Few, so that small indexes have several blocks.
pub const BLOCK_RECORDS: usize = 4;

/// A record as a run without an index gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plain {
    pub id: Option<String>,
    pub raw: u64,
    pub hash: [u8; 16],
    pub body: Vec<u8>,
}

impl Plain {
    pub fn key(&self) -> u64 {
        self.id.as_ref().map_or_else(|| unknown_key(&self.hash), |id| key_of(id.as_bytes()).key)
    }
}

/// The records of a run without an index; `nameless` says by the fingerprint which of those called "unknown" have no id.
pub fn records(outcome: &Outcome, nameless: &dyn Fn(u64) -> bool) -> Vec<Plain> {
    let record = |(body, &(_, raw, _)): (&Vec<u8>, &(u32, u64, u128))| {
        let (id, hex) = check_body(body);
        let mut hash = [0; 16];
        for (byte, digits) in hash.iter_mut().zip(hex.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(digits).expect("ASCII"), 16).expect("hex");
        }
        Plain { id: (id != "unknown" || !nameless(raw)).then_some(id), raw, hash, body: body.clone() }
    };
    outcome.bodies.iter().zip(&outcome.columns).map(record).collect()
}

/// An index of these entries, each with its id.
pub fn index_of(entries: Vec<(Entry, Option<String>)>) -> Arc<Index> {
    written(entries, false)
}

/// The same with a byte of its first block changed.
pub fn damaged_index_of(entries: Vec<(Entry, Option<String>)>) -> Arc<Index> {
    written(entries, true)
}

/// The file is gone from its folder when this returns, but open.
fn written(mut entries: Vec<(Entry, Option<String>)>, damaged: bool) -> Arc<Index> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let path: PathBuf = std::env::temp_dir().join(format!("deadwax-index-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
    entries.sort_by_key(|(entry, _)| entry.key);
    let mut writer = Writer::create(&path, BLOCK_RECORDS).expect("the temporary folder is writable");
    for (entry, id) in entries {
        writer.push(entry, id.as_deref()).expect("entries ascend");
    }
    writer.finish("{}").expect("the temporary folder is writable");
    if damaged {
        let mut bytes = std::fs::read(&path).expect("the index was just written");
        bytes[80] ^= 1;
        std::fs::write(&path, bytes).expect("the temporary folder is writable");
    }
    let index = Index::open(&path).expect("the index was just written");
    let _ = std::fs::remove_file(&path);
    index
}

/// One operation of a frame, ranges of seen entries taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    Seen(u64),
    Created(Entry, Option<String>),
    Updated(u64, Entry),
    Touched(u64, u64, [u8; 16]),
    Held(u64, u64, [u8; 16]),
}

/// What a frame says.
pub fn decoded(frame: &[u8]) -> Vec<Found> {
    let payload = frame[HEAD_BYTES..].strip_prefix(&[PIECE]).and_then(|payload| payload.strip_suffix(END)).expect("a frame of a piece");
    let ops = Ops::new(payload);
    let mut found = Vec::new();
    for op in ops {
        match op.expect("a sound operation") {
            Op::Seen { pos, count } => found.extend((pos..pos + count).map(Found::Seen)),
            Op::Created { entry, odd } => found.push(Found::Created(entry, odd.map(str::to_owned))),
            Op::Updated { pos, entry } => found.push(Found::Updated(pos, entry)),
            Op::Touched { pos, raw, hash } => found.push(Found::Touched(pos, raw, hash)),
            Op::Held { pos, raw, hash } => found.push(Found::Held(pos, raw, hash)),
        }
    }
    found
}

/// The entries of each key, with their positions.
pub type ByKey = BTreeMap<u64, Vec<(u64, Entry)>>;

/// The number that a kind has in its column.
const CREATED: u8 = 1;
const UPDATED: u8 = 2;

/// What must come out of a comparison.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Expected {
    pub found: Vec<Found>,
    pub bodies: Vec<Vec<u8>>,
    pub kinds: Vec<u8>,
    pub unchanged: u64,
    pub held: u64,
}

/// The model: every record looked up in a map, by the plain words of the design.
pub fn expected(records: &[Plain], entries: &ByKey, trust: Trust, publish: Publish) -> Expected {
    let mut expected = Expected::default();
    for record in records {
        let key = record.key();
        let entry = Entry { key, raw: record.raw, hash: record.hash, flags: 0 };
        let (found, kind, held) = match entries.get(&key).map(Vec::as_slice) {
            None => {
                let flags = if record.id.is_none() { UNKNOWN } else { 0 };
                let odd = record.id.clone().filter(|id| key_of(id.as_bytes()).odd);
                (Found::Created(Entry { flags, ..entry }, odd), CREATED, false)
            }
            Some(&[(pos, old)]) if old.flags & DIRTY == 0 => {
                let bytes = old.raw == record.raw && old.raw != 0;
                let content = old.hash == record.hash;
                let touched = Found::Touched(pos, record.raw, record.hash);
                match trust {
                    Trust::Raw if bytes => (Found::Seen(pos), 0, false),
                    Trust::Raw if content => (touched, 0, false),
                    Trust::Hash if content && bytes => (Found::Seen(pos), 0, false),
                    Trust::Hash if content => (touched, 0, false),
                    Trust::Rebase if bytes => (touched, 0, false),
                    _ if old.flags & MULTI != 0 => (Found::Held(pos, record.raw, record.hash), 0, true),
                    _ => (Found::Updated(pos, entry), UPDATED, false),
                }
            }
            Some(several) => (Found::Updated(several[0].0, entry), UPDATED, false),
        };
        expected.found.push(found);
        if publish == Publish::All || kind != 0 {
            expected.bodies.push(record.body.clone());
            expected.kinds.push(kind);
        } else if held {
            expected.held += 1;
        } else {
            expected.unchanged += 1;
        }
    }
    expected
}

/// Settings that compare.
pub fn comparing(index: Option<Arc<Index>>, trust: Trust, publish: Publish) -> Settings {
    Settings { comparison: Some(Comparison { index, trust, publish }), only: None }
}

//! The boundary to Node of record indexes: see [`crate::binding`].

use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex};

use napi::bindgen_prelude::{AsyncTask, BigUint64Array, Null, Uint8Array};
use napi::{Either, Env, Error, Result, Task};
use napi_derive::napi;

use crate::binding::{Table, guarded, held, keep, lock, thrown};
use crate::fault::Fault;
use crate::index::build::Builder;
use crate::index::diff::{Difference, Places, differences};
use crate::index::file::BLOCK_RECORDS;
use crate::index::sort::RUN_RECORDS;
use crate::index::{Entry, Index, key_of};

static INDEXES: Table<Arc<Index>> = LazyLock::new(Mutex::default);
static BUILDS: Table<Arc<Mutex<Builder>>> = LazyLock::new(Mutex::default);

const HASH_BYTES: usize = 16;

/// The index of a handle; sources and ledgers ask for it.
pub(crate) fn index_of(handle: u32) -> Result<Arc<Index>> {
    held(&INDEXES, handle)
}

/// Work on a thread of its own.
pub struct Working<T>(Option<Box<dyn FnOnce() -> std::result::Result<T, Fault> + Send>>);

impl<T> Working<T> {
    pub(crate) fn on(work: impl FnOnce() -> std::result::Result<T, Fault> + Send + 'static) -> AsyncTask<Self>
    where
        Self: Task,
    {
        AsyncTask::new(Self(Some(Box::new(work))))
    }

    fn run(&mut self) -> Result<T> {
        let work = self.0.take().ok_or_else(|| Error::from_reason("this work was done before"))?;
        guarded(work).map_err(thrown)
    }
}

impl Task for Working<f64> {
    type Output = f64;
    type JsValue = f64;

    fn compute(&mut self) -> Result<f64> {
        self.run()
    }

    fn resolve(&mut self, _env: Env, output: f64) -> Result<f64> {
        Ok(output)
    }
}

#[napi(object)]
pub struct IndexFile {
    pub records: f64,
    pub bytes: f64,
}

impl Task for Working<(u64, u64)> {
    type Output = (u64, u64);
    type JsValue = IndexFile;

    fn compute(&mut self) -> Result<(u64, u64)> {
        self.run()
    }

    fn resolve(&mut self, _env: Env, (records, bytes): (u64, u64)) -> Result<IndexFile> {
        Ok(IndexFile { records: records as f64, bytes: bytes as f64 })
    }
}

#[napi]
pub fn open_index(path: String) -> Result<u32> {
    let index = guarded(|| Index::open(Path::new(&path))).map_err(thrown)?;
    Ok(keep(&INDEXES, index))
}

#[napi(object)]
pub struct IndexInfo {
    pub records: f64,
    pub shared: f64,
    pub bytes: f64,
    pub meta: String,
}

#[napi]
pub fn index_info(handle: u32) -> Result<IndexInfo> {
    let index = index_of(handle)?;
    Ok(IndexInfo { records: index.len() as f64, shared: index.shared() as f64, bytes: index.bytes() as f64, meta: index.meta().to_owned() })
}

#[napi]
pub fn close_index(handle: u32) {
    lock(&INDEXES).remove(&handle);
}

#[napi]
pub fn verify_index(handle: u32) -> Result<AsyncTask<Working<f64>>> {
    let index = index_of(handle)?;
    Ok(Working::on(move || index.verify().map(|records| records as f64)))
}

#[napi(object)]
pub struct IndexEntries {
    pub ids: Vec<Either<String, Null>>,
    pub raws: BigUint64Array,
    pub hashes: Uint8Array,
    pub flags: Uint8Array,
    pub next: Either<f64, Null>,
}

impl IndexEntries {
    fn new(index: &Index, entries: &[Entry], next: Option<u64>) -> std::result::Result<Self, Fault> {
        let ids = entries.iter().map(|entry| Ok(index.id_of(entry.key)?.map_or(Either::B(Null), Either::A)));
        Ok(Self {
            ids: ids.collect::<std::result::Result<_, _>>()?,
            raws: entries.iter().map(|entry| entry.raw).collect::<Vec<_>>().into(),
            hashes: entries.iter().flat_map(|entry| entry.hash).collect::<Vec<_>>().into(),
            flags: entries.iter().map(|entry| entry.flags).collect::<Vec<_>>().into(),
            next: next.map_or(Either::B(Null), |pos| Either::A(pos as f64)),
        })
    }
}

#[napi]
pub fn index_entries(handle: u32, from: f64, max: u32) -> Result<IndexEntries> {
    let index = index_of(handle)?;
    let read = || {
        let (entries, next) = index.cursor().entries(from as u64, max as usize)?;
        IndexEntries::new(&index, &entries, next)
    };
    guarded(read).map_err(thrown)
}

#[napi]
pub fn find_entries(handle: u32, id: String) -> Result<IndexEntries> {
    let index = index_of(handle)?;
    let find = || {
        let mut cursor = index.cursor();
        let found = cursor.find(key_of(id.as_bytes()).key)?;
        let (entries, _) = cursor.entries(found.pos, found.count as usize)?;
        IndexEntries::new(&index, &entries, None)
    };
    guarded(find).map_err(thrown)
}

#[napi(object)]
pub struct IndexPlaces {
    pub old: f64,
    pub new: f64,
}

#[napi(object)]
pub struct IndexDifferences {
    pub ids: Vec<Either<String, Null>>,
    pub sides: Uint8Array,
    pub raws: BigUint64Array,
    pub hashes: Uint8Array,
    pub flags: Uint8Array,
    pub next: Either<IndexPlaces, Null>,
}

/// Entries with their ids and sides, and where to go on.
#[derive(Default)]
pub struct Sides {
    entries: Vec<(Option<String>, u8, Entry)>,
    next: Option<Places>,
}

impl Sides {
    fn add(&mut self, index: Option<&Arc<Index>>, side: u8, entries: &[Entry]) -> std::result::Result<(), Fault> {
        let Some(index) = index else { return Ok(()) };
        for &entry in entries {
            self.entries.push((index.id_of(entry.key)?, side, entry));
        }
        Ok(())
    }
}

impl Task for Working<Sides> {
    type Output = Sides;
    type JsValue = IndexDifferences;

    fn compute(&mut self) -> Result<Sides> {
        self.run()
    }

    fn resolve(&mut self, _env: Env, Sides { entries, next }: Sides) -> Result<IndexDifferences> {
        Ok(IndexDifferences {
            sides: entries.iter().map(|(_, side, _)| *side).collect::<Vec<_>>().into(),
            raws: entries.iter().map(|(_, _, entry)| entry.raw).collect::<Vec<_>>().into(),
            hashes: entries.iter().flat_map(|(_, _, entry)| entry.hash).collect::<Vec<_>>().into(),
            flags: entries.iter().map(|(_, _, entry)| entry.flags).collect::<Vec<_>>().into(),
            ids: entries.into_iter().map(|(id, _, _)| id.map_or(Either::B(Null), Either::A)).collect(),
            next: next.map_or(Either::B(Null), |Places { old, new }| Either::A(IndexPlaces { old: old as f64, new: new as f64 })),
        })
    }
}

#[napi]
pub fn diff_indexes(older: Either<u32, Null>, newer: Either<u32, Null>, from: IndexPlaces, max: u32) -> Result<AsyncTask<Working<Sides>>> {
    let held = |handle: Either<u32, Null>| match handle {
        Either::A(handle) => index_of(handle).map(Some),
        Either::B(_) => Ok(None),
    };
    let (old, new) = (held(older)?, held(newer)?);
    Ok(Working::on(move || {
        let from = Places { old: from.old as u64, new: from.new as u64 };
        let (found, next) = differences(old.as_ref(), new.as_ref(), from, max as usize)?;
        let mut sides = Sides { next, ..Sides::default() };
        for Difference { old: was, new: is, .. } in found {
            sides.add(old.as_ref(), 0, &was)?;
            sides.add(new.as_ref(), 1, &is)?;
        }
        Ok(sides)
    }))
}

#[napi]
pub fn open_build(path: String, block_records: Option<u32>) -> u32 {
    let block_records = block_records.map_or(BLOCK_RECORDS, |records| records as usize);
    keep(&BUILDS, Arc::new(Mutex::new(Builder::new(Path::new(&path), block_records, RUN_RECORDS))))
}

#[napi(object)]
pub struct BuildRows {
    pub ids: Vec<Either<String, Null>>,
    pub hashes: Uint8Array,
    pub raws: Option<BigUint64Array>,
    pub flags: Option<Uint8Array>,
}

#[napi]
pub fn push_build(handle: u32, rows: BuildRows) -> Result<()> {
    let build = held(&BUILDS, handle)?;
    let BuildRows { ids, hashes, raws, flags } = rows;
    let fits = |len: Option<usize>| len.is_none_or(|len| len == ids.len());
    if hashes.len() != ids.len() * HASH_BYTES || !fits(raws.as_ref().map(|raws| raws.len())) || !fits(flags.as_ref().map(|flags| flags.len())) {
        return Err(Error::from_reason("the columns of the rows are not of one length"));
    }
    let push = || {
        let mut build = lock(&build);
        for (i, (id, hash)) in ids.iter().zip(hashes.as_chunks().0).enumerate() {
            let id = match id {
                Either::A(id) => Some(&**id),
                Either::B(_) => None,
            };
            build.push(id, raws.as_ref().map_or(0, |raws| raws[i]), hash, flags.as_ref().map_or(0, |flags| flags[i]))?;
        }
        Ok(())
    };
    guarded(push).map_err(thrown)
}

#[napi]
pub fn finish_build(handle: u32, meta: String) -> Result<AsyncTask<Working<(u64, u64)>>> {
    let build = held(&BUILDS, handle)?;
    close_build(handle);
    let build = Arc::into_inner(build).ok_or_else(|| Error::from_reason("rows are being added"))?;
    let build = build.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    Ok(Working::on(move || build.finish(&meta)))
}

#[napi]
pub fn close_build(handle: u32) {
    lock(&BUILDS).remove(&handle);
}

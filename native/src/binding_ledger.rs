//! The boundary to Node of ledgers: see [`crate::binding`].

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex};

use napi::bindgen_prelude::{AsyncTask, BigUint64Array, Null, Uint8Array};
use napi::{Either, Result};
use napi_derive::napi;

use crate::binding::{Table, guarded, held, keep, lock, thrown};
use crate::binding_index::{Working, index_of};
use crate::hash::hex;
use crate::index::file::BLOCK_RECORDS;
use crate::index::ledger::{Counts, Ledger, Start};
use crate::index::log::Upto;
use crate::index::merge::{How, merge};

static LEDGERS: Table<Arc<Ledger>> = LazyLock::new(Mutex::default);

#[napi(object)]
pub struct LedgerOptions {
    pub path: Option<String>,
    pub index: Option<u32>,
    pub header: Option<String>,
    pub length: Option<f64>,
}

#[napi]
pub fn open_ledger(options: LedgerOptions) -> Result<u32> {
    let index = options.index.map(index_of).transpose()?;
    let start = match options.length {
        None => Start::Fresh,
        Some(length) if length < 0.0 => Start::Resume(Upto::LastWhole),
        Some(length) => Start::Resume(Upto::Length(length as u64)),
    };
    let open = || Ledger::open(options.path.as_deref().map(Path::new), index, options.header.as_deref(), start);
    Ok(keep(&LEDGERS, Arc::new(guarded(open).map_err(thrown)?)))
}

#[napi(object)]
pub struct LedgerCounts {
    pub created: f64,
    pub updated: f64,
    pub unchanged: f64,
    pub touched: f64,
    pub repeated: f64,
    pub length: f64,
}

impl LedgerCounts {
    fn new(counts: Counts, length: u64) -> Self {
        let Counts { created, updated, unchanged, touched, repeated } = counts;
        let [created, updated, unchanged, touched, repeated] = [created, updated, unchanged, touched, repeated].map(|n| n as f64);
        Self { created, updated, unchanged, touched, repeated, length: length as f64 }
    }
}

#[napi(object)]
pub struct LedgerInfo {
    pub created: f64,
    pub updated: f64,
    pub unchanged: f64,
    pub touched: f64,
    pub repeated: f64,
    pub length: f64,
    pub header: String,
    pub corrected: bool,
    pub rewound: bool,
    pub nameless: f64,
    pub deleted_up_to: Either<f64, Null>,
}

#[napi]
pub fn ledger_counts(handle: u32) -> Result<LedgerInfo> {
    let ledger = held(&LEDGERS, handle)?;
    let LedgerCounts { created, updated, unchanged, touched, repeated, length } = LedgerCounts::new(ledger.counts(), ledger.length());
    Ok(LedgerInfo {
        created,
        updated,
        unchanged,
        touched,
        repeated,
        length,
        header: ledger.header(),
        corrected: ledger.is_corrected(),
        rewound: ledger.has_rewound(),
        nameless: ledger.nameless() as f64,
        deleted_up_to: ledger.deleted_up_to().map_or(Either::B(Null), |pos| Either::A(pos as f64)),
    })
}

#[napi]
pub fn append_ledger(handle: u32, frame: Uint8Array) -> Result<LedgerCounts> {
    let ledger = held(&LEDGERS, handle)?;
    let counts = guarded(|| ledger.append(&frame)).map_err(thrown)?;
    Ok(LedgerCounts::new(counts, ledger.length()))
}

#[napi]
pub fn sync_ledger(handle: u32) -> Result<AsyncTask<Working<f64>>> {
    let ledger = held(&LEDGERS, handle)?;
    Ok(Working::on(move || ledger.sync().map(|length| length as f64)))
}

#[napi]
pub fn corrections(handle: u32) -> Result<BigUint64Array> {
    let ledger = held(&LEDGERS, handle)?;
    guarded(|| ledger.corrections()).map(BigUint64Array::from).map_err(thrown)
}

#[napi]
pub fn mark_corrected(handle: u32) -> Result<()> {
    let ledger = held(&LEDGERS, handle)?;
    guarded(|| ledger.mark_corrected()).map_err(thrown)
}

#[napi]
pub fn deletion_count(handle: u32) -> Result<f64> {
    let ledger = held(&LEDGERS, handle)?;
    guarded(|| ledger.deletion_count()).map(|count| count as f64).map_err(thrown)
}

#[napi(object, js_name = "Deletions")]
pub struct JsDeletions {
    pub ids: Vec<String>,
    pub hashes: Vec<String>,
    pub next: Either<f64, Null>,
}

#[napi]
pub fn deletions(handle: u32, from: f64, max: u32) -> Result<JsDeletions> {
    let ledger = held(&LEDGERS, handle)?;
    let found = guarded(|| ledger.deletions(from as u64, max as usize)).map_err(thrown)?;
    Ok(JsDeletions {
        ids: found.ids,
        hashes: found.hashes.iter().map(|hash| hex(hash)).collect(),
        next: found.next.map_or(Either::B(Null), |pos| Either::A(pos as f64)),
    })
}

#[napi]
pub fn mark_deleted(handle: u32, up_to: Either<f64, Null>) -> Result<()> {
    let ledger = held(&LEDGERS, handle)?;
    let up_to = match up_to {
        Either::A(pos) => pos as u64,
        Either::B(_) => ledger.index().map_or(0, |index| index.len()),
    };
    guarded(|| ledger.mark_deleted(up_to)).map_err(thrown)
}

#[napi]
pub fn close_ledger(handle: u32) {
    lock(&LEDGERS).remove(&handle);
}

#[napi(object)]
pub struct MergeOptions {
    pub ledger: u32,
    pub out: String,
    pub meta: String,
    pub pending: String,
    pub dirty: bool,
    pub block_records: Option<u32>,
}

#[napi]
pub fn merge_index(options: MergeOptions) -> Result<AsyncTask<Working<(u64, u64)>>> {
    let ledger = held(&LEDGERS, options.ledger)?;
    Ok(Working::on(move || {
        let MergeOptions { out, meta, pending, dirty, block_records, .. } = options;
        let out = PathBuf::from(out);
        let block_records = block_records.map_or(BLOCK_RECORDS, |records| records as usize);
        merge(&ledger, How { keep: pending != "drop", recheck: pending == "recheck", doubt: pending == "doubt", dirty, block_records, ..How::new(&out, &meta) })
    }))
}

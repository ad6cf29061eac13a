//! The boundary to Node: thin functions over the core. Nothing but this and its siblings `binding_*` knows it; `index.d.ts` is its other side.
//!
//! The addon is loaded once per process, so that sources live in one table and any worker thread may pull from any of them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use base64::Engine as _;
use napi::bindgen_prelude::{BigInt, BigUint64Array, Uint8Array, Uint32Array};
use napi::{Error, Result};
use napi_derive::napi;

use crate::binding_index::index_of;
use crate::contract::{Contract, DataType};
use crate::detect;
use crate::fault::{Code, Fault};
use crate::flagged::{Flagged, FlaggedFile};
pub(crate) use crate::guard::{guarded, lock};
use crate::gzip::{Point, Reader};
use crate::inflate::{self, Backend, WINDOW_BYTES};
use crate::input::Input;
use crate::limits::Limits;
use crate::packed::Reject;
use crate::parse::RejectRules;
use crate::pull::{self, Apply, Detecting, Pulled, Shared, Worker};
use crate::rules::{self, Rules};
use crate::scan::Frame;
use crate::source::{Raw, Resume, Source, Spacing};
use crate::wanted::{Seen, Wanted};
use crate::{hash, lock, simd, verify};

static NEXT: AtomicU32 = AtomicU32::new(1);

/// Things that JavaScript holds by number.
pub(crate) type Table<T> = LazyLock<Mutex<HashMap<u32, T>>>;
static SOURCES: Table<Arc<Shared>> = LazyLock::new(Mutex::default);
static VERIFICATIONS: Table<Arc<Mutex<verify::Verify>>> = LazyLock::new(Mutex::default);
static LOCKS: Table<File> = LazyLock::new(Mutex::default);
static RULES: Table<Arc<Rules>> = LazyLock::new(Mutex::default);

thread_local! {
    static WORKER: RefCell<Worker> = RefCell::default();
}

pub(crate) fn keep<T>(table: &Table<T>, value: T) -> u32 {
    let handle = NEXT.fetch_add(1, Ordering::Relaxed);
    lock(table).insert(handle, value);
    handle
}

pub(crate) fn held<T: Clone>(table: &Table<T>, handle: u32) -> Result<T> {
    lock(table).get(&handle).cloned().ok_or_else(|| Error::from_reason(format!("handle {handle} is closed")))
}

#[napi(object, js_name = "Fault")]
pub struct JsFault {
    pub code: String,
    pub message: String,
    pub offset: f64,
}

impl From<Fault> for JsFault {
    fn from(fault: Fault) -> Self {
        Self { code: fault.code.as_str().to_owned(), message: fault.message, offset: fault.offset as f64 }
    }
}

/// A fault as a thrown error: JSON, since errors lose everything but their message on the way.
pub(crate) fn thrown(fault: Fault) -> Error {
    let text = |s: &str| {
        let mut out = Vec::new();
        crate::json::write_string(s, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    };
    Error::from_reason(format!(r#"{{"code":{},"message":{},"offset":{}}}"#, text(fault.code.as_str()), text(&fault.message), fault.offset))
}

#[napi(object, js_name = "ResumePoint")]
pub struct JsResume {
    pub compressed_offset: f64,
    pub bits: u32,
    pub member_crc: u32,
    pub member_bytes: f64,
    pub inflated_offset: f64,
    pub window: String,
    pub record_offset: f64,
    pub root_name: String,
    pub line_form: Option<String>,
}

impl From<Resume> for JsResume {
    fn from(resume: Resume) -> Self {
        let Point { compressed, bits, crc, member_bytes, inflated, window } = resume.point;
        let packed = if window.is_empty() { Vec::new() } else { inflate::deflate_raw(&window) };
        Self {
            compressed_offset: compressed as f64,
            bits: bits as u32,
            member_crc: crc,
            member_bytes: member_bytes as f64,
            inflated_offset: inflated as f64,
            window: base64::engine::general_purpose::STANDARD.encode(packed),
            record_offset: resume.record_offset as f64,
            root_name: String::from_utf8_lossy(&resume.root_name).into_owned(),
            line_form: resume.line_form.map(|form| String::from_utf8_lossy(&form).into_owned()),
        }
    }
}

impl JsResume {
    fn read(self) -> std::result::Result<Resume, Fault> {
        let bad = || Fault::new(Code::Corrupt, self.inflated_offset as u64, "the checkpoint's window is damaged; run with --force to start afresh");
        let packed = base64::engine::general_purpose::STANDARD.decode(&self.window).map_err(|_| bad())?;
        let window = if packed.is_empty() { Vec::new() } else { inflate::inflate_raw(&packed, WINDOW_BYTES).ok_or_else(bad)? };
        let point = Point {
            compressed: self.compressed_offset as u64,
            bits: self.bits.min(7) as u8,
            crc: self.member_crc,
            member_bytes: self.member_bytes as u64,
            inflated: self.inflated_offset as u64,
            window,
        };
        Ok(Resume {
            point,
            record_offset: self.record_offset as u64,
            root_name: self.root_name.into_bytes(),
            line_form: self.line_form.map(String::into_bytes),
        })
    }
}

#[napi(object)]
pub struct SourceOptions {
    pub path: Option<String>,
    pub data_type: Option<String>,
    pub contract: String,
    pub backend: String,
    pub chunk_bytes: u32,
    pub record_bytes_max: u32,
    pub depth_max: u32,
    pub attributes_max: u32,
    pub name_bytes_max: u32,
    pub inflated_bytes_max: f64,
    pub inflate_ratio_max: f64,
    pub reject_raw_bytes_max: u32,
    pub checkpoint_records: u32,
    pub checkpoint_ms: u32,
    pub access_bytes: Option<f64>,
    pub resume: Option<JsResume>,
    pub rules: Option<u32>,
    pub detect: Option<JsDetect>,
    pub only: Option<BigUint64Array>,
    pub ids: Option<Vec<String>>,
}

#[napi(object, js_name = "Detect")]
pub struct JsDetect {
    pub index: Option<u32>,
    pub trust: String,
    pub publish: String,
}

impl JsDetect {
    fn read(&self) -> std::result::Result<detect::Comparison, Fault> {
        let index = self.index.map(index_of).transpose().map_err(|e| Fault::new(Code::Internal, 0, e.reason.to_string()))?;
        let trust = match self.trust.as_str() {
            "hash" => detect::Trust::Hash,
            "rebase" => detect::Trust::Rebase,
            _ => detect::Trust::Raw,
        };
        let publish = if self.publish == "all" { detect::Publish::All } else { detect::Publish::Changes };
        Ok(detect::Comparison { index, trust, publish })
    }
}

fn backend(name: &str) -> Backend {
    if name == "zlib-rs" { Backend::ZlibRs } else { Backend::ZlibNg }
}

#[napi(object)]
pub struct SourceInfo {
    pub handle: u32,
    pub size: Option<f64>,
}

/// Compiles rules; a thrown message is a JSON list of all that is wrong.
#[napi]
pub fn compile_rules(json: String) -> Result<u32> {
    let rules = rules::compile(&json).map_err(|problems| Error::from_reason(serde_json::json!(problems).to_string()))?;
    Ok(keep(&RULES, Arc::new(rules)))
}

#[napi]
pub fn close_rules(handle: u32) {
    lock(&RULES).remove(&handle);
}

#[napi]
pub fn open_source(options: SourceOptions) -> Result<SourceInfo> {
    let shared = guarded(|| shared_of(options)).map_err(thrown)?;
    let size = lock(&shared.source).reader().size();
    Ok(SourceInfo { handle: keep(&SOURCES, Arc::new(shared)), size: size.map(|n| n as f64) })
}

/// Opens a source for whoever keeps it.
pub(crate) fn shared_of(options: SourceOptions) -> std::result::Result<Shared, Fault> {
    let limits = Limits {
        record_bytes: options.record_bytes_max as usize,
        depth: options.depth_max as usize,
        attributes: options.attributes_max as usize,
        name_bytes: options.name_bytes_max as usize,
        inflated_bytes: options.inflated_bytes_max as u64,
        inflate_ratio: options.inflate_ratio_max as u64,
    };
    let data_type = options.data_type.as_deref().and_then(|name| DataType::from_name(name.as_bytes()));
    let contract = if options.contract == "fanout" { Contract::Fanout } else { Contract::Topic };
    let spacing = match options.access_bytes {
        Some(bytes) => Some(Spacing { records: u64::MAX, time: Duration::MAX, bytes: bytes as u64 }),
        None if options.checkpoint_records == 0 && options.checkpoint_ms == 0 => None,
        None => Some(Spacing { records: options.checkpoint_records.max(1) as u64, time: Duration::from_millis(options.checkpoint_ms as u64), bytes: u64::MAX }),
    };
    let wanted = options.ids.map(|ids| Arc::new(Wanted::new(ids)));
    let rules = options.rules.map(|handle| held(&RULES, handle)).transpose().map_err(|e| Fault::new(Code::Internal, 0, e.reason.to_string()))?;
    if rules.is_some() && contract == Contract::Topic {
        return Err(Fault::new(Code::Internal, 0, "the topic contract has no rules"));
    }
    let comparison = options.detect.as_ref().map(JsDetect::read).transpose()?;
    let only = options.only.as_ref().map(|raws| Arc::from(&raws[..]));
    let detecting = (comparison.is_some() || only.is_some()).then(|| Detecting::new(detect::Settings { comparison, only }));
    let stop = Arc::new(AtomicBool::new(false));
    let input = Input::open(options.path.as_deref(), stop.clone())?;
    let file = input.duplicate().map_err(|e| Fault::new(Code::Unreadable, 0, e.to_string()))?;
    let rejects = RejectRules { raw_bytes_max: options.reject_raw_bytes_max as usize };
    let make = |reader| Source::new(reader, data_type, limits, options.chunk_bytes as usize, rejects.raw_bytes_max, spacing);
    let source = match options.resume {
        None => make(Reader::new(input, backend(&options.backend), limits)),
        Some(resume) => {
            let resume = resume.read()?;
            let of_root = DataType::from_name(&resume.root_name);
            let data_type = data_type.or(of_root).ok_or_else(|| Fault::new(Code::Malformed, 0, "the checkpoint names no data type; give it with --type"))?;
            make(Reader::resume(input, backend(&options.backend), limits, &resume.point)?).resumed(&resume, data_type)?
        }
    };
    Ok(Shared::new(source, Apply { contract, rejects, rules, detecting, wanted }, stop, file))
}

#[napi(object, js_name = "Reject")]
pub struct JsReject {
    pub offset: f64,
    pub id: Option<String>,
    pub kind: String,
    pub message: String,
    pub raw: String,
}

impl From<Reject> for JsReject {
    fn from(reject: Reject) -> Self {
        Self { offset: reject.offset as f64, id: reject.id, kind: reject.kind.to_owned(), message: reject.message, raw: reject.raw }
    }
}

/// The ids of a piece.
#[napi(object, js_name = "SeenIds")]
pub struct JsSeen {
    pub records: f64,
    pub min: Option<f64>,
    pub max: Option<f64>,
    pub odd: f64,
}

impl From<Seen> for JsSeen {
    fn from(seen: Seen) -> Self {
        let has_numbers = seen.min <= seen.max;
        Self { records: seen.records as f64, min: has_numbers.then_some(seen.min as f64), max: has_numbers.then_some(seen.max as f64), odd: seen.odd as f64 }
    }
}

#[napi(object, js_name = "FlaggedFile")]
pub struct JsFlaggedFile {
    pub name: String,
    pub xml: String,
    pub json: String,
}

#[napi(object, js_name = "Flagged")]
pub struct JsFlagged {
    pub violations: Uint8Array,
    pub skips: Uint8Array,
    pub files: Vec<JsFlaggedFile>,
    pub marks: Uint32Array,
    pub hits: Vec<u32>,
}

impl From<Flagged> for JsFlagged {
    fn from(flagged: Flagged) -> Self {
        let marks = flagged.marks.iter().flat_map(|m| [m.bodies, u32::from(m.is_skip), m.violation_bytes, m.skip_bytes, m.files]);
        Self {
            marks: marks.collect::<Vec<_>>().into(),
            violations: flagged.violations.into(),
            skips: flagged.skips.into(),
            files: flagged.files.into_iter().map(|FlaggedFile { name, xml, json }| JsFlaggedFile { name, xml, json }).collect(),
            hits: flagged.hits,
        }
    }
}

#[napi(object)]
pub struct Piece {
    pub seq: f64,
    pub end: bool,
    pub fault: Option<JsFault>,
    pub offset: f64,
    pub xml_bytes: f64,
    pub compressed_bytes: f64,
    pub read: f64,
    pub empty: f64,
    pub skipped: f64,
    pub unchanged: f64,
    pub held: f64,
    pub unknown_ids: f64,
    pub records: u32,
    pub bytes: u32,
    pub table: u32,
    pub own: Option<Uint8Array>,
    pub digest: String,
    pub last_id: Option<String>,
    pub rejects: Vec<JsReject>,
    pub flagged: Option<JsFlagged>,
    pub resume: Option<JsResume>,
    pub data_type: Option<String>,
    pub log_bytes: Option<u32>,
    pub seen: Option<JsSeen>,
}

#[napi]
pub fn pull_piece(handle: u32, mut slot: Uint8Array) -> Result<Piece> {
    let shared = held(&SOURCES, handle)?;
    // SAFETY: JavaScript gives each slot to one pull at a time, and nobody reads it before the pull has answered.
    let slot = unsafe { slot.as_mut() };
    Ok(WORKER.with_borrow_mut(|worker| pull::pull(&shared, worker, slot).into()))
}

impl From<Pulled<'_>> for Piece {
    fn from(pulled: Pulled) -> Self {
        let Pulled { seq, offset, xml_bytes, compressed, finished, fault, resume, data_type, log, seen, mut out } = pulled;
        let (read, empty, skipped, unknown_ids, digest, bytes) = (out.read, out.empty, out.skipped, out.unknown_ids, out.digest, out.len());
        let (unchanged, held) = (out.unchanged, out.held);
        let last_id = out.last_id.take();
        let rejects = std::mem::take(&mut out.rejects);
        let flagged = std::mem::take(&mut out.flagged);
        let records = out.columns.ends.len() as u32;
        let (table, own) = out.finish(log.as_deref().unwrap_or_default());
        Piece {
            seq: seq as f64,
            end: finished,
            fault: fault.map(JsFault::from),
            offset: offset as f64,
            xml_bytes: xml_bytes as f64,
            compressed_bytes: compressed as f64,
            read: read as f64,
            empty: empty as f64,
            skipped: skipped as f64,
            unchanged: unchanged as f64,
            held: held as f64,
            unknown_ids: unknown_ids as f64,
            records,
            bytes: bytes as u32,
            table: table as u32,
            own: own.map(Uint8Array::from),
            digest: digest.to_hex(),
            last_id,
            rejects: rejects.into_iter().map(JsReject::from).collect(),
            flagged: (!flagged.is_empty()).then(|| flagged.into()),
            resume: resume.map(JsResume::from),
            data_type: data_type.map(|data_type| data_type.as_str().to_owned()),
            log_bytes: log.map(|log| log.len() as u32),
            seen: seen.map(JsSeen::from),
        }
    }
}

/// Whole records that somebody has as bytes already, without their root.
#[napi(object)]
pub struct RecordBytes {
    pub data_type: String,
    pub contract: String,
}

fn frame_of(name: &str) -> Result<Frame> {
    let data_type = DataType::from_name(name.as_bytes()).ok_or_else(|| Error::from_reason(format!("{name} is no data type")))?;
    Ok(Frame { data_type, root_name: name.as_bytes().to_vec(), line_form: Some(b"\n".to_vec()), limits: Limits::default() })
}

#[napi]
pub fn split_records(xml: Uint8Array, data_type: String) -> Result<Vec<f64>> {
    let frame = frame_of(&data_type)?;
    let splitter = crate::split::Splitter::new(&frame);
    WORKER.with_borrow_mut(|worker| {
        worker.buffer.set(&xml);
        let cut = worker.buffer.cut(&splitter, 0);
        Ok(cut.map_or(vec![0.0, 0.0], |cut| vec![cut.records as f64, cut.end as f64]))
    })
}

#[napi]
pub fn parse_records(xml: Uint8Array, kind: RecordBytes, mut slot: Uint8Array) -> Result<Piece> {
    let frame = frame_of(&kind.data_type)?;
    let contract = if kind.contract == "fanout" { Contract::Fanout } else { Contract::Topic };
    // SAFETY: as for `pull_piece`.
    let slot = unsafe { slot.as_mut() };
    WORKER.with_borrow_mut(|worker| {
        worker.buffer.set(&xml);
        let raw = match worker.buffer.cut(&crate::split::Splitter::new(&frame), 0) {
            Some(cut) => Raw { end: cut.end, read: cut.records, ..Raw::default() },
            None => return Err(Error::from_reason("these are not plain whole records")),
        };
        let apply = Apply { contract, rejects: RejectRules { raw_bytes_max: 0 }, rules: None, detecting: None, wanted: None };
        Ok(pull::parsed(worker, raw, Some(frame), &apply, slot).into())
    })
}

#[napi]
pub fn sha256(data: Uint8Array) -> String {
    hash::hex(&hash::sha256(&data))
}

#[napi]
pub fn stop_source(handle: u32) {
    if let Ok(shared) = held(&SOURCES, handle) {
        shared.stop.store(true, Ordering::Relaxed);
    }
}

#[napi(object)]
pub struct Identity {
    pub device: String,
    pub inode: String,
    pub size: f64,
    pub mtime_ns: String,
    pub ctime_ns: String,
}

#[napi]
pub fn source_identity(handle: u32) -> Result<Identity> {
    identity_of(&held(&SOURCES, handle)?.file).map_err(thrown)
}

pub(crate) fn identity_of(file: &File) -> std::result::Result<Identity, Fault> {
    let meta = file.metadata().map_err(|e| Fault::new(Code::Unreadable, 0, e.to_string()))?;
    let nanoseconds = |seconds: i64, rest: i64| (seconds as i128 * 1_000_000_000 + rest as i128).to_string();
    Ok(Identity {
        device: meta.dev().to_string(),
        inode: meta.ino().to_string(),
        size: meta.size() as f64,
        mtime_ns: nanoseconds(meta.mtime(), meta.mtime_nsec()),
        ctime_ns: nanoseconds(meta.ctime(), meta.ctime_nsec()),
    })
}

#[napi]
pub fn close_source(handle: u32) {
    stop_source(handle);
    lock(&SOURCES).remove(&handle);
}

#[napi]
pub fn source_memory(handle: u32) -> Result<f64> {
    Ok(held(&SOURCES, handle)?.peak.load(Ordering::Relaxed) as f64)
}

#[napi(object)]
pub struct VerifyOptions {
    pub path: String,
    pub backend: String,
    pub sha256: bool,
    pub inflate: bool,
    pub inflated_bytes_max: f64,
    pub inflate_ratio_max: f64,
}

#[napi(object)]
pub struct VerifyStep {
    pub done: bool,
    pub fault: Option<JsFault>,
    pub compressed_bytes: f64,
    pub inflated_bytes: f64,
    pub sha256: Option<String>,
}

#[napi]
pub fn open_verify(options: VerifyOptions) -> Result<u32> {
    let limits = Limits { inflated_bytes: options.inflated_bytes_max as u64, inflate_ratio: options.inflate_ratio_max as u64, ..Limits::default() };
    let options = verify::Options { backend: backend(&options.backend), path: options.path, sha256: options.sha256, inflate: options.inflate, limits };
    let verify = guarded(|| verify::Verify::open(&options, Arc::default())).map_err(thrown)?;
    Ok(keep(&VERIFICATIONS, Arc::new(Mutex::new(verify))))
}

#[napi]
pub fn verify_step(handle: u32, bytes: f64) -> Result<VerifyStep> {
    let verify = held(&VERIFICATIONS, handle)?;
    let mut verify = lock(&verify);
    let result = guarded(|| verify.step(bytes as u64));
    let (compressed, inflated) = verify.progress();
    Ok(VerifyStep {
        done: matches!(result, Ok(true)),
        fault: result.err().map(JsFault::from),
        compressed_bytes: compressed as f64,
        inflated_bytes: inflated as f64,
        sha256: verify.sha256().map(str::to_owned),
    })
}

#[napi]
pub fn close_verify(handle: u32) {
    lock(&VERIFICATIONS).remove(&handle);
}

#[napi]
pub fn lock_file(path: String, holder: String) -> Result<Option<u32>> {
    let file = lock::take(&path, &holder).map_err(|e| {
        let code = match e.kind() {
            ErrorKind::PermissionDenied => "EACCES",
            ErrorKind::ReadOnlyFilesystem => "EROFS",
            ErrorKind::StorageFull => "ENOSPC",
            ErrorKind::NotFound => "ENOENT",
            _ => "EIO",
        };
        Error::from_reason(format!("{code}: {e}"))
    })?;
    Ok(file.map(|file| keep(&LOCKS, file)))
}

#[napi]
pub fn unlock_file(handle: u32) {
    lock(&LOCKS).remove(&handle);
}

#[napi(js_name = "xxh3_64")]
pub fn xxh3_64(data: Uint8Array) -> BigInt {
    BigInt::from(hash::xxh3_64(&data))
}

#[napi(js_name = "xxh3_128")]
pub fn xxh3_128(data: Uint8Array) -> String {
    format!("{:032x}", hash::xxh3_128(&data))
}

#[napi(object)]
pub struct Library {
    pub name: String,
    pub version: String,
}

#[napi(object)]
pub struct BuildInfo {
    pub version: String,
    pub inflate: Vec<Library>,
    pub cpu_features: Vec<String>,
    pub target: String,
}

#[napi]
pub fn build_info() -> BuildInfo {
    BuildInfo {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        inflate: inflate::versions().into_iter().map(|(name, version)| Library { name: name.to_owned(), version }).collect(),
        cpu_features: simd::cpu_features().into_iter().map(str::to_owned).collect(),
        target: format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
    }
}

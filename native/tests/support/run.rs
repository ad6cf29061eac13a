//! Runs the core over bytes the way the binding does, and takes down all that comes out.

use std::fs;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use deadwax_native::contract::{Contract, DataType};
use deadwax_native::detect::{Detector, Log, Settings};
use deadwax_native::fault::{Code, Fault};
use deadwax_native::flagged::{Flagged, FlaggedFile};
use deadwax_native::gzip::Reader;
use deadwax_native::hash::{SetDigest, hex, sha256};
use deadwax_native::inflate::Backend;
use deadwax_native::input::Input;
use deadwax_native::limits::Limits;
use deadwax_native::packed::{Columns, Output, Reject};
use deadwax_native::parse::{Parser, RejectRules};
use deadwax_native::rules::Rules;
use deadwax_native::source::{Buffer, Resume, Source, Spacing};

/// How to run.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    pub data_type: DataType,
    pub contract: Contract,
    pub backend: Backend,
    pub chunk: usize,
    pub limits: Limits,
    pub raw_max: usize,
    /// Ask for a checkpoint after every record.
    pub checkpoints: bool,
    pub by_definition: bool,
    pub slot: usize,
    pub rules: Option<&'static Arc<Rules>>,
}

/// What a run with a comparison tells beside its outcome.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// One a piece.
    pub frames: Vec<Vec<u8>>,
    pub kinds: Vec<u8>,
}

impl Setup {
    pub fn new(data_type: DataType, contract: Contract) -> Self {
        let limits = Limits::default();
        Self {
            data_type,
            contract,
            backend: Backend::ZlibNg,
            chunk: 1 << 16,
            limits,
            raw_max: 4096,
            checkpoints: false,
            by_definition: false,
            slot: 1 << 16,
            rules: None,
        }
    }
}

/// All that came out of a file. Two runs over the same bytes must be equal, whatever the way they were cut and read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Each with the LF behind it.
    pub bodies: Vec<Vec<u8>>,
    /// Bytes of XML and both xxh3 of each record.
    pub columns: Vec<(u32, u64, u128)>,
    pub rejects: Vec<Reject>,
    pub read: u64,
    pub empty: u64,
    pub skipped: u64,
    pub unchanged: u64,
    pub held: u64,
    pub unknown_ids: u64,
    /// Flagged records: the body they are or stand before, whether they are skipped, and how many files there are up to them.
    pub flags: Vec<(u64, bool, u64)>,
    /// Lines of violations and of skips, without their times.
    pub violations: Vec<String>,
    pub skips: Vec<String>,
    pub files: Vec<FlaggedFile>,
    /// Violations by rule.
    pub hits: Vec<u32>,
    pub fault: Option<Fault>,
}

/// A place to go on from, and how much of the outcome lies before it.
#[derive(Debug)]
pub struct Mark {
    pub resume: Resume,
    pub before: Outcome,
}

/// What a run tells beside its outcome.
#[derive(Debug, Default)]
pub struct Watch {
    pub marks: Vec<Mark>,
    pub pieces: u64,
    /// Pieces that did not fit the slot.
    pub own_pieces: u64,
    /// Largest memory that the buffer and the source's carry had.
    pub buffer_bytes: usize,
    pub carry_bytes: usize,
}

/// A file with the given bytes, gone with the value.
pub struct TempFile(PathBuf);

impl TempFile {
    pub fn new(bytes: &[u8]) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let path = std::env::temp_dir().join(format!("deadwax-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
        fs::write(&path, bytes).expect("the temporary folder is writable");
        Self(path)
    }

    pub fn path(&self) -> &str {
        self.0.to_str().expect("a UTF-8 path")
    }

    pub fn input(&self) -> Input {
        Input::open(Some(self.path()), Arc::default()).expect("the file was just written")
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Runs over `bytes`, gzip or plain.
pub fn run(bytes: &[u8], setup: &Setup) -> Outcome {
    run_watched(&TempFile::new(bytes), setup).0
}

/// Runs over a file.
pub fn run_watched(file: &TempFile, setup: &Setup) -> (Outcome, Watch) {
    let spacing = setup.checkpoints.then_some(Spacing { records: 1, time: Duration::from_secs(3600), bytes: u64::MAX });
    let reader = Reader::new(file.input(), setup.backend, setup.limits);
    let (outcome, watch, _) = drain(Source::new(reader, Some(setup.data_type), setup.limits, setup.chunk, setup.raw_max, spacing), setup, None);
    (outcome, watch)
}

/// Runs over `bytes`, holding the records against an index. As many detectors take turns as there are threads to pull.
pub fn run_compared(bytes: &[u8], setup: &Setup, settings: &Settings, threads: usize) -> (Outcome, Changes) {
    let file = TempFile::new(bytes);
    let reader = Reader::new(file.input(), setup.backend, setup.limits);
    let source = Source::new(reader, Some(setup.data_type), setup.limits, setup.chunk, setup.raw_max, None);
    let detectors = (0..threads).map(|_| Detector::new(settings)).collect();
    let (outcome, _, changes) = drain(source, setup, Some(detectors));
    (outcome, changes)
}

/// Runs over what is behind a mark.
pub fn run_on(file: &TempFile, resume: &Resume, setup: &Setup) -> Outcome {
    let source = Reader::resume(file.input(), setup.backend, setup.limits, &resume.point)
        .and_then(|reader| Source::new(reader, Some(setup.data_type), setup.limits, setup.chunk, setup.raw_max, None).resumed(resume, setup.data_type));
    match source {
        Ok(source) => drain(source, setup, None).0,
        Err(fault) => Outcome { fault: Some(fault), ..Outcome::default() },
    }
}

fn drain(mut source: Source, setup: &Setup, mut detectors: Option<Vec<Detector>>) -> (Outcome, Watch, Changes) {
    let (mut outcome, mut watch, mut changes) = (Outcome::default(), Watch::default(), Changes::default());
    // In turns, as with two threads: what one holds is not of the piece before.
    let (mut buffers, mut columns) = ([Buffer::default(), Buffer::default()], Columns::default());
    let mut parser: Option<Parser> = None;
    let mut slot = vec![0; setup.slot];
    let mut next_offset = None;
    loop {
        let buffer = &mut buffers[(watch.pieces % 2) as usize];
        let mut raw = source.next(buffer);
        watch.pieces += 1;
        watch.buffer_bytes = watch.buffer_bytes.max(buffer.capacity());
        watch.carry_bytes = watch.carry_bytes.max(source.peak());
        assert_eq!(raw.seq + 1, watch.pieces, "pieces are numbered");
        assert!(raw.start <= raw.end && raw.end <= buffer.filled().len(), "a piece is in its buffer");
        if raw.skipped.is_none() {
            assert!(next_offset.is_none_or(|at| at == raw.base), "pieces follow one another: {next_offset:?}, {}", raw.base);
        }
        next_offset = Some(raw.base + raw.end as u64);
        let mut out = Output::new(&mut slot, &mut columns);
        let mut fault = None;
        if let Some(frame) = source.frame().cloned() {
            let parser = parser.get_or_insert_with(|| Parser::new(frame.data_type, setup.contract));
            parser.by_definition = setup.by_definition;
            parser.set_rules(setup.rules);
            parser.detector = detectors.as_mut().and_then(Vec::pop);
            fault = parser.piece(buffer, &raw, &frame, RejectRules { raw_bytes_max: setup.raw_max }, &mut out).err();
            if let Some((detectors, detector)) = detectors.as_mut().zip(parser.detector.take()) {
                detectors.insert(0, detector);
            }
        }
        let fault = fault.or(raw.fault.take());
        let piece = Results::of(out);
        let own = piece.own.as_deref();
        let memory = own.unwrap_or(&slot);
        take(&mut outcome, &piece, &memory[..piece.len], fault.is_none());
        if let Some((kinds, log)) = &piece.compared {
            assert_eq!(kinds.len(), piece.ends.len(), "a kind for each body");
            changes.kinds.extend(kinds);
            changes.frames.push(memory[log.clone()].to_vec());
        }
        watch.own_pieces += u64::from(own.is_some());
        if let Some(resume) = raw.resume.take() {
            assert!(fault.is_none(), "no checkpoint in a piece with a fault");
            watch.marks.push(Mark { resume, before: outcome.clone() });
        }
        if fault.is_some() || raw.finished {
            assert!(fault.is_none() || !raw.finished, "an end is an end or a fault");
            outcome.fault = fault;
            return (outcome, watch, changes);
        }
        assert!(watch.pieces < 1 << 24, "a run comes to an end");
    }
}

/// What a piece says of its bodies, which are in the slot or in memory of its own.
struct Results {
    own: Option<Vec<u8>>,
    len: usize,
    /// The kinds, and where the log lies in the memory, if records were compared.
    compared: Option<(Vec<u8>, Range<usize>)>,
    ends: Vec<u32>,
    columns: Vec<(u32, u64, u128)>,
    shas: Vec<[u8; 32]>,
    rejects: Vec<Reject>,
    read: u64,
    empty: u64,
    skipped: u64,
    unchanged: u64,
    held: u64,
    unknown_ids: u64,
    flagged: Flagged,
    digest: SetDigest,
    last_id: Option<String>,
}

impl Results {
    fn of(mut out: Output) -> Self {
        let c = &out.columns;
        let columns = c.xml_bytes.iter().zip(&c.xxh3_64).zip(&c.xxh3_128).map(|((&a, &b), &c)| (a, b, c)).collect();
        let (ends, shas, kinds, columns_bytes) = (c.ends.clone(), c.sha256.clone(), c.kinds.clone(), c.bytes());
        let (rejects, last_id) = (std::mem::take(&mut out.rejects), out.last_id.take());
        let (len, read, empty, unknown_ids, digest) = (out.len(), out.read, out.empty, out.unknown_ids, out.digest);
        let (skipped, flagged) = (out.skipped, std::mem::take(&mut out.flagged));
        let (unchanged, held) = (out.unchanged, out.held);
        assert_eq!(out.bodies as usize, ends.len(), "bodies are counted");
        let log = out.log.take().map(Log::finish);
        let (table, own) = out.finish(log.as_deref().unwrap_or_default());
        assert!(table >= len && table.is_multiple_of(8), "the table lies behind the bodies");
        let behind = table + columns_bytes;
        let compared = log.map(|log| (kinds, behind..behind + log.len()));
        Self { own, len, compared, ends, columns, shas, rejects, read, empty, skipped, unchanged, held, unknown_ids, flagged, digest, last_id }
    }
}

/// Adds a piece's results, having held what it says of itself against its bytes.
fn take(outcome: &mut Outcome, piece: &Results, bytes: &[u8], sound: bool) {
    let (mut from, mut want, mut last) = (0, SetDigest::default(), None);
    for (&end, sha) in piece.ends.iter().zip(&piece.shas) {
        let body = &bytes[from..=end as usize];
        let (id, hash) = check_body(body);
        assert_eq!(hash, hex(sha), "the hash column");
        want.add(id.as_bytes(), hash.as_bytes());
        last = Some(id);
        outcome.bodies.push(body.to_vec());
        from = end as usize + 1;
    }
    assert_eq!(from, bytes.len(), "bodies fill the bytes");
    assert_eq!(piece.digest, want, "the digest");
    assert_eq!(piece.last_id, last, "the last id");
    assert!([piece.shas.len(), piece.columns.len()].iter().all(|&n| n == piece.ends.len()), "columns are of one length");
    if sound {
        let out = piece.ends.len() as u64 + piece.unchanged + piece.held + piece.empty + piece.skipped + piece.rejects.len() as u64;
        assert_eq!(piece.read, out, "read = bodies + unchanged + held + empty + skipped + rejects in a piece");
    }
    take_flagged(outcome, &piece.flagged, (outcome.bodies.len() - piece.ends.len()) as u64);
    assert_eq!(piece.flagged.marks.iter().filter(|mark| mark.is_skip).count() as u64, piece.skipped, "a mark for each skip");
    outcome.columns.extend(&piece.columns);
    outcome.rejects.extend(piece.rejects.iter().cloned());
    outcome.read += piece.read;
    outcome.empty += piece.empty;
    outcome.skipped += piece.skipped;
    outcome.unchanged += piece.unchanged;
    outcome.held += piece.held;
    outcome.unknown_ids += piece.unknown_ids;
}

/// Adds what rules have found, having held marks and counts against the lines.
fn take_flagged(outcome: &mut Outcome, flagged: &Flagged, bodies: u64) {
    let (violations, skips) = (lines(&flagged.violations), lines(&flagged.skips));
    let ends = |bytes: &[u8]| bytes.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(i, _)| i as u32 + 1).chain([0]).collect::<Vec<_>>();
    let (violation_ends, skip_ends) = (ends(&flagged.violations), ends(&flagged.skips));
    for mark in &flagged.marks {
        assert!(violation_ends.contains(&mark.violation_bytes) && skip_ends.contains(&mark.skip_bytes), "marks are at ends of lines");
    }
    assert_eq!(flagged.hits.iter().sum::<u32>() as usize, violations.len(), "a line for each violation");
    let last = flagged.marks.last().map_or((0, 0, 0), |mark| (mark.violation_bytes as usize, mark.skip_bytes as usize, mark.files as usize));
    assert_eq!(last, (flagged.violations.len(), flagged.skips.len(), flagged.files.len()), "the last mark is behind everything");
    let files = outcome.files.len() as u64;
    outcome.flags.extend(flagged.marks.iter().map(|mark| (bodies + mark.bodies as u64, mark.is_skip, files + mark.files as u64)));
    outcome.violations.extend(violations);
    outcome.skips.extend(skips);
    outcome.files.extend(flagged.files.iter().cloned());
    outcome.hits.resize(outcome.hits.len().max(flagged.hits.len()), 0);
    outcome.hits.iter_mut().zip(&flagged.hits).for_each(|(sum, hits)| *sum += hits);
}

/// Lines without the times that stand in them.
fn lines(bytes: &[u8]) -> Vec<String> {
    let text = std::str::from_utf8(bytes).expect("lines are UTF-8");
    let without_time = |line: &str| {
        let mut object: serde_json::Value = serde_json::from_str(line).expect("a line is JSON");
        assert_eq!(object.to_string(), line, "compact, with sorted keys");
        let time = object["timestamp"].take();
        assert!(time.as_str().is_some_and(|time| time.len() == 35 && time.ends_with("+00:00")), "{time}");
        object.to_string()
    };
    text.lines().map(without_time).collect()
}

/// Checks that a body is what the contract says around any record: its id and its hash.
pub fn check_body(body: &[u8]) -> (String, String) {
    let text = std::str::from_utf8(body).expect("bodies are UTF-8");
    let json = text.strip_suffix('\n').expect("a body ends in LF");
    assert!(!json.contains('\n'), "one body is one line");
    let _: serde_json::Value = serde_json::from_str(json).unwrap_or_else(|e| panic!("a body is JSON: {e}: {json}"));
    let rest = json.strip_prefix("{\"type\":\"data\",\"id\":").expect("the envelope begins the body");
    let mut ids = serde_json::Deserializer::from_str(rest).into_iter::<String>();
    let id = ids.next().expect("an id").expect("an id is a string");
    let rest = rest[ids.byte_offset()..].strip_prefix(",\"sha256\":\"").expect("the hash follows the id");
    let (hash, rest) = rest.split_at(64);
    let object = match rest.strip_prefix("\",") {
        Some(members) => format!("{{{members}"),
        None => rest.strip_prefix('"').map(|end| format!("{{{end}")).expect("members or the end follow the hash"),
    };
    assert_eq!(hex(&sha256(object.as_bytes())), hash, "the hash is that of the record's object");
    (id, hash.to_owned())
}

/// Whether a fault says that the file, not a single record, is bad.
pub fn is_of_the_file(fault: &Fault) -> bool {
    matches!(fault.code, Code::Corrupt | Code::Malformed | Code::TooLarge)
}

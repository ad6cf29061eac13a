//! One pull: a piece of a source, cut off under the file's lock and parsed outside of it, so that the next thread can go on inflating.
//!
//! (Where nothing has changed, looking at pieces costs little beside inflating them. Making a piece of many small steps there, that stay in a
//! core's cache, and handing an eighth as many over to Node, was tried: 1.70 instead of 1.74 CPU seconds for 1.6 GB, and no less in all.)

use std::fs::File;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::contract::{Contract, DataType};
use crate::detect::{Detector, Log, Settings};
use crate::fault::Fault;
use crate::guard::{guarded, lock};
use crate::index;
use crate::packed::{Columns, Output};
use crate::parse::{Parser, RejectRules};
use crate::rules::Rules;
use crate::scan::Frame;
use crate::source::{Buffer, Raw, Resume, Source};
use crate::wanted::{Seen, Wanted};

/// What records are held against, and what finds it, when it is not at work. They are the source's and not a thread's, so that closing it
/// closes the index.
pub struct Detecting {
    pub settings: Settings,
    idle: Mutex<Vec<Detector>>,
}

impl Detecting {
    pub fn new(settings: Settings) -> Self {
        Self { settings, idle: Mutex::default() }
    }

    fn take(&self) -> Detector {
        let idle = lock(&self.idle).pop();
        idle.unwrap_or_else(|| Detector::new(&self.settings))
    }
}

/// How the records of a source are taken.
pub struct Apply {
    pub contract: Contract,
    pub rejects: RejectRules,
    pub rules: Option<Arc<Rules>>,
    pub detecting: Option<Detecting>,
    pub wanted: Option<Arc<Wanted>>,
}

/// A source that threads pull from, and what may be asked of it without waiting for its lock.
pub struct Shared {
    pub source: Mutex<Source>,
    pub apply: Apply,
    /// Makes running and later pulls return soon.
    pub stop: Arc<AtomicBool>,
    /// Peak bytes of a thread's buffer.
    pub peak: AtomicUsize,
    /// The open file, to look at.
    pub file: File,
    /// See [`Source::unchanged`].
    unchanged: Arc<AtomicU64>,
}

impl Shared {
    pub fn new(source: Source, apply: Apply, stop: Arc<AtomicBool>, file: File) -> Self {
        let unchanged = source.unchanged();
        Self { source: Mutex::new(source), apply, stop, peak: AtomicUsize::new(0), file, unchanged }
    }
}

/// What a thread keeps between pulls.
#[derive(Default)]
pub struct Worker {
    pub buffer: Buffer,
    columns: Columns,
    parsers: Vec<Parser>,
}

/// A piece that was pulled.
pub struct Pulled<'a> {
    pub seq: u64,
    /// Inflated offset of its first byte, and how many it covers.
    pub offset: u64,
    pub xml_bytes: u64,
    pub compressed: u64,
    pub finished: bool,
    pub fault: Option<Fault>,
    pub resume: Option<Resume>,
    /// None before the root element.
    pub data_type: Option<DataType>,
    /// The frame for the ledger, if records are compared.
    pub log: Option<Vec<u8>>,
    /// If ids are looked for.
    pub seen: Option<Seen>,
    pub out: Output<'a>,
}

/// Pulls the next piece into `slot`.
pub fn pull<'a>(shared: &Shared, worker: &'a mut Worker, slot: &'a mut [u8]) -> Pulled<'a> {
    let mut frame = None;
    let raw = guarded(|| {
        let mut source = lock(&shared.source);
        let raw = source.next(&mut worker.buffer);
        frame = source.frame().cloned();
        Ok(raw)
    });
    shared.peak.fetch_max(worker.buffer.capacity(), Ordering::Relaxed);
    let raw = raw.unwrap_or_else(|fault| Raw { seq: lock(&shared.source).give_up(), fault: Some(fault), ..Raw::default() });
    let pulled = parsed(worker, raw, frame, &shared.apply, slot);
    shared.unchanged.fetch_add(pulled.out.unchanged, Ordering::Relaxed);
    pulled
}

/// Parses the piece in the worker's buffer into `slot`.
pub fn parsed<'a>(worker: &'a mut Worker, mut raw: Raw, frame: Option<Frame>, apply: &Apply, slot: &'a mut [u8]) -> Pulled<'a> {
    let Worker { buffer, columns, parsers } = worker;
    let mut out = Output::new(slot, columns);
    let fault = parse(parsers, buffer, &raw, frame.as_ref(), apply, &mut out);
    // A piece without records has a frame too.
    let compares = apply.detecting.as_ref().is_some_and(|detecting| detecting.settings.comparison.is_some());
    let log = compares.then(|| out.log.take().map_or_else(|| index::Frame::new().finish(), Log::finish));
    Pulled {
        seq: raw.seq,
        offset: raw.base + raw.start as u64,
        xml_bytes: (raw.end - raw.start) as u64,
        compressed: raw.compressed,
        finished: raw.finished,
        // A fault of the parser comes before the source's own, which lies behind the piece.
        fault: fault.or(raw.fault.take()),
        resume: raw.resume.take(),
        data_type: frame.map(|frame| frame.data_type),
        log,
        seen: apply.wanted.as_ref().map(|_| std::mem::take(&mut out.seen)),
        out,
    }
}

/// Parses a piece of the buffer into `out`; returns what is wrong.
fn parse(parsers: &mut Vec<Parser>, buffer: &Buffer, raw: &Raw, frame: Option<&Frame>, apply: &Apply, out: &mut Output) -> Option<Fault> {
    let frame = frame?;
    let work = || {
        let at = parsers.iter().position(|p| p.fits(frame.data_type, apply.contract)).unwrap_or_else(|| {
            parsers.push(Parser::new(frame.data_type, apply.contract));
            parsers.len() - 1
        });
        let parser = &mut parsers[at];
        parser.set_rules(apply.rules.as_ref());
        parser.set_wanted(apply.wanted.as_ref());
        parser.detector = apply.detecting.as_ref().map(Detecting::take);
        let parsed = parser.piece(buffer, raw, frame, apply.rejects, out);
        if let Some((detecting, detector)) = apply.detecting.as_ref().zip(parser.detector.take()) {
            lock(&detecting.idle).push(detector);
        }
        parsed
    };
    guarded(work).err()
}

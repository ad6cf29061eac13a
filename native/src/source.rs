//! A file as a sequence of pieces: whole records, in order, each cut off under the file's lock and parsed outside of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::contract::DataType;
use crate::document;
use crate::fault::{Code, Fault, Kind};
use crate::gzip::{Point, Reader};
use crate::limits::Limits;
use crate::scan::{Frame, LINE_FORM_BYTES_MAX, Step, Unit, Walk, What};
use crate::simd::PAD;
use crate::split::{Cut, Splitter};

/// A thread's own buffer of inflated bytes; [`PAD`] zero bytes always follow the filled part.
#[derive(Default)]
pub struct Buffer {
    bytes: Vec<u8>,
    len: usize,
    /// Where each record of a piece cut by the splitter ends.
    ends: Vec<u32>,
}

impl Buffer {
    /// The filled part.
    pub fn filled(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// The ends of the records that the last [`Buffer::cut`] found.
    pub fn ends(&self) -> &[u32] {
        &self.ends
    }

    /// Cuts off whole records from `from` on; see [`Splitter::cut`].
    pub fn cut(&mut self, splitter: &Splitter, from: usize) -> Option<Cut> {
        let cut = splitter.cut(&self.bytes[..self.len], from, &mut self.ends);
        if cut.is_none() {
            self.ends.clear();
        }
        cut
    }

    /// Bytes of memory held.
    pub fn capacity(&self) -> usize {
        self.bytes.capacity() + self.ends.capacity() * size_of::<u32>()
    }

    /// Replaces the content; used by tests and by callers that have their bytes already.
    pub fn set(&mut self, bytes: &[u8]) {
        self.len = 0;
        self.room(bytes.len());
        self.bytes[..bytes.len()].copy_from_slice(bytes);
        self.grown(bytes.len());
    }

    /// Makes sure that `n` bytes fit in all; gives memory back that a giant record needed.
    fn room(&mut self, n: usize) {
        if self.bytes.len() > 4 * (n + PAD) && self.len == 0 {
            self.bytes = Vec::new();
        }
        if self.bytes.len() < n + PAD {
            self.bytes.resize(n + PAD, 0);
        }
    }

    fn grown(&mut self, n: usize) {
        self.len += n;
        self.bytes[self.len..self.len + PAD].fill(0);
    }

    fn drop_front(&mut self, n: usize) {
        self.bytes.copy_within(n..self.len, 0);
        self.len -= n;
        self.grown(0);
    }
}

/// How to go on behind a piece.
#[derive(Clone, Debug)]
pub struct Resume {
    pub point: Point,
    /// Inflated offset of the place between records to go on from.
    pub record_offset: u64,
    pub root_name: Vec<u8>,
    pub line_form: Option<Vec<u8>>,
}

/// A record too large to be kept, passed over.
#[derive(Debug)]
pub struct Skipped {
    pub offset: u64,
    /// Its first bytes.
    pub head: Vec<u8>,
}

/// A piece in a [`Buffer`], not yet parsed.
#[derive(Debug, Default)]
pub struct Raw {
    pub seq: u64,
    /// Inflated offset of the buffer's first byte.
    pub base: u64,
    /// The piece's range in the buffer.
    pub start: usize,
    pub end: usize,
    /// Records counted by the splitter.
    pub read: u64,
    /// What the scanner found, where the splitter could not tell; else the piece is records and white space.
    pub units: Option<Vec<Unit>>,
    pub skipped: Option<Skipped>,
    pub resume: Option<Resume>,
    pub compressed: u64,
    /// The file was read to a sound end; nothing follows.
    pub finished: bool,
    pub fault: Option<Fault>,
}

/// When checkpoints are due.
#[derive(Clone, Copy, Debug)]
pub struct Spacing {
    pub records: u64,
    pub time: Duration,
    /// Inflated bytes.
    pub bytes: u64,
}

enum Phase {
    Opening,
    Content,
    Epilog,
    Over,
}

/// A file being cut into pieces.
pub struct Source {
    reader: Reader,
    phase: Phase,
    data_type: Option<DataType>,
    limits: Limits,
    chunk: usize,
    raw_max: usize,
    frame: Option<(Frame, Splitter)>,
    carry: Vec<u8>,
    /// Inflated offset of the first carried byte.
    base: u64,
    seq: u64,
    spacing: Option<Spacing>,
    since: (u64, Instant),
    /// Records that turned out not to be delivered, told by those who parse: reading them again costs next to nothing, so that they
    /// bring no checkpoint nearer. And how many there were at the last one.
    unchanged: Arc<AtomicU64>,
    unchanged_before: u64,
    /// Inflated offset at which a point was asked for last.
    since_base: u64,
    point: Option<Point>,
    peak: usize,
}

impl Source {
    pub fn new(reader: Reader, data_type: Option<DataType>, limits: Limits, chunk: usize, raw_max: usize, spacing: Option<Spacing>) -> Self {
        Self {
            reader,
            phase: Phase::Opening,
            data_type,
            limits,
            chunk,
            raw_max,
            frame: None,
            carry: Vec::new(),
            base: 0,
            seq: 0,
            spacing,
            since: (0, Instant::now()),
            unchanged: Arc::default(),
            unchanged_before: 0,
            since_base: 0,
            point: None,
            peak: 0,
        }
    }

    /// A source that goes on where `resume` was given out; `reader` stands at its point.
    pub fn resumed(mut self, resume: &Resume, data_type: DataType) -> Result<Self, Fault> {
        let mut rest = resume.record_offset.saturating_sub(self.reader.inflated());
        let mut sink = vec![0; 64 << 10];
        while rest > 0 {
            let n = self.reader.fill(&mut sink[..rest.min(64 << 10) as usize])?;
            if n == 0 {
                return Err(Fault::new(Code::Corrupt, self.reader.inflated(), "the file ends before the checkpoint; run with --force to start afresh"));
            }
            rest -= n as u64;
        }
        let frame = Frame { data_type, root_name: resume.root_name.clone(), line_form: resume.line_form.clone(), limits: self.limits };
        self.base = resume.record_offset;
        self.since_base = self.base;
        self.enter(frame);
        Ok(self)
    }

    fn enter(&mut self, frame: Frame) {
        self.data_type = Some(frame.data_type);
        let splitter = Splitter::new(&frame);
        self.frame = Some((frame, splitter));
        self.phase = Phase::Content;
    }

    /// Ends the source after a panic: the number of the piece that it was in.
    pub fn give_up(&mut self) -> u64 {
        self.phase = Phase::Over;
        self.seq.saturating_sub(1)
    }

    pub fn frame(&self) -> Option<&Frame> {
        self.frame.as_ref().map(|(frame, _)| frame)
    }

    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Where those who parse count the records that are not delivered.
    pub fn unchanged(&self) -> Arc<AtomicU64> {
        self.unchanged.clone()
    }

    /// Peak bytes of what the source itself carried between pieces.
    pub fn peak(&self) -> usize {
        self.peak
    }

    /// Inflates and cuts off the next piece into `buffer`.
    pub fn next(&mut self, buffer: &mut Buffer) -> Raw {
        let mut raw = Raw { seq: self.seq, base: self.base, ..Raw::default() };
        self.seq += 1;
        buffer.len = 0;
        buffer.ends.clear();
        buffer.room(self.chunk.max(self.carry.len()));
        buffer.bytes[..self.carry.len()].copy_from_slice(&self.carry);
        buffer.grown(self.carry.len());
        self.carry.clear();
        if let Err(fault) = self.fill_piece(buffer, &mut raw) {
            raw.fault = Some(fault);
            self.phase = Phase::Over;
        }
        // What follows the piece is carried to the next one.
        if raw.fault.is_none() {
            self.carry.extend_from_slice(&buffer.filled()[raw.end..]);
        }
        self.base = raw.base + raw.end as u64;
        self.peak = self.peak.max(self.carry.capacity());
        raw.compressed = self.reader.compressed();
        self.checkpoint(&mut raw);
        raw
    }

    fn checkpoint(&mut self, raw: &mut Raw) {
        let Some(spacing) = self.spacing else { return };
        self.since.0 += raw.read;
        let unchanged = self.unchanged.load(Ordering::Relaxed) - self.unchanged_before;
        let is_due =
            self.since.0.saturating_sub(unchanged) >= spacing.records || self.base - self.since_base >= spacing.bytes || self.since.1.elapsed() >= spacing.time;
        if is_due {
            self.since = (0, Instant::now());
            self.unchanged_before += unchanged;
            self.since_base = self.base;
            self.reader.want_point();
        }
        if let Some(point) = self.reader.take_point() {
            self.point = Some(point);
        }
        let (Phase::Content, Some((frame, _))) = (&self.phase, &self.frame) else { return };
        if self.point.as_ref().is_some_and(|point| point.inflated <= self.base) {
            raw.resume = self.point.take().map(|point| Resume {
                point,
                record_offset: self.base,
                root_name: frame.root_name.clone(),
                line_form: frame.line_form.clone(),
            });
        }
    }

    /// Fills the buffer up to `target` bytes; true at the sound end of the file.
    fn fill(&mut self, buffer: &mut Buffer, target: usize) -> Result<bool, Fault> {
        buffer.room(target);
        while buffer.len < target {
            let n = self.reader.fill(&mut buffer.bytes[buffer.len..target])?;
            if n == 0 {
                return Ok(true);
            }
            buffer.grown(n);
        }
        Ok(false)
    }

    fn fill_piece(&mut self, buffer: &mut Buffer, raw: &mut Raw) -> Result<(), Fault> {
        let mut target = self.chunk;
        loop {
            let mut broken = None;
            let eof = match self.fill(buffer, target) {
                Ok(eof) => eof,
                Err(fault) if fault.code == Code::Stopped => return Err(fault),
                // The whole records before the fault are given out first.
                Err(fault) => {
                    broken = Some(fault);
                    false
                }
            };
            let whole = self.advance(buffer, raw, eof)?;
            match broken {
                // What the splitter left behind the piece comes with the next one, which meets the fault again.
                Some(_) if whole && raw.read > 0 => return Ok(()),
                Some(fault) => return Err(fault),
                None if whole => return Ok(()),
                None => {}
            }
            if target > self.limits.record_bytes + self.chunk {
                return Err(Fault::new(
                    Code::Malformed,
                    self.base,
                    "markup or text outside of records is larger than the record limit; raise --max-record-bytes if the file is to be trusted",
                ));
            }
            target = (buffer.len + self.chunk).max(buffer.len * 2).min(self.limits.record_bytes + 2 * self.chunk);
        }
    }

    /// Moves on as far as the bytes go; false if the piece needs more of them.
    fn advance(&mut self, buffer: &mut Buffer, raw: &mut Raw, eof: bool) -> Result<bool, Fault> {
        if matches!(self.phase, Phase::Opening) {
            let fix = |mut fault: Fault| {
                fault.offset += raw.base;
                fault
            };
            let Some(opening) = document::open(buffer.filled(), eof, self.data_type, &self.limits).map_err(fix)? else { return Ok(false) };
            self.enter(opening.frame);
            raw.start = opening.start;
            raw.end = opening.start;
            if opening.empty {
                self.phase = Phase::Epilog;
            }
        }
        match self.phase {
            Phase::Content => self.content(buffer, raw, eof),
            Phase::Epilog => {
                let mut at = raw.end;
                document::epilog(buffer.filled(), &mut at, eof).map_err(|mut fault| {
                    fault.offset += raw.base;
                    fault
                })?;
                (raw.start, raw.end) = (at, at);
                if eof {
                    self.phase = Phase::Over;
                    raw.finished = true;
                }
                // White space goes piece by piece; markup that is not whole waits for the rest of it.
                Ok(eof || at == buffer.len)
            }
            Phase::Over | Phase::Opening => {
                raw.finished = true;
                Ok(true)
            }
        }
    }

    fn content(&mut self, buffer: &mut Buffer, raw: &mut Raw, eof: bool) -> Result<bool, Fault> {
        let Some((frame, splitter)) = self.frame.take() else { return Ok(false) };
        let result = match buffer.cut(&splitter, raw.end) {
            Some(cut) => {
                raw.end = cut.end;
                raw.read = cut.records;
                Ok(true)
            }
            None => self.scan(&frame, buffer, raw, eof),
        };
        self.frame = Some((frame, splitter));
        result
    }

    /// Cuts with the scanner, unit by unit.
    fn scan(&mut self, frame: &Frame, buffer: &mut Buffer, raw: &mut Raw, eof: bool) -> Result<bool, Fault> {
        let mut units = Vec::new();
        let mut walk = None;
        let mut at = raw.end;
        let mut fault = None;
        loop {
            match frame.unit(buffer.filled(), at, eof, &mut walk) {
                Step::Unit(unit) => {
                    at = unit.end;
                    if unit.what == What::RootEnd {
                        self.phase = Phase::Epilog;
                        break;
                    }
                    units.push(unit);
                }
                Step::More if units.is_empty() => {
                    let start = walk.as_ref().map(|w: &Walk| w.start);
                    return match start {
                        Some(start) if buffer.len - start > self.limits.record_bytes => self.skip(frame, buffer, raw, walk).map(|()| true),
                        // What stands before a giant record is passed over first, so that the record is met at the buffer's start.
                        Some(start) if buffer.len > self.limits.record_bytes && start > 0 => {
                            raw.end = start;
                            raw.units = Some(units);
                            Ok(true)
                        }
                        _ => Ok(false),
                    };
                }
                Step::More => break,
                Step::Unclosed(what) => {
                    let offset = raw.base + walk.as_ref().map_or(at, |w: &Walk| w.start) as u64;
                    fault = Some(Fault::new(Code::Malformed, offset, what));
                    break;
                }
            }
        }
        raw.end = at;
        raw.read = units.len() as u64;
        raw.units = Some(units);
        fault.map_or(Ok(true), Err)
    }

    /// Passes over a record beyond the limit, keeping only its head.
    fn skip(&mut self, frame: &Frame, buffer: &mut Buffer, raw: &mut Raw, mut walk: Option<Walk>) -> Result<(), Fault> {
        let Some(start) = walk.as_ref().map(|w| w.start) else { return Ok(()) };
        let head = buffer.filled()[start..].iter().take(self.raw_max).copied().collect();
        raw.skipped = Some(Skipped { offset: raw.base + start as u64, head });
        raw.read = 1;
        loop {
            if let Some(walk) = &mut walk {
                walk.blame(Kind::RecordTooLarge, start);
                walk.swallow(frame, buffer.filled());
                let drop = walk.at().saturating_sub(LINE_FORM_BYTES_MAX).min(buffer.len);
                buffer.drop_front(drop);
                walk.shift(drop);
                raw.base += drop as u64;
                // Should the file break here, there is nothing in the piece.
                (raw.start, raw.end) = (0, 0);
            }
            let target = (buffer.len + self.chunk).max(self.chunk);
            let eof = self.fill(buffer, target)?;
            match frame.unit(buffer.filled(), 0, eof, &mut walk) {
                Step::Unit(unit) => {
                    (raw.start, raw.end) = (unit.end, unit.end);
                    return Ok(());
                }
                Step::More => {}
                Step::Unclosed(what) => {
                    raw.end = buffer.len;
                    raw.start = raw.end;
                    return Err(Fault::new(Code::Malformed, raw.base + raw.end as u64, what));
                }
            }
        }
    }
}

//! A piece to message bodies: the fast path for what dumps hold, the defining reader for the rest, rejects for what is broken.

use std::sync::Arc;

use crate::body::{self, Batch, HEX, MIDDLE, PREFIX};
use crate::check::{Answer, Checker};
use crate::contract::{Contract, DataType};
use crate::detect::{Candidate, Detector, Kind as ChangeKind, Lookup};
use crate::emit::{Emitter, room};
use crate::fault::{Code, Fault, Kind};
use crate::flagged::{KEPT_BYTES_MAX, Kept, keeps_record};
use crate::judge;
use crate::names::NAME_BYTES_MAX;
use crate::packed::{Output, Reject};
use crate::rules::Rules as QualityRules;
use crate::scan::{Frame, Step, Unit, What};
use crate::shapes::Content;
use crate::source::{Buffer, Raw};
use crate::tape::Rules;
use crate::tree::{self, Record};
use crate::wanted::{Found, Wanted};
use crate::{attributes, hash, json, utf8};

/// Where a rejected record's id is looked for, in bytes from its start.
const ID_LOOK_BYTES: usize = 4096;

/// Parses pieces of one data type into one contract; keeps what it has learnt.
pub struct Parser {
    emitter: Emitter,
    data_type: DataType,
    contract: Contract,
    /// For bodies whose room is not in the slot.
    aside: Vec<u8>,
    batch: Batch,
    form: Option<Form>,
    /// Looks at records with the data quality rules, if there are any.
    checker: Option<Checker>,
    /// Tells which records have changed, or which are wanted at all, if that is asked.
    pub detector: Option<Detector>,
    /// What went wrong in the index.
    fault: Option<Fault>,
    /// The ids that are looked for; None: all records are given out.
    wanted: Option<Arc<Wanted>>,
    /// Address of the buffer that is parsed: what a record's own is told by.
    origin: usize,
    /// Take the defining reader always; for tests that hold the two against each other.
    pub by_definition: bool,
}

/// A search for record starts in line form, and the form it is for.
struct Form {
    of: Vec<u8>,
    finder: memchr::memmem::Finder<'static>,
}

/// Whether a record that holds an element of its own name may end inside, by a start in line form; the scanner then decides.
fn may_end_inside(form: &mut Option<Form>, frame: &Frame, inside: &[u8]) -> bool {
    let Some(of) = &frame.line_form else { return false };
    if form.as_ref().is_none_or(|f| f.of != *of) {
        let needle = [of.as_slice(), b"<", frame.data_type.record_name()].concat();
        *form = Some(Form { of: of.clone(), finder: memchr::memmem::Finder::new(&needle).into_owned() });
    }
    form.as_ref().is_some_and(|f| f.finder.find(inside).is_some())
}

/// What a parser keeps rejects within.
#[derive(Clone, Copy)]
pub struct RejectRules {
    pub raw_bytes_max: usize,
}

impl Parser {
    pub fn new(data_type: DataType, contract: Contract) -> Self {
        Self {
            emitter: Emitter::new(data_type, contract),
            data_type,
            contract,
            aside: Vec::new(),
            batch: Batch::default(),
            form: None,
            checker: None,
            detector: None,
            fault: None,
            wanted: None,
            origin: 0,
            by_definition: false,
        }
    }

    /// Holds the records of later pieces against these rules, or none. Only the fanout contract has rules.
    pub fn set_rules(&mut self, rules: Option<&Arc<QualityRules>>) {
        let rules = rules.filter(|rules| self.contract == Contract::Fanout && !rules.of(self.data_type).is_empty());
        match (rules, &self.checker) {
            (Some(rules), Some(checker)) if checker.fits(rules) => {}
            (Some(rules), _) => self.checker = Some(Checker::new(rules, self.data_type, &mut self.emitter.names)),
            (None, _) => self.checker = None,
        }
    }

    /// Gives out only records with these ids, and takes down what ids there are; None: all records, and nothing.
    pub fn set_wanted(&mut self, wanted: Option<&Arc<Wanted>>) {
        self.wanted = wanted.cloned();
    }

    /// Whether this parser is for the type and contract.
    pub fn fits(&self, data_type: DataType, contract: Contract) -> bool {
        (self.data_type, self.contract) == (data_type, contract)
    }

    /// Parses the piece `raw` in `buffer` into `out`.
    pub fn piece(&mut self, buffer: &Buffer, raw: &Raw, frame: &Frame, rules: RejectRules, out: &mut Output) -> Result<(), Fault> {
        out.read = raw.read;
        out.log = self.detector.as_ref().and_then(Detector::log);
        self.fault = None;
        let xml = buffer.filled();
        self.origin = xml.as_ptr() as usize;
        if let Some(skipped) = &raw.skipped {
            if self.detector.as_ref().is_some_and(Detector::picks) {
                out.unchanged += 1;
            } else {
                out.rejects.push(reject(&skipped.head, skipped.offset, Kind::RecordTooLarge, skipped.offset, self.data_type, rules));
            }
        }
        self.batch.clear();
        let result = match &raw.units {
            Some(units) => {
                for unit in units {
                    self.unit(xml, raw.base, unit, frame, rules, out);
                }
                Ok(())
            }
            None if self.detector.as_ref().is_some_and(Detector::sifts) => self.sifted(xml, raw, buffer.ends(), frame, rules, out),
            None => self.plain(xml, raw, frame, rules, out),
        };
        self.batch.settle(out);
        if self.wanted.is_some() {
            // One that is broken is told of to whoever looks for it.
            let Output { rejects, seen, .. } = out;
            rejects.iter().filter_map(|reject| reject.id.as_ref()).for_each(|id| seen.widen(id.as_bytes()));
        }
        self.fault.take().map_or(result, Err)
    }

    /// A piece that was cut by the splitter, of which not every record has to be parsed.
    fn sifted(&mut self, xml: &[u8], raw: &Raw, ends: &[u32], frame: &Frame, rules: RejectRules, out: &mut Output) -> Result<(), Fault> {
        let xml = &xml[..raw.end];
        let mut at = raw.start;
        out.read = u64::from(raw.skipped.is_some());
        for &end in ends {
            let end = end as usize;
            at += xml[at..end].iter().take_while(|&&b| attributes::is_space(b)).count();
            if self.passes(&xml[at..end], out) {
                out.read += 1;
                at = end;
                continue;
            }
            let valid = at + utf8::valid_up_to(&xml[at..end]);
            while at < end && self.fault.is_none() {
                out.read += 1;
                self.emitter.tape.cursor.reset(at, end);
                if let Some(behind) = self.fast(xml, at, valid, frame, out) {
                    at = behind;
                    continue;
                }
                match frame.unit(xml, at, true, &mut None) {
                    Step::Unit(unit) => {
                        self.unit(xml, raw.base, &unit, frame, rules, out);
                        at = unit.end;
                    }
                    other => return Err(Fault::new(Code::Internal, raw.base + at as u64, format!("the splitter and the scanner disagree: {other:?}"))),
                }
                at += xml[at..end].iter().take_while(|&&b| attributes::is_space(b)).count();
            }
        }
        Ok(())
    }

    /// Whether a record is done with by its bytes alone: nobody wants it, or it is as the index has it.
    fn passes(&mut self, record: &[u8], out: &mut Output) -> bool {
        let Some(detector) = self.detector.as_mut().filter(|detector| detector.sifts()) else { return false };
        let raw = hash::xxh3_64(record);
        if !detector.wants(raw) {
            out.unchanged += 1;
            return true;
        }
        if self.by_definition {
            return false;
        }
        match (detector.next(raw), &mut out.log) {
            (Ok(Some(pos)), Some(log)) => {
                out.unchanged += 1;
                log.seen(pos);
                true
            }
            (Err(fault), _) => {
                self.fault.get_or_insert(fault);
                true
            }
            _ => false,
        }
    }

    /// A piece that is records and white space, cut by the splitter.
    fn plain(&mut self, xml: &[u8], raw: &Raw, frame: &Frame, rules: RejectRules, out: &mut Output) -> Result<(), Fault> {
        let xml = &xml[..raw.end];
        let valid = raw.start + utf8::valid_up_to(&xml[raw.start..]);
        let mut at = raw.start;
        let mut whole = true;
        self.emitter.tape.cursor.reset(at, raw.end);
        loop {
            at += xml[at..].iter().take_while(|&&b| attributes::is_space(b)).count();
            if at >= raw.end {
                break;
            }
            if let Some(end) = self.fast(xml, at, valid, frame, out) {
                at = end;
                continue;
            }
            match frame.unit(xml, at, true, &mut None) {
                Step::Unit(unit) => {
                    whole &= unit.what == What::Record;
                    self.unit(xml, raw.base, &unit, frame, rules, out);
                    at = unit.end;
                }
                other => return Err(Fault::new(Code::Internal, raw.base + at as u64, format!("the splitter and the scanner disagree: {other:?}"))),
            }
            self.emitter.tape.cursor.reset(at, raw.end);
        }
        if !whole {
            out.read = recount(xml, raw, frame)?;
        }
        Ok(())
    }

    /// The fast path for the record at `at`: the offset behind it, if it could be taken.
    fn fast(&mut self, xml: &[u8], at: usize, valid: usize, frame: &Frame, out: &mut Output) -> Option<usize> {
        // Names are not held against a limit here: there are no longer ones on the tape.
        if self.by_definition || frame.limits.name_bytes < NAME_BYTES_MAX {
            return None;
        }
        let rules = Rules { depth: frame.limits.depth, attributes: frame.limits.attributes, mixed_text_is_odd: self.contract == Contract::Fanout };
        let e = &mut self.emitter;
        // SAFETY: `xml` is the front of a Buffer, with PAD bytes behind it.
        let end = unsafe { e.tape.read(&mut e.names, rules, xml.as_ptr()) }.ok()?;
        let root = e.tape.nodes[0];
        let record = &xml[at..end];
        let fits = root.name == e.record_name
            && root.content != Content::Empty
            && record.len() <= frame.limits.record_bytes
            && !(e.tape.nested && may_end_inside(&mut self.form, frame, &record[1..]))
            && (end <= valid || std::str::from_utf8(record).is_ok());
        if !fits {
            return None;
        }
        let id = e.id(xml)?;
        if let Some(wanted) = &self.wanted
            && !wanted.has(&xml[id.0..id.1])
        {
            out.seen.note(&xml[id.0..id.1]);
            return Some(end);
        }
        let mut candidate = None;
        if let (Some(detector), Some(log)) = (&mut self.detector, &mut out.log) {
            match detector.look_up(&xml[id.0..id.1], || hash::xxh3_64(record)) {
                Ok(Lookup::Candidate(found)) => candidate = Some(found),
                Ok(Lookup::Seen(pos)) => {
                    out.unchanged += 1;
                    log.seen(pos);
                    return Some(end);
                }
                Err(fault) => {
                    self.fault.get_or_insert(fault);
                    return Some(end);
                }
            }
        }
        let answer = self.checker.as_mut().map_or(Answer::Clean, |checker| checker.check(&e.tape, xml));
        if answer == Answer::Unsure {
            self.slow(record, out);
            return Some(end);
        }
        let need = room(record.len());
        let place = out.place(need);
        let base = match place {
            Some(base) => base,
            None => {
                self.aside.clear();
                self.aside.reserve(need);
                self.aside.as_mut_ptr()
            }
        };
        // SAFETY: `need` bytes at `base` are writable.
        let len = unsafe { write_body(&mut self.emitter, xml, id, base) }?;
        if place.is_some() {
            out.placed(len);
        } else {
            // SAFETY: `len` bytes were written.
            unsafe { self.aside.set_len(len) };
            out.append(&self.aside);
            // A giant record's memory is not kept.
            if self.aside.capacity() > 64 << 20 {
                self.aside = Vec::new();
            }
        }
        if answer == Answer::Hits {
            self.flag(record, &String::from_utf8_lossy(&xml[id.0..id.1]), out);
        }
        if let (Some(candidate), Some(log)) = (candidate, &mut out.log) {
            log.wait(candidate);
        }
        self.batch.add(len, id.1 - id.0, record, out);
        if self.wanted.is_some() {
            out.seen.note(&xml[id.0..id.1]);
            self.found(record, &String::from_utf8_lossy(&xml[id.0..id.1]), false, out);
        }
        Some(end)
    }

    /// Takes down what the rules report of the record checked last, which no filter changes.
    #[cold]
    fn flag(&self, record: &[u8], id: &str, out: &mut Output) {
        let Some(checker) = &self.checker else { return };
        let (rules, hits) = (&checker.rules, checker.hits());
        let parsed = if keeps_record(rules, hits, record) { tree::parse(record, self.data_type, self.contract) } else { Record::Empty };
        let kept = match &parsed {
            Record::Object { map, .. } => Some(Kept { name: self.data_type.record_name(), parsed: map, filtered: map }),
            Record::Empty => None,
        };
        out.flagged.violations(out.bodies, id, rules, hits, kept.as_ref());
    }

    /// One unit as the scanner found it.
    fn unit(&mut self, xml: &[u8], base: u64, unit: &Unit, frame: &Frame, rules: RejectRules, out: &mut Output) {
        let bytes = &xml[unit.start..unit.end];
        match unit.what {
            What::RootEnd => {}
            What::Reject { .. } if self.detector.as_ref().is_some_and(Detector::picks) => out.unchanged += 1,
            What::Reject { kind, at } => out.rejects.push(reject(bytes, base + unit.start as u64, kind, base + at as u64, self.data_type, rules)),
            What::Record if self.passes(bytes, out) => {}
            What::Record => {
                self.emitter.tape.cursor.reset(unit.start, unit.end);
                let taken = std::str::from_utf8(bytes).is_ok() && self.fast(&xml[..unit.end], unit.start, unit.end, frame, out) == Some(unit.end);
                if !taken {
                    self.slow(bytes, out);
                }
            }
        }
    }

    /// The defining way for one well-formed record.
    fn slow(&mut self, record: &[u8], out: &mut Output) {
        let Record::Object { id, mut map } = tree::parse(record, self.data_type, self.contract) else {
            out.empty += 1;
            return;
        };
        let is_unknown = id.is_none();
        let mut candidate = None;
        if let (Some(detector), Some(log), Some(id)) = (&mut self.detector, &mut out.log, &id) {
            match detector.look_up(id.as_bytes(), || hash::xxh3_64(record)) {
                Ok(Lookup::Candidate(found)) => candidate = Some(found),
                Ok(Lookup::Seen(pos)) => {
                    out.unchanged += 1;
                    return log.seen(pos);
                }
                Err(fault) => {
                    self.fault.get_or_insert(fault);
                    return;
                }
            }
        }
        let id = id.unwrap_or_else(|| "unknown".to_owned());
        if self.passes_over(record, &id, out) {
            return;
        }
        if !self.judge(record, &id, &mut map, out) {
            out.skipped += 1;
            if self.wanted.is_some() {
                self.found(record, &id, true, out);
            }
            return;
        }
        tree::normalise(&mut map, self.data_type, self.contract);
        let mut object = Vec::new();
        json::write_value(&tree::Value::Object(map), &mut object);
        // Columns, and what is taken down, are in the order of records.
        self.batch.settle(out);
        let sha = hash::sha256(&object);
        match self.decide(candidate, record, &sha, out) {
            None => {}
            Some((kind, true)) => out.columns.kinds.push(kind.number()),
            Some((ChangeKind::Held, _)) => return out.held += 1,
            Some(_) => return out.unchanged += 1,
        }
        out.unknown_ids += u64::from(is_unknown);
        let mut body = PREFIX[..PREFIX.len() - 1].to_vec();
        json::write_string(&id, &mut body);
        body.extend_from_slice(&MIDDLE[1..]);
        body.extend_from_slice(hash::hex(&sha).as_bytes());
        body.push(b'"');
        if object.len() > 2 {
            object[0] = b',';
            body.extend_from_slice(&object);
        } else {
            body.push(b'}');
        }
        body.push(b'\n');
        out.append(&body);
        self.note(record, id.as_bytes(), sha, out);
        if self.wanted.is_some() {
            self.found(record, &id, false, out);
        }
    }

    /// Takes down the id of an odd record; whether it is not among those that are looked for.
    fn passes_over(&self, record: &[u8], id: &str, out: &mut Output) -> bool {
        let Some(wanted) = &self.wanted else { return false };
        out.seen.note(id.as_bytes());
        // What was seen holds in both contracts, and of an odd record they may take different ids.
        let other = if self.contract == Contract::Topic { Contract::Fanout } else { Contract::Topic };
        if let Record::Object { id: Some(other), .. } = tree::parse(record, self.data_type, other)
            && other != id
        {
            out.seen.widen(other.as_bytes());
        }
        !wanted.has(id.as_bytes())
    }

    /// Takes down where a wanted record stands.
    fn found(&self, record: &[u8], id: &str, is_skipped: bool, out: &mut Output) {
        let start = record.as_ptr() as usize - self.origin;
        out.seen.found.push(Found { id: id.to_owned(), start, end: start + record.len(), is_skipped });
    }

    /// What has become of a record with this hash, and whether its body comes out; None if nobody asked.
    fn decide(&mut self, candidate: Option<Candidate>, record: &[u8], sha: &[u8; 32], out: &mut Output) -> Option<(ChangeKind, bool)> {
        let (Some(detector), Some(log)) = (&mut self.detector, &mut out.log) else { return None };
        match candidate.map_or_else(|| detector.look_up_unknown(sha), Ok) {
            Ok(candidate) => {
                log.wait(candidate);
                Some(log.decide(hash::xxh3_64(record), sha))
            }
            Err(fault) => {
                self.fault.get_or_insert(fault);
                Some((ChangeKind::Unchanged, false))
            }
        }
    }

    /// Holds a parsed record against the rules: what is to be changed is, what is reported is taken down. False if it is skipped.
    fn judge(&self, record: &[u8], id: &str, map: &mut tree::Map, out: &mut Output) -> bool {
        let Some(rules) = self.checker.as_ref().map(|checker| &checker.rules) else { return true };
        let name = self.data_type.record_name();
        if let Some((skip, value)) = judge::skip(rules, map) {
            let kept = (record.len() <= KEPT_BYTES_MAX).then_some(Kept { name, parsed: map, filtered: map });
            out.flagged.skip(out.bodies, id, &rules.skips[skip], &value, kept.as_ref());
            return false;
        }
        judge::filter(rules, map);
        let hits = judge::violations(rules, map);
        let hits = hits.as_slice();
        if hits.is_empty() {
            return true;
        }
        let parsed = if keeps_record(rules, hits, record) { tree::parse(record, self.data_type, self.contract) } else { Record::Empty };
        let kept = match &parsed {
            Record::Object { map: parsed, .. } => Some(Kept { name, parsed, filtered: map }),
            Record::Empty => None,
        };
        out.flagged.violations(out.bodies, id, rules, hits, kept.as_ref());
        true
    }

    /// Takes down the columns of the body that was just written.
    fn note(&self, record: &[u8], id: &[u8], sha: [u8; 32], out: &mut Output) {
        out.bodies += 1;
        let mut hex = [0u8; HEX];
        hash::hex_into(&sha, &mut hex);
        out.digest.add(id, &hex);
        out.last_id = Some(String::from_utf8_lossy(id).into_owned());
        let end = out.written() as u32 - 1;
        let (short, long) = hash::xxh3(record);
        out.columns.ends.push(end);
        out.columns.xml_bytes.push(record.len() as u32);
        out.columns.xxh3_64.push(short);
        out.columns.xxh3_128.push(long);
        out.columns.sha256.push(sha);
        out.settled();
    }
}

/// Writes a body with the emitter's record but without its hash: its length with the LF.
///
/// # Safety
/// [`room`] bytes at `base` are writable, `xml` has PAD bytes behind it.
unsafe fn write_body(emitter: &mut Emitter, xml: &[u8], id: (usize, usize), base: *mut u8) -> Option<usize> {
    // SAFETY: the caller's.
    unsafe {
        let object = body::begin(&xml[id.0..id.1], base);
        let end = emitter.record(xml.as_ptr(), object)?;
        // An object without members is the defining reader's.
        if end.offset_from(object) <= 2 {
            return None;
        }
        *end = b'\n';
        Some(end.add(1).offset_from(base) as usize)
    }
}

/// Counts the units of a piece with the scanner, where records turned out to be malformed.
fn recount(xml: &[u8], raw: &Raw, frame: &Frame) -> Result<u64, Fault> {
    let mut at = raw.start;
    let mut units = 0;
    loop {
        at += xml[at..].iter().take_while(|&&b| attributes::is_space(b)).count();
        if at >= raw.end {
            return Ok(units);
        }
        match frame.unit(xml, at, true, &mut None) {
            Step::Unit(unit) => at = unit.end,
            other => return Err(Fault::new(Code::Internal, raw.base + at as u64, format!("the splitter and the scanner disagree: {other:?}"))),
        }
        units += 1;
    }
}

/// Describes a rejected stretch.
fn reject(bytes: &[u8], offset: u64, kind: Kind, at: u64, data_type: DataType, rules: RejectRules) -> Reject {
    Reject {
        offset,
        id: reject_id(bytes, data_type),
        kind: kind.as_str(),
        message: format!("{}, at byte {at}", kind.describe()),
        raw: String::from_utf8_lossy(&bytes[..bytes.len().min(rules.raw_bytes_max)]).into_owned(),
    }
}

/// The id of a broken record, if its beginning has one.
fn reject_id(bytes: &[u8], data_type: DataType) -> Option<String> {
    let head = &bytes[..bytes.len().min(ID_LOOK_BYTES)];
    let after_name = head.strip_prefix(b"<")?.strip_prefix(data_type.record_name())?;
    let tag = &after_name[..memchr::memchr2(b'>', b'<', after_name)?];
    let by_attribute = attributes::Attributes::new(tag).find(|a| a.name == b"id").and_then(|a| a.value);
    let by_child = || {
        let from = memchr::memmem::find(head, b"<id>")? + 4;
        Some(&head[from..from + memchr::memchr(b'<', &head[from..])?])
    };
    by_attribute.or_else(by_child).map(|id| String::from_utf8_lossy(id).into_owned())
}

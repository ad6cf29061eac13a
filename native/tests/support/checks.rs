//! What must hold for any bytes: property tests, and fuzzing, ask it of theirs. Each answers what is wrong.

use std::collections::BTreeSet;
use std::sync::Arc;

use deadwax_native::contract::Contract;
use deadwax_native::document;
use deadwax_native::fault::{Code, Fault};
use deadwax_native::gzip::Reader;
use deadwax_native::inflate::Backend;
use deadwax_native::limits::Limits;
use deadwax_native::packed::Reject;
use deadwax_native::rules::Rules;
use deadwax_native::scan::{Frame, Step, What};
use deadwax_native::source::Buffer;
use deadwax_native::split::Splitter;

use super::documents::type_of;
use super::gzips;
use super::run::{Outcome, Setup, TempFile, run, run_on, run_watched};

/// Nothing, or what is wrong.
pub type Check = Result<(), String>;

pub const CONTRACTS: [Contract; 2] = [Contract::Topic, Contract::Fanout];
pub const BACKENDS: [Backend; 2] = [Backend::ZlibNg, Backend::ZlibRs];

/// Fails with a short account of how two outcomes differ.
pub fn same(what: &str, left: &Outcome, right: &Outcome) -> Check {
    if left == right {
        return Ok(());
    }
    let show = |body: Option<&Vec<u8>>| body.map_or("nothing".to_owned(), |b| b.escape_ascii().to_string());
    let first = (0..).find(|&i| left.bodies.get(i) != right.bodies.get(i) || i >= left.bodies.len());
    let bodies = first.map_or(String::new(), |i| format!("body {i}: {} | {}", show(left.bodies.get(i)), show(right.bodies.get(i))));
    let rest = |o: &Outcome| {
        format!(
            "read {} empty {} skipped {} unknown {} flags {:?} violations {:?} skips {:?} files {:?} rejects {:?} fault {:?}",
            o.read,
            o.empty,
            o.skipped,
            o.unknown_ids,
            o.flags,
            o.violations,
            o.skips,
            o.files,
            o.rejects.iter().map(|r| (r.offset, r.kind, &r.id, &r.message, &r.raw)).collect::<Vec<_>>(),
            o.fault
        )
    };
    Err(format!("{what}: {bodies}\n  {}\n  {}", rest(left), rest(right)))
}

/// The fast path gives what the defining reader gives.
pub fn fast_equals_definition(xml: &[u8], limits: Limits) -> Check {
    for contract in CONTRACTS {
        let setup = Setup { limits, ..Setup::new(type_of(xml), contract) };
        let fast = run(xml, &setup);
        same("fast | definition", &fast, &run(xml, &Setup { by_definition: true, ..setup }))?;
        // Too small a slot, so that bodies go elsewhere.
        same("large slot | small slot", &fast, &run(xml, &Setup { slot: 100, ..setup }))?;
        conserved(&fast)?;
    }
    Ok(())
}

/// With rules too, the fast path gives what the defining reader gives, however the bytes are cut.
pub fn rules_do_not_depend_on_the_way(xml: &[u8], rules: &'static Arc<Rules>, chunk: usize) -> Check {
    let setup = Setup { rules: Some(rules), ..Setup::new(type_of(xml), Contract::Fanout) };
    let fast = run(xml, &setup);
    same("fast | definition, with rules", &fast, &run(xml, &Setup { by_definition: true, ..setup }))?;
    if fast.fault.is_none() {
        same("whole | pieces, with rules", &fast, &run(xml, &Setup { chunk, slot: 300, ..setup }))?;
    }
    conserved(&fast)
}

/// Everything that was read is accounted for, unless the file failed.
pub fn conserved(outcome: &Outcome) -> Check {
    let out = outcome.bodies.len() as u64 + outcome.rejects.len() as u64 + outcome.empty + outcome.skipped + outcome.unchanged + outcome.held;
    match &outcome.fault {
        None if outcome.read != out => Err(format!("read {} but gave out {out}", outcome.read)),
        _ => Ok(()),
    }
}

/// Markup between records that is near the record limit is refused or not depending on the piece: memory is what counts there.
const TOO_MUCH_OUTSIDE: &str = "markup or text outside of records";

/// However the bytes are cut, the same comes out.
pub fn cuts_do_not_matter(xml: &[u8], chunks: &[usize], limits: Limits) -> Check {
    if xml.is_empty() {
        return Ok(());
    }
    let data_type = type_of(xml);
    let contract = CONTRACTS[xml.len() % 2];
    let setup = Setup { limits, raw_max: 64, ..Setup::new(data_type, contract) };
    let whole = run(xml, &Setup { chunk: xml.len() + 1000, ..setup });
    for &chunk in chunks {
        let pieces = run(xml, &Setup { chunk, ..setup });
        same_unless_too_much(&format!("whole | pieces of {chunk}"), &whole, &pieces)?;
    }
    let gzip = gzips::member(xml, 6, 100);
    same_unless_too_much("plain | gzip", &whole, &run(&gzip, &Setup { chunk: chunks[0], backend: BACKENDS[xml.len() / 2 % 2], ..setup }))
}

fn same_unless_too_much(what: &str, left: &Outcome, right: &Outcome) -> Check {
    if [left, right].iter().any(|o| o.fault.as_ref().is_some_and(|f| f.message.starts_with(TOO_MUCH_OUTSIDE))) {
        return Ok(());
    }
    // The end of a file inside a giant record is told with or without a reject for the record.
    match (&left.fault, &right.fault) {
        (Some(a), Some(b)) if a.code == b.code && left.bodies == right.bodies => Ok(()),
        _ => {
            let (mut left, mut right) = (left.clone(), right.clone());
            for (a, b) in left.rejects.iter_mut().zip(&mut right.rejects) {
                forget_size(a, b);
            }
            same(what, &left, &right)
        }
    }
}

/// Of a reject that is a giant's in either outcome only the place is compared: how far its id is looked for depends on what is
/// in memory, and the few bytes that it takes to see that a record without an end tag is over count or do not count.
fn forget_size(a: &mut Reject, b: &mut Reject) {
    if a.offset == b.offset && [&a, &b].iter().any(|r| r.kind == "record-too-large") {
        *a = b.clone();
    }
}

/// Where the scanner says that units end, by the definition.
fn boundaries(frame: &Frame, xml: &[u8], start: usize) -> BTreeSet<usize> {
    let (mut at, mut walk) = (start, None);
    let mut ends = BTreeSet::new();
    ends.insert(start);
    while let Step::Unit(unit) = frame.unit(xml, at, true, &mut walk) {
        if unit.what == What::RootEnd {
            break;
        }
        at = unit.end;
        ends.insert(at);
    }
    ends
}

/// The splitter cuts only where units end, whatever is seen of the document.
pub fn cuts_are_boundaries(xml: &[u8], lengths: impl Iterator<Item = usize>) -> Check {
    let Ok(Some(opening)) = document::open(xml, true, Some(type_of(xml)), &Limits::default()) else { return Ok(()) };
    if opening.empty {
        return Ok(());
    }
    let splitter = Splitter::new(&opening.frame);
    let ends = boundaries(&opening.frame, xml, opening.start);
    let mut buffer = Buffer::default();
    for length in lengths.filter(|&n| n >= opening.start && n <= xml.len()) {
        buffer.set(&xml[..length]);
        for &from in ends.range(..=length) {
            let Some(cut) = buffer.cut(&splitter, from) else { continue };
            if cut.end <= from || !ends.contains(&cut.end) {
                return Err(format!("{length} bytes are cut from {from} to {}, which is none of {ends:?}", cut.end));
            }
            let told = buffer.ends();
            let sound = told.len() as u64 == cut.records && told.is_sorted() && told.last() == Some(&(cut.end as u32));
            if !sound || !told.iter().all(|&end| ends.contains(&(end as usize))) {
                return Err(format!("{length} bytes from {from}: {} records end at {told:?}, some of which are none of {ends:?}", cut.records));
            }
        }
    }
    Ok(())
}

/// From every checkpoint the rest comes out as it did.
pub fn resumes(xml: &[u8], file: &TempFile, chunk: usize) -> Result<usize, String> {
    let setup = Setup { checkpoints: true, chunk, ..Setup::new(type_of(xml), CONTRACTS[xml.len() % 2]) };
    let (whole, watch) = run_watched(file, &setup);
    let (plain, _) = run_watched(file, &Setup { checkpoints: false, ..setup });
    same("with checkpoints | without", &whole, &plain)?;
    for mark in &watch.marks {
        let expected = behind(&whole, &mark.before);
        for backend in BACKENDS {
            let got = run_on(file, &mark.resume, &Setup { backend, chunk: chunk * 3 + 1, ..setup });
            same(&format!("resumed at {} ({backend:?}, pieces of {chunk})", mark.resume.record_offset), &expected, &got)?;
        }
    }
    Ok(watch.marks.len())
}

/// What is in `whole` and not in `before`, its beginning.
fn behind(whole: &Outcome, before: &Outcome) -> Outcome {
    assert!(whole.bodies.starts_with(&before.bodies) && whole.rejects.starts_with(&before.rejects), "what was given out stays");
    Outcome {
        bodies: whole.bodies[before.bodies.len()..].to_vec(),
        columns: whole.columns[before.columns.len()..].to_vec(),
        rejects: whole.rejects[before.rejects.len()..].to_vec(),
        read: whole.read - before.read,
        empty: whole.empty - before.empty,
        unknown_ids: whole.unknown_ids - before.unknown_ids,
        fault: whole.fault.clone(),
        ..Outcome::default() // there are no rules here
    }
}

/// All the bytes of a file, or those before its fault, and how it ended.
pub fn inflate(file: &TempFile, backend: Backend, limits: Limits, room: usize) -> (Vec<u8>, Option<Fault>) {
    let mut reader = Reader::new(file.input(), backend, limits);
    let (mut bytes, mut buffer) = (Vec::new(), vec![0; room]);
    loop {
        match reader.fill(&mut buffer) {
            Ok(0) => return (bytes, None),
            Ok(n) => bytes.extend_from_slice(&buffer[..n]),
            Err(fault) => return (bytes, Some(fault)),
        }
    }
}

/// Any bytes inflate or are refused, the same way with either library and in any room.
pub fn inflates_or_refuses(bytes: &[u8]) -> Check {
    let file = TempFile::new(bytes);
    let limits = Limits { inflated_bytes: 1 << 20, ..Limits::default() };
    let (first, fault) = inflate(&file, Backend::ZlibNg, limits, 1 << 16);
    for (backend, room) in [(Backend::ZlibNg, 1), (Backend::ZlibNg, 997), (Backend::ZlibRs, 1 << 16), (Backend::ZlibRs, 13)] {
        if first.len() > 1 << 18 && room < 1000 {
            continue;
        }
        let (again, other) = inflate(&file, backend, limits, room);
        let same_end = fault.as_ref().map(|f| f.code) == other.as_ref().map(|f| f.code);
        // How far a damaged stream goes before the damage is noticed is a library's own business.
        let same_bytes = if fault.is_none() { first == again } else { first.starts_with(&again) || again.starts_with(&first) };
        if !same_end || !same_bytes {
            return Err(format!("{} bytes, {fault:?} | {backend:?} room {room}: {} bytes, {other:?}", first.len(), again.len()));
        }
    }
    match fault {
        Some(Fault { code: Code::Corrupt | Code::TooLarge, .. }) | None => Ok(()),
        Some(fault) => Err(format!("an unexpected fault: {fault:?}")),
    }
}

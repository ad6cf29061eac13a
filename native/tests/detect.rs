//! Comparing records with an index must say what a map of all records says, however the file is cut and whichever reader took them.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use deadwax_native::contract::{Contract, DataType};
use deadwax_native::detect::{Publish, Settings, Trust};
use deadwax_native::document;
use deadwax_native::fault::Code;
use deadwax_native::hash::xxh3_64;
use deadwax_native::index::{DIRTY, Entry, Index, MULTI, UNKNOWN, key_of};
use deadwax_native::limits::Limits;
use deadwax_native::scan::{Step, What};
use deadwax_native::tree::{self, Record};
use support::changes::{self, ByKey, Plain, comparing, decoded, expected};
use support::checks::{CONTRACTS, Check, same};
use support::documents::{self, type_of};
use support::random::{Rng, cases, for_all};
use support::records;
use support::run::{Changes, Outcome, Setup, run, run_compared};
use support::targets::RULES;

const CASES: usize = 250;
const LOW: Limits = Limits { record_bytes: 300, depth: 6, attributes: 3, name_bytes: 24, inflated_bytes: 1 << 40, inflate_ratio: 200 };

/// Where the number of a record stands that was made by [`records::plain`].
fn number_of(record: &[u8]) -> std::ops::Range<usize> {
    let from = record.iter().position(u8::is_ascii_digit).expect("plain records have a number");
    from..from + record[from..].iter().take_while(|b| b.is_ascii_digit()).count()
}

/// A document in the order of its ids, of which some come again, as they are or changed.
fn ascending(rng: &mut Rng, most: usize) -> Vec<u8> {
    let data_type = DataType::ALL[rng.below(4)];
    let mut all: Vec<(u64, Vec<u8>)> = Vec::new();
    for _ in 0..rng.few(most) + 1 {
        let mut record = Vec::new();
        records::plain(rng, data_type, &mut record);
        let id = number_of(&record);
        match all.last() {
            Some((number, last)) if rng.one_in(12) => {
                let again = if rng.one_in(2) { last.clone() } else { [&record[..id.start], number.to_string().as_bytes(), &record[id.end..]].concat() };
                all.push((*number, again));
            }
            _ => all.push((std::str::from_utf8(&record[id]).expect("digits").parse().expect("a number"), record)),
        }
    }
    all.sort_by_key(|(number, _)| *number);
    let root = data_type.as_str();
    let inside: Vec<u8> = all.into_iter().flat_map(|(_, record)| [b"\n".to_vec(), record].concat()).collect();
    [format!("<{root}>").as_bytes(), &inside, format!("\n</{root}>\n").as_bytes()].concat()
}

fn some_document(rng: &mut Rng) -> Vec<u8> {
    let most = if rng.one_in(40) {
        900
    } else if rng.one_in(6) {
        60
    } else {
        6
    };
    if rng.one_in(2) { ascending(rng, most) } else { documents::any(rng, most.min(100)) }
}

/// Fingerprints of the records without an id, found by the scanner and the defining reader.
fn nameless(xml: &[u8], contract: Contract, limits: Limits) -> BTreeSet<u64> {
    let mut found = BTreeSet::new();
    let Ok(Some(opening)) = document::open(xml, true, Some(type_of(xml)), &limits) else { return found };
    let mut at = opening.start;
    while let Step::Unit(unit) = opening.frame.unit(xml, at, true, &mut None) {
        if unit.what == What::RootEnd {
            break;
        }
        let record = &xml[unit.start..unit.end];
        if unit.what == What::Record && matches!(tree::parse(record, type_of(xml), contract), Record::Object { id: None, .. }) {
            found.insert(xxh3_64(record));
        }
        at = unit.end;
    }
    found
}

/// An index that has most of the records, each as it is or otherwise, and others; and the same as a map.
fn some_index(rng: &mut Rng, records: &[Plain]) -> (Arc<Index>, ByKey) {
    let mut entries = BTreeMap::<u64, (Vec<Entry>, Option<String>)>::new();
    for record in records {
        let key = record.key();
        let mut entry = Entry { key, raw: record.raw, hash: record.hash, flags: if record.id.is_none() { UNKNOWN } else { 0 } };
        match rng.below(12) {
            0 => continue,
            1 => entry.raw ^= 1,
            2 => entry.raw = 0,
            3 => (entry.raw, entry.hash[3]) = (entry.raw ^ 1, entry.hash[3] ^ 1),
            4 => entry.hash[15] ^= 1,
            5 => entry.flags |= DIRTY,
            6 => entry.flags |= MULTI,
            7 => (entry.raw, entry.hash[3], entry.flags) = (entry.raw ^ 1, entry.hash[3] ^ 1, entry.flags | MULTI),
            _ => {}
        }
        let mut several = vec![entry];
        if rng.one_in(15) {
            several[0].flags |= DIRTY;
            several.push(Entry { raw: rng.next(), ..several[0] });
            if rng.one_in(2) {
                several.swap(0, 1);
            }
        }
        entries.insert(key, (several, record.id.clone()));
    }
    for _ in 0..rng.few(30) {
        let id = if rng.one_in(8) { format!("odd {}", rng.below(1000)) } else { rng.below(1_000_000).to_string() };
        let key = key_of(id.as_bytes()).key;
        entries.entry(key).or_insert_with(|| (vec![Entry { key, raw: rng.next(), hash: [7; 16], flags: 0 }], Some(id)));
    }
    let mut map = ByKey::new();
    let all: Vec<_> = entries.into_values().flat_map(|(several, id)| several.into_iter().map(move |entry| (entry, id.clone()))).collect();
    for (pos, (entry, _)) in all.iter().enumerate() {
        map.entry(entry.key).or_default().push((pos as u64, *entry));
    }
    (changes::index_of(all), map)
}

/// What a run gave without an index, as records.
fn plain(xml: &[u8], setup: &Setup, outcome: &Outcome) -> Vec<Plain> {
    let nameless = nameless(xml, setup.contract, setup.limits);
    changes::records(outcome, &|raw| nameless.contains(&raw))
}

/// Holds a run with a comparison against the model of it.
fn as_expected(what: &str, want: &changes::Expected, outcome: &Outcome, said: &Changes) -> Check {
    let got = changes::Expected {
        found: said.frames.iter().flat_map(|frame| decoded(frame)).collect(),
        bodies: outcome.bodies.clone(),
        kinds: said.kinds.clone(),
        unchanged: outcome.unchanged,
        held: outcome.held,
    };
    if *want == got {
        return Ok(());
    }
    let first = (0..).find(|&i| want.found.get(i) != got.found.get(i) || i >= want.found.len()).unwrap_or(0);
    Err(format!(
        "{what}: finding {first} of {}: want {:x?}, got {:x?}; bodies {} {}, kinds {:?} {:?}, unchanged {} {}, held {} {}",
        want.found.len(),
        want.found.get(first),
        got.found.get(first),
        want.bodies.len(),
        got.bodies.len(),
        want.kinds,
        got.kinds,
        want.unchanged,
        got.unchanged,
        want.held,
        got.held
    ))
}

fn compares(xml: &[u8], limits: Limits) -> Check {
    if xml.is_empty() {
        return Ok(());
    }
    let mut rng = Rng::new(xml.len() as u64);
    for contract in CONTRACTS {
        let setup = Setup { limits, ..Setup::new(type_of(xml), contract) };
        let (index, map) = some_index(&mut rng, &plain(xml, &setup, &run(xml, &setup)));
        let trust = [Trust::Raw, Trust::Raw, Trust::Hash, Trust::Rebase][rng.below(4)];
        let publish = if rng.one_in(4) { Publish::All } else { Publish::Changes };
        for (chunk, slot, by_definition) in
            [(1 << 16, 1 << 16, false), (1 << 16, 100, true), (1 + rng.below(600), 300, false), (1 + rng.below(9), 1 << 16, false)]
        {
            let setup = Setup { chunk, slot, by_definition, ..setup };
            let whole = run(xml, &setup);
            let records = plain(xml, &setup, &whole);
            for (index, map, trust) in [(Some(index.clone()), &map, trust), (None, &ByKey::new(), Trust::Raw)] {
                let want = expected(&records, map, trust, publish);
                let (outcome, said) = run_compared(xml, &setup, &comparing(index, trust, publish), 1 + rng.below(3));
                let what = format!("{contract:?} {trust:?} {publish:?} pieces of {chunk}, by definition: {by_definition}");
                as_expected(&what, &want, &outcome, &said)?;
                let rest = |o: &Outcome| (o.rejects.clone(), o.read, o.empty, o.fault.clone());
                if rest(&whole) != rest(&outcome) {
                    return Err(format!("{what}: {:?} | {:?}", rest(&whole), rest(&outcome)));
                }
            }
        }
    }
    Ok(())
}

#[test]
fn what_became_of_records_is_what_a_map_says() {
    for_all("model", cases(CASES), some_document, |xml| compares(xml, Limits::default()));
}

#[test]
fn what_became_of_records_is_what_a_map_says_beyond_the_limits() {
    for_all("model, low limits", cases(CASES), some_document, |xml| compares(xml, LOW));
}

/// With `only`, just those come out, wherever they stand.
fn picks(xml: &[u8]) -> Check {
    if xml.is_empty() {
        return Ok(());
    }
    let mut rng = Rng::new(xml.len() as u64);
    let contract = CONTRACTS[xml.len() % 2];
    for chunk in [1 << 16, 1 + rng.below(600)] {
        let setup = Setup { chunk, ..Setup::new(type_of(xml), contract) };
        let whole = run(xml, &setup);
        let none = rng.next();
        let mut only: Vec<u64> = whole.columns.iter().map(|&(_, raw, _)| raw).filter(|_| rng.one_in(3)).chain([none]).collect();
        only.sort_unstable();
        let wanted = |raw: u64| only.contains(&raw);
        let records = plain(xml, &setup, &whole);
        let want: Vec<_> = records.iter().filter(|record| wanted(record.raw)).map(|record| record.body.clone()).collect();
        for comparison in [None, comparing(None, Trust::Raw, Publish::All).comparison] {
            let compared = comparison.is_some();
            let settings = Settings { comparison, only: Some(Arc::from(&only[..])) };
            let (outcome, said) = run_compared(xml, &setup, &settings, 1);
            if outcome.bodies != want || !outcome.rejects.is_empty() {
                return Err(format!("{} of {} came out, {} rejects", outcome.bodies.len(), want.len(), outcome.rejects.len()));
            }
            let kinds = if compared { want.len() } else { 0 };
            if said.kinds.len() != kinds || (said.frames.is_empty() && compared && !want.is_empty()) {
                return Err(format!("{} kinds, {} frames", said.kinds.len(), said.frames.len()));
            }
        }
    }
    Ok(())
}

#[test]
fn only_what_is_wanted_comes_out() {
    for_all("only", cases(CASES), some_document, picks);
}

/// With rules too, comparing does not depend on which reader took the records, and what rules report stands where it did.
fn rules_do_not_matter(xml: &[u8]) -> Check {
    if xml.is_empty() {
        return Ok(());
    }
    let mut rng = Rng::new(xml.len() as u64);
    let setup = Setup { rules: Some(&RULES), ..Setup::new(type_of(xml), Contract::Fanout) };
    let whole = run(xml, &setup);
    let (index, map) = some_index(&mut rng, &plain(xml, &setup, &whole));
    for trust in [Trust::Raw, Trust::Hash] {
        let settings = comparing(Some(index.clone()), trust, Publish::Changes);
        let (fast, said) = run_compared(xml, &setup, &settings, 1);
        as_expected("with rules", &expected(&plain(xml, &setup, &whole), &map, trust, Publish::Changes), &fast, &said)?;
        let (slow, said_slow) = run_compared(xml, &Setup { by_definition: true, slot: 100, ..setup }, &settings, 1);
        same("fast | definition, compared with rules", &fast, &slow)?;
        if said != said_slow {
            return Err(format!("{said:?} | {said_slow:?}"));
        }
        let reported = |o: &Outcome| (o.skipped, o.skips.clone());
        if reported(&fast) != reported(&whole) || (trust == Trust::Hash && fast.violations != whole.violations) {
            return Err(format!("rules report otherwise: {:?} | {:?}", fast.violations, whole.violations));
        }
    }
    Ok(())
}

#[test]
fn comparing_and_rules_go_together() {
    for_all("rules", cases(CASES), some_document, rules_do_not_matter);
}

#[test]
fn a_damaged_index_fails_the_file() {
    let mut rng = Rng::new(7);
    let xml = documents::document(&mut rng, DataType::Artists, documents::Style::Plain, 0);
    let records: Vec<u8> = (1..100).flat_map(|id| format!("\n<artist><id>{id}</id><name>n</name></artist>").into_bytes()).collect();
    let xml = [&xml[..b"<artists>".len()], &records, b"\n</artists>"].concat();
    let setup = Setup::new(DataType::Artists, Contract::Topic);
    let records = plain(&xml, &setup, &run(&xml, &setup));
    assert_eq!(records.len(), 99);
    let entries = records.iter().map(|r| (Entry { key: r.key(), raw: r.raw, hash: r.hash, flags: 0 }, r.id.clone())).collect();
    let index = changes::damaged_index_of(entries);
    for by_definition in [false, true] {
        let (outcome, _) = run_compared(&xml, &Setup { by_definition, ..setup }, &comparing(Some(index.clone()), Trust::Raw, Publish::Changes), 1);
        assert_eq!(outcome.fault.map(|fault| fault.code), Some(Code::IndexCorrupt));
    }
}

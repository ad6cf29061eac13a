//! The record index and its ledger, held against maps.
//!
//! `DEADWAX_CASES` sets the number of cases, `DEADWAX_SEED` repeats a run.

mod support;

use std::cell::Cell;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use deadwax_native::fault::{Code, Fault};
use deadwax_native::index::build::Builder;
use deadwax_native::index::key::NAMELESS;
use deadwax_native::index::ledger::{Counts, Ledger, Start};
use deadwax_native::index::log::Upto;
use deadwax_native::index::merge::{How, merge};
use deadwax_native::index::{DIRTY, Entry, Frame, Index, MULTI, UNKNOWN, key_of};
use support::life::{End, Life, Troubles};
use support::months::{Folder, Record, baseline, detect, dump, entries, evolve, formless};
use support::random::{Rng, cases, for_each};

const CASES: usize = 150;
const BLOCK_RECORDS: usize = 64;
const CALM: Troubles = Troubles { crash: 0, brake: 0, supersede: 0 };

/// A ledger of `records` in one piece against `index`, in a file.
fn ledger_of(folder: &Folder, name: &str, index: Option<&Arc<Index>>, records: &[Record]) -> Result<Ledger, Fault> {
    let ledger = Ledger::open(Some(&folder.file(name)), index.cloned(), Some("a run"), Start::Fresh)?;
    ledger.append(&detect(index, records)?.0)?;
    ledger.sync()?;
    Ok(ledger)
}

/// The index of `records`.
fn index_of(folder: &Folder, name: &str, records: &[Record], block_records: usize) -> Result<Arc<Index>, Fault> {
    let ledger = ledger_of(folder, "baseline", None, records)?;
    let out = folder.file(name);
    merge(&ledger, How { block_records, ..How::new(&out, "some meta data") })?;
    Index::open(&out)
}

fn record(id: &str, content: u64) -> Record {
    Record { id: Some(id.to_owned()), content, form: 0 }
}

fn lives(name: &str, n: usize, months: usize, troubles: Troubles) -> [usize; 3] {
    let ends = Cell::new([0; 3]);
    for_each(name, n, |rng| {
        let most = if rng.one_in(10) { 400 } else { 40 };
        let mut life = Life::new(if rng.one_in(2) { BLOCK_RECORDS } else { 1 + rng.below(5) });
        let mut records = dump(rng, most);
        for month in 0..months {
            let end = life.month(rng, &records, troubles).map_err(|what| format!("month {month}: {what}"))?;
            let mut counted = ends.get();
            counted[end as usize] += 1;
            ends.set(counted);
            records = evolve(rng, &records, most);
        }
        // Whatever happened, a quiet month puts all in order.
        let end = life.month(rng, &records, CALM).map_err(|what| format!("the last month: {what}"))?;
        if end == End::Done { Ok(()) } else { Err(format!("{end:?}")) }
    });
    eprintln!("{name}: months done, braked, superseded: {:?}", ends.get());
    ends.get()
}

#[test]
fn months_without_trouble_end_as_their_dumps_say() {
    lives("calm", cases(CASES), 3, CALM);
}

#[test]
fn months_end_as_their_dumps_say_whatever_happens() {
    let ends = lives("troubled", cases(2 * CASES), 5, Troubles { crash: 6, brake: 5, supersede: 3 });
    assert!(cases(2 * CASES) < CASES || ends.iter().all(|&n| n > 0), "all ways to end came to pass: {ends:?}");
}

#[test]
fn every_key_is_found_in_any_order() {
    for_each("find", cases(CASES), |rng| {
        let folder = Folder::new();
        let records = dump(rng, 300);
        let index = index_of(&folder, "1.idx", &records, 1 + rng.below(BLOCK_RECORDS)).map_err(|fault| fault.to_string())?;
        let all: Vec<Entry> = entries(&index).map_err(|fault| fault.to_string())?.into_values().flatten().collect();
        let mut cursor = index.cursor();
        for _ in 0..200 {
            let near = all.get(rng.below(all.len())).map_or(0, |entry| entry.key.saturating_add_signed(rng.below(3) as i64 - 1));
            let key = if rng.one_in(5) { rng.next() } else { near };
            let found = cursor.find(key).map_err(|fault| fault.to_string())?;
            let pos = all.partition_point(|entry| entry.key < key);
            let count = all[pos..].iter().take_while(|entry| entry.key == key).count();
            if (found.pos, found.count) != (pos as u64, count as u32) {
                return Err(format!("{key:x}: {found:?}, not at {pos}, {count} times"));
            }
            let pos = rng.below(all.len() + 2);
            if cursor.entry(pos as u64).map_err(|fault| fault.to_string())? != all.get(pos).copied() {
                return Err(format!("the entry at {pos} is another one"));
            }
        }
        Ok(())
    });
}

#[test]
fn an_index_of_shuffled_rows_is_that_of_the_dump() {
    for_each("build", cases(CASES), |rng| {
        let folder = Folder::new();
        let records = dump(rng, 100);
        let expected = baseline(&records);
        let mut builder = Builder::new(&folder.file("1.idx"), BLOCK_RECORDS, 1 + rng.below(200));
        for record in &records {
            builder.push(record.id.as_deref(), record.raw(), &record.hash(), 0).map_err(|fault| fault.to_string())?;
        }
        builder.finish("made of rows").map_err(|fault| fault.to_string())?;
        let index = Index::open(&folder.file("1.idx")).map_err(|fault| fault.to_string())?;
        let mut built = entries(&index).map_err(|fault| fault.to_string())?;
        built.values_mut().flatten().for_each(|entry| entry.flags |= expected[&entry.key][0].flags & MULTI);
        if built == expected { Ok(()) } else { Err(format!("{built:x?}, not {expected:x?}")) }
    });
}

#[test]
fn rows_that_are_dirty_stay_so() {
    let folder = Folder::new();
    let mut builder = Builder::new(&folder.file("1.idx"), BLOCK_RECORDS, 2);
    for (id, raw, hash, flags) in [("7", 1, 1, 0), ("x", 5, 5, DIRTY), ("7", 2, 2, DIRTY), ("7", 3, 1, 0), ("8", 4, 4, MULTI)] {
        builder.push(Some(id), raw, &[hash; 16], flags).expect("a row");
    }
    builder.push(None, 9, &[255; 16], 0).expect("a row without an id");
    assert_eq!(builder.finish("").expect("an index").0, 5);
    let index = Index::open(&folder.file("1.idx")).expect("an index");
    let all: Vec<_> = entries(&index).expect("sound").into_values().flatten().map(|Entry { key, raw, hash, flags }| (key, raw, hash[0], flags)).collect();
    let x = key_of(b"x").key;
    assert_eq!(all, [(7, 0, 1, DIRTY), (7, 0, 2, DIRTY), (8, 4, 4, MULTI), (x, 0, 5, DIRTY), (u64::MAX, 9, 255, UNKNOWN)]);
    assert_eq!((index.shared(), index.id_of(x).expect("sound")), (1, Some("x".to_owned())));
}

/// Opens the index at `path` and reads all of it.
fn read_through(path: &Path) -> Result<(), Fault> {
    entries(&Index::open(path)?).map(|_| ())
}

#[test]
fn damage_anywhere_in_an_index_is_noticed() {
    let folder = Folder::new();
    let records: Vec<_> = (0..40).map(|n| record(&if n % 4 == 0 { format!("x{n}") } else { (n * 1000).to_string() }, n)).collect();
    index_of(&folder, "1.idx", &records, 8).expect("an index");
    let path = folder.file("1.idx");
    let sound = fs::read(&path).expect("bytes");
    read_through(&path).expect("a sound index");
    let mut rng = Rng::new(sound.len() as u64);
    for at in 0..sound.len() {
        let mut bytes = sound.clone();
        bytes[at] ^= 1 + rng.below(255) as u8;
        fs::write(&path, &bytes).expect("written");
        assert_eq!(read_through(&path).map_err(|fault| fault.code), Err(Code::IndexCorrupt), "byte {at} of {}", sound.len());
        fs::write(&path, &sound[..at]).expect("written");
        assert_eq!(read_through(&path).map_err(|fault| fault.code), Err(Code::IndexCorrupt), "cut at {at} of {}", sound.len());
    }
    let fault = read_through(&path).expect_err("damage");
    assert!(fault.message.contains("1.idx") && fault.message.contains("deadwax state repair"), "{fault}");
}

#[test]
fn damage_anywhere_in_a_ledger_is_noticed_and_a_torn_frame_is_cut_off() {
    let folder = Folder::new();
    let old: Vec<_> = (0..20).map(|n| record(&n.to_string(), n)).collect();
    let index = index_of(&folder, "1.idx", &old, 8).expect("an index");
    let ledger = Ledger::open(Some(&folder.file("ledger")), Some(index.clone()), Some("a run"), Start::Fresh).expect("a ledger");
    let mut ends = vec![(ledger.sync().expect("durable"), ledger.counts())];
    for n in 0..6 {
        let records =
            [record(&(n * 2).to_string(), n * 2), record(&(n * 2 + 1).to_string(), 99), record(&format!("x{n}"), n), record(&(n + 50).to_string(), n)];
        ledger.append(&detect(Some(&index), &records).expect("a frame").0).expect("appended");
        ends.push((ledger.sync().expect("durable"), ledger.counts()));
    }
    drop(ledger);
    let path = folder.file("ledger");
    let sound = fs::read(&path).expect("bytes");
    let open = |upto| Ledger::open(Some(&path), Some(index.clone()), Some("a run"), Start::Resume(upto)).map(|ledger| (ledger.length(), ledger.counts()));
    let last = *ends.last().expect("frames");
    assert_eq!(last.0, sound.len() as u64);
    let mut rng = Rng::new(sound.len() as u64);
    for at in 0..sound.len() {
        let mut bytes = sound.clone();
        bytes[at] ^= 1 + rng.below(255) as u8;
        for upto in [Upto::LastWhole, Upto::Length(last.0), Upto::Length(ends[0].0)] {
            fs::write(&path, &bytes).expect("written");
            assert_eq!(open(upto).map_err(|fault| fault.code), Err(Code::IndexCorrupt), "byte {at} of {}, {upto:?}", sound.len());
        }
        fs::write(&path, &sound[..at]).expect("written");
        let whole = ends.iter().rev().find(|(length, _)| *length <= at as u64);
        match whole {
            Some(&(length, counts)) => assert_eq!(open(Upto::LastWhole), Ok((length, counts)), "cut at {at}"),
            None => assert_eq!(open(Upto::LastWhole).map_err(|fault| fault.code), Err(Code::LedgerMismatch), "cut at {at}"),
        }
        fs::write(&path, &sound[..at]).expect("written");
        assert_eq!(open(Upto::Length(last.0)).map_err(|fault| fault.code), Err(Code::IndexCorrupt), "cut at {at}");
    }
    for (length, counts) in ends {
        fs::write(&path, &sound).expect("written");
        let ledger = Ledger::open(Some(&path), Some(index.clone()), Some("a run"), Start::Resume(Upto::Length(length))).expect("a boundary");
        assert_eq!(ledger.counts(), counts);
        fs::write(&path, &sound).expect("written");
        assert_eq!(open(Upto::Length(length + 1)).map_err(|fault| fault.code), Err(Code::IndexCorrupt), "{length} and one");
    }
}

#[test]
fn a_ledger_of_another_run_or_index_is_not_taken() {
    let folder = Folder::new();
    let index = index_of(&folder, "1.idx", &[record("1", 1)], 8).expect("an index");
    let other = index_of(&folder, "2.idx", &[record("1", 2)], 8).expect("an index");
    drop(ledger_of(&folder, "ledger", Some(&index), &[record("1", 1)]).expect("a ledger"));
    let open = |index: Option<&Arc<Index>>, header| {
        Ledger::open(Some(&folder.file("ledger")), index.cloned(), header, Start::Resume(Upto::LastWhole))
            .map(|ledger| ledger.header())
            .map_err(|fault| fault.code)
    };
    assert_eq!(open(Some(&index), Some("a run")), Ok("a run".to_owned()));
    assert_eq!(open(Some(&index), None), Ok("a run".to_owned()));
    assert_eq!(open(Some(&index), Some("another run")), Err(Code::LedgerMismatch));
    assert_eq!(open(Some(&other), None), Err(Code::LedgerMismatch));
    assert_eq!(open(None, None), Err(Code::LedgerMismatch));
}

#[test]
fn an_id_that_comes_twice_counts_by_its_last_record() {
    let folder = Folder::new();
    let index = index_of(&folder, "1.idx", &[record("1", 1), record("2", 1), record("3", 0), record("3", 1)], 8).expect("an index");
    let month = [record("1", 2), record("1", 1), record("2", 1), record("2", 2), record("3", 2), record("3", 3), record("4", 1), record("4", 2)];
    let ledger = ledger_of(&folder, "ledger", Some(&index), &month).expect("a ledger");
    assert_eq!(ledger.counts(), Counts { created: 1, updated: 2, unchanged: 1, touched: 0, repeated: 4 });
    let mut expected = [record("1", 1).raw(), record("3", 3).raw()];
    expected.sort_unstable();
    assert_eq!(ledger.corrections().expect("sound"), expected, "1 was published with 2, and 3 was held back");
    let out = folder.file("2.idx");
    assert_eq!(merge(&ledger, How::new(&out, "")).map_err(|fault| fault.code), Err(Code::Internal), "before they are published, nothing is known for good");
    ledger.mark_corrected().expect("marked");
    merge(&ledger, How::new(&out, "")).expect("merged");
    assert_eq!(entries(&Index::open(&out).expect("an index")).expect("sound"), baseline(&month));
}

/// Whoever gets every record of a month may drop what is not among them, or keep it: nobody knows.
#[test]
fn what_only_some_consumers_still_have_equals_nothing_and_is_deleted_in_the_end() {
    for_each("doubt", cases(CASES), |rng| {
        let told = |fault: Fault| fault.to_string();
        let folder = Folder::new();
        let mut records = dump(rng, 100);
        let mut index = index_of(&folder, "0.idx", &records, 1 + rng.below(BLOCK_RECORDS)).map_err(told)?;
        let mut known = formless(baseline(&records));
        for month in 1..4 {
            let before = std::mem::take(&mut records);
            records = evolve(rng, &before, 100);
            let ledger = ledger_of(&folder, "ledger", Some(&index), &records).map_err(told)?;
            ledger.mark_corrected().map_err(told)?;
            let out = folder.file(&format!("{month}.idx"));
            // With few of them changes are sorted outside of memory.
            let run_records = if rng.one_in(2) { 1 + rng.below(20) } else { 1000 };
            merge(&ledger, How { keep: true, doubt: true, block_records: BLOCK_RECORDS, run_records, ..How::new(&out, "") }).map_err(told)?;
            index = Index::open(&out).map_err(told)?;

            let mut doubted = known;
            known = formless(baseline(&records));
            doubted.retain(|key, _| *key < NAMELESS && !known.contains_key(key));
            doubted.values_mut().flatten().for_each(|entry| *entry = Entry { raw: 0, flags: DIRTY, ..*entry });
            known.extend(doubted.clone());
            let found = formless(entries(&index).map_err(told)?);
            if found != known {
                return Err(format!("month {month}: {found:x?}, not {known:x?}"));
            }
            let published: Vec<u64> = detect(Some(&index), &before).map_err(told)?.1.iter().map(|record| record.key).collect();
            if let Some(key) = before.iter().map(Record::key).find(|key| doubted.contains_key(key) && !published.contains(key)) {
                return Err(format!("month {month}: {key:x} comes back as it was, and is not published"));
            }
            let later = ledger_of(&folder, "later", Some(&index), &records).map_err(told)?;
            let gone = later.deletions(0, usize::MAX).map_err(told)?;
            let mut tombstones: Vec<_> = gone.ids.iter().map(|id| key_of(id.as_bytes()).key).zip(gone.hashes).collect();
            tombstones.sort_unstable();
            let expected: Vec<_> = doubted.values().flatten().map(|entry| (entry.key, entry.hash)).collect();
            if tombstones != expected {
                return Err(format!("month {month}: the month after would delete {tombstones:x?}, not {expected:x?}"));
            }
        }
        Ok(())
    });
}

#[test]
fn frames_are_held_to_what_they_say() {
    let folder = Folder::new();
    let index = index_of(&folder, "1.idx", &[record("1", 1)], 8).expect("an index");
    let dry = || Ledger::open(None, Some(index.clone()), None, Start::Fresh).expect("a ledger in memory");
    let mut seen = Frame::new();
    seen.seen(0);
    let sound = seen.clone().finish();
    for at in 0..sound.len() {
        let mut bytes = sound.clone();
        bytes[at] ^= 0x55;
        // Its length is for the log; the rest is what was made of the piece.
        assert_eq!(dry().append(&bytes).is_err(), at >= 8, "byte {at}");
    }
    seen.seen(1);
    let ledger = dry();
    assert_eq!(ledger.append(&seen.finish()).map_err(|fault| fault.code), Err(Code::IndexCorrupt), "there is one entry only");
    assert!(ledger.append(&sound).is_err(), "what failed once is not gone on with");
    assert_eq!(dry().append(&sound).expect("sound").unchanged, 1);
}

#[test]
fn a_million_ids() {
    const IDS: u64 = 1_000_000;
    let folder = Folder::new();
    let hash = |id: u64, month: u64| ((u128::from(id) << 64) + u128::from(month) + 1).to_be_bytes();
    let is_gone = |id: u64| id % 1009 == 3;
    let is_changed = |id: u64| id % 101 == 7;
    let mut rng = Rng::new(IDS);
    let mut ids: Vec<u64> = (1..=IDS).collect();
    for i in 0..1000 {
        let other = rng.below(ids.len());
        ids.swap(i * 7, other);
    }
    let ledger = Ledger::open(Some(&folder.file("ledger")), None, None, Start::Fresh).expect("a ledger");
    for piece in ids.chunks(10_000) {
        let mut frame = Frame::new();
        piece.iter().for_each(|&id| frame.created(id, id + 1, &hash(id, 0), 0, None));
        ledger.append(&frame.finish()).expect("appended");
    }
    let (first, second) = (folder.file("1.idx"), folder.file("2.idx"));
    let (records, bytes) = merge(&ledger, How::new(&first, "")).expect("merged");
    assert_eq!(records, IDS);
    assert!(bytes <= 26 * IDS, "{bytes} bytes");
    let index = Index::open(&first).expect("an index");
    let ledger = Ledger::open(Some(&folder.file("ledger")), Some(index.clone()), None, Start::Fresh).expect("a ledger");
    let mut cursor = index.cursor();
    for piece in (1..=IDS + 5).collect::<Vec<_>>().chunks(10_000) {
        let mut frame = Frame::new();
        for &id in piece.iter().filter(|&&id| !is_gone(id)) {
            let found = cursor.find(id).expect("sound");
            assert_eq!((found.pos, found.count), (id.min(IDS + 1) - 1, u32::from(id <= IDS)));
            match () {
                () if id > IDS => frame.created(id, id + 1, &hash(id, 1), 0, None),
                () if is_changed(id) => frame.updated(found.pos, id, id + 2, &hash(id, 1)),
                () => frame.seen(found.pos),
            }
        }
        ledger.append(&frame.finish()).expect("appended");
    }
    let (gone, changed) = ((1..=IDS).filter(|&id| is_gone(id)).count(), (1..=IDS).filter(|&id| is_changed(id) && !is_gone(id)).count());
    let unchanged = IDS as usize - gone - changed;
    assert_eq!(ledger.counts(), Counts { created: 5, updated: changed as i64, unchanged: unchanged as i64, touched: 0, repeated: 0 });
    assert_eq!(ledger.deletion_count(), Ok(gone as u64));
    let deletions = ledger.deletions(0, usize::MAX).expect("sound");
    assert!(deletions.next.is_none() && deletions.ids.iter().all(|id| is_gone(id.parse().expect("a number"))) && deletions.ids.len() == gone);
    merge(&ledger, How::new(&second, "")).expect("merged");
    let index = Index::open(&second).expect("an index");
    let mut cursor = index.cursor();
    for (pos, id) in (1..=IDS + 5).filter(|&id| !is_gone(id)).enumerate() {
        let (raw, hash) = if id > IDS {
            (id + 1, hash(id, 1))
        } else if is_changed(id) {
            (id + 2, hash(id, 1))
        } else {
            (id + 1, hash(id, 0))
        };
        assert_eq!(cursor.entry(pos as u64), Ok(Some(Entry { key: id, raw, hash, flags: 0 })));
    }
}

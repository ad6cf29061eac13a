//! What changes, what stays, and what is refused.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;

use super::records::Records;
use super::spec::{Amount, Change, Spec};
use super::{EvolveOptions, edit, evolve};
use crate::rng::{Part, Rng};
use crate::universe::Universe;
use crate::xml::Xml;
use crate::{DataType, Error, Form, Options, generate, record};

const FIRST: &str = "20260801";
const NEXT: &str = "20260901";

/// A folder of its own, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("deadwax-evolve-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Folder(path)
    }

    /// A folder with a first month in it.
    fn with_month(name: &str, count: u64) -> Folder {
        let folder = Folder::new(name);
        let options = Options {
            releases: count,
            artists: count * 2,
            masters: count,
            labels: count,
            seed: 3,
            out: folder.0.clone(),
            version: FIRST.into(),
            form: Form::Form2026,
            threads: 2,
        };
        generate(&options, &|_| {}).unwrap();
        folder
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn options(folder: &Path, version: &str, changes: &str) -> EvolveOptions {
    EvolveOptions {
        from: folder.into(),
        changes: changes.into(),
        returned_from: None,
        out: folder.into(),
        version: version.into(),
        seed: 5,
        threads: 2,
        list: None,
    }
}

/// Records of a dump, in order.
fn read(folder: &Path, version: &str, kind: DataType) -> Vec<(u64, Vec<u8>)> {
    let bytes = fs::read(folder.join(format!("discogs_{version}_{}.xml.gz", kind.plural()))).unwrap();
    let mut records = Records::new(GzDecoder::new(&bytes[..]), kind.plural());
    let mut all = Vec::new();
    while let Some(record) = records.next().unwrap() {
        all.push((record.id, record.xml.to_vec()));
    }
    all
}

#[test]
fn records_are_cut_whatever_the_reads() {
    /// Gives out few bytes at a time.
    struct Drops<'a>(&'a [u8], usize);
    impl Read for Drops<'_> {
        fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
            let len = self.1.min(buf.len()).min(self.0.len());
            buf[..len].copy_from_slice(&self.0[..len]);
            self.0 = &self.0[len..];
            Ok(len)
        }
    }
    let xml = b"<labels>\n<label><id>5</id><sublabels>\n<label id=\"6\">x</label>\n</sublabels></label>\n<label a='1' id='7'/>\n</labels>\n";
    for step in 1..xml.len() {
        let mut records = Records::new(Drops(xml, step), "labels");
        let mut found = Vec::new();
        while let Some(record) = records.next().unwrap() {
            found.push((record.id, record.xml.len()));
        }
        assert_eq!(found, [(5, 73), (7, 21)]);
    }
}

#[test]
fn what_is_no_dump_of_ours_is_refused() {
    for (xml, problem) in [
        ("<labels><label><id>5</id></label>", "an end too early"),
        ("<labels><label><id>x</id></label></labels>", "without a number"),
        ("<labels>text<label><id>5</id></label></labels>", "text between records"),
        ("<labels><!-- --><label><id>5</id></label></labels>", "markup that no generated dump has"),
        ("<artists></artists>", "no <labels>"),
    ] {
        let mut records = Records::new(xml.as_bytes(), "labels");
        let error = loop {
            match records.next() {
                Ok(Some(_)) => {}
                Ok(None) => panic!("{xml}"),
                Err(error) => break error,
            }
        };
        assert!(error.contains(problem), "{xml}: {error}");
    }
}

#[test]
fn specifications_are_read_or_refused_as_a_whole() {
    let spec = Spec::parse(" created=1%, releases.created=7 ,,shuffle,bytes=0.5%").unwrap();
    assert_eq!(spec.amount(DataType::Labels, Change::Created), Amount::Share(1.0));
    assert_eq!(spec.amount(DataType::Releases, Change::Created), Amount::Count(7));
    assert_eq!(spec.amount(DataType::Labels, Change::Bytes).of(1_000), 5);
    assert_eq!(spec.amount(DataType::Labels, Change::Updated), Amount::Count(0));
    assert!(spec.is_shuffled && !Spec::parse("").unwrap().is_shuffled);
    let bad = ["made=1", "updated", "tracks.updated=1", "updated=-1", "updated=1.5", "updated=101%", "updated=x%", "bytes=1,bytes=2"];
    let problems = Spec::parse(&bad.join(",")).unwrap_err();
    assert_eq!(problems.len(), bad.len());
    for (problem, bad) in problems.iter().zip(bad) {
        assert!(problem.contains(bad.rsplit(',').next().unwrap()), "{problem}");
    }
}

#[test]
fn an_empty_specification_changes_nothing_but_the_gzip() {
    let folder = Folder::with_month("nothing", 300);
    let evolved = evolve(&options(&folder.0, NEXT, "")).unwrap();
    for (entry, counts) in &evolved.files {
        let [old, new] = [FIRST, NEXT].map(|version| fs::read(folder.0.join(format!("discogs_{version}_{}.xml.gz", entry.kind.plural()))).unwrap());
        let inflate = |bytes: &[u8]| {
            let mut text = String::new();
            GzDecoder::new(bytes).read_to_string(&mut text).unwrap();
            text
        };
        assert!(old != new && old[20..] != new[20..] && counts.is_empty());
        assert_eq!(inflate(&old), inflate(&new));
    }
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 12, "nothing partial is left");
}

#[test]
fn every_change_is_made_as_often_as_asked() {
    let folder = Folder::with_month("counts", 600);
    let changes = "created=10,updated=20,deleted=12,reordered=2%,bytes=30,duplicates=9,revised=4,artists.deleted=5%";
    let evolved = evolve(&EvolveOptions { list: Some(folder.0.join("list")), ..options(&folder.0, NEXT, changes) }).unwrap();
    let mut listed = 0;
    for (entry, counts) in &evolved.files {
        let (old, new) = (read(&folder.0, FIRST, entry.kind), read(&folder.0, NEXT, entry.kind));
        let before: HashMap<u64, &Vec<u8>> = old.iter().map(|record| (record.0, &record.1)).collect();
        let after: HashMap<u64, &Vec<u8>> = new.iter().map(|record| (record.0, &record.1)).collect();
        let many = old.len() as u64;
        let deleted = if entry.kind == DataType::Artists { many / 20 } else { 12 };
        assert_eq!(before.keys().filter(|id| !after.contains_key(id)).count() as u64, deleted);
        assert_eq!(after.keys().filter(|id| !before.contains_key(id)).count(), 10);
        assert_eq!(after.iter().filter(|(id, xml)| before.get(id).is_some_and(|old| old != *xml)).count(), 20 + 30 + 4);
        assert_eq!(new.len() as u64, many - deleted + 10 + 9 + 4);
        assert_eq!(entry.records, new.len() as u64);
        assert!(after.keys().any(|id| !before.contains_key(id) && *id < old[old.len() - 1].0), "some between");
        assert_eq!(counts[&Change::Reordered], many / 50);
        listed += counts.values().sum::<u64>();
    }
    assert_eq!(fs::read_to_string(folder.0.join("list")).unwrap().lines().count() as u64, listed);
}

#[test]
fn the_same_bytes_whatever_the_threads() {
    let folder = Folder::with_month("threads", 500);
    let changes = "created=3%,updated=3%,deleted=3%,reordered=3%,bytes=3%,duplicates=3%,shuffle";
    let [one, four] = [1, 4].map(|threads| evolve(&EvolveOptions { threads, ..options(&folder.0, NEXT, changes) }).unwrap().to_json());
    assert_eq!(one, four);
    let other = evolve(&EvolveOptions { seed: 6, ..options(&folder.0, NEXT, changes) }).unwrap().to_json();
    assert_ne!(one, other);
}

#[test]
fn what_was_deleted_can_return_as_it_was() {
    let folder = Folder::with_month("returns", 400);
    evolve(&options(&folder.0, NEXT, "deleted=40,updated=10")).unwrap();
    let back = EvolveOptions { returned_from: Some(folder.0.clone()), ..options(&folder.0, "20261001", "returned=50%,created=4") };
    evolve(&back).unwrap();
    for kind in DataType::ALL {
        let [first, second, third] = [FIRST, NEXT, "20261001"].map(|version| read(&folder.0, version, kind));
        let before: HashSet<u64> = second.iter().map(|record| record.0).collect();
        let first: HashMap<u64, Vec<u8>> = first.into_iter().collect();
        let returned: Vec<_> = third.iter().filter(|record| !before.contains(&record.0) && first.contains_key(&record.0)).collect();
        assert_eq!((returned.len(), third.len()), (20, second.len() + 24));
        assert!(returned.iter().all(|record| first[&record.0] == record.1));
        assert!(third.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }
}

#[test]
fn shuffled_records_are_the_same_in_another_order_and_the_last_of_an_id_stays_the_last() {
    let folder = Folder::with_month("shuffle", 300);
    evolve(&options(&folder.0, NEXT, "revised=100")).unwrap();
    evolve(&options(&folder.0, "20261001", "shuffle")).unwrap();
    for kind in DataType::ALL {
        let [mut straight, mut shuffled] = [NEXT, "20261001"].map(|version| read(&folder.0, version, kind));
        let last = |records: &[(u64, Vec<u8>)]| records.iter().cloned().collect::<HashMap<_, _>>();
        assert_ne!(straight, shuffled);
        assert_eq!(last(&straight), last(&shuffled));
        straight.sort();
        shuffled.sort();
        assert_eq!(straight, shuffled);
    }
}

#[test]
fn records_move_behind_others() {
    let folder = Folder::with_month("moves", 500);
    evolve(&options(&folder.0, NEXT, "reordered=10")).unwrap();
    for kind in DataType::ALL {
        let ids: Vec<u64> = read(&folder.0, NEXT, kind).into_iter().map(|record| record.0).collect();
        let high = ids.iter().scan(0, |high, &id| {
            *high = id.max(*high);
            Some(*high)
        });
        let late = high.zip(&ids).filter(|(high, id)| high > id).count();
        assert_eq!(late, 10);
    }
}

#[test]
fn edits_never_leave_the_bytes_as_they_were() {
    let universe = Universe::new(9, Form::Form2020);
    for kind in DataType::ALL {
        for ordinal in 0..300 {
            let mut xml = Xml::new(Form::Form2020);
            record(&universe, kind, ordinal, &mut xml);
            let mut bytes = xml.out;
            for turn in 0..8 {
                let mut rng = Rng::new(turn, kind as u64, ordinal, Part::Edit);
                let rewritten = edit::rewrite(&bytes, &mut rng).0;
                let updated = edit::update(&universe, &bytes, &mut rng).unwrap().0;
                assert!(rewritten != bytes && updated != bytes);
                bytes = rewritten;
            }
        }
    }
}

#[test]
fn an_update_changes_what_is_read_also_where_a_reference_stood_before() {
    let universe = Universe::new(9, Form::Form2026);
    let xml = b"<label><id>5</id><data_quality>C&#111;rr&#x65;ct</data_quality></label>";
    let qualities: HashSet<Vec<u8>> = (0..50).map(|turn| edit::update(&universe, xml, &mut Rng::new(turn, 1, 5, Part::Edit)).unwrap().0).collect();
    assert_eq!(qualities.len(), 3);
    assert!(qualities.iter().all(|new| !edit::without_references(new).contains(">Correct<")));
    assert_eq!(edit::without_references(b"&#x41;&amp;&#66;&#;&#"), "A&amp;B&#;&#");
}

#[test]
fn all_that_is_wrong_is_told_at_once_and_nothing_written() {
    let folder = Folder::with_month("wrong", 100);
    let refused = |options: &EvolveOptions| match evolve(options) {
        Err(Error::Options(text)) => text,
        other => panic!("{other:?}"),
    };
    let text = refused(&options(&folder.0, FIRST, "updated=x,returned=1,shuffel"));
    for part in ["\"updated=x\"", "\"shuffel\"", "version 20260801 is not later than 20260801"] {
        assert!(text.contains(part), "{text}");
    }
    assert!(refused(&options(&folder.0, NEXT, "returned=1")).contains("--returned-from"));
    let text = refused(&options(&folder.0, NEXT, "deleted=90,updated=90,artists.updated=0,reordered=100"));
    assert_eq!(text.matches("changes of 280 records").count(), 3, "{text}");
    assert_eq!(text.matches("to reorder").count(), 3, "{text}");
    assert!(matches!(evolve(&options(Path::new("/nowhere"), NEXT, "")), Err(Error::Missing(_))));
    let before_first = EvolveOptions { returned_from: Some(folder.0.clone()), ..options(&folder.0, NEXT, "returned=1") };
    assert!(matches!(evolve(&before_first), Err(Error::Missing(_))));
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 6);
    fs::write(folder.0.join("discogs_20260801_labels.xml.gz"), b"no gzip").unwrap();
    assert!(matches!(evolve(&options(&folder.0, NEXT, "")), Err(Error::Source(_))));
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 6);
}

//! Determinism, byte form and the rare cases.

use std::collections::HashMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use sha2::{Digest, Sha256};

use crate::universe::{Universe, Work};
use crate::xml::Xml;
use crate::{DataType, Error, Form, Options, generate, record};

const TYPES: [DataType; 4] = [DataType::Artists, DataType::Labels, DataType::Masters, DataType::Releases];

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("deadwax-generate-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    folder
}

fn options(out: &Path, count: u64, threads: usize) -> Options {
    Options {
        releases: count,
        artists: count,
        masters: count,
        labels: count,
        seed: 42,
        out: out.to_path_buf(),
        version: "20260801".into(),
        form: Form::Form2026,
        threads,
    }
}

fn inflate(path: &Path) -> String {
    let bytes = fs::read(path).unwrap();
    let mut decoder = GzDecoder::new(&bytes[..]);
    let mut text = String::new();
    decoder.read_to_string(&mut text).unwrap();
    assert!(decoder.into_inner().is_empty(), "one member only");
    text
}

fn one(form: Form, kind: DataType, ordinal: u64) -> String {
    let mut xml = Xml::new(form);
    record(&Universe::new(42, form), kind, ordinal, &mut xml);
    String::from_utf8(xml.out).unwrap()
}

/// Checks nesting and byte form of markup; returns how often each element occurs.
fn elements(xml: &str) -> HashMap<String, usize> {
    let mut counts = HashMap::new();
    let mut stack: Vec<&str> = Vec::new();
    let mut rest = xml;
    while let Some(at) = rest.find('<') {
        let text = &rest[..at];
        assert!(!text.contains(['>', '\r']), "unescaped text {text:?}");
        for reference in text.split('&').skip(1) {
            assert!(["amp;", "lt;", "gt;", "#13;"].iter().any(|known| reference.starts_with(known)), "text {text:?}");
        }
        let end = at + rest[at..].find('>').unwrap();
        let tag = &rest[at + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(stack.pop(), Some(name));
            continue;
        }
        assert!(!tag.contains(['\n', '\t', '\r']) && tag.matches('"').count().is_multiple_of(2), "tag {tag:?}");
        let name = tag.trim_end_matches('/').split(' ').next().unwrap();
        *counts.entry(name.to_string()).or_insert(0) += 1;
        if !tag.ends_with('/') {
            stack.push(name);
        }
    }
    assert!(stack.is_empty(), "open: {stack:?}");
    counts
}

#[test]
fn the_same_bytes_whatever_the_threads() {
    let (a, b) = (folder("one-thread"), folder("three-threads"));
    let first = generate(&options(&a, 5_000, 1), &|_| {}).unwrap();
    let second = generate(&options(&b, 5_000, 3), &|_| {}).unwrap();
    assert_eq!(first, second);
    for entry in &first.files {
        assert_eq!(fs::read(a.join(&entry.file)).unwrap(), fs::read(b.join(&entry.file)).unwrap());
    }
    fs::remove_dir_all(a).unwrap();
    fs::remove_dir_all(b).unwrap();
}

#[test]
fn a_record_does_not_depend_on_the_count() {
    let (a, b) = (folder("few"), folder("more"));
    generate(&options(&a, 300, 2), &|_| {}).unwrap();
    generate(&options(&b, 700, 2), &|_| {}).unwrap();
    for kind in TYPES {
        let file = format!("discogs_20260801_{}.xml.gz", kind.plural());
        let (few, more) = (inflate(&a.join(&file)), inflate(&b.join(&file)));
        let records = few.strip_suffix(&format!("</{}>\n", kind.plural())).unwrap();
        assert!(more.starts_with(records), "{file}");
    }
    fs::remove_dir_all(a).unwrap();
    fs::remove_dir_all(b).unwrap();
}

#[test]
fn files_are_as_the_manifest_says() {
    for form in [Form::Form2026, Form::Form2020] {
        let out = folder(form.name());
        let mut seen = std::sync::atomic::AtomicU64::new(0);
        let manifest = generate(&Options { form, ..options(&out, 1_500, 2) }, &|bytes| {
            seen.store(bytes, std::sync::atomic::Ordering::Relaxed);
        })
        .unwrap();
        let mut total = 0;
        for entry in &manifest.files {
            let packed = fs::read(out.join(&entry.file)).unwrap();
            let sha256: String = Sha256::digest(&packed).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!((packed.len() as u64, &sha256), (entry.gz_bytes, &entry.sha256));
            let xml = inflate(&out.join(&entry.file));
            assert_eq!(xml.len() as u64, entry.xml_bytes);
            total += entry.xml_bytes;
            let plural = entry.kind.plural();
            let starts = format!("\n<{}", &plural[..plural.len() - 1]);
            assert!(xml.starts_with(&format!("<{plural}>{starts}")) && xml.ends_with(&format!("</{plural}>\n")));
            assert_eq!(xml.matches(&starts).count() as u64, entry.records);
            assert!(elements(&xml)[plural] > 0);
        }
        assert_eq!(*seen.get_mut(), total);
        let checksums = fs::read_to_string(out.join("discogs_20260801_CHECKSUM.txt")).unwrap();
        assert!(checksums.contains(&format!("{} discogs_20260801_labels.xml.gz\n", manifest.files[1].sha256)));
        assert_eq!(fs::read_to_string(out.join("discogs_20260801_manifest.json")).unwrap(), manifest.to_json());
        assert_eq!(fs::read_dir(&out).unwrap().count(), 6, "nothing partial is left");
        fs::remove_dir_all(out).unwrap();
    }
}

#[test]
fn ids_ascend_and_are_where_references_say() {
    let universe = Universe::new(7, Form::Form2026);
    for kind in TYPES {
        let ids: Vec<u64> = (0..20_000).map(|ordinal| universe.id(kind, ordinal)).collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
        let next = ids.windows(2).filter(|pair| pair[1] - pair[0] == 1).count() as f64 / ids.len() as f64;
        assert!((0.8..0.98).contains(&next), "{kind:?}: {next}");
    }
    let mut back = 0;
    for master in 0..2_000 {
        let main = universe.main_release(master);
        assert_eq!(main / 1_024, master / 128);
        back += usize::from(universe.work_of(main) == Work::Master(master));
    }
    // A master of which no release names it is possible, but rare.
    assert!(back > 1_950, "{back}");
}

#[test]
fn forms_differ_as_the_years_did() {
    let new: String = (0..400).map(|ordinal| one(Form::Form2026, DataType::Releases, ordinal)).collect();
    let old: String = (0..400).map(|ordinal| one(Form::Form2020, DataType::Releases, ordinal)).collect();
    let (in_new, in_old) = (elements(&new), elements(&old));
    for name in ["images", "resource_url"] {
        assert!(!in_new.contains_key(name) && in_old.contains_key(name), "{name}");
    }
    assert!(!new.contains(" status=") && old.contains(" status=\"Accepted\""));
    assert!(!new.contains("<anv></anv>") && old.contains("<anv></anv>") && old.contains("<companies/>"));
    assert!(new.contains("<master_id is_main_release=\"false\">0</master_id>") && in_new["master_id"] == 400);
    assert!(in_old["master_id"] < 300 && in_new.contains_key("series") && !in_old.contains_key("series"));
}

#[test]
fn rare_cases_are_there() {
    let giant = one(Form::Form2026, DataType::Releases, 7_777);
    assert!(giant.len() > 300_000 && elements(&giant)["track"] >= 400, "{}", giant.len());
    assert!(one(Form::Form2026, DataType::Releases, 12_345).matches("<position>").count() >= 300);
    assert_eq!(elements(&one(Form::Form2026, DataType::Artists, 9_001))["namevariations"], 1);
    assert!(elements(&one(Form::Form2026, DataType::Artists, 9_001))["name"] > 1_700);
    assert!(elements(&one(Form::Form2026, DataType::Artists, 3_333))["name"] > 300);
    let digits = one(Form::Form2026, DataType::Releases, 5_555);
    assert!(digits.contains(&format!("qty=\"{}\"", "9".repeat(64))));
    assert!(!one(Form::Form2026, DataType::Labels, 2_111).contains("<name>"));
    assert!(one(Form::Form2026, DataType::Artists, 6_661).contains("<name>\u{a0}</name>"));
    let many: String = (0..7_000).map(|ordinal| one_of(DataType::Releases, ordinal)).collect();
    for wanted in ["<artist><name>", "&#9;", "&quot;", "<description></description>", "&#13;\n", "🎵"] {
        assert!(many.contains(wanted), "{wanted}");
    }
    let labels: String = (0..3_000).map(|ordinal| one_of(DataType::Labels, ordinal)).collect();
    assert!(labels.contains("<urls/>") && labels.contains("<sublabels><label id="));
}

fn one_of(kind: DataType, ordinal: u64) -> String {
    thread_local! {
        static UNIVERSE: Universe = Universe::new(42, Form::Form2026);
    }
    let mut xml = Xml::new(Form::Form2026);
    UNIVERSE.with(|universe| record(universe, kind, ordinal, &mut xml));
    String::from_utf8(xml.out).unwrap()
}

#[test]
fn text_is_escaped_as_in_the_dumps() {
    let mut xml = Xml::new(Form::Form2026);
    xml.start("a");
    xml.attribute("b", "&<>\"\t'\r");
    xml.raw(">");
    xml.text("&<>\"\t'\r\n");
    assert_eq!(xml.out, b"<a b=\"&amp;&lt;&gt;&quot;&#9;'&#13;\">&amp;&lt;&gt;\"\t'&#13;\n");
}

#[test]
fn senseless_options_are_refused() {
    let out = folder("refused");
    assert!(matches!(generate(&options(&out, 0, 1), &|_| {}), Err(Error::Options(_))));
    let named = Options { version: "2026-08".into(), ..options(&out, 1, 1) };
    assert!(matches!(generate(&named, &|_| {}), Err(Error::Options(_))));
    let blocked = options(Path::new("/dev/null/dumps"), 1, 1);
    assert!(matches!(generate(&blocked, &|_| {}), Err(Error::Io { .. })));
}

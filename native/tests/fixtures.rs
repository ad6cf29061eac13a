//! The project's own small documents (`test/fixtures`), whose outcomes an independent oracle wrote, through the core.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use deadwax_native::contract::{Contract, DataType};
use serde_json::Value;
use support::gzips;
use support::run::{Outcome, Setup, TempFile, run_watched};

const CHUNKS: [usize; 5] = [1, 7, 64, 4096, 2 << 20];
/// Rejects that a file may have: the pipeline counts, the core does not.
const REJECTS_MAX: usize = 100;

fn ideas(data_type: DataType) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../test/fixtures").join(data_type.as_str());
    let mut found: Vec<_> = fs::read_dir(folder)
        .expect("the fixtures are there")
        .map(|e| e.expect("readable").path())
        .filter(|p| p.extension().is_some_and(|e| e == "xml"))
        .collect();
    found.sort();
    found
}

fn expected(xml: &Path, contract: Contract) -> Value {
    let name = if contract == Contract::Topic { "topic.json" } else { "fanout.json" };
    serde_json::from_str(&fs::read_to_string(xml.with_extension(name)).expect("each document has its outcomes")).expect("JSON")
}

/// What is wrong with an outcome, if anything.
fn difference(got: &Outcome, want: &Value) -> Option<String> {
    let bodies: Vec<&str> = want["bodies"].as_array()?.iter().filter_map(Value::as_str).collect();
    let rejects: Vec<(u64, &str)> = want["rejects"].as_array()?.iter().filter_map(|r| Some((r["offset"].as_u64()?, r["kind"].as_str()?))).collect();
    let got_bodies: Vec<String> = got.bodies.iter().map(|b| String::from_utf8_lossy(b).trim_end_matches('\n').to_owned()).collect();
    let got_rejects: Vec<(u64, &str)> = got.rejects.iter().map(|r| (r.offset, r.kind)).collect();
    let too_many = got_rejects.len() > REJECTS_MAX;
    let outcome = if got.fault.is_some() || too_many {
        "fatal"
    } else if got_rejects.is_empty() {
        "ok"
    } else {
        "rejects"
    };
    let checks = [
        (outcome == want["outcome"], format!("outcome {outcome}, fault {:?}", got.fault)),
        (got_rejects[..got_rejects.len().min(REJECTS_MAX)] == rejects, format!("rejects {got_rejects:?} and not {rejects:?}")),
        (
            if too_many { got_bodies.starts_with(&bodies.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>()) } else { got_bodies == bodies },
            format!("bodies {got_bodies:#?}\nand not {bodies:#?}"),
        ),
        (too_many || Some(got.empty) == want["empty"].as_u64(), format!("empty {}", got.empty)),
    ];
    let wrong: Vec<String> = checks.into_iter().filter(|(right, _)| !right).map(|(_, what)| what).collect();
    (!wrong.is_empty()).then(|| wrong.join("\n"))
}

#[test]
fn every_fixture_any_way() {
    let (mut runs, mut wrong, mut failed) = (0, Vec::new(), BTreeSet::new());
    for data_type in DataType::ALL {
        for path in ideas(data_type) {
            let xml = fs::read(&path).expect("readable");
            let plain = TempFile::new(&xml);
            let packed = TempFile::new(&gzips::member(&xml, 6, 50));
            for contract in [Contract::Topic, Contract::Fanout] {
                let want = expected(&path, contract);
                for chunk in CHUNKS {
                    for (file, by_definition) in [(&plain, false), (&plain, true), (&packed, false), (&packed, true)] {
                        let (got, _) = run_watched(file, &Setup { chunk, by_definition, ..Setup::new(data_type, contract) });
                        runs += 1;
                        if let Some(what) = difference(&got, &want) {
                            failed.insert(path.clone());
                            wrong.push(format!(
                                "{} {contract:?} chunk {chunk} by definition {by_definition} gzip {}: {what}",
                                path.display(),
                                std::ptr::eq(file, &packed)
                            ));
                        }
                    }
                }
            }
        }
    }
    eprintln!("{runs} runs over fixtures, {} wrong: {failed:?}", wrong.len());
    assert!(runs > 1000, "the fixtures were found");
    assert!(wrong.is_empty(), "{}", wrong[..wrong.len().min(20)].join("\n"));
}

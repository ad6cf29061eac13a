//! Fuzzing that runs wherever the tests run: inputs of a corpus are mutated for `DEADWAX_FUZZ_SECONDS` a target (default 5).
//!
//! `native/fuzz` has the same targets for libFuzzer, which is guided by coverage but needs a nightly compiler.

mod support;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use deadwax_native::contract::DataType;
use support::bodies;
use support::checks::Check;
use support::documents::{self, damage};
use support::gzips;
use support::random::{Rng, attempt, number, seed, shrink};
use support::targets;

const SECONDS: u64 = 5;
/// Inputs longer than this are cut: short ones are tried more often.
const INPUT_BYTES_MAX: usize = 4096;

/// The fixtures, and some documents made up.
fn documents() -> Vec<Vec<u8>> {
    let mut rng = Rng::new(1);
    let mut corpus: Vec<_> = (0..100).map(|_| documents::any(&mut rng, 6)).collect();
    for data_type in DataType::ALL {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../test/fixtures").join(data_type.as_str());
        for entry in fs::read_dir(folder).expect("the fixtures are there") {
            let path = entry.expect("readable").path();
            if path.extension().is_some_and(|e| e == "xml") {
                corpus.push(fs::read(path).expect("readable"));
            }
        }
    }
    corpus
}

fn mutated(rng: &mut Rng, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut input = corpus[rng.below(corpus.len())].clone();
    if rng.one_in(4) {
        // The beginning of one and the end of another.
        let other = &corpus[rng.below(corpus.len())];
        input.truncate(rng.below(input.len() + 1));
        input.extend_from_slice(&other[rng.below(other.len() + 1)..]);
    }
    for _ in 0..=rng.few(6) {
        if rng.one_in(4) && !input.is_empty() {
            let at = rng.below(input.len());
            input[at] ^= 1 << rng.below(8);
        } else {
            damage(rng, &mut input);
        }
    }
    input.truncate(INPUT_BYTES_MAX);
    input
}

/// Mutates until the time is up; what a target asks for beside the document comes from the input's first bytes.
fn fuzz(name: &str, corpus: Vec<Vec<u8>>, target: impl Fn(&[u8]) -> Check) {
    let time = Duration::from_secs(number("DEADWAX_FUZZ_SECONDS").unwrap_or(SECONDS));
    let seed = seed();
    let mut rng = Rng::new(seed);
    let (begin, mut runs) = (Instant::now(), 0u64);
    while begin.elapsed() < time {
        let mut input = mutated(&mut rng, &corpus);
        input.splice(0..0, rng.next().to_le_bytes());
        runs += 1;
        if let Err(what) = attempt(|| target(&input)) {
            let small = shrink(&input, &target);
            panic!("{name}: run {runs} of seed {seed}: {what}\ninput: b\"{}\"", small.escape_ascii());
        }
    }
    eprintln!("{name}: {runs} runs, seed {seed}");
}

#[test]
fn records() {
    fuzz("records", documents(), targets::records);
}

#[test]
fn split() {
    fuzz("split", documents(), targets::split);
}

#[test]
fn limits() {
    fuzz("limits", documents(), targets::limits);
}

#[test]
fn resume() {
    fuzz("resume", documents(), targets::resume);
}

#[test]
fn inflate() {
    let corpus = documents().into_iter().enumerate().map(|(i, xml)| gzips::member(&xml, (i % 10) as u32, 1 + i * 7)).collect();
    fuzz("inflate", corpus, targets::inflate);
}

#[test]
fn copy() {
    let mut rng = Rng::new(1);
    let made_up = (0..200).map(|i| if i % 2 == 0 { bodies::any(&mut rng) } else { bodies::release(&mut rng) });
    fuzz("copy", bodies::own().into_iter().chain(made_up).collect(), targets::copy);
}

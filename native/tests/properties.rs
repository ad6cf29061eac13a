//! What must hold for any document: plain ones, odd ones, broken ones.
//!
//! `DEADWAX_CASES` sets the number of cases, `DEADWAX_SEED` repeats a run.

mod support;

use deadwax_native::limits::Limits;
use support::checks::{cuts_are_boundaries, cuts_do_not_matter, fast_equals_definition, resumes};
use support::documents;
use support::gzips;
use support::random::{Rng, cases, for_all};
use support::run::TempFile;
use support::targets;

const CASES: usize = 300;
/// Limits that small documents exceed.
const LOW: Limits = Limits { record_bytes: 300, depth: 6, attributes: 3, name_bytes: 24, inflated_bytes: 1 << 40, inflate_ratio: 200 };

/// A small document, now and then a larger one.
fn some_document(rng: &mut Rng) -> Vec<u8> {
    let most = if rng.one_in(10) { 60 } else { 6 };
    documents::any(rng, most)
}

#[test]
fn the_fast_path_equals_the_definition() {
    for_all("fast = definition", cases(CASES), some_document, |xml| fast_equals_definition(xml, Limits::default()));
}

#[test]
fn the_fast_path_equals_the_definition_beyond_the_limits() {
    for_all("fast = definition, low limits", cases(CASES), some_document, |xml| fast_equals_definition(xml, LOW));
}

#[test]
fn cutting_does_not_matter() {
    for_all("any cut", cases(CASES), some_document, |xml| {
        let mut rng = Rng::new(xml.len() as u64);
        cuts_do_not_matter(xml, &[1, 1 + rng.below(20), 1 + rng.below(300), 1 + rng.below(xml.len() + 1)], Limits::default())
    });
}

#[test]
fn cutting_does_not_matter_beyond_the_limits() {
    for_all("any cut, low limits", cases(CASES), some_document, |xml| {
        let mut rng = Rng::new(xml.len() as u64);
        cuts_do_not_matter(xml, &[1, 1 + rng.below(20), 1 + rng.below(300), 1 + rng.below(xml.len() + 1)], LOW)
    });
}

#[test]
fn the_splitter_cuts_at_boundaries() {
    for_all("splitter", cases(CASES), some_document, |xml| {
        let step = 1 + xml.len() / 300;
        cuts_are_boundaries(xml, (0..=xml.len()).filter(|n| n % step == 0 || *n == xml.len()))
    });
}

#[test]
fn resuming_gives_the_rest() {
    let marks = std::cell::Cell::new(0);
    for_all("resume", cases(CASES), some_document, |xml| {
        let mut rng = Rng::new(xml.len() as u64);
        let cut = rng.below(xml.len() + 1);
        let parts = [gzips::member(&xml[..cut], 6, 1 + rng.below(200)), gzips::member(b"", 6, 10), gzips::member(&xml[cut..], 1, 1 + rng.below(200))];
        for bytes in [parts.concat(), gzips::member(xml, 9, 40), xml.to_vec()] {
            if bytes.is_empty() {
                continue;
            }
            marks.set(marks.get() + resumes(xml, &TempFile::new(&bytes), 1 + rng.below(300))?);
        }
        Ok(())
    });
    eprintln!("resumed from {} marks", marks.get());
    assert!(marks.get() > 0, "there were marks to resume from");
}

/// Found by fuzzing: in small pieces the tag was taken for open, though it breaks off where a record begins.
#[test]
fn a_long_tag_that_breaks_off_opens_nothing() {
    let found = b"f\xc9R\x18-\xc9\xa5:<labels>\n<label>label><id>2</id><sublabels>\n<label id=\"50\n<label id=\"ls><pareabel><id>340711</id></label>\r\n<label></label>t; R</label>s\r\n</labels>";
    targets::limits(found).expect("the same in pieces");
}

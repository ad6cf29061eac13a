//! The entry points for fuzzing: the first eight bytes choose, the rest is the input.

use std::sync::{Arc, LazyLock};

use deadwax_native::limits::Limits;
use deadwax_native::rules::{self, Rules};

use super::checks::{self, Check};
use super::gzips;
use super::random::Rng;
use super::rows::rows_equal_definition;
use super::run::TempFile;

const CHOICE_BYTES: usize = 8;

/// What chooses, and the input; None if there are too few bytes.
fn split_off(data: &[u8]) -> Option<(Rng, &[u8])> {
    let (choice, input) = data.split_first_chunk::<CHOICE_BYTES>()?;
    (!input.is_empty()).then(|| (Rng::new(u64::from_le_bytes(*choice)), input))
}

/// Rules of every kind, over names that inputs are likely to have.
pub static RULES: LazyLock<Arc<Rules>> = LazyLock::new(|| {
    let lists = r#"{"skips": [{"field": "name", "contains": "A", "reason": "r"}],
        "filters": [{"field": "artists.artist.0.name", "remove_matching": "x"}, {"field": "year", "nullify_when": {"below": 1900}}],
        "rules": [{"name": "a", "field": "id", "condition": {"type": "required"}, "severity": "error"},
            {"name": "b", "field": "sublabels.label.#text", "condition": {"type": "length", "max": 3}, "severity": "info"},
            {"name": "c", "field": "formats.format.@name", "condition": {"type": "enum", "values": ["", "x"]}, "severity": "warning"},
            {"name": "d", "field": "title", "condition": {"type": "regex", "pattern": "\\s"}, "severity": "info"}]}"#;
    let lists: serde_json::Value = serde_json::from_str(lists).expect("JSON");
    let each = |kind: &str| ["artists", "labels", "masters", "releases"].map(|name| (name.to_owned(), lists[kind].clone()));
    let object = |kind: &str| serde_json::Value::Object(each(kind).into_iter().collect());
    let file = serde_json::json!({"skip_records": object("skips"), "filters": object("filters"), "rules": object("rules")});
    Arc::new(rules::compile(&file.to_string()).expect("sound rules"))
});

/// A document through both readers, without and with rules.
pub fn records(data: &[u8]) -> Check {
    let Some((mut rng, xml)) = split_off(data) else { return Ok(()) };
    checks::fast_equals_definition(xml, Limits::default())?;
    checks::rules_do_not_depend_on_the_way(xml, &RULES, 1 + rng.below(300))
}

/// A document cut by the splitter, and by pieces of any size.
pub fn split(data: &[u8]) -> Check {
    let Some((mut rng, xml)) = split_off(data) else { return Ok(()) };
    checks::cuts_are_boundaries(xml, (0..8).map(|_| rng.below(xml.len() + 1)).chain([xml.len()]))?;
    let mut rng = Rng::new(rng.next());
    checks::cuts_do_not_matter(xml, &[1 + rng.below(xml.len()), 1 + rng.below(64)], Limits::default())
}

/// The same with limits that are exceeded.
pub fn limits(data: &[u8]) -> Check {
    let Some((mut rng, xml)) = split_off(data) else { return Ok(()) };
    let limits =
        Limits { record_bytes: 20 + rng.below(300), depth: 3 + rng.below(5), attributes: 1 + rng.below(4), name_bytes: 4 + rng.below(40), ..Limits::default() };
    checks::fast_equals_definition(xml, limits)?;
    checks::cuts_do_not_matter(xml, &[1 + rng.below(xml.len()), 1 + rng.below(64)], limits)
}

/// A document in gzip members and blocks, resumed wherever that is possible.
pub fn resume(data: &[u8]) -> Check {
    let Some((mut rng, xml)) = split_off(data) else { return Ok(()) };
    let (head, tail) = xml.split_at(rng.below(xml.len() + 1));
    let mut member = |part: &[u8]| gzips::member(part, rng.below(10) as u32, 1 + rng.below(200));
    let gzip = [member(head), member(tail)].concat();
    checks::resumes(xml, &TempFile::new(&gzip), 1 + rng.below(300)).map(|_| ())
}

/// Any bytes, as a gzip.
pub fn inflate(data: &[u8]) -> Check {
    let Some((_, bytes)) = split_off(data) else { return Ok(()) };
    checks::inflates_or_refuses(bytes)
}

/// Any bytes as bodies: one, or cut into two.
pub fn copy(data: &[u8]) -> Check {
    let Some((mut rng, bytes)) = split_off(data) else { return Ok(()) };
    rows_equal_definition(&[bytes])?;
    let (head, tail) = bytes.split_at(rng.below(bytes.len() + 1));
    rows_equal_definition(&[head, tail])
}

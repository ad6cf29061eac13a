//! Edits of one record: other content, or other bytes for the same content.

use std::ops::Range;

use memchr::{memchr, memchr_iter};

use super::records::id_place;
use crate::rng::Rng;
use crate::text;
use crate::universe::Universe;

/// Elements whose text may change: whoever reads a record keeps it, whatever is around them.
const TEXTS: &[&[u8]] =
    &[b"title", b"name", b"realname", b"profile", b"notes", b"contactinfo", b"country", b"released", b"duration", b"url", b"description", b"role", b"style"];
const QUALITIES: &[&str] = &["Correct", "Needs Vote", "Complete and Correct", "Needs Major Changes"];

/// An element that holds nothing but text.
struct Leaf {
    name: Range<usize>,
    text: Range<usize>,
}

/// Elements with text and without attributes or children. Text of white space alone is not text.
fn leaves(xml: &[u8]) -> Vec<Leaf> {
    let mut found = Vec::new();
    let mut tags = memchr_iter(b'<', xml).peekable();
    while let Some(lt) = tags.next() {
        let Some(gt) = memchr(b'>', &xml[lt..]).map(|n| lt + n) else { break };
        let Some(&next) = tags.peek() else { break };
        let (name, text) = (lt + 1..gt, gt + 1..next);
        let is_plain = xml[name.clone()].iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        if is_plain && xml[next + 1] == b'/' && !xml[text.clone()].iter().all(u8::is_ascii_whitespace) {
            found.push(Leaf { name, text });
        }
    }
    found
}

fn spliced(xml: &[u8], place: Range<usize>, with: &[u8]) -> Vec<u8> {
    [&xml[..place.start], with, &xml[place.end..]].concat()
}

/// A text as it is read, with the references resolved that [`reference`] writes.
pub fn without_references(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let mut parts = text.split("&#");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let resolved = part.split_once(';').and_then(|(number, rest)| {
            let code = number.strip_prefix('x').map_or_else(|| number.parse().ok(), |digits| u32::from_str_radix(digits, 16).ok())?;
            Some((char::from_u32(code)?, rest))
        });
        match resolved {
            Some((letter, rest)) => {
                out.push(letter);
                out.push_str(rest);
            }
            None => {
                out.push_str("&#");
                out.push_str(part);
            }
        }
    }
    out
}

/// The record with other content, and the name of the element that differs.
pub fn update(u: &Universe, xml: &[u8], rng: &mut Rng) -> Option<(Vec<u8>, String)> {
    let leaves = leaves(xml);
    let named = |leaf: &&Leaf, names: &[&[u8]]| names.contains(&&xml[leaf.name.clone()]);
    let title = leaves.iter().find(|leaf| named(leaf, &[b"title", b"name"]));
    let quality = leaves.iter().find(|leaf| named(leaf, &[b"data_quality"]));
    let any: Vec<&Leaf> = leaves.iter().filter(|leaf| named(leaf, TEXTS)).collect();
    let any = (!any.is_empty()).then(|| any[rng.below(any.len())]);
    let (first, second, third) = match rng.below(4) {
        0 => (title, any, quality),
        1 => (quality, any, title),
        _ => (any, title, quality),
    };
    let leaf = first.or(second).or(third)?;
    let name = String::from_utf8_lossy(&xml[leaf.name.clone()]).into_owned();
    let old = &xml[leaf.text.clone()];
    let new = if name == "data_quality" {
        let others: Vec<&str> = QUALITIES.iter().copied().filter(|quality| *quality != without_references(old)).collect();
        rng.pick(&others).to_owned()
    } else {
        let mut word = String::from(" ");
        let flavour = u.words.flavour(rng);
        text::title(u.words, rng, flavour, &mut word);
        word.retain(|letter| letter.is_alphanumeric() || letter == ' ');
        // Never white space at the end, which a contract may drop.
        format!("{}{} {}", String::from_utf8_lossy(old), word.trim_end(), rng.between(2, 99))
    };
    Some((spliced(xml, leaf.text.clone(), new.as_bytes()), name))
}

/// One way to write a record in other bytes, if it has what that takes.
type Way = fn(&[u8], &mut Rng) -> Option<Vec<u8>>;

/// The record in other bytes that mean the same in every contract, and what was done to it.
pub fn rewrite(xml: &[u8], rng: &mut Rng) -> (Vec<u8>, &'static str) {
    let ways: [(&'static str, Way); 5] = [("reference", reference), ("attributes", attributes), ("quotes", quotes), ("empty", empty), ("space", space)];
    let first = rng.below(ways.len());
    let found = (0..ways.len()).find_map(|turn| {
        let (name, way) = ways[(first + turn) % ways.len()];
        way(xml, rng).map(|bytes| (bytes, name))
    });
    // White space can stand behind the name of any start tag.
    found.unwrap_or_else(|| (spliced(xml, memchr(b'>', xml).map_or(0..0, |gt| gt..gt), b" "), "space"))
}

/// One letter of a text as a reference to it.
fn reference(xml: &[u8], rng: &mut Rng) -> Option<Vec<u8>> {
    let leaves = leaves(xml);
    let leaves: Vec<&Leaf> = leaves.iter().filter(|leaf| &xml[leaf.name.clone()] != b"id").collect();
    let text = (!leaves.is_empty()).then(|| leaves[rng.below(leaves.len())].text.clone())?;
    let start = text.start + rng.below(text.len());
    let mut is_reference = xml[text.start..start].iter().rposition(|byte| *byte == b'&').is_some_and(|at| memchr(b';', &xml[text.start + at..start]).is_none());
    let at = (start..text.end).find(|&at| {
        is_reference = (is_reference || xml[at] == b'&') && xml[at] != b';';
        !is_reference && xml[at].is_ascii_alphanumeric()
    })?;
    let number = if rng.chance(0.5) { format!("&#{};", xml[at]) } else { format!("&#x{:X};", xml[at]) };
    Some(spliced(xml, at..at + 1, number.as_bytes()))
}

/// Start tags that have attributes.
fn tags(xml: &[u8]) -> Vec<Range<usize>> {
    let tag = |lt: usize| memchr(b'>', &xml[lt..]).map(|n| lt..lt + n);
    memchr_iter(b'<', xml).filter_map(tag).filter(|tag| memchr(b'=', &xml[tag.clone()]).is_some()).collect()
}

/// The last two attributes of a tag the other way round.
fn attributes(xml: &[u8], rng: &mut Rng) -> Option<Vec<u8>> {
    let tags = tags(xml);
    let turn = (!tags.is_empty()).then(|| rng.below(tags.len()))?;
    (0..tags.len()).find_map(|n| {
        let tag = tags[(turn + n) % tags.len()].clone();
        let mut parts: Vec<Range<usize>> = Vec::new();
        let mut at = tag.start + memchr(b' ', &xml[tag.clone()])?;
        while at < tag.end && xml[at] == b' ' {
            let quote = at + memchr(b'=', &xml[at..tag.end])? + 1;
            let close = quote + 1 + memchr(xml[quote], &xml[quote + 1..tag.end])? + 1;
            parts.push(at..close);
            at = close;
        }
        let [.., one, other] = parts.as_slice() else { return None };
        let turned = [&xml[other.clone()], &xml[one.clone()]].concat();
        Some(spliced(xml, one.start..other.end, &turned)).filter(|new| new != xml)
    })
}

/// A value in the other kind of quotes.
fn quotes(xml: &[u8], rng: &mut Rng) -> Option<Vec<u8>> {
    let tags = tags(xml);
    let turn = (!tags.is_empty()).then(|| rng.below(tags.len()))?;
    (0..tags.len()).find_map(|n| {
        let tag = tags[(turn + n) % tags.len()].clone();
        let open = tag.start + memchr(b'=', &xml[tag.clone()])? + 1;
        let old = xml[open];
        let new = if old == b'"' { b'\'' } else { b'"' };
        let close = open + 1 + memchr(old, &xml[open + 1..tag.end])?;
        let value = &xml[open + 1..close];
        let free = memchr(new, value).is_none();
        free.then(|| spliced(xml, open..close + 1, &[&[new], value, &[new]].concat()))
    })
}

/// An element without content in its other form.
fn empty(xml: &[u8], rng: &mut Rng) -> Option<Vec<u8>> {
    let found: Vec<usize> = memchr::memmem::find_iter(xml, b"/>").collect();
    let gt = (!found.is_empty()).then(|| found[rng.below(found.len())])?;
    let lt = xml[..gt].iter().rposition(|byte| *byte == b'<')?;
    let name = xml[lt + 1..gt].split(|byte| *byte == b' ').next()?;
    Some(spliced(xml, gt..gt + 2, &[b"></", name, b">"].concat()))
}

/// White space before a start tag that is the first thing in an element, or in a tag.
fn space(xml: &[u8], rng: &mut Rng) -> Option<Vec<u8>> {
    let inner = id_place(xml)?.end;
    let found: Vec<usize> = memchr::memmem::find_iter(xml, b"><").map(|at| at + 1).filter(|&at| at > inner && xml[at + 1] != b'/').collect();
    let at = (!found.is_empty()).then(|| found[rng.below(found.len())])?;
    // A record of real dumps may begin at a line's start: nothing in one ever does.
    let blank = rng.pick(&[" ", "\t", "\n  ", "\r\n ", "    "]);
    Some(spliced(xml, at..at, blank.as_bytes()))
}

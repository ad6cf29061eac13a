//! Whole documents made up for tests, and damage to them.

use deadwax_native::contract::DataType;

use super::random::Rng;
use super::records;

/// How records stand in a document: between them, and before the closing root tag.
const LAYOUTS: &[(&[u8], &[u8])] =
    &[(b"\n", b"\n"), (b"\n", b"\n"), (b"\n", b""), (b"\r\n", b"\r\n"), (b"\n\t", b"\n"), (b"\n  ", b"\n"), (b"", b""), (b"", b"\n"), (b" ", b"")];
const PROLOGS: &[&[u8]] =
    &[b"", b"", b"", b"\xef\xbb\xbf", b"<?xml version='1.0'?>\n", b"<!-- <artists> -->", b"<!DOCTYPE artists SYSTEM \"x>y\" [<!ENTITY a \"]>\">]>", b"<?p?>\n"];
const EPILOGS: &[&[u8]] = &[b"", b"\n", b" \r\n\t", b"<!-- end -->", b"<?p </artists> ?>\n"];

/// Kinds of documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    Plain,
    Odd,
    Broken,
}

/// A document of `data_type` with up to `most` records.
pub fn document(rng: &mut Rng, data_type: DataType, style: Style, most: usize) -> Vec<u8> {
    let (gap, last) = LAYOUTS[rng.below(LAYOUTS.len())];
    let odd = style != Style::Plain && rng.one_in(2);
    let mut out = Vec::new();
    if odd {
        out.extend_from_slice(rng.pick(PROLOGS));
    }
    let root = data_type.as_str().as_bytes();
    out.extend_from_slice(&[b"<", root, b">"].concat());
    for _ in 0..rng.few(most) {
        if odd && rng.one_in(4) {
            records::aside(rng, &mut out);
        }
        out.extend_from_slice(gap);
        if odd && rng.one_in(2) {
            records::odd(rng, data_type, &mut out);
        } else {
            records::plain(rng, data_type, &mut out);
        }
    }
    out.extend_from_slice(last);
    out.extend_from_slice(&[b"</", root, b">"].concat());
    if odd {
        out.extend_from_slice(rng.pick(EPILOGS));
    }
    if style == Style::Broken {
        for _ in 0..=rng.few(4) {
            damage(rng, &mut out);
        }
    }
    out
}

/// A document of any type and style; the type is told by [`type_of`].
pub fn any(rng: &mut Rng, most: usize) -> Vec<u8> {
    let data_type = DataType::ALL[rng.below(4)];
    let style = [Style::Plain, Style::Odd, Style::Broken, Style::Broken][rng.below(4)];
    document(rng, data_type, style, most)
}

/// The type whose records a document most likely holds, so that an input's bytes are all that a check needs.
pub fn type_of(bytes: &[u8]) -> DataType {
    let head = &bytes[..bytes.len().min(256)];
    let at = |t: &DataType| {
        memchr::memmem::find(head, &[b"<", t.as_str().as_bytes()].concat()).or_else(|| memchr::memmem::find(head, t.record_name())).unwrap_or(usize::MAX)
    };
    DataType::ALL.into_iter().min_by_key(at).unwrap_or(DataType::Artists)
}

const INSERTS: &[&[u8]] = &[
    b"<",
    b">",
    b"/",
    b"\"",
    b"'",
    b"&",
    b"=",
    b"\n",
    b"\0",
    b"\xff",
    b"stray",
    b"<!x>",
    b"<!",
    b"<!--",
    b"-->",
    b"<![CDATA[",
    b"]]>",
    b"<![cdata[x]]>",
    b"<?",
    b"?>",
    b"</",
    b"/>",
    b"<x>",
    b"</x>",
    b"<x/>",
    b"</>",
    b"<foo>",
    b"</foo>",
    b"<foo/>",
    b"<artist>",
    b"</artist>",
    b"<artist/>",
    b"<label>",
    b"</label>",
    b"\n<label>",
    b"<master>",
    b"</master>",
    b"<release>",
    b"</release>",
    b"<sublabels>",
    b"</sublabels>",
    b"\n<artist>",
    b"\n<artist",
    b"\n<release id=\"1\">",
    b"\n<master",
    b"\n<master/>",
    b"\n</artists>",
    b"\n</labels>",
    b"\n</releases",
    b"</artists>",
    b"</labels>",
    b"</masters>",
    b"</releases>",
    b"<artists>",
    b"&#32;",
    b"<![CDATA[ ]]>",
    b"<?p?>",
    b"<!-- -->",
    b"\xc2\xa0",
    b"<!->",
    b"<![>",
    b"<>",
    b"< >",
    b"<artist a=\"",
    b"<label a='>",
    b"\n<x \n<master>",
];

fn tags(bytes: &[u8]) -> Vec<(usize, usize)> {
    memchr::memchr_iter(b'<', bytes).filter_map(|lt| memchr::memchr(b'>', &bytes[lt..]).map(|n| (lt, lt + n + 1))).collect()
}

/// Does one damage.
pub fn damage(rng: &mut Rng, out: &mut Vec<u8>) {
    let at = rng.below(out.len() + 1);
    let tags = tags(out);
    let tag = (!tags.is_empty()).then(|| tags[rng.below(tags.len())]);
    match (rng.below(20), tag) {
        (0..=3, Some((lt, _))) => splice(out, lt, lt, rng.pick(INSERTS)),
        (4..=7, _) => splice(out, at, at, rng.pick(INSERTS)),
        (8, _) => {
            let byte = [rng.next() as u8];
            splice(out, at, at, &byte);
        }
        (9..=10, _) => {
            let end = at + 1 + rng.below(20);
            splice(out, at, end, b"");
        }
        (11..=12, _) => {
            let bytes = rng.pick(INSERTS);
            splice(out, at, at + bytes.len(), bytes);
        }
        (13..=15, Some((lt, end))) => splice(out, lt, end, b""),
        (16, Some((lt, end))) => {
            let moved = out[lt..end].to_vec();
            splice(out, lt, end, b"");
            let to = rng.below(out.len() + 1);
            splice(out, to, to, &moved);
        }
        (17, _) => {
            let end = (at + 1 + rng.below(80)).min(out.len());
            let again = out[at..end].to_vec();
            splice(out, end, end, &again);
        }
        (18, Some((_, end))) => splice(out, end - 1, end, b""),
        _ => out.truncate(at),
    }
}

fn splice(out: &mut Vec<u8>, from: usize, to: usize, bytes: &[u8]) {
    let to = to.min(out.len());
    out.splice(from..to.max(from), bytes.iter().copied());
}

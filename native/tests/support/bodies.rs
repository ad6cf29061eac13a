//! Message bodies made up for tests: JSON of any form, with the members that a table asks for.

use std::fs;
use std::path::Path;

use super::random::Rng;

const BLANKS: &[&[u8]] = &[b"", b"", b"", b" ", b"\n", b"\r\n\t", b"\n    "];
/// Keys that are asked for, some of them escaped, and others.
const KEYS: &[&[u8]] = &[
    b"id",
    b"id",
    b"sha256",
    b"sha256",
    b"released",
    b"released",
    b"year",
    b"artists",
    b"artists",
    b"artist",
    b"name",
    b"join",
    br"\u0069d",
    br"sh\u0061256",
    br"y\u0065ar",
    br"releas\u0065d",
    br"artist\u0073",
    br"n\u0061me",
    br"id\u0000",
    br"\ud800",
    b"",
    b"ID",
    b"notes",
    br#"\""#,
];
/// What strings are made of.
const PIECES: &[&[u8]] = &[
    b"a",
    b"1999",
    b"2001-05",
    b"19990",
    b"1859",
    b"2027",
    b",",
    b"&",
    b"feat.",
    b" ",
    b"null",
    b"NULL",
    b"{}",
    b"{",
    b"]",
    b":",
    br#"\""#,
    br"\\",
    br"\\N",
    br"\\.",
    br"\/",
    br"\n",
    br"\t",
    br"\r",
    br"\b",
    br"\f",
    br"\u0000",
    br"\u0001",
    br"\u002c",
    br"\u0031",
    br"\ud83c",
    br"\udfb5",
    br"\ud83c\udfb5",
    br"\uD83C\uDFB5",
    br"\ud800",
    br"\udbff",
    br"\udc00",
    br"\udfff",
    br"\ud7ff",
    br"\ue000",
    br"\uffff",
    br"\u00E9",
    b"\x7f",
    b"'",
    "é".as_bytes(),
    "日本".as_bytes(),
    "\u{1f3b5}".as_bytes(),
    b"a long run of text without anything in it that is special",
];
const SCALARS: &[&[u8]] = &[
    b"null",
    b"true",
    b"false",
    b"0",
    b"-0",
    b"7",
    b"-12",
    b"1999",
    b"1999.0",
    b"2e3",
    b"1e999999",
    b"2147483647",
    b"2147483648",
    b"-2147483649",
    b"9007199254740991",
    b"9007199254740992",
    b"123456789012345678901234567890",
];
const DATES: &[&[u8]] = &[br#"""#, br#""1999"#, br#""1999-"#, br#""20\u00312"#, br#""1859"#, br#""1860"#, br#""2027"#, br#""2028"#, br#""199"#];
/// What makes JSON of a body, or spoils it.
const SPOILS: &[&[u8]] = &[
    b",",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b"\"",
    b"{,",
    b",,",
    b",}",
    b"[1,]",
    b"01",
    b"-",
    b"1.",
    b".5",
    b"1e",
    b"+1",
    b"tru",
    b"nulll",
    br"\",
    br"\x",
    br"\u12g4",
    b"'",
    b"//",
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    b"\xc3",
];
const BYTES: &[u8] = b"\"\\{}[]:,u0d8 \n\t\r\0\x1f1a\xff\xc3";

fn string(rng: &mut Rng, out: &mut Vec<u8>) {
    out.push(b'"');
    string_behind(rng, out);
}

/// The rest of a string that has begun.
fn string_behind(rng: &mut Rng, out: &mut Vec<u8>) {
    for _ in 0..rng.few(5) {
        out.extend_from_slice(rng.pick(PIECES));
    }
    if rng.one_in(40) {
        // About as long as an id may be.
        out.extend_from_slice(rng.pick(&["x", "é", r"\n"]).repeat(245 + rng.below(16)).as_bytes());
    }
    out.push(b'"');
}

fn value(rng: &mut Rng, depth: usize, out: &mut Vec<u8>) {
    if rng.one_in(100) {
        return out.extend_from_slice(rng.pick(SPOILS));
    }
    match rng.below(if depth == 0 { 4 } else { 8 }) {
        0 => out.extend_from_slice(rng.pick(SCALARS)),
        1..=3 => string(rng, out),
        4 | 5 => object(rng, depth - 1, out),
        _ => {
            out.push(b'[');
            for i in 0..rng.few(4) {
                between(rng, i, out);
                value(rng, depth - 1, out);
            }
            out.extend_from_slice(rng.pick(BLANKS));
            out.push(b']');
        }
    }
}

fn between(rng: &mut Rng, i: usize, out: &mut Vec<u8>) {
    if i > 0 {
        out.extend_from_slice(rng.pick(BLANKS));
        out.push(b',');
    }
    out.extend_from_slice(rng.pick(BLANKS));
    if rng.one_in(200) {
        out.extend_from_slice(rng.pick(SPOILS));
    }
}

fn members(rng: &mut Rng, first: usize, depth: usize, out: &mut Vec<u8>) {
    for i in first..first + rng.few(8) {
        between(rng, i, out);
        out.push(b'"');
        out.extend_from_slice(rng.pick(KEYS));
        out.push(b'"');
        out.extend_from_slice(rng.pick(BLANKS));
        out.push(b':');
        out.extend_from_slice(rng.pick(BLANKS));
        value(rng, depth, out);
    }
    out.extend_from_slice(rng.pick(BLANKS));
    out.push(b'}');
}

fn object(rng: &mut Rng, depth: usize, out: &mut Vec<u8>) {
    out.push(b'{');
    members(rng, 0, depth, out);
}

/// A body: mostly one that begins as ours do, else any object, now and then any value; some are spoilt.
pub fn any(rng: &mut Rng) -> Vec<u8> {
    let mut out = rng.pick(BLANKS).to_vec();
    match rng.below(8) {
        0 => value(rng, 3, &mut out),
        1..=3 => object(rng, 4, &mut out),
        _ => {
            // Seldom empty, so that most bodies are rows.
            out.extend_from_slice(br#"{"type":"data","id":"1"#);
            out.truncate(out.len() - usize::from(rng.one_in(4)));
            string_behind(rng, &mut out);
            out.extend_from_slice(br#","sha256":"a"#);
            string_behind(rng, &mut out);
            members(rng, 3, 4, &mut out);
        }
    }
    out.extend_from_slice(rng.pick(BLANKS));
    out
}

/// A release whose artists and dates are of every kind.
pub fn release(rng: &mut Rng) -> Vec<u8> {
    let mut out = br#"{"id":"1","sha256":"ab""#.to_vec();
    for _ in 0..rng.below(3) {
        out.extend_from_slice(br#","released":"#);
        out.extend_from_slice(rng.pick(DATES));
        string_behind(rng, &mut out);
    }
    for _ in 0..rng.below(3) {
        out.extend_from_slice(br#","artists":"#);
        let is_topic = rng.one_in(2);
        let is_list = !is_topic || rng.one_in(2);
        out.extend_from_slice(if is_topic { br#"{"artist":"# } else { b"" });
        out.extend_from_slice(if is_list { b"[" } else { b"" });
        for i in 0..if is_list { rng.below(5) } else { 1 } {
            out.extend_from_slice(if i > 0 { b",{" } else { b"{" });
            for (j, key) in [&br#""join":"#[..], br#""name":"#, br#""join":"#].iter().enumerate() {
                if rng.one_in(3) {
                    continue;
                }
                out.extend_from_slice(if out.ends_with(b"{") { b"" } else { b"," });
                out.extend_from_slice(key);
                if j == 1 || rng.one_in(4) {
                    string(rng, &mut out)
                } else {
                    out.extend_from_slice(rng.pick(&[br#"",""#, br#""&""#, br#""""#, b"null", br#""\u002c""#]))
                }
            }
            out.push(b'}');
        }
        out.extend_from_slice(if is_list { b"]" } else { b"" });
        out.extend_from_slice(if is_topic { b"}" } else { b"" });
    }
    out.push(b'}');
    out
}

/// Changes a byte or a few.
pub fn damage(rng: &mut Rng, body: &mut Vec<u8>) {
    let at = rng.below(body.len() + 1);
    match rng.below(5) {
        0 => drop(body.splice(at..at, rng.pick(SPOILS).iter().copied())),
        1 => body.insert(at, BYTES[rng.below(BYTES.len())]),
        2 => body.truncate(at),
        3 => drop(body.drain(at..(at + 1 + rng.few(8)).min(body.len()).max(at))),
        _ => {
            if let Some(b) = body.get_mut(at) {
                *b = BYTES[rng.below(BYTES.len())];
            }
        }
    }
}

/// Our own bodies, of both contracts: those of the fixtures.
pub fn own() -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for data_type in ["artists", "labels", "masters", "releases"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../test/fixtures").join(data_type);
        let mut paths: Vec<_> = fs::read_dir(folder).expect("the fixtures are there").map(|entry| entry.expect("readable").path()).collect();
        paths.sort();
        for path in paths.iter().filter(|path| path.extension().is_some_and(|e| e == "json")) {
            let outcome: serde_json::Value = serde_json::from_slice(&fs::read(path).expect("readable")).expect("JSON");
            found.extend(outcome["bodies"].as_array().expect("bodies").iter().map(|body| body.as_str().expect("a text").as_bytes().to_vec()));
        }
    }
    found
}

//! What bodies say of themselves: id and hash, as PostgreSQL wants them in an array.

use std::borrow::Cow;
use std::fmt;

use crate::members::{self, Items, Malformed};
use crate::strict::{self, DEPTH_MAX, Refused};

/// Characters of an id or a hash.
pub const CHARS_MAX: usize = 255;
/// Integers below this are themselves as a double.
const EXACT_MAX: u64 = 1 << 53;

/// Bodies one after another, each with a LF behind it.
#[derive(Clone, Copy)]
pub struct Bodies<'a> {
    bytes: &'a [u8],
    ends: &'a [u32],
}

impl<'a> Bodies<'a> {
    /// None if the ends do not ascend within the bytes.
    pub fn new(bytes: &'a [u8], ends: &'a [u32]) -> Option<Self> {
        let ascend = ends.windows(2).all(|pair| pair[0] < pair[1]);
        (ascend && ends.last().is_none_or(|&last| last as usize <= bytes.len())).then_some(Self { bytes, ends })
    }

    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Without its LF.
    pub fn get(&self, index: usize) -> Option<&'a [u8]> {
        let end = *self.ends.get(index)? as usize;
        let start = if index == 0 { 0 } else { self.ends[index - 1] as usize + 1 };
        self.bytes.get(start..end)
    }
}

/// Why a body cannot be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bad {
    Malformed(usize),
    TooDeep(usize),
    NoObject,
    /// The member is missing.
    Missing(&'static str),
    /// The member is of no use.
    Unusable(&'static str, &'static str),
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(at) => write!(f, "not JSON at byte {at}"),
            Self::TooDeep(at) => write!(f, "nested deeper than {DEPTH_MAX} at byte {at}"),
            Self::NoObject => write!(f, "not a JSON object"),
            Self::Missing(key) => write!(f, "no {key}"),
            Self::Unusable(key, why) => write!(f, "{key} is {why}"),
        }
    }
}

impl From<Malformed> for Bad {
    fn from(Malformed(at): Malformed) -> Self {
        Self::Malformed(at)
    }
}

impl From<Refused> for Bad {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Malformed(at) => Self::Malformed(at),
            Refused::TooDeep(at) => Self::TooDeep(at),
        }
    }
}

/// By what a body is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys<'a> {
    pub id: Cow<'a, str>,
    pub hash: Cow<'a, str>,
}

/// The first `id` and the first `sha256` of a body; nothing behind both is looked at.
pub fn keys(body: &[u8]) -> Result<Keys<'_>, Bad> {
    let mut items = Items::of_object(body).ok_or(Bad::NoObject)?;
    let (mut id, mut hash) = (None, None);
    while id.is_none() || hash.is_none() {
        let Some(member) = items.member()? else { break };
        if id.is_none() && members::is_text(member.key, "id") {
            id = Some(member.value);
        } else if hash.is_none() && members::is_text(member.key, "sha256") {
            hash = Some(member.value);
        }
    }
    let id = id.ok_or(Bad::Missing("id"))?;
    let id = match std::str::from_utf8(id) {
        Ok(number) if members::is_integer(id) => usable("id", Cow::Borrowed(number))?,
        _ => usable("id", members::string(id).and_then(members::text).ok_or(Bad::Unusable("id", "neither a string nor an integer"))?)?,
    };
    let hash = hash.ok_or(Bad::Missing("sha256"))?;
    let hash = usable("sha256", members::string(hash).and_then(members::text).ok_or(Bad::Unusable("sha256", "not a string"))?)?;
    Ok(Keys { id, hash })
}

fn usable<'a>(key: &'static str, text: Cow<'a, str>) -> Result<Cow<'a, str>, Bad> {
    if text.is_empty() {
        return Err(Bad::Unusable(key, "empty"));
    }
    // No character has less than a byte.
    if text.len() > CHARS_MAX && text.chars().count() > CHARS_MAX {
        return Err(Bad::Unusable(key, "longer than 255 characters"));
    }
    Ok(text)
}

/// The keys of many bodies; see `BodyKeys` in `index.d.ts`.
#[derive(Debug)]
pub struct Columns {
    pub ids: String,
    pub hashes: String,
    pub numbers: Vec<f64>,
    pub bad: Vec<(usize, Bad)>,
}

/// The keys of `bodies`; `check` holds the whole of each against the grammar of JSON.
pub fn columns(bodies: Bodies, check: bool) -> Columns {
    let mut columns = Columns { ids: "{".to_owned(), hashes: "{".to_owned(), numbers: Vec::with_capacity(bodies.len()), bad: Vec::new() };
    columns.ids.reserve(bodies.len() * 10);
    columns.hashes.reserve(bodies.len() * 65);
    for index in 0..bodies.len() {
        let body = bodies.get(index).unwrap_or_default();
        let sound = if check { strict::check(body).map_err(Bad::from) } else { Ok(()) };
        if index > 0 {
            columns.ids.push(',');
            columns.hashes.push(',');
        }
        match sound.and_then(|()| keys(body)) {
            Ok(Keys { id, hash }) => {
                push_element(&id, &mut columns.ids);
                push_element(&hash, &mut columns.hashes);
                columns.numbers.push(number(&id));
            }
            Err(bad) => {
                columns.ids.push_str("NULL");
                columns.hashes.push_str("NULL");
                columns.numbers.push(f64::NAN);
                columns.bad.push((index, bad));
            }
        }
    }
    columns.ids.push('}');
    columns.hashes.push('}');
    columns
}

/// The number that `id` is the canonical decimal of, or NaN.
fn number(id: &str) -> f64 {
    let canonical = id.len() <= 16 && !id.starts_with('-') && members::is_integer(id.as_bytes());
    match id.parse::<u64>() {
        Ok(number) if canonical && number < EXACT_MAX => number as f64,
        _ => f64::NAN,
    }
}

/// Appends an element of an array literal.
fn push_element(text: &str, out: &mut String) {
    // Without a branch inside: hashes are long and plain.
    let plain = text.bytes().fold(true, |plain, b| plain & b.is_ascii_alphanumeric()) && !text.is_empty() && !text.eq_ignore_ascii_case("null");
    if plain {
        out.push_str(text);
        return;
    }
    out.push('"');
    for c in text.chars() {
        if c == '"' || c == '\\' {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns_of(list: &[&str], check: bool) -> Columns {
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        for body in list {
            bytes.extend_from_slice(body.as_bytes());
            ends.push(bytes.len() as u32);
            bytes.push(b'\n');
        }
        columns(Bodies::new(&bytes, &ends).expect("bodies"), check)
    }
    fn bad(body: &str, check: bool) -> Option<String> {
        columns_of(&[body], check).bad.first().map(|(_, bad)| bad.to_string())
    }

    #[test]
    fn the_first_members_count() {
        let of = |body: &'static str| keys(body.as_bytes()).map(|k| (k.id.into_owned(), k.hash.into_owned()));
        let both = |id: &str, hash: &str| Ok((id.to_owned(), hash.to_owned()));
        assert_eq!(of(r#"{"type":"data","id":"1","sha256":"ab","id":"2","sha256":"cd"}"#), both("1", "ab"));
        assert_eq!(of(r#" { "x":{"id":"no","y":["}"]}, "sha256" : "ab" , "\u0069d" : -12 } "#), both("-12", "ab"));
        assert_eq!(of(r#"{"id":"\ud83c\udfb5\u0000\"","sha256":"\u00e9"}"#), both("\u{1f3b5}\u{fffd}\"", "é"));
        // What follows is not looked at.
        assert_eq!(of(r#"{"id":"1","sha256":"ab", nonsense"#), both("1", "ab"));
    }

    #[test]
    fn array_literals_are_quoted_where_they_must() {
        let bodies =
            [r#"{"id":1,"sha256":"ab"}"#, "{}", r#"{"id":"a\"b\\{,} ","sha256":"NULL"}"#, r#"{"id":"Null","sha256":"-"}"#, r#"{"id":"é","sha256":"a b"}"#];
        let columns = columns_of(&bodies, false);
        assert_eq!(columns.ids, r#"{1,NULL,"a\"b\\{,} ","Null","é"}"#);
        assert_eq!(columns.hashes, r#"{ab,NULL,"NULL","-","a b"}"#);
        assert_eq!(columns.bad, [(1, Bad::Missing("id"))]);
        assert_eq!((columns_of(&[], true).ids.as_str(), columns_of(&[], true).numbers.len()), ("{}", 0));
    }

    #[test]
    fn canonical_decimals_are_numbers() {
        let number = |id: &str| columns_of(&[&format!(r#"{{"id":{id},"sha256":"x"}}"#)], true).numbers[0];
        assert_eq!(
            [number("0"), number("\"17\""), number("9007199254740991"), number("\"9007199254740991\"")],
            [0.0, 17.0, 9007199254740991.0, 9007199254740991.0]
        );
        for other in ["\"01\"", "-1", "\"\"", "\"9007199254740992\"", "\"+1\"", "\" 1\"", "\"a\"", "-0", "\"18446744073709551616\"", "null"] {
            assert!(number(other).is_nan(), "{other}");
        }
    }

    #[test]
    fn bad_bodies_say_why() {
        let with_id = |id: &str| format!(r#"{{"id":{id},"sha256":"x"}}"#);
        for check in [false, true] {
            for (body, why) in [
                ("[]", "not a JSON object"),
                ("{}", "no id"),
                (r#"{"id":1}"#, "no sha256"),
                (r#"{"id":1,"sha256":7}"#, "sha256 is not a string"),
                (r#"{"id":1,"sha256":""}"#, "sha256 is empty"),
            ] {
                assert_eq!(bad(body, check).as_deref(), Some(why));
            }
            for id in ["null", "1.5", "1e3", "[]", "true"] {
                assert_eq!(bad(&with_id(id), check).as_deref(), Some("id is neither a string nor an integer"));
            }
            assert_eq!(bad(&with_id("\"\""), check).as_deref(), Some("id is empty"));
            let long = |n: usize| with_id(&format!("\"{}\"", "é".repeat(n)));
            assert_eq!(bad(&long(CHARS_MAX), check), None);
            assert_eq!(bad(&long(CHARS_MAX + 1), check).as_deref(), Some("id is longer than 255 characters"));
        }
        assert_eq!(bad(r#"{"id":1,"sha256":"x",}"#, false), None);
        assert_eq!(bad(r#"{"id":1,"sha256":"x",}"#, true).as_deref(), Some("not JSON at byte 21"));
        let deep = format!(r#"{{"id":1,"sha256":"x","y":{}1{}}}"#, "[".repeat(DEPTH_MAX), "]".repeat(DEPTH_MAX));
        assert_eq!(bad(&deep, true).as_deref(), Some("nested deeper than 512 at byte 536"));
        assert_eq!(bad(&deep, false), None);
    }

    #[test]
    fn ends_must_ascend_within_the_bytes() {
        assert!(Bodies::new(b"a\nb\n", &[1, 3]).is_some_and(|b| b.get(1) == Some(b"b") && b.get(2).is_none()));
        assert!(Bodies::new(b"", &[]).is_some_and(|b| b.is_empty()));
        assert!(Bodies::new(b"\n\n", &[0, 1]).is_some_and(|b| b.get(1) == Some(b"")));
        for ends in [&[1, 1][..], &[3, 1], &[5], &[u32::MAX]] {
            assert!(Bodies::new(b"a\nb\n", ends).is_none(), "{ends:?}");
        }
    }
}

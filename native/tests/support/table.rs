//! What a table holds of a body, said as simply as can be, by serde_json: the definition of `keys`, `strict`, `derived` and `copy`.

use std::collections::BTreeMap;
use std::fmt;

use serde_core::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

pub const DEPTH_MAX: usize = 512;
const CHARS_MAX: usize = 255;

/// The members of an object in their order, all of them.
struct Pairs<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Pairs<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Pairs<'de>;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<'de>, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(All)
    }
}

fn object(json: &str) -> Option<Vec<(String, &RawValue)>> {
    serde_json::from_str::<Pairs>(json).ok().map(|pairs| pairs.0)
}

fn string(json: &str) -> Option<String> {
    serde_json::from_str(json).ok()
}

fn array(json: &str) -> Option<Vec<&RawValue>> {
    serde_json::from_str(json).ok()
}

/// The value of the last member of that name.
fn last<'a>(json: &'a str, key: &str) -> Option<&'a str> {
    object(json)?.into_iter().rev().find(|(name, _)| name == key).map(|(_, value)| value.get())
}

/// A value: numbers as they are written, of members of one name the last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tree {
    /// A number, or a word.
    Plain(String),
    String(String),
    Array(Vec<Tree>),
    Object(BTreeMap<String, Tree>),
}

pub fn tree(json: &str) -> Tree {
    if let Some(text) = string(json) {
        Tree::String(text)
    } else if let Some(items) = array(json) {
        Tree::Array(items.iter().map(|item| tree(item.get())).collect())
    } else if let Some(pairs) = object(json) {
        Tree::Object(pairs.into_iter().map(|(key, value)| (key, tree(value.get()))).collect())
    } else {
        Tree::Plain(json.trim().to_owned())
    }
}

/// Whether bytes are JSON by the grammar alone: no matter how large its numbers, and with halves of surrogate pairs.
pub fn is_json(body: &[u8]) -> bool {
    std::str::from_utf8(body).is_ok() && serde_json::from_slice::<IgnoredAny>(body).is_ok()
}

/// How deep JSON is nested.
pub fn depth(json: &str) -> usize {
    let (mut depth, mut most, mut in_string) = (0, 0, false);
    for token in tokens(json) {
        match token {
            "\"" => in_string = !in_string,
            "{" | "[" if !in_string => depth += 1,
            "}" | "]" if !in_string => depth -= 1,
            _ => {}
        }
        most = most.max(depth);
    }
    most
}

/// JSON in characters and escape sequences.
fn tokens(json: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = json;
    while let Some(first) = rest.chars().next() {
        let len = match (first, rest.as_bytes().get(1)) {
            ('\\', Some(b'u')) => 6,
            ('\\', _) => 2,
            _ => first.len_utf8(),
        };
        let (token, behind) = rest.split_at(len);
        tokens.push(token);
        rest = behind;
    }
    tokens
}

/// JSON with U+FFFD for what jsonb cannot hold, and whether there was any.
pub fn storable(json: &str) -> (String, bool) {
    let tokens = tokens(json);
    let unit = |i: usize| u32::from_str_radix(tokens.get(i)?.strip_prefix("\\u")?, 16).ok();
    let is_high = |i: usize| unit(i).is_some_and(|unit| unit >> 10 == 0x36);
    let is_low = |i: usize| unit(i).is_some_and(|unit| unit >> 10 == 0x37);
    let mut replaced = false;
    let text = (0..tokens.len()).map(|i| {
        let is_half = (is_high(i) && !is_low(i + 1)) || (is_low(i) && !(i > 0 && is_high(i - 1)));
        if is_half || unit(i) == Some(0) {
            replaced = true;
            return "\\ufffd";
        }
        tokens[i]
    });
    (text.collect(), replaced)
}

/// Whether a number is an integer as it is written.
fn is_integer(json: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(json).is_ok() && json.trim_start_matches('-').bytes().all(|b| b.is_ascii_digit())
}

/// Id and hash of JSON that is [`storable`]; None if it cannot be a row.
pub fn keys(json: &str) -> Option<(String, String)> {
    let pairs = object(json)?;
    let first = |key: &str| pairs.iter().find(|(name, _)| name == key).map(|(_, value)| value.get());
    let id = first("id")?;
    let id = if is_integer(id) { id.to_owned() } else { string(id)? };
    let hash = string(first("sha256")?)?;
    [&id, &hash].iter().all(|text| (1..=CHARS_MAX).contains(&text.chars().count())).then_some((id, hash))
}

/// The number of an id, if it is the decimal of one that a double holds.
pub fn number(id: &str) -> Option<f64> {
    let number: u64 = id.parse().ok()?;
    (number.to_string() == id && number < 1 << 53).then_some(number as f64)
}

/// The members that a release gets beside its own.
pub fn derived(json: &str, year_max: u32) -> BTreeMap<String, Tree> {
    let mut found = BTreeMap::new();
    let date = last(json, "released").and_then(string).unwrap_or_default();
    let digits = date.chars().take_while(char::is_ascii_digit).count();
    let year = if digits == 4 { date[..4].parse().ok() } else { None };
    if let Some(year) = year.filter(|year| (1860..=year_max).contains(year)) {
        found.insert("year".to_owned(), Tree::Plain(year.to_string()));
    } else if last(json, "year").is_some_and(|year| !is_integer(year) || year.parse::<i32>().is_err()) {
        found.insert("year".to_owned(), Tree::Plain("null".to_owned()));
    }
    let artists = last(json, "artists").map(|artists| last(artists, "artist").map_or_else(|| array(artists).unwrap_or_default(), one_or_more));
    let mut text = String::new();
    for artist in artists.unwrap_or_default() {
        let member = |key| last(artist.get(), key).and_then(string).filter(|text| !text.is_empty());
        let Some(name) = member("name") else { continue };
        let join = member("join").filter(|join| join != ",").map_or(", ".to_owned(), |join| format!(" {join} "));
        text = text + &name + "\0" + &join + "\0";
    }
    // Between two names stands what joins them; behind the last, nothing. NUL cannot be in either.
    let parts: Vec<&str> = text.split_terminator('\0').collect();
    if let Some((_, parts)) = parts.split_last() {
        found.insert("artist".to_owned(), Tree::String(parts.concat()));
    }
    found
}

fn one_or_more(json: &str) -> Vec<&RawValue> {
    array(json).unwrap_or_else(|| serde_json::from_str(json).map_or(Vec::new(), |one| vec![one]))
}

/// A row of COPY in its columns, as the server reads them.
pub fn columns(row: &str) -> Result<Vec<String>, String> {
    let undo = |column: &str| {
        let mut out = String::new();
        let mut chars = column.chars();
        while let Some(c) = chars.next() {
            out.push(match (c, if c == '\\' { chars.next() } else { None }) {
                ('\\', Some('\\')) => '\\',
                ('\\', Some('n')) => '\n',
                ('\\', Some('r')) => '\r',
                ('\\', Some('t')) => '\t',
                ('\\', other) => return Err(format!("a backslash before {other:?}")),
                ('\r' | '\0', _) => return Err(format!("{c:?} as it stands")),
                _ => c,
            });
        }
        Ok(out)
    };
    row.split('\t').map(undo).collect()
}

/// The elements of an array literal, as the server reads them.
pub fn elements(literal: &str) -> Result<Vec<Option<String>>, String> {
    let inner = literal.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).ok_or("no braces")?;
    let mut chars = inner.chars().peekable();
    let mut found = Vec::new();
    while chars.peek().is_some() {
        if !found.is_empty() && chars.next() != Some(',') {
            return Err(format!("no comma behind element {}", found.len()));
        }
        let mut text = String::new();
        if chars.next_if_eq(&'"').is_some() {
            loop {
                match chars.next().ok_or("no closing quote")? {
                    '"' => break,
                    '\\' => text.push(chars.next().ok_or("a backslash at the end")?),
                    c => text.push(c),
                }
            }
            found.push(Some(text));
            continue;
        }
        while let Some(c) = chars.next_if(|&c| c != ',') {
            if matches!(c, '"' | '\\' | '{' | '}') || c.is_whitespace() {
                return Err(format!("{c:?} without quotes"));
            }
            text.push(c);
        }
        if text.is_empty() {
            return Err("nothing without quotes".to_owned());
        }
        found.push((!text.eq_ignore_ascii_case("null")).then_some(text));
    }
    Ok(found)
}

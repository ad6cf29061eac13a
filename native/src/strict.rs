//! Whether bytes are one JSON value: RFC 8259, UTF-8, and no deeper than [`DEPTH_MAX`].
//!
//! For messages that other programs have made. Nothing is built, and nothing recurses. What jsonb refuses beyond this, numbers
//! outside the range of its numeric (`1e999999`), is left to the server.

use crate::members::{Escape, behind_blanks, escape, string_stop};
use crate::utf8;

/// Objects and arrays inside one another.
pub const DEPTH_MAX: usize = 512;

/// Why bytes are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// No JSON from this byte on.
    Malformed(usize),
    /// Deeper than [`DEPTH_MAX`] at this byte.
    TooDeep(usize),
}

/// Which of the open brackets are those of objects.
struct Open {
    objects: [u64; DEPTH_MAX / 64],
    depth: usize,
}

impl Open {
    fn push(&mut self, is_object: bool) -> bool {
        let Some(word) = self.objects.get_mut(self.depth / 64) else { return false };
        let bit = 1 << (self.depth % 64);
        *word = if is_object { *word | bit } else { *word & !bit };
        self.depth += 1;
        true
    }

    fn in_object(&self) -> bool {
        let last = self.depth - 1;
        self.objects[last / 64] >> (last % 64) & 1 == 1
    }
}

/// Whether `json` is one value with nothing but white space around it.
pub fn check(json: &[u8]) -> Result<(), Refused> {
    let valid = utf8::valid_up_to(json);
    if valid < json.len() {
        return Err(Refused::Malformed(valid));
    }
    let mut open = Open { objects: [0; DEPTH_MAX / 64], depth: 0 };
    let mut at = behind_blanks(json, 0);
    loop {
        // A value begins here.
        match json.get(at) {
            Some(&bracket @ (b'{' | b'[')) => {
                let is_object = bracket == b'{';
                if !open.push(is_object) {
                    return Err(Refused::TooDeep(at));
                }
                at = behind_blanks(json, at + 1);
                // ASCII has the closing brackets two behind the opening ones.
                if json.get(at) != Some(&(bracket + 2)) {
                    if is_object {
                        at = behind_key(json, at)?;
                    }
                    continue;
                }
            }
            Some(b'"') => at = behind_string(json, at)?,
            Some(b'-' | b'0'..=b'9') => at = behind_number(json, at)?,
            Some(b't') => at = behind_word(json, at, b"true")?,
            Some(b'f') => at = behind_word(json, at, b"false")?,
            Some(b'n') => at = behind_word(json, at, b"null")?,
            _ => return Err(Refused::Malformed(at)),
        }
        // A value has ended here, or nothing stands between the brackets.
        loop {
            at = behind_blanks(json, at);
            if open.depth == 0 {
                return if at == json.len() { Ok(()) } else { Err(Refused::Malformed(at)) };
            }
            let is_object = open.in_object();
            match json.get(at) {
                Some(b',') => {
                    at = behind_blanks(json, at + 1);
                    if is_object {
                        at = behind_key(json, at)?;
                    }
                    break;
                }
                Some(&b) if b == if is_object { b'}' } else { b']' } => {
                    open.depth -= 1;
                    at += 1;
                }
                _ => return Err(Refused::Malformed(at)),
            }
        }
    }
}

fn behind_word(json: &[u8], at: usize, word: &[u8]) -> Result<usize, Refused> {
    if json[at..].starts_with(word) { Ok(at + word.len()) } else { Err(Refused::Malformed(at)) }
}

/// Where the value of the member begins whose key begins at `at`.
fn behind_key(json: &[u8], at: usize) -> Result<usize, Refused> {
    if json.get(at) != Some(&b'"') {
        return Err(Refused::Malformed(at));
    }
    let colon = behind_blanks(json, behind_string(json, at)?);
    if json.get(colon) != Some(&b':') {
        return Err(Refused::Malformed(colon));
    }
    Ok(behind_blanks(json, colon + 1))
}

/// Behind the string whose quote stands at `at`.
fn behind_string(json: &[u8], mut at: usize) -> Result<usize, Refused> {
    at += 1;
    loop {
        at = string_stop::<true>(json, at).ok_or(Refused::Malformed(json.len()))?;
        match json[at] {
            b'"' => return Ok(at + 1),
            b'\\' => match escape(&json[at..]) {
                (Escape::Broken, _) => return Err(Refused::Malformed(at)),
                (_, len) => at += len,
            },
            _ => return Err(Refused::Malformed(at)),
        }
    }
}

/// Behind the number that begins at `at`.
fn behind_number(json: &[u8], mut at: usize) -> Result<usize, Refused> {
    let digits = |at: usize| match json[at..].iter().take_while(|b| b.is_ascii_digit()).count() {
        0 => Err(Refused::Malformed(at)),
        len => Ok(at + len),
    };
    at += usize::from(json[at] == b'-');
    at = if json.get(at) == Some(&b'0') { at + 1 } else { digits(at)? };
    if json.get(at) == Some(&b'.') {
        at = digits(at + 1)?;
    }
    if let Some(b'e' | b'E') = json.get(at) {
        at += 1;
        at += usize::from(matches!(json.get(at), Some(b'+' | b'-')));
        at = digits(at)?;
    }
    Ok(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_passes() {
        for json in [
            "{}",
            " [ ] ",
            "\t\r\n{ \"a\" : [ 1 , { } , \"\" ] }\n",
            "null",
            "true",
            "false",
            "\"\\u0000\\ud800\\/\\b\"",
            "0",
            "-0",
            "-1.50e+10",
            "1E-2",
            "1e999999",
            "\"é\u{1f3b5}\u{7f}\"",
            "[[[]],{\"\":{}}]",
        ] {
            assert_eq!(check(json.as_bytes()), Ok(()), "{json}");
        }
    }

    #[test]
    fn what_is_no_json_is_refused_where_it_ends() {
        for (json, at) in [
            ("", 0),
            (" ", 1),
            ("{", 1),
            ("[1,]", 3),
            ("[,1]", 1),
            ("{\"a\":1,}", 7),
            ("{\"a\" 1}", 5),
            ("{a:1}", 1),
            ("{\"a\":}", 5),
            ("[1 2]", 3),
            ("[1}", 2),
            ("{\"a\":1]", 6),
            ("01", 1),
            ("+1", 0),
            ("-", 1),
            ("1.", 2),
            (".5", 0),
            ("1e", 2),
            ("1e+", 3),
            ("tru", 0),
            ("nulll", 4),
            ("'a'", 0),
            ("\"a", 2),
            ("\"\n\"", 1),
            ("\"\\x\"", 1),
            ("\"\\u12g4\"", 1),
            ("\"\\", 1),
            ("{} {}", 3),
            ("\u{feff}{}", 0),
            ("NaN", 0),
            ("[1]\u{c}", 3),
            ("// x\n1", 0),
        ] {
            assert_eq!(check(json.as_bytes()), Err(Refused::Malformed(at)), "{json}");
        }
        assert_eq!(check(b"\"\xff\""), Err(Refused::Malformed(1)));
        assert_eq!(check(b"\"\xed\xa0\x80\""), Err(Refused::Malformed(1)));
    }

    #[test]
    fn depth_has_an_end() {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let nested = |depth: usize| [open.repeat(depth), "1".to_owned(), close.repeat(depth)].concat();
            assert_eq!(check(nested(DEPTH_MAX).as_bytes()), Ok(()));
            assert_eq!(check(nested(DEPTH_MAX + 1).as_bytes()), Err(Refused::TooDeep(DEPTH_MAX * open.len())));
            assert!(matches!(check(open.repeat(1 << 20).as_bytes()), Err(Refused::TooDeep(_))));
        }
    }
}

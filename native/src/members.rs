//! The members of a JSON object and the elements of an array, found without building anything.
//!
//! Only as much is looked at as it takes to find the ends of things: what is no JSON may pass here, and is for [`crate::strict`]
//! to refuse. Nothing recurses, and whatever the bytes are, nothing is read beyond them.

use std::borrow::Cow;

/// Bytes that cannot be JSON, from here on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(pub usize);

/// A member of an object.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    /// Between its quotes, as it stands.
    pub key: &'a [u8],
    pub value: &'a [u8],
}

/// What stands between a pair of brackets, one after the other.
pub struct Items<'a> {
    json: &'a [u8],
    at: usize,
    close: u8,
    is_first: bool,
}

impl<'a> Items<'a> {
    /// The members of the object that `json` begins with.
    pub fn of_object(json: &'a [u8]) -> Option<Self> {
        Self::new(json, b'{', b'}')
    }

    /// The elements of the array that `json` begins with.
    pub fn of_array(json: &'a [u8]) -> Option<Self> {
        Self::new(json, b'[', b']')
    }

    fn new(json: &'a [u8], open: u8, close: u8) -> Option<Self> {
        let at = behind_blanks(json, 0);
        (json.get(at) == Some(&open)).then(|| Self { json, at: at + 1, close, is_first: true })
    }

    /// The next member of an object.
    pub fn member(&mut self) -> Result<Option<Member<'a>>, Malformed> {
        let Some(at) = self.begin()? else { return Ok(None) };
        if self.json.get(at) != Some(&b'"') {
            return Err(Malformed(at));
        }
        let end = closing_quote(self.json, at + 1).ok_or(Malformed(at))?;
        let colon = behind_blanks(self.json, end + 1);
        if self.json.get(colon) != Some(&b':') {
            return Err(Malformed(colon));
        }
        let value = self.value(behind_blanks(self.json, colon + 1))?;
        Ok(Some(Member { key: &self.json[at + 1..end], value }))
    }

    /// The next element of an array.
    pub fn element(&mut self) -> Result<Option<&'a [u8]>, Malformed> {
        let Some(at) = self.begin()? else { return Ok(None) };
        self.value(at).map(Some)
    }

    /// Where the closing bracket stands, once there are no more items.
    pub fn end(&self) -> usize {
        self.at
    }

    /// Where the next item begins; None behind the last.
    fn begin(&mut self) -> Result<Option<usize>, Malformed> {
        let at = behind_blanks(self.json, self.at);
        match self.json.get(at) {
            Some(&b) if b == self.close => {
                self.at = at;
                Ok(None)
            }
            Some(b',') if !self.is_first => Ok(Some(behind_blanks(self.json, at + 1))),
            Some(_) if self.is_first => {
                self.is_first = false;
                Ok(Some(at))
            }
            _ => Err(Malformed(at)),
        }
    }

    fn value(&mut self, at: usize) -> Result<&'a [u8], Malformed> {
        self.at = value_end(self.json, at).ok_or(Malformed(at))?;
        Ok(&self.json[at..self.at])
    }
}

/// Where the first byte from `at` on is that is no white space of JSON.
#[inline]
pub fn behind_blanks(json: &[u8], mut at: usize) -> usize {
    while matches!(json.get(at), Some(b' ' | b'\n' | b'\r' | b'\t')) {
        at += 1;
    }
    at
}

/// Each byte of a word the same.
const fn each(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// Where from `at` on the first quote or backslash stands or, if asked for, the first control character.
///
/// Most strings are short, so that eight bytes at a time in a plain register are faster than calling for vectors. A byte that is
/// sought sets its highest bit; so may bytes behind it, but none before.
#[inline(always)]
pub fn string_stop<const CONTROLS: bool>(json: &[u8], mut at: usize) -> Option<usize> {
    let zeros = |word: u64| word.wrapping_sub(each(1)) & !word & each(0x80);
    while let Some(bytes) = json.get(at..)?.first_chunk::<8>() {
        let word = u64::from_le_bytes(*bytes);
        let mut found = zeros(word ^ each(b'"')) | zeros(word ^ each(b'\\'));
        if CONTROLS {
            found |= word.wrapping_sub(each(0x20)) & !word & each(0x80);
        }
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    let rest = json[at..].iter().position(|&b| b == b'"' || b == b'\\' || (CONTROLS && b < 0x20))?;
    Some(at + rest)
}

/// The quote that closes the string whose text begins at `at`.
#[inline]
fn closing_quote(json: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at = string_stop::<false>(json, at)?;
        if json[at] == b'"' {
            return Some(at);
        }
        at += 2;
    }
}

/// Behind the value that begins at `at`.
fn value_end(json: &[u8], mut at: usize) -> Option<usize> {
    match *json.get(at)? {
        b'"' => Some(closing_quote(json, at + 1)? + 1),
        b'{' | b'[' => {
            let mut depth = 0usize;
            loop {
                match *json.get(at)? {
                    b'"' => at = closing_quote(json, at + 1)?,
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => depth -= 1,
                    _ => {}
                }
                at += 1;
                if depth == 0 {
                    return Some(at);
                }
            }
        }
        _ => {
            let len = json[at..].iter().position(|b| matches!(b, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t')).unwrap_or(json.len() - at);
            (len > 0).then_some(at + len)
        }
    }
}

/// What stands between the quotes if `value` is a string.
pub fn string(value: &[u8]) -> Option<&[u8]> {
    value.strip_prefix(b"\"")?.strip_suffix(b"\"")
}

/// Whether `value` is a number without a fraction or exponent, such as `-12`.
pub fn is_integer(value: &[u8]) -> bool {
    let digits = value.strip_prefix(b"-").unwrap_or(value);
    digits.iter().all(u8::is_ascii_digit) && (digits == b"0" || !matches!(digits.first(), None | Some(b'0')))
}

/// What a backslash begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escape {
    Char(char),
    /// U+0000, or half of a surrogate pair: no text in PostgreSQL.
    Unstorable,
    /// No escape sequence of JSON.
    Broken,
}

/// The escape sequence that `rest` begins with, and its length.
pub fn escape(rest: &[u8]) -> (Escape, usize) {
    let c = match rest.get(1) {
        Some(b'u') => return escape_u(rest),
        Some(&c @ (b'"' | b'\\' | b'/')) => char::from(c),
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        _ => return (Escape::Broken, 1),
    };
    (Escape::Char(c), 2)
}

fn escape_u(rest: &[u8]) -> (Escape, usize) {
    let unit = |at: usize| {
        let digits = rest.get(at..at + 6)?.strip_prefix(b"\\u")?;
        digits.iter().try_fold(0, |sum, &b| Some(sum << 4 | char::from(b).to_digit(16)?))
    };
    match unit(0) {
        None => (Escape::Broken, 1),
        Some(0) => (Escape::Unstorable, 6),
        Some(high @ 0xd800..0xdc00) => match unit(6) {
            Some(low @ 0xdc00..0xe000) => {
                let c = char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00));
                (c.map_or(Escape::Unstorable, Escape::Char), 12)
            }
            _ => (Escape::Unstorable, 6),
        },
        // The other halves are no characters either.
        Some(unit) => (char::from_u32(unit).map_or(Escape::Unstorable, Escape::Char), 6),
    }
}

/// The text of a string, given what stands between its quotes; what cannot be stored as U+FFFD. None if that is no JSON or no UTF-8.
pub fn text(raw: &[u8]) -> Option<Cow<'_, str>> {
    let whole = std::str::from_utf8(raw).ok()?;
    if whole.bytes().any(|b| b < 0x20) {
        return None;
    }
    let (mut out, mut at) = (String::new(), 0);
    while let Some(plain) = whole[at..].find('\\') {
        out.push_str(&whole[at..at + plain]);
        let (meaning, len) = escape(&raw[at + plain..]);
        out.push(match meaning {
            Escape::Char(c) => c,
            Escape::Unstorable => '\u{fffd}',
            Escape::Broken => return None,
        });
        at += plain + len;
    }
    if at == 0 {
        return Some(Cow::Borrowed(whole));
    }
    out.push_str(&whole[at..]);
    Some(Cow::Owned(out))
}

/// Whether the text of a string is `wanted`, without a backslash in it.
#[inline]
pub fn is_text(raw: &[u8], wanted: &str) -> bool {
    raw == wanted.as_bytes() || (raw.contains(&b'\\') && text(raw).is_some_and(|text| text == wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(json: &str) -> Result<Vec<(&str, &str)>, Malformed> {
        let as_text = |bytes| std::str::from_utf8(bytes).expect("UTF-8");
        let mut items = Items::of_object(json.as_bytes()).ok_or(Malformed(0))?;
        let mut found = Vec::new();
        while let Some(Member { key, value }) = items.member()? {
            found.push((as_text(key), as_text(value)));
        }
        assert_eq!(json.as_bytes()[items.end()], b'}');
        Ok(found)
    }

    #[test]
    fn members_are_found_by_their_ends() {
        assert_eq!(members("{}"), Ok(vec![]));
        let json = r#" { "a" : "x\"}" , "b\\":[1,{"c":"]"}],"":{"}":"{"} ,"d":-1.5e3,"e":null } "#;
        assert_eq!(members(json), Ok(vec![("a", r#""x\"}""#), ("b\\\\", r#"[1,{"c":"]"}]"#), ("", r#"{"}":"{"}"#), ("d", "-1.5e3"), ("e", "null")]));
        for (broken, at) in [
            ("", 0),
            ("[]", 0),
            ("{", 1),
            ("{\"a\"", 4),
            ("{\"a\":", 5),
            ("{\"a\":1", 6),
            ("{\"a\":\"", 5),
            ("{\"a\":[", 5),
            ("{,}", 1),
            ("{\"a\":1,}", 7),
            ("{\"a\":1 \"b\":2}", 7),
            ("{\"\\", 1),
        ] {
            assert_eq!(members(broken), Err(Malformed(at)), "{broken}");
        }
    }

    #[test]
    fn strings_stop_at_the_first_of_what_is_sought() {
        for (len, from) in (0..40).flat_map(|len| (0..=len).map(move |from| (len, from))) {
            for filler in [b' ', b'!', b'#', b'[', b']', 0x7f, 0x80, 0xa2, 0xdc, 0xff] {
                let mut bytes = vec![filler; len];
                assert_eq!(string_stop::<true>(&bytes, from), None);
                for at in from..len {
                    for byte in [b'"', b'\\', 0, 0x1f] {
                        bytes[at] = byte;
                        assert_eq!(string_stop::<true>(&bytes, from), Some(at));
                        assert_eq!(string_stop::<false>(&bytes, from), (byte >= 0x20).then_some(at));
                    }
                    bytes[at] = filler;
                }
            }
        }
        assert_eq!(string_stop::<true>(b"", 1), None);
    }

    #[test]
    fn escapes_become_text() {
        assert_eq!(text(br#"a\"\\\/\b\f\n\r\t\u00e9\ud83c\udfb5"#).as_deref(), Some("a\"\\/\u{8}\u{c}\n\r\té\u{1f3b5}"));
        assert_eq!(text(br"\u0000\ud800x\udfff\ud800\ud83c\udfb5").as_deref(), Some("\u{fffd}\u{fffd}x\u{fffd}\u{fffd}\u{1f3b5}"));
        assert_eq!(text(br"\uD83C\uDFB5\uFFFF").as_deref(), Some("\u{1f3b5}\u{ffff}"));
        for broken in [&b"\\"[..], b"\\x", b"\\u12", b"\\u+123", b"\n", b"\xff"] {
            assert_eq!(text(broken), None);
        }
        assert!(is_text(b"id", "id") && is_text(br"\u0069d", "id") && !is_text(b"ID", "id") && !is_text(br"i\d", "id"));
    }

    #[test]
    fn integers_are_told_from_other_numbers() {
        assert!(["0", "-0", "12", "-7"].iter().all(|text| is_integer(text.as_bytes())));
        assert!(!["", "-", "01", "1.0", "1e3", "+1", "1x"].iter().any(|text| is_integer(text.as_bytes())));
    }
}

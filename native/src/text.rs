//! Character data: references, invalid UTF-8, white space; one function per contract and place (spec of the record contract, 3.3).
//!
//! A chunk is a run of character data between two markup items.

/// The character of a reference's name (what stands between `&` and `;`), if it is one of the five or a good number.
pub fn resolve(name: &[u8]) -> Option<char> {
    match name {
        b"amp" => Some('&'),
        b"lt" => Some('<'),
        b"gt" => Some('>'),
        b"quot" => Some('"'),
        b"apos" => Some('\''),
        [b'#', b'x', digits @ ..] => number(digits, 16),
        [b'#', digits @ ..] => number(digits, 10),
        _ => None,
    }
}

fn number(digits: &[u8], radix: u32) -> Option<char> {
    if digits.is_empty() {
        return None;
    }
    let mut code = 0u32;
    for &d in digits {
        code = code.checked_mul(radix)?.checked_add((d as char).to_digit(radix)?)?;
    }
    char::from_u32(code).filter(|&c| c != '\0')
}

/// Where a reference that starts with the `&` at `raw[0]` ends: the index of its `;`, unless `&` comes first.
fn reference_end(raw: &[u8]) -> Option<usize> {
    memchr::memchr2(b'&', b';', &raw[1..]).map(|i| i + 1).filter(|&i| raw[i] == b';')
}

/// Appends a chunk of text in the topic contract. A chunk with any bad reference or invalid UTF-8 is lost as a whole.
pub fn append_topic(raw: &[u8], out: &mut String) {
    let Ok(text) = std::str::from_utf8(raw) else { return };
    let mark = out.len();
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'&', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        let tail = &rest[at..];
        let resolved = reference_end(tail.as_bytes()).and_then(|end| Some((resolve(&tail.as_bytes()[1..end])?, end)));
        let Some((c, end)) = resolved else {
            out.truncate(mark);
            return;
        };
        out.push(c);
        rest = &tail[end + 1..];
    }
    out.push_str(rest);
}

/// Appends a chunk of text in the fanout contract: bad numbers become U+FFFD, what is not a known reference stays as it is.
pub fn append_fanout(raw: &[u8], out: &mut String) {
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'&', rest) {
        out.push_str(&String::from_utf8_lossy(&rest[..at]));
        let tail = &rest[at..];
        let Some(end) = reference_end(tail) else {
            out.push('&');
            rest = &tail[1..];
            continue;
        };
        let name = &tail[1..end];
        match resolve(name) {
            Some(c) => out.push(c),
            None if name.first() == Some(&b'#') => out.push('\u{fffd}'),
            None => {
                out.push('&');
                out.push_str(&String::from_utf8_lossy(name));
                out.push(';');
            }
        }
        rest = &tail[end + 1..];
    }
    out.push_str(&String::from_utf8_lossy(rest));
}

/// An attribute value in the topic contract: as it stands, invalid UTF-8 as U+FFFD.
pub fn attribute_topic(raw: &[u8]) -> String {
    String::from_utf8_lossy(raw).into_owned()
}

/// An attribute value in the fanout contract: references resolved and literal line ends and tabs made blanks,
/// or, if anything in it is bad, the whole value as it stands.
pub fn attribute_fanout(raw: &[u8]) -> String {
    let Ok(text) = std::str::from_utf8(raw) else { return String::from_utf8_lossy(raw).into_owned() };
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|b| matches!(b, b'&' | b'\t' | b'\n' | b'\r')) {
        out.push_str(&rest[..at]);
        let tail = &rest[at..];
        match tail.as_bytes()[0] {
            b'&' => {
                let resolved = reference_end(tail.as_bytes()).and_then(|end| Some((resolve(&tail.as_bytes()[1..end])?, end)));
                let Some((c, end)) = resolved else { return text.to_owned() };
                out.push(c);
                rest = &tail[end + 1..];
            }
            b'\r' if tail.as_bytes().get(1) == Some(&b'\n') => {
                out.push(' ');
                rest = &tail[2..];
            }
            _ => {
                out.push(' ');
                rest = &tail[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

/// Whether UTF-8 begins with white space (Unicode White_Space).
#[inline]
pub fn begins_blank(text: &[u8]) -> bool {
    match *text {
        [b'\t'..=b'\r' | b' ', ..] => true,
        [0..0x80, ..] => false,
        [a, b, ..] if a < 0xe0 => is_blank(&[a, b]),
        [a @ 0xe1..=0xe3, b, c, ..] => is_blank(&[a, b, c]),
        _ => false,
    }
}

/// Whether UTF-8 ends with white space.
#[inline]
pub fn ends_blank(text: &[u8]) -> bool {
    match *text {
        [.., b'\t'..=b'\r' | b' '] => true,
        [.., 0..0x80] => false,
        [.., a @ 0xc2, b] => is_blank(&[a, b]),
        [.., a @ 0xe1..=0xe3, b, c] => is_blank(&[a, b, c]),
        _ => false,
    }
}

/// Whether `bytes` are only white space (Unicode White_Space); invalid UTF-8 is not blank.
pub fn is_blank(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|s| s.chars().all(char::is_whitespace))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(raw: &[u8]) -> String {
        let mut s = String::new();
        append_topic(raw, &mut s);
        s
    }
    fn fanout(raw: &[u8]) -> String {
        let mut s = String::new();
        append_fanout(raw, &mut s);
        s
    }

    #[test]
    fn ends_are_told_without_decoding_the_text() {
        for c in ('\0'..=char::MAX).filter(|&c| c != '\u{fffd}') {
            let (before, behind) = (format!("{c}é"), format!("é{c}"));
            assert_eq!(begins_blank(before.as_bytes()), c.is_whitespace(), "{c:?}");
            assert_eq!(ends_blank(behind.as_bytes()), c.is_whitespace(), "{c:?}");
        }
        assert!(!begins_blank(b"") && !ends_blank(b""));
    }

    #[test]
    fn topic_loses_a_chunk_with_any_bad_reference() {
        assert_eq!(topic(b"a &amp; &#65;&#x1f600;"), "a & A\u{1f600}");
        for bad in ["Tom & Jerry", "&nbsp;", "x&#0;y", "&#xD800;", "&#+65;", "&#;", "&#X41;", "&", "&amp"] {
            assert_eq!(topic(bad.as_bytes()), "", "{bad}");
        }
        assert_eq!(topic(b"a\xff"), "");
    }

    #[test]
    fn fanout_keeps_what_it_cannot_resolve() {
        assert_eq!(fanout(b"a & b &amp; c &d e"), "a & b & c &d e");
        assert_eq!(fanout(b"AT&T; x &AMP; a&;b"), "AT&T; x &AMP; a&;b");
        assert_eq!(fanout(b"&#0;&#abc;&#X41;&#65;"), "\u{fffd}\u{fffd}\u{fffd}A");
        assert_eq!(fanout(b"&n\xff;\xe2\x82"), "&n\u{fffd};\u{fffd}");
    }

    #[test]
    fn fanout_attributes_are_all_or_nothing() {
        assert_eq!(attribute_fanout(b"a&amp;b\tc\r\nd\re&#9;"), "a&b c d e\t");
        assert_eq!(attribute_fanout(b"a&amp;b\t& c"), "a&amp;b\t& c");
        assert_eq!(attribute_fanout(b"a\xff &amp;"), "a\u{fffd} &amp;");
    }
}

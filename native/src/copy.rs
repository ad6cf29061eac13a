//! Bodies as rows of PostgreSQL's COPY in text format: `[ordinal TAB] id TAB hash TAB body LF`.
//!
//! The server undoes the escapes of COPY and then reads JSON, so that a backslash of JSON is doubled, and a tab or line end
//! between two tokens becomes an escape of COPY: a row stays one line.

use crate::derived;
use crate::keys::{self, Bodies};
use crate::members::{Escape, escape};

/// Bytes that are looked at together; a number that compilers make vectors of.
const BLOCK: usize = 32;
/// Bytes of a row beside its body: ordinal, id, hash and what separates them.
const ROW_BYTES: usize = 100;

/// What rows are to hold.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The index of the body in front.
    pub numbered: bool,
    /// The keys of [`derived`] behind those of the body, so that they win.
    pub derive: bool,
    pub year_max: u32,
}

/// Rows, ready to be sent.
#[derive(Debug, Default)]
pub struct Rows {
    pub bytes: Vec<u8>,
    pub rows: u32,
    /// Rows in which characters were replaced.
    pub replaced: u32,
}

impl Rows {
    pub fn with_room(bodies: usize, bytes: usize) -> Self {
        // Escapes are few: a body rarely grows by more than a sixteenth.
        Self { bytes: Vec::with_capacity(bytes + bytes / 16 + bodies * ROW_BYTES), ..Self::default() }
    }
}

/// The rows of the bodies at `which`; bodies without keys and indexes without bodies give none.
pub fn rows(bodies: Bodies, which: impl Iterator<Item = usize> + Clone, options: Options) -> Rows {
    let bytes = which.clone().filter_map(|index| bodies.get(index)).map(<[u8]>::len).sum();
    let mut rows = Rows::with_room(which.clone().count(), bytes);
    let mut scratch = Vec::new();
    for index in which {
        let Some(body) = bodies.get(index) else { continue };
        append_row(index, body, options, &mut scratch, &mut rows);
    }
    rows
}

fn append_row(index: usize, body: &[u8], options: Options, scratch: &mut Vec<u8>, rows: &mut Rows) {
    let Ok(keys) = keys::keys(body) else { return };
    let out = &mut rows.bytes;
    if options.numbered {
        out.extend_from_slice(index.to_string().as_bytes());
        out.push(b'\t');
    }
    for key in [&keys.id, &keys.hash] {
        append_text(key, out);
        out.push(b'\t');
    }
    scratch.clear();
    let place = if options.derive { derived::append(body, options.year_max, scratch) } else { None };
    let (members, end) = body.split_at(place.unwrap_or(body.len()));
    let mut replaced = append_json(members, out);
    if place.is_some() {
        replaced |= append_json(scratch, out);
        replaced |= append_json(end, out);
    }
    out.push(b'\n');
    rows.rows += 1;
    rows.replaced += u32::from(replaced);
}

/// Bytes before the first that COPY or PostgreSQL's text may not take as it stands.
#[inline]
fn plain_length(bytes: &[u8]) -> usize {
    let is_special = |b: u8| b < 0x20 || b == b'\\';
    let blocks = bytes.as_chunks::<BLOCK>().0;
    // Without a branch inside, so that a block is one comparison of vectors.
    let plain = blocks.iter().take_while(|block| !block.iter().fold(false, |found, &b| found | is_special(b))).count() * BLOCK;
    plain + bytes[plain..].iter().position(|&b| is_special(b)).unwrap_or(bytes.len() - plain)
}

/// Appends JSON; whether something in it was replaced.
fn append_json(json: &[u8], out: &mut Vec<u8>) -> bool {
    let (mut rest, mut replaced) = (json, false);
    loop {
        let (plain, special) = rest.split_at(plain_length(rest));
        out.extend_from_slice(plain);
        let Some(&first) = special.first() else { return replaced };
        let mut len = 1;
        match first {
            b'\\' => {
                let kind;
                (kind, len) = escape(special);
                if kind == Escape::Unstorable {
                    replaced = true;
                    out.extend_from_slice(b"\\\\ufffd");
                } else {
                    special[..len].iter().for_each(|&b| append_byte(b, out));
                }
            }
            b => append_byte(b, out),
        }
        rest = &special[len..];
    }
}

/// Appends text of a column.
fn append_text(text: &str, out: &mut Vec<u8>) {
    let mut rest = text.as_bytes();
    while let (plain, [special, behind @ ..]) = rest.split_at(plain_length(rest)) {
        out.extend_from_slice(plain);
        append_byte(*special, out);
        rest = behind;
    }
    out.extend_from_slice(rest);
}

fn append_byte(b: u8, out: &mut Vec<u8>) {
    match b {
        b'\\' => out.extend_from_slice(b"\\\\"),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        b => out.push(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Options = Options { numbered: false, derive: false, year_max: 2030 };

    fn of(body: &[u8], options: Options) -> Rows {
        let ends = [body.len() as u32];
        let bytes = [body, b"\n"].concat();
        rows(Bodies::new(&bytes, &ends).expect("one body"), 0..1, options)
    }
    fn row(body: &str, options: Options) -> String {
        let rows = of(body.as_bytes(), options);
        assert_eq!(rows.rows, 1, "{body}");
        String::from_utf8(rows.bytes).expect("UTF-8")
    }

    #[test]
    fn a_plain_body_stays_as_it_is() {
        let body = r#"{"type":"data","id":"12","sha256":"ab","name":"é"}"#;
        assert_eq!(row(body, PLAIN), format!("12\tab\t{body}\n"));
        assert_eq!(row(body, Options { numbered: true, ..PLAIN }), format!("0\t12\tab\t{body}\n"));
    }

    #[test]
    fn backslashes_are_doubled() {
        let body = r#"{"id":"a\\\"b","sha256":"\t","n":"\\N \u00e9 \ud83c\udfb5 \\u0000"}"#;
        let want = r#"a\\"b	\t	{"id":"a\\\\\\"b","sha256":"\\t","n":"\\\\N \\u00e9 \\ud83c\\udfb5 \\\\u0000"}"#;
        assert_eq!(row(body, PLAIN), format!("{want}\n"));
        assert_eq!(of(body.as_bytes(), PLAIN).replaced, 0);
    }

    #[test]
    fn white_space_between_tokens_stays_in_one_row() {
        let body = "{\r\n\t\"id\": 7,\n\t\"sha256\": \"x\"\n}\n";
        assert_eq!(row(body, PLAIN), "7\tx\t{\\r\\n\\t\"id\": 7,\\n\\t\"sha256\": \"x\"\\n}\\n\n");
        let derived = row(&body.replace("\"x\"", "\"x\", \"released\": \"1999\""), Options { derive: true, ..PLAIN });
        assert_eq!(derived, "7\tx\t{\\r\\n\\t\"id\": 7,\\n\\t\"sha256\": \"x\", \"released\": \"1999\"\\n,\"year\":1999}\\n\n");
    }

    #[test]
    fn what_postgresql_cannot_hold_is_replaced_and_counted() {
        let body = r#"{"id":"a\u0000","sha256":"\udc00","x":"\ud800 \ud800\ud83c\udfb5 \\u0000"}"#;
        let want = r#"{"id":"a\\ufffd","sha256":"\\ufffd","x":"\\ufffd \\ufffd\\ud83c\\udfb5 \\\\u0000"}"#;
        assert_eq!(row(body, PLAIN), format!("a\u{fffd}\t\u{fffd}\t{want}\n"));
        assert_eq!(of(body.as_bytes(), PLAIN).replaced, 1);
    }

    #[test]
    fn chosen_bodies_keep_their_numbers() {
        let bytes = b"{\"id\":1,\"sha256\":\"a\"}\n{}\n{\"id\":3,\"sha256\":\"c\"}\n";
        let bodies = Bodies::new(bytes, &[21, 24, 46]).expect("three bodies");
        let numbered = Options { numbered: true, ..PLAIN };
        let some = |which: &[usize]| String::from_utf8(rows(bodies, which.iter().copied(), numbered).bytes).expect("UTF-8");
        assert_eq!(some(&[2]), "2\t3\tc\t{\"id\":3,\"sha256\":\"c\"}\n");
        assert_eq!(some(&[0, 1, 2, 3]), "0\t1\ta\t{\"id\":1,\"sha256\":\"a\"}\n2\t3\tc\t{\"id\":3,\"sha256\":\"c\"}\n");
        assert_eq!(rows(bodies, 0..3, numbered).rows, 2);
    }

    #[test]
    fn special_bytes_are_found_wherever_they_stand() {
        for len in 0..100 {
            for at in 0..len {
                for special in [b'\\', b'\n', 0, 0x1f] {
                    let mut bytes = vec![b'x'; len];
                    bytes[at] = special;
                    assert_eq!(plain_length(&bytes), at);
                }
            }
            assert_eq!(plain_length(&vec![0xff; len]), len);
        }
    }
}

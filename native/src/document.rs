//! The outside of a dump: what may stand before the records and behind them.

use memchr::memchr;

use crate::attributes::{is_space, split_tag};
use crate::contract::DataType;
use crate::fault::{Code, Fault};
use crate::limits::Limits;
use crate::scan::{Frame, LINE_FORM_BYTES_MAX, Markup, markup};
use crate::text;

/// The beginning of a file, up to its first record.
pub struct Opening {
    pub frame: Frame,
    /// Offset behind the root's start tag.
    pub start: usize,
    /// The root is self-closing: there are no records.
    pub empty: bool,
}

type Answer<T> = Result<Option<T>, Fault>;

fn malformed<T>(at: usize, message: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::new(Code::Malformed, at as u64, message))
}

/// Reads the beginning of a document; Ok(None) if that takes more bytes than `buf` has.
pub fn open(buf: &[u8], eof: bool, data_type: Option<DataType>, limits: &Limits) -> Answer<Opening> {
    const BOM: &[u8] = b"\xef\xbb\xbf";
    if buf.len() < BOM.len() && !eof {
        return Ok(None);
    }
    let begin = if buf.starts_with(BOM) { BOM.len() } else { 0 };
    let Some(root) = root_tag(buf, begin, eof)? else { return Ok(None) };
    let (name, _, empty) = split_tag(&buf[root.0 + 1..root.1]);
    let data_type = match data_type.or_else(|| DataType::from_name(name)) {
        Some(data_type) => data_type,
        None => return malformed(root.0, format!("the root element <{}> names no data type; give it with --type", String::from_utf8_lossy(name))),
    };
    let frame = Frame { data_type, root_name: name.to_vec(), line_form: None, limits: *limits };
    let start = root.1 + 1;
    if empty {
        return Ok(Some(Opening { frame, start, empty }));
    }
    first_record(buf, start, eof, frame)
}

/// Finds the root's start tag: indices of its `<` and `>`.
fn root_tag(buf: &[u8], begin: usize, eof: bool) -> Answer<(usize, usize)> {
    let mut at = begin;
    loop {
        let lt = memchr(b'<', &buf[at..]).map_or(buf.len(), |n| at + n);
        // Bytes of a character may be missing at the end, so only whole stretches are judged.
        if (lt < buf.len() || eof) && !text::is_blank(&buf[at..lt]) {
            return malformed(at, "text before the root element; is this a dump, and is it whole?");
        }
        if lt == buf.len() {
            return if eof { malformed(lt, "there is no root element; is this a dump?") } else { Ok(None) };
        }
        at = match markup(buf, lt, eof) {
            Markup::More if eof => return malformed(lt, "the file ends inside markup"),
            Markup::More => return Ok(None),
            Markup::Skip(end) => end,
            Markup::Start => match quoted_end(buf, lt) {
                Some(gt) => return Ok(Some((lt, gt))),
                None if eof => return malformed(lt, "the file ends inside a tag"),
                None => return Ok(None),
            },
            Markup::Bad if is_doctype(&buf[lt..]) => match doctype_end(buf, lt) {
                Some(end) => end,
                None if eof => return malformed(lt, "the file ends inside markup"),
                None => return Ok(None),
            },
            Markup::Bad if !eof && buf.len() - lt < 9 => return Ok(None),
            Markup::Bad | Markup::Cdata(..) | Markup::End => return malformed(lt, "markup before the root element that cannot stand there"),
        };
    }
}

fn is_doctype(tail: &[u8]) -> bool {
    tail.get(2..9).is_some_and(|word| word.eq_ignore_ascii_case(b"DOCTYPE"))
}

/// Index of the `>` that ends the tag at `lt`, quotes respected.
fn quoted_end(buf: &[u8], lt: usize) -> Option<usize> {
    let mut quote = 0u8;
    for (i, &b) in buf.iter().enumerate().skip(lt + 1) {
        match b {
            b'>' if quote == 0 => return Some(i),
            b'"' | b'\'' if quote == 0 => quote = b,
            b if b == quote => quote = 0,
            _ => {}
        }
    }
    None
}

/// Index behind a document type declaration with its internal subset.
fn doctype_end(buf: &[u8], lt: usize) -> Option<usize> {
    let (mut at, mut depth) = (lt + 2, 0usize);
    loop {
        match *buf.get(at)? {
            quote @ (b'"' | b'\'') => at += 1 + memchr(quote, &buf[at + 1..])?,
            b'[' => depth += 1,
            b']' => depth = depth.saturating_sub(1),
            b'<' => match markup(buf, at, false) {
                Markup::Skip(end) => {
                    at = end;
                    continue;
                }
                Markup::More => return None,
                _ => depth += 1,
            },
            b'>' if depth == 0 => return Some(at + 1),
            // The end of a declaration inside the subset.
            b'>' => depth -= 1,
            _ => {}
        }
        at += 1;
    }
}

/// Finds the first element inside the root, to learn how records start lines.
fn first_record(buf: &[u8], start: usize, eof: bool, mut frame: Frame) -> Answer<Opening> {
    let mut at = start;
    while let Some(lt) = memchr(b'<', &buf[at..]).map(|n| at + n) {
        at = match markup(buf, lt, eof) {
            Markup::More => break,
            Markup::Skip(end) | Markup::Cdata(_, end) => end,
            Markup::Bad => lt + 1,
            Markup::End => match memchr(b'>', &buf[lt..]) {
                Some(n) if buf[lt + 2..lt + n].trim_ascii_end() == frame.root_name => return Ok(Some(Opening { frame, start, empty: false })),
                Some(n) => lt + n,
                None => break,
            },
            Markup::Start => {
                let tail = &buf[lt + 1..];
                let Some(n) = tail.iter().position(|&b| is_space(b) || b == b'>') else { break };
                let n = n - usize::from(tail[n] == b'>' && tail[..n].ends_with(b"/"));
                let wanted = frame.data_type.record_name();
                if &tail[..n] != wanted {
                    let message = format!(
                        "the file holds <{}> and not <{}>; is it the file of {}?",
                        String::from_utf8_lossy(&tail[..n.min(64)]),
                        String::from_utf8_lossy(wanted),
                        frame.data_type.as_str(),
                    );
                    return malformed(lt, message);
                }
                frame.line_form = line_form(&buf[start..lt]);
                return Ok(Some(Opening { frame, start, empty: false }));
            }
        };
    }
    if eof { Ok(Some(Opening { frame, start, empty: false })) } else { Ok(None) }
}

/// The bytes from the last LF to the end of `before`, if they are only white space.
fn line_form(before: &[u8]) -> Option<Vec<u8>> {
    let lf = memchr::memrchr(b'\n', before)?;
    let form = &before[lf..];
    (form.len() <= LINE_FORM_BYTES_MAX && form.iter().all(|&b| is_space(b))).then(|| form.to_vec())
}

/// Passes over what may follow the root: Ok(None) if all of `buf` may, up to the index given back in `at`.
pub fn epilog(buf: &[u8], at: &mut usize, eof: bool) -> Result<(), Fault> {
    loop {
        let lt = memchr(b'<', &buf[*at..]).map_or(buf.len(), |n| *at + n);
        if lt < buf.len() || eof {
            if !text::is_blank(&buf[*at..lt]) {
                let space = buf[*at..].iter().take_while(|&&b| is_space(b)).count();
                return malformed(*at + space, "text behind the closing root tag");
            }
            *at = lt;
        } else {
            // White space is given up, so that a file that ends in much of it needs no room.
            *at += buf[*at..].iter().take_while(|&&b| is_space(b)).count();
            return Ok(());
        }
        if lt == buf.len() {
            return Ok(());
        }
        match markup(buf, lt, eof) {
            Markup::Skip(end) => *at = end,
            Markup::More if !eof => return Ok(()),
            Markup::More => return malformed(lt, "the file ends inside markup"),
            _ => return malformed(lt, "markup behind the closing root tag: a second root, or two files in one"),
        }
    }
}

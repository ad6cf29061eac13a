//! What stands where in the inside of the root: the definition of record boundaries and of what is rejected.
//!
//! A record is an element at depth 2 with the type's record name. Inside a record the names of open elements are kept on a
//! stack. The rules for broken input (also in the README):
//!
//! - An end tag closes the top of the stack if the names are equal. Otherwise the record is malformed; if the name is elsewhere
//!   on the stack everything above goes with it, if it is the root's the record ends there, else the tag is passed over.
//! - A record start in *line form* (preceded by the very bytes from LF to `<` that precede the file's first record) ends the
//!   record before it as malformed, unless the type's nesting container is open (labels: `sublabels`). The same, or a line
//!   that starts with the root's end tag, ends a tag that was not closed.
//! - Comments, CDATA and processing instructions end only with their own end marks.
//!
//! None of this depends on how the input is cut: where an answer needs bytes that are not there yet, it is [`Step::More`].

use memchr::{memchr, memmem};

use crate::attributes::{Attributes, is_space, split_tag};
use crate::contract::DataType;
use crate::fault::Kind;
use crate::limits::Limits;
use crate::text;

/// What the scanner knows of the file it reads.
#[derive(Clone, Debug)]
pub struct Frame {
    pub data_type: DataType,
    pub root_name: Vec<u8>,
    /// The bytes from LF up to the first record, if that starts a line.
    pub line_form: Option<Vec<u8>>,
    pub limits: Limits,
}

/// A line form longer than this is not one, in bytes.
pub const LINE_FORM_BYTES_MAX: usize = 256;

/// Names of open elements that a walk keeps; beyond it (and far beyond the depth limit) it counts.
const NAMES_KEPT: usize = 4096;

/// Bytes of a swallowed start tag's name that are kept to know its end tag by.
const SWALLOWED_NAME_BYTES: usize = 64 << 10;

/// An answer, or a wish for more bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Unit(Unit),
    /// More input is needed to tell.
    More,
    /// The input ends inside markup or inside a record.
    Unclosed(&'static str),
}

/// One thing that stands between the root's tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Range in the buffer, white space before it not included.
    pub start: usize,
    pub end: usize,
    pub what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A well-formed record within the limits.
    Record,
    /// A malformed record or something between records; noticed at the buffer offset.
    Reject { kind: Kind, at: usize },
    /// The root's end tag.
    RootEnd,
}

/// How a tag ends.
enum TagEnd {
    /// Index of its `>`.
    At(usize),
    /// It does not; reading resumes at this index, at a record in line form or (false) at the root's end.
    Resume(usize, bool),
    More,
}

impl Frame {
    /// Whether at `buf[at]` = `<` a line starts that a broken tag or record cannot swallow: Some(true) a record in line form,
    /// Some(false) the root's end, None neither, Err more bytes are needed.
    fn resumes(&self, buf: &[u8], at: usize, eof: bool) -> Result<Option<bool>, ()> {
        let tail = &buf[at + 1..];
        if self.line_form.as_ref().is_some_and(|form| buf[..at].ends_with(form)) && self.names(tail, self.data_type.record_name(), eof)? {
            return Ok(Some(true));
        }
        if at > 0 && buf[at - 1] == b'\n' {
            if tail.is_empty() && !eof {
                return Err(());
            }
            if tail.first() == Some(&b'/') && self.names(&tail[1..], &self.root_name, eof)? {
                return Ok(Some(false));
            }
        }
        Ok(None)
    }

    /// Whether `tail` begins with `name` as a whole name.
    fn names(&self, tail: &[u8], name: &[u8], eof: bool) -> Result<bool, ()> {
        let n = tail.len().min(name.len());
        if tail[..n] != name[..n] {
            return Ok(false);
        }
        match tail.get(name.len()) {
            // A slash is part of the name unless it closes the tag.
            Some(b'/') if tail.len() > name.len() + 1 || eof => Ok(tail.get(name.len() + 1) == Some(&b'>')),
            Some(b'/') => Err(()),
            Some(&b) => Ok(is_space(b) || b == b'>'),
            None if eof => Ok(false),
            None => Err(()),
        }
    }

    /// Finds the end of the tag whose `<` is at `lt`; end tags (`quotes` false) know no quotes.
    fn tag_end(&self, buf: &[u8], lt: usize, quotes: bool, eof: bool) -> TagEnd {
        let mut quote = 0u8;
        for i in lt + 1..buf.len() {
            match buf[i] {
                b'>' if quote == 0 => return TagEnd::At(i),
                b'<' => match self.resumes(buf, i, eof) {
                    Ok(Some(record)) => return TagEnd::Resume(i, record),
                    Ok(None) => {}
                    Err(()) => return TagEnd::More,
                },
                b @ (b'"' | b'\'') if quotes && quote == 0 => quote = b,
                b if b == quote => quote = 0,
                _ => {}
            }
        }
        TagEnd::More
    }

    /// The unit at or after `from`, a place between records. `walk` keeps what was learnt if the answer is `More`.
    pub fn unit(&self, buf: &[u8], from: usize, eof: bool, walk: &mut Option<Walk>) -> Step {
        let mut at = from;
        loop {
            if let Some(record) = walk {
                let start = record.start;
                return match record.advance(self, buf, eof) {
                    Progress::More => Step::More,
                    Progress::Unclosed(what) => Step::Unclosed(what),
                    Progress::End(end) => {
                        if end - start > self.limits.record_bytes {
                            record.fault = Some((Kind::RecordTooLarge, start));
                        }
                        let what = match record.fault {
                            Some((kind, at)) => What::Reject { kind, at },
                            None => What::Record,
                        };
                        *walk = None;
                        Step::Unit(Unit { start, end, what })
                    }
                };
            }
            let lt = memchr(b'<', &buf[at..]).map(|n| at + n);
            let text_end = lt.unwrap_or(buf.len());
            let start = at + buf[at..text_end].iter().take_while(|&&b| is_space(b)).count();
            let Some(lt) = lt else {
                return if eof { Step::Unclosed("the closing root tag is missing") } else { Step::More };
            };
            if start < lt && !text::is_blank(&buf[start..lt]) {
                return stray(buf, start, lt, eof);
            }
            match markup(buf, lt, eof) {
                Markup::More => return if eof { Step::Unclosed("the file ends inside markup") } else { Step::More },
                Markup::Skip(end) => at = end,
                Markup::Cdata(content, end) => {
                    if !text::is_blank(&buf[content.0..content.1]) {
                        return stray(buf, lt, end, eof);
                    }
                    at = end;
                }
                Markup::Bad => {
                    let end = match memchr::memchr2(b'<', b'>', &buf[lt + 1..]) {
                        Some(n) => lt + 1 + n + usize::from(buf[lt + 1 + n] == b'>'),
                        None if eof => return Step::Unclosed("the file ends inside markup"),
                        None => return Step::More,
                    };
                    return Step::Unit(Unit { start: lt, end, what: What::Reject { kind: Kind::BadMarkup, at: lt } });
                }
                Markup::End => {
                    let (end, what) = match self.tag_end(buf, lt, false, eof) {
                        TagEnd::More => return if eof { Step::Unclosed("the file ends inside a tag") } else { Step::More },
                        TagEnd::Resume(i, _) => (i, What::Reject { kind: Kind::TagNotClosed, at: lt }),
                        TagEnd::At(gt) if end_name(&buf[lt + 2..gt]) == self.root_name => (gt + 1, What::RootEnd),
                        TagEnd::At(gt) => (gt + 1, What::Reject { kind: Kind::StrayEndTag, at: lt }),
                    };
                    return Step::Unit(Unit { start: lt, end, what });
                }
                Markup::Start => *walk = Some(Walk::new(lt)),
            }
        }
    }
}

/// A run of text and CDATA between records that is not blank: begun at `start`, read up to `at`.
fn stray(buf: &[u8], start: usize, mut at: usize, eof: bool) -> Step {
    let unit = |end| Step::Unit(Unit { start, end, what: What::Reject { kind: Kind::StrayText, at: start } });
    loop {
        let Some(lt) = memchr(b'<', &buf[at..]).map(|n| at + n) else {
            return if eof { unit(buf.len()) } else { Step::More };
        };
        at = match markup(buf, lt, eof) {
            Markup::Cdata(_, end) => end,
            Markup::More if !eof => return Step::More,
            _ => return unit(lt),
        };
    }
}

/// The name of an end tag, white space behind it aside.
fn end_name(inner: &[u8]) -> &[u8] {
    let n = inner.iter().rev().take_while(|&&b| is_space(b)).count();
    &inner[..inner.len() - n]
}

/// The kind of markup at a `<`.
pub enum Markup {
    Start,
    End,
    /// A comment or processing instruction, up to the index.
    Skip(usize),
    /// Content range, and the index behind it.
    Cdata((usize, usize), usize),
    Bad,
    More,
}

/// Tells what markup starts at `buf[lt]` = `<`.
pub fn markup(buf: &[u8], lt: usize, eof: bool) -> Markup {
    let tail = &buf[lt..];
    let until = |from: usize, mark: &[u8]| tail.get(from..).and_then(|t| memmem::find(t, mark)).map(|n| lt + from + n);
    match tail.get(1) {
        None => Markup::More,
        Some(b'/') => Markup::End,
        Some(b'?') => until(2, b"?>").map_or(Markup::More, |n| Markup::Skip(n + 2)),
        Some(b'!') => {
            let starts = |mark: &[u8]| {
                let n = tail.len().min(mark.len());
                (tail[..n] == mark[..n]).then_some(n == mark.len())
            };
            match (starts(b"<!--"), starts(b"<![CDATA[")) {
                (Some(true), _) => until(4, b"-->").map_or(Markup::More, |n| Markup::Skip(n + 3)),
                (_, Some(true)) => until(9, b"]]>").map_or(Markup::More, |n| Markup::Cdata((lt + 9, n), n + 3)),
                (None, None) => Markup::Bad,
                _ if eof => Markup::Bad,
                _ => Markup::More,
            }
        }
        Some(_) => Markup::Start,
    }
}

/// A walk through one record, which can pause wherever the buffer ends.
#[derive(Debug)]
pub struct Walk {
    /// Offset of the record's `<` in the buffer.
    pub start: usize,
    at: usize,
    /// Names of the open elements, one after another, and where each begins.
    names: Vec<u8>,
    begins: Vec<usize>,
    /// Elements open beyond the depth limit; their names are not kept.
    deeper: usize,
    /// Those of them that have the record's name.
    deeper_records: usize,
    deeper_roots: usize,
    containers: usize,
    inside: Option<Inside>,
    /// Name of the start tag that is being passed over. It is open only once it has come to its end.
    passed: Vec<u8>,
    pub fault: Option<(Kind, usize)>,
}

/// Markup that is longer than anything worth keeping, being passed over.
#[derive(Debug)]
enum Inside {
    /// Up to this end mark.
    Mark(&'static [u8]),
    /// A tag, with the quote that is open, or 0.
    Tag { quote: u8, start: bool },
}

enum Progress {
    End(usize),
    More,
    Unclosed(&'static str),
}

impl Walk {
    fn new(start: usize) -> Self {
        Self {
            start,
            at: start,
            names: Vec::new(),
            begins: Vec::new(),
            deeper: 0,
            deeper_records: 0,
            deeper_roots: 0,
            containers: 0,
            inside: None,
            passed: Vec::new(),
            fault: None,
        }
    }

    /// How far the walk has come.
    pub fn at(&self) -> usize {
        self.at
    }

    /// Marks the record as malformed; the first fault stands.
    pub fn blame(&mut self, kind: Kind, at: usize) {
        self.fault.get_or_insert((kind, at));
    }

    /// The buffer lost its first `n` bytes.
    pub fn shift(&mut self, n: usize) {
        self.at -= n;
        self.start = self.start.saturating_sub(n);
        if let Some((_, at)) = &mut self.fault {
            *at = at.saturating_sub(n);
        }
    }

    /// The tag at `lt` is not closed where reading could resume at `i`: Some if the record ends there. Where a container is open, what
    /// looks like a record is a child, so reading goes on inside.
    fn unclosed(&mut self, lt: usize, i: usize, record: bool) -> Option<usize> {
        self.blame(Kind::TagNotClosed, lt);
        self.at = i;
        (!record || self.containers == 0).then_some(i)
    }

    fn push(&mut self, frame: &Frame, name: &[u8], at: usize) {
        if self.begins.len() + 2 > frame.limits.depth {
            self.blame(Kind::TooDeep, at);
        }
        if self.begins.len() >= NAMES_KEPT {
            self.deeper += 1;
            self.deeper_roots += usize::from(name == frame.root_name);
            self.deeper_records += usize::from(name == frame.data_type.record_name());
            return;
        }
        self.begins.push(self.names.len());
        self.names.extend_from_slice(name);
        self.containers += usize::from(Some(name) == frame.data_type.nesting_container());
    }

    fn name(&self, i: usize) -> &[u8] {
        let end = self.begins.get(i + 1).copied().unwrap_or(self.names.len());
        &self.names[self.begins[i]..end]
    }

    fn pop_to(&mut self, frame: &Frame, i: usize) {
        for k in i..self.begins.len() {
            self.containers -= usize::from(Some(self.name(k)) == frame.data_type.nesting_container());
        }
        self.names.truncate(self.begins[i]);
        self.begins.truncate(i);
    }

    fn advance(&mut self, frame: &Frame, buf: &[u8], eof: bool) -> Progress {
        let more = |what| if eof { Progress::Unclosed(what) } else { Progress::More };
        loop {
            match self.pass(frame, buf, eof) {
                Ok(None) => {}
                Ok(Some(end)) => return Progress::End(end),
                Err(()) => return more("the file ends inside markup"),
            }
            let Some(lt) = memchr(b'<', &buf[self.at..]).map(|n| self.at + n) else {
                self.at = buf.len();
                return more("the file ends inside a record");
            };
            self.at = lt;
            match markup(buf, lt, eof) {
                Markup::More => return more("the file ends inside markup"),
                Markup::Skip(end) | Markup::Cdata(_, end) => self.at = end,
                Markup::Bad => {
                    self.blame(Kind::BadMarkup, lt);
                    self.at = lt + 2;
                }
                Markup::End => match frame.tag_end(buf, lt, false, eof) {
                    TagEnd::More => return more("the file ends inside a tag"),
                    TagEnd::Resume(i, record) => {
                        if let Some(end) = self.unclosed(lt, i, record) {
                            return Progress::End(end);
                        }
                    }
                    TagEnd::At(gt) => {
                        if let Some(end) = self.end_tag(frame, buf, lt, gt) {
                            return Progress::End(end);
                        }
                    }
                },
                Markup::Start => match self.start_tag(frame, buf, lt, eof) {
                    Ok(None) => {}
                    Ok(Some(end)) => return Progress::End(end),
                    Err(()) => return more("the file ends inside a tag"),
                },
            }
        }
    }

    /// Of a record that is rejected anyway: takes note of the markup that does not end in `buf`, so that its bytes need not be kept.
    pub fn swallow(&mut self, frame: &Frame, buf: &[u8]) {
        // Short markup is kept, so that its kind and its name are known when it is whole.
        if self.inside.is_some() || buf.len() - self.at <= frame.limits.name_bytes + 16 {
            return;
        }
        let tail = &buf[self.at..];
        let (inside, opener) = match tail {
            [b'<', b'?', ..] => (Inside::Mark(b"?>"), 2),
            [b'<', b'!', b'-', b'-', ..] => (Inside::Mark(b"-->"), 4),
            [b'<', b'!', b'[', ..] => (Inside::Mark(b"]]>"), 9),
            [b'<', b'/', ..] => (Inside::Tag { quote: 0, start: false }, 1),
            _ => {
                let name = tail[1..].iter().take(SWALLOWED_NAME_BYTES).take_while(|&&b| !is_space(b)).count();
                self.passed = tail[1..1 + name].to_vec();
                (Inside::Tag { quote: 0, start: true }, 1)
            }
        };
        self.inside = Some(inside);
        self.at += opener;
    }

    /// Passes over swallowed markup: Some(offset) if the record ends there, Err if more bytes are needed.
    fn pass(&mut self, frame: &Frame, buf: &[u8], eof: bool) -> Result<Option<usize>, ()> {
        let (mut open, start) = match self.inside {
            None => return Ok(None),
            Some(Inside::Mark(mark)) => {
                let Some(n) = memmem::find(&buf[self.at..], mark) else {
                    self.at = self.at.max((buf.len() + 1).saturating_sub(mark.len()));
                    return Err(());
                };
                self.at += n + mark.len();
                self.inside = None;
                return Ok(None);
            }
            Some(Inside::Tag { quote, start }) => (quote, start),
        };
        for i in self.at..buf.len() {
            match buf[i] {
                b'>' if open == 0 => {
                    self.at = i + 1;
                    self.inside = None;
                    // The name of a swallowed end tag is longer than any that is open.
                    if start && !(i > 0 && buf[i - 1] == b'/') {
                        let name = std::mem::take(&mut self.passed);
                        self.push(frame, &name, i);
                    }
                    return Ok(self.begins.is_empty().then_some(i + 1));
                }
                b'<' => match frame.resumes(buf, i, eof) {
                    Ok(Some(record)) => {
                        self.inside = None;
                        return Ok(self.unclosed(i, i, record));
                    }
                    Ok(None) => {}
                    Err(()) => {
                        self.at = i;
                        self.inside = Some(Inside::Tag { quote: open, start });
                        return Err(());
                    }
                },
                b @ (b'"' | b'\'') if start && open == 0 => open = b,
                b if b == open => open = 0,
                _ => {}
            }
        }
        self.at = buf.len();
        self.inside = Some(Inside::Tag { quote: open, start });
        Err(())
    }

    /// Takes an end tag; Some(offset) if the record ends there.
    fn end_tag(&mut self, frame: &Frame, buf: &[u8], lt: usize, gt: usize) -> Option<usize> {
        self.at = gt + 1;
        let name = end_name(&buf[lt + 2..gt]);
        if self.deeper > 0 {
            // Names beyond the limit are not known, but a record and the root end all the same.
            let known = if name == frame.data_type.record_name() {
                Some(&mut self.deeper_records)
            } else if name == frame.root_name {
                Some(&mut self.deeper_roots)
            } else {
                None
            };
            match known {
                Some(0) => (self.deeper, self.deeper_records, self.deeper_roots) = (0, 0, 0),
                known => {
                    if let Some(n) = known {
                        *n -= 1;
                    }
                    self.deeper -= 1;
                    return None;
                }
            }
        }
        let top = self.begins.len() - 1;
        if self.name(top) == name {
            self.pop_to(frame, top);
        } else {
            self.blame(Kind::EndTagMismatch, lt);
            match (0..top).rev().find(|&i| self.name(i) == name) {
                Some(i) => self.pop_to(frame, i),
                None if name == frame.root_name => return Some(lt),
                None => {}
            }
        }
        self.begins.is_empty().then_some(gt + 1)
    }

    /// Takes a start tag; Some(offset) if the record ends there, Err if more bytes are needed.
    fn start_tag(&mut self, frame: &Frame, buf: &[u8], lt: usize, eof: bool) -> Result<Option<usize>, ()> {
        if !self.begins.is_empty() && self.containers == 0 && frame.resumes(buf, lt, eof)? == Some(true) {
            self.blame(Kind::RecordNotClosed, lt);
            return Ok(Some(lt));
        }
        let gt = match frame.tag_end(buf, lt, true, eof) {
            TagEnd::At(gt) => gt,
            TagEnd::Resume(i, record) => return Ok(self.unclosed(lt, i, record)),
            TagEnd::More => return Err(()),
        };
        let (name, rest, empty) = split_tag(&buf[lt + 1..gt]);
        if self.begins.is_empty() && name != frame.data_type.record_name() {
            self.blame(Kind::ForeignElement, lt);
        }
        self.check_limits(frame, name, rest, lt);
        self.at = gt + 1;
        if !empty {
            self.push(frame, name, lt);
        } else if self.begins.is_empty() {
            return Ok(Some(gt + 1));
        } else if self.begins.len() + 2 > frame.limits.depth {
            self.blame(Kind::TooDeep, lt);
        }
        Ok(None)
    }

    fn check_limits(&mut self, frame: &Frame, name: &[u8], rest: &[u8], lt: usize) {
        let limits = &frame.limits;
        if name.len() > limits.name_bytes {
            self.blame(Kind::NameTooLong, lt);
        }
        // No attribute is shorter than two bytes, so most tags need no look.
        if rest.len() < 2 * limits.attributes.min(limits.name_bytes / 2) {
            return;
        }
        let mut count = 0;
        for attribute in Attributes::new(rest) {
            count += 1;
            if attribute.name.len() > limits.name_bytes {
                self.blame(Kind::NameTooLong, lt);
            }
        }
        if count > limits.attributes {
            self.blame(Kind::TooManyAttributes, lt);
        }
    }
}

//! Cuts a dump of the generator's own into records.
//!
//! It counts start and end tags, and refuses what the generator never writes: comments, CDATA, processing instructions, text
//! between records. Attribute values hold neither `<` nor `>`, as everything here escapes them.

use std::io::Read;

use memchr::memchr;

/// Bytes that are asked for at a time.
const READ_BYTES: usize = 256 * 1024;

/// One record, with nothing around it.
pub struct Record<'a> {
    pub id: u64,
    pub xml: &'a [u8],
}

/// The records of one dump, in order.
pub struct Records<R> {
    source: R,
    /// The root's name.
    root: &'static str,
    buf: Vec<u8>,
    /// Where what was not given out begins, and up to where tags were counted.
    start: usize,
    at: usize,
    /// Bytes that were given out before `buf`.
    base: u64,
    depth: usize,
    is_over: bool,
}

/// A tag's place in the buffer.
struct Tag {
    lt: usize,
    gt: usize,
}

impl<R: Read> Records<R> {
    pub fn new(source: R, root: &'static str) -> Records<R> {
        Records { source, root, buf: Vec::new(), start: 0, at: 0, base: 0, depth: 0, is_over: false }
    }

    /// The next record, or None behind the last one. What is wrong is said without the file's name.
    pub fn next(&mut self) -> Result<Option<Record<'_>>, String> {
        let mut begin = None;
        while !self.is_over {
            let Some(tag) = self.tag()? else { break };
            let inner = &self.buf[tag.lt + 1..tag.gt];
            let (is_end, is_empty) = (inner.first() == Some(&b'/'), inner.last() == Some(&b'/'));
            if matches!(inner.first(), None | Some(b'!' | b'?')) {
                return Err(self.wrong(tag.lt, "markup that no generated dump has"));
            }
            if begin.is_none() && !self.buf[self.start..tag.lt].iter().all(u8::is_ascii_whitespace) {
                return Err(self.wrong(tag.lt, "text between records"));
            }
            if self.depth == 0 {
                if inner != self.root.as_bytes() {
                    return Err(self.wrong(tag.lt, &format!("no <{}>", self.root)));
                }
                self.depth = 1;
                self.start = tag.gt + 1;
                continue;
            }
            if is_end {
                self.depth -= 1;
                self.is_over = self.depth == 0;
            } else {
                begin = begin.or(Some(tag.lt - self.start));
                self.depth += usize::from(!is_empty);
            }
            if let (Some(offset), true) = (begin, self.depth == 1) {
                let (from, end) = (self.start + offset, tag.gt + 1);
                self.start = end;
                let Some(id) = id(&self.buf[from..end]) else { return Err(self.wrong(from, "a record without a number for an id")) };
                return Ok(Some(Record { id, xml: &self.buf[from..end] }));
            }
        }
        if !self.is_over {
            return Err(self.wrong(self.at, "an end too early"));
        }
        // To the end, so that the checksum of the gzip is looked at.
        while self.read()? {}
        Ok(None)
    }

    /// The next tag; None at the end of the bytes.
    fn tag(&mut self) -> Result<Option<Tag>, String> {
        loop {
            if let Some(lt) = memchr(b'<', &self.buf[self.at..]).map(|n| self.at + n) {
                self.at = lt;
                if let Some(gt) = memchr(b'>', &self.buf[lt..]).map(|n| lt + n) {
                    self.at = gt + 1;
                    return Ok(Some(Tag { lt, gt }));
                }
            } else {
                self.at = self.buf.len();
            }
            if !self.read()? {
                return Ok(None);
            }
        }
    }

    /// Reads more; false at the end.
    fn read(&mut self) -> Result<bool, String> {
        if self.start > 0 {
            self.buf.drain(..self.start);
            self.at -= self.start;
            self.base += self.start as u64;
            self.start = 0;
        }
        let len = self.buf.len();
        self.buf.resize(len + READ_BYTES, 0);
        let read = self.source.read(&mut self.buf[len..]).map_err(|error| error.to_string())?;
        self.buf.truncate(len + read);
        Ok(read > 0)
    }

    fn wrong(&self, at: usize, what: &str) -> String {
        format!("{what}, at byte {} of the XML; only dumps that `deadwax generate` wrote can be evolved", self.base + at as u64)
    }
}

/// Where the digits of a record's id are: in an attribute of its start tag, or in the first `<id>` in it.
pub fn id_place(xml: &[u8]) -> Option<std::ops::Range<usize>> {
    let head = memchr(b'>', xml)?;
    let digits = |from: usize| {
        let len = xml[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        (len > 0).then_some(from..from + len)
    };
    if let Some(at) = memchr::memmem::find(&xml[..head], b" id=") {
        return digits(at + b" id=\"".len());
    }
    let at = memchr::memmem::find_iter(xml, b"<id").find(|&at| matches!(xml.get(at + 3), Some(b'>' | b' ')))?;
    digits(at + memchr(b'>', &xml[at..])? + 1)
}

fn id(xml: &[u8]) -> Option<u64> {
    std::str::from_utf8(&xml[id_place(xml)?]).ok()?.parse().ok()
}

//! Finds where whole records end, without reading them: what happens under a file's lock must be cheap.
//!
//! The answer must be the one [`crate::scan`] would give. Two passes over the bytes make sure of that, or say that they cannot:
//!
//! 1. [`is_plain`]: every `<` starts a tag that ends before the next `<`, quoted values hold neither `<` nor `>`, and there is no
//!    `<!` or `<?`. Then each `<name` and `</name` in the bytes is a tag.
//! 2. [`cut`]: counting start and end tags of the record's name. A place where the count comes back to 0 is a place between
//!    records, also if the records are malformed: an end tag of a record's name never leaves more such elements open than the
//!    count says, whatever else is wrong.
//!
//! Anything else (a count beyond 1 where names do not nest, below 0, the root's end) is left to the scanner.

use memchr::{memchr, memmem};

use crate::attributes::is_space;
use crate::scan::Frame;
use crate::simd::{Isa, PAD, Scalar};

/// Whole records at the start of the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Where they end.
    pub end: usize,
    /// How many, counted by tags.
    pub records: u64,
}

/// Searches prepared for one file.
pub struct Splitter {
    start: memmem::Finder<'static>,
    end: memmem::Finder<'static>,
    root_end: Option<memmem::Finder<'static>>,
    root_name: Vec<u8>,
    nests: bool,
    line_form: Option<Vec<u8>>,
    name: usize,
}

impl Splitter {
    pub fn new(frame: &Frame) -> Self {
        let name = frame.data_type.record_name();
        let finder = |prefix: &[u8], name: &[u8]| memmem::Finder::new(&[prefix, name].concat()).into_owned();
        // Where the root's name begins with the record's, the search for record ends meets it anyway.
        let root_end = (!frame.root_name.starts_with(name)).then(|| finder(b"</", &frame.root_name));
        Self { start: finder(b"<", name), end: finder(b"</", name), root_end, root_name: frame.root_name.clone(), nests: frame.data_type.nesting_container().is_some(), line_form: frame.line_form.clone(), name: name.len() }
    }

    /// The last place in `buf[from..]` that is surely between records, or None if it takes the scanner to tell.
    /// `buf` has [`PAD`] readable bytes behind it.
    pub fn cut(&self, buf: &[u8], from: usize) -> Option<Cut> {
        let cut = self.count(buf, from)?;
        let plain = cut.end == from || is_plain(buf, from, cut.end);
        let root = self.root_end.as_ref().is_some_and(|f| f.find(&buf[from..cut.end]).is_some());
        (plain && !root).then_some(cut)
    }

    fn count(&self, buf: &[u8], from: usize) -> Option<Cut> {
        let mut cut = Cut { end: from, records: 0 };
        let (mut depth, mut records) = (0usize, 0u64);
        let advance = |finder: &memmem::Finder, at: usize| finder.find(&buf[at..]).map(|n| at + n);
        let mut start = advance(&self.start, from);
        let mut end = advance(&self.end, from);
        loop {
            let (at, is_end) = match (start, end) {
                (Some(s), Some(e)) if s < e => (s, false),
                (_, Some(e)) => (e, true),
                // A start without any later end can only be a self-closing record, or the beginning of what is carried on.
                (Some(s), None) => (s, false),
                (None, None) => break,
            };
            let behind = at + 1 + usize::from(is_end) + self.name;
            let Some(&delimiter) = buf.get(behind) else { break };
            if is_end {
                end = advance(&self.end, behind);
            } else {
                start = advance(&self.start, behind);
            }
            if !(is_space(delimiter) || delimiter == b'>' || (delimiter == b'/' && !is_end && buf.get(behind + 1) == Some(&b'>'))) {
                if is_end && buf[at + 2..].starts_with(&self.root_name) {
                    break;
                }
                continue;
            }
            let Some(gt) = memchr(b'>', &buf[behind..]).map(|n| behind + n) else { break };
            if is_end {
                if !buf[behind..gt].iter().all(|&b| is_space(b)) {
                    break;
                }
                let Some(less) = depth.checked_sub(1) else { break };
                depth = less;
            } else {
                // What stands between records must be white space, or a count of 0 could be inside something else.
                if depth == 0 && !buf.get(cut.end..at).is_some_and(|gap| gap.iter().all(|&b| is_space(b))) {
                    break;
                }
                // A start in line form may end the record before it.
                if depth > 0 && self.line_form.as_ref().is_some_and(|form| buf[..at].ends_with(form)) {
                    break;
                }
                if buf[gt - 1] != b'/' {
                    depth += 1;
                    // Inside a record only a leaf of the name is followed: anything else may be closed by other end tags.
                    if depth > 1 && !(self.nests && depth == 2 && memchr(b'<', &buf[gt..]).map(|n| gt + n) == end) {
                        break;
                    }
                    continue;
                }
                if depth > 0 && !self.nests {
                    break;
                }
            }
            if depth == 0 {
                records += 1;
                cut = Cut { end: gt + 1, records };
            }
        }
        (cut.end > from).then_some(cut)
    }
}

/// Whether all tags in `buf[from..to]` are plain, as said above; `to` is behind a tag.
pub fn is_plain(buf: &[u8], from: usize, to: usize) -> bool {
    #[cfg(target_arch = "x86_64")]
    if crate::simd::has_avx2() {
        // SAFETY: AVX2 is there; `buf` has PAD readable bytes behind it.
        return unsafe { is_plain_avx2(buf, from, to) };
    }
    // SAFETY: `buf` has PAD readable bytes behind it.
    unsafe { is_plain_in::<Scalar>(buf, from, to) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
unsafe fn is_plain_avx2(buf: &[u8], from: usize, to: usize) -> bool {
    // SAFETY: the caller's.
    unsafe { is_plain_in::<crate::simd::Avx2>(buf, from, to) }
}

#[inline(always)]
unsafe fn is_plain_in<I: Isa>(buf: &[u8], from: usize, to: usize) -> bool {
    const { assert!(PAD >= 64) };
    // Whether the block begins inside a tag, with a `<` as the byte before it, and in which quote.
    let (mut in_tag, mut after_lt, mut open) = (0u64, 0u64, 0u8);
    let mut at = from;
    while at < to {
        // SAFETY: blocks begin before `to`, and PAD bytes behind the buffer are readable.
        let mut m = unsafe { I::masks(buf.as_ptr().add(at)) };
        if to - at < 64 {
            let keep = (1u64 << (to - at)) - 1;
            m.lt &= keep;
            m.gt &= keep;
            m.quotes &= keep;
        }
        if ((m.lt << 1) | after_lt) & m.bangs != 0 {
            return false;
        }
        let edges = m.lt | m.gt;
        // Adding the starts of tags to the gaps between edges carries each start to the next edge: a tag's end.
        let (ends, overflow) = (!edges).overflowing_add((m.lt << 1) | in_tag);
        if ends & m.lt & edges != 0 || (in_tag & m.lt) != 0 {
            return false;
        }
        let inside = !edges & !ends;
        let mut quotes = m.quotes & inside;
        if quotes | open as u64 != 0 {
            let mut since = 0u32;
            while quotes != 0 {
                let bit = quotes.trailing_zeros();
                quotes &= quotes - 1;
                let byte = buf[at + bit as usize];
                if open == 0 {
                    (open, since) = (byte, bit);
                } else if open == byte {
                    // An edge between the quotes would be part of the value.
                    if edges & ((1u64 << bit) - 1) & (u64::MAX << since) != 0 {
                        return false;
                    }
                    open = 0;
                }
            }
            if open != 0 && edges & (u64::MAX << since) != 0 {
                return false;
            }
        }
        after_lt = m.lt >> 63;
        in_tag = (m.lt >> 63) | overflow as u64;
        at += 64;
    }
    open == 0
}

//! Finds where whole records end, without reading them: what happens under a file's lock must be cheap.
//!
//! The answer must be the one [`crate::scan`] would give. Two things, seen to in one pass over the bytes, make sure of that:
//!
//! 1. [`Plain`]: every `<` starts a tag that ends before the next `<`, quoted values hold neither `<` nor `>`, and there is no
//!    `<!` or `<?`. Then each `<name` and `</name` in the bytes is a tag.
//! 2. [`Count`]: of start and end tags of the record's name. A place where the count comes back to 0 is a place between
//!    records, also if the records are malformed: an end tag of a record's name never leaves more such elements open than the
//!    count says, whatever else is wrong.
//!
//! Anything else (a count beyond 1 where names do not nest, below 0, the root's end) is left to the scanner.

use memchr::{memchr, memmem};

use crate::attributes::is_space;
use crate::scan::Frame;
use crate::simd::{Isa, Masks, PAD, Scalar};

/// Whole records at the start of the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Where they end.
    pub end: usize,
    /// How many, counted by tags.
    pub records: u64,
}

/// What is looked for in one file.
pub struct Splitter {
    name: &'static [u8],
    /// The name in a word, at the top, and the bits below it: most tags that begin like it are told by one comparison.
    word: u64,
    beyond: u32,
    root_name: Vec<u8>,
    root_end: Option<memmem::Finder<'static>>,
    nests: bool,
    line_form: Option<Vec<u8>>,
}

impl Splitter {
    pub fn new(frame: &Frame) -> Self {
        let name = frame.data_type.record_name();
        // Where the root's name begins with the record's, the search for record ends meets it anyway.
        let root_end = (!frame.root_name.starts_with(name)).then(|| memmem::Finder::new(&[b"</", frame.root_name.as_slice()].concat()).into_owned());
        let word = name.iter().take(8).rev().fold(0u64, |word, &b| word << 8 | b as u64);
        let beyond = 64 - 8 * name.len().min(8) as u32;
        Self {
            name,
            word: word << beyond,
            beyond,
            root_name: frame.root_name.clone(),
            root_end,
            nests: frame.data_type.nesting_container().is_some(),
            line_form: frame.line_form.clone(),
        }
    }

    /// The last place in `buf[from..]` that is surely between records, or None if it takes the scanner to tell.
    /// `ends` is where each of them ends, white space between them aside. `buf` has [`PAD`] readable bytes behind it.
    pub fn cut(&self, buf: &[u8], from: usize, ends: &mut Vec<u32>) -> Option<Cut> {
        ends.clear();
        // SAFETY: AVX2 only if it is there; `buf` has PAD readable bytes behind it.
        let cut = unsafe {
            #[cfg(target_arch = "x86_64")]
            if crate::simd::has_avx2() {
                self.cut_avx2(buf, from, ends)
            } else {
                self.cut_in::<Scalar>(buf, from, ends)
            }
            #[cfg(not(target_arch = "x86_64"))]
            self.cut_in::<Scalar>(buf, from, ends)
        };
        let root = self.root_end.as_ref().is_some_and(|f| f.find(&buf[from..cut.end]).is_some());
        (cut.end > from && !root).then_some(cut)
    }

    /// Whether the next markup, if there is any, is an end tag of the record's name, or one that begins like it.
    fn ends_next(&self, behind: &[u8]) -> bool {
        memchr(b'<', behind).is_none_or(|lt| behind[lt + 1..].strip_prefix(b"/").is_some_and(|name| name.starts_with(self.name)))
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
    unsafe fn cut_avx2(&self, buf: &[u8], from: usize, ends: &mut Vec<u32>) -> Cut {
        // SAFETY: the caller's.
        unsafe { self.cut_in::<crate::simd::Avx2>(buf, from, ends) }
    }

    #[inline(always)]
    unsafe fn cut_in<I: Isa>(&self, buf: &[u8], from: usize, ends: &mut Vec<u32>) -> Cut {
        const { assert!(PAD >= 64) };
        let mut plain = Plain::default();
        let mut count = Count { depth: 0, ends, cut: Cut { end: from, records: 0 } };
        // Whether the byte before the block is the `/` of a `</`.
        let mut after_slash = 0u64;
        let mut at = from;
        while at < buf.len() {
            // SAFETY: blocks begin before the end, and PAD bytes behind the buffer are readable.
            let mut m = unsafe { I::masks(buf.as_ptr().add(at), self.name[0]) };
            if buf.len() - at < 64 {
                m = m.first(buf.len() - at);
            }
            let second = (m.lt << 1) | plain.after_lt;
            let slashes = m.slashes & second;
            let mut tags = m.wanted & (second | (slashes << 1) | after_slash);
            after_slash = slashes >> 63;
            if !plain.block(&m, second, buf, at) {
                // A record's end tag may reach into this block.
                let known = count.cut.end <= at;
                return if known { count.cut } else { Cut { end: from, records: 0 } };
            }
            while tags != 0 {
                // The first byte of a tag's name.
                let name = at + tags.trailing_zeros() as usize;
                tags &= tags - 1;
                // SAFETY: 8 bytes from within the buffer on are readable, by its PAD.
                let word = u64::from_le(unsafe { buf.as_ptr().add(name).cast::<u64>().read_unaligned() });
                if word << self.beyond == self.word && !count.tag(self, buf, name) {
                    return count.cut;
                }
            }
            at += 64;
        }
        count.cut
    }
}

/// Records counted by their tags.
struct Count<'a> {
    depth: usize,
    /// Behind each record.
    ends: &'a mut Vec<u32>,
    cut: Cut,
}

impl Count<'_> {
    /// Counts the tag whose name, beginning as the record's, is at `name`; false if no more can be told.
    #[inline(never)]
    fn tag(&mut self, of: &Splitter, buf: &[u8], name: usize) -> bool {
        if !buf[name..].starts_with(of.name) {
            return true;
        }
        let is_end = buf[name - 1] == b'/';
        let at = name - 1 - usize::from(is_end);
        let behind = name + of.name.len();
        let Some(&delimiter) = buf.get(behind) else { return false };
        if !(is_space(delimiter) || delimiter == b'>' || (delimiter == b'/' && !is_end && buf.get(behind + 1) == Some(&b'>'))) {
            return !(is_end && buf[name..].starts_with(&of.root_name));
        }
        let Some(gt) = memchr(b'>', &buf[behind..]).map(|n| behind + n) else { return false };
        if is_end {
            if !buf[behind..gt].iter().all(|&b| is_space(b)) {
                return false;
            }
            let Some(less) = self.depth.checked_sub(1) else { return false };
            self.depth = less;
        } else {
            // What stands between records must be white space, or a count of 0 could be inside something else.
            if self.depth == 0 && !buf.get(self.cut.end..at).is_some_and(|gap| gap.iter().all(|&b| is_space(b))) {
                return false;
            }
            // A start in line form may end the record before it.
            if self.depth > 0 && of.line_form.as_ref().is_some_and(|form| buf[..at].ends_with(form)) {
                return false;
            }
            if buf[gt - 1] != b'/' {
                self.depth += 1;
                // Inside a record only a leaf of the name is followed: anything else may be closed by other end tags.
                return self.depth == 1 || (of.nests && self.depth == 2 && of.ends_next(&buf[gt..]));
            }
            if self.depth > 0 && !of.nests {
                return false;
            }
        }
        if self.depth == 0 {
            self.ends.push(gt as u32 + 1);
            self.cut = Cut { end: gt + 1, records: self.ends.len() as u64 };
        }
        true
    }
}

/// Whether all tags are plain, as said above, block by block.
#[derive(Default)]
struct Plain {
    /// Whether the block begins inside a tag.
    in_tag: u64,
    /// Whether the byte before it is a `<`.
    after_lt: u64,
    /// The quote it begins in.
    open: u8,
}

impl Plain {
    /// Takes in the block at `at`, `second` being the places behind a `<`; false if it is not plain.
    #[inline(always)]
    fn block(&mut self, m: &Masks, second: u64, buf: &[u8], at: usize) -> bool {
        if second & m.bangs != 0 {
            return false;
        }
        let edges = m.lt | m.gt;
        // Adding the starts of tags to the gaps between edges carries each start to the next edge: a tag's end.
        let (ends, overflow) = (!edges).overflowing_add((m.lt << 1) | self.in_tag);
        if ends & m.lt & edges != 0 || (self.in_tag & m.lt) != 0 {
            return false;
        }
        let inside = !edges & !ends;
        let quotes = m.quotes & inside;
        if quotes | self.open as u64 != 0 && !self.quotes(quotes, edges, &buf[at..]) {
            return false;
        }
        self.after_lt = m.lt >> 63;
        self.in_tag = (m.lt >> 63) | overflow as u64;
        true
    }

    #[inline(always)]
    fn quotes(&mut self, mut quotes: u64, edges: u64, block: &[u8]) -> bool {
        let mut since = 0u32;
        while quotes != 0 {
            let bit = quotes.trailing_zeros();
            quotes &= quotes - 1;
            let byte = block[bit as usize];
            if self.open == 0 {
                (self.open, since) = (byte, bit);
            } else if self.open == byte {
                // An edge between the quotes would be part of the value.
                if edges & ((1u64 << bit) - 1) & (u64::MAX << since) != 0 {
                    return false;
                }
                self.open = 0;
            }
        }
        self.open == 0 || edges & (u64::MAX << since) == 0
    }
}

//! The fast reader of a well-formed record: one pass from `<` to `<`, elements and attributes onto flat vectors, text as ranges.
//!
//! It reads what dumps hold and nothing else: plain names, quoted attributes, no comments, CDATA or processing instructions. For
//! anything else it answers [`Odd`], and the defining reader ([`crate::tree`]) takes the record.

use crate::names::{Id, Names};
use crate::simd::{Isa, Scalar};

/// The record is not what the fast path reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Odd;

/// Children of different names are told by this bit of [`Node::children`].
pub const MIXED: u32 = 1 << 31;
/// No node.
const NONE: u32 = u32::MAX;
/// Bytes whose `<` are looked up at a time.
const WINDOW: usize = 16 << 10;
const MIX: u64 = 0x9e37_79b9_7f4a_7c15;

/// An element. Its subtree follows it, up to `end`.
#[derive(Clone, Copy, Default)]
pub struct Node {
    pub name: Id,
    pub attributes: u16,
    /// Number of children, with [`MIXED`].
    pub children: u32,
    pub first_attribute: u32,
    /// Range of the text, of elements without children.
    pub text: (u32, u32),
    /// Index behind the subtree.
    pub end: u32,
    /// Hash of the names of attributes and children in order.
    pub shape: u64,
}

/// An attribute: name and range of the value.
#[derive(Clone, Copy)]
pub struct Attribute {
    pub name: Id,
    pub start: u32,
    pub end: u32,
}

/// Positions of `<`, looked up window by window.
#[derive(Default)]
pub struct Cursor {
    positions: Vec<u32>,
    at: usize,
    /// Bytes before this have been looked at, those from `limit` on will not be.
    seen: usize,
    limit: usize,
}

impl Cursor {
    /// Starts over at `from`; nothing at or behind `limit` is seen.
    pub fn reset(&mut self, from: usize, limit: usize) {
        self.positions.clear();
        self.at = 0;
        self.seen = from;
        self.limit = limit;
    }

    #[inline(always)]
    unsafe fn next<I: Isa>(&mut self, x: *const u8) -> Option<usize> {
        while self.at == self.positions.len() {
            if self.seen >= self.limit {
                return None;
            }
            // SAFETY: the caller's: bytes up to the limit and PAD behind it are readable.
            unsafe { self.look::<I>(x) };
        }
        // SAFETY: checked just above.
        let p = unsafe { *self.positions.get_unchecked(self.at) };
        self.at += 1;
        Some(p as usize)
    }

    #[inline(always)]
    unsafe fn look<I: Isa>(&mut self, x: *const u8) {
        let to = (self.seen + WINDOW).min(self.limit);
        self.at = 0;
        self.positions.clear();
        self.positions.reserve(WINDOW + 64);
        let base = self.positions.as_mut_ptr();
        let mut n = 0;
        let mut i = self.seen;
        while i < to {
            // SAFETY: PAD bytes behind the limit are readable; there is room for one position per byte of the window.
            unsafe {
                let mut m = I::lt(x.add(i));
                if to - i < 64 {
                    m &= (1u64 << (to - i)) - 1;
                }
                let count = m.count_ones() as usize;
                for k in 0..6 {
                    *base.add(n + k) = i as u32 + m.trailing_zeros();
                    m &= m.wrapping_sub(1);
                }
                let mut k = 6;
                while k < count {
                    *base.add(n + k) = i as u32 + m.trailing_zeros();
                    m &= m.wrapping_sub(1);
                    k += 1;
                }
                n += count;
            }
            i += 64;
        }
        // SAFETY: `n` positions were written.
        unsafe { self.positions.set_len(n) };
        self.seen = to;
    }
}

/// What the reader may not exceed, and whether text between elements matters.
#[derive(Clone, Copy)]
pub struct Rules {
    pub depth: usize,
    pub attributes: usize,
    /// Text beside child elements is odd (it is dropped otherwise).
    pub mixed_text_is_odd: bool,
}

/// A record on flat vectors, used again for every record.
#[derive(Default)]
pub struct Tape {
    pub nodes: Vec<Node>,
    pub attributes: Vec<Attribute>,
    stack: Vec<u32>,
    pub cursor: Cursor,
    /// An element inside the record has the record's name.
    pub nested: bool,
}

impl Tape {
    /// Reads the record whose `<` is the cursor's next; its name is the caller's to check. Returns the offset behind it.
    ///
    /// # Safety
    /// Bytes up to the cursor's limit and PAD bytes behind it are readable at `x`.
    pub unsafe fn read(&mut self, names: &mut Names, rules: Rules, x: *const u8) -> Result<usize, Odd> {
        #[cfg(target_arch = "x86_64")]
        if crate::simd::has_avx2() {
            // SAFETY: AVX2 is there; else the caller's.
            return unsafe { self.read_avx2(names, rules, x) };
        }
        // SAFETY: the caller's.
        unsafe { self.read_in::<Scalar>(names, rules, x) }
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
    unsafe fn read_avx2(&mut self, names: &mut Names, rules: Rules, x: *const u8) -> Result<usize, Odd> {
        // SAFETY: the caller's.
        unsafe { self.read_in::<crate::simd::Avx2>(names, rules, x) }
    }

    #[inline(always)]
    unsafe fn read_in<I: Isa>(&mut self, names: &mut Names, rules: Rules, x: *const u8) -> Result<usize, Odd> {
        self.nodes.clear();
        self.attributes.clear();
        self.stack.clear();
        self.nested = false;
        let mut open = NONE;
        // Offset behind the last tag.
        let mut behind = 0;
        // SAFETY: the caller's; all offsets come from the cursor or are checked against its limit.
        unsafe {
            let mut p = self.cursor.next::<I>(x).ok_or(Odd)?;
            loop {
                match *x.add(p + 1) {
                    b'/' => {
                        if open == NONE {
                            return Err(Odd);
                        }
                        let end = self.nodes.len() as u32;
                        let node = self.nodes.get_unchecked_mut(open as usize);
                        if !names.closes(node.name, x.add(p + 2)) {
                            return Err(Odd);
                        }
                        node.end = end;
                        if node.children == 0 {
                            node.text.1 = p as u32;
                        } else if rules.mixed_text_is_odd && behind != p && !blank(x, behind, p) {
                            return Err(Odd);
                        }
                        behind = p + 3 + names.get(node.name).len;
                        match self.stack.pop() {
                            None => return Ok(behind),
                            Some(parent) => open = parent,
                        }
                        p = self.cursor.next::<I>(x).ok_or(Odd)?;
                    }
                    b'!' | b'?' => return Err(Odd),
                    _ => {
                        if open != NONE && rules.mixed_text_is_odd && behind != p && !blank(x, behind, p) {
                            return Err(Odd);
                        }
                        let (me, gt, empty) = self.start_tag::<I>(names, rules, x, p, open)?;
                        let next = self.cursor.next::<I>(x).ok_or(Odd)?;
                        if next <= gt {
                            return Err(Odd);
                        }
                        behind = gt + 1;
                        p = next;
                        if empty {
                            if open == NONE {
                                return Err(Odd);
                            }
                            continue;
                        }
                        let node = self.nodes.get_unchecked_mut(me as usize);
                        node.text.0 = behind as u32;
                        if *x.add(p + 1) == b'/' && open != NONE {
                            // A leaf: the common case.
                            if !names.closes(node.name, x.add(p + 2)) {
                                return Err(Odd);
                            }
                            node.text.1 = p as u32;
                            behind = p + 3 + names.get(node.name).len;
                            p = self.cursor.next::<I>(x).ok_or(Odd)?;
                            continue;
                        }
                        if open != NONE {
                            self.stack.push(open);
                            if self.stack.len() + 3 > rules.depth {
                                return Err(Odd);
                            }
                        }
                        open = me;
                    }
                }
            }
        }
    }

    /// Reads the start tag at `p`: its node, the offset of its `>`, whether it is self-closing.
    #[inline(always)]
    unsafe fn start_tag<I: Isa>(&mut self, names: &mut Names, rules: Rules, x: *const u8, p: usize, open: u32) -> Result<(u32, usize, bool), Odd> {
        // SAFETY: as in `read_in`.
        unsafe {
            let len = I::name_end(x.add(p + 1)).trailing_zeros() as usize;
            let name = names.intern(x.add(p + 1), len).ok_or(Odd)?;
            let me = self.nodes.len() as u32;
            if open != NONE {
                let first = self.nodes.get(open as usize + 1).map_or(name, |n| n.name);
                self.nested |= name == self.nodes.get_unchecked(0).name;
                let parent = self.nodes.get_unchecked_mut(open as usize);
                parent.shape = (parent.shape.rotate_left(7) ^ name as u64).wrapping_mul(MIX);
                parent.children += 1;
                if first != name {
                    parent.children |= MIXED;
                }
            }
            let mut node = Node { name, first_attribute: self.attributes.len() as u32, end: me + 1, ..Node::default() };
            let mut q = p + 1 + len;
            let mut empty = false;
            loop {
                match *x.add(q) {
                    b'>' => break,
                    b'/' if *x.add(q + 1) == b'>' => {
                        empty = true;
                        q += 1;
                        break;
                    }
                    b' ' | b'\t' | b'\n' | b'\r' => q += 1,
                    _ => {
                        let len = I::eq32(x.add(q), b'=').trailing_zeros() as usize;
                        let name = names.intern(x.add(q), len).ok_or(Odd)?;
                        let quote = *x.add(q + len + 1);
                        if quote != b'"' && quote != b'\'' {
                            return Err(Odd);
                        }
                        let start = q + len + 2;
                        let mut end = start;
                        loop {
                            let hit = I::eq32(x.add(end), quote);
                            if hit != 0 {
                                end += hit.trailing_zeros() as usize;
                                break;
                            }
                            end += 32;
                            if end >= self.cursor.limit {
                                return Err(Odd);
                            }
                        }
                        self.attributes.push(Attribute { name, start: start as u32, end: end as u32 });
                        node.shape = (node.shape.rotate_left(7) ^ (name as u64 | 0x8000)).wrapping_mul(MIX);
                        node.attributes += 1;
                        if node.attributes as usize > rules.attributes {
                            return Err(Odd);
                        }
                        q = end + 1;
                    }
                }
                if q >= self.cursor.limit {
                    return Err(Odd);
                }
            }
            self.nodes.push(node);
            Ok((me, q, empty))
        }
    }
}

/// Whether the bytes are only ASCII white space of XML.
#[inline(always)]
unsafe fn blank(x: *const u8, from: usize, to: usize) -> bool {
    // SAFETY: the caller's range is readable.
    unsafe { std::slice::from_raw_parts(x.add(from), to - from) }.iter().all(|&b| matches!(b, b' ' | b'\t' | b'\n' | b'\r'))
}

//! The fast reader of a well-formed record: one pass from `<` to `<`, elements and attributes onto flat vectors, text as ranges.
//!
//! It reads what dumps hold and nothing else: plain names, quoted attributes, no comments, CDATA or processing instructions. For
//! anything else it answers [`Odd`], and the defining reader ([`crate::tree`]) takes the record.

use crate::names::{Id, Names};
use crate::shapes::{self, Content, Kind, Shapes, State};
use crate::simd::{Isa, Scalar};

/// The record is not what the fast path reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Odd;

/// Bytes whose `<` are looked up at a time.
const WINDOW: usize = 16 << 10;

/// An element. Its subtree follows it, up to `end`.
#[derive(Clone, Copy)]
#[repr(align(32))]
pub struct Node {
    pub name: Id,
    pub attributes: u16,
    pub content: Content,
    /// What is in it, by name.
    pub state: State,
    pub first_attribute: u32,
    /// Range of the text, of elements without children.
    pub text: (u32, u32),
    /// Index behind the subtree.
    pub end: u32,
}

impl Node {
    /// Whether there is only text.
    #[inline(always)]
    pub fn is_leaf(&self) -> bool {
        self.content == Content::Empty && self.attributes == 0
    }
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

    /// Looks at windows until one has positions; false if none has.
    unsafe fn look<I: Isa>(&mut self, x: *const u8) -> bool {
        self.at = 0;
        self.positions.clear();
        while self.positions.is_empty() && self.seen < self.limit {
            let n = WINDOW.min(self.limit - self.seen);
            self.positions.reserve(n + 64);
            // SAFETY: the caller's: bytes up to the limit and PAD behind it are readable; there is room for one position per
            // byte of the window and a block more.
            unsafe {
                let found = I::find_lt(x.add(self.seen), n, self.seen as u32, self.positions.as_mut_ptr());
                self.positions.set_len(found);
            }
            self.seen += n;
        }
        !self.positions.is_empty()
    }
}

/// The positions that come next, kept in registers while a record is read.
struct Ahead {
    at: *const u32,
    end: *const u32,
}

/// What the reader may not exceed, and whether text between elements matters.
#[derive(Clone, Copy)]
pub struct Rules {
    pub depth: usize,
    pub attributes: usize,
    /// Text beside child elements is odd (it is dropped otherwise).
    pub mixed_text_is_odd: bool,
}

/// A start tag that was read.
struct Tag {
    node: u32,
    name: Id,
    /// The state behind the element, and the one inside.
    to: State,
    inside: State,
    /// Offset behind it.
    behind: usize,
    empty: bool,
}

/// A record on flat vectors, used again for every record.
#[derive(Default)]
pub struct Tape {
    pub nodes: Vec<Node>,
    pub attributes: Vec<Attribute>,
    /// Elements around the one that is open, with what was seen in them.
    stack: Vec<(u32, State)>,
    pub shapes: Shapes,
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
        let mut ahead = self.ahead();
        // SAFETY: the caller's; all offsets come from the cursor or are checked against its limit, numbers of nodes from the list.
        let end = unsafe { self.record::<I>(names, rules, x, &mut ahead)? };
        // SAFETY: both point into the positions, or behind them.
        self.cursor.at = unsafe { ahead.at.offset_from(self.cursor.positions.as_ptr()) } as usize;
        Ok(end)
    }

    /// The positions that are known, with room for a node for each.
    fn ahead(&mut self) -> Ahead {
        let known = &self.cursor.positions[self.cursor.at..];
        self.nodes.reserve(known.len());
        let range = known.as_ptr_range();
        Ahead { at: range.start, end: range.end }
    }

    /// The next `<`.
    #[inline(always)]
    unsafe fn next<I: Isa>(&mut self, ahead: &mut Ahead, x: *const u8) -> Result<usize, Odd> {
        // SAFETY: the caller's.
        unsafe {
            if ahead.at == ahead.end {
                if !self.cursor.look::<I>(x) {
                    return Err(Odd);
                }
                *ahead = self.ahead();
            }
            let p = *ahead.at;
            ahead.at = ahead.at.add(1);
            Ok(p as usize)
        }
    }

    #[inline(always)]
    unsafe fn record<I: Isa>(&mut self, names: &mut Names, rules: Rules, x: *const u8, ahead: &mut Ahead) -> Result<usize, Odd> {
        // SAFETY: as in `read_in`.
        unsafe {
            let p = self.next::<I>(ahead, x)?;
            let record = self.start_tag::<I>(names, rules, x, p, shapes::OUTSIDE)?;
            let mut p = self.next::<I>(ahead, x)?;
            if record.empty || p < record.behind {
                return Err(Odd);
            }
            // The element that is open, and what was seen in it; offset behind the last tag.
            let (mut open, mut state) = (0, record.inside);
            let mut behind = record.behind;
            let mut nested = false;
            loop {
                // Text beside children.
                let mixed = rules.mixed_text_is_odd && behind != p && !blank(x, behind, p);
                if *x.add(p + 1) == b'/' {
                    let end = self.nodes.len() as u32;
                    let node = self.nodes.get_unchecked_mut(open as usize);
                    let tag = names.end(node.name);
                    (node.state, node.content, node.end) = (state, self.shapes.content(state), end);
                    node.text.1 = p as u32;
                    if !I::matches(x.add(p + 2), tag) || (mixed && node.content != Content::Empty) {
                        return Err(Odd);
                    }
                    behind = p + 2 + tag.len as usize;
                    match self.stack.pop() {
                        None => {
                            self.nested = nested;
                            return Ok(behind);
                        }
                        Some(outer) => (open, state) = outer,
                    }
                    p = self.next::<I>(ahead, x)?;
                    continue;
                }
                if mixed {
                    return Err(Odd);
                }
                let tag = self.start_tag::<I>(names, rules, x, p, state)?;
                state = tag.to;
                nested |= tag.name == record.name;
                p = self.next::<I>(ahead, x)?;
                behind = tag.behind;
                if p < behind {
                    return Err(Odd);
                }
                if tag.empty {
                    continue;
                }
                if *x.add(p + 1) == b'/' {
                    // A leaf: the common case.
                    let end = names.end(tag.name);
                    if !I::matches(x.add(p + 2), end) {
                        return Err(Odd);
                    }
                    self.nodes.get_unchecked_mut(tag.node as usize).text.1 = p as u32;
                    behind = p + 2 + end.len as usize;
                    p = self.next::<I>(ahead, x)?;
                    continue;
                }
                self.stack.push((open, state));
                if self.stack.len() + 3 > rules.depth {
                    return Err(Odd);
                }
                (open, state) = (tag.node, tag.inside);
            }
        }
    }

    /// Reads the start tag at `p`, met in `state`, and puts its node on the list.
    #[inline(always)]
    unsafe fn start_tag<I: Isa>(&mut self, names: &mut Names, rules: Rules, x: *const u8, p: usize, state: State) -> Result<Tag, Odd> {
        // SAFETY: as in `read_in`.
        unsafe {
            let learnt;
            let edge = match self.shapes.find::<I>(state, false, x.add(p + 1)) {
                Some(edge) => edge,
                None => {
                    learnt = self.shapes.learn(names, state, false, &*x.add(p + 1).cast()).ok_or(Odd)?;
                    &learnt
                }
            };
            let (kind, name, to, mut inside) = (edge.kind, edge.name, edge.to, edge.inside);
            let mut behind = p + 1 + edge.bytes();
            let mut empty = kind == Kind::Empty;
            let number = self.nodes.len();
            let first = self.attributes.len();
            if kind == Kind::Attributed {
                (behind, empty) = self.attributes::<I>(names, x, behind, &mut inside)?;
                if self.attributes.len() - first > rules.attributes.min(u16::MAX as usize) {
                    return Err(Odd);
                }
            }
            let node = Node {
                name,
                attributes: (self.attributes.len() - first) as u16,
                content: Content::Empty,
                state: inside,
                first_attribute: first as u32,
                text: (behind as u32, 0),
                end: number as u32 + 1,
            };
            // There is room: a node takes a position, and was reserved with it.
            self.nodes.as_mut_ptr().add(number).write(node);
            self.nodes.set_len(number + 1);
            Ok(Tag { node: number as u32, name, to, inside, behind, empty })
        }
    }

    /// Reads attributes from `q` on: the offset behind the `>`, whether the tag is self-closing.
    #[inline(always)]
    unsafe fn attributes<I: Isa>(&mut self, names: &mut Names, x: *const u8, mut q: usize, state: &mut State) -> Result<(usize, bool), Odd> {
        // SAFETY: as in `read_in`.
        unsafe {
            while q < self.cursor.limit {
                match *x.add(q) {
                    b'>' => return Ok((q + 1, false)),
                    b'/' if *x.add(q + 1) == b'>' => return Ok((q + 2, true)),
                    b' ' | b'\t' | b'\n' | b'\r' => q += 1,
                    _ => {
                        let mut quote = b'"';
                        let (name, start) = match self.shapes.find::<I>(*state, true, x.add(q)) {
                            Some(edge) => {
                                *state = edge.to;
                                (edge.name, q + edge.bytes())
                            }
                            None => {
                                let edge = self.shapes.learn(names, *state, true, &*x.add(q).cast()).ok_or(Odd)?;
                                *state = edge.to;
                                let equals = q + names.get(edge.name).bytes.len();
                                quote = *x.add(equals + 1);
                                (edge.name, equals + 2)
                            }
                        };
                        if quote != b'"' && quote != b'\'' {
                            return Err(Odd);
                        }
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
                        q = end + 1;
                    }
                }
            }
            Err(Odd)
        }
    }
}

/// Whether the bytes are only ASCII white space of XML.
#[inline(always)]
unsafe fn blank(x: *const u8, from: usize, to: usize) -> bool {
    // SAFETY: the caller's range is readable.
    unsafe { std::slice::from_raw_parts(x.add(from), to - from) }.iter().all(|&b| matches!(b, b' ' | b'\t' | b'\n' | b'\r'))
}

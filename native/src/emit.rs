//! From tape to canonical JSON: sorted keys by plan, references resolved and characters escaped while copying.
//!
//! Nothing is allocated for a record of known shape. The room is made before (see [`room`]), so nothing here checks it.
//! What it cannot write it flags as odd, and the defining writer takes the record.

use crate::contract::{Contract, DataType, Field, fields, strips_record};
use crate::json::{long_escape, short_escape};
use crate::names::{Id, Key, Names};
use crate::plan::{Item, Mode, Plans, RecordRules};
use crate::simd::{Isa, PAD, Scalar};
use crate::tape::{MIXED, Node, Tape};
use crate::text;

/// Most bytes that a record of `xml` bytes can become, with what vector stores may write behind it.
///
/// A byte of text becomes at most six (`\u0000`), and a topic record's id stands up to three times; the shortest element
/// (`<a/>`) becomes nine, the shortest attribute (` a=""`) eight.
pub fn room(xml: usize) -> usize {
    xml * 20 + 1024
}

const RAW: u8 = 0;
const TEXT: u8 = 1;
const ATTRIBUTE: u8 = 2;

/// Instruction sets with the entry points that enable them.
trait Engine: Isa {
    unsafe fn object(e: &mut Emitter, x: *const u8, i: u32, mode: Mode, o: *mut u8) -> *mut u8;
}

impl Engine for Scalar {
    unsafe fn object(e: &mut Emitter, x: *const u8, i: u32, mode: Mode, o: *mut u8) -> *mut u8 {
        // SAFETY: the caller's.
        unsafe { e.object_in::<Scalar>(x, i, mode, o) }
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use super::{Emitter, Engine, Mode};
    use crate::simd::Avx2;

    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
    pub unsafe fn object(e: &mut Emitter, x: *const u8, i: u32, mode: Mode, o: *mut u8) -> *mut u8 {
        // SAFETY: the caller's.
        unsafe { e.object_in::<Avx2>(x, i, mode, o) }
    }

    impl Engine for Avx2 {
        #[inline(always)]
        unsafe fn object(e: &mut Emitter, x: *const u8, i: u32, mode: Mode, o: *mut u8) -> *mut u8 {
            // SAFETY: the caller's.
            unsafe { object(e, x, i, mode, o) }
        }
    }
}

/// Writes records of one data type in one contract.
pub struct Emitter {
    pub names: Names,
    pub tape: Tape,
    plans: Plans,
    contract: Contract,
    /// The data type's ids are attributes.
    attribute_id: bool,
    kids: Vec<u32>,
    decoded: String,
    odd: bool,
}

impl Emitter {
    pub fn new(data_type: DataType, contract: Contract) -> Self {
        let fanout = contract == Contract::Fanout;
        let rules = RecordRules { strip: fanout && strips_record(data_type), copy_id: !fanout && data_type.has_attribute_id() };
        Self {
            names: Names::new(fields(data_type)),
            tape: Tape::default(),
            plans: Plans::new(rules, fanout),
            contract,
            attribute_id: data_type.has_attribute_id(),
            kids: Vec::new(),
            decoded: String::new(),
            odd: false,
        }
    }

    /// Writes the record on the tape as one JSON object at `o`; None if it is odd.
    ///
    /// # Safety
    /// The tape is of the bytes at `x`, with PAD readable bytes behind them; [`room`] bytes at `o` are writable.
    pub unsafe fn record(&mut self, x: *const u8, o: *mut u8) -> Option<*mut u8> {
        self.odd = false;
        self.kids.clear();
        // SAFETY: the caller's; AVX2 only if it is there.
        let end = unsafe {
            #[cfg(target_arch = "x86_64")]
            if crate::simd::has_avx2() { avx2::object(self, x, 0, Mode::Record, o) } else { Scalar::object(self, x, 0, Mode::Record, o) }
            #[cfg(not(target_arch = "x86_64"))]
            Scalar::object(self, x, 0, Mode::Record, o)
        };
        (!self.odd).then_some(end)
    }

    /// The range of the record's id, if it is there once, plain and not empty; what else there is goes to the defining reader.
    pub fn id(&self, xml: &[u8]) -> Option<(usize, usize)> {
        let record = self.tape.nodes.first()?;
        let is_id = |id: Id| self.names.get(id).bytes == b"id";
        let attributes = &self.tape.attributes[..record.attributes as usize];
        let range = match attributes.iter().find(|a| is_id(a.name)) {
            // Where an attribute is not the usual id, a child of that name may have to go.
            Some(_) if self.contract == Contract::Fanout && !self.attribute_id => return None,
            Some(a) => (a.start, a.end),
            None => {
                let mut found = None;
                let mut i = 1;
                while i < record.end {
                    let node = &self.tape.nodes[i as usize];
                    if is_id(node.name) {
                        if found.is_some() || node.children != 0 || node.attributes != 0 {
                            return None;
                        }
                        found = Some(node.text);
                    }
                    i = node.end;
                }
                found?
            }
        };
        let (from, to) = (range.0 as usize, range.1 as usize);
        (from < to && xml[from..to].iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-' || *b == b'_')).then_some((from, to))
    }

    #[inline(always)]
    unsafe fn object_in<I: Engine>(&mut self, x: *const u8, i: u32, mode: Mode, mut o: *mut u8) -> *mut u8 {
        // SAFETY: the caller's; indices come from the tape.
        unsafe {
            let node = *self.tape.nodes.get_unchecked(i as usize);
            let count = (node.children & !MIXED) as usize;
            let start = o;
            if mode == Mode::Plain && node.attributes == 0 && count > 0 && node.children & MIXED == 0 {
                let name = self.tape.nodes.get_unchecked(i as usize + 1).name;
                o = put(o, &self.names.get(name).child);
                o = self.siblings::<I>(x, i + 1, node.end, count, o);
                *start = b'{';
                *o = b'}';
                return o.add(1);
            }
            if count > u16::MAX as usize {
                self.odd = true;
                return o;
            }
            let base = self.kids.len();
            let mut c = i + 1;
            while c < node.end {
                self.kids.push(c);
                c = self.tape.nodes.get_unchecked(c as usize).end;
            }
            let first = node.first_attribute as usize;
            let attributes = &self.tape.attributes[first..first + node.attributes as usize];
            let mut own = None;
            let plan = match self.plans.find(mode, &node, attributes, &self.tape.nodes, &self.kids[base..]) {
                Ok(plan) => plan,
                Err(slot) => {
                    let children: Vec<Id> = self.kids[base..].iter().map(|&c| self.tape.nodes[c as usize].name).collect();
                    let made = self.plans.make(mode, &self.names, attributes, &children);
                    match self.plans.learn(made, count, slot) {
                        Ok(plan) => plan,
                        Err(plan) => &raw const **own.insert(plan),
                    }
                }
            };
            // SAFETY: boxed in `plans`, which keeps it, or in `own`.
            let plan = &*plan;
            let text = count == 0 && node.attributes > 0 && node.text.1 > node.text.0;
            if plan.odd || (plan.text_is_odd && text) {
                self.odd = true;
                self.kids.truncate(base);
                return o;
            }
            for item in &plan.items {
                o = match *item {
                    Item::Text if !text => o,
                    Item::Text => {
                        const PLAIN: &[u8] = b",\"#text\":";
                        const STRIPPED: &[u8] = b",\"name\":";
                        let key = if mode == Mode::Stripped { STRIPPED } else { PLAIN };
                        std::ptr::copy_nonoverlapping(key.as_ptr(), o, key.len());
                        match self.text::<I>(x, node.text, o.add(key.len())) {
                            (_, true) => o,
                            (end, false) => end,
                        }
                    }
                    Item::Attribute(a) => {
                        let attribute = *self.tape.attributes.get_unchecked(first + a as usize);
                        let o = put(o, &self.names.get(attribute.name).attribute);
                        self.attribute::<I>(x, attribute.start as usize, attribute.end as usize, o)
                    }
                    Item::Stripped(a) => {
                        let attribute = *self.tape.attributes.get_unchecked(first + a as usize);
                        let o = put(o, &self.names.get(attribute.name).stripped);
                        self.attribute::<I>(x, attribute.start as usize, attribute.end as usize, o)
                    }
                    Item::IdCopy(a) => {
                        let attribute = *self.tape.attributes.get_unchecked(first + a as usize);
                        let o = put(o, &self.names.get(attribute.name).stripped);
                        self.attribute::<I>(x, attribute.start as usize, attribute.end as usize, o)
                    }
                    Item::Children { name, from, count: 1, field } => {
                        let child = *self.kids.get_unchecked(base + plan.order[from as usize] as usize);
                        match field {
                            None => {
                                let o = put(o, &self.names.get(name).child);
                                self.value::<I>(x, child, o)
                            }
                            Some(field) => self.field::<I>(x, child, name, field, o),
                        }
                    }
                    Item::Children { name, from, count, .. } => {
                        let list = put(o, &self.names.get(name).child);
                        let mut o = list;
                        for k in from..from + count {
                            let child = *self.kids.get_unchecked(base + plan.order[k as usize] as usize);
                            *o = b',';
                            o = self.value::<I>(x, child, o.add(1));
                        }
                        *list = b'[';
                        *o = b']';
                        o.add(1)
                    }
                };
            }
            self.kids.truncate(base);
            *start = b'{';
            if o == start {
                o = o.add(1);
            }
            *o = b'}';
            o.add(1)
        }
    }

    /// Writes the children from `from` up to `end`, all of one name: the one value, or an array.
    #[inline(always)]
    unsafe fn siblings<I: Engine>(&mut self, x: *const u8, from: u32, end: u32, count: usize, mut o: *mut u8) -> *mut u8 {
        // SAFETY: the caller's.
        unsafe {
            if count == 1 {
                return self.value::<I>(x, from, o);
            }
            let list = o;
            let mut c = from;
            while c < end {
                *o = b',';
                o = self.value::<I>(x, c, o.add(1));
                c = self.tape.nodes.get_unchecked(c as usize).end;
            }
            *list = b'[';
            *o = b']';
            o.add(1)
        }
    }

    #[inline(always)]
    unsafe fn value<I: Engine>(&mut self, x: *const u8, i: u32, o: *mut u8) -> *mut u8 {
        // SAFETY: the caller's.
        unsafe {
            let node = self.tape.nodes.get_unchecked(i as usize);
            if node.children == 0 && node.attributes == 0 {
                let range = node.text;
                return self.text::<I>(x, range, o).0;
            }
            I::object(self, x, i, Mode::Plain, o)
        }
    }

    /// Writes a record's field that the contract changes, key and all; nothing if it comes out empty.
    unsafe fn field<I: Engine>(&mut self, x: *const u8, i: u32, name: Id, field: Field, start: *mut u8) -> *mut u8 {
        // SAFETY: the caller's.
        unsafe {
            let node = *self.tape.nodes.get_unchecked(i as usize);
            let leaf = node.children == 0 && node.attributes == 0;
            let o = put(start, &self.names.get(name).child);
            match field {
                Field::Items(key) | Field::Unwrap(key) | Field::UnwrapStrip(key) => {
                    let end = if leaf { self.lone::<I>(x, &node, field, o) } else { self.list::<I>(x, i, &node, key, field, o) };
                    end.unwrap_or(start)
                }
                Field::Strip if leaf => self.value::<I>(x, i, o),
                Field::Strip => I::object(self, x, i, Mode::Stripped, o),
                Field::MasterId if leaf => self.value::<I>(x, i, o),
                Field::MasterId if node.children != 0 => {
                    self.odd = true;
                    o
                }
                Field::MasterId => match self.text::<I>(x, node.text, o) {
                    (end, false) => end,
                    (_, true) => I::object(self, x, i, Mode::Plain, o),
                },
            }
        }
    }

    /// A list field that is only text: a list of one, or nothing.
    unsafe fn lone<I: Engine>(&mut self, x: *const u8, node: &Node, field: Field, mut o: *mut u8) -> Option<*mut u8> {
        // SAFETY: the caller's.
        unsafe {
            let wrap = matches!(field, Field::Items(_));
            let (open, close): (&[u8], &[u8]) = if wrap { (b"[{\"id\":", b"}]") } else { (b"[", b"]") };
            std::ptr::copy_nonoverlapping(open.as_ptr(), o, open.len());
            let (end, null) = self.text::<I>(x, node.text, o.add(open.len()));
            o = end;
            std::ptr::copy_nonoverlapping(close.as_ptr(), o, close.len());
            (!null).then(|| o.add(close.len()))
        }
    }

    unsafe fn list<I: Engine>(&mut self, x: *const u8, i: u32, node: &Node, key: &[u8], field: Field, list: *mut u8) -> Option<*mut u8> {
        // SAFETY: the caller's.
        unsafe {
            let mut o = list;
            let (mut count, mut null) = (0, false);
            let mut c = i + 1;
            let uniform = node.children & MIXED == 0;
            while c < node.end {
                let child = *self.tape.nodes.get_unchecked(c as usize);
                if (uniform && count > 0) || self.names.get(child.name).bytes == key {
                    count += 1;
                    *o = b',';
                    o = o.add(1);
                    let leaf = child.children == 0 && child.attributes == 0;
                    o = match field {
                        Field::Items(_) if leaf => {
                            const ID: &[u8] = b"{\"id\":";
                            std::ptr::copy_nonoverlapping(ID.as_ptr(), o, ID.len());
                            let (end, is_null) = self.text::<I>(x, child.text, o.add(ID.len()));
                            null = is_null;
                            if is_null {
                                std::ptr::copy_nonoverlapping(b"null".as_ptr(), o, 4);
                                o.add(4)
                            } else {
                                *end = b'}';
                                end.add(1)
                            }
                        }
                        Field::Unwrap(_) if !leaf => I::object(self, x, c, Mode::Plain, o),
                        _ if !leaf => I::object(self, x, c, Mode::Stripped, o),
                        _ => {
                            let (end, is_null) = self.text::<I>(x, child.text, o);
                            null = is_null;
                            end
                        }
                    };
                } else if uniform {
                    break;
                }
                c = child.end;
            }
            // A single null is as good as nothing.
            if count == 0 || (count == 1 && null) {
                return None;
            }
            *list = b'[';
            *o = b']';
            Some(o.add(1))
        }
    }

    /// Writes text as a JSON string, or `null` if it is blank; told by the flag.
    #[inline(always)]
    unsafe fn text<I: Engine>(&mut self, x: *const u8, range: (u32, u32), o: *mut u8) -> (*mut u8, bool) {
        // SAFETY: the caller's.
        unsafe {
            let (from, to) = (range.0 as usize, range.1 as usize);
            if from >= to {
                return (null(o), true);
            }
            let (first, last) = (*x.add(from), *x.add(to - 1));
            let solid = |b: u8| b > b' ' && b < 0x80;
            // Neither blank nor, where it is trimmed, with anything to trim.
            let settled = solid(first) && first != b'&' && (self.contract == Contract::Fanout || (solid(last) && last != b';'));
            if settled {
                *o = b'"';
                if let Some(end) = copy::<I, TEXT>(x, from, to, o.add(1)) {
                    *end = b'"';
                    return (end.add(1), false);
                }
            }
            self.text_by_definition::<I>(std::slice::from_raw_parts(x.add(from), to - from), o)
        }
    }

    #[inline(never)]
    unsafe fn text_by_definition<I: Engine>(&mut self, raw: &[u8], o: *mut u8) -> (*mut u8, bool) {
        self.decoded.clear();
        match self.contract {
            Contract::Topic => text::append_topic(raw, &mut self.decoded),
            Contract::Fanout => text::append_fanout(raw, &mut self.decoded),
        }
        let trimmed = self.decoded.trim();
        // SAFETY: PAD bytes are put behind the text before it is copied by blocks.
        unsafe {
            if trimmed.is_empty() {
                return (null(o), true);
            }
            let from = if self.contract == Contract::Topic { trimmed.as_ptr() as usize - self.decoded.as_ptr() as usize } else { 0 };
            let to = if self.contract == Contract::Topic { from + trimmed.len() } else { self.decoded.len() };
            self.decoded.extend([' '; PAD]);
            *o = b'"';
            let end = copy::<I, RAW>(self.decoded.as_ptr(), from, to, o.add(1)).unwrap_or(o);
            *end = b'"';
            (end.add(1), false)
        }
    }

    /// Writes an attribute's value and the closing quote.
    #[inline(always)]
    unsafe fn attribute<I: Engine>(&mut self, x: *const u8, from: usize, to: usize, o: *mut u8) -> *mut u8 {
        // SAFETY: the caller's.
        unsafe {
            let resolved = if self.contract == Contract::Fanout { copy::<I, ATTRIBUTE>(x, from, to, o) } else { None };
            // A value with anything bad in it stays as it stands.
            let end = match resolved {
                Some(end) => end,
                None => copy::<I, RAW>(x, from, to, o).unwrap_or(o),
            };
            *end = b'"';
            end.add(1)
        }
    }
}

#[inline(always)]
unsafe fn put(o: *mut u8, key: &Key) -> *mut u8 {
    // SAFETY: 32 writable bytes.
    unsafe {
        std::ptr::copy_nonoverlapping(key.bytes.as_ptr(), o, 32);
        o.add(key.len)
    }
}

#[inline(always)]
unsafe fn null(o: *mut u8) -> *mut u8 {
    // SAFETY: 4 writable bytes.
    unsafe {
        std::ptr::copy_nonoverlapping(b"null".as_ptr(), o, 4);
        o.add(4)
    }
}

/// Copies `x[from..to]`, escaped for JSON; TEXT and ATTRIBUTE resolve references, and are None at a bad one.
#[inline(always)]
unsafe fn copy<I: Isa, const KIND: u8>(x: *const u8, mut from: usize, to: usize, mut o: *mut u8) -> Option<*mut u8> {
    // SAFETY: the caller's: PAD readable bytes behind `to`, room at `o`.
    unsafe {
        while from < to {
            let hits = if KIND == RAW { I::copy32::<false>(x.add(from), o) } else { I::copy32::<true>(x.add(from), o) };
            let rest = to - from;
            let n = (hits.trailing_zeros() as usize).min(rest);
            from += n;
            o = o.add(n);
            if n == 32 || n == rest {
                continue;
            }
            let b = *x.add(from);
            if KIND != RAW && b == b'&' {
                let (next, end) = reference(std::slice::from_raw_parts(x.add(from), to - from), o)?;
                from += next;
                o = end;
                continue;
            }
            from += 1;
            if KIND == ATTRIBUTE && matches!(b, b'\t' | b'\n' | b'\r') {
                if b == b'\r' && from < to && *x.add(from) == b'\n' {
                    from += 1;
                }
                *o = b' ';
                o = o.add(1);
                continue;
            }
            o = escape(b, o);
        }
        Some(o)
    }
}

#[inline(always)]
unsafe fn escape(b: u8, o: *mut u8) -> *mut u8 {
    // SAFETY: 6 writable bytes.
    unsafe {
        let letter = short_escape(b);
        if letter != 0 {
            *o = b'\\';
            *o.add(1) = letter;
            return o.add(2);
        }
        if b >= 0x20 {
            *o = b;
            return o.add(1);
        }
        std::ptr::copy_nonoverlapping(long_escape(b).as_ptr(), o, 6);
        o.add(6)
    }
}

/// Resolves the reference at `tail[0]` = `&`: bytes read, and where the output ends.
#[inline(never)]
unsafe fn reference(tail: &[u8], o: *mut u8) -> Option<(usize, *mut u8)> {
    /// Longer names are none that are known; leading zeros take the slow way.
    const NAME_BYTES_MAX: usize = 12;
    let end = tail.iter().take(NAME_BYTES_MAX).position(|&b| b == b';')?;
    let c = text::resolve(&tail[1..end])?;
    // SAFETY: room for the longest escape.
    unsafe {
        if (c as u32) < 0x80 {
            return Some((end + 1, escape(c as u8, o)));
        }
        let mut utf8 = [0u8; 4];
        let n = c.encode_utf8(&mut utf8).len();
        std::ptr::copy_nonoverlapping(utf8.as_ptr(), o, n);
        Some((end + 1, o.add(n)))
    }
}

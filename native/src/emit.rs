//! From tape to canonical JSON: sorted keys by plan, references resolved and characters escaped while copying.
//!
//! Nothing is allocated for a record of known shape. The room is made before (see [`room`]), so nothing here checks it.
//! What it cannot write it flags as odd, and the defining writer takes the record.

use crate::contract::{Contract, DataType, fields, strips_record};
use crate::names::{Id, Names};
use crate::plan::{Mode, Plan, Plans, RecordRules, Value};
use crate::shapes::Content;
use crate::simd::{Isa, PAD, Scalar};
use crate::tape::{Node, Tape};
use crate::text;
use crate::write::{ATTRIBUTE, NULL, RAW, TEXT, copy, put, put_bytes};

/// Most bytes that a record of `xml` bytes can become, with what vector stores may write behind it.
///
/// A byte of text becomes at most six (`\u0000`), and a topic record's id stands up to three times; the shortest element
/// (`<a/>`) becomes nine, the shortest attribute (` a=""`) eight.
pub fn room(xml: usize) -> usize {
    xml * 20 + 1024
}

/// Instruction sets with the entry points that enable them.
pub(crate) trait Engine: Isa {
    /// Writes the object at index `i` of the tape.
    unsafe fn object(e: &mut Emitter, x: *const u8, i: u32, mode: Mode, o: *mut u8) -> *mut u8;
    /// Writes a text that is not short and plain.
    unsafe fn any_text(e: &mut Emitter, x: *const u8, from: usize, to: usize, o: *mut u8) -> (*mut u8, bool);
}

impl Engine for Scalar {
    unsafe fn object(e: &mut Emitter, x: *const u8, i: u32, mode: Mode, o: *mut u8) -> *mut u8 {
        // SAFETY: the caller's.
        unsafe { e.object_in::<Scalar>(x, i, mode, o) }
    }
    unsafe fn any_text(e: &mut Emitter, x: *const u8, from: usize, to: usize, o: *mut u8) -> (*mut u8, bool) {
        // SAFETY: the caller's.
        unsafe { e.any_text_in::<Scalar>(x, from, to, o) }
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

    #[inline(never)]
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
    unsafe fn any_text(e: &mut Emitter, x: *const u8, from: usize, to: usize, o: *mut u8) -> (*mut u8, bool) {
        // SAFETY: the caller's.
        unsafe { e.any_text_in::<Avx2>(x, from, to, o) }
    }

    impl Engine for Avx2 {
        #[inline(always)]
        unsafe fn object(e: &mut Emitter, x: *const u8, i: u32, mode: Mode, o: *mut u8) -> *mut u8 {
            // SAFETY: the caller's.
            unsafe { object(e, x, i, mode, o) }
        }
        #[inline(always)]
        unsafe fn any_text(e: &mut Emitter, x: *const u8, from: usize, to: usize, o: *mut u8) -> (*mut u8, bool) {
            // SAFETY: the caller's.
            unsafe { any_text(e, x, from, to, o) }
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
    id_name: Id,
    pub record_name: Id,
    kids: Vec<u32>,
    decoded: String,
    pub(crate) odd: bool,
}

impl Emitter {
    pub fn new(data_type: DataType, contract: Contract) -> Self {
        let fanout = contract == Contract::Fanout;
        let rules = RecordRules { strip: fanout && strips_record(data_type), copy_id: !fanout && data_type.has_attribute_id() };
        let mut names = Names::new(fields(data_type));
        let mut known = |name: &[u8]| names.intern(name).unwrap_or(Id::MAX);
        Self {
            id_name: known(b"id"),
            record_name: known(data_type.record_name()),
            names,
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
            if crate::simd::has_avx2() {
                avx2::object(self, x, 0, Mode::Record, o)
            } else {
                Scalar::object(self, x, 0, Mode::Record, o)
            }
            #[cfg(not(target_arch = "x86_64"))]
            Scalar::object(self, x, 0, Mode::Record, o)
        };
        (!self.odd).then_some(end)
    }

    /// The range of the record's id, if it is there once, plain and not empty; what else there is goes to the defining reader.
    pub fn id(&self, xml: &[u8]) -> Option<(usize, usize)> {
        let record = self.tape.nodes.first()?;
        let is_id = |name: Id| name == self.id_name;
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
                        if found.is_some() || node.content != Content::Empty || node.attributes != 0 {
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
            let start = o;
            if mode == Mode::Plain && matches!(node.content, Content::One | Content::Many) {
                let name = self.tape.nodes.get_unchecked(i as usize + 1).name;
                o = put(o, &self.names.get(name).child);
                o = self.siblings::<I>(x, i + 1, &node, o);
                *start = b'{';
                *o = b'}';
                return o.add(1);
            }
            let base = self.kids.len();
            let mut c = i + 1;
            while c < node.end {
                self.kids.push(c);
                c = self.tape.nodes.get_unchecked(c as usize).end;
            }
            let mut own = None;
            let plan = match self.tape.shapes.plan(node.state, mode as usize) {
                Some(plan) => self.plans.get(plan),
                None => self.plan(mode, &node, base, &mut own),
            };
            // SAFETY: boxed in `plans`, which keeps it, or in `own`.
            let plan = &*plan;
            let text = node.content == Content::Empty && node.text.1 > node.text.0;
            if plan.odd || (plan.text_is_odd && text) {
                self.odd = true;
                self.kids.truncate(base);
                return o;
            }
            for item in &plan.items {
                let begin = put(o, &item.key);
                o = match item.value {
                    Value::Child(k) => {
                        let child = *self.kids.get_unchecked(base + k as usize);
                        self.value::<I>(x, child, begin)
                    }
                    Value::Attribute(k) => {
                        let attribute = *self.tape.attributes.get_unchecked(node.first_attribute as usize + k as usize);
                        self.attribute::<I>(x, attribute.start as usize, attribute.end as usize, begin)
                    }
                    Value::Field(k, field) => {
                        let child = *self.kids.get_unchecked(base + k as usize);
                        self.field::<I>(x, child, field, begin).unwrap_or(o)
                    }
                    Value::Text if !text => o,
                    Value::Text => match self.text::<I>(x, node.text, begin) {
                        (_, true) => o,
                        (end, false) => end,
                    },
                    Value::Children { from, count } => {
                        let mut o = begin;
                        for k in from..from + count {
                            let child = *self.kids.get_unchecked(base + plan.order[k as usize] as usize);
                            *o = b',';
                            o = self.value::<I>(x, child, o.add(1));
                        }
                        *begin = b'[';
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

    /// Plans an object that is met the first time; what cannot be kept goes to `own`.
    #[cold]
    fn plan(&mut self, mode: Mode, node: &Node, base: usize, own: &mut Option<Box<Plan>>) -> *const Plan {
        let first = node.first_attribute as usize;
        let attributes = &self.tape.attributes[first..first + node.attributes as usize];
        let children: Vec<Id> = self.kids[base..].iter().map(|&c| self.tape.nodes[c as usize].name).collect();
        let made = Box::new(self.plans.make(mode, &self.names, attributes, &children));
        match self.plans.next() {
            Some(number) if self.tape.shapes.keep_plan(node.state, mode as usize, number) => {
                self.plans.keep(made);
                self.plans.get(number)
            }
            _ => &raw const **own.insert(made),
        }
    }

    /// Writes the children of `node`, all of one name, from `c` on: the one value, or an array.
    #[inline(always)]
    unsafe fn siblings<I: Engine>(&mut self, x: *const u8, mut c: u32, node: &Node, list: *mut u8) -> *mut u8 {
        // SAFETY: the caller's.
        unsafe {
            if node.content == Content::One {
                return self.value::<I>(x, c, list);
            }
            let mut o = list;
            while c < node.end {
                *o = b',';
                o = self.value::<I>(x, c, o.add(1));
                c = self.tape.nodes.get_unchecked(c as usize).end;
            }
            *list = b'[';
            *o = b']';
            o.add(1)
        }
    }

    /// Writes a child.
    #[inline(always)]
    pub(crate) unsafe fn value<I: Engine>(&mut self, x: *const u8, i: u32, o: *mut u8) -> *mut u8 {
        // SAFETY: the caller's.
        unsafe {
            let node = self.tape.nodes.get_unchecked(i as usize);
            if node.is_leaf() {
                let range = node.text;
                return self.text::<I>(x, range, o).0;
            }
            I::object(self, x, i, Mode::Plain, o)
        }
    }

    /// Writes text as a JSON string, or `null` if it is blank; told by the flag.
    #[inline(always)]
    pub(crate) unsafe fn text<I: Engine>(&mut self, x: *const u8, range: (u32, u32), o: *mut u8) -> (*mut u8, bool) {
        // SAFETY: the caller's.
        unsafe {
            let (from, to) = (range.0 as usize, range.1 as usize);
            if from >= to {
                return (put_bytes(o, NULL), true);
            }
            let n = to - from;
            if n <= 32 {
                let copied = I::copy_text(x.add(from), o.add(1));
                let all = u32::MAX >> (32 - n);
                if copied.special & all == 0 && copied.solid & (all & self.ends(all)) == all & self.ends(all) {
                    *o = b'"';
                    *o.add(1 + n) = b'"';
                    return (o.add(2 + n), false);
                }
            }
            I::any_text(self, x, from, to, o)
        }
    }

    /// The bytes of a text, one bit each, that must be solid for it to be neither blank nor trimmed.
    #[inline(always)]
    fn ends(&self, all: u32) -> u32 {
        if self.contract == Contract::Topic { 1 | (all ^ (all >> 1)) } else { 1 }
    }

    #[inline(always)]
    unsafe fn any_text_in<I: Engine>(&mut self, x: *const u8, from: usize, to: usize, o: *mut u8) -> (*mut u8, bool) {
        // SAFETY: the caller's; PAD bytes are put behind the text that is decoded, before it is copied by blocks.
        unsafe {
            let raw = std::slice::from_raw_parts(x.add(from), to - from);
            let first = raw[0] != b'&' && !text::begins_blank(raw);
            // Neither blank nor, where it is trimmed, with anything to trim.
            let settled = first && (self.contract == Contract::Fanout || (raw[raw.len() - 1] != b';' && !text::ends_blank(raw)));
            *o = b'"';
            let mut end = if settled { copy::<I, TEXT>(x, from, to, o.add(1)) } else { None };
            if end.is_none() {
                let Some((from, to)) = self.decode(raw) else { return (put_bytes(o, NULL), true) };
                end = copy::<I, RAW>(self.decoded.as_ptr(), from, to, o.add(1));
            }
            let end = end.unwrap_or(o);
            *end = b'"';
            (end.add(1), false)
        }
    }

    /// The text as the definition has it: the range in `decoded` that counts, if it is not blank.
    #[inline(never)]
    fn decode(&mut self, raw: &[u8]) -> Option<(usize, usize)> {
        const PADDING: &str = match std::str::from_utf8(&[b' '; PAD]) {
            Ok(padding) => padding,
            Err(_) => "",
        };
        self.decoded.clear();
        match self.contract {
            Contract::Topic => text::append_topic(raw, &mut self.decoded),
            Contract::Fanout => text::append_fanout(raw, &mut self.decoded),
        }
        let trimmed = self.decoded.trim();
        if trimmed.is_empty() {
            return None;
        }
        let from = trimmed.as_ptr() as usize - self.decoded.as_ptr() as usize;
        let range = if self.contract == Contract::Topic { (from, from + trimmed.len()) } else { (0, self.decoded.len()) };
        self.decoded.push_str(PADDING);
        Some(range)
    }

    /// Writes an attribute's value and the closing quote.
    #[inline(always)]
    unsafe fn attribute<I: Engine>(&mut self, x: *const u8, from: usize, to: usize, o: *mut u8) -> *mut u8 {
        // SAFETY: the caller's.
        unsafe {
            let n = to - from;
            // With nothing to resolve or to escape, one block is all.
            if n.wrapping_sub(1) < 32 && I::copy32::<true>(x.add(from), o) & (u32::MAX >> (32 - n)) == 0 {
                *o.add(n) = b'"';
                return o.add(n + 1);
            }
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

//! The defining reader of one well-formed record: a tree of values, by the rules of the contract, without haste.
//!
//! The fast path (`tape`, `emit`) leaves everything unusual to this module, and tests hold the two against each other.

use std::collections::BTreeMap;

use crate::attributes::{Attributes, split_tag};
use crate::contract::{Contract, DataType};
use crate::{normalise, text};

/// The members of an object, sorted by the bytes of their keys.
pub type Map = BTreeMap<String, Value>;

/// A JSON value as the contract knows it: no numbers, no booleans. Objects are sorted by the bytes of their keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Null,
    String(String),
    Array(Vec<Value>),
    Object(Map),
}

/// One record, read.
#[derive(Debug, PartialEq, Eq)]
pub enum Record {
    /// Not an object: there is no message for it.
    Empty,
    Object {
        id: Option<String>,
        map: Map,
    },
}

struct Element {
    name: String,
    map: Map,
    text: String,
    has_children: bool,
}

impl Element {
    fn open(inner: &[u8], contract: Contract) -> (Self, bool) {
        let (name, rest, empty) = split_tag(inner);
        let mut map = BTreeMap::new();
        let mut claimed: Vec<&[u8]> = Vec::new();
        for attribute in Attributes::new(rest) {
            if attribute.name.is_empty() || claimed.contains(&attribute.name) {
                continue;
            }
            claimed.push(attribute.name);
            let Some(raw) = attribute.value else { continue };
            let value = match contract {
                Contract::Topic => text::attribute_topic(raw),
                Contract::Fanout => text::attribute_fanout(raw),
            };
            map.insert(format!("@{}", String::from_utf8_lossy(attribute.name)), Value::String(value));
        }
        let name = String::from_utf8_lossy(name).into_owned();
        (Self { name, map, text: String::new(), has_children: false }, empty)
    }

    fn close(mut self, contract: Contract) -> (String, Value) {
        let value = match contract {
            Contract::Topic if self.has_children => None,
            Contract::Topic => Some(self.text.trim()).filter(|t| !t.is_empty()),
            Contract::Fanout => Some(self.text.as_str()).filter(|t| !t.trim().is_empty()),
        }
        .map(|t| Value::String(t.to_owned()));
        if self.map.is_empty() && !self.has_children {
            return (self.name, value.unwrap_or(Value::Null));
        }
        if let Some(value) = value {
            self.map.entry("#text".to_owned()).or_insert(value);
        }
        (self.name, Value::Object(self.map))
    }

    /// Adds a child; a name seen again becomes an array in document order.
    fn add(&mut self, counts: &mut BTreeMap<String, usize>, name: String, value: Value) {
        self.has_children = true;
        let count = counts.entry(name.clone()).or_insert(0);
        *count += 1;
        match (*count, self.map.get_mut(&name)) {
            (2, Some(first)) => {
                let one = std::mem::replace(first, Value::Null);
                *first = Value::Array(vec![one, value]);
            }
            (3.., Some(Value::Array(items))) => items.push(value),
            _ => {
                self.map.insert(name, value);
            }
        }
    }
}

/// Reads `xml`, exactly one record that [`crate::scan`] found well-formed, from its `<` to behind its last `>`.
pub fn read(xml: &[u8], data_type: DataType, contract: Contract) -> Record {
    let mut record = parse(xml, data_type, contract);
    if let Record::Object { map, .. } = &mut record {
        normalise(map, data_type, contract);
    }
    record
}

/// Brings a parsed record into the form in which it leaves.
pub fn normalise(map: &mut Map, data_type: DataType, contract: Contract) {
    if contract == Contract::Fanout {
        normalise::record(map, data_type);
    }
}

/// Reads a record like [`read`], but leaves it as it stands in the XML: this is what rules look at.
pub fn parse(xml: &[u8], data_type: DataType, contract: Contract) -> Record {
    let mut stack: Vec<(Element, BTreeMap<String, usize>)> = Vec::new();
    let mut at = 0;
    let mut self_closing = false;
    let root = loop {
        let lt = memchr::memchr(b'<', &xml[at..]).map_or(xml.len(), |n| at + n);
        if let Some((element, _)) = stack.last_mut() {
            match contract {
                Contract::Topic => text::append_topic(&xml[at..lt], &mut element.text),
                Contract::Fanout => text::append_fanout(&xml[at..lt], &mut element.text),
            }
        }
        let Some(tail) = xml.get(lt..).filter(|t| t.len() > 1) else {
            debug_assert!(false, "a record that is not closed");
            return Record::Empty;
        };
        let find = |from: usize, end: &[u8]| memchr::memmem::find(&tail[from..], end).map_or(tail.len(), |n| from + n);
        if tail.starts_with(b"<!--") {
            at = lt + find(4, b"-->") + 3;
        } else if tail.starts_with(b"<![CDATA[") {
            let end = find(9, b"]]>");
            if let Some((element, _)) = stack.last_mut() {
                element.text.push_str(&String::from_utf8_lossy(&tail[9..end]));
            }
            at = lt + end + 3;
        } else if tail[1] == b'?' {
            at = lt + find(2, b"?>") + 2;
        } else if tail[1] == b'/' {
            at = lt + find(2, b">") + 1;
            let Some((element, _)) = stack.pop() else { return Record::Empty };
            let (name, value) = element.close(contract);
            match stack.last_mut() {
                Some((parent, counts)) => parent.add(counts, name, value),
                None => break value,
            }
        } else {
            let end = tag_end(tail);
            at = lt + end + 1;
            let (element, empty) = Element::open(&tail[1..end], contract);
            if !empty {
                stack.push((element, BTreeMap::new()));
                continue;
            }
            let (name, value) = element.close(contract);
            match stack.last_mut() {
                Some((parent, counts)) => parent.add(counts, name, value),
                None => {
                    self_closing = true;
                    break value;
                }
            }
        }
    };
    finish(root, data_type, contract, self_closing)
}

/// Index of the `>` that ends the start tag at `tail[0]`, quotes respected.
fn tag_end(tail: &[u8]) -> usize {
    let mut quote = 0u8;
    for (i, &b) in tail.iter().enumerate().skip(1) {
        match b {
            b'"' | b'\'' if quote == 0 => quote = b,
            b if b == quote && quote != 0 => quote = 0,
            b'>' if quote == 0 => return i,
            _ => {}
        }
    }
    tail.len()
}

fn finish(root: Value, data_type: DataType, contract: Contract, self_closing: bool) -> Record {
    let Value::Object(mut map) = root else { return Record::Empty };
    let text_of = |v: Option<&Value>| match v {
        Some(Value::String(s)) => Some(s.clone()),
        _ => None,
    };
    match contract {
        Contract::Topic => {
            // Upstream's reader of self-closing records looks at the plain id only.
            let id = if map.contains_key("@id") && !self_closing { text_of(map.get("@id")) } else { text_of(map.get("id")) };
            let copied = map.get("@id").filter(|_| data_type.has_attribute_id() && !self_closing && !map.contains_key("id")).cloned();
            if let Some(value) = copied {
                map.insert("id".to_owned(), value);
            }
            Record::Object { id, map }
        }
        Contract::Fanout => {
            let id = if map.contains_key("@id") { text_of(map.get("@id")) } else { text_of(map.get("id")) };
            // The attribute is the id; a child of that name goes.
            if map.contains_key("@id") {
                map.remove("id");
            }
            Record::Object { id, map }
        }
    }
}

//! One open element, from its start tag to its value.

use quick_xml::XmlVersion;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesRef, BytesStart};
use serde_json::{Map, Value};

use crate::contract::Contract;

/// What is known of an element before its end tag, which brings its name.
#[derive(Default)]
pub struct Element {
    fields: Map<String, Value>,
    text: String,
    /// Where the run of text since the last markup starts, and whether a bad reference spoils it (topic only).
    chunk: usize,
    spoilt: bool,
    has_children: bool,
}

impl Element {
    pub fn start(tag: &BytesStart<'_>, contract: Contract) -> Self {
        let mut element = Self::default();
        // Attributes that are not well-formed are left out, as both contracts have it.
        for attribute in tag.attributes().flatten() {
            let value = match contract {
                Contract::Topic => attribute.value,
                Contract::Fanout => attribute.normalized_value(XmlVersion::Implicit1_0).unwrap_or(attribute.value),
            };
            let name = attribute.key.0;
            let mut key = String::with_capacity(1 + name.len());
            key.push('@');
            key.push_str(name);
            element.fields.insert(key, Value::String(value.into_owned()));
        }
        element
    }

    /// Adds a child; a name seen before makes an array.
    pub fn add(&mut self, name: &str, value: Value) {
        match self.fields.get_mut(name) {
            None => {
                self.fields.insert(name.to_owned(), value);
            }
            Some(Value::Array(values)) => values.push(value),
            Some(single) => *single = Value::Array(vec![single.take(), value]),
        }
    }

    /// Notes that a child follows.
    pub fn start_child(&mut self) {
        self.end_chunk();
        self.has_children = true;
    }

    pub fn text(&mut self, text: &str, contract: Contract) {
        // A text that starts with `&` is one that `allow_dangling_amp` let through.
        self.spoilt |= contract == Contract::Topic && text.starts_with('&');
        self.text.push_str(text);
    }

    pub fn cdata(&mut self, text: &str) {
        self.end_chunk();
        self.text.push_str(text);
        self.chunk = self.text.len();
    }

    pub fn reference(&mut self, reference: &BytesRef<'_>, contract: Contract) {
        if let Some(text) = resolve_predefined_entity(reference) {
            self.text.push_str(text);
            return;
        }
        match (reference.resolve_char_ref(), contract) {
            (Ok(Some(character)), _) => self.text.push(character),
            (_, Contract::Topic) => self.spoilt = true,
            (Err(_), Contract::Fanout) => self.text.push(char::REPLACEMENT_CHARACTER),
            (Ok(None), Contract::Fanout) => {
                self.text.push('&');
                self.text.push_str(reference);
                self.text.push(';');
            }
        }
    }

    /// Ends a run of text at markup; the topic contract loses a run that holds a bad reference.
    pub fn end_chunk(&mut self) {
        if self.spoilt {
            self.text.truncate(self.chunk);
            self.spoilt = false;
        }
        self.chunk = self.text.len();
    }

    /// The element's value: nothing, its text, or an object of attributes, text and children.
    pub fn finish(mut self, contract: Contract) -> Value {
        self.end_chunk();
        let text = match contract {
            Contract::Topic if self.has_children => String::new(),
            Contract::Topic => trimmed(self.text),
            Contract::Fanout if self.text.trim().is_empty() => String::new(),
            Contract::Fanout => self.text,
        };
        match (self.fields.is_empty(), text.is_empty()) {
            (true, true) => Value::Null,
            (true, false) => Value::String(text),
            (false, true) => Value::Object(self.fields),
            (false, false) => {
                self.fields.insert("#text".to_owned(), Value::String(text));
                Value::Object(self.fields)
            }
        }
    }
}

/// The text without white space around it; copied only if there is some.
fn trimmed(text: String) -> String {
    let inner = text.trim();
    if inner.len() == text.len() { text } else { inner.to_owned() }
}

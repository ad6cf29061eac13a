//! XML events to one `serde_json` object per record.

use std::error::Error;
use std::io::BufRead;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use serde_json::{Map, Value};

use crate::contract::{Contract, DataType};
use crate::element::Element;
use crate::fanout;

/// A record is an element inside the root element.
const RECORD_DEPTH: usize = 2;

/// One record, with the id its message carries.
pub struct Record {
    pub id: String,
    pub data: Map<String, Value>,
}

/// The records of a dump, in document order.
pub struct Records<R> {
    reader: Reader<R>,
    event: Vec<u8>,
    data_type: DataType,
    contract: Contract,
    /// The elements of the current record that are open.
    open: Vec<Element>,
    depth: usize,
}

impl<R: BufRead> Records<R> {
    pub fn new(source: R, data_type: DataType, contract: Contract) -> Self {
        let mut reader = Reader::from_reader(source);
        reader.config_mut().allow_dangling_amp = true;
        Self { reader, event: Vec::new(), data_type, contract, open: Vec::new(), depth: 0 }
    }

    pub fn get_ref(&self) -> &R {
        self.reader.get_ref()
    }

    /// The next record, or nothing after the root's end tag; an end inside the root is an error.
    pub fn next(&mut self) -> Result<Option<Record>, Box<dyn Error>> {
        let Self { reader, event, data_type, contract, open, depth } = self;
        loop {
            event.clear();
            match reader.read_event_into(event)? {
                Event::Start(tag) => {
                    *depth += 1;
                    if begins(open, &tag, *depth, *data_type) {
                        open.push(Element::start(&tag, *contract));
                    }
                }
                Event::End(tag) => {
                    *depth -= 1;
                    if let Some(element) = open.pop()
                        && let Some(data) = close(open, tag.name().0, element.finish(*contract))
                    {
                        return Ok(Some(record(data, false, *data_type, *contract)));
                    }
                }
                Event::Empty(tag) => {
                    if begins(open, &tag, *depth + 1, *data_type)
                        && let value = Element::start(&tag, *contract).finish(*contract)
                        && let Some(data) = close(open, tag.name().0, value)
                    {
                        return Ok(Some(record(data, true, *data_type, *contract)));
                    }
                }
                Event::Text(text) => {
                    if let Some(element) = open.last_mut() {
                        element.text(&text, *contract);
                    }
                }
                Event::GeneralRef(reference) => {
                    if let Some(element) = open.last_mut() {
                        element.reference(&reference, *contract);
                    }
                }
                Event::CData(text) => {
                    if let Some(element) = open.last_mut() {
                        element.cdata(&text);
                    }
                }
                Event::Comment(_) | Event::PI(_) | Event::Decl(_) | Event::DocType(_) => {
                    if let Some(element) = open.last_mut() {
                        element.end_chunk();
                    }
                }
                Event::Eof if *depth == 0 => return Ok(None),
                Event::Eof => return Err("the file ends before the closing root tag".into()),
            }
        }
    }
}

/// Whether a tag begins a record or a part of one; the element around it learns of its child.
fn begins(open: &mut [Element], tag: &BytesStart<'_>, depth: usize, data_type: DataType) -> bool {
    match open.last_mut() {
        Some(parent) => {
            parent.start_child();
            true
        }
        None => depth == RECORD_DEPTH && tag.name().0 == data_type.record_name(),
    }
}

/// Hands a finished value to the element around it, or gives it back if it is a record; empty records are none.
fn close(open: &mut [Element], name: &str, value: Value) -> Option<Map<String, Value>> {
    match (open.last_mut(), value) {
        (Some(parent), value) => {
            parent.add(name, value);
            None
        }
        (None, Value::Object(data)) => Some(data),
        (None, _) => None,
    }
}

/// Gives a finished record its id and its contract's form.
fn record(mut data: Map<String, Value>, is_empty_tag: bool, data_type: DataType, contract: Contract) -> Record {
    let id = match contract {
        // An empty tag brings no id under this contract, though its attribute stays in the data.
        Contract::Topic if is_empty_tag => data.get("id"),
        _ => data.get("@id").or_else(|| data.get("id")),
    };
    let id = id.and_then(Value::as_str).unwrap_or("unknown").to_owned();
    match contract {
        Contract::Topic => {
            if data_type.has_attribute_id() && !is_empty_tag && data.contains_key("@id") && !data.contains_key("id") {
                data.insert("id".to_owned(), Value::String(id.clone()));
            }
        }
        Contract::Fanout => fanout::normalise(&mut data, data_type),
    }
    Record { id, data }
}

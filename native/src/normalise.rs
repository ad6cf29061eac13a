//! The fanout contract's normalisation of one record, per data type (spec of the record contract, 3.7).

use std::collections::BTreeMap;

use crate::contract::{DataType, Field, fields, strips_record};
use crate::tree::Value;

type Map = BTreeMap<String, Value>;

/// `@k` becomes `k`, `#text` becomes `name` unless there is one; renames in sorted order of the old keys, each overwrites.
fn strip(map: &mut Map) {
    let old: Vec<String> = map.keys().filter(|k| k.starts_with('@') || *k == "#text").cloned().collect();
    for key in old {
        let new = match key.strip_prefix('@') {
            Some(rest) => rest.to_owned(),
            None if map.contains_key("name") => continue,
            None => "name".to_owned(),
        };
        if let Some(value) = map.remove(&key) {
            map.insert(new, value);
        }
    }
}

fn strip_value(value: &mut Value) {
    if let Value::Object(map) = value {
        strip(map);
    }
}

fn unwrap(value: Value, key: &str) -> Vec<Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(items) => items,
        Value::Object(mut map) => match map.remove(key) {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(items)) => items,
            Some(one) => vec![one],
        },
        other => vec![other],
    }
}

fn item(value: Value) -> Value {
    match value {
        Value::String(s) => Value::Object(Map::from([("id".to_owned(), Value::String(s))])),
        mut other => {
            strip_value(&mut other);
            other
        }
    }
}

/// Normalises `map`, a whole record, in place.
pub fn record(map: &mut Map, data_type: DataType) {
    if strips_record(data_type) {
        strip(map);
    }
    for &(name, field) in fields(data_type) {
        let name = String::from_utf8_lossy(name).into_owned();
        let Some(value) = map.remove(&name) else { continue };
        let key = |k: &[u8]| String::from_utf8_lossy(k).into_owned();
        let list = match field {
            Field::Items(k) => unwrap(value, &key(k)).into_iter().map(item).collect(),
            Field::Unwrap(k) => unwrap(value, &key(k)),
            Field::UnwrapStrip(k) => {
                let mut items = unwrap(value, &key(k));
                items.iter_mut().for_each(strip_value);
                items
            }
            Field::Strip => {
                let mut value = value;
                strip_value(&mut value);
                map.insert(name, value);
                continue;
            }
            Field::MasterId => {
                let value = match value {
                    Value::Object(mut object) => match object.remove("#text").or_else(|| object.remove("id")) {
                        Some(inner) => inner,
                        None => Value::Object(object),
                    },
                    other => other,
                };
                map.insert(name, value);
                continue;
            }
        };
        if !list.is_empty() {
            map.insert(name, Value::Array(list));
        }
    }
}

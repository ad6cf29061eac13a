//! The normalisation of the fanout contract: wrappers unwrapped, attribute keys stripped, per type.

use serde_json::{Map, Value};

use crate::contract::DataType;

type Fields = Map<String, Value>;

/// Rewrites a record in place.
pub fn normalise(record: &mut Fields, data_type: DataType) {
    match data_type {
        DataType::Artists => {
            for field in ["members", "groups", "aliases"] {
                replace_list(record, field, |value| items(value, "name"));
            }
        }
        DataType::Labels => {
            if let Some(Value::Object(parent)) = record.get_mut("parentLabel") {
                strip(parent);
            }
            replace_list(record, "sublabels", |value| items(value, "label"));
        }
        DataType::Masters => {
            strip(record);
            normalise_credits_and_genres(record);
        }
        DataType::Releases => {
            strip(record);
            normalise_credits_and_genres(record);
            replace_list(record, "labels", |value| items(value, "label"));
            replace_list(record, "extraartists", |value| items(value, "artist"));
            replace_list(record, "formats", |value| {
                let mut formats = unwrap(value, "format");
                formats.iter_mut().filter_map(Value::as_object_mut).for_each(strip);
                formats
            });
            replace_master_id(record);
        }
    }
}

fn normalise_credits_and_genres(record: &mut Fields) {
    replace_list(record, "artists", |value| items(value, "artist"));
    replace_list(record, "genres", |value| unwrap(value, "genre"));
    replace_list(record, "styles", |value| unwrap(value, "style"));
}

/// `@k` becomes `k`; `#text` becomes `name` unless there is one already. One level only.
fn strip(fields: &mut Fields) {
    // `#` and `@` sort before every letter, so the keys to rename lead the map and few are looked at.
    let marked: Vec<String> = fields.keys().take_while(|key| key.starts_with(['#', '@'])).cloned().collect();
    for mut key in marked {
        if key == "#text" {
            if !fields.contains_key("name") {
                let text = fields.remove(&key).unwrap_or_default();
                fields.insert("name".to_owned(), text);
            }
        } else if key.starts_with('@') {
            let value = fields.remove(&key).unwrap_or_default();
            key.remove(0);
            fields.insert(key, value);
        }
    }
}

/// The values of a wrapper element, as a list.
fn unwrap(value: Value, name: &str) -> Vec<Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(values) => values,
        Value::Object(mut fields) => match fields.remove(name) {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(values)) => values,
            Some(single) => vec![single],
        },
        other => vec![other],
    }
}

/// As `unwrap`, with objects stripped and plain strings made into objects with an id.
fn items(value: Value, name: &str) -> Vec<Value> {
    let mut values = unwrap(value, name);
    for value in &mut values {
        match value {
            Value::Object(fields) => strip(fields),
            Value::String(_) => *value = Value::Object(Fields::from_iter([("id".to_owned(), value.take())])),
            _ => {}
        }
    }
    values
}

/// Rewrites a field that is there; an empty list removes it.
fn replace_list(record: &mut Fields, field: &str, rewrite: impl FnOnce(Value) -> Vec<Value>) {
    let Some(value) = record.get_mut(field) else {
        return;
    };
    let list = rewrite(value.take());
    if list.is_empty() {
        record.remove(field);
    } else {
        *value = Value::Array(list);
    }
}

/// An object becomes its text, else its child `id`, else stays.
fn replace_master_id(record: &mut Fields) {
    let Some(Value::Object(fields)) = record.get_mut("master_id") else {
        return;
    };
    if let Some(id) = fields.remove("#text").or_else(|| fields.remove("id")) {
        record.insert("master_id".to_owned(), id);
    }
}

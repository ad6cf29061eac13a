//! What rules say of one record as it was parsed: the definition (spec of the record contract, 4.2). In this order: skips, filters, rules.
//!
//! [`crate::check`] tells the same from the tape where nothing is skipped or changed, and tests hold the two against each other.

use crate::rules::{Change, Condition, Filter, TypeRules};
use crate::tree::{Map, Value};

/// Bytes of a value that are reported.
const VALUE_BYTES_MAX: usize = 1 << 20;
/// Bytes of reported values of one record, and those counted for each of them on top: a giant record full of broken rules is not
/// to become a giant log.
const RECORD_BYTES_MAX: usize = 16 << 20;
const HIT_BYTES: usize = 256;

/// A value that broke a rule: the rule's number, and the value, cut if it is very long.
pub type Hit = (usize, String);

/// What rules report of one record, as much of it as is kept.
#[derive(Default)]
pub struct Hits {
    list: Vec<Hit>,
    bytes: usize,
}

impl Hits {
    pub fn clear(&mut self) {
        self.list.clear();
        self.bytes = 0;
    }

    pub fn push(&mut self, rule: usize, value: &str) {
        if self.bytes < RECORD_BYTES_MAX {
            self.list.push((rule, cut(value)));
            self.bytes += HIT_BYTES + value.len().min(VALUE_BYTES_MAX);
        }
    }

    pub fn as_slice(&self) -> &[Hit] {
        &self.list
    }
}

/// As much of a value as is reported.
fn cut(value: &str) -> String {
    let mut end = value.len().min(VALUE_BYTES_MAX);
    while !value.is_char_boundary(end) {
        end -= 1;
    }
    value[..end].to_owned()
}

/// The values of a field: dots lead into objects, arrays are taken item by item. Null is empty text, objects are no values.
pub fn values<'a>(map: &'a Map, field: &str) -> Vec<&'a str> {
    fn collect<'a>(value: &'a Value, path: &[&str], out: &mut Vec<&'a str>) {
        match (value, path) {
            (Value::Array(items), _) => items.iter().for_each(|item| collect(item, path, out)),
            (Value::Null, []) => out.push(""),
            (Value::String(text), []) => out.push(text),
            (Value::Object(map), [key, rest @ ..]) => {
                if let Some(value) = map.get(*key) {
                    collect(value, rest, out);
                }
            }
            _ => {}
        }
    }
    let path: Vec<&str> = field.split('.').collect();
    let mut out = Vec::new();
    if let Some(value) = map.get(path[0]) {
        collect(value, &path[1..], &mut out);
    }
    out
}

/// The first skip that a record falls under, and the value that says so.
pub fn skip(rules: &TypeRules, map: &Map) -> Option<Hit> {
    rules.skips.iter().enumerate().find_map(|(i, skip)| {
        let value = values(map, &skip.field).into_iter().find(|value| skip.contains.is_in(value))?;
        Some((i, cut(value)))
    })
}

/// Changes what the filters change.
pub fn filter(rules: &TypeRules, map: &mut Map) {
    for Filter { field, change } in &rules.filters {
        match change {
            Change::Remove(pattern) => remove(map, field, |text| pattern.is_match(text)),
            Change::Nullify(bounds) => {
                if let Some(value @ Value::String(_)) = map.get_mut(field)
                    && matches!(value, Value::String(text) if bounds.exclude_leading(text))
                {
                    *value = Value::Null;
                }
            }
        }
    }
}

/// The steps from the record to what holds the field, and the field's own key. The steps are those of a JSON pointer: a number leads
/// into an array, `~1` is a slash.
pub fn pointer(field: &str) -> (Vec<String>, &str) {
    match field.rsplit_once('.') {
        None => (Vec::new(), field),
        Some((parents, key)) => (parents.replace('.', "/").split('/').map(|step| step.replace("~1", "/").replace("~0", "~")).collect(), key),
    }
}

/// The number of an array's item as a JSON pointer spells it.
pub fn item_number(step: &str) -> Option<usize> {
    let plain = step.bytes().all(|b| b.is_ascii_digit()) && (step.len() == 1 || !step.starts_with('0'));
    if plain { step.parse().ok() } else { None }
}

fn remove(map: &mut Map, field: &str, matches: impl Fn(&str) -> bool) {
    let (steps, key) = pointer(field);
    let mut steps = steps.iter();
    let mut held = match steps.next() {
        None => return remove_from(map, key, matches),
        Some(first) => map.get_mut(first),
    };
    for step in steps {
        held = match held {
            Some(Value::Object(map)) => map.get_mut(step),
            Some(Value::Array(items)) => item_number(step).and_then(|i| items.get_mut(i)),
            _ => None,
        };
    }
    if let Some(Value::Object(map)) = held {
        remove_from(map, key, matches);
    }
}

fn remove_from(map: &mut Map, key: &str, matches: impl Fn(&str) -> bool) {
    match map.get_mut(key) {
        Some(Value::Array(items)) => items.retain(|item| !matches!(item, Value::String(text) if matches(text))),
        Some(Value::String(text)) if matches(text) => {
            map.remove(key);
        }
        _ => {}
    }
}

/// All that rules report, rule by rule, each value by value.
pub fn violations(rules: &TypeRules, map: &Map) -> Hits {
    let mut hits = Hits::default();
    for (i, rule) in rules.rules.iter().enumerate() {
        let values = values(map, &rule.field);
        if values.is_empty() && matches!(rule.condition, Condition::Required) {
            hits.push(i, "");
        }
        values.into_iter().filter(|value| rule.condition.fires(value)).for_each(|value| hits.push(i, value));
    }
    hits
}

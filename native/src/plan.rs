//! In which order the members of an object leave, learnt once per shape ([`crate::shapes`]) and used again.

use crate::contract::Field;
use crate::names::{Id, Key, Names};
use crate::tape::Attribute;

/// How an object is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// `@` before attributes, `#text` for text.
    Plain,
    /// Attributes by their plain names, text as `name`.
    Stripped,
    /// The record itself.
    Record,
}

/// What the contract does with a record.
#[derive(Clone, Copy, Debug)]
pub struct RecordRules {
    /// The record's attributes lose their `@`.
    pub strip: bool,
    /// The attribute `id` gets a plain copy.
    pub copy_id: bool,
}

/// The value of a member; attributes and children by their places in the element.
#[derive(Clone, Copy, Debug)]
pub enum Value {
    /// The text: only if it is not blank.
    Text,
    Attribute(u16),
    Child(u16),
    /// A child that is a field of the contract's.
    Field(u16, Field),
    /// Children of one name: range in [`Plan::order`].
    Children {
        from: u16,
        count: u16,
    },
}

/// One member of an object.
pub struct Item {
    pub key: Key,
    pub value: Value,
}

/// The members of one shape in the order of their keys.
pub struct Plan {
    pub items: Vec<Item>,
    /// Indices of the children, by name.
    pub order: Vec<u16>,
    /// Two members would have one key: for the defining reader.
    pub odd: bool,
    /// Text, if there is any, would be a second member with its key.
    pub text_is_odd: bool,
}

/// Plans kept; what comes beyond is planned anew each time.
const PLANS_MAX: usize = 2048;

/// The plans learnt so far.
pub struct Plans {
    #[allow(clippy::vec_box)] // Pointers to plans outlive the growth of the list.
    plans: Vec<Box<Plan>>,
    rules: RecordRules,
    data_type_fields: bool,
}

impl Plans {
    pub fn new(rules: RecordRules, data_type_fields: bool) -> Self {
        Self { plans: Vec::new(), rules, data_type_fields }
    }

    /// A plan by its number. The pointer stays good as long as the plans do: they are boxed and never dropped before.
    #[inline(always)]
    pub fn get(&self, number: usize) -> *const Plan {
        &raw const *self.plans[number]
    }

    /// The number that the next plan will have, if there may be one.
    pub fn next(&self) -> Option<usize> {
        (self.plans.len() < PLANS_MAX).then_some(self.plans.len())
    }

    pub fn keep(&mut self, plan: Box<Plan>) {
        self.plans.push(plan);
    }

    /// Plans an object of this shape.
    #[cold]
    pub fn make(&self, mode: Mode, names: &Names, attributes: &[Attribute], children: &[Id]) -> Plan {
        let bytes = |id: Id| names.get(id).bytes.as_slice();
        let strip = mode == Mode::Stripped || (mode == Mode::Record && self.rules.strip);
        let mut members: Vec<(Vec<u8>, Item)> = Vec::new();
        for (i, attribute) in attributes.iter().enumerate() {
            if attributes[..i].iter().any(|a| a.name == attribute.name) {
                continue;
            }
            let name = names.get(attribute.name);
            let value = Value::Attribute(i as u16);
            if strip {
                members.push((name.bytes.clone(), Item { key: name.stripped, value }));
            } else {
                members.push(([b"@", name.bytes.as_slice()].concat(), Item { key: name.attribute, value }));
            }
            if mode == Mode::Record && self.rules.copy_id && name.bytes == b"id" && !children.iter().any(|&c| bytes(c) == b"id") {
                members.push((b"id".to_vec(), Item { key: name.stripped, value }));
            }
        }
        let mut order: Vec<u16> = (0..children.len().min(u16::MAX as usize) as u16).collect();
        order.sort_by_key(|&i| bytes(children[i as usize]));
        let mut from = 0;
        // A repeated field of the contract's is rare enough for the defining reader.
        let mut repeated = false;
        while from < order.len() {
            let first = order[from];
            let name = names.get(children[first as usize]);
            let count = order[from..].iter().take_while(|&&i| children[i as usize] == children[first as usize]).count();
            let field = name.field.filter(|_| mode == Mode::Record && self.data_type_fields);
            let value = match field {
                Some(field) => Value::Field(first, field),
                None if count == 1 => Value::Child(first),
                None => Value::Children { from: from as u16, count: count as u16 },
            };
            repeated |= field.is_some() && count > 1;
            members.push((name.bytes.clone(), Item { key: name.child, value }));
            from += count;
        }
        let text_key: &[u8] = if strip { b"name" } else { b"#text" };
        let text_is_odd = children.is_empty() && members.iter().any(|(key, _)| key == text_key);
        if children.is_empty() && !text_is_odd {
            members.push((text_key.to_vec(), Item { key: Key::new(&[b",\"", text_key, b"\":"]), value: Value::Text }));
        }
        members.sort_by(|a, b| a.0.cmp(&b.0));
        Plan {
            odd: repeated || members.windows(2).any(|pair| pair[0].0 == pair[1].0) || children.len() > u16::MAX as usize,
            text_is_odd,
            items: members.into_iter().map(|(_, item)| item).collect(),
            order,
        }
    }
}

//! In which order the members of an object leave, learnt once per shape (names of attributes and children in order) and used again.

use crate::contract::Field;
use crate::names::{Id, Names};
use crate::tape::{Attribute, Node};

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

/// One member of an object.
#[derive(Clone, Copy, Debug)]
pub enum Item {
    /// `#text`, or `name` if stripped: only if the text is not blank.
    Text,
    Attribute(u16),
    Stripped(u16),
    /// The plain copy of the attribute `id`.
    IdCopy(u16),
    /// Children of one name: range in [`Plan::order`].
    Children { name: Id, from: u16, count: u16, field: Option<Field> },
}

/// The members of one shape in the order of their keys.
pub struct Plan {
    mode: Mode,
    attributes: u16,
    names: Vec<Id>,
    pub items: Vec<Item>,
    /// Indices of the children, by name.
    pub order: Vec<u16>,
    /// Two members would have one key: for the defining reader.
    pub odd: bool,
    /// Text, if there is any, would be a second member with its key.
    pub text_is_odd: bool,
}

const SLOTS: usize = 1 << 12;
/// Plans kept; what comes beyond is planned anew each time.
const PLANS_MAX: usize = 2048;
/// Children of a shape that is kept.
const CHILDREN_MAX: usize = 64;
const PROBES: usize = 8;
const NONE: u32 = u32::MAX;

/// The plans learnt so far.
pub struct Plans {
    plans: Vec<Box<Plan>>,
    table: Vec<u32>,
    rules: RecordRules,
    data_type_fields: bool,
}

impl Plans {
    pub fn new(rules: RecordRules, data_type_fields: bool) -> Self {
        Self { plans: Vec::new(), table: vec![NONE; SLOTS], rules, data_type_fields }
    }

    /// Looks a plan up. The pointer stays good as long as the plans do: they are boxed and never dropped before.
    #[inline(always)]
    pub fn find(&self, mode: Mode, node: &Node, attributes: &[Attribute], nodes: &[Node], children: &[u32]) -> Result<*const Plan, usize> {
        let mut slot = ((node.shape ^ mode as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 52) as usize;
        for _ in 0..PROBES {
            let index = self.table[slot];
            if index == NONE {
                break;
            }
            let plan = &self.plans[index as usize];
            if plan.mode == mode && plan.attributes == node.attributes && plan.names.len() == attributes.len() + children.len() {
                let (a, c) = plan.names.split_at(attributes.len());
                let same = a.iter().zip(attributes).all(|(&id, at)| id == at.name)
                    && c.iter().zip(children).all(|(&id, &i)| id == nodes[i as usize].name);
                if same {
                    return Ok(&**plan);
                }
            }
            slot = (slot + 1) & (SLOTS - 1);
        }
        Err(slot)
    }

    /// Makes a plan and keeps it, if there is room, in `slot` as told by [`Plans::find`].
    #[cold]
    pub fn learn(&mut self, plan: Plan, children: usize, slot: usize) -> Result<*const Plan, Box<Plan>> {
        let plan = Box::new(plan);
        if children > CHILDREN_MAX || self.plans.len() >= PLANS_MAX || self.table[slot] != NONE {
            return Err(plan);
        }
        self.table[slot] = self.plans.len() as u32;
        let pointer: *const Plan = &*plan;
        self.plans.push(plan);
        Ok(pointer)
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
            let name = bytes(attribute.name);
            if strip {
                members.push((name.to_vec(), Item::Stripped(i as u16)));
            } else {
                members.push(([b"@", name].concat(), Item::Attribute(i as u16)));
            }
            if mode == Mode::Record && self.rules.copy_id && name == b"id" && !children.iter().any(|&c| bytes(c) == b"id") {
                members.push((b"id".to_vec(), Item::IdCopy(i as u16)));
            }
        }
        let mut order: Vec<u16> = (0..children.len() as u16).collect();
        order.sort_by_key(|&i| bytes(children[i as usize]));
        let mut from = 0;
        while from < order.len() {
            let name = children[order[from] as usize];
            let count = order[from..].iter().take_while(|&&i| children[i as usize] == name).count();
            let field = names.get(name).field.filter(|_| mode == Mode::Record && self.data_type_fields);
            members.push((bytes(name).to_vec(), Item::Children { name, from: from as u16, count: count as u16, field }));
            from += count;
        }
        let text_key: &[u8] = if strip { b"name" } else { b"#text" };
        let text_is_odd = children.is_empty() && members.iter().any(|(key, _)| key == text_key);
        if children.is_empty() && !text_is_odd {
            members.push((text_key.to_vec(), Item::Text));
        }
        members.sort_by(|a, b| a.0.cmp(&b.0));
        // A repeated field of the contract's is rare enough for the defining reader.
        let repeated = members.iter().any(|(_, item)| matches!(item, Item::Children { count: 2.., field: Some(_), .. }));
        Plan {
            mode,
            attributes: attributes.len() as u16,
            names: attributes.iter().map(|a| a.name).chain(children.iter().copied()).collect(),
            odd: repeated || members.windows(2).any(|pair| pair[0].0 == pair[1].0) || children.len() > u16::MAX as usize,
            text_is_odd,
            items: members.into_iter().map(|(_, item)| item).collect(),
            order,
        }
    }
}

//! What rules say of a record on the tape: nothing, as for most records; what they report; or that the definition has to look at it
//! ([`crate::judge`]), because it is skipped or a filter may change it.
//!
//! The fields are made into a tree of names once, so that a record is walked once and only where a field leads.

use std::borrow::Cow;
use std::sync::Arc;

use crate::contract::DataType;
use crate::judge::{Hit, Hits, item_number, pointer};
use crate::names::{Id, Names};
use crate::rules::{Change, Condition, Filter, Rules, TypeRules, numbered};
use crate::shapes::Content;
use crate::tape::{Node, Tape};
use crate::text;

/// Number of a step or of a field.
type Number = u32;
const NONE: Number = Number::MAX;

/// What becomes of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Clean,
    /// Rules report values: see [`Checker::hits`].
    Hits,
    /// The definition decides.
    Unsure,
}

/// Where a value stands in the bytes.
#[derive(Clone, Copy)]
struct Found {
    from: u32,
    to: u32,
    is_attribute: bool,
}

/// One of the rules, by its kind and number.
#[derive(Clone, Copy)]
enum Use {
    Skip(usize),
    Filter(usize),
    Rule(usize),
}

/// An element that fields lead to or through.
#[derive(Default)]
struct Step {
    children: Vec<(Id, Number)>,
    /// Attributes that are fields.
    attributes: Vec<(Id, Number)>,
    /// The field that is the element's text beside attributes, and the one that is the element itself.
    text: Option<Number>,
    value: Option<Number>,
}

/// The rules of one data type, ready for records on one parser's tape.
pub struct Checker {
    of: Arc<Rules>,
    pub rules: TypeRules,
    steps: Vec<Step>,
    /// The first step by the name of a record's child.
    first: Vec<Number>,
    id: Option<Id>,
    /// What looks at each field.
    uses: Vec<Vec<Use>>,
    /// The fields of rules, in their order.
    rule_fields: Vec<usize>,
    /// The values found, by field.
    found: Vec<Vec<Found>>,
    hits: Hits,
}

impl Checker {
    pub fn new(of: &Arc<Rules>, data_type: DataType, names: &mut Names) -> Self {
        // An own copy: patterns that threads share make them wait for each other.
        let rules = of.of(data_type).clone();
        let filters: Vec<String> = rules.filters.iter().map(tape_field).collect();
        let (fields, numbers) = numbered(
            rules.skips.iter().map(|s| s.field.as_str()).chain(filters.iter().map(String::as_str)).chain(rules.rules.iter().map(|r| r.field.as_str())),
        );
        let mut steps = vec![Step::default()];
        for (number, field) in fields.iter().enumerate() {
            add(&mut steps, field, number as Number, names);
        }
        let mut first = Vec::new();
        for &(name, step) in &steps[0].children {
            first.resize(first.len().max(name as usize + 1), NONE);
            first[name as usize] = step;
        }
        let found = vec![Vec::new(); fields.len()];
        let kinds = (0..rules.skips.len()).map(Use::Skip).chain((0..rules.filters.len()).map(Use::Filter)).chain((0..rules.rules.len()).map(Use::Rule));
        let mut uses = vec![Vec::new(); fields.len()];
        kinds.zip(&numbers).for_each(|(kind, &field)| uses[field].push(kind));
        let rule_fields = numbers[rules.skips.len() + rules.filters.len()..].to_vec();
        Self { of: of.clone(), steps, first, id: names.intern(b"id"), uses, rule_fields, found, hits: Hits::default(), rules }
    }

    /// Whether these are the rules it was made of.
    pub fn fits(&self, rules: &Arc<Rules>) -> bool {
        Arc::ptr_eq(&self.of, rules)
    }

    /// What the rules report of the record checked last, rule by rule, value by value.
    pub fn hits(&self) -> &[Hit] {
        self.hits.as_slice()
    }

    /// Looks at the record on the tape, which is of `xml`.
    pub fn check(&mut self, tape: &Tape, xml: &[u8]) -> Answer {
        self.hits.clear();
        self.find(tape, xml);
        let mut answer = Answer::Clean;
        for (uses, found) in self.uses.iter().zip(&self.found) {
            if found.is_empty() {
                let is_required = |kind: &Use| matches!(kind, Use::Rule(i) if matches!(self.rules.rules[*i].condition, Condition::Required));
                answer = if uses.iter().any(is_required) { Answer::Hits } else { answer };
            }
            for f in found {
                let value = f.value(xml);
                for &kind in uses {
                    match (self.fires(kind, value.as_deref()), kind) {
                        (false, _) => {}
                        (true, Use::Rule(_)) => answer = Answer::Hits,
                        (true, _) => return Answer::Unsure,
                    }
                }
            }
        }
        if answer == Answer::Hits {
            self.report(xml);
        }
        answer
    }

    /// Whether one of the rules says anything of a value.
    #[inline(always)]
    fn fires(&self, kind: Use, value: Option<&str>) -> bool {
        match kind {
            Use::Skip(i) => self.rules.skips[i].contains.is_in(value.unwrap_or_default()),
            Use::Filter(i) => value.is_some_and(|value| match &self.rules.filters[i].change {
                Change::Remove(pattern) => pattern.is_match(value),
                Change::Nullify(bounds) => bounds.exclude_leading(value),
            }),
            Use::Rule(i) => self.rules.rules[i].condition.fires(value.unwrap_or_default()),
        }
    }

    /// Takes down what the rules report of the values found, in the order of the rules.
    #[cold]
    fn report(&mut self, xml: &[u8]) {
        for ((i, rule), &field) in self.rules.rules.iter().enumerate().zip(&self.rule_fields) {
            let found = &self.found[field];
            if found.is_empty() && matches!(rule.condition, Condition::Required) {
                self.hits.push(i, "");
            }
            let values = found.iter().map(|f| f.value(xml).unwrap_or_default());
            values.filter(|value| rule.condition.fires(value)).for_each(|value| self.hits.push(i, &value));
        }
    }

    /// Finds the values of all fields.
    fn find(&mut self, tape: &Tape, xml: &[u8]) {
        self.found.iter_mut().for_each(Vec::clear);
        let Self { steps, first, found, id, .. } = self;
        let Some(record) = tape.nodes.first() else { return };
        let root = &steps[0];
        let has_attribute_id = attribute(tape, record, *id).is_some();
        attributes(tape, record, root, found);
        let mut c = 1;
        while c < record.end {
            let child = &tape.nodes[c as usize];
            let step = first.get(child.name as usize).copied().unwrap_or(NONE);
            // Where the attribute is the id, a child of that name is not part of the record.
            if step != NONE && !(has_attribute_id && Some(child.name) == *id) {
                walk(tape, xml, c, steps, step, found);
            }
            c = child.end;
        }
    }
}

/// The field that a filter may change, as rules spell theirs: a number leads into an array, so that without it more is looked at, not less.
fn tape_field(filter: &Filter) -> String {
    match filter.change {
        // Exactly this key of the record: a dot in it is part of the name, which no path can say.
        Change::Nullify(_) => filter.field.replace('.', "\0"),
        Change::Remove(_) => {
            let (steps, key) = pointer(&filter.field);
            let mut path: Vec<String> = steps.into_iter().filter(|step| item_number(step).is_none()).map(|step| step.replace('.', "\0")).collect();
            path.push(key.to_owned());
            path.join(".")
        }
    }
}

/// Adds the way to a field. A name that no tape can hold leads nowhere, and records with it are not on a tape.
fn add(steps: &mut Vec<Step>, field: &str, number: Number, names: &mut Names) {
    let path: Vec<String> = field.split('.').map(|name| name.replace('\0', ".")).collect();
    let mut at = 0;
    for (i, name) in path.iter().enumerate() {
        let is_last = i + 1 == path.len();
        if name == "#text" {
            if is_last {
                steps[at].text = Some(number);
            }
            return;
        }
        if let Some(attribute) = name.strip_prefix('@') {
            if let (true, Some(id)) = (is_last, names.intern(attribute.as_bytes())) {
                steps[at].attributes.push((id, number));
            }
            return;
        }
        let Some(id) = names.intern(name.as_bytes()) else { return };
        at = match steps[at].children.iter().find(|(known, _)| *known == id) {
            Some(&(_, step)) => step as usize,
            None => {
                steps.push(Step::default());
                let step = steps.len() - 1;
                steps[at].children.push((id, step as Number));
                step
            }
        };
    }
    steps[at].value = Some(number);
}

/// The first attribute of this name.
fn attribute(tape: &Tape, node: &Node, name: Option<Id>) -> Option<Found> {
    let first = node.first_attribute as usize;
    let all = &tape.attributes[first..first + node.attributes as usize];
    let found = all.iter().find(|a| Some(a.name) == name)?;
    Some(Found { from: found.start, to: found.end, is_attribute: true })
}

fn attributes(tape: &Tape, node: &Node, step: &Step, found: &mut [Vec<Found>]) {
    for &(name, field) in &step.attributes {
        found[field as usize].extend(attribute(tape, node, Some(name)));
    }
}

/// Takes down the values in the element at `i` that fields lead to.
fn walk(tape: &Tape, xml: &[u8], i: u32, steps: &[Step], step: Number, found: &mut [Vec<Found>]) {
    let (node, step) = (&tape.nodes[i as usize], &steps[step as usize]);
    let text = Found { from: node.text.0, to: node.text.1, is_attribute: false };
    if node.is_leaf() {
        if let Some(field) = step.value {
            found[field as usize].push(text);
        }
        return;
    }
    attributes(tape, node, step, found);
    if let Some(field) = step.text
        && node.content == Content::Empty
        && text.value(xml).is_some()
    {
        found[field as usize].push(text);
    }
    if step.children.is_empty() || node.content == Content::Empty {
        return;
    }
    let mut c = i + 1;
    while c < node.end {
        let child = &tape.nodes[c as usize];
        if let Some(&(_, next)) = step.children.iter().find(|(name, _)| *name == child.name) {
            walk(tape, xml, c, steps, next, found);
        }
        c = child.end;
    }
}

impl Found {
    /// The value as the definition has it; None if it is null.
    fn value<'x>(&self, xml: &'x [u8]) -> Option<Cow<'x, str>> {
        let raw = if self.from < self.to { &xml[self.from as usize..self.to as usize] } else { &[] };
        let plain = |special: bool| if special { None } else { std::str::from_utf8(raw).ok() };
        if self.is_attribute {
            let special = raw.iter().any(|b| matches!(b, b'&' | b'\t' | b'\n' | b'\r'));
            return Some(plain(special).map_or_else(|| Cow::Owned(text::attribute_fanout(raw)), Cow::Borrowed));
        }
        let value = match plain(memchr::memchr(b'&', raw).is_some()) {
            Some(value) => Cow::Borrowed(value),
            None => {
                let mut value = String::new();
                text::append_fanout(raw, &mut value);
                Cow::Owned(value)
            }
        };
        (!value.trim_start().is_empty()).then_some(value)
    }
}

//! How often each change is to happen to one type, and which records it happens to.

use super::ids::IdSet;
use super::spec::{Amount, Change, Spec};
use crate::DataType;
use crate::rng::Rng;
use std::collections::HashSet;

/// A record that moves passes at least so many others, if there are enough.
const DISTANCE_MIN: u64 = 16;
/// And at most so many.
const DISTANCE_MAX: u64 = 10_000;
/// Beyond so wide a range of ids nobody looks for unused ones.
const RANGE_MAX: u64 = 1 << 28;

/// What a first pass over a month finds out.
#[derive(Default)]
pub struct Survey {
    pub ids: IdSet,
    /// Ids that come more than once.
    pub multi: HashSet<u64>,
    pub records: u64,
    /// Records whose id comes once.
    pub single: u64,
    pub first: u64,
    pub last: u64,
}

impl Survey {
    pub fn add(&mut self, id: u64) {
        self.records += 1;
        self.first = if self.records == 1 { id } else { self.first.min(id) };
        self.last = self.last.max(id);
        if !self.ids.insert(id) {
            self.multi.insert(id);
        }
        self.single = self.ids.len() - self.multi.len() as u64;
    }

    /// How many ids there are from the first to the last, used or not.
    pub fn range(&self) -> u64 {
        if self.records == 0 { 0 } else { self.last - self.first + 1 }
    }
}

/// How many of a sequence are still to be chosen: each set of so many is as likely as any other (Knuth's algorithm S).
#[derive(Clone, Copy, Debug, Default)]
pub struct Draw {
    pub wanted: u64,
    pub left: u64,
}

impl Draw {
    /// Whether the next of the sequence is one of the chosen; `taken` are promised to others.
    pub fn next(&mut self, rng: &mut Rng) -> bool {
        let is_chosen = self.wanted > 0 && (rng.unit() * self.left as f64) < self.wanted as f64;
        self.left = self.left.saturating_sub(1);
        self.wanted -= u64::from(is_chosen);
        is_chosen
    }
}

/// What is to happen to one type.
pub struct Plan {
    pub reordered: Draw,
    /// Changes of a record at its place, and how many are still to come.
    changes: [(Change, u64); 5],
    /// Records that have not been asked about.
    left: u64,
    /// New ids between known ones, of all unused ones there.
    pub between: Draw,
    pub beyond: u64,
    pub returned: Draw,
    pub distance: (u64, u64),
}

impl Plan {
    /// Works out the numbers; `unused` are the ids between known ones that nobody has, `gone` the records that can return.
    pub fn new(spec: &Spec, kind: DataType, survey: &Survey, unused: u64, gone: u64) -> Result<Plan, Vec<String>> {
        let plural = kind.plural();
        let amount = |change: Change, of: u64| spec.amount(kind, change).of(of);
        let single = survey.single;
        let distance_min = DISTANCE_MIN.min(single / 4).max(1);
        let movable = single.saturating_sub(distance_min);
        let reordered = match spec.amount(kind, Change::Reordered) {
            // All of them, if that is asked for, but for those at the end, which have nowhere to go.
            share @ Amount::Share(_) => share.of(single).min(movable),
            count => count.of(single),
        };
        let changes = [Change::Deleted, Change::Updated, Change::Bytes, Change::Duplicates, Change::Revised].map(|change| (change, amount(change, single)));
        let returned = amount(Change::Returned, gone);
        let created = amount(Change::Created, single);
        let mut problems = Vec::new();
        if reordered > movable {
            problems.push(format!("{plural}: {reordered} to reorder, of {movable} that can move"));
        }
        let asked = reordered.saturating_add(changes.iter().map(|change| change.1).fold(0, u64::saturating_add));
        if asked > single {
            problems.push(format!("{plural}: changes of {asked} records, of {single} there are with an id of their own"));
        }
        if returned > gone {
            problems.push(format!("{plural}: {returned} to return, of {gone} that the older month has and this one lacks"));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let between = if survey.range() > RANGE_MAX { 0 } else { (created / 2).min(unused) };
        Ok(Plan {
            reordered: Draw { wanted: reordered, left: movable },
            changes,
            left: single,
            between: Draw { wanted: between, left: unused },
            beyond: created - between,
            returned: Draw { wanted: returned, left: gone },
            distance: (distance_min, (single / 4).clamp(distance_min, DISTANCE_MAX)),
        })
    }

    /// What happens to the next record.
    pub fn next(&mut self, rng: &mut Rng) -> Option<Change> {
        // Records that move are drawn first, since not all can.
        let reserved = self.reordered.wanted;
        let is_reordered = self.reordered.next(rng);
        let mut left = self.left - reserved;
        self.left -= 1;
        if is_reordered {
            return Some(Change::Reordered);
        }
        for (change, wanted) in &mut self.changes {
            let mut draw = Draw { wanted: *wanted, left };
            if draw.next(rng) {
                *wanted -= 1;
                return Some(*change);
            }
            left -= *wanted;
        }
        None
    }
}

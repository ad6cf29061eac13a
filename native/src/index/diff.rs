//! What two generations of an index say differently, id by id.

use std::sync::Arc;

use super::block::{DIRTY, Entry};
use super::cursor::Cursor;
use super::reader::Index;
use crate::fault::Fault;

/// Entries that are looked at in one step, so that a step takes milliseconds however little differs.
const LOOK_AT: u64 = 1 << 20;

/// Where to go on, in either index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Places {
    pub old: u64,
    pub new: u64,
}

/// Everything that both indexes have of an id about which they differ, or which is in doubt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub key: u64,
    pub old: Vec<Entry>,
    pub new: Vec<Entry>,
}

/// About `max` differences from a place on, in the order of the keys, and where to go on; None at the end. None for an index is one without entries.
pub fn differences(old: Option<&Arc<Index>>, new: Option<&Arc<Index>>, from: Places, max: usize) -> Result<(Vec<Difference>, Option<Places>), Fault> {
    let mut old = Side::new(old, from.old)?;
    let mut new = Side::new(new, from.new)?;
    let mut found = Vec::new();
    loop {
        let at = Places { old: old.pos, new: new.pos };
        let key = match (old.ahead, new.ahead) {
            (None, None) => return Ok((found, None)),
            (Some(a), Some(b)) => a.key.min(b.key),
            (Some(one), None) | (None, Some(one)) => one.key,
        };
        if found.len() >= max || at.old + at.new - from.old - from.new >= LOOK_AT {
            return Ok((found, Some(at)));
        }
        old.take(key)?;
        new.take(key)?;
        // What is in doubt may be so in the file only, and not where the difference goes.
        if old.group != new.group || new.group.iter().any(|entry| entry.flags & DIRTY != 0) {
            found.push(Difference { key, old: old.group.clone(), new: new.group.clone() });
        }
    }
}

struct Side {
    cursor: Option<Cursor>,
    pos: u64,
    ahead: Option<Entry>,
    /// The entries of one id.
    group: Vec<Entry>,
}

impl Side {
    fn new(index: Option<&Arc<Index>>, pos: u64) -> Result<Self, Fault> {
        let mut side = Self { cursor: index.map(Index::cursor), pos, ahead: None, group: Vec::new() };
        side.ahead = side.entry()?;
        Ok(side)
    }

    fn entry(&mut self) -> Result<Option<Entry>, Fault> {
        self.cursor.as_mut().map_or(Ok(None), |cursor| cursor.entry(self.pos))
    }

    fn take(&mut self, key: u64) -> Result<(), Fault> {
        self.group.clear();
        while let Some(entry) = self.ahead.filter(|entry| entry.key == key) {
            self.group.push(entry);
            self.pos += 1;
            self.ahead = self.entry()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::build::Builder;
    use super::*;

    fn index(name: &str, rows: &[(&str, u8, u8)]) -> Arc<Index> {
        let path = std::env::temp_dir().join(format!("deadwax-diff-{}-{name}.idx", std::process::id()));
        let mut build = Builder::new(&path, 3, 64);
        for &(id, hash, flags) in rows {
            build.push(Some(id), u64::from(hash) + 1, &[hash; 16], flags).unwrap();
        }
        build.finish("").unwrap();
        let index = Index::open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        index
    }

    /// All of it, in steps of `max`.
    fn all(old: Option<&Arc<Index>>, new: Option<&Arc<Index>>, max: usize) -> Vec<Difference> {
        let mut found = Vec::new();
        let mut from = Some(Places::default());
        while let Some(places) = from {
            let (more, next) = differences(old, new, places, max).unwrap();
            found.extend(more);
            from = next;
        }
        found
    }

    #[test]
    fn tells_what_came_went_and_changed_whatever_the_step() {
        let old = index("old", &[("1", 1, 0), ("2", 2, 0), ("3", 3, 0), ("4", 4, 0), ("5", 5, DIRTY), ("5", 6, DIRTY), ("x", 7, 0)]);
        let new = index("new", &[("0", 1, 0), ("1", 1, 0), ("3", 9, 0), ("4", 4, 0), ("5", 6, 0), ("6", 6, 0), ("x", 7, 0), ("y", 8, 0)]);
        for max in [1, 2, 3, 100] {
            let found = all(Some(&old), Some(&new), max);
            let told: BTreeMap<String, (usize, usize)> = found
                .iter()
                .map(|one| {
                    let id = new.id_of(one.key).unwrap().or(old.id_of(one.key).unwrap()).unwrap();
                    (id, (one.old.len(), one.new.len()))
                })
                .collect();
            let expected = [("0", (0, 1)), ("2", (1, 0)), ("3", (1, 1)), ("5", (2, 1)), ("6", (0, 1)), ("y", (0, 1))];
            assert_eq!(told, expected.map(|(id, counts)| (id.to_owned(), counts)).into(), "in steps of {max}");
        }
    }

    #[test]
    fn an_index_differs_from_none_in_all_of_it_and_from_itself_in_nothing() {
        let one = index("one", &[("1", 1, 0), ("2", 2, 0), ("z", 3, 0)]);
        assert_eq!(all(Some(&one), Some(&one), 2), []);
        let doubted = index("doubted", &[("1", 1, 0), ("2", 2, DIRTY)]);
        assert_eq!(all(Some(&doubted), Some(&doubted), 2).iter().map(|one| one.key).collect::<Vec<_>>(), [2], "but for what is in doubt");
        assert_eq!(all(None, Some(&one), 2).iter().map(|one| (one.old.len(), one.new.len())).collect::<Vec<_>>(), [(0, 1), (0, 1), (0, 1)]);
        assert_eq!(all(Some(&one), None, 2).len(), 3);
        assert_eq!(all(None, None, 2), []);
    }
}

//! What is to change from one month to the next, as text: `created=1%,releases.deleted=3,shuffle`.

use crate::DataType;

/// What can become of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// A record with an id that was not there.
    Created,
    /// Other content.
    Updated,
    /// Not there any more.
    Deleted,
    /// Back as it was in an older month.
    Returned,
    /// At another place in the file.
    Reordered,
    /// Other bytes, the same content.
    Bytes,
    /// There twice, at last as it was.
    Duplicates,
    /// There twice, at last with other content.
    Revised,
}

impl Change {
    pub const ALL: [Change; 8] =
        [Change::Created, Change::Updated, Change::Deleted, Change::Returned, Change::Reordered, Change::Bytes, Change::Duplicates, Change::Revised];

    /// The name in a specification, in manifests and in lists of changes.
    pub fn name(self) -> &'static str {
        match self {
            Change::Created => "created",
            Change::Updated => "updated",
            Change::Deleted => "deleted",
            Change::Returned => "returned",
            Change::Reordered => "reordered",
            Change::Bytes => "bytes",
            Change::Duplicates => "duplicates",
            Change::Revised => "revised",
        }
    }
}

/// How many records.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Amount {
    Count(u64),
    /// In percent, of the records that it can happen to.
    Share(f64),
}

impl Amount {
    /// The number of records; a share is rounded.
    pub fn of(self, records: u64) -> u64 {
        match self {
            Amount::Count(count) => count,
            Amount::Share(percent) => (percent * records as f64 / 100.0).round() as u64,
        }
    }

    fn parse(text: &str) -> Option<Amount> {
        let is_plain =
            |number: &str| number.starts_with(|first: char| first.is_ascii_digit()) && number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        match text.strip_suffix('%') {
            Some(number) if is_plain(number) => number.parse().ok().filter(|percent| (0.0..=100.0).contains(percent)).map(Amount::Share),
            Some(_) => None,
            None if is_plain(text) => text.parse().ok().filter(|count| *count < 1 << 53).map(Amount::Count),
            None => None,
        }
    }
}

/// A specification, read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spec {
    items: Vec<(Option<DataType>, Change, Amount)>,
    /// All records in another order.
    pub is_shuffled: bool,
}

impl Spec {
    /// Reads a specification, or tells all that is wrong with it.
    pub fn parse(text: &str) -> Result<Spec, Vec<String>> {
        let mut spec = Spec::default();
        let mut problems = Vec::new();
        for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
            if let Err(problem) = spec.add(item) {
                problems.push(format!("{item:?}: {problem}"));
            }
        }
        if problems.is_empty() { Ok(spec) } else { Err(problems) }
    }

    fn add(&mut self, item: &str) -> Result<(), String> {
        if item == "shuffle" {
            self.is_shuffled = true;
            return Ok(());
        }
        let names = || Change::ALL.map(Change::name).join(", ");
        let (name, amount) = item.split_once('=').ok_or_else(|| format!("give NAME=NUMBER or shuffle; names are {}", names()))?;
        let (kind, name) = match name.split_once('.') {
            None => (None, name),
            Some((kind, name)) => {
                let known = DataType::ALL.into_iter().find(|known| known.plural() == kind);
                (Some(known.ok_or_else(|| format!("{kind:?} is not one of {}", DataType::ALL.map(DataType::plural).join(", ")))?), name)
            }
        };
        let change = Change::ALL.into_iter().find(|known| known.name() == name).ok_or_else(|| format!("{name:?} is not one of {}", names()))?;
        let amount = Amount::parse(amount).ok_or_else(|| format!("{amount:?} is neither a whole number nor a share from 0% to 100%"))?;
        if self.items.iter().any(|item| item.0 == kind && item.1 == change) {
            return Err("given before".into());
        }
        self.items.push((kind, change, amount));
        Ok(())
    }

    /// What is asked for a type; what names the type comes before what names none.
    pub fn amount(&self, kind: DataType, change: Change) -> Amount {
        let find = |wanted: Option<DataType>| self.items.iter().find(|item| item.0 == wanted && item.1 == change);
        find(Some(kind)).or_else(|| find(None)).map_or(Amount::Count(0), |item| item.2)
    }

    /// Types that are named.
    pub fn kinds(&self) -> impl Iterator<Item = DataType> {
        self.items.iter().filter_map(|item| item.0)
    }

    /// Whether anything but nothing is asked of a change.
    pub fn asks(&self, change: Change) -> bool {
        self.items.iter().any(|item| item.1 == change && !matches!(item.2, Amount::Count(0)))
    }
}

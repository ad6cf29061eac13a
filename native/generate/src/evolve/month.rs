//! Makes the next month's dump of one type.

use std::collections::{HashMap, HashSet};

use super::edit;
use super::folder::{Month, Reader};
use super::ids::IdSet;
use super::output::{List, Output};
use super::plan::{Draw, Plan, Survey};
use super::records::id_place;
use super::spec::Change;
use crate::rng::{Part, Rng};
use crate::universe::Universe;
use crate::xml::Xml;
use crate::{DataType, Error, record};

/// What a dump of the month is made from.
pub struct Dump<'a> {
    pub kind: DataType,
    pub universe: &'a Universe,
    pub seed: u64,
    pub survey: Survey,
    /// Ids that are known, now or from the older month.
    pub known: IdSet,
    /// The highest of them.
    pub highest: u64,
    pub plan: Plan,
}

/// How often each change was made.
pub type Counts = HashMap<Change, u64>;

/// Records of the older month that are to come back.
struct Returning {
    reader: Option<Reader>,
    draw: Draw,
    rng: Rng,
    next: Option<(u64, Vec<u8>)>,
}

impl Returning {
    fn advance(&mut self, present: &IdSet, repeated: &HashSet<u64>) -> Result<(), Error> {
        self.next = None;
        let Some(reader) = &mut self.reader else { return Ok(()) };
        while self.draw.wanted > 0 {
            let Some((id, xml)) = reader.next()? else { break };
            if !present.contains(id) && !repeated.contains(&id) && self.draw.next(&mut self.rng) {
                self.next = Some((id, xml.to_vec()));
                break;
            }
        }
        Ok(())
    }
}

/// One dump on its way.
pub struct Step<'a> {
    of: Dump<'a>,
    returning: Returning,
    /// Ids of the older month that come more than once there.
    repeated: HashSet<u64>,
    out: &'a mut Output,
    list: Option<&'a mut List>,
    counts: Counts,
    /// The highest id so far.
    high: u64,
    choice: Rng,
    between: Rng,
}

/// The older month, and what a pass over it found.
pub type Older<'a> = Option<(&'a Month, Survey)>;

/// Writes all records of the next month into `out`.
pub fn write(of: Dump, month: &Month, older: Older, out: &mut Output, list: Option<&mut List>) -> Result<Counts, Error> {
    let stream = |part| Rng::new(of.seed, of.kind as u64, 0, part);
    let (reader, repeated) = match older {
        Some((older, survey)) if of.plan.returned.wanted > 0 => (Some(older.reader(of.kind)?), survey.multi),
        _ => (None, HashSet::new()),
    };
    let returning = Returning { reader, draw: of.plan.returned, rng: stream(Part::Returned), next: None };
    let (choice, between, kind) = (stream(Part::Choice), stream(Part::Between), of.kind);
    let mut step = Step { of, returning, repeated, out, list, counts: Counts::new(), high: 0, choice, between };
    step.returning.advance(&step.of.survey.ids, &step.repeated)?;
    month.each(kind, |id, xml| step.record(id, xml))?;
    step.finish()
}

impl Step<'_> {
    fn record(&mut self, id: u64, xml: &[u8]) -> Result<(), Error> {
        if id > self.high {
            self.fill(id)?;
            self.high = id;
        }
        if self.of.survey.multi.contains(&id) {
            return self.out.put_in_place(id, xml);
        }
        let Some(change) = self.of.plan.next(&mut self.choice) else { return self.out.put_in_place(id, xml) };
        let mut rng = Rng::new(self.of.seed, self.of.kind as u64, id, Part::Edit);
        let distance = rng.between(self.of.plan.distance.0 as usize, self.of.plan.distance.1 as usize) as u64;
        let universe = self.of.universe;
        let updated = |rng: &mut Rng| edit::update(universe, xml, rng).ok_or_else(|| Error::Source(format!("record {id} has no text that could change")));
        let how = match change {
            Change::Deleted => String::new(),
            Change::Updated => {
                let (bytes, how) = updated(&mut rng)?;
                self.out.put_in_place(id, &bytes)?;
                how
            }
            Change::Bytes => {
                let (bytes, how) = edit::rewrite(xml, &mut rng);
                self.out.put_in_place(id, &bytes)?;
                how.to_owned()
            }
            Change::Reordered => {
                self.out.put_later(id, xml.to_vec(), distance);
                distance.to_string()
            }
            _ => {
                let (first, last, how) = match (change, rng.below(3)) {
                    (Change::Revised, _) => (xml.to_vec(), updated(&mut rng)?.0, "updated"),
                    (_, 0) => (xml.to_vec(), xml.to_vec(), "same"),
                    (_, 1) => (edit::rewrite(xml, &mut rng).0, xml.to_vec(), "bytes"),
                    _ => (updated(&mut rng)?.0, xml.to_vec(), "updated"),
                };
                // Some stand right behind each other.
                let distance = if rng.chance(0.25) { 1 } else { distance };
                self.out.put_later(id, last, distance);
                self.out.put_in_place(id, &first)?;
                how.to_owned()
            }
        };
        self.note(id, change, &how)
    }

    fn note(&mut self, id: u64, change: Change, how: &str) -> Result<(), Error> {
        *self.counts.entry(change).or_default() += 1;
        self.list.as_mut().map_or(Ok(()), |list| list.add(self.of.kind, id, change, how))
    }

    /// Writes what comes between the highest id so far and `id`.
    fn fill(&mut self, id: u64) -> Result<(), Error> {
        if self.of.plan.between.wanted > 0 && self.high >= self.of.survey.first {
            for unused in self.high + 1..id {
                if !self.of.known.contains(unused) && self.of.plan.between.next(&mut self.between) {
                    self.bring_back(unused)?;
                    self.create(unused)?;
                }
            }
        }
        self.bring_back(id)
    }

    /// Writes the records that return and have a lower id.
    fn bring_back(&mut self, below: u64) -> Result<(), Error> {
        while let Some((id, xml)) = self.returning.next.take_if(|next| next.0 < below) {
            self.out.put(id, &xml)?;
            self.note(id, Change::Returned, "")?;
            self.returning.advance(&self.of.survey.ids, &self.repeated)?;
        }
        Ok(())
    }

    fn create(&mut self, id: u64) -> Result<(), Error> {
        let mut xml = Xml::new(self.of.universe.form);
        record(self.of.universe, self.of.kind, id, &mut xml);
        let place = id_place(&xml.out).ok_or_else(|| Error::Internal(format!("record {id} was made without an id")))?;
        xml.out.splice(place, id.to_string().into_bytes());
        self.out.put(id, &xml.out)?;
        self.note(id, Change::Created, "")
    }

    fn finish(mut self) -> Result<Counts, Error> {
        self.bring_back(u64::MAX)?;
        self.out.put_waiting()?;
        let mut id = self.of.highest;
        for _ in 0..self.of.plan.beyond {
            id += 1 + u64::from(self.between.chance(0.15));
            self.create(id)?;
        }
        Ok(self.counts)
    }
}

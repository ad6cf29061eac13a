//! The month after: dumps made from those of a month that was generated, with changes that were asked for.
//!
//! It reads what is in the folder, not what the generator would make again, so that months follow each other. A first pass counts
//! and notes ids, a bit each; a second one writes. Only records that move wait in memory, and so many bytes of them at most.

mod edit;
mod folder;
mod ids;
mod manifest;
mod month;
mod output;
mod pack;
mod plan;
mod records;
mod shuffle;
mod spec;

#[cfg(test)]
mod tests;

use std::fs;
use std::path::PathBuf;

use crate::manifest::FileEntry;
use crate::rng::{Part, Rng, mix};
use crate::universe::Universe;
use crate::{DataType, Error, is_version, member, publish, threads};
use folder::Month;
use ids::IdSet;
pub use manifest::Evolved;
use month::{Counts, Dump};
use output::{List, Output};
use pack::Packer;
use plan::{Plan, Survey};
use shuffle::Spool;
use spec::{Change, Spec};

/// What to make of a month.
#[derive(Clone, Debug)]
pub struct EvolveOptions {
    /// Folder with the month: the newest one in it that is older than `version`.
    pub from: PathBuf,
    /// What changes, as in `created=1%,releases.deleted=3`.
    pub changes: String,
    /// Folder with an older month, whose records may return.
    pub returned_from: Option<PathBuf>,
    pub out: PathBuf,
    pub version: String,
    pub seed: u64,
    /// Threads that compress; 0 takes as many as there are processors.
    pub threads: usize,
    /// File for a list of what was done.
    pub list: Option<PathBuf>,
}

/// One type, looked at.
struct Surveyed {
    kind: DataType,
    survey: Survey,
    older: Option<Survey>,
    known: IdSet,
    plan: Plan,
}

/// Writes the next month, then its manifest and checksums.
pub fn evolve(options: &EvolveOptions) -> Result<Evolved, Error> {
    let spec = Spec::parse(&options.changes);
    let mut problems = spec.as_ref().err().cloned().unwrap_or_default();
    let spec = spec.unwrap_or_default();
    if !is_version(&options.version) {
        problems.push(format!("version {:?} is not a date like 20260801", options.version));
    }
    if spec.asks(Change::Returned) && options.returned_from.is_none() {
        problems.push("records can return only from an older month: give its folder with --returned-from".into());
    }
    // The newest one before the version that is to be: a run can be repeated, also where it has written into the same folder.
    let month = match Month::open(&options.from, Some(&options.version)) {
        Err(Error::Missing(_)) => {
            let newest = Month::open(&options.from, None)?.version;
            problems.push(format!("version {} is not later than {newest}, which is in {}", options.version, options.from.display()));
            return Err(Error::Options(problems.join("; ")));
        }
        month => month?,
    };
    problems.extend(spec.kinds().filter(|kind| !month.kinds().contains(kind)).map(|kind| format!("{}: version {} has none", kind.plural(), month.version)));
    refuse(problems)?;
    let older = match &options.returned_from {
        Some(folder) if spec.asks(Change::Returned) => Some(Month::open(folder, Some(&month.version))?),
        _ => None,
    };
    let surveyed = survey(&spec, &month, older.as_ref())?;
    fs::create_dir_all(&options.out).map_err(|error| Error::io(&options.out, error))?;
    let mut list = options.list.as_deref().map(List::create).transpose()?;
    // Another month gets other draws for the same seed, or each month would touch the same records.
    let seed = mix(options.seed ^ mix(options.version.parse().unwrap_or(0)));
    let run = Run { options, spec: &spec, seed, month: &month, older: older.as_ref(), universe: Universe::new(seed, month.form) };
    let level = run.level();
    let mut files = Vec::new();
    for one in surveyed {
        files.push(run.write(one, list.as_mut())?);
    }
    list.map_or(Ok(()), List::finish)?;
    let is_shuffled = spec.is_shuffled;
    let evolved = Evolved { version: options.version.clone(), from: month.version.clone(), seed: options.seed, form: month.form, level, is_shuffled, files };
    publish(&options.out, &format!("discogs_{}_manifest.json", options.version), &evolved.to_json())?;
    // Last, as with the real dumps: who sees it may take the version for complete.
    let checksums: String = evolved.files.iter().map(|file| file.0.to_checksum()).collect();
    publish(&options.out, &format!("discogs_{}_CHECKSUM.txt", options.version), &checksums)?;
    Ok(evolved)
}

fn refuse(problems: Vec<String>) -> Result<(), Error> {
    if problems.is_empty() { Ok(()) } else { Err(Error::Options(problems.join("; "))) }
}

/// Looks at all types, so that what cannot be done is told before anything is written.
fn survey(spec: &Spec, month: &Month, older: Option<&Month>) -> Result<Vec<Surveyed>, Error> {
    let mut problems = Vec::new();
    let mut all = Vec::new();
    for &kind in month.kinds() {
        let (mut survey, mut known) = (Survey::default(), IdSet::default());
        month.each(kind, |id, _| {
            survey.add(id);
            known.insert(id);
            Ok(())
        })?;
        let mut unused = survey.range() - survey.ids.len();
        let mut gone = 0;
        let past = older.map(|older| -> Result<Survey, Error> {
            let mut past = Survey::default();
            let mut lacking = 0u64;
            older.each(kind, |id, _| {
                past.add(id);
                if known.insert(id) {
                    lacking += 1;
                    unused -= u64::from((survey.first..=survey.last).contains(&id));
                }
                Ok(())
            })?;
            gone = lacking - past.multi.iter().filter(|id| !survey.ids.contains(**id)).count() as u64;
            Ok(past)
        });
        let past = past.transpose()?;
        match Plan::new(spec, kind, &survey, unused, gone) {
            Ok(plan) => all.push(Surveyed { kind, survey, older: past, known, plan }),
            Err(more) => problems.extend(more),
        }
    }
    refuse(problems).map(|()| all)
}

/// What the types of one run have in common.
struct Run<'a> {
    options: &'a EvolveOptions,
    spec: &'a Spec,
    seed: u64,
    month: &'a Month,
    older: Option<&'a Month>,
    universe: Universe,
}

impl Run<'_> {
    /// Another effort than that of the month before: the same XML gets other bytes.
    fn level(&self) -> u32 {
        if self.month.level == member::LEVEL { member::LEVEL - 1 } else { member::LEVEL }
    }

    fn write(&self, one: Surveyed, list: Option<&mut List>) -> Result<(FileEntry, Counts), Error> {
        let Surveyed { kind, survey, older, known, plan } = one;
        let file = format!("discogs_{}_{}.xml.gz", self.options.version, kind.plural());
        let target = self.options.out.join(&file);
        // Not a time, but as good: where levels make no difference, the header does.
        let stamp = self.options.version.parse().unwrap_or(0);
        let packer = Packer::create(&target, threads(self.options.threads), self.level(), stamp)?;
        let spool = self.spec.is_shuffled.then(|| Spool::create(&target)).transpose()?;
        let mut out = Output::new(kind, packer, spool)?;
        let highest = survey.last.max(older.as_ref().map_or(0, |older| older.last));
        let dump = Dump { kind, universe: &self.universe, seed: self.seed, survey, known, highest, plan };
        let counts = month::write(dump, self.month, self.older.zip(older), &mut out, list)?;
        let (totals, written) = out.finish(&mut Rng::new(self.seed, kind as u64, 1, Part::Choice))?;
        let entry = FileEntry {
            kind,
            file,
            records: totals.records,
            xml_bytes: written.xml_bytes,
            gz_bytes: written.gz_bytes,
            sha256: written.sha256,
            first_id: totals.first,
            last_id: totals.last,
        };
        Ok((entry, counts))
    }
}

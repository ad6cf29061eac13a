//! Records in random order: they wait uncompressed on disk, and memory holds where they are.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::ids::IdSet;
use crate::Error;
use crate::rng::Rng;

struct Place {
    id: u64,
    offset: u64,
    len: usize,
}

/// Records that wait for their order.
pub struct Spool {
    path: PathBuf,
    out: BufWriter<File>,
    places: Vec<Place>,
    offset: u64,
    ids: IdSet,
    repeated: HashSet<u64>,
}

impl Spool {
    /// Makes a file beside the dump that is to be.
    pub fn create(target: &Path) -> Result<Spool, Error> {
        let path = target.with_extension("spool.partial");
        let file = File::options().read(true).write(true).create(true).truncate(true).open(&path).map_err(|error| Error::io(&path, error))?;
        let out = BufWriter::with_capacity(1 << 20, file);
        Ok(Spool { path, out, places: Vec::new(), offset: 0, ids: IdSet::default(), repeated: HashSet::new() })
    }

    pub fn add(&mut self, id: u64, xml: &[u8]) -> Result<(), Error> {
        self.out.write_all(xml).map_err(|error| Error::io(&self.path, error))?;
        self.places.push(Place { id, offset: self.offset, len: xml.len() });
        self.offset += xml.len() as u64;
        if !self.ids.insert(id) {
            self.repeated.insert(id);
        }
        Ok(())
    }

    /// Calls `each` for the records in an order that `rng` draws.
    pub fn drain(mut self, rng: &mut Rng, mut each: impl FnMut(&[u8]) -> Result<(), Error>) -> Result<(), Error> {
        let fail = |path: &Path, error| Err(Error::io(path, error));
        if let Err(error) = self.out.flush() {
            return fail(&self.path, error);
        }
        let mut order: Vec<u32> = (0..self.places.len() as u32).collect();
        for at in (1..order.len()).rev() {
            order.swap(at, rng.below(at + 1));
        }
        self.keep_repeats(&mut order);
        let mut xml = Vec::new();
        for number in order {
            let place = &self.places[number as usize];
            xml.resize(place.len, 0);
            if let Err(error) = self.out.get_ref().read_exact_at(&mut xml, place.offset) {
                return fail(&self.path, error);
            }
            each(&xml)?;
        }
        Ok(())
    }

    /// Of one id the last record counts, so that those of one id stay in their order.
    fn keep_repeats(&self, order: &mut [u32]) {
        let mut slots: HashMap<u64, Vec<usize>> = HashMap::new();
        for (slot, &number) in order.iter().enumerate() {
            let id = self.places[number as usize].id;
            if self.repeated.contains(&id) {
                slots.entry(id).or_default().push(slot);
            }
        }
        for slots in slots.into_values() {
            let mut numbers: Vec<u32> = slots.iter().map(|&slot| order[slot]).collect();
            numbers.sort_unstable();
            slots.iter().zip(numbers).for_each(|(&slot, number)| order[slot] = number);
        }
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        // Best effort: it has done its work, or the run has failed anyway.
        let _ = fs::remove_file(&self.path);
    }
}

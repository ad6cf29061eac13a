//! The dump that comes out: records at their place or waiting for it, and a list of what was done.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use super::pack::{Packer, Written};
use super::shuffle::Spool;
use super::spec::Change;
use crate::rng::Rng;
use crate::{DataType, Error};

/// Bytes of records that may wait for their place; beyond it they come earlier.
const WAITING_BYTES_MAX: usize = 64 << 20;

/// A list of changes, one JSON object a line, for tests.
pub struct List {
    path: PathBuf,
    out: BufWriter<File>,
}

impl List {
    pub fn create(path: &Path) -> Result<List, Error> {
        let file = File::create(path).map_err(|error| Error::io(path, error))?;
        Ok(List { path: path.to_path_buf(), out: BufWriter::new(file) })
    }

    pub fn add(&mut self, kind: DataType, id: u64, change: Change, how: &str) -> Result<(), Error> {
        let (kind, change) = (kind.plural(), change.name());
        writeln!(self.out, "{{\"type\":\"{kind}\",\"id\":\"{id}\",\"change\":\"{change}\",\"how\":\"{how}\"}}").map_err(|error| Error::io(&self.path, error))
    }

    pub fn finish(mut self) -> Result<(), Error> {
        self.out.flush().map_err(|error| Error::io(&self.path, error))
    }
}

/// What is known of a dump besides its bytes.
#[derive(Default)]
pub struct Totals {
    pub records: u64,
    pub first: u64,
    pub last: u64,
}

/// A dump that is being written.
pub struct Output {
    root: &'static str,
    packer: Packer,
    spool: Option<Spool>,
    totals: Totals,
    /// Records that wait, by the number of records that have to be at their place before.
    waiting: BTreeMap<(u64, u64), (u64, Vec<u8>)>,
    waiting_bytes: usize,
    in_place: u64,
    number: u64,
}

impl Output {
    /// Begins the dump of a type; with a spool its records come in random order.
    pub fn new(kind: DataType, mut packer: Packer, spool: Option<Spool>) -> Result<Output, Error> {
        let root = kind.plural();
        packer.write(format!("<{root}>\n").as_bytes())?;
        Ok(Output { root, packer, spool, totals: Totals::default(), waiting: BTreeMap::new(), waiting_bytes: 0, in_place: 0, number: 0 })
    }

    /// Writes a record now.
    pub fn put(&mut self, id: u64, xml: &[u8]) -> Result<(), Error> {
        let totals = &mut self.totals;
        totals.first = if totals.records == 0 { id } else { totals.first.min(id) };
        totals.last = totals.last.max(id);
        totals.records += 1;
        match &mut self.spool {
            Some(spool) => spool.add(id, xml),
            None => {
                self.packer.write(xml)?;
                self.packer.write(b"\n")
            }
        }
    }

    /// Writes a record that is at its place, and those that waited for it.
    pub fn put_in_place(&mut self, id: u64, xml: &[u8]) -> Result<(), Error> {
        self.put(id, xml)?;
        self.in_place += 1;
        while self.waiting_bytes > WAITING_BYTES_MAX || self.waiting.first_key_value().is_some_and(|first| first.0.0 <= self.in_place) {
            self.put_first_waiting()?;
        }
        Ok(())
    }

    /// Keeps a record until so many others are written.
    pub fn put_later(&mut self, id: u64, xml: Vec<u8>, distance: u64) {
        self.number += 1;
        self.waiting_bytes += xml.len();
        self.waiting.insert((self.in_place + distance, self.number), (id, xml));
    }

    fn put_first_waiting(&mut self) -> Result<(), Error> {
        let Some((_, (id, xml))) = self.waiting.pop_first() else { return Ok(()) };
        self.waiting_bytes -= xml.len();
        self.put(id, &xml)
    }

    /// Writes all that still waits.
    pub fn put_waiting(&mut self) -> Result<(), Error> {
        while !self.waiting.is_empty() {
            self.put_first_waiting()?;
        }
        Ok(())
    }

    /// Ends the dump; `rng` draws the order, if it is to be random.
    pub fn finish(mut self, rng: &mut Rng) -> Result<(Totals, Written), Error> {
        self.put_waiting()?;
        let mut packer = self.packer;
        if let Some(spool) = self.spool {
            spool.drain(rng, |xml| {
                packer.write(xml)?;
                packer.write(b"\n")
            })?;
        }
        packer.write(format!("</{}>\n", self.root).as_bytes())?;
        Ok((self.totals, packer.finish()?))
    }
}

//! A new index file: written beside its place, made durable, and moved there in one step.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::block::{self, Entry};
use super::file::{Footer, MAGIC, ODD_BYTES_MAX, ODD_IDS_MAX, Part, Place};
use super::key::is_odd;
use crate::fault::{Code, Fault};
use crate::hash::xxh3_64;

const BUFFER_BYTES: usize = 1 << 18;

/// Ids that are no numbers, by key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Odd {
    ids: BTreeMap<u64, Box<str>>,
    bytes: usize,
}

impl Odd {
    pub fn get(&self, key: u64) -> Option<&str> {
        self.ids.get(&key).map(|id| &**id)
    }

    pub fn keys(&self) -> impl Iterator<Item = u64> {
        self.ids.keys().copied()
    }

    /// Keeps an id, unless there are too many.
    pub fn insert(&mut self, key: u64, id: &str) -> Result<(), Fault> {
        if self.ids.contains_key(&key) {
            return Ok(());
        }
        if self.ids.len() >= ODD_IDS_MAX || self.bytes + id.len() > ODD_BYTES_MAX {
            let what = format!("more than {ODD_IDS_MAX} ids, or {ODD_BYTES_MAX} bytes of them, are no numbers");
            return Err(Fault::new(Code::IndexTooLarge, 0, what));
        }
        self.bytes += id.len();
        self.ids.insert(key, id.into());
        Ok(())
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (key, id) in &self.ids {
            out.extend_from_slice(&key.to_le_bytes());
            out.extend_from_slice(&(id.len() as u32).to_le_bytes());
            out.extend_from_slice(id.as_bytes());
        }
        out
    }

    /// None if it is no such list.
    pub fn read(mut bytes: &[u8]) -> Option<Self> {
        let mut odd = Self::default();
        while !bytes.is_empty() {
            let (key, rest) = bytes.split_first_chunk()?;
            let (length, rest) = rest.split_first_chunk()?;
            let (id, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
            odd.insert(u64::from_le_bytes(*key), std::str::from_utf8(id).ok()?).ok()?;
            bytes = rest;
        }
        Some(odd)
    }
}

/// Writes entries in the order of their keys.
pub struct Writer {
    path: PathBuf,
    beside: PathBuf,
    out: BufWriter<File>,
    offset: u64,
    block_records: usize,
    entries: Vec<Entry>,
    buffer: Vec<u8>,
    directory: Vec<Place>,
    odd: Odd,
    footer: Footer,
    last_key: u64,
    done: bool,
}

impl Writer {
    /// Begins a file that will lie at `path`.
    pub fn create(path: &Path, block_records: usize) -> Result<Self, Fault> {
        let mut beside = path.as_os_str().to_owned();
        beside.push(".partial");
        let beside = PathBuf::from(beside);
        let file = File::create(&beside).map_err(|e| unwritable(&beside, e))?;
        let mut writer = Self {
            path: path.to_owned(),
            beside,
            out: BufWriter::with_capacity(BUFFER_BYTES, file),
            offset: 0,
            block_records: block_records.max(1),
            entries: Vec::with_capacity(block_records),
            buffer: Vec::new(),
            directory: Vec::new(),
            odd: Odd::default(),
            footer: Footer::default(),
            last_key: 0,
            done: false,
        };
        writer.write(MAGIC)?;
        Ok(writer)
    }

    /// Appends an entry; `id` is needed if its key is that of an odd id.
    pub fn push(&mut self, entry: Entry, id: Option<&str>) -> Result<(), Fault> {
        let internal = |what: &str| Fault::new(Code::Internal, entry.key, format!("record index: {what}"));
        let is_first = self.footer.records == 0;
        if !is_first && entry.key < self.last_key {
            return Err(internal("keys descend"));
        }
        if is_odd(entry.key) {
            self.odd.insert(entry.key, id.ok_or_else(|| internal("an odd id is missing"))?)?;
        }
        self.footer.shared += u64::from(!is_first && entry.key == self.last_key);
        self.footer.records += 1;
        self.last_key = entry.key;
        self.entries.push(entry);
        if self.entries.len() == self.block_records { self.flush_block() } else { Ok(()) }
    }

    fn flush_block(&mut self) -> Result<(), Fault> {
        let Some(first) = self.entries.first() else { return Ok(()) };
        self.directory.push(Place { first_key: first.key, offset: self.offset, position: self.footer.records - self.entries.len() as u64 });
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        let check = block::write(&self.entries, self.offset, &mut buffer);
        self.footer.blocks = xxh3_64(&[self.footer.blocks.to_le_bytes(), check.to_le_bytes()].concat());
        self.entries.clear();
        let written = self.write(&buffer);
        self.buffer = buffer;
        written
    }

    /// Makes the file durable and moves it to its place; answers how many entries it has, and how many bytes.
    pub fn finish(mut self, meta: &str) -> Result<(u64, u64), Fault> {
        self.flush_block()?;
        let odd = self.odd.to_bytes();
        self.footer.odd = self.part(&odd)?;
        self.footer.meta = self.part(meta.as_bytes())?;
        let mut directory = Vec::new();
        for place in &self.directory {
            place.write(&mut directory);
        }
        self.footer.directory = self.part(&directory)?;
        let footer = self.footer.to_bytes();
        self.write(&footer)?;
        let durable = self.out.flush().and_then(|()| self.out.get_ref().sync_all()).and_then(|()| replace(&self.beside, &self.path));
        durable.map_err(|e| unwritable(&self.path, e))?;
        self.done = true;
        Ok((self.footer.records, self.offset))
    }

    fn part(&mut self, bytes: &[u8]) -> Result<Part, Fault> {
        let part = Part::of(self.offset, bytes);
        self.write(bytes)?;
        Ok(part)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.out.write_all(bytes).map_err(|e| unwritable(&self.beside, e))?;
        self.offset += bytes.len() as u64;
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if !self.done {
            // What remains is replaced by the next attempt.
            let _ = fs::remove_file(&self.beside);
        }
    }
}

/// A fault for a file that cannot be written.
pub fn unwritable(path: &Path, error: io::Error) -> Fault {
    Fault::new(Code::IndexUnwritable, 0, format!("record index {}: {error}", path.display()))
}

/// Moves a durable file to its place, durably.
pub fn replace(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    sync_folder(to)
}

/// Makes the name of a file durable.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

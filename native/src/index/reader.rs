//! An index file as it is read: directory and meta in memory, blocks when they are asked for.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use super::block::Block;
use super::cursor::Cursor;
use super::file::{FOOTER_BYTES, FORMAT, Footer, MAGIC, PLACE_BYTES, Part, Place, corrupt};
use super::key::{NAMELESS, ODD, is_odd};
use super::writer::Odd;
use crate::fault::{Code, Fault};
use crate::hash::xxh3_64;

/// An index file; may be read by many threads.
#[derive(Debug)]
pub struct Index {
    file: File,
    path: String,
    bytes: u64,
    footer: Footer,
    /// The checksum of the footer, which covers those of all else.
    identity: u64,
    meta: String,
    directory: Vec<Place>,
    odd: OnceLock<Odd>,
}

impl Index {
    /// Opens an index file; its footer, directory and meta are verified, blocks when they are entered.
    pub fn open(path: &Path) -> Result<Arc<Self>, Fault> {
        let name = path.display().to_string();
        let unreadable = |e: io::Error| Fault::new(Code::IndexUnreadable, 0, format!("record index {name}: {e}"));
        let file = File::open(path).map_err(unreadable)?;
        let bytes = file.metadata().map_err(unreadable)?.len();
        let mut index =
            Self { file, path: name, bytes, footer: Footer::default(), identity: 0, meta: String::new(), directory: Vec::new(), odd: OnceLock::new() };
        index.read_footer()?;
        index.read_directory()?;
        let meta = index.read_part(index.footer.meta, "its meta data")?;
        index.meta = String::from_utf8(meta).map_err(|_| index.corrupt(index.footer.meta.offset, "its meta data is no text"))?;
        Ok(Arc::new(index))
    }

    fn read_footer(&mut self) -> Result<(), Fault> {
        let at = self.bytes.checked_sub(FOOTER_BYTES as u64).filter(|&at| at >= MAGIC.len() as u64).ok_or_else(|| self.corrupt(0, "it is cut short"))?;
        let mut head = [0; MAGIC.len()];
        self.read_at(&mut head, 0)?;
        let mut bytes = [0; FOOTER_BYTES];
        self.read_at(&mut bytes, at)?;
        let (format, footer) = Footer::read(&bytes).filter(|_| head == *MAGIC).ok_or_else(|| self.corrupt(at, "its end is damaged"))?;
        if format != FORMAT {
            return Err(Fault::new(Code::IndexTooNew, 0, format!("record index {} has format {format}; this program reads {FORMAT}", self.path)));
        }
        if footer.odd.end() != footer.meta.offset || footer.meta.end() != footer.directory.offset || footer.directory.end() != at {
            return Err(self.corrupt(at, "its parts do not fit together"));
        }
        self.footer = footer;
        self.identity = xxh3_64(&bytes);
        Ok(())
    }

    fn read_directory(&mut self) -> Result<(), Fault> {
        let part = self.footer.directory;
        let bytes = self.read_part(part, "its directory")?;
        self.directory = bytes.chunks_exact(PLACE_BYTES).map(Place::read).collect();
        let starts = self.directory.first().map_or((self.footer.odd.offset, self.footer.records), |place| (place.offset, place.position));
        let ascend = self.directory.windows(2).all(|pair| {
            let [a, b] = [pair[0], pair[1]];
            a.first_key <= b.first_key && a.offset < b.offset && a.position < b.position
        });
        let ends = self.directory.last().is_none_or(|last| last.offset < self.footer.odd.offset && last.position < self.footer.records);
        if starts != (MAGIC.len() as u64, 0) || !ascend || !ends || !part.bytes.is_multiple_of(PLACE_BYTES as u64) {
            return Err(self.corrupt(part.offset, "its directory does not fit its blocks"));
        }
        Ok(())
    }

    /// Entries.
    pub fn len(&self) -> u64 {
        self.footer.records
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of the file.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What the writer was given to keep.
    pub fn meta(&self) -> &str {
        &self.meta
    }

    /// Differs between two indexes.
    pub fn identity(&self) -> u64 {
        self.identity
    }

    /// Entries that share their key with the one before them.
    pub fn shared(&self) -> u64 {
        self.footer.shared
    }

    /// A reader of entries, with a memory of where it is.
    pub fn cursor(self: &Arc<Self>) -> Cursor {
        Cursor::new(self.clone())
    }

    /// The position of the first record without an id.
    pub fn nameless_from(self: &Arc<Self>) -> Result<u64, Fault> {
        Ok(self.cursor().find(NAMELESS)?.pos)
    }

    /// Reads and verifies all of it; answers how many entries it has.
    pub fn verify(self: &Arc<Self>) -> Result<u64, Fault> {
        let mut cursor = self.cursor();
        for place in &self.directory {
            cursor.entry(place.position)?;
        }
        let odd = self.odd()?;
        let mut keys = odd.keys().peekable();
        let mut pos = cursor.find(ODD)?.pos;
        while let Some(entry) = cursor.entry(pos)?.filter(|entry| is_odd(entry.key)) {
            keys.next_if_eq(&entry.key);
            if odd.get(entry.key).is_none() {
                return Err(self.corrupt(self.footer.odd.offset, "an odd id is missing"));
            }
            pos += 1;
        }
        if keys.next().is_some() {
            return Err(self.corrupt(self.footer.odd.offset, "an odd id is of no entry"));
        }
        Ok(self.len())
    }

    /// The id of a key, as it is written.
    pub fn id_of(&self, key: u64) -> Result<Option<String>, Fault> {
        if is_odd(key) { Ok(self.odd()?.get(key).map(str::to_owned)) } else { Ok((key < NAMELESS).then(|| key.to_string())) }
    }

    /// The ids that are no numbers.
    pub fn odd(&self) -> Result<&Odd, Fault> {
        if let Some(odd) = self.odd.get() {
            return Ok(odd);
        }
        let bytes = self.read_part(self.footer.odd, "its list of odd ids")?;
        let odd = Odd::read(&bytes).ok_or_else(|| self.corrupt(self.footer.odd.offset, "its list of odd ids is damaged"))?;
        Ok(self.odd.get_or_init(|| odd))
    }

    pub(super) fn blocks(&self) -> &[Place] {
        &self.directory
    }

    /// Where a block's positions end.
    pub(super) fn block_end(&self, number: usize) -> u64 {
        self.directory.get(number + 1).map_or(self.footer.records, |next| next.position)
    }

    /// Reads and verifies a block.
    pub(super) fn read_block(&self, number: usize, block: &mut Block) -> Result<(), Fault> {
        let place = self.directory[number];
        let end = self.directory.get(number + 1).map_or(self.footer.odd.offset, |next| next.offset);
        self.read_at(block.buffer((end - place.offset) as usize), place.offset)?;
        block.decode(place.offset, (self.block_end(number) - place.position) as usize, place.first_key).map_err(|fault| self.named(fault))
    }

    fn read_part(&self, part: Part, what: &str) -> Result<Vec<u8>, Fault> {
        let damaged = || self.corrupt(part.offset, &format!("{what} is damaged"));
        if part.end() > self.bytes {
            return Err(damaged());
        }
        let mut bytes = vec![0; part.bytes as usize];
        self.read_at(&mut bytes, part.offset)?;
        if xxh3_64(&bytes) == part.check { Ok(bytes) } else { Err(damaged()) }
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> Result<(), Fault> {
        self.file.read_exact_at(bytes, offset).map_err(|e| match e.kind() {
            ErrorKind::UnexpectedEof => self.corrupt(offset, "it is cut short"),
            _ => Fault::new(Code::IndexUnreadable, offset, format!("record index {}: {e}", self.path)),
        })
    }

    fn corrupt(&self, offset: u64, what: &str) -> Fault {
        self.named(corrupt(offset, what))
    }

    fn named(&self, fault: Fault) -> Fault {
        Fault { message: format!("record index {}: {}", self.path, fault.message), ..fault }
    }
}

//! The file of a ledger: a magic, then frames, one behind the other.
//!
//! Frames are only ever appended. A crash leaves a torn last one, which is cut off; all other damage is a fault. A run that goes on
//! at a checkpoint says that it went back there: what lies behind no longer counts, but may have been delivered.

use std::fs::{File, OpenOptions};
use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::file::corrupt;
use super::frame::{END, HEAD_BYTES, REWOUND, length_check};
use super::writer::{sync_folder, unwritable};
use crate::fault::{Code, Fault};
use crate::hash::xxh3_64;

pub const MAGIC: &[u8; 8] = b"deadwaxL";
/// No payload is longer.
const PAYLOAD_BYTES_MAX: usize = 1 << 30;
const READ_BYTES: usize = 1 << 16;

/// How far a ledger is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upto {
    /// To this length, which a checkpoint has: all of it must be there.
    Length(u64),
    /// To the last whole frame.
    LastWhole,
}

/// Reads the frames of a ledger in their order.
pub struct Frames {
    input: BufReader<File>,
    name: String,
    upto: Upto,
    /// Of the file.
    bytes: u64,
    offset: u64,
    payload: Vec<u8>,
}

impl Frames {
    pub fn open(path: &Path, upto: Upto) -> Result<Self, Fault> {
        let name = path.display().to_string();
        let unreadable = |e: std::io::Error| Fault::new(Code::IndexUnreadable, 0, format!("ledger {name}: {e}"));
        let file = File::open(path).map_err(unreadable)?;
        let bytes = file.metadata().map_err(unreadable)?.len();
        let mut frames = Self { input: BufReader::with_capacity(READ_BYTES, file), name, upto, bytes, offset: 0, payload: Vec::new() };
        if let Upto::Length(length) = upto {
            if bytes < length {
                return Err(frames.damaged("it is shorter than the checkpoint says"));
            }
            frames.bytes = length;
        }
        let mut magic = [0; MAGIC.len()];
        if frames.bytes < MAGIC.len() as u64 {
            if frames.upto == Upto::LastWhole {
                frames.bytes = 0;
                return Ok(frames);
            }
            return Err(frames.damaged("it is cut short"));
        }
        frames.read(&mut magic)?;
        let unwritten = upto == Upto::LastWhole && magic == [0; MAGIC.len()];
        if magic == *MAGIC {
            frames.offset = MAGIC.len() as u64;
        } else if unwritten && frames.rest_is_zero(0)? {
            frames.bytes = 0;
        } else {
            return Err(frames.damaged("it does not begin like one"));
        }
        Ok(frames)
    }

    /// Where the last frame ended.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The payload of the next frame, without its end; None behind the last one.
    pub fn next_frame(&mut self) -> Result<Option<&[u8]>, Fault> {
        let left = self.bytes - self.offset;
        if left == 0 {
            return Ok(None);
        }
        let mut head = [0; HEAD_BYTES];
        if left < HEAD_BYTES as u64 {
            return self.torn("a frame is cut short");
        }
        self.read(&mut head)?;
        let word = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let length = word(0) as usize;
        if word(4) != length_check(word(0)) || !(END.len() + 1..=PAYLOAD_BYTES_MAX).contains(&length) {
            let unwritten = self.upto == Upto::LastWhole && head == [0; HEAD_BYTES] && self.rest_is_zero(self.offset + HEAD_BYTES as u64)?;
            return if unwritten { self.torn("") } else { Err(self.damaged("a frame's length is wrong")) };
        }
        let behind = left - HEAD_BYTES as u64;
        if behind < length as u64 {
            return self.torn("a frame is cut short");
        }
        let mut payload = std::mem::take(&mut self.payload);
        payload.resize(length, 0);
        self.read(&mut payload)?;
        let check = xxh3_64(&payload).to_le_bytes();
        self.payload = payload;
        if check != head[8..] {
            // Its end is never 0, so that it is one the file system knew of, but did not write.
            let unwritten = behind == length as u64 && self.payload.ends_with(&[0; END.len()]);
            return if unwritten { self.torn("a frame's checksum is wrong") } else { Err(self.damaged("a frame's checksum is wrong")) };
        }
        if !self.payload.ends_with(END) {
            return Err(self.damaged("a frame does not end like one"));
        }
        self.offset += (HEAD_BYTES + length) as u64;
        Ok(Some(&self.payload[..length - END.len()]))
    }

    fn torn(&mut self, what: &str) -> Result<Option<&[u8]>, Fault> {
        if let Upto::Length(_) = self.upto {
            return Err(self.damaged(what));
        }
        self.bytes = self.offset;
        Ok(None)
    }

    fn rest_is_zero(&mut self, mut from: u64) -> Result<bool, Fault> {
        let mut some = vec![0; READ_BYTES];
        while from < self.bytes {
            let count = (self.bytes - from).min(READ_BYTES as u64) as usize;
            self.read(&mut some[..count])?;
            if some[..count].iter().any(|&b| b != 0) {
                return Ok(false);
            }
            from += count as u64;
        }
        Ok(true)
    }

    fn read(&mut self, bytes: &mut [u8]) -> Result<(), Fault> {
        self.input.read_exact(bytes).map_err(|e| Fault::new(Code::IndexUnreadable, self.offset, format!("ledger {}: {e}", self.name)))
    }

    /// Damage at the frame that is being read.
    pub fn damaged(&self, what: &str) -> Fault {
        let fault = corrupt(self.offset, what);
        Fault { message: format!("ledger {}: {}", self.name, fault.message), ..fault }
    }
}

/// Which parts of a ledger count.
#[derive(Debug)]
pub struct Parts {
    live: Vec<Range<u64>>,
    /// Behind the last whole frame.
    end: u64,
}

impl Parts {
    /// Those that count where the ledger is read so far. What lies behind that has to be sound, too: it may have been delivered.
    pub fn read(path: &Path, upto: Upto) -> Result<Self, Fault> {
        Frames::open(path, upto)?;
        let mut frames = Frames::open(path, Upto::LastWhole)?;
        let mut rewinds: Vec<(Range<u64>, u64)> = Vec::new();
        let mut is_there = false;
        loop {
            let at = frames.offset();
            is_there |= upto == Upto::Length(at);
            let to = match frames.next_frame()? {
                Some(payload) => rewound(payload).filter(|&to| to < at),
                None => break,
            };
            rewinds.extend(to.map(|to| (at..frames.offset(), to)));
        }
        let end = frames.offset();
        match upto {
            Upto::LastWhole => Ok(Self { live: live(&rewinds, end), end }),
            Upto::Length(length) if is_there => Ok(Self { live: live(&rewinds, length), end }),
            Upto::Length(_) => Err(frames.damaged("a frame is cut short")),
        }
    }

    pub fn end(&self) -> u64 {
        self.end
    }

    /// Whether the frame that begins there counts.
    pub fn is_live(&self, at: u64) -> bool {
        self.live.iter().any(|part| part.contains(&at))
    }
}

fn live(rewinds: &[(Range<u64>, u64)], end: u64) -> Vec<Range<u64>> {
    let Some((frame, to)) = rewinds.iter().rev().find(|(frame, _)| frame.end <= end) else { return std::iter::once(0..end).collect() };
    let mut parts = live(rewinds, *to);
    parts.push(frame.end..end);
    parts
}

fn rewound(payload: &[u8]) -> Option<u64> {
    let to = payload.strip_prefix(&[REWOUND])?;
    to.try_into().ok().map(u64::from_le_bytes)
}

/// Appends to the file of a ledger.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    file: File,
    durable: u64,
    is_named: bool,
}

impl Log {
    /// Begins a file in place of what is there.
    pub fn create(path: &Path) -> Result<Self, Fault> {
        let file = File::create(path).map_err(|e| unwritable(path, e))?;
        Ok(Self { path: path.to_owned(), file, durable: 0, is_named: false })
    }

    /// Goes on at `length`; what lies behind is cut off.
    pub fn resume(path: &Path, length: u64) -> Result<Self, Fault> {
        let open = || {
            let mut file = OpenOptions::new().write(true).open(path)?;
            file.set_len(length)?;
            file.seek(SeekFrom::End(0))?;
            // What was replayed need not have been durable.
            file.sync_data()?;
            Ok(file)
        };
        let file = open().map_err(|e| unwritable(path, e))?;
        Ok(Self { path: path.to_owned(), file, durable: length, is_named: false })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn durable(&self) -> u64 {
        self.durable
    }

    /// Appends `bytes`, and makes the file durable.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.file.write_all(bytes).and_then(|()| self.file.sync_data()).map_err(|e| unwritable(&self.path, e))?;
        if !self.is_named {
            sync_folder(&self.path).map_err(|e| unwritable(&self.path, e))?;
            self.is_named = true;
        }
        self.durable += bytes.len() as u64;
        Ok(())
    }
}

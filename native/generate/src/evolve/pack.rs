//! Writes XML that comes bit by bit as one gzip member: pieces are compressed side by side and joined in order.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use sha2::{Digest, Sha256};

use crate::Error;
use crate::member::{self, WINDOW_BYTES};

/// XML of a piece; the same however many threads there are, as the compressed bytes depend on it.
const PIECE_BYTES: usize = 1 << 20;
/// Pieces under way, for each thread.
const AHEAD: usize = 3;

type Packed = Result<Vec<u8>, Error>;

struct Job {
    raw: Vec<u8>,
    /// The end of the piece before.
    before: Vec<u8>,
    done: SyncSender<Packed>,
}

/// A file that was written.
pub struct Written {
    pub xml_bytes: u64,
    pub gz_bytes: u64,
    pub sha256: String,
}

/// A dump that is being written. What is not finished is removed when it goes.
pub struct Packer {
    partial: PathBuf,
    target: PathBuf,
    out: BufWriter<File>,
    hash: Sha256,
    crc: crc32fast::Hasher,
    gz_bytes: u64,
    xml_bytes: u64,
    piece: Vec<u8>,
    before: Vec<u8>,
    jobs: Option<SyncSender<Job>>,
    under_way: std::collections::VecDeque<Receiver<Packed>>,
    ahead: usize,
    workers: Vec<JoinHandle<()>>,
    is_done: bool,
}

impl Packer {
    /// Begins a file; `stamp` is the time in the gzip header.
    pub fn create(target: &Path, threads: usize, level: u32, stamp: u32) -> Result<Packer, Error> {
        let partial = target.with_file_name(format!("{}.partial", target.file_name().unwrap_or_default().to_string_lossy()));
        let file = File::create(&partial).map_err(|error| Error::io(&partial, error))?;
        let (jobs, work) = sync_channel::<Job>(threads * AHEAD);
        let work = Arc::new(Mutex::new(work));
        let workers = (0..threads).map(|_| {
            let work = work.clone();
            thread::spawn(move || {
                loop {
                    let job = work.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok(Job { raw, before, done }) = job else { break };
                    // Nobody waits for it any more once something has failed.
                    let _ = done.send(member::pack(&raw, &before, level));
                }
            })
        });
        let mut packer = Packer {
            out: BufWriter::new(file),
            partial,
            target: target.to_path_buf(),
            hash: Sha256::new(),
            crc: crc32fast::Hasher::new(),
            gz_bytes: 0,
            xml_bytes: 0,
            piece: Vec::with_capacity(PIECE_BYTES),
            before: Vec::new(),
            jobs: Some(jobs),
            under_way: Default::default(),
            ahead: threads * AHEAD,
            workers: workers.collect(),
            is_done: false,
        };
        let mut header = member::HEADER;
        header[4..8].copy_from_slice(&stamp.to_le_bytes());
        packer.put(&header)?;
        Ok(packer)
    }

    /// Takes in XML.
    pub fn write(&mut self, mut xml: &[u8]) -> Result<(), Error> {
        while !xml.is_empty() {
            let (now, later) = xml.split_at(xml.len().min(PIECE_BYTES - self.piece.len()));
            self.piece.extend_from_slice(now);
            xml = later;
            if self.piece.len() == PIECE_BYTES {
                self.hand_over()?;
            }
        }
        Ok(())
    }

    /// Writes what is left and gives the file its name.
    pub fn finish(mut self) -> Result<Written, Error> {
        self.hand_over()?;
        while !self.under_way.is_empty() {
            self.join()?;
        }
        let trailer = member::trailer(mem::take(&mut self.crc).finalize(), self.xml_bytes);
        self.put(&trailer)?;
        self.out.flush().map_err(|error| Error::io(&self.partial, error))?;
        fs::rename(&self.partial, &self.target).map_err(|error| Error::io(&self.target, error))?;
        self.is_done = true;
        let sha256 = mem::take(&mut self.hash).finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Written { xml_bytes: self.xml_bytes, gz_bytes: self.gz_bytes, sha256 })
    }

    fn hand_over(&mut self) -> Result<(), Error> {
        if self.piece.is_empty() {
            return Ok(());
        }
        if self.under_way.len() == self.ahead {
            self.join()?;
        }
        let raw = mem::replace(&mut self.piece, Vec::with_capacity(PIECE_BYTES));
        self.crc.update(&raw);
        self.xml_bytes += raw.len() as u64;
        let tail = raw[raw.len().saturating_sub(WINDOW_BYTES)..].to_vec();
        let (done, packed) = sync_channel(1);
        let job = Job { raw, before: mem::replace(&mut self.before, tail), done };
        let sent = self.jobs.as_ref().is_some_and(|jobs| jobs.send(job).is_ok());
        self.under_way.push_back(packed);
        if sent { Ok(()) } else { Err(Error::Internal("the compressing threads are gone".into())) }
    }

    /// Writes the piece that comes next, once it is compressed.
    fn join(&mut self) -> Result<(), Error> {
        let Some(next) = self.under_way.pop_front() else { return Ok(()) };
        let packed = next.recv().map_err(|_| Error::Internal("a compressing thread panicked".into()))??;
        self.put(&packed)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.out.write_all(bytes).map_err(|error| Error::io(&self.partial, error))?;
        self.hash.update(bytes);
        self.gz_bytes += bytes.len() as u64;
        Ok(())
    }
}

impl Drop for Packer {
    fn drop(&mut self) {
        self.jobs = None;
        for worker in self.workers.drain(..) {
            // A panic was told by the piece that is missing.
            let _ = worker.join();
        }
        if !self.is_done {
            // Best effort: the first error is the one to tell.
            let _ = fs::remove_file(&self.partial);
        }
    }
}

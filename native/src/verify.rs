//! Verification of a whole file before its first record leaves: its SHA-256, or every member's checksum and length.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use sha2::{Digest, Sha256};

use crate::fault::Fault;
use crate::gzip::Reader;
use crate::hash::hex;
use crate::inflate::Backend;
use crate::input::Input;
use crate::limits::Limits;

const READ_BYTES: usize = 1 << 20;

/// What to verify.
#[derive(Clone, Debug)]
pub struct Options {
    pub path: String,
    pub backend: Backend,
    pub sha256: bool,
    pub inflate: bool,
    pub limits: Limits,
}

/// A verification under way.
pub struct Verify {
    hash: Option<(Input, Sha256, u64)>,
    reader: Option<Reader>,
    buffer: Vec<u8>,
    sha256: Option<String>,
}

impl Verify {
    pub fn open(options: &Options, stop: Arc<AtomicBool>) -> Result<Self, Fault> {
        let input = || Input::open(Some(&options.path), stop.clone());
        let hash = if options.sha256 { Some((input()?, Sha256::new(), 0)) } else { None };
        let reader = if options.inflate { Some(Reader::new(input()?, options.backend, options.limits)) } else { None };
        Ok(Self { hash, reader, buffer: vec![0; READ_BYTES], sha256: None })
    }

    /// Does about `bytes` compressed bytes of each kind of work; true when all is done.
    pub fn step(&mut self, bytes: u64) -> Result<bool, Fault> {
        if let Some((input, hasher, total)) = &mut self.hash {
            let until = *total + bytes;
            while *total < until {
                let n = input.read(&mut self.buffer)?;
                if n == 0 {
                    self.sha256 = Some(hex(&hasher.finalize_reset()));
                    self.hash = None;
                    break;
                }
                hasher.update(&self.buffer[..n]);
                *total += n as u64;
            }
        }
        if let Some(reader) = &mut self.reader {
            let until = reader.compressed() + bytes;
            loop {
                // Inflated bytes that fit the cache are not written to memory only to be forgotten.
                if reader.fill(&mut self.buffer[..128 << 10])? == 0 {
                    return Ok(self.hash.is_none());
                }
                if reader.compressed() >= until {
                    return Ok(false);
                }
            }
        }
        Ok(self.hash.is_none())
    }

    /// Compressed and inflated bytes done.
    pub fn progress(&self) -> (u64, u64) {
        let hashed = self.hash.as_ref().map_or(0, |(_, _, n)| *n);
        self.reader.as_ref().map_or((hashed, 0), |r| (r.compressed(), r.inflated()))
    }

    /// The hash, once it is known.
    pub fn sha256(&self) -> Option<&str> {
        self.sha256.as_deref()
    }
}

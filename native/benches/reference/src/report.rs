//! What a run was: the one JSON line the bench reads.

use std::fmt;
use std::io::{self, Read};

/// The figures of a run, printed as JSON.
pub struct Summary {
    pub records: u64,
    pub xml_bytes: u64,
    pub seconds: f64,
    pub cpu_seconds: f64,
    pub digest: String,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { records, xml_bytes, seconds, cpu_seconds, digest } = self;
        write!(f, r#"{{"records":{records},"xmlBytes":{xml_bytes},"seconds":{seconds:.6},"#)?;
        write!(f, r#""cpuSeconds":{cpu_seconds:.6},"digest":"{digest}"}}"#)
    }
}

/// Counts the bytes that pass.
pub struct CountingReader<R> {
    inner: R,
    bytes: u64,
}

impl<R> CountingReader<R> {
    pub fn new(inner: R) -> Self {
        Self { inner, bytes: 0 }
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl<R: Read> Read for CountingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.bytes += read as u64;
        Ok(read)
    }
}

/// User and system time of this process so far.
pub fn cpu_seconds() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call only writes to the struct it is handed.
    let status = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    assert_eq!(status, 0, "the process clock is always there");
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

//! Where compressed bytes come from: a file, or a pipe that can be told to stop.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::os::fd::{AsRawFd, FromRawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::fault::{Code, Fault};

/// How long a read of a pipe waits before it looks at the stop flag again, in milliseconds.
const POLL_MS: i32 = 100;

/// A readable file descriptor.
pub struct Input {
    file: File,
    /// Name for messages.
    name: String,
    /// Size in bytes, for regular files.
    pub size: Option<u64>,
    stop: Arc<AtomicBool>,
}

impl Input {
    /// Opens `path`, or file descriptor 0 if None. Raising `stop` ends waiting reads.
    pub fn open(path: Option<&str>, stop: Arc<AtomicBool>) -> Result<Self, Fault> {
        let name = path.unwrap_or("standard input").to_owned();
        let fail = |e: std::io::Error| Fault::new(Code::Unreadable, 0, format!("{name}: {e}; check the path and its permissions"));
        let file = match path {
            Some(path) => File::open(path).map_err(fail)?,
            // SAFETY: the duplicate is a descriptor of our own, so closing it leaves 0 open.
            None => unsafe {
                let fd = libc::dup(0);
                if fd < 0 {
                    return Err(fail(std::io::Error::last_os_error()));
                }
                File::from_raw_fd(fd)
            },
        };
        let meta = file.metadata().map_err(fail)?;
        if meta.is_dir() {
            return Err(Fault::new(Code::Unreadable, 0, format!("{name}: is a directory; name a dump file, or use --root")));
        }
        let size = meta.is_file().then_some(meta.len());
        Ok(Self { file, name, size, stop })
    }

    /// Another handle on the same open file.
    pub fn duplicate(&self) -> std::io::Result<File> {
        self.file.try_clone()
    }

    /// Moves to `offset` bytes from the start.
    pub fn seek(&mut self, offset: u64) -> Result<(), Fault> {
        self.file.seek(SeekFrom::Start(offset)).map(|_| ()).map_err(|e| Fault::new(Code::Unreadable, 0, format!("{}: {e}", self.name)))
    }

    /// Reads up to `buf.len()` bytes; 0 means the end.
    pub fn read(&mut self, buf: &mut [u8]) -> Result<usize, Fault> {
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return Err(Fault::new(Code::Stopped, 0, "stopped"));
            }
            if self.size.is_none() && !self.readable()? {
                continue;
            }
            match self.file.read(buf) {
                Ok(n) => return Ok(n),
                Err(e) if matches!(e.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {}
                Err(e) => return Err(Fault::new(Code::Unreadable, 0, format!("{}: {e}", self.name))),
            }
        }
    }

    /// Waits a moment for a pipe to have bytes or to end.
    fn readable(&self) -> Result<bool, Fault> {
        let mut poll = libc::pollfd { fd: self.file.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one valid pollfd on the stack.
        let n = unsafe { libc::poll(&mut poll, 1, POLL_MS) };
        if n < 0 {
            let e = std::io::Error::last_os_error();
            if e.kind() != ErrorKind::Interrupted {
                return Err(Fault::new(Code::Unreadable, 0, format!("{}: {e}", self.name)));
            }
        }
        Ok(n > 0)
    }
}

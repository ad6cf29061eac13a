//! One writer per root: a lock held by the kernel, gone with the process however it ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};

/// Takes the lock at `path` and writes who holds it there; None if it is held elsewhere.
pub fn take(path: &str, holder: &str) -> io::Result<Option<File>> {
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
    match file.try_lock() {
        Ok(()) => {
            file.set_len(0)?;
            file.write_all(holder.as_bytes())?;
            Ok(Some(file))
        }
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

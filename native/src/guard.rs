//! What a panic leaves behind: a fault of the file instead of the process's end, and locks that still guard sound data.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard};

use crate::fault::{Code, Fault};

/// A lock whose holder panicked still guards sound data: every fault ends its source.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Runs `work`; a panic becomes a fault of the file.
pub fn guarded<T>(work: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
        Err(Fault::new(Code::Internal, 0, format!("the native core panicked: {}", text.unwrap_or("no message"))))
    })
}

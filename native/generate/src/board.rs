//! The board that workers and the writer of a dump share: what is taken, made, compressed and written.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::Error;

/// A compressed piece.
pub struct Packed {
    pub bytes: Vec<u8>,
    pub crc: crc32fast::Hasher,
    pub raw: u64,
}

/// How far a run is.
#[derive(Default)]
pub struct State {
    pub next: u64,
    pub written: u64,
    pub tails: HashMap<u64, Vec<u8>>,
    pub ready: BTreeMap<u64, Packed>,
    pub failure: Option<Error>,
    stopped: bool,
}

/// What workers and writer share.
pub struct Board {
    state: Mutex<State>,
    changed: Condvar,
    pub pieces: u64,
    /// How many pieces may be under way before the first of them is written.
    pub ahead: u64,
}

impl Board {
    pub fn new(pieces: u64, ahead: u64) -> Board {
        Board { state: Mutex::default(), changed: Condvar::new(), pieces, ahead }
    }

    /// The error that stopped the run.
    pub fn failure(&self) -> Option<Error> {
        self.lock().failure.take()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `take` gives something; None once the run has stopped.
    pub fn wait<T>(&self, mut take: impl FnMut(&mut State) -> Option<T>) -> Option<T> {
        let mut state = self.lock();
        loop {
            if state.stopped {
                return None;
            }
            if let Some(value) = take(&mut state) {
                self.changed.notify_all();
                return Some(value);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub fn stop(&self, failure: Option<Error>) {
        let mut state = self.lock();
        state.stopped = true;
        if state.failure.is_none() {
            state.failure = failure;
        }
        self.changed.notify_all();
    }
}

/// Stops the others if a worker ends by a panic.
pub struct Alarm<'a>(pub &'a Board);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.stop(Some(Error::Internal("a worker panicked".into())));
        }
    }
}

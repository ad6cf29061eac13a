//! The changes of a ledger as a merge wants them: those of entries by position, created records by key.

use std::collections::VecDeque;
use std::path::Path;

use super::frame::{self, Op, Ops};
use super::log::{Frames, Parts, Upto};
use crate::fault::Fault;

/// What kind of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Updated,
    Touched,
    Held,
    Created,
}

impl Kind {
    pub const ALL: [Self; 4] = [Self::Updated, Self::Touched, Self::Held, Self::Created];

    /// What downstream has, or may have.
    pub fn is_content(self) -> bool {
        self != Self::Touched
    }
}

/// A change of one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// A key for created records, else a position.
    pub at: u64,
    pub raw: u64,
    pub hash: [u8; 16],
    pub kind: Kind,
    pub flags: u8,
}

/// Changes in some order.
pub trait Changes {
    fn next(&mut self) -> Result<Option<Change>, Fault>;
}

/// The changes of a ledger in the order of its file: all, or created records only, or all others.
pub struct InOrder {
    frames: Frames,
    some: VecDeque<Change>,
    created: Option<bool>,
    /// None: all of them count.
    parts: Option<Parts>,
}

impl InOrder {
    /// With `parts` only the changes that count.
    pub fn open(path: &Path, length: u64, created: Option<bool>, parts: Option<Parts>) -> Result<Self, Fault> {
        Ok(Self { frames: Frames::open(path, Upto::Length(length))?, some: VecDeque::new(), created, parts })
    }
}

impl Changes for InOrder {
    fn next(&mut self) -> Result<Option<Change>, Fault> {
        while self.some.is_empty() {
            let counts = self.parts.as_ref().is_none_or(|parts| parts.is_live(self.frames.offset()));
            let Some(payload) = self.frames.next_frame()? else { return Ok(None) };
            if !counts {
                continue;
            }
            if let Some(ops) = payload.strip_prefix(&[frame::PIECE])
                && !collect(Ops::new(ops), self.created, &mut self.some)
            {
                return Err(self.frames.damaged("a frame is malformed"));
            }
        }
        Ok(self.some.pop_front())
    }
}

/// False if an operation is malformed.
fn collect(ops: Ops, created: Option<bool>, out: &mut VecDeque<Change>) -> bool {
    for op in ops {
        let change = match op {
            Ok(Op::Seen { .. }) => continue,
            Ok(Op::Created { entry, .. }) => Change { at: entry.key, raw: entry.raw, hash: entry.hash, kind: Kind::Created, flags: entry.flags },
            Ok(Op::Updated { pos, entry }) => Change { at: pos, raw: entry.raw, hash: entry.hash, kind: Kind::Updated, flags: 0 },
            Ok(Op::Touched { pos, raw, hash }) => Change { at: pos, raw, hash, kind: Kind::Touched, flags: 0 },
            Ok(Op::Held { pos, raw, hash }) => Change { at: pos, raw, hash, kind: Kind::Held, flags: 0 },
            Err(_) => return false,
        };
        if created.is_none_or(|created| created == (change.kind == Kind::Created)) {
            out.push_back(change);
        }
    }
    true
}

//! The record index: what downstream has of a data type, as fingerprints by id, and the ledger of a run that changes it.
//!
//! ```text
//! key                 an id as 64 bits
//! block → file        fingerprints in columns, each block with its checksum; where everything stands in the file
//! reader → cursor     an index file, and looking entries up in it from any thread
//! writer, build       a new index file, from entries in order and from rows in any order
//! frame → log         what one piece of a dump was against the index; frames on disk
//! marks → ledger      all frames of a run: what was seen, what came twice; deletions: what is gone
//! changes → sort → merge   index and ledger to the next index
//! diff                what two generations say differently
//! ```
//!
//! An index file never changes: the next generation is a new file. Files are read, not mapped, so that a disk that fails is a fault, not a
//! signal; a block is verified whenever it is entered.

pub mod block;
pub mod build;
pub mod changes;
pub mod cursor;
pub mod deletions;
pub mod diff;
pub mod file;
pub mod frame;
pub mod key;
pub mod ledger;
pub mod log;
pub mod marks;
pub mod merge;
pub mod reader;
pub mod sort;
pub mod writer;

pub use block::{DIRTY, Entry, MULTI, UNKNOWN};
pub use cursor::{Cursor, Found};
pub use frame::Frame;
pub use key::{Key, key_of, unknown_key};
pub use ledger::Ledger;
pub use reader::Index;

//! The native core: gzip XML dumps in, canonical JSON message bodies out.
//!
//! ```text
//! input → gzip → inflate     compressed bytes to XML, checkpoints at deflate block boundaries
//!        document → scan     what stands in the file: prolog, records, faults, the end (the definition)
//!        split               the same record boundaries, found without building anything (the fast path)
//! tape → plan → emit         one well-formed record to JSON in one pass (the fast path); shapes is what both have learnt
//! tree → normalise → json    one record of any shape to JSON (the definition)
//! rules                      data quality rules and what they look for in a value
//! judge                      what they say of a record of any shape (the definition)
//! check                      the same of a record on the tape (the fast path)
//! detect                     what became of a record since the index was written, and which records are left out
//! pull                how much of a file a thread takes at once, through all of the above
//! body, hash, packed         what leaves around and beside the bytes; flagged: what the rules have found
//! wanted → look_up           single records by their ids, out of a stretch of a file
//! members → keys, derived → copy     bodies to rows of PostgreSQL; strict refuses what is no JSON
//! index               what downstream has, by id, and what a run changes of it
//! ```
//!
//! Only `binding` and its siblings `binding_*` know Node. Where there are two engines, the fast one must equal the defining one; tests see to it.

pub mod attributes;
pub mod binding;
pub mod binding_copy;
pub mod binding_generate;
pub mod binding_index;
pub mod binding_ledger;
pub mod binding_look_up;
pub mod body;
pub mod check;
pub mod contract;
pub mod copy;
pub mod derived;
pub mod detect;
pub mod document;
pub mod emit;
pub mod fault;
pub mod fields;
pub mod flagged;
pub mod guard;
pub mod gzip;
pub mod hash;
pub mod index;
pub mod inflate;
pub mod input;
pub mod json;
pub mod judge;
pub mod keys;
pub mod limits;
pub mod lock;
pub mod look_up;
pub mod members;
pub mod names;
pub mod normalise;
pub mod packed;
pub mod parse;
pub mod plan;
pub mod pull;
pub mod rules;
pub mod scan;
pub mod sha256;
pub mod shapes;
pub mod simd;
pub mod source;
pub mod split;
pub mod strict;
pub mod tape;
pub mod text;
pub mod tree;
pub mod utf8;
pub mod verify;
pub mod wanted;
pub mod write;

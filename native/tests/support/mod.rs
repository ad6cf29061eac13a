//! What the tests share: running the core over bytes, making documents, bodies and gzips, and the checks that fuzzing uses too.

#![allow(dead_code)]

pub mod bodies;
pub mod changes;
pub mod checks;
pub mod documents;
pub mod gzips;
pub mod life;
pub mod months;
pub mod random;
pub mod records;
pub mod rows;
pub mod run;
pub mod table;
pub mod targets;

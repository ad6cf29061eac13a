//! What the tests share: running the core over bytes, making documents and gzips, and the checks that fuzzing uses too.

#![allow(dead_code)]

pub mod checks;
pub mod documents;
pub mod gzips;
pub mod random;
pub mod records;
pub mod run;
pub mod targets;

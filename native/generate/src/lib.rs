//! Synthetic Discogs dumps: files shaped like the real ones, the same for the same seed, without a byte of real data.
//!
//! A record is a function of seed, type and ordinal alone; how many records there are and how many threads make them does not
//! matter. What a record draws comes from separate streams of numbers for its parts (see [`rng::Part`]), so that a later version
//! of the world can change one part and leave the others as they were.

mod artist;
mod board;
mod companies;
mod credits;
mod dump;
mod evolve;
mod label;
mod manifest;
mod master;
mod medium;
mod member;
mod packaging;
mod quantiles;
mod release;
mod rng;
mod text;
mod tracks;
mod universe;
mod values;
mod videos;
mod vocabulary;
mod words;
mod work;
mod xml;

#[cfg(test)]
mod tests;

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

pub use evolve::{EvolveOptions, Evolved, evolve};
pub use manifest::{FileEntry, Manifest};
use universe::Universe;
use xml::Xml;

/// The four kinds of dumps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataType {
    Artists,
    Labels,
    Masters,
    Releases,
}

impl DataType {
    pub const ALL: [DataType; 4] = [DataType::Artists, DataType::Labels, DataType::Masters, DataType::Releases];

    /// The name in file names and of the root element.
    pub fn plural(self) -> &'static str {
        match self {
            DataType::Artists => "artists",
            DataType::Labels => "labels",
            DataType::Masters => "masters",
            DataType::Releases => "releases",
        }
    }
}

/// How dumps of a time are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// With images, status, resource addresses and empty elements.
    Form2020,
    /// Without them, with series.
    Form2026,
}

impl Form {
    pub fn name(self) -> &'static str {
        match self {
            Form::Form2020 => "2020",
            Form::Form2026 => "2026",
        }
    }
}

/// What to generate.
#[derive(Clone, Debug)]
pub struct Options {
    pub releases: u64,
    pub artists: u64,
    pub masters: u64,
    pub labels: u64,
    pub seed: u64,
    /// Folder to write into; made if it is not there.
    pub out: PathBuf,
    /// The day of the dump as `YYYYMMDD`.
    pub version: String,
    pub form: Form,
    /// Threads to use; 0 takes as many as there are processors.
    pub threads: usize,
}

/// Why nothing was generated.
#[derive(Debug)]
pub enum Error {
    /// An option makes no sense.
    Options(String),
    /// A month that is to evolve is not there.
    Missing(String),
    /// A month that is to evolve cannot be read, or is not what it should be.
    Source(String),
    /// A file could not be written.
    Io { path: PathBuf, error: io::Error },
    /// The compressor failed.
    Deflate(String),
    /// A bug.
    Internal(String),
}

impl Error {
    fn io(path: &Path, error: io::Error) -> Error {
        Error::Io { path: path.to_path_buf(), error }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Error::Options(text) | Error::Missing(text) | Error::Source(text) => write!(out, "{text}"),
            Error::Io { path, error } => write!(out, "cannot write {}: {error}; check that the folder can be written and has space", path.display()),
            Error::Deflate(text) => write!(out, "compression failed: {text}"),
            Error::Internal(text) => write!(out, "internal error: {text}"),
        }
    }
}

impl std::error::Error for Error {}

fn record(u: &Universe, kind: DataType, ordinal: u64, xml: &mut Xml) {
    match kind {
        DataType::Artists => artist::write(u, xml, ordinal),
        DataType::Labels => label::write(u, xml, ordinal),
        DataType::Masters => master::write(u, xml, ordinal),
        DataType::Releases => release::write(u, xml, ordinal),
    }
}

fn publish(folder: &Path, name: &str, text: &str) -> Result<(), Error> {
    let target = folder.join(name);
    let partial = folder.join(format!("{name}.partial"));
    fs::write(&partial, text).map_err(|error| Error::io(&partial, error))?;
    fs::rename(&partial, &target).map_err(|error| Error::io(&target, error))
}

fn is_version(text: &str) -> bool {
    text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn threads(wanted: usize) -> usize {
    if wanted > 0 { wanted } else { std::thread::available_parallelism().map_or(1, |count| count.get()) }
}

/// Writes the dumps of all types that have records, then checksums and manifest; `progress` gets the bytes of XML written so far.
pub fn generate(options: &Options, progress: &(dyn Fn(u64) + Sync)) -> Result<Manifest, Error> {
    let counts = [
        (DataType::Artists, options.artists),
        (DataType::Labels, options.labels),
        (DataType::Masters, options.masters),
        (DataType::Releases, options.releases),
    ];
    if !is_version(&options.version) {
        return Err(Error::Options(format!("version {:?} is not a date like 20260801", options.version)));
    }
    if counts.iter().all(|count| count.1 == 0) {
        return Err(Error::Options("nothing to generate: give a number of releases, artists, masters or labels".into()));
    }
    let threads = threads(options.threads);
    fs::create_dir_all(&options.out).map_err(|error| Error::io(&options.out, error))?;
    let universe = Universe::new(options.seed, options.form);
    let run = dump::Run { universe: &universe, folder: &options.out, version: &options.version, threads, progress };
    let mut manifest = Manifest { version: options.version.clone(), seed: options.seed, form: options.form, files: Vec::new() };
    let mut done = 0;
    for (kind, count) in counts.into_iter().filter(|count| count.1 > 0) {
        let entry = dump::write(&run, kind, count, done)?;
        done += entry.xml_bytes;
        manifest.files.push(entry);
    }
    publish(&options.out, &format!("discogs_{}_manifest.json", options.version), &manifest.to_json())?;
    // Last, as with the real dumps: who sees it may take the version for complete.
    publish(&options.out, &format!("discogs_{}_CHECKSUM.txt", options.version), &manifest.to_checksums())?;
    Ok(manifest)
}

//! Months in folders: which dumps there are, and how they were made.

use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;

use super::records::Records;
use crate::{DataType, Error, Form, is_version, member};

/// One month in a folder.
pub struct Month {
    pub version: String,
    folder: PathBuf,
    kinds: Vec<DataType>,
    pub form: Form,
    /// Effort of deflate that its files were made with.
    pub level: u32,
}

impl Month {
    /// The newest month in a folder, of those older than `before` if that is given.
    pub fn open(folder: &Path, before: Option<&str>) -> Result<Month, Error> {
        let entries = fs::read_dir(folder).map_err(|error| Error::Missing(format!("{}: cannot be read: {error}", folder.display())))?;
        let mut found: Vec<(String, DataType)> = Vec::new();
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let Some((version, rest)) = name.strip_prefix("discogs_").and_then(|rest| rest.split_once('_')) else { continue };
            let kind = DataType::ALL.into_iter().find(|kind| rest.strip_suffix(".xml.gz") == Some(kind.plural()));
            if let (Some(kind), true) = (kind, is_version(version)) {
                found.push((version.to_owned(), kind));
            }
        }
        let version = found.iter().map(|dump| dump.0.clone()).filter(|version| before.is_none_or(|before| version.as_str() < before)).max();
        let Some(version) = version else {
            let older = before.map_or(String::new(), |before| format!(" older than {before}"));
            return Err(Error::Missing(format!("{}: no dump{older} is there; give a folder that `deadwax generate` wrote", folder.display())));
        };
        let kinds = DataType::ALL.into_iter().filter(|&kind| found.contains(&(version.clone(), kind))).collect();
        let path = folder.join(format!("discogs_{version}_manifest.json"));
        let manifest = fs::read_to_string(&path).map_err(|error| Error::Source(format!("{}: cannot be read: {error}", path.display())))?;
        let form = if manifest.contains("\"form\": \"2020\"") { Form::Form2020 } else { Form::Form2026 };
        let digit = manifest.split_once("\"deflateLevel\": ").and_then(|(_, rest)| rest.chars().next()?.to_digit(10));
        Ok(Month { version, folder: folder.to_path_buf(), kinds, form, level: digit.unwrap_or(member::LEVEL) })
    }

    /// The types that have a dump.
    pub fn kinds(&self) -> &[DataType] {
        &self.kinds
    }

    /// Calls `each` for every record of a type, in order; nothing if there is no dump of it.
    pub fn each(&self, kind: DataType, mut each: impl FnMut(u64, &[u8]) -> Result<(), Error>) -> Result<(), Error> {
        if !self.kinds.contains(&kind) {
            return Ok(());
        }
        let mut reader = self.reader(kind)?;
        while let Some((id, xml)) = reader.next()? {
            each(id, xml)?;
        }
        Ok(())
    }

    /// The records of a type, in order.
    pub fn reader(&self, kind: DataType) -> Result<Reader, Error> {
        let path = self.folder.join(format!("discogs_{}_{}.xml.gz", self.version, kind.plural()));
        let file = File::open(&path).map_err(|error| Error::Source(format!("{}: cannot be read: {error}", path.display())))?;
        Ok(Reader { records: Records::new(GzDecoder::new(BufReader::with_capacity(1 << 16, file)), kind.plural()), path })
    }
}

/// A dump that is being read.
pub struct Reader {
    records: Records<GzDecoder<BufReader<File>>>,
    path: PathBuf,
}

impl Reader {
    /// Id and bytes of the next record.
    pub fn next(&mut self) -> Result<Option<(u64, &[u8])>, Error> {
        let path = &self.path;
        match self.records.next() {
            Ok(record) => Ok(record.map(|record| (record.id, record.xml))),
            Err(problem) => Err(Error::Source(format!("{}: {problem}", path.display()))),
        }
    }
}

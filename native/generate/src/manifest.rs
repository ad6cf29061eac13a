//! What a run has written, as data, as JSON and as a checksum file.

use std::fmt::Write;

use crate::{DataType, Form};

/// One dump file.
#[derive(Clone, Debug, PartialEq)]
pub struct FileEntry {
    pub kind: DataType,
    pub file: String,
    pub records: u64,
    pub xml_bytes: u64,
    pub gz_bytes: u64,
    /// Of the compressed file, in lower-case hex.
    pub sha256: String,
    pub first_id: u64,
    pub last_id: u64,
}

/// All that a run has written.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    pub version: String,
    pub seed: u64,
    pub form: Form,
    pub files: Vec<FileEntry>,
}

impl Manifest {
    /// The manifest as JSON, ending with LF; every text in it is plain ASCII.
    pub fn to_json(&self) -> String {
        let mut json = String::new();
        let _ = write!(json, "{{\n  \"version\": \"{}\",\n  \"seed\": {},\n  \"form\": \"{}\",\n  \"types\": {{", self.version, self.seed, self.form.name());
        for (number, entry) in self.files.iter().enumerate() {
            let comma = if number > 0 { "," } else { "" };
            let _ = write!(
                json,
                "{comma}\n    \"{}\": {{ \"file\": \"{}\", \"records\": {}, \"xmlBytes\": {}, \"gzBytes\": {}, \"sha256\": \"{}\", \"firstId\": {}, \"lastId\": {} }}",
                entry.kind.plural(),
                entry.file,
                entry.records,
                entry.xml_bytes,
                entry.gz_bytes,
                entry.sha256,
                entry.first_id,
                entry.last_id
            );
        }
        json.push_str("\n  }\n}\n");
        json
    }

    /// The lines of the `CHECKSUM` file.
    pub fn to_checksums(&self) -> String {
        self.files.iter().fold(String::new(), |mut lines, entry| {
            let _ = writeln!(lines, "{} {}", entry.sha256, entry.file);
            lines
        })
    }
}

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

impl FileEntry {
    /// The members of the entry's JSON object.
    pub fn to_members(&self) -> String {
        format!(
            "\"file\": \"{}\", \"records\": {}, \"xmlBytes\": {}, \"gzBytes\": {}, \"sha256\": \"{}\", \"firstId\": {}, \"lastId\": {}",
            self.file, self.records, self.xml_bytes, self.gz_bytes, self.sha256, self.first_id, self.last_id
        )
    }

    /// The file's line in a `CHECKSUM` file.
    pub fn to_checksum(&self) -> String {
        format!("{} {}\n", self.sha256, self.file)
    }
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
            let _ = write!(json, "{comma}\n    \"{}\": {{ {} }}", entry.kind.plural(), entry.to_members());
        }
        json.push_str("\n  }\n}\n");
        json
    }

    /// The lines of the `CHECKSUM` file.
    pub fn to_checksums(&self) -> String {
        self.files.iter().map(FileEntry::to_checksum).collect()
    }
}

//! What was written and done, as data and as JSON.

use std::fmt::Write;

use super::month::Counts;
use super::spec::Change;
use crate::Form;
use crate::manifest::FileEntry;

/// A month that was made from another one.
#[derive(Clone, Debug)]
pub struct Evolved {
    pub version: String,
    /// The version it was made from.
    pub from: String,
    pub seed: u64,
    pub form: Form,
    pub level: u32,
    pub is_shuffled: bool,
    pub files: Vec<(FileEntry, Counts)>,
}

impl Evolved {
    /// The manifest as JSON: like that of a month that was generated, with the changes of each type.
    pub fn to_json(&self) -> String {
        let Evolved { version, from, seed, level, is_shuffled, .. } = self;
        let mut json = format!("{{\n  \"version\": \"{version}\",\n  \"from\": \"{from}\",\n  \"seed\": {seed},\n  \"form\": \"{}\",\n", self.form.name());
        let _ = write!(json, "  \"deflateLevel\": {level},\n  \"isShuffled\": {is_shuffled},\n  \"types\": {{");
        for (number, (entry, counts)) in self.files.iter().enumerate() {
            let changes = Change::ALL.map(|change| format!("\"{}\": {}", change.name(), counts.get(&change).unwrap_or(&0))).join(", ");
            let comma = if number > 0 { "," } else { "" };
            let _ = write!(json, "{comma}\n    \"{}\": {{ {}, \"changes\": {{ {changes} }} }}", entry.kind.plural(), entry.to_members());
        }
        json.push_str("\n  }\n}\n");
        json
    }
}

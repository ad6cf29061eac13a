//! What the rules have found in a piece: lines for two logs, and the records themselves as files (spec of the record contract, 4.3).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::json::write_string;
use crate::judge::Hit;
use crate::rules::{Severity, Skip, TypeRules};
use crate::tree::{Map, Value};

/// Longest name of a record's files without their endings, in bytes: file systems take 255.
const FILE_NAME_BYTES_MAX: usize = 200;

/// Bytes of a record beyond which it is not kept as files; its lines name them all the same.
pub const KEPT_BYTES_MAX: usize = 16 << 20;

/// A record as it is kept beside the logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlaggedFile {
    /// Without an ending.
    pub name: String,
    /// As it was parsed.
    pub xml: String,
    /// As it is behind the filters.
    pub json: String,
}

/// One flagged record: how much of the piece's lines and files there is up to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Bodies of the piece before the record.
    pub bodies: u32,
    pub is_skip: bool,
    pub violation_bytes: u32,
    pub skip_bytes: u32,
    pub files: u32,
}

/// The flagged records of one piece.
#[derive(Default)]
pub struct Flagged {
    /// JSON objects, one a line.
    pub violations: Vec<u8>,
    pub skips: Vec<u8>,
    pub files: Vec<FlaggedFile>,
    pub marks: Vec<Mark>,
    /// Violations by the number of the rule; empty if there are none.
    pub hits: Vec<u32>,
    /// When the first of them was found.
    time: String,
}

/// What is kept of a record: how it was parsed and what became of it.
pub struct Kept<'a> {
    pub name: &'static [u8],
    pub parsed: &'a Map,
    pub filtered: &'a Map,
}

impl Flagged {
    pub fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }

    /// Takes down a record that is skipped.
    pub fn skip(&mut self, bodies: u32, id: &str, skip: &Skip, value: &str, kept: Option<&Kept>) {
        self.stamp();
        let file = file_name(id);
        line(
            &mut self.skips,
            &[
                ("field", &skip.field),
                ("field_value", value),
                ("json_file", &format!("{file}.json")),
                ("reason", &skip.reason),
                ("record_id", id),
                ("timestamp", &self.time),
                ("xml_file", &format!("{file}.xml")),
            ],
        );
        if let Some(kept) = kept {
            self.keep(file, kept);
        }
        self.mark(bodies, true);
    }

    /// Takes down what the rules report of a record; it is kept as files if that is more than an information.
    pub fn violations(&mut self, bodies: u32, id: &str, rules: &TypeRules, hits: &[Hit], kept: Option<&Kept>) {
        self.stamp();
        let file = file_name(id);
        self.hits.resize(rules.rules.len(), 0);
        let (json_file, xml_file) = (format!("{file}.json"), format!("{file}.xml"));
        for (i, value) in hits {
            let rule = &rules.rules[*i];
            self.hits[*i] += 1;
            line(
                &mut self.violations,
                &[
                    ("field", &rule.field),
                    ("field_value", value),
                    ("json_file", &json_file),
                    ("record_id", id),
                    ("rule", &rule.name),
                    ("severity", rule.severity.as_str()),
                    ("timestamp", &self.time),
                    ("xml_file", &xml_file),
                ],
            );
        }
        if let Some(kept) = kept {
            self.keep(file, kept);
        }
        self.mark(bodies, false);
    }

    fn keep(&mut self, name: String, kept: &Kept) {
        let (mut xml, mut json) = (String::new(), Vec::new());
        write_xml(&String::from_utf8_lossy(kept.name), &kept.parsed_value(), &mut xml);
        write_pretty(&Value::Object(kept.filtered.clone()), 0, &mut json);
        self.files.push(FlaggedFile { name, xml, json: String::from_utf8_lossy(&json).into_owned() });
    }

    fn mark(&mut self, bodies: u32, is_skip: bool) {
        let (violation_bytes, skip_bytes, files) = (self.violations.len() as u32, self.skips.len() as u32, self.files.len() as u32);
        self.marks.push(Mark { bodies, is_skip, violation_bytes, skip_bytes, files });
    }

    fn stamp(&mut self) {
        if self.time.is_empty() {
            self.time = rfc3339(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default());
        }
    }
}

impl Kept<'_> {
    fn parsed_value(&self) -> Value {
        Value::Object(self.parsed.clone())
    }
}

/// Whether a record with these violations is kept as files.
pub fn keeps_record(rules: &TypeRules, hits: &[Hit], record: &[u8]) -> bool {
    record.len() <= KEPT_BYTES_MAX && hits.iter().any(|(i, _)| rules.rules[*i].severity != Severity::Info)
}

/// Appends an object with text members, in the order given, and a LF.
fn line(out: &mut Vec<u8>, members: &[(&str, &str)]) {
    for (i, (key, value)) in members.iter().enumerate() {
        out.push(if i == 0 { b'{' } else { b',' });
        write_string(key, out);
        out.push(b':');
        write_string(value, out);
    }
    out.extend_from_slice(b"}\n");
}

/// The name of a record's files: of its id what is safe in one.
pub fn file_name(id: &str) -> String {
    let kept: String = id.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')).collect();
    let mut name = kept.replace("..", "_");
    name.truncate(FILE_NAME_BYTES_MAX);
    name
}

/// The element that a value was, without indentation: attributes and children in the order of their names.
fn write_xml(name: &str, value: &Value, out: &mut String) {
    if let Value::Array(items) = value {
        items.iter().for_each(|item| write_xml(name, item, out));
        return;
    }
    out.push('<');
    out.push_str(name);
    let Value::Object(map) = value else {
        out.push('>');
        if let Value::String(text) = value {
            escape(text, out);
        }
        return end(name, out);
    };
    let text = |value: &Value, out: &mut String| {
        if let Value::String(text) = value {
            escape(text, out);
        }
    };
    for (key, value) in map {
        let Some(attribute) = key.strip_prefix('@') else { continue };
        out.push(' ');
        out.push_str(attribute);
        out.push_str("=\"");
        text(value, out);
        out.push('"');
    }
    out.push('>');
    for (key, value) in map {
        match key.as_str() {
            "#text" => text(value, out),
            key if key.starts_with('@') => {}
            key => write_xml(key, value, out),
        }
    }
    end(name, out);
}

fn end(name: &str, out: &mut String) {
    out.push_str("</");
    out.push_str(name);
    out.push('>');
}

fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\'' => out.push_str("&apos;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
}

/// JSON with one member or item a line, two blanks deeper at each level.
fn write_pretty(value: &Value, depth: usize, out: &mut Vec<u8>) {
    let line = |out: &mut Vec<u8>, first: bool, depth: usize| {
        out.extend_from_slice(if first { b"\n" } else { b",\n" });
        out.resize(out.len() + 2 * depth, b' ');
    };
    match value {
        Value::Array(items) if !items.is_empty() => {
            out.push(b'[');
            for (i, item) in items.iter().enumerate() {
                line(out, i == 0, depth + 1);
                write_pretty(item, depth + 1, out);
            }
            line(out, true, depth);
            out.push(b']');
        }
        Value::Object(map) if !map.is_empty() => {
            out.push(b'{');
            for (i, (key, item)) in map.iter().enumerate() {
                line(out, i == 0, depth + 1);
                write_string(key, out);
                out.extend_from_slice(b": ");
                write_pretty(item, depth + 1, out);
            }
            line(out, true, depth);
            out.push(b'}');
        }
        other => crate::json::write_value(other, out),
    }
}

/// A moment in UTC, with its offset spelled out.
fn rfc3339(since_1970: Duration) -> String {
    const DAY_SECONDS: u64 = 86_400;
    let (days, second) = (since_1970.as_secs() / DAY_SECONDS, since_1970.as_secs() % DAY_SECONDS);
    // The civil calendar in years that begin in March, of 400 of which each has the same days.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:09}+00:00", since_1970.subsec_nanos())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00.000000007+00:00"),
            (951_782_400, "2000-02-29T00:00:00.000000007+00:00"),
            (951_868_800, "2000-03-01T00:00:00.000000007+00:00"),
            (1_785_542_399, "2026-07-31T23:59:59.000000007+00:00"),
            (4_107_542_400, "2100-03-01T00:00:00.000000007+00:00"),
        ] {
            assert_eq!(rfc3339(Duration::new(seconds, 7)), text);
        }
    }

    #[test]
    fn names_of_files_are_safe() {
        for (id, name) in
            [("7", "7"), ("../../etc/passwd", "__etcpasswd"), ("a..b", "a_b"), ("...", "_."), ("a b\u{e9}/\0", "ab"), ("-_.Z9", "-_.Z9"), ("", "")]
        {
            assert_eq!(file_name(id), name, "{id:?}");
        }
        assert_eq!(file_name(&"x".repeat(1000)).len(), FILE_NAME_BYTES_MAX);
    }

    #[test]
    fn a_record_is_written_as_it_was_and_as_it_is() {
        let text = |s: &str| Value::String(s.to_owned());
        let object = |members: &[(&str, Value)]| members.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect::<Map>();
        let map = object(&[
            ("@id", text("1\"")),
            ("#text", text("a<b")),
            ("n", Value::Array(vec![Value::Null, text("it's"), Value::Object(object(&[("@k", text("&"))]))])),
            ("e", Value::Object(Map::new())),
            ("l", Value::Array(Vec::new())),
        ]);
        let mut flagged = Flagged::default();
        let kept = Kept { name: b"label", parsed: &map, filtered: &map };
        let skip = Skip { field: "n".to_owned(), contains: crate::rules::Contains::new(""), reason: "r\"".to_owned() };
        flagged.skip(3, "1", &skip, "v\n", Some(&kept));
        let file = &flagged.files[0];
        assert_eq!(file.xml, r#"<label id="1&quot;">a&lt;b<e></e><n></n><n>it&apos;s</n><n k="&amp;"></n></label>"#);
        let json = "{\n  \"#text\": \"a<b\",\n  \"@id\": \"1\\\"\",\n  \"e\": {},\n  \"l\": [],\n  \"n\": [\n    null,\n    \"it's\",\n    {\n      \"@k\": \"&\"\n    }\n  ]\n}";
        assert_eq!(file.json, json);
        let line = String::from_utf8(flagged.skips.clone()).expect("UTF-8");
        let (before, behind) =
            (r#"{"field":"n","field_value":"v\n","json_file":"1.json","reason":"r\"","record_id":"1","timestamp":""#, "\",\"xml_file\":\"1.xml\"}\n");
        assert!(line.starts_with(before) && line.ends_with(behind), "{line}");
        assert_eq!(flagged.marks, [Mark { bodies: 3, is_skip: true, violation_bytes: 0, skip_bytes: line.len() as u32, files: 1 }]);
    }
}

//! Data quality rules, compiled: which field they look at, and what they look for in its values.
//!
//! The file was read and checked by the caller; what comes here is JSON with nothing left out but what may be (spec of the record
//! contract, 4.1). What they do with a record is said in [`crate::judge`].

use std::collections::BTreeMap;

use memchr::memmem;
use regex::bytes::{Regex as BytesRegex, RegexBuilder as BytesRegexBuilder};
use regex::{Regex, RegexBuilder};
use serde_json::Value as Json;

use crate::contract::DataType;

/// Most bytes of one compiled pattern; a larger one is refused.
const PATTERN_BYTES_MAX: usize = 10 << 20;
/// Bytes that a thread keeps to run one pattern fast; with less it runs slower.
const PATTERN_CACHE_BYTES: usize = 1 << 20;
/// Groups in groups of a pattern; deeper ones are refused.
const PATTERN_DEPTH_MAX: u32 = 100;

/// The rules of one file.
#[derive(Debug, Default)]
pub struct Rules {
    types: [TypeRules; DataType::ALL.len()],
}

impl Rules {
    pub fn of(&self, data_type: DataType) -> &TypeRules {
        &self.types[place(data_type)]
    }
}

fn place(data_type: DataType) -> usize {
    DataType::ALL.iter().position(|&t| t == data_type).unwrap_or(0)
}

/// The rules of one data type. A clone runs its patterns without waiting for other threads.
#[derive(Clone, Debug, Default)]
pub struct TypeRules {
    pub skips: Vec<Skip>,
    pub filters: Vec<Filter>,
    pub rules: Vec<Rule>,
}

impl TypeRules {
    pub fn is_empty(&self) -> bool {
        self.skips.is_empty() && self.filters.is_empty() && self.rules.is_empty()
    }
}

/// Records that are not delivered.
#[derive(Clone, Debug)]
pub struct Skip {
    pub field: String,
    pub contains: Contains,
    pub reason: String,
}

/// Values that are changed.
#[derive(Clone, Debug)]
pub struct Filter {
    pub field: String,
    pub change: Change,
}

#[derive(Clone, Debug)]
pub enum Change {
    /// Text that matches goes.
    Remove(Regex),
    /// A number outside becomes null.
    Nullify(Bounds),
}

/// Values that are reported.
#[derive(Clone, Debug)]
pub struct Rule {
    pub name: String,
    pub field: String,
    pub condition: Condition,
    pub severity: Severity,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    Error,
    Warning,
    Info,
}

impl Severity {
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "info",
        }
    }
}

#[derive(Clone, Debug)]
pub enum Condition {
    Required,
    Range(Bounds),
    Pattern(Regex),
    Length { min: usize, max: usize },
    Enum(Vec<String>),
}

impl Condition {
    /// Whether a value is reported; a field without values only by `Required`.
    pub fn fires(&self, value: &str) -> bool {
        match self {
            Condition::Required => value.is_empty(),
            Condition::Range(bounds) => value.parse().is_ok_and(|number| bounds.exclude(number)),
            Condition::Pattern(pattern) => pattern.is_match(value),
            Condition::Length { min, max } => {
                // Characters are one to four bytes, so that most values need not be counted.
                let bytes = value.len();
                if bytes <= *max && bytes / 4 >= *min {
                    return false;
                }
                let characters = value.chars().count();
                characters < *min || characters > *max
            }
            Condition::Enum(values) => !values.iter().any(|known| known == value),
        }
    }
}

/// Numbers from `min` to `max`.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub min: f64,
    pub max: f64,
}

impl Bounds {
    /// Whether a number lies outside; one that is none never does.
    pub fn exclude(&self, number: f64) -> bool {
        number < self.min || number > self.max
    }

    /// The same of a value with a number or with one in front, such as the year of a date.
    pub fn exclude_leading(&self, value: &str) -> bool {
        let leading = || value.split(['-', '/', '.', ' ', 'T']).next().unwrap_or("");
        value.parse().or_else(|_| leading().parse()).is_ok_and(|number| self.exclude(number))
    }
}

/// Text that is looked for in any case.
#[derive(Clone, Debug)]
pub struct Contains {
    lower: String,
    /// For an ASCII text.
    ascii: Option<BytesRegex>,
}

impl Contains {
    pub fn new(text: &str) -> Self {
        let lower = text.to_lowercase();
        let pattern = || BytesRegexBuilder::new(&regex::escape(&lower)).case_insensitive(true).unicode(false).build().ok();
        let ascii = if lower.is_ascii() { pattern() } else { None };
        Self { lower, ascii }
    }

    /// Whether `value`, in lower case, has the text in it.
    pub fn is_in(&self, value: &str) -> bool {
        /// The characters beyond ASCII whose lower case is ASCII or begins with it: the Kelvin sign and the dotted capital I.
        const FOLDING: [&[u8]; 2] = ["\u{212a}".as_bytes(), "\u{130}".as_bytes()];
        match &self.ascii {
            None => value.to_lowercase().contains(&self.lower),
            Some(ascii) => {
                let folds = || !value.is_ascii() && FOLDING.iter().any(|c| memmem::find(value.as_bytes(), c).is_some());
                ascii.is_match(value.as_bytes()) || (folds() && value.to_lowercase().contains(&self.lower))
            }
        }
    }
}

/// Compiles the rules of a file, or says everything that is wrong with them, each with its place in the file.
pub fn compile(json: &str) -> Result<Rules, Vec<String>> {
    let file: Json = serde_json::from_str(json).map_err(|e| vec![e.to_string()])?;
    let mut problems = Vec::new();
    let mut rules = Rules::default();
    for data_type in DataType::ALL {
        let of = |kind: &'static str| -> Vec<Entry> {
            let list = file[kind][data_type.as_str()].as_array().map_or(&[][..], Vec::as_slice);
            list.iter().enumerate().map(|(i, json)| Entry { json, place: format!("{kind}.{}[{i}]", data_type.as_str()) }).collect()
        };
        let into = &mut rules.types[place(data_type)];
        into.skips = kept(of("skip_records").iter().map(Entry::skip), &mut problems);
        into.filters = kept(of("filters").iter().map(Entry::filter), &mut problems);
        into.rules = kept(of("rules").iter().map(Entry::rule), &mut problems);
    }
    if problems.is_empty() { Ok(rules) } else { Err(problems) }
}

fn kept<T>(results: impl Iterator<Item = Result<T, String>>, problems: &mut Vec<String>) -> Vec<T> {
    results.filter_map(|result| result.map_err(|problem| problems.push(problem)).ok()).collect()
}

/// One entry of a list.
struct Entry<'a> {
    json: &'a Json,
    place: String,
}

impl Entry<'_> {
    fn text(&self, json: &Json, key: &str) -> Result<String, String> {
        json[key].as_str().map(str::to_owned).ok_or_else(|| format!("{}: has no {key}", self.place))
    }

    fn skip(&self) -> Result<Skip, String> {
        let text = |key| self.text(self.json, key);
        Ok(Skip { field: text("field")?, contains: Contains::new(&text("contains")?), reason: text("reason")? })
    }

    fn filter(&self) -> Result<Filter, String> {
        let change = match self.json.get("nullify_when") {
            Some(when) => Change::Nullify(bounds(when, "below", "above")),
            None => Change::Remove(self.pattern(self.json, "remove_matching")?),
        };
        Ok(Filter { field: self.text(self.json, "field")?, change })
    }

    fn rule(&self) -> Result<Rule, String> {
        let condition = &self.json["condition"];
        let size = |key: &str| condition[key].as_u64().map(|n| n as usize);
        let condition = match self.text(condition, "type")?.as_str() {
            "required" => Condition::Required,
            "range" => Condition::Range(bounds(condition, "min", "max")),
            "regex" => Condition::Pattern(self.pattern(condition, "pattern")?),
            "length" => Condition::Length { min: size("min").unwrap_or(0), max: size("max").unwrap_or(usize::MAX) },
            "enum" => {
                Condition::Enum(condition["values"].as_array().map_or(&[][..], Vec::as_slice).iter().filter_map(|v| v.as_str().map(str::to_owned)).collect())
            }
            other => return Err(format!("{}: there is no condition {other}", self.place)),
        };
        let severity = match self.text(self.json, "severity")?.as_str() {
            "error" => Severity::Error,
            "warning" => Severity::Warning,
            "info" => Severity::Info,
            other => return Err(format!("{}: there is no severity {other}", self.place)),
        };
        Ok(Rule { name: self.text(self.json, "name")?, field: self.text(self.json, "field")?, condition, severity })
    }

    fn pattern(&self, json: &Json, key: &str) -> Result<Regex, String> {
        let text = self.text(json, key)?;
        RegexBuilder::new(&text).size_limit(PATTERN_BYTES_MAX).dfa_size_limit(PATTERN_CACHE_BYTES).nest_limit(PATTERN_DEPTH_MAX).build().map_err(|error| {
            // What is wrong stands in the last line, below a drawing of where.
            let message = error.to_string();
            let what = message.lines().last().unwrap_or("").trim_start_matches("error: ");
            format!("{}: {key} {text:?}: {what}", self.place)
        })
    }
}

fn bounds(json: &Json, min: &str, max: &str) -> Bounds {
    Bounds { min: json[min].as_f64().unwrap_or(f64::NEG_INFINITY), max: json[max].as_f64().unwrap_or(f64::INFINITY) }
}

/// The numbers of fields that are looked at, each once: fields by number, and the number of each use in order.
pub fn numbered<'a>(fields: impl Iterator<Item = &'a str>) -> (Vec<&'a str>, Vec<usize>) {
    let mut known: BTreeMap<&str, usize> = BTreeMap::new();
    let mut list = Vec::new();
    let uses = fields.map(|field| {
        *known.entry(field).or_insert_with(|| {
            list.push(field);
            list.len() - 1
        })
    });
    let uses = uses.collect();
    (list, uses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_two_characters_beyond_ascii_fold_into_it() {
        let folding: Vec<char> = ('\u{80}'..=char::MAX).filter(|c| c.to_lowercase().any(|l| l.is_ascii())).collect();
        assert_eq!(folding, ['\u{130}', '\u{212a}']);
    }

    #[test]
    fn text_is_found_in_any_case() {
        for (text, value, is_in) in [
            ("do not use", "[b]DO NOT USE.[/b]", true),
            ("DO NOT", "do not", true),
            ("do not", "do  not", false),
            ("", "", true),
            ("k", "\u{212a}", true),
            ("i", "\u{130}", true),
            ("kilo", "\u{e9} \u{212a}ilo", true),
            ("\u{c4}", "b\u{e4}r", true),
            ("a.c", "abc", false),
            ("\u{3a3}", "\u{3c3}", true),
        ] {
            assert_eq!(Contains::new(text).is_in(value), is_in, "{text:?} in {value:?}");
        }
    }

    #[test]
    fn numbers_are_read_whole_or_from_the_front() {
        let bounds = Bounds { min: 1900.0, max: 2000.0 };
        for out in ["0", "1899-12-01", "2001", "1e9", "inf", "-inf", "2005T00", "1850/2", "0000", "+1", "3.5"] {
            assert!(bounds.exclude_leading(out), "{out}");
        }
        for inside in ["1900", "2000", "1950-01", "nan", "", "?", "c1850", " 1850", "1950.5", "-", "1 850x1950"] {
            assert_eq!(bounds.exclude_leading(inside), inside == "1 850x1950", "{inside}");
        }
    }

    #[test]
    fn conditions_fire_for_what_they_exclude() {
        let length = Condition::Length { min: 2, max: 3 };
        for (value, fires) in [("a", true), ("ab", false), ("\u{e9}\u{1f3b5}x", false), ("abcd", true), ("", true)] {
            assert_eq!(length.fires(value), fires, "{value}");
        }
        let range = Condition::Range(Bounds { min: 1.0, max: f64::INFINITY });
        for (value, fires) in [("0", true), ("-1e3", true), ("1", false), ("0-1", false), ("", false), ("nan", false), ("-inf", true)] {
            assert_eq!(range.fires(value), fires, "{value}");
        }
        assert!(Condition::Enum(vec!["a".to_owned()]).fires("A") && !Condition::Enum(vec!["a".to_owned()]).fires("a"));
        assert!(Condition::Required.fires("") && !Condition::Required.fires(" "));
    }
}

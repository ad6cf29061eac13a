//! Data quality rules: what each of them does to a record, and that the fast path agrees with the definition about it.
//!
//! `DEADWAX_CASES` sets the number of cases, `DEADWAX_SEED` repeats a run.

mod support;

use std::cell::Cell;
use std::sync::Arc;

use deadwax_native::contract::{Contract, DataType};
use deadwax_native::rules::{Rules, compile};
use serde_json::{Value, json};
use support::checks::rules_do_not_depend_on_the_way;
use support::documents;
use support::random::{Rng, cases, for_all, seed};
use support::run::{Outcome, Setup, run};

const CASES: usize = 400;

/// Rules for as long as the tests run.
fn leaked(rules: &Value) -> &'static Arc<Rules> {
    Box::leak(Box::new(Arc::new(compile(&rules.to_string()).unwrap_or_else(|e| panic!("{e:?}")))))
}

/// Runs records, both ways.
fn outcome(data_type: DataType, records: &str, rules: &Value) -> Outcome {
    let root = data_type.as_str();
    let setup = Setup { rules: Some(leaked(rules)), ..Setup::new(data_type, Contract::Fanout) };
    let xml = format!("<{root}>\n{records}\n</{root}>");
    let fast = run(xml.as_bytes(), &setup);
    assert_eq!(fast, run(xml.as_bytes(), &Setup { by_definition: true, ..setup }), "fast | definition: {records}");
    assert_eq!(fast.fault, None);
    fast
}

/// What stands behind the hash of the first body.
fn first_body(outcome: &Outcome) -> String {
    let body = String::from_utf8(outcome.bodies[0].clone()).expect("UTF-8");
    let at = body.find("\"sha256\":").expect("a hash");
    format!("{{{}", body[at + 76..].trim_end())
}

/// The values that one rule reports of one release.
fn reported(inner: &str, field: &str, condition: Value) -> Vec<String> {
    let rules = json!({"rules": {"releases": [{"name": "r", "field": field, "condition": condition, "severity": "info"}]}});
    let outcome = outcome(DataType::Releases, &format!("<release id=\"1\" status=\"\">{inner}</release>"), &rules);
    let value = |line: &String| serde_json::from_str::<Value>(line).expect("JSON")["field_value"].as_str().expect("text").to_owned();
    outcome.violations.iter().map(value).collect()
}

/// The record behind one filter.
fn filtered(inner: &str, filter: Value) -> String {
    let outcome = outcome(DataType::Releases, &format!("<release id=\"1\">{inner}</release>"), &json!({"filters": {"releases": [filter]}}));
    first_body(&outcome)
}

#[test]
fn fields_lead_through_objects_and_arrays() {
    let every = || json!({"type": "regex", "pattern": ""});
    for (inner, field, values) in [
        ("<a>x</a>", "a", vec!["x"]),
        ("<a>x</a><a>y</a>", "a", vec!["x", "y"]),
        ("<a/>", "a", vec![""]),
        ("<a> </a>", "a", vec![""]),
        ("<a>&#32;</a>", "a", vec![""]),
        ("<a> x &amp; &nbsp; </a>", "a", vec![" x & &nbsp; "]),
        ("<a><b>x</b></a>", "a", vec![]),
        ("<a><b>x</b></a>", "a.b", vec!["x"]),
        ("<a><b>x</b><b/></a><c/><a><b>y</b></a>", "a.b", vec!["x", "", "y"]),
        ("<a><b>x</b></a>", "a.b.c", vec![]),
        ("<a><b>x</b><b>y</b></a>", "a.0", vec![]),
        ("<a><b>x</b><b>y</b></a>", "a.b.0", vec![]),
        ("<a k='v&lt;'>t</a>", "a.@k", vec!["v<"]),
        ("<a k='v'>t</a>", "a.#text", vec!["t"]),
        ("<a k='v'>t</a>", "a", vec![]),
        ("<a>t</a>", "a.#text", vec![]),
        ("<a k='v'> </a>", "a.#text", vec![]),
        ("<a k=''/>", "a.@k", vec![""]),
        ("<a k='v'/>", "a.@k.x", vec![]),
        ("<a.b>x</a.b>", "a.b", vec![]),
        ("<a>x</a>", "b", vec![]),
        ("<a>x</a>", "@id", vec!["1"]),
        ("<a>x</a>", "@status", vec![""]),
        ("<id>2</id>", "id", vec![]),
        ("<a>x<b>y</b></a>", "a.#text", vec!["x"]),
        ("<a><![CDATA[x]]></a>", "a", vec!["x"]),
        ("", "a", vec![]),
    ] {
        assert_eq!(reported(inner, field, every()), values, "{field} of {inner}");
    }
}

#[test]
fn required_reports_what_is_missing_and_what_is_empty() {
    for (inner, field, values) in [
        ("<a>x</a>", "a", vec![]),
        ("", "a", vec![""]),
        ("<a/>", "a", vec![""]),
        ("<a/><a>x</a><a/>", "a", vec!["", ""]),
        ("<a><b>x</b></a>", "a", vec![""]),
        ("<a><b>x</b></a>", "a.c", vec![""]),
        ("<a k=''/>", "a.@k", vec![""]),
    ] {
        assert_eq!(reported(inner, field, json!({"type": "required"})), values, "{field} of {inner}");
    }
}

#[test]
fn other_conditions_report_each_value_that_breaks_them() {
    let inner = "<a>1850</a><a>2000-05</a><a>x!!</a><a/><a>1e9</a>";
    for (condition, values) in [
        (json!({"type": "range", "min": 1900, "max": 2010}), vec!["1850", "1e9"]),
        (json!({"type": "range", "min": 1851}), vec!["1850"]),
        (json!({"type": "range"}), vec![]),
        (json!({"type": "regex", "pattern": "!!"}), vec!["x!!"]),
        (json!({"type": "regex", "pattern": "^\\d{4}$"}), vec!["1850"]),
        (json!({"type": "length", "max": 3}), vec!["1850", "2000-05"]),
        (json!({"type": "length", "min": 1, "max": 4}), vec!["2000-05", ""]),
        (json!({"type": "enum", "values": ["1850", ""]}), vec!["2000-05", "x!!", "1e9"]),
    ] {
        assert_eq!(reported(inner, "a", condition.clone()), values, "{condition}");
    }
}

#[test]
fn remove_matching_drops_items_and_keys() {
    for (inner, field, pattern, record) in [
        ("<a>x</a>", "a", "x", r#"{"id":"1"}"#),
        ("<a>x</a>", "a", "y", r#"{"a":"x","id":"1"}"#),
        ("<a>x</a><a>y</a><a/>", "a", "x", r#"{"a":["y",null],"id":"1"}"#),
        ("<a>x</a><a>x</a>", "a", "x", r#"{"a":[],"id":"1"}"#),
        ("<a/>", "a", "", r#"{"a":null,"id":"1"}"#),
        ("<a><b>x</b></a>", "a", "x", r#"{"a":{"b":"x"},"id":"1"}"#),
        ("<a><b>x</b></a>", "a.b", "x", r#"{"a":{},"id":"1"}"#),
        ("<a><b>x</b><b>y</b></a>", "a.b", "x", r#"{"a":{"b":["y"]},"id":"1"}"#),
        // No array is expanded on the way, but a number leads into one.
        ("<a><b>x</b></a><a><b>x</b></a>", "a.b", "x", r#"{"a":[{"b":"x"},{"b":"x"}],"id":"1"}"#),
        ("<a><b>x</b></a><a><b>x</b></a>", "a.1.b", "x", r#"{"a":[{"b":"x"},{}],"id":"1"}"#),
        ("<a><b>x</b></a><a><b>x</b></a>", "a.2.b", "x", r#"{"a":[{"b":"x"},{"b":"x"}],"id":"1"}"#),
        ("<a><b>x</b></a><a><b>x</b></a>", "a.01.b", "x", r#"{"a":[{"b":"x"},{"b":"x"}],"id":"1"}"#),
        ("<a><b>x</b></a>", "a.0.b", "x", r#"{"a":{"b":"x"},"id":"1"}"#),
        ("<a>x</a><a>y</a>", "a.0", "x", r#"{"a":["x","y"],"id":"1"}"#),
        ("<a k='x'>t</a>", "a.@k", "x", r##"{"a":{"#text":"t"},"id":"1"}"##),
        // Before the normalisation, so that what becomes a list is still an object.
        ("<genres><genre>x</genre><genre>y</genre></genres>", "genres.genre", "^x$", r#"{"genres":["y"],"id":"1"}"#),
        ("<genres><genre>x</genre></genres>", "genres.genre", "^x$", r#"{"id":"1"}"#),
    ] {
        assert_eq!(filtered(inner, json!({"field": field, "remove_matching": pattern})), record, "{field} of {inner}");
    }
}

#[test]
fn nullify_when_changes_numbers_at_the_top() {
    let when = |field: &str| json!({"field": field, "nullify_when": {"below": 1860, "above": 2027}});
    for (inner, field, record) in [
        ("<a>0</a>", "a", r#"{"a":null,"id":"1"}"#),
        ("<a>2028-01</a>", "a", r#"{"a":null,"id":"1"}"#),
        ("<a>1860</a>", "a", r#"{"a":"1860","id":"1"}"#),
        ("<a>?</a>", "a", r#"{"a":"?","id":"1"}"#),
        ("<a/>", "a", r#"{"a":null,"id":"1"}"#),
        ("<a>0</a><a>0</a>", "a", r#"{"a":["0","0"],"id":"1"}"#),
        ("<a><b>0</b></a>", "a.b", r#"{"a":{"b":"0"},"id":"1"}"#),
        ("<a.b>0</a.b>", "a.b", r#"{"a.b":null,"id":"1"}"#),
        ("<a>0</a>", "@id", r#"{"a":"0","id":null}"#),
    ] {
        assert_eq!(filtered(inner, when(field)), record, "{field} of {inner}");
    }
}

#[test]
fn a_record_is_skipped_before_it_is_filtered_and_filtered_before_rules() {
    let rules = json!({
        "skip_records": {"labels": [{"field": "name", "contains": "JUNK", "reason": "first"}, {"field": "name", "contains": "junk", "reason": "second"}]},
        "filters": {"labels": [{"field": "profile", "remove_matching": "gone"}]},
        "rules": {"labels": [
            {"name": "no-profile", "field": "profile", "condition": {"type": "required"}, "severity": "error"},
            {"name": "no-name", "field": "name", "condition": {"type": "required"}, "severity": "info"},
        ]},
    });
    let records = "<label><id>1</id><name>junk</name></label><label><id>2</id><name>n</name><profile>gone</profile></label><label></label>\
        <label><id>3</id><name/><profile>kept</profile></label><label><name>Junk</name></label>";
    let outcome = outcome(DataType::Labels, records, &rules);
    assert_eq!((outcome.read, outcome.skipped, outcome.empty, outcome.unknown_ids, outcome.bodies.len()), (5, 2, 1, 0, 2));
    assert_eq!(outcome.flags, [(0, true, 1), (0, false, 2), (1, false, 2), (2, true, 3)]);
    assert_eq!(outcome.hits, [1, 1]);
    let skip = |value: &str, id: &str| {
        let files = (format!("{id}.json"), format!("{id}.xml"));
        json!({"field": "name", "field_value": value, "json_file": files.0, "reason": "first", "record_id": id, "timestamp": null, "xml_file": files.1})
            .to_string()
    };
    assert_eq!(outcome.skips, [skip("junk", "1"), skip("Junk", "unknown")]);
    let violation = |field: &str, id: &str, rule: &str, severity: &str| {
        let (json_file, xml_file) = (format!("{id}.json"), format!("{id}.xml"));
        let line = json!({"field": field, "field_value": "", "json_file": json_file, "record_id": id, "rule": rule, "severity": severity});
        let mut line = line;
        line["timestamp"] = Value::Null;
        line["xml_file"] = xml_file.into();
        line.to_string()
    };
    assert_eq!(outcome.violations, [violation("profile", "2", "no-profile", "error"), violation("name", "3", "no-name", "info")]);
    // The XML is of the record as it came, the JSON of what the rules saw.
    assert_eq!(outcome.files[1].xml, "<label><id>2</id><name>n</name><profile>gone</profile></label>");
    assert_eq!(outcome.files[1].json, "{\n  \"id\": \"2\",\n  \"name\": \"n\"\n}");
}

#[test]
fn the_hash_is_of_the_filtered_record() {
    let record = "<artist><id>1</id><name>a</name><x>y</x></artist>";
    let changed = outcome(DataType::Artists, record, &json!({"filters": {"artists": [{"field": "x", "remove_matching": "y"}]}}));
    let without = outcome(DataType::Artists, "<artist><id>1</id><name>a</name></artist>", &json!({}));
    assert_eq!(changed.bodies, without.bodies);
}

#[test]
fn everything_wrong_with_patterns_is_said_at_once() {
    let rules = json!({
        "filters": {"masters": [{"field": "a", "remove_matching": "("}]},
        "rules": {"releases": [
            {"name": "a", "field": "a", "condition": {"type": "regex", "pattern": "fine"}, "severity": "info"},
            {"name": "b", "field": "b", "condition": {"type": "regex", "pattern": "(?=x)"}, "severity": "info"},
            {"name": "c", "field": "c", "condition": {"type": "regex", "pattern": "(\\w{200}){200}"}, "severity": "info"},
        ]},
    });
    let problems = compile(&rules.to_string()).expect_err("three are wrong");
    assert_eq!(problems.len(), 3, "{problems:?}");
    assert!(problems[0].starts_with("filters.masters[0]: remove_matching \"(\": unclosed group"), "{problems:?}");
    assert!(problems[1].starts_with("rules.releases[1]: pattern \"(?=x)\": look-around"), "{problems:?}");
    assert!(problems[2].starts_with("rules.releases[2]: pattern ") && problems[2].contains("size limit"), "{problems:?}");
    assert!(problems.iter().all(|problem| !problem.contains('\n')));
}

const FIELDS: &[&str] = &[
    "id",
    "@id",
    "@status",
    "name",
    "title",
    "profile",
    "notes",
    "year",
    "genres.genre",
    "styles.style",
    "urls.url",
    "members.name",
    "aliases.name.@id",
    "sublabels.label",
    "sublabels.label.#text",
    "sublabels.label.@id",
    "labels.label.@catno",
    "artists.artist",
    "artists.artist.id",
    "artists.artist.name",
    "extraartists.artist.name",
    "formats.format.@name",
    "formats.format.0.@name",
    "genres.genre.0",
    "artists.artist.1.name",
    "master_id",
    "master_id.#text",
    "parentLabel.@id",
    "a.b",
    "x",
    "x.x",
    "q:a",
    "artists",
    "images.image.@name",
    "tracklist.track",
    "\u{e9}",
    "#text",
    "",
    ".",
    "_.Z",
    "artist.artist",
];
const PATTERNS: &[&str] = &["", "a", "^The", "\\d", "x{3}", "^$", "\u{e9}|\u{65e5}", "&", "(?i)JESPER", "^\\d+$", "\\s"];
const TEXTS: &[&str] = &["jesper", "THE", "\u{c4}", "x", "r & b", "k", "&", "\"", "12", "ssss"];

fn some_rules(rng: &mut Rng) -> Value {
    let number = |rng: &mut Rng| json!([0, 1, 5, 500, 1000, 50000][rng.below(6)]);
    let mut file = json!({"skip_records": {}, "filters": {}, "rules": {}});
    for data_type in DataType::ALL {
        let skips = (0..rng.few(2)).map(|_| json!({"field": rng.pick(FIELDS), "contains": rng.pick(TEXTS), "reason": rng.pick(TEXTS)}));
        let mut skips: Vec<Value> = skips.collect();
        if rng.one_in(4) {
            // Something in every third id, so that there is something to agree about.
            skips.push(json!({"field": if data_type.has_attribute_id() { "@id" } else { "id" }, "contains": "7", "reason": "seven"}));
        }
        file["skip_records"][data_type.as_str()] = skips.into();
        let filters = (0..rng.few(2)).map(|_| match rng.below(2) {
            0 => json!({"field": rng.pick(FIELDS), "remove_matching": rng.pick(PATTERNS)}),
            _ => json!({"field": rng.pick(FIELDS), "nullify_when": {"below": number(rng)}}),
        });
        file["filters"][data_type.as_str()] = filters.collect();
        let rules = (0..rng.few(6)).map(|i| {
            let condition = match rng.below(5) {
                0 => json!({"type": "required"}),
                1 => json!({"type": "range", "min": number(rng), "max": number(rng)}),
                2 => json!({"type": "regex", "pattern": rng.pick(PATTERNS)}),
                3 => json!({"type": "length", "min": rng.below(3), "max": rng.below(30)}),
                _ => json!({"type": "enum", "values": [rng.pick(TEXTS), "", "Accepted"]}),
            };
            let severity = rng.pick(&["error", "warning", "info"]);
            json!({"name": format!("r{i}"), "field": rng.pick(FIELDS), "condition": condition, "severity": severity})
        });
        file["rules"][data_type.as_str()] = rules.collect();
    }
    file
}

#[test]
fn the_fast_path_equals_the_definition() {
    // Few rule sets for many documents, so that parsers meet shapes again.
    let mut rng = Rng::new(seed());
    let sets: Vec<_> = (0..20).map(|_| some_rules(&mut rng)).map(|set| (leaked(&set), set)).collect();
    let (skipped, violations) = (Cell::new(0), Cell::new(0));
    for_all(
        "rules",
        cases(CASES),
        |rng| documents::any(rng, 20),
        |xml| {
            let mut rng = Rng::new(xml.len() as u64 + 1);
            for _ in 0..3 {
                let (rules, set) = &sets[rng.below(sets.len())];
                rules_do_not_depend_on_the_way(xml, rules, 1 + rng.below(300)).map_err(|e| format!("{e}\n{set}"))?;
                let outcome = run(xml, &Setup { rules: Some(rules), ..Setup::new(documents::type_of(xml), Contract::Fanout) });
                skipped.set(skipped.get() + outcome.skipped);
                violations.set(violations.get() + outcome.violations.len());
            }
            Ok(())
        },
    );
    eprintln!("{} skipped, {} violations", skipped.get(), violations.get());
    assert!(skipped.get() > 0 && violations.get() > 0, "there was something to agree about");
}

#[test]
fn a_giant_record_does_not_become_a_giant_log() {
    let rule = |field: &str| json!({"name": "r", "field": field, "condition": {"type": "length", "min": 1, "max": 2}, "severity": "error"});
    let rules = json!({"rules": {"releases": [rule("a"), rule("b")]}});
    let many = "<a/>".repeat(200_000);
    let long = format!("<b>{}</b>", "\u{e9}".repeat(1 << 20));
    let giant = outcome(DataType::Releases, &format!("<release id=\"1\">{long}{many}</release><release id=\"2\">{long}</release>"), &rules);
    let lines = giant.violations.len();
    assert!((10_000..200_000).contains(&lines), "{lines} lines");
    let last: Value = serde_json::from_str(&giant.violations[lines - 1]).expect("JSON");
    assert_eq!(last["record_id"], "2");
    assert_eq!(last["field_value"].as_str().map(str::len), Some(1 << 20));
    assert_eq!(giant.files.len(), 2);
    let larger = format!("<release id=\"3\"><b>{}</b></release>", "x".repeat(17 << 20));
    let larger = outcome(DataType::Releases, &larger, &rules);
    assert_eq!((larger.violations.len(), larger.files.len(), larger.bodies.len()), (1, 0, 1));
}

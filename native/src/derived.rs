//! Keys that a release gets beside its own: `year` as a number, and `artist` as it stands on a cover.

use std::io::Write as _;

use crate::members::{self, Items, Malformed};

/// Earlier years are mistakes: there were no records.
const YEAR_MIN: u32 = 1860;

/// Appends the derived members of a release, each with a comma before it: where in the release they go, before its closing bracket.
/// None if there are none, or the release is no JSON.
pub fn append(release: &[u8], year_max: u32, out: &mut Vec<u8>) -> Option<usize> {
    let mark = out.len();
    let end = try_append(release, year_max, out).ok()?;
    (out.len() > mark).then_some(end)
}

fn try_append(release: &[u8], year_max: u32, out: &mut Vec<u8>) -> Result<usize, Malformed> {
    let (mut released, mut own_year, mut artists) = (None, None, None);
    let mut items = Items::of_object(release).ok_or(Malformed(0))?;
    // Of members with the same key the last counts, as in jsonb.
    while let Some(member) = items.member()? {
        for (key, place) in [("released", &mut released), ("year", &mut own_year), ("artists", &mut artists)] {
            if members::is_text(member.key, key) {
                *place = Some(member.value);
            }
        }
    }
    if let Some(year) = released.and_then(year).filter(|year| (YEAR_MIN..=year_max).contains(year)) {
        // Writing to memory does not fail.
        let _ = write!(out, ",\"year\":{year}");
    } else if own_year.is_some_and(|value| !is_small_integer(value)) {
        // Whoever reads the key finds an integer or nothing.
        out.extend_from_slice(b",\"year\":null");
    }
    if let Some(artists) = artists {
        append_artist(artists, out)?;
    }
    Ok(items.end())
}

/// The four digits that a date begins with, if no fifth follows.
fn year(released: &[u8]) -> Option<u32> {
    let text = members::text(members::string(released)?)?;
    let (digits, rest) = text.as_bytes().split_first_chunk::<4>()?;
    let plain = digits.iter().all(u8::is_ascii_digit) && !rest.first().is_some_and(u8::is_ascii_digit);
    plain.then(|| digits.iter().fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0')))
}

/// Whether an index on the key cast to integer can hold the value.
fn is_small_integer(value: &[u8]) -> bool {
    members::is_integer(value) && std::str::from_utf8(value).is_ok_and(|text| text.parse::<i32>().is_ok())
}

/// Names with what joins each to the next. They are copied as they stand between their quotes: something stands between
/// any two, so that halves of surrogate pairs cannot meet.
fn append_artist(artists: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    // The fanout contract has a list, the topic contract `{"artist": …}` around a list or the only one.
    let mut list = artists;
    if artists.first() == Some(&b'{') {
        list = last_member(artists, "artist")?.unwrap_or(b"null");
    }
    let mut join = None;
    if list.first() == Some(&b'{') {
        append_name(list, &mut join, out)?;
    }
    if let Some(mut items) = Items::of_array(list) {
        while let Some(artist) = items.element()? {
            append_name(artist, &mut join, out)?;
        }
    }
    if join.is_some() {
        out.push(b'"');
    }
    Ok(())
}

/// Appends the name of an artist behind the `join` of the one before, and sets its own.
fn append_name<'a>(artist: &'a [u8], join: &mut Option<&'a [u8]>, out: &mut Vec<u8>) -> Result<(), Malformed> {
    // An empty element is null in one contract and may be an empty string elsewhere: no name either way.
    let Some(name) = last_member(artist, "name")?.and_then(members::string).filter(|name| !name.is_empty()) else { return Ok(()) };
    match *join {
        None => out.extend_from_slice(b",\"artist\":\""),
        Some(text) if text.is_empty() || members::is_text(text, ",") => out.extend_from_slice(b", "),
        Some(text) => [b" ", text, b" "].iter().for_each(|part| out.extend_from_slice(part)),
    }
    out.extend_from_slice(name);
    *join = Some(last_member(artist, "join")?.and_then(members::string).unwrap_or_default());
    Ok(())
}

/// The value of the last member called `key`; None if there is none, or `json` is no object.
fn last_member<'a>(json: &'a [u8], key: &str) -> Result<Option<&'a [u8]>, Malformed> {
    let mut found = None;
    if let Some(mut items) = Items::of_object(json) {
        while let Some(member) = items.member()? {
            if members::is_text(member.key, key) {
                found = Some(member.value);
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn derived(release: &str) -> String {
        let mut out = Vec::new();
        if let Some(place) = append(release.as_bytes(), 2027, &mut out) {
            assert_eq!(&release[place..=place], "}");
        } else {
            out.clear();
        }
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn the_year_is_what_the_date_begins_with() {
        for (released, year) in [("1999", 1999), ("1999-00-00", 1999), ("1860", 1860), ("2027?", 2027), (r"\u0031999", 1999), ("1999年", 1999)] {
            assert_eq!(derived(&format!(r#"{{"released":"{released}"}}"#)), format!(",\"year\":{year}"));
        }
        for released in ["", "199", "19991", "1859", "2028", " 1999", "199x", "May 1999", "１９９９"] {
            assert_eq!(derived(&format!(r#"{{"released":"{released}"}}"#)), "", "{released}");
        }
        assert_eq!(derived(r#"{"released":1999}"#), "");
        assert_eq!(derived(r#"{"released":"1999","released":"2001"}"#), ",\"year\":2001");
    }

    #[test]
    fn a_year_of_its_own_stays_only_if_it_is_a_small_integer() {
        assert_eq!(derived(r#"{"year":1999}"#), "");
        for year in ["\"1999\"", "null", "1999.0", "1e3", "[]", "99999999999"] {
            assert_eq!(derived(&format!(r#"{{"year":{year}}}"#)), ",\"year\":null", "{year}");
        }
        assert_eq!(derived(r#"{"year":"x","year":1,"released":"2001"}"#), ",\"year\":2001");
        assert_eq!(derived(r#"{"year":"x","y\u0065ar":1}"#), "");
    }

    #[test]
    fn names_are_joined_as_on_the_cover() {
        let of = |artists: &str| derived(&format!(r#"{{"artists":{artists}}}"#));
        let one = r#"{"name":"A\"\\","join":"&"}"#;
        for artists in [format!("[{one}]"), format!(r#"{{"artist":{one}}}"#), format!(r#"{{"artist":[{one}]}}"#)] {
            assert_eq!(of(&artists), r#","artist":"A\"\\""#);
        }
        let three = r#"[{"name":"A","join":","},{"name":"B","join":"feat."},{"name":"C"},{"name":"D","join":null},{"join":"x","name":"E"}]"#;
        assert_eq!(of(three), r#","artist":"A, B feat. C, D, E""#);
        assert_eq!(
            of(r#"[{"name":"A","join":"\u002c"},{"name":""},{"join":"&"},"x",{"name":{}},{"name":"B","join":""},{"name":"C"}]"#),
            r#","artist":"A, B, C""#
        );
        assert_eq!(of(r#"[{"name":"x","n\u0061me":"A","join":"&","join":"vs"},{"name":"B"}]"#), r#","artist":"A vs B""#);
        assert_eq!(of(r#"{"artist":[],"artist":{"name":"A"}}"#), r#","artist":"A""#);
        for none in ["[]", "{}", "null", r#"{"artist":"s"}"#, r#"{"artist":{"name":null}}"#, r#"[[{"name":"A"}]]"#, r#""A""#, "[{}]"] {
            assert_eq!(of(none), "", "{none}");
        }
    }

    #[test]
    fn nothing_is_made_of_what_is_no_json() {
        for broken in ["", "[]", r#"{"released":"1999""#, r#"{"released":"1999",,}"#, r#"{"released":"1999","artists":[{"name":"A"]}"#] {
            assert_eq!(derived(broken), "", "{broken}");
        }
    }
}

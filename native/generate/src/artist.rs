//! Artists.

use std::collections::HashSet;
use std::fmt::Write;

use crate::quantiles::{Level, Quantiles};
use crate::rng::{Part, Rng};
use crate::text::{self, Lines};
use crate::universe::Universe;
use crate::vocabulary::ENGLISH;
use crate::xml::Xml;
use crate::{DataType, Form, packaging, values};

const VARIATIONS: Quantiles =
    Quantiles(&[(0.0, 0.0), (0.739, 0.0), (0.74, 1.0), (0.86, 1.9), (0.9, 2.9), (0.95, 5.4), (0.99, 14.5), (0.997, 25.0), (1.0, 57.0)]);
const PROFILE: Quantiles =
    Quantiles(&[(0.0, 0.0), (0.793, 0.0), (0.794, 7.0), (0.85, 30.0), (0.9, 70.0), (0.95, 212.0), (0.979, 666.0), (0.992, 1620.0), (1.0, 2806.0)]);
const URLS: Quantiles = Quantiles(&[(0.0, 0.0), (0.855, 0.0), (0.856, 1.0), (0.9, 1.9), (0.95, 2.9), (0.99, 9.9), (1.0, 21.0)]);
const ALIASES: Quantiles = Quantiles(&[(0.0, 0.0), (0.885, 0.0), (0.886, 1.0), (0.92, 1.99), (0.95, 3.9), (0.99, 11.5), (1.0, 71.0)]);
const GROUPS: Quantiles = Quantiles(&[(0.0, 0.0), (0.881, 0.0), (0.882, 1.0), (0.952, 1.99), (0.975, 5.0), (0.99, 9.9), (1.0, 20.0)]);
const MEMBERS: Quantiles = Quantiles(&[(0.0, 0.0), (0.921, 0.0), (0.922, 1.2), (0.95, 2.9), (0.99, 5.9), (1.0, 11.0)]);
const IMAGES: Quantiles = Quantiles(&[(0.0, 0.0), (0.803, 0.0), (0.804, 1.0), (0.88, 1.99), (0.95, 3.9), (0.99, 9.9), (1.0, 26.0)]);
const REAL_NAME_SHARE: f64 = 0.135;
/// How much the parts of a record go together: about half of the artists have none of them.
const TOGETHER: f64 = 0.69;
/// One of so many artists is rare in one of these ways, at these ordinals.
const RARE_EVERY: u64 = 20_000;
const VARIATIONS_AT: u64 = 9_001;
const VARIATIONS_MAX: usize = 1_700;
const MEMBERS_AT: u64 = 3_333;
const MEMBERS_MAX: usize = 300;

/// Writes web addresses of someone with this name.
pub fn urls(xml: &mut Xml, rng: &mut Rng, name: &str, count: usize) {
    if count == 0 {
        return;
    }
    xml.open("urls");
    for number in 0..count {
        let mut url = String::from(if rng.chance(0.6) { "https://" } else { "http://" });
        if number == 0 && rng.chance(0.4) {
            url.push_str("www.");
            text::slug(name, "", &mut url);
            url.push_str(rng.usual(&[".com", ".com/", ".net", ".de", ".co.uk"]));
        } else {
            let _ = write!(url, "{}/", rng.usual(values::SITES));
            text::slug(name, rng.pick(&["", "", "-", "_"]), &mut url);
            if rng.chance(0.09) {
                let _ = write!(url, "/{}?ref=ts&sk={}", rng.between(10_000, 999_999_999), rng.below(100));
            }
        }
        xml.leaf("url", &url);
    }
    xml.close("urls");
}

fn names(u: &Universe, xml: &mut Xml, rng: &mut Rng, tag: &str, count: usize) {
    if count == 0 {
        return;
    }
    let mut name = String::new();
    xml.open(tag);
    for _ in 0..count {
        let ordinal = u.any_artist(rng);
        let id = u.id(DataType::Artists, ordinal);
        name.clear();
        u.artist_name(ordinal, &mut name);
        if tag == "members" && xml.form == Form::Form2020 {
            xml.number("id", id);
        }
        xml.start("name");
        xml.attribute_number("id", id);
        xml.raw(">");
        xml.text(&name);
        xml.close("name");
    }
    xml.close(tag);
}

fn variations(xml: &mut Xml, rng: &mut Rng, name: &str, count: usize) {
    if count == 0 {
        return;
    }
    let mut taken: HashSet<String> = HashSet::with_capacity(count);
    xml.open("namevariations");
    for _ in 0..count {
        let mut line = String::new();
        text::variant(rng, name, &mut line);
        while line == name || taken.contains(&line) {
            line.push((b'a' + rng.below(26) as u8) as char);
        }
        xml.leaf("name", &line);
        taken.insert(line);
    }
    xml.close("namevariations");
}

/// Writes one artist.
pub fn write(u: &Universe, xml: &mut Xml, ordinal: u64) {
    let mut rng = u.rng(DataType::Artists, ordinal, Part::Head);
    let level = Level(rng.unit());
    let mut name = String::new();
    u.artist_name(ordinal, &mut name);
    xml.open("artist");
    let images = level.part(&mut rng, TOGETHER);
    packaging::images(u, xml, (DataType::Artists, ordinal), &IMAGES, images);
    xml.number("id", u.id(DataType::Artists, ordinal));
    xml.leaf("name", &name);
    let members = if ordinal % RARE_EVERY == MEMBERS_AT { MEMBERS_MAX } else { MEMBERS.count(level.part(&mut rng, TOGETHER)) };
    let mut text = String::new();
    if level.part(&mut rng, TOGETHER) > 1.0 - REAL_NAME_SHARE / 0.92 && members == 0 {
        text::person(u.words, &mut rng, &mut text);
        xml.leaf("realname", &text);
    }
    text.clear();
    let length = PROFILE.count(level.part(&mut rng, TOGETHER));
    if length > 0 {
        let lines = rng.pick(&[Lines::One, Lines::CrLf, Lines::CrLf]);
        text::prose(u.words, &mut rng, ENGLISH, length, lines, &mut text);
    }
    xml.optional("profile", &text);
    xml.leaf("data_quality", rng.weighted(values::ARTIST_QUALITIES));
    let mut lists = u.rng(DataType::Artists, ordinal, Part::Lists);
    let count = URLS.count(level.part(&mut lists, TOGETHER));
    urls(xml, &mut lists, &name, count);
    let count = if ordinal % RARE_EVERY == VARIATIONS_AT { VARIATIONS_MAX } else { VARIATIONS.count(level.part(&mut lists, TOGETHER)) };
    variations(xml, &mut lists, &name, count);
    let count = ALIASES.count(level.part(&mut lists, TOGETHER));
    names(u, xml, &mut lists, "aliases", count);
    names(u, xml, &mut lists, "members", members);
    let count = GROUPS.count(level.part(&mut lists, TOGETHER));
    names(u, xml, &mut lists, "groups", count);
    xml.raw("</artist>");
}

//! Labels.

use std::fmt::Write;

use crate::quantiles::{Level, Quantiles};
use crate::rng::{Part, Rng};
use crate::text::{self, Lines};
use crate::universe::Universe;
use crate::vocabulary::ENGLISH;
use crate::xml::Xml;
use crate::{DataType, artist, packaging, values};

const CONTACT: Quantiles =
    Quantiles(&[(0.0, 0.0), (0.873, 0.0), (0.874, 5.0), (0.905, 34.0), (0.937, 82.0), (0.968, 125.0), (0.987, 164.0), (0.994, 208.0), (1.0, 436.0)]);
const PROFILE: Quantiles = Quantiles(&[
    (0.0, 0.0),
    (0.758, 0.0),
    (0.759, 5.0),
    (0.82, 39.0),
    (0.88, 84.0),
    (0.94, 202.0),
    (0.976, 541.0),
    (0.988, 794.0),
    (0.998, 1677.0),
    (1.0, 4115.0),
]);
const URLS: Quantiles = Quantiles(&[(0.0, 0.0), (0.851, 0.0), (0.852, 1.0), (0.9, 1.9), (0.95, 3.9), (0.99, 9.9), (1.0, 17.0)]);
const SUB_LABELS: Quantiles = Quantiles(&[(0.0, 0.0), (0.965, 0.0), (0.966, 1.0), (0.98, 2.5), (0.99, 5.5), (0.998, 12.0), (1.0, 85.0)]);
const IMAGES: Quantiles = Quantiles(&[(0.0, 0.0), (0.8, 0.0), (0.801, 1.0), (0.91, 1.99), (0.95, 2.9), (0.99, 5.9), (1.0, 15.0)]);
/// One of so many labels, at this ordinal, has no name.
const RARE_EVERY: u64 = 20_000;
const NAMELESS_AT: u64 = 2_111;
const PARENT_SHARE: f64 = 0.083;
/// A list that is there but empty, as newer dumps still have.
const EMPTY_URLS_SHARE: f64 = 0.002;
/// How much the parts of a record go together: two thirds of the labels have none of them.
const TOGETHER: f64 = 0.82;

fn contact(u: &Universe, rng: &mut Rng, name: &str, length: usize, out: &mut String) {
    let end = Lines::CrLf.end();
    while out.len() < length {
        if !out.is_empty() {
            out.push_str(end);
        }
        let _ = match rng.below(7) {
            0 => write!(out, "{name}"),
            1 => write!(out, "P.O. Box {}", rng.between(10, 99_999)),
            2 => write!(out, "{} {} Street", rng.between(1, 4000), u.words.invented(rng, ENGLISH)),
            3 => write!(out, "{} {}", rng.between(10_000, 99_999), u.words.invented(rng, ENGLISH)),
            4 => write!(out, "Tel: +{} {} {}", rng.between(1, 99), rng.between(100, 999), rng.between(10_000, 9_999_999)),
            5 => write!(out, "Fax: +{} {} {}", rng.between(1, 99), rng.between(100, 999), rng.between(10_000, 9_999_999)),
            _ => {
                out.push_str("info@");
                text::slug(name, "", out);
                write!(out, ".com")
            }
        };
    }
    text::cut(out, length);
}

/// Another label, as parent or part of this one.
fn related(u: &Universe, xml: &mut Xml, rng: &mut Rng, tag: &str) {
    let ordinal = u.any_label(rng);
    let mut name = String::new();
    u.label_name(ordinal, &mut name);
    xml.start(tag);
    xml.attribute_number("id", u.id(DataType::Labels, ordinal));
    xml.raw(">");
    xml.text(&name);
    xml.close(tag);
}

/// Writes one label.
pub fn write(u: &Universe, xml: &mut Xml, ordinal: u64) {
    let mut rng = u.rng(DataType::Labels, ordinal, Part::Head);
    let level = Level(rng.unit());
    let mut name = String::new();
    u.label_name(ordinal, &mut name);
    xml.open("label");
    let images = level.part(&mut rng, TOGETHER);
    packaging::images(u, xml, (DataType::Labels, ordinal), &IMAGES, images);
    xml.number("id", u.id(DataType::Labels, ordinal));
    if ordinal % RARE_EVERY != NAMELESS_AT {
        xml.leaf("name", &name);
    }
    let mut text = String::new();
    let length = CONTACT.count(level.part(&mut rng, TOGETHER));
    if length > 0 {
        contact(u, &mut rng, &name, length, &mut text);
        xml.leaf("contactinfo", &text);
    }
    let length = PROFILE.count(level.part(&mut rng, TOGETHER));
    if length > 0 {
        text.clear();
        let lines = rng.pick(&[Lines::One, Lines::CrLf, Lines::CrLf]);
        text::prose(u.words, &mut rng, ENGLISH, length, lines, &mut text);
        xml.leaf("profile", &text);
    }
    xml.leaf("data_quality", rng.weighted(values::LABEL_QUALITIES));
    let mut lists = u.rng(DataType::Labels, ordinal, Part::Lists);
    if level.part(&mut lists, 0.5) > 1.0 - PARENT_SHARE {
        related(u, xml, &mut lists, "parentLabel");
    }
    let count = URLS.count(level.part(&mut lists, TOGETHER));
    if count == 0 && lists.chance(EMPTY_URLS_SHARE) {
        xml.raw("<urls/>");
    }
    artist::urls(xml, &mut lists, &name, count);
    let count = SUB_LABELS.count(level.part(&mut lists, 0.7));
    if count > 0 {
        xml.open("sublabels");
        for _ in 0..count {
            related(u, xml, &mut lists, "label");
        }
        xml.close("sublabels");
    }
    xml.raw("</label>");
}

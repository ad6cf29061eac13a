//! Images, labels, series and formats.

use crate::quantiles::Quantiles;
use crate::release::{Rare, Release};
use crate::rng::{Part, Rng};
use crate::universe::{Universe, catalogue_number};
use crate::xml::Xml;
use crate::{DataType, Form, values};

/// Releases that belong to a series.
const SERIES_SHARE: f64 = 0.06;
/// Digits of a quantity that somebody typed without thinking.
const QUANTITY_DIGITS: usize = 64;

/// Writes the images of a record of any type; the newer form has none.
pub fn images(u: &Universe, xml: &mut Xml, record: (DataType, u64), table: &Quantiles, level: f64) {
    let count = table.count(level);
    if xml.form == Form::Form2026 || count == 0 {
        return;
    }
    let mut rng = u.rng(record.0, record.1, Part::Images);
    xml.open("images");
    for number in 0..count {
        let first = number == 0 && rng.chance(0.8);
        let width = if rng.chance(0.8) { 600 } else { rng.between(200, 600) };
        let height = if rng.chance(0.3) { 600 } else { rng.between(300, 600) };
        xml.start("image");
        xml.attribute("type", if first { "primary" } else { "secondary" });
        xml.raw(" uri=\"\" uri150=\"\"");
        xml.attribute_number("width", width as u64);
        xml.attribute_number("height", height as u64);
        xml.raw("/>");
    }
    xml.close("images");
}

/// Writes labels and series, and returns the name of the last label.
pub fn labels(u: &Universe, xml: &mut Xml, rng: &mut Rng, release: &mut Release) -> String {
    let count = if rng.chance(0.893) { 1 } else { rng.weighted(&[(2, 85), (3, 14), (4, 5), (5, 2), (6, 1)]) };
    let mut name = String::new();
    let mut id = 0;
    xml.open("labels");
    for number in 0..count {
        if number == 0 || rng.chance(0.5) {
            let label = u.any_label(rng);
            id = u.id(DataType::Labels, label);
            name.clear();
            u.label_name(label, &mut name);
        }
        let mut catno = String::new();
        catalogue_number(rng, &name, &mut catno);
        xml.start("label");
        xml.attribute("name", &name);
        xml.attribute("catno", &catno);
        xml.attribute_number("id", id);
        xml.raw("/>");
        release.catno = catno;
    }
    xml.close("labels");
    if xml.form == Form::Form2026 && rng.chance(SERIES_SHARE) {
        let label = u.any_label(rng);
        let mut series = String::new();
        u.label_name(label, &mut series);
        let number = if rng.chance(0.2) { String::new() } else { format!("Vol. {}", rng.between(1, 60)) };
        xml.open("series");
        xml.start("series");
        xml.attribute("name", &series);
        xml.attribute("catno", &number);
        xml.attribute_number("id", u.id(DataType::Labels, label));
        xml.raw("/>");
        xml.close("series");
    }
    name
}

/// Writes formats.
pub fn formats(xml: &mut Xml, rng: &mut Rng, release: &Release) {
    let count = if release.format == "Box Set" {
        rng.between(2, 5)
    } else if rng.chance(0.985) {
        1
    } else {
        2
    };
    xml.open("formats");
    for number in 0..count {
        let name = if number == 0 { release.format } else { rng.pick(&["CD", "Vinyl", "DVD"]) };
        let sets = match name {
            "Vinyl" => values::VINYL_SETS,
            "CD" | "CDr" => values::CD_SETS,
            "File" => values::FILE_SETS,
            "Cassette" => values::TAPE_SETS,
            "Shellac" => values::SHELLAC_SETS,
            "DVD" => values::DVD_SETS,
            _ => values::BOX_SETS,
        };
        let set = rng.weighted(sets);
        let quantity = if release.tracks > 24 {
            2 + release.tracks / 40
        } else if rng.chance(0.95) {
            1
        } else {
            2
        };
        xml.start("format");
        xml.attribute("name", name);
        if release.rare == Rare::Quantity {
            xml.attribute("qty", &"9".repeat(QUANTITY_DIGITS));
        } else {
            xml.attribute_number("qty", quantity as u64);
        }
        let free = if name == "File" && rng.chance(0.5) {
            "320 kbps"
        } else if rng.chance(0.1) {
            rng.usual(values::FREE_TEXTS)
        } else {
            ""
        };
        if !free.is_empty() || xml.form == Form::Form2020 || !rng.chance(0.025) {
            xml.attribute("text", free);
        }
        if set.is_empty() {
            xml.raw("/>");
            continue;
        }
        xml.raw("><descriptions>");
        for description in set {
            xml.leaf("description", description);
        }
        xml.raw("</descriptions></format>");
    }
    xml.close("formats");
}

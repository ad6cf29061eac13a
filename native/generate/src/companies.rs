//! Companies and identifiers of a release.

use std::fmt::Write;

use crate::release::Release;
use crate::rng::{Part, Rng};
use crate::universe::{Universe, catalogue_number};
use crate::xml::Xml;
use crate::{DataType, Form, values};

/// Writes `count` companies; one company often has several roles.
pub fn write(u: &Universe, xml: &mut Xml, ordinal: u64, count: usize) {
    if count == 0 {
        return xml.no("companies");
    }
    let mut rng = u.rng(DataType::Releases, ordinal, Part::Companies);
    let mut name = String::new();
    let mut id = 0;
    xml.open("companies");
    for number in 0..count {
        if number == 0 || rng.chance(0.62) {
            let label = u.any_label(&mut rng);
            id = u.id(DataType::Labels, label);
            name.clear();
            u.label_name(label, &mut name);
        }
        let (kind, role) = rng.weighted(values::ENTITIES);
        xml.open("company");
        xml.number("id", id);
        xml.leaf("name", &name);
        let mut catno = String::new();
        if rng.chance(0.043) {
            catalogue_number(&mut rng, &name, &mut catno);
        }
        xml.optional("catno", &catno);
        xml.number("entity_type", kind);
        xml.leaf("entity_type_name", role);
        if xml.form == Form::Form2020 {
            xml.raw("<resource_url>https://api.discogs.com/labels/");
            xml.digits(id);
            xml.raw("</resource_url>");
        }
        xml.close("company");
    }
    xml.close("companies");
}

fn value(rng: &mut Rng, kind: &str, catno: &str, out: &mut String) {
    let _ = match kind {
        "Barcode" => write!(out, "{}{:011}", rng.between(0, 9), rng.bits() % 100_000_000_000),
        "Rights Society" => write!(out, "{}", rng.usual(values::RIGHTS)),
        "Label Code" => write!(out, "LC {:05}", rng.between(100, 29_999)),
        "Mastering SID Code" => write!(out, "IFPI L{:03}", rng.between(1, 999)),
        "Mould SID Code" => write!(out, "IFPI {:02}{}{}", rng.between(1, 99), (b'A' + rng.below(26) as u8) as char, rng.below(10)),
        "SPARS Code" => write!(out, "{}", rng.pick(&["DDD", "AAD", "ADD"])),
        "Other" | "Price Code" => write!(out, "{}{}", rng.pick(&["F: PM ", "SP ", "CA", "EMB-"]), rng.between(100, 99_999)),
        "ISRC" => write!(out, "DE{}{}", (b'A' + rng.below(26) as u8) as char, rng.between(100_000_000, 999_999_999)),
        _ => write!(out, "{catno}{}", rng.pick(&["-A", "-B", " A1", " B1", "-A-1", "-B-2", "  01", "+"])),
    };
    if kind == "Matrix / Runout" && rng.chance(0.4) {
        let _ = write!(
            out,
            " {}{}",
            rng.pick(&["MPO ", "STERLING ", "MASTERED BY EMI ", "△", "Ⓟ", "T", "1-1-", "W.D. ", "made in germany ", ""]),
            rng.between(1, 99_999)
        );
    }
    if rng.chance(0.0015) {
        out.push_str(rng.pick(&["\t", " \"CUT LOUD\"", " \"A\"\t", " <etched>"]));
    }
}

/// Writes `count` identifiers.
pub fn identifiers(u: &Universe, xml: &mut Xml, release: &Release, ordinal: u64, count: usize) {
    if count == 0 {
        return xml.no("identifiers");
    }
    let mut rng = u.rng(DataType::Releases, ordinal, Part::Identifiers);
    let described = rng.chance(0.6);
    let disc = release.format == "CD";
    xml.open("identifiers");
    let mut kind = if disc || rng.chance(0.2) { "Barcode" } else { rng.weighted(values::IDENTIFIERS) };
    for number in 0..count {
        if number > 0 && (kind != "Matrix / Runout" || rng.chance(0.3)) {
            kind = rng.weighted(values::IDENTIFIERS);
        }
        let mut text = String::new();
        xml.start("identifier");
        xml.attribute("type", kind);
        if kind == "Matrix / Runout" && (described || rng.chance(0.4)) {
            let extra = if rng.chance(0.004) { "Side A, \"stamped\"" } else { rng.usual(values::RUNOUTS) };
            xml.attribute("description", extra);
        } else if rng.chance(0.4) {
            xml.attribute("description", rng.pick(&["Text", "Scanned", "String", "Printed", "On label", "Label side A", "Booklet"]));
        }
        value(&mut rng, kind, &release.catno, &mut text);
        xml.attribute("value", &text);
        xml.raw("/>");
    }
    xml.close("identifiers");
}

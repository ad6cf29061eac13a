//! Releases.

use std::fmt::Write;

use crate::credits::{Credit, People};
use crate::quantiles::{Level, Quantiles};
use crate::rng::{Part, Rng};
use crate::text::{self, Lines};
use crate::universe::{Universe, Work};
use crate::videos::Subject;
use crate::vocabulary::ENGLISH;
use crate::work;
use crate::xml::Xml;
use crate::{DataType, Form, companies, medium, packaging, tracks, values, videos};

const CREDITS: Quantiles =
    Quantiles(&[(0.0, 0.0), (0.409, 0.0), (0.41, 1.0), (0.5, 1.7), (0.75, 5.6), (0.9, 11.2), (0.95, 17.2), (0.99, 30.0), (0.998, 40.0), (1.0, 57.0)]);
const IDENTIFIERS: Quantiles =
    Quantiles(&[(0.0, 0.0), (0.474, 0.0), (0.475, 1.0), (0.63, 1.9), (0.75, 2.7), (0.9, 5.5), (0.95, 6.9), (0.99, 12.0), (1.0, 50.0)]);
const COMPANIES: Quantiles = Quantiles(&[(0.0, 0.0), (0.551, 0.0), (0.552, 1.0), (0.75, 2.7), (0.9, 5.6), (0.95, 7.8), (0.99, 13.0), (1.0, 38.0)]);
const VIDEOS: Quantiles = Quantiles(&[(0.0, 0.0), (0.47, 0.0), (0.471, 1.0), (0.55, 1.6), (0.75, 3.7), (0.9, 7.0), (0.95, 11.5), (0.99, 19.5), (1.0, 35.0)]);
const NOTES: Quantiles = Quantiles(&[
    (0.0, 0.0),
    (0.36, 0.0),
    (0.361, 2.0),
    (0.4, 15.0),
    (0.52, 40.0),
    (0.68, 91.0),
    (0.84, 192.0),
    (0.936, 381.0),
    (0.968, 534.0),
    (0.994, 1249.0),
    (1.0, 4509.0),
]);
const IMAGES: Quantiles =
    Quantiles(&[(0.0, 0.0), (0.045, 0.0), (0.046, 1.0), (0.3, 1.99), (0.5, 2.9), (0.75, 4.6), (0.9, 5.9), (0.95, 7.9), (0.99, 13.0), (1.0, 87.0)]);
/// One of so many releases is rare in one of these ways, at these ordinals.
const RARE_EVERY: u64 = 20_000;
const GIANT_AT: u64 = 7_777;
const SUB_TRACKS_AT: u64 = 12_345;
const QUANTITY_AT: u64 = 5_555;
const GIANT_TRACKS: usize = 400;

/// Rare cases that are put in on purpose.
#[derive(Clone, Copy, PartialEq)]
pub enum Rare {
    No,
    /// Over 300 KB: hundreds of tracks with thousands of credits.
    Giant,
    /// A track with 300 sub-tracks.
    SubTracks,
    /// A quantity that no integer holds.
    Quantity,
}

/// What the parts of one release have to know of it.
pub struct Release {
    pub work: Work,
    pub level: Level,
    pub format: &'static str,
    pub tracks: usize,
    pub flavour: usize,
    pub various: bool,
    pub catno: String,
    pub rare: Rare,
}

fn plan(u: &Universe, ordinal: u64) -> Release {
    let mut rng = u.rng(DataType::Releases, ordinal, Part::Head);
    let level = rng.unit();
    let format = medium::format(&mut rng, level);
    let rare = match ordinal % RARE_EVERY {
        GIANT_AT => Rare::Giant,
        SUB_TRACKS_AT => Rare::SubTracks,
        QUANTITY_AT => Rare::Quantity,
        _ => Rare::No,
    };
    let tracks = if rare == Rare::Giant { GIANT_TRACKS } else { medium::track_count(&mut rng, format) };
    let work = u.work_of(ordinal);
    let various = tracks > 3 && rng.chance(0.095);
    Release { work, level: Level(level), format, tracks, flavour: work::flavour(u, work), various, catno: String::new(), rare }
}

fn extra_credits(u: &Universe, xml: &mut Xml, release: &Release, ordinal: u64, people: &mut People) {
    let mut rng = u.rng(DataType::Releases, ordinal, Part::Credits);
    let count = CREDITS.count(release.level.part(&mut rng, 0.7));
    if count == 0 {
        return xml.no("extraartists");
    }
    let listed = rng.chance(0.3);
    xml.open("extraartists");
    for _ in 0..count {
        let place = people.someone(&mut rng, 0.22);
        let mut role = String::from(rng.usual(values::ROLES));
        if rng.chance(0.22) {
            role.push_str(", ");
            role.push_str(rng.usual(values::ROLES));
        }
        let mut range = String::new();
        if listed && rng.chance(0.55) {
            let from = rng.between(1, release.tracks);
            let _ = if rng.chance(0.4) { write!(range, "{from}") } else { write!(range, "{from} to {}", rng.between(from, release.tracks)) };
            while rng.chance(0.35) {
                let _ = write!(range, ", {}", rng.between(1, release.tracks));
            }
        }
        people.write(xml, &mut rng, place, Credit { role: &role, tracks: &range, variant_share: 0.2, ..Credit::default() });
    }
    xml.close("extraartists");
}

fn released(rng: &mut Rng, year: usize) -> String {
    match rng.below(1000) {
        0..=117 => String::new(),
        118..=689 => format!("{year}"),
        690..=925 => format!("{year}-{:02}-{:02}", rng.between(1, 12), rng.between(1, 28)),
        926..=981 => format!("{year}-{:02}-00", rng.between(1, 12)),
        982..=998 => format!("{year}-00-00"),
        _ => format!("{}0s", year / 10),
    }
}

fn notes(u: &Universe, xml: &mut Xml, release: &Release, ordinal: u64) {
    let mut rng = u.rng(DataType::Releases, ordinal, Part::Notes);
    let length = NOTES.count(release.level.part(&mut rng, 0.5));
    if length == 0 {
        return;
    }
    let lines = rng.pick(&[Lines::One, Lines::Lf, Lines::Lf, Lines::CrLf]);
    let mut text = String::new();
    let flavour = if rng.chance(0.85) { ENGLISH } else { release.flavour };
    text::prose(u.words, &mut rng, flavour, length, lines, &mut text);
    xml.leaf("notes", &text);
}

fn master(u: &Universe, xml: &mut Xml, release: &Release, ordinal: u64) {
    let (id, main) = match release.work {
        Work::Master(master) => (u.id(DataType::Masters, master), u.main_release(master) == ordinal),
        Work::Release(_) if xml.form == Form::Form2020 => return,
        Work::Release(_) => (0, false),
    };
    xml.start("master_id");
    xml.attribute("is_main_release", if main { "true" } else { "false" });
    xml.raw(">");
    xml.digits(id);
    xml.close("master_id");
}

/// Writes one release.
pub fn write(u: &Universe, xml: &mut Xml, ordinal: u64) {
    let mut release = plan(u, ordinal);
    let mut rng = u.rng(DataType::Releases, ordinal, Part::Media);
    let mut people = People::new(u);
    xml.start("release");
    xml.attribute_number("id", u.id(DataType::Releases, ordinal));
    if xml.form == Form::Form2020 {
        xml.attribute("status", values::STATUS);
    }
    xml.raw(">");
    let images = rng.unit();
    packaging::images(u, xml, (DataType::Releases, ordinal), &IMAGES, images);
    let artist = work::artists(u, xml, release.work, release.various, &mut people);
    let mut title = String::new();
    work::title(u, release.work, &mut title);
    xml.leaf("title", &title);
    let label = packaging::labels(u, xml, &mut rng, &mut release);
    extra_credits(u, xml, &release, ordinal, &mut people);
    packaging::formats(xml, &mut rng, &release);
    work::genres(u, xml, release.work);
    let year = work::year(u, release.work);
    if rng.chance(0.97) {
        xml.leaf("country", rng.weighted(values::COUNTRIES));
    }
    let date = released(&mut rng, year);
    if !date.is_empty() {
        xml.leaf("released", &date);
    }
    notes(u, xml, &release, ordinal);
    xml.leaf("data_quality", rng.weighted(values::QUALITIES));
    master(u, xml, &release, ordinal);
    let tracks = tracks::write(u, xml, &release, ordinal, &mut people);
    let count = IDENTIFIERS.count(release.level.part(&mut rng, 0.8));
    companies::identifiers(u, xml, &release, ordinal, count);
    let count = VIDEOS.count(release.level.part(&mut rng, 0.4));
    let subject = Subject { artist: &artist, title: &title, tracks: &tracks, label: &label, year, flavour: release.flavour };
    videos::write(u, xml, &mut u.rng(DataType::Releases, ordinal, Part::Videos), &subject, count);
    let count = COMPANIES.count(release.level.part(&mut rng, 0.86));
    companies::write(u, xml, ordinal, count);
    xml.raw("</release>");
}

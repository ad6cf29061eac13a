//! Track lists.

use std::fmt::Write;

use crate::credits::{Credit, People};
use crate::quantiles::Quantiles;
use crate::release::{Rare, Release};
use crate::rng::{Part, Rng};
use crate::universe::Universe;
use crate::xml::Xml;
use crate::{text, values};

const CREDITS_PER_TRACK: Quantiles = Quantiles(&[(0.0, 1.0), (0.55, 1.99), (0.76, 2.99), (0.9, 5.0), (0.95, 7.5), (0.99, 12.0), (1.0, 22.0)]);
/// Sub-tracks of the track that has the most of them.
const SUB_TRACKS_MAX: usize = 300;

/// How track credits of a release look.
struct Plan {
    durations: bool,
    artists: bool,
    /// Share of the tracks that have credits.
    credited: f64,
    per_track: usize,
    again: f64,
    sub_tracks: bool,
}

/// A position in the way of the medium.
fn position(format: &str, number: usize, count: usize, out: &mut String) {
    let sided = matches!(format, "Vinyl" | "Cassette" | "Shellac");
    if !sided {
        let _ = if count > 26 { write!(out, "{}-{}", number / 18 + 1, number % 18 + 1) } else { write!(out, "{}", number + 1) };
        return;
    }
    let sides = if format == "Cassette" { 2 } else { (count.div_ceil(14) * 2).min(16) };
    let per_side = count.div_ceil(sides);
    let side = (b'A' + (number / per_side) as u8) as char;
    let _ = if count <= 2 { write!(out, "{side}") } else { write!(out, "{side}{}", number % per_side + 1) };
}

fn duration(rng: &mut Rng, out: &mut String) {
    let seconds = if rng.chance(0.04) { rng.between(600, 1500) } else { rng.between(110, 420) };
    let _ = match rng.below(400) {
        0 => write!(out, "{}:{:02}:{:02}", rng.between(1, 2), seconds / 60 % 60, seconds % 60),
        1 => write!(out, "{}:{}", seconds / 60, seconds % 10),
        _ => write!(out, "{}:{:02}", seconds / 60, seconds % 60),
    };
}

fn track_artists(xml: &mut Xml, rng: &mut Rng, people: &mut People, again: f64) {
    let count = if rng.chance(0.82) { 1 } else { rng.between(2, 3) };
    xml.open("artists");
    for number in 0..count {
        let place = people.someone(rng, again);
        let join = if number + 1 < count { rng.usual(values::JOINS) } else { "" };
        people.write(xml, rng, place, Credit { join, variant_share: 0.09, ..Credit::default() });
    }
    xml.close("artists");
}

fn track_credits(xml: &mut Xml, rng: &mut Rng, people: &mut People, count: usize, again: f64) {
    xml.open("extraartists");
    let mut role = "Written-By";
    for number in 0..count {
        if number == 0 || rng.chance(0.6) {
            role = if rng.chance(0.42) { "Written-By" } else { rng.usual(values::TRACK_ROLES) };
        }
        let place = people.someone(rng, again);
        people.write(xml, rng, place, Credit { role, variant_share: 0.42, ..Credit::default() });
    }
    xml.close("extraartists");
}

fn sub_tracks(u: &Universe, xml: &mut Xml, rng: &mut Rng, release: &Release, parent: &str, count: usize) {
    xml.open("sub_tracks");
    for number in 0..count {
        let mut line = String::new();
        xml.open("track");
        let _ = write!(line, "{parent}.{}", number + 1);
        xml.leaf("position", &line);
        line.clear();
        text::title(u.words, rng, release.flavour, &mut line);
        xml.leaf("title", &line);
        line.clear();
        if rng.chance(0.6) {
            duration(rng, &mut line);
        }
        xml.optional("duration", &line);
        let mut people = People::new(u);
        if rng.chance(0.012) {
            track_artists(xml, rng, &mut people, 0.0);
        }
        if rng.chance(0.002) {
            track_credits(xml, rng, &mut people, 1, 0.0);
        }
        xml.close("track");
    }
    xml.close("sub_tracks");
}

fn plan(release: &Release, rng: &mut Rng) -> Plan {
    let credited = release.level.part(rng, 0.42) > 0.643;
    let full = rng.chance(0.56);
    let share = if full { 1.0 } else { 0.1 + 0.8 * rng.unit() };
    let per_track = CREDITS_PER_TRACK.draw(rng);
    Plan {
        durations: rng.chance(0.545),
        artists: if release.various { rng.chance(0.88) } else { rng.chance(0.055) },
        credited: if release.rare == Rare::Giant {
            1.0
        } else if credited {
            share
        } else {
            0.0
        },
        per_track: if release.rare == Rare::Giant { 11 } else { per_track },
        again: rng.pick(&[0.15, 0.4, 0.6, 0.75, 0.88]),
        sub_tracks: rng.chance(0.02),
    }
}

/// Writes the track list, and returns the titles for the videos.
pub fn write(u: &Universe, xml: &mut Xml, release: &Release, ordinal: u64, people: &mut People) -> Vec<String> {
    let mut titles = u.work_rng(release.work, Part::TrackTitles);
    let mut rng = u.rng(crate::DataType::Releases, ordinal, Part::Tracks);
    let plan = plan(release, &mut rng);
    let mut names = Vec::with_capacity(release.tracks);
    let mut place = String::new();
    let first_credited = rng.below(release.tracks);
    xml.open("tracklist");
    for number in 0..release.tracks {
        let mut name = String::new();
        text::title(u.words, &mut titles, release.flavour, &mut name);
        let heading = release.tracks > 4 && rng.chance(0.024);
        place.clear();
        position(release.format, number, release.tracks, &mut place);
        xml.open("track");
        xml.optional("position", if heading { "" } else { &place });
        xml.leaf("title", &name);
        let mut time = String::new();
        if plan.durations && !heading {
            duration(&mut rng, &mut time);
        }
        xml.optional("duration", &time);
        if !heading {
            if plan.artists {
                track_artists(xml, &mut rng, people, 0.15);
            }
            if plan.credited > 0.0 && (number == first_credited || rng.chance(plan.credited)) {
                let count = if plan.per_track > 1 && rng.chance(0.4) { rng.between(1, plan.per_track + 1) } else { plan.per_track };
                track_credits(xml, &mut rng, people, count, plan.again);
            }
        }
        if release.rare == Rare::SubTracks && number == 0 {
            sub_tracks(u, xml, &mut rng, release, &place, SUB_TRACKS_MAX);
        } else if plan.sub_tracks && (number == 0 || rng.chance(0.18)) {
            let count = rng.between(2, 8);
            sub_tracks(u, xml, &mut rng, release, &place, count);
        }
        xml.close("track");
        names.push(name);
    }
    xml.close("tracklist");
    names
}

//! Videos of releases and masters.

use std::fmt::Write;

use crate::Form;
use crate::quantiles::Quantiles;
use crate::rng::Rng;
use crate::text::{self, Lines};
use crate::universe::Universe;
use crate::vocabulary::ENGLISH;
use crate::xml::Xml;

/// Longest description in characters: a dump cuts them.
const DESCRIPTION_MAX: usize = 255;
/// An element that is there but empty, as newer dumps seldom have.
const EMPTY_SHARE: f64 = 0.0007;
const PROSE: Quantiles = Quantiles(&[(0.0, 2.0), (0.15, 20.0), (0.3, 80.0), (0.5, 160.0), (0.65, 300.0), (1.0, 900.0)]);
const ADDRESS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// What the videos of a record are about.
pub struct Subject<'a> {
    pub artist: &'a str,
    pub title: &'a str,
    pub tracks: &'a [String],
    pub label: &'a str,
    pub year: usize,
    pub flavour: usize,
}

fn title(u: &Universe, rng: &mut Rng, subject: &Subject, track: &str, out: &mut String) {
    let artist = subject.artist;
    let _ = match rng.below(12) {
        0 | 1 => write!(out, "{track}"),
        2 => write!(out, "{} - {track}", artist.to_uppercase()),
        3 => write!(out, "{artist} – {track} ({})", subject.year),
        4 => {
            let _ = write!(out, "{artist} - {track} [");
            out.push_str(u.words.word(rng, ENGLISH, 0.3, true));
            write!(out, " {}]", subject.year)
        }
        5 => write!(out, "{track} - {artist}"),
        6 => write!(out, "{artist} \"{track}\""),
        _ => write!(out, "{artist} - {track}"),
    };
    if rng.chance(0.004) {
        out.push(' ');
        out.push_str(text::symbol(rng));
    }
}

/// The part of a description that all videos of one maker share.
fn boilerplate(u: &Universe, rng: &mut Rng, subject: &Subject, kind: usize, lines: Lines) -> String {
    let end = lines.end();
    let mut out = String::new();
    match kind {
        0 => {
            let _ = write!(
                out,
                "\n\n{}\n\n℗ {} {}\n\nFirst out: {}-{:02}-{:02}\n\n",
                subject.title,
                subject.year,
                subject.label,
                subject.year,
                rng.between(1, 12),
                rng.between(1, 28)
            );
            for role in ["Performed by", "Words", "Mixing"] {
                if rng.chance(0.6) {
                    let _ = write!(out, "{role}: ");
                    text::person(u.words, rng, &mut out);
                    out.push('\n');
                }
            }
            out.push_str("\nThis text was put together by a machine.");
        }
        1 => {
            let _ = write!(out, "Label: {}{end}Year: {}{end}Title: {}{end}Artist: {}{end}{end}", subject.label, subject.year, subject.title, subject.artist);
            text::prose(u.words, rng, ENGLISH, 60, lines, &mut out);
        }
        2 => {
            out.push_str("More of this: https://www.facebook.com/");
            text::slug(subject.artist, "", &mut out);
            let _ = write!(out, "{end}Shop: http://www.discogs.com/");
            text::slug(subject.title, "-", &mut out);
            let _ = write!(out, "/release/{}{end}{end}", rng.between(1000, 9_000_000));
            text::prose(u.words, rng, ENGLISH, 220, lines, &mut out);
        }
        3 => {
            let flavour = if rng.chance(0.6) { ENGLISH } else { subject.flavour };
            let length = PROSE.draw(rng);
            text::prose(u.words, rng, flavour, length, lines, &mut out);
        }
        4 => {
            let _ = write!(out, "https://www.discogs.com/");
            text::slug(subject.artist, "-", &mut out);
            out.push('-');
            text::slug(subject.title, "-", &mut out);
            let _ = write!(out, "/release/{}{end}{end}", rng.between(1000, 9_000_000));
        }
        _ => {}
    }
    out
}

fn description(rng: &mut Rng, subject: &Subject, kind: usize, boilerplate: &str, track: &str, out: &mut String) {
    let artist = subject.artist;
    let _ = match kind {
        0 => write!(out, "Brought to you by {}\n\n{track} · {artist}{boilerplate}", subject.label),
        1..=3 => write!(out, "{boilerplate}"),
        4 => write!(out, "{boilerplate}{artist} - {track}"),
        5 => write!(out, "{artist} - {track} ({})", subject.year),
        6 => write!(out, "{}", rng.pick(&[".", "Vinyl rip", " ", "From the album", "Official video", "7\" side A"])),
        _ => Ok(()),
    };
    text::cut(out, DESCRIPTION_MAX);
}

/// Writes `count` videos.
pub fn write(u: &Universe, xml: &mut Xml, rng: &mut Rng, subject: &Subject, count: usize) {
    if count == 0 {
        return;
    }
    let mut kind = 0;
    let mut shared = String::new();
    xml.open("videos");
    for number in 0..count {
        if number == 0 || rng.chance(0.45) {
            kind = rng.weighted(&[(0, 22), (1, 14), (2, 15), (3, 34), (4, 8), (5, 6), (6, 8), (7, 19)]);
            let lines = rng.pick(&[Lines::Lf, Lines::Lf, Lines::CrLf]);
            shared = boilerplate(u, rng, subject, kind, lines);
        }
        let track = if subject.tracks.is_empty() || rng.chance(0.12) { subject.title } else { &subject.tracks[number % subject.tracks.len()] };
        let mut address = String::from("https://www.youtube.com/watch?v=");
        let mut bits = rng.bits() as u128 | (rng.bits() as u128) << 64;
        for _ in 0..11 {
            address.push(ADDRESS[(bits & 63) as usize] as char);
            bits >>= 6;
        }
        xml.start("video");
        xml.attribute("src", &address);
        let seconds = if rng.chance(0.05) { rng.between(600, 4000) } else { rng.between(100, 480) };
        xml.attribute_number("duration", seconds as u64);
        xml.raw(" embed=\"true\">");
        let mut line = String::new();
        title(u, rng, subject, track, &mut line);
        text::cut(&mut line, 100);
        xml.leaf("title", &line);
        line.clear();
        description(rng, subject, kind, &shared, track, &mut line);
        if line.is_empty() && xml.form == Form::Form2026 && rng.chance(EMPTY_SHARE / 0.1) {
            xml.leaf("description", "");
        } else {
            xml.optional("description", &line);
        }
        xml.close("video");
    }
    xml.close("videos");
}

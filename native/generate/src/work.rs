//! What a master and its releases have in common: artists, title, genres, year.

use crate::credits::{Credit, People};
use crate::rng::{Part, Rng};
use crate::universe::{Universe, Work};
use crate::xml::Xml;
use crate::{text, values};

fn rng(u: &Universe, work: Work) -> Rng {
    u.work_rng(work, Part::Work)
}

/// The language of the titles.
pub fn flavour(u: &Universe, work: Work) -> usize {
    u.words.flavour(&mut rng(u, work))
}

pub fn year(u: &Universe, work: Work) -> usize {
    let mut rng = rng(u, work);
    rng.bits();
    2024 - rng.leaning(70)
}

pub fn title(u: &Universe, work: Work, out: &mut String) {
    text::title(u.words, &mut u.work_rng(work, Part::Name), flavour(u, work), out);
}

/// Writes the artists and returns the name of the first.
pub fn artists(u: &Universe, xml: &mut Xml, work: Work, various: bool, people: &mut People) -> String {
    let mut rng = rng(u, work);
    rng.bits();
    rng.bits();
    let usual = [(1, 870), (2, 85), (3, 22), (4, 10), (5, 6), (7, 2), (10, 1)];
    let count = if various { 1 } else { rng.weighted(&usual) };
    xml.open("artists");
    let mut first = String::new();
    for number in 0..count {
        let ordinal = if various { u.various() } else { u.any_artist(&mut rng) };
        let place = people.add(&mut rng, ordinal);
        if number == 0 {
            first.push_str(people.name(place));
        }
        let join = if number + 1 < count { rng.usual(values::JOINS) } else { "" };
        people.write(xml, &mut rng, place, Credit { join, variant_share: 0.105, ..Credit::default() });
    }
    xml.close("artists");
    first
}

/// Writes genres and styles.
pub fn genres(u: &Universe, xml: &mut Xml, work: Work) {
    let mut rng = u.work_rng(work, Part::Lists);
    let count = rng.weighted(&[(1, 790), (2, 140), (3, 50), (4, 16), (5, 3)]);
    let mut chosen: Vec<(&str, &[&str])> = Vec::with_capacity(count);
    while chosen.len() < count {
        let genre = rng.weighted(values::GENRES);
        if !chosen.iter().any(|other| other.0 == genre.0) {
            chosen.push(genre);
        }
    }
    xml.open("genres");
    for genre in &chosen {
        xml.leaf("genre", genre.0);
    }
    xml.close("genres");
    if rng.chance(0.135) {
        return;
    }
    let wanted = rng.weighted(&[(1, 520), (2, 260), (3, 150), (4, 50), (5, 15), (6, 5)]);
    let mut styles: Vec<&str> = Vec::with_capacity(wanted);
    for _ in 0..wanted * 2 {
        let list = rng.pick(&chosen).1;
        let style = rng.usual(list);
        if !styles.contains(&style) && styles.len() < wanted {
            styles.push(style);
        }
    }
    xml.open("styles");
    for style in styles {
        xml.leaf("style", style);
    }
    xml.close("styles");
}

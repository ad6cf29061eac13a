//! Masters.

use crate::credits::People;
use crate::quantiles::Quantiles;
use crate::rng::Part;
use crate::text::{self, Lines};
use crate::universe::{Universe, Work};
use crate::videos::Subject;
use crate::vocabulary::ENGLISH;
use crate::xml::Xml;
use crate::{DataType, packaging, videos, work};

const VIDEOS: Quantiles = Quantiles(&[(0.0, 0.0), (0.426, 0.0), (0.43, 1.0), (0.57, 1.99), (0.75, 3.2), (0.9, 6.2), (0.95, 10.2), (0.99, 16.6), (1.0, 38.0)]);
const IMAGES: Quantiles =
    Quantiles(&[(0.0, 0.0), (0.015, 0.0), (0.016, 1.0), (0.3, 1.99), (0.5, 2.9), (0.75, 4.6), (0.9, 7.9), (0.95, 9.9), (0.99, 15.0), (1.0, 28.0)]);
const NOTES: Quantiles = Quantiles(&[(0.0, 2.0), (0.05, 6.0), (0.25, 36.0), (0.5, 63.0), (0.75, 130.0), (0.95, 257.0), (1.0, 1300.0)]);

/// Writes one master.
pub fn write(u: &Universe, xml: &mut Xml, ordinal: u64) {
    let work = Work::Master(ordinal);
    let mut rng = u.rng(DataType::Masters, ordinal, Part::Head);
    let main = u.main_release(ordinal);
    xml.start("master");
    xml.attribute_number("id", u.id(DataType::Masters, ordinal));
    xml.raw(">");
    xml.number("main_release", u.id(DataType::Releases, main));
    let level = rng.unit();
    packaging::images(u, xml, (DataType::Masters, ordinal), &IMAGES, level);
    let artist = work::artists(u, xml, work, rng.chance(0.04), &mut People::new(u));
    work::genres(u, xml, work);
    let flavour = work::flavour(u, work);
    let mut text = String::new();
    if rng.chance(0.04) {
        let length = NOTES.draw(&mut rng);
        text::prose(u.words, &mut rng, ENGLISH, length, Lines::CrLf, &mut text);
        xml.leaf("notes", &text);
    }
    let year = work::year(u, work);
    xml.number("year", if rng.chance(0.05) { 0 } else { year as u64 });
    let mut title = String::new();
    work::title(u, work, &mut title);
    xml.leaf("title", &title);
    xml.leaf("data_quality", if rng.chance(0.985) { "Correct" } else { "Needs Vote" });
    let count = VIDEOS.draw(&mut rng);
    let mut titles = u.work_rng(work, Part::TrackTitles);
    let tracks: Vec<String> = (0..count.min(12))
        .map(|_| {
            let mut track = String::new();
            text::title(u.words, &mut titles, flavour, &mut track);
            track
        })
        .collect();
    let mut label = String::new();
    if count > 0 {
        u.label_name(u.any_label(&mut rng), &mut label);
    }
    let subject = Subject { artist: &artist, title: &title, tracks: &tracks, label: &label, year, flavour };
    videos::write(u, xml, &mut u.rng(DataType::Masters, ordinal, Part::Videos), &subject, count);
    xml.raw("</master>");
}

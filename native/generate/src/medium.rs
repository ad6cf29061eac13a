//! What a release is pressed on, and how many tracks that holds.

use crate::quantiles::Quantiles;
use crate::rng::Rng;
use crate::values;

const TRACKS_VINYL: Quantiles =
    Quantiles(&[(0.0, 1.0), (0.022, 1.9), (0.03, 2.0), (0.33, 2.99), (0.5, 4.7), (0.75, 11.4), (0.9, 13.6), (0.95, 16.6), (0.99, 24.0), (1.0, 60.0)]);
const TRACKS_DISC: Quantiles =
    Quantiles(&[(0.0, 1.0), (0.045, 1.9), (0.05, 2.0), (0.25, 7.2), (0.5, 11.5), (0.75, 15.5), (0.9, 20.5), (0.95, 26.5), (0.99, 48.0), (1.0, 120.0)]);
const TRACKS_FILE: Quantiles = Quantiles(&[(0.0, 1.0), (0.27, 1.99), (0.5, 3.5), (0.75, 5.6), (0.9, 10.5), (0.95, 12.5), (1.0, 40.0)]);
const TRACKS_TAPE: Quantiles = Quantiles(&[(0.0, 1.0), (0.05, 2.2), (0.25, 8.2), (0.5, 11.4), (0.75, 14.5), (0.9, 16.6), (0.95, 19.5), (1.0, 60.0)]);
const TRACKS_SHELLAC: Quantiles = Quantiles(&[(0.0, 2.0), (0.9, 2.99), (1.0, 7.0)]);
const TRACKS_DVD: Quantiles = Quantiles(&[(0.0, 1.0), (0.3, 10.0), (0.7, 20.0), (1.0, 67.0)]);
const TRACKS_BOX: Quantiles = Quantiles(&[(0.0, 20.0), (0.5, 90.0), (1.0, 267.0)]);

/// The medium of a release with that level.
pub fn format(rng: &mut Rng, level: f64) -> &'static str {
    // Files and burnt discs are poorly described, discs well: the shares stay as the table has them.
    let format = rng.weighted(values::FORMATS);
    match format {
        "CD" if level < 0.25 && rng.chance(0.3) => "File",
        "File" | "CDr" if level > 0.45 && rng.chance(0.65) => "CD",
        _ => format,
    }
}

/// How many tracks a release on that medium has.
pub fn track_count(rng: &mut Rng, format: &str) -> usize {
    let table = match format {
        "Vinyl" => TRACKS_VINYL,
        "CD" | "CDr" => TRACKS_DISC,
        "File" => TRACKS_FILE,
        "Cassette" => TRACKS_TAPE,
        "Shellac" => TRACKS_SHELLAC,
        "DVD" => TRACKS_DVD,
        _ => TRACKS_BOX,
    };
    table.draw(rng)
}

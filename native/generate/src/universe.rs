//! What records refer to: ids and names of artists, labels, masters and releases, each found from an ordinal alone.

use std::fmt::Write;

use crate::rng::{Part, Rng, mix};
use crate::text;
use crate::vocabulary::Vocabulary;
use crate::{DataType, Form};

/// Ordinals of a block share one pattern of used and unused ids.
const BLOCK: usize = 64;
/// Blocks of a group; behind each group lies a larger hole.
const GROUP: usize = 4;
const PATTERNS: usize = 128;
/// How many artists and labels records refer to, whatever a run writes.
const ARTISTS: usize = 9_000_000;
const LABELS: usize = 2_200_000;
/// Releases whose masters are mixed among each other, and the masters they have.
const RELEASE_GROUP: u64 = 1_024;
const MASTER_GROUP: u64 = 128;
/// Ordinals of artists that a large share of the credits name.
const VARIOUS: u64 = 169;
const UNKNOWN: u64 = 309;
const TRADITIONAL: u64 = 131_000;
/// The artist whose name is one blank that does not break.
const BLANK: u64 = 6_661;

/// How ids of a type follow each other.
struct Spacing {
    first: u64,
    /// Ids that a block of ordinals spans.
    span: usize,
    /// Most unused ids behind a group.
    hole: u64,
    patterns: Vec<[u8; BLOCK]>,
}

/// One synthetic world: a seed and the form its dumps are written in.
pub struct Universe {
    pub seed: u64,
    pub form: Form,
    pub words: &'static Vocabulary,
    spacings: [Spacing; 4],
}

/// What the releases of one master have in common; a release without a master has a work of its own.
#[derive(Clone, Copy, PartialEq)]
pub enum Work {
    Master(u64),
    Release(u64),
}

fn spacing(seed: u64, kind: DataType, first: u64, span: usize, hole: u64) -> Spacing {
    let patterns = (0..PATTERNS).map(|number| {
        let mut rng = Rng::new(seed, kind as u64, number as u64, Part::Ids);
        let mut pattern = [0u8; BLOCK];
        let mut taken = 0;
        for slot in 0..span {
            // Selection sampling: each way to use BLOCK of the slots is as likely as any other.
            if rng.below(span - slot) < BLOCK - taken {
                pattern[taken] = slot as u8;
                taken += 1;
            }
        }
        pattern
    });
    Spacing { first, span, hole, patterns: patterns.collect() }
}

impl Universe {
    pub fn new(seed: u64, form: Form) -> Universe {
        let spacings = [
            spacing(seed, DataType::Artists, 1, 73, 6),
            spacing(seed, DataType::Labels, 1, 72, 20),
            spacing(seed, DataType::Masters, 100, 67, 1),
            spacing(seed, DataType::Releases, 1, 76, 5),
        ];
        Universe { seed, form, words: Vocabulary::get(), spacings }
    }

    /// The numbers of one part of one record.
    pub fn rng(&self, kind: DataType, ordinal: u64, part: Part) -> Rng {
        Rng::new(self.seed, kind as u64, ordinal, part)
    }

    /// The id of the record with that ordinal; ids ascend with ordinals.
    pub fn id(&self, kind: DataType, ordinal: u64) -> u64 {
        let spacing = &self.spacings[kind as usize];
        let group = ordinal / (BLOCK * GROUP) as u64;
        let block = ordinal / BLOCK as u64;
        let hash = mix(self.seed ^ block.wrapping_mul(31) ^ ((kind as u64) << 56));
        let jitter = mix(self.seed ^ group ^ ((kind as u64) << 48)) % (spacing.hole + 1);
        spacing.first
            + group * ((GROUP * spacing.span) as u64 + spacing.hole)
            + jitter
            + (block % GROUP as u64) * spacing.span as u64
            + u64::from(spacing.patterns[(hash % PATTERNS as u64) as usize][(ordinal % BLOCK as u64) as usize])
    }

    /// An artist that is credited: a few very often, most of them seldom.
    pub fn any_artist(&self, rng: &mut Rng) -> u64 {
        if rng.chance(0.004) {
            return if rng.chance(0.55) { TRADITIONAL } else { UNKNOWN };
        }
        rng.steep(ARTISTS) as u64
    }

    pub fn various(&self) -> u64 {
        VARIOUS
    }

    pub fn any_label(&self, rng: &mut Rng) -> u64 {
        rng.steep(LABELS) as u64
    }

    pub fn artist_name(&self, ordinal: u64, out: &mut String) {
        match ordinal {
            VARIOUS => out.push_str("Various"),
            UNKNOWN => out.push_str("Unknown Artist"),
            TRADITIONAL => out.push_str("Traditional"),
            BLANK => out.push('\u{a0}'),
            _ => text::artist(self.words, &mut self.rng(DataType::Artists, ordinal, Part::Name), out),
        }
    }

    pub fn label_name(&self, ordinal: u64, out: &mut String) {
        text::label(self.words, &mut self.rng(DataType::Labels, ordinal, Part::Name), out);
    }

    fn has_master(&self, release: u64) -> bool {
        mix(self.seed ^ 0x6d61_7374 ^ release.wrapping_mul(7)) % 1000 < 590
    }

    /// The work of a release: eight releases far apart share a master, those of them that have one.
    pub fn work_of(&self, release: u64) -> Work {
        if !self.has_master(release) {
            return Work::Release(release);
        }
        Work::Master(release / RELEASE_GROUP * MASTER_GROUP + (release * 37 + 11) % MASTER_GROUP)
    }

    /// The release that a master names as its main one.
    pub fn main_release(&self, master: u64) -> u64 {
        let base = master / MASTER_GROUP * RELEASE_GROUP;
        let member = |turn: u64| {
            // 45 is the inverse of 37 modulo MASTER_GROUP.
            let residue = ((master % MASTER_GROUP + MASTER_GROUP - 11) * 45) % MASTER_GROUP;
            base + residue + turn * MASTER_GROUP
        };
        let first = mix(self.seed ^ master) % (RELEASE_GROUP / MASTER_GROUP);
        let turns = RELEASE_GROUP / MASTER_GROUP;
        (0..turns).map(|turn| member((turn + first) % turns)).find(|&release| self.has_master(release)).unwrap_or_else(|| member(first))
    }

    /// The numbers that all releases of a work share.
    pub fn work_rng(&self, work: Work, part: Part) -> Rng {
        match work {
            Work::Master(ordinal) => self.rng(DataType::Masters, ordinal, part),
            Work::Release(ordinal) => self.rng(DataType::Releases, ordinal, part),
        }
    }
}

/// A catalogue number, partly made of the label's name.
pub fn catalogue_number(rng: &mut Rng, label: &str, out: &mut String) {
    if rng.chance(0.1) {
        out.push_str("none");
        return;
    }
    let letters: String = label.chars().filter(|letter| letter.is_ascii_alphabetic()).take(rng.between(2, 4)).collect();
    let _ = match rng.below(6) {
        0 => write!(out, "{}{:03}", letters.to_uppercase(), rng.between(1, 999)),
        1 => write!(out, "{} {}", letters.to_uppercase(), rng.between(1, 9999)),
        2 => write!(out, "{}-{:03}", letters.to_uppercase(), rng.between(1, 300)),
        3 => write!(out, "{} {}-{}", rng.between(100, 999), rng.between(100, 999), rng.between(1, 4)),
        4 => write!(out, "{}", rng.between(1000, 99_999_999)),
        _ => write!(out, "{}-{}", letters.to_uppercase(), rng.between(1000, 99_999)),
    };
}

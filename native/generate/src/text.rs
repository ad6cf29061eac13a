//! Titles, names, prose and other texts.

use std::fmt::Write;

use crate::quantiles::Quantiles;
use crate::rng::Rng;
use crate::vocabulary::{ENGLISH, Vocabulary};

const TITLE_WORDS: Quantiles = Quantiles(&[(0.0, 1.0), (0.24, 1.99), (0.5, 2.99), (0.7, 3.99), (0.84, 4.99), (0.95, 7.99), (1.0, 14.0)]);
const SYMBOLS: &[&str] = &["🎵", "🎶", "🔥", "💿", "🎧", "❤️", "🎸", "𝄞", "😎", "🥁"];

/// How lines of a text end.
#[derive(Clone, Copy, PartialEq)]
pub enum Lines {
    One,
    Lf,
    CrLf,
}

impl Lines {
    pub fn end(self) -> &'static str {
        match self {
            Lines::One => " ",
            Lines::Lf => "\n",
            Lines::CrLf => "\r\n",
        }
    }
}

fn words(v: &Vocabulary, rng: &mut Rng, flavour: usize, count: usize, out: &mut String) {
    for number in 0..count {
        if number > 0 && v.spaced(flavour) {
            out.push(' ');
        }
        out.push_str(v.word(rng, flavour, 0.34, true));
    }
}

/// A title of a record or a track.
pub fn title(v: &Vocabulary, rng: &mut Rng, flavour: usize, out: &mut String) {
    let count = TITLE_WORDS.draw(rng);
    words(v, rng, flavour, count, out);
    if !rng.chance(0.17) {
        return;
    }
    match rng.below(9) {
        0 => out.push_str(" (Instrumental)"),
        1 => out.push_str(" (Live)"),
        2 | 3 => {
            let _ = write!(out, " ({} Mix)", v.invented(rng, flavour));
        }
        4 => {
            let _ = write!(out, " Pt. {}", rng.between(1, 4));
        }
        5 => out.push_str(" (Remix)"),
        6 if rng.chance(0.5) => {
            out.push_str(" & ");
            words(v, rng, flavour, 2, out);
        }
        6 | 7 => {
            out.push_str(" / ");
            words(v, rng, flavour, 2, out);
        }
        _ => {
            if rng.chance(0.1) {
                out.push_str(" >");
            } else {
                out.push_str(" (");
                words(v, rng, flavour, 2, out);
                out.push(')');
            }
        }
    }
}

/// The name of a person.
pub fn person(v: &Vocabulary, rng: &mut Rng, out: &mut String) {
    let flavour = v.flavour(rng);
    out.push_str(if rng.chance(0.85) { v.given(rng) } else { v.invented(rng, flavour) });
    if rng.chance(0.06) {
        let _ = write!(out, " {}.", (b'A' + rng.below(26) as u8) as char);
    }
    out.push(' ');
    let before = out.len();
    out.push_str(v.invented(rng, flavour));
    if out.len() - before < 4 {
        out.push_str(&v.invented(rng, flavour).to_lowercase());
    }
}

/// The name of a person, a band or a project.
pub fn artist(v: &Vocabulary, rng: &mut Rng, out: &mut String) {
    let flavour = v.flavour(rng);
    match rng.below(40) {
        0..=25 => person(v, rng, out),
        26..=29 => {
            let _ = write!(out, "The {}s", v.invented(rng, flavour));
        }
        30 => {
            person(v, rng, out);
            out.push_str(" & ");
            words(v, rng, ENGLISH, 2, out);
        }
        31..=35 => out.push_str(v.invented(rng, flavour)),
        36 => {
            let _ = write!(out, "DJ {}", v.invented(rng, flavour));
        }
        _ => words(v, rng, flavour, 2, out),
    }
    if rng.chance(0.09) {
        let _ = write!(out, " ({})", 2 + rng.steep(40));
    }
}

/// The name of a label, a company or a studio.
pub fn label(v: &Vocabulary, rng: &mut Rng, out: &mut String) {
    let flavour = v.flavour(rng);
    if rng.chance(0.09) {
        out.push_str("Not On Label (");
        artist(v, rng, out);
        out.push_str(" Self-released)");
        return;
    }
    let count = rng.between(1, 2);
    words(v, rng, flavour, count, out);
    const KINDS: &[&str] = &[
        " Records",
        " Music",
        "",
        " Recordings",
        " Productions",
        " Publishing",
        " Studios",
        " Ltd.",
        " Entertainment",
        " Inc.",
        " GmbH",
        " Music Publishing",
        " Discos",
        " Tapes",
        " & Co.",
    ];
    out.push_str(rng.usual(KINDS));
    if rng.chance(0.07) {
        let _ = write!(out, " ({})", 2 + rng.steep(20));
    }
}

/// Another way to write a name.
pub fn variant(rng: &mut Rng, name: &str, out: &mut String) {
    let plain = name.split(" (").next().unwrap_or(name);
    let (first, rest) = plain.split_once(' ').unwrap_or((plain, plain));
    let initial = first.chars().next().unwrap_or('X');
    let _ = match rng.below(12) {
        0..=3 => write!(out, "{initial}. {rest}"),
        4 | 5 => write!(out, "{rest}"),
        6 => write!(out, "{}", plain.to_uppercase()),
        7 => write!(out, "{rest}, {first}"),
        8 => write!(out, "{first}"),
        9 => write!(out, "{initial}.{rest}"),
        10 => write!(out, "{first} \"{initial}\" {rest}"),
        _ => write!(out, "{plain}{}", (b'a' + rng.below(26) as u8) as char),
    };
}

/// Cuts a text to so many characters.
pub fn cut(text: &mut String, characters: usize) {
    if let Some((at, _)) = text.char_indices().nth(characters) {
        text.truncate(at);
    }
}

/// Running text of exactly `length` characters.
pub fn prose(v: &Vocabulary, rng: &mut Rng, flavour: usize, length: usize, lines: Lines, out: &mut String) {
    let from = out.len();
    // Letters of most scripts take more than a byte, so the text may come out longer: it is cut at the end.
    let mut left = 0;
    let mut first = true;
    while out.len() - from < length * if flavour >= 6 { 3 } else { 1 } + 12 {
        if left == 0 {
            left = rng.between(3, 16);
            first = true;
        }
        let title = first || rng.chance(0.12);
        out.push_str(v.word(rng, flavour, 0.3, title));
        first = false;
        left -= 1;
        if left == 0 {
            out.push('.');
            if lines != Lines::One && rng.chance(0.45) {
                out.push_str(lines.end());
                if rng.chance(0.4) {
                    out.push_str(lines.end());
                }
                continue;
            }
        } else if rng.chance(0.05) {
            mark(v, rng, out);
        }
        out.push_str(if rng.chance(0.06) { ", " } else { " " });
    }
    let tail = &out[from..];
    if let Some((at, _)) = tail.char_indices().nth(length) {
        out.truncate(from + at);
    }
}

/// Something that breaks the run of words: a link, a number, a symbol.
fn mark(v: &Vocabulary, rng: &mut Rng, out: &mut String) {
    let _ = match rng.below(14) {
        0..=2 => write!(out, " {}", rng.between(1950, 2025)),
        3 => {
            out.push_str(" [a=");
            person(v, rng, out);
            write!(out, "]")
        }
        4 => {
            out.push_str(" [l=");
            label(v, rng, out);
            write!(out, "]")
        }
        5 => write!(out, " [r{}]", rng.between(1000, 19_000_000)),
        6 | 7 => write!(out, " &"),
        8 => write!(out, " ({})", v.word(rng, ENGLISH, 0.5, true)),
        9 => write!(out, " \"{}\"", v.word(rng, ENGLISH, 0.5, true)),
        10 => write!(out, " ℗ & © {}", rng.between(1960, 2025)),
        11 => write!(out, " #{}", rng.between(1, 500)),
        _ => write!(out, " -"),
    };
}

/// A character beyond the basic plane, as video titles have them.
pub fn symbol(rng: &mut Rng) -> &'static str {
    rng.pick(SYMBOLS)
}

/// A text as it stands in an address: small ASCII letters and digits.
pub fn slug(text: &str, between: &str, out: &mut String) {
    let mut gap = false;
    for letter in text.chars() {
        if letter.is_ascii_alphanumeric() {
            if gap {
                out.push_str(between);
            }
            gap = false;
            out.push(letter.to_ascii_lowercase());
        } else {
            gap = !out.ends_with('/');
        }
    }
}

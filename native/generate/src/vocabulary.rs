//! Words of every flavour, made once from the syllables.

use std::sync::OnceLock;

use crate::rng::{Part, Rng};
use crate::words::{FLAVOURS, Flavour, GIVEN};

/// Syllables may join to something rude; such words are not taken.
const AVOIDED: &[&str] = &["fuck", "shit", "cunt", "nig", "rape", "cock", "dick", "slut", "fag", "coon", "whor", "piss", "nazi", "tit"];
/// Invented words of a flavour.
const INVENTED: usize = 3_000;

struct Word {
    lower: Box<str>,
    title: Box<str>,
}

struct Language {
    common: Vec<Word>,
    invented: Vec<Word>,
    dense: bool,
}

/// The words that all texts are put together from.
pub struct Vocabulary {
    languages: Vec<Language>,
    given: Vec<&'static str>,
}

/// The flavour of English, which texts about records are mostly written in.
pub const ENGLISH: usize = 0;

fn capitalised(word: &str) -> Box<str> {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect::<String>()).unwrap_or_default().into()
}

fn word(text: &str) -> Word {
    Word { lower: text.into(), title: capitalised(text) }
}

fn invent(rng: &mut Rng, flavour: &Flavour) -> Word {
    loop {
        let mut text = String::new();
        for _ in 0..1 + rng.leaning(flavour.syllables) {
            text.push_str(rng.usual(flavour.onsets));
            text.push_str(rng.usual(flavour.nuclei));
            text.push_str(rng.usual(flavour.codas));
        }
        if !AVOIDED.iter().any(|avoided| text.contains(avoided)) {
            return word(&text);
        }
    }
}

impl Vocabulary {
    /// The one vocabulary; it does not depend on a seed.
    pub fn get() -> &'static Vocabulary {
        static VOCABULARY: OnceLock<Vocabulary> = OnceLock::new();
        VOCABULARY.get_or_init(|| {
            let languages = FLAVOURS.iter().enumerate().map(|(number, flavour)| {
                let mut rng = Rng::new(0, 99, number as u64, Part::Name);
                Language {
                    common: flavour.common.iter().flat_map(|list| list.split_whitespace()).map(word).collect(),
                    invented: (0..INVENTED).map(|_| invent(&mut rng, flavour)).collect(),
                    dense: flavour.dense,
                }
            });
            Vocabulary { languages: languages.collect(), given: GIVEN.split_whitespace().collect() }
        })
    }

    /// A flavour by its weight.
    pub fn flavour(&self, rng: &mut Rng) -> usize {
        let mut left = rng.below(FLAVOURS.iter().map(|flavour| flavour.weight as usize).sum());
        for (number, flavour) in FLAVOURS.iter().enumerate() {
            if left < flavour.weight as usize {
                return number;
            }
            left -= flavour.weight as usize;
        }
        ENGLISH
    }

    /// True if the flavour separates words.
    pub fn spaced(&self, flavour: usize) -> bool {
        !self.languages[flavour].dense
    }

    /// An invented word, capitalised.
    pub fn invented(&self, rng: &mut Rng, flavour: usize) -> &str {
        &self.languages[flavour].invented[rng.leaning(INVENTED)].title
    }

    /// An everyday word, or with probability `rare` an invented one.
    pub fn word(&self, rng: &mut Rng, flavour: usize, rare: f64, title: bool) -> &str {
        let language = &self.languages[flavour];
        let word = if rng.chance(rare) { &language.invented[rng.leaning(INVENTED)] } else { &language.common[rng.leaning(language.common.len())] };
        if title { &word.title } else { &word.lower }
    }

    pub fn given(&self, rng: &mut Rng) -> &str {
        rng.usual(&self.given)
    }
}

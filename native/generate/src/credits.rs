//! Credits: artists of a release and of its tracks, with people that come back from credit to credit.

use crate::rng::Rng;
use crate::universe::Universe;
use crate::xml::Xml;
use crate::{DataType, Form};

/// Credits of which the artist is unknown: without `id` now, with id 0 before.
const NO_ID_SHARE: f64 = 0.0025;

struct Person {
    id: u64,
    name: String,
    variant: Option<String>,
}

/// The people of one release.
pub struct People<'a> {
    universe: &'a Universe,
    people: Vec<Person>,
}

/// What a credit says beside who.
#[derive(Clone, Copy, Default)]
pub struct Credit<'a> {
    pub join: &'a str,
    pub role: &'a str,
    pub tracks: &'a str,
    /// How often the name is given in the way the release has it.
    pub variant_share: f64,
}

impl<'a> People<'a> {
    pub fn new(universe: &'a Universe) -> People<'a> {
        People { universe, people: Vec::new() }
    }

    /// Takes an artist in, and returns the place.
    pub fn add(&mut self, rng: &mut Rng, ordinal: u64) -> usize {
        let mut name = String::new();
        self.universe.artist_name(ordinal, &mut name);
        let variant = rng.chance(0.4).then(|| {
            let mut text = String::new();
            crate::text::variant(rng, &name, &mut text);
            text
        });
        self.people.push(Person { id: self.universe.id(DataType::Artists, ordinal), name, variant });
        self.people.len() - 1
    }

    /// Someone of the release with probability `again`, else someone new.
    pub fn someone(&mut self, rng: &mut Rng, again: f64) -> usize {
        if !self.people.is_empty() && rng.chance(again) {
            // The latest are the most likely: writers come back from track to track.
            return self.people.len() - 1 - rng.leaning(self.people.len());
        }
        let ordinal = self.universe.any_artist(rng);
        self.add(rng, ordinal)
    }

    pub fn name(&self, place: usize) -> &str {
        &self.people[place].name
    }

    /// Writes a credit.
    pub fn write(&self, xml: &mut Xml, rng: &mut Rng, place: usize, credit: Credit) {
        let person = &self.people[place];
        let variant = if rng.chance(credit.variant_share * 2.5) { person.variant.as_deref().unwrap_or("") } else { "" };
        xml.open("artist");
        if rng.chance(NO_ID_SHARE) && !credit.role.is_empty() {
            if xml.form == Form::Form2020 {
                xml.number("id", 0);
            }
        } else {
            xml.number("id", person.id);
        }
        xml.leaf("name", &person.name);
        xml.optional("anv", variant);
        xml.optional("join", credit.join);
        xml.optional("role", credit.role);
        xml.optional("tracks", credit.tracks);
        xml.close("artist");
    }
}

//! Sets of ids: a bit an id, in pages, so that what a whole month knows stays small.

use std::collections::HashMap;

const PAGE_BITS: u64 = 1 << 16;
const WORDS: usize = (PAGE_BITS / 64) as usize;

/// A set of numbers that lie close together.
#[derive(Default)]
pub struct IdSet {
    pages: HashMap<u64, Box<[u64; WORDS]>>,
    len: u64,
}

fn place(id: u64) -> (u64, usize, u64) {
    (id / PAGE_BITS, (id % PAGE_BITS / 64) as usize, 1 << (id % 64))
}

impl IdSet {
    /// Adds an id; false if it was there.
    pub fn insert(&mut self, id: u64) -> bool {
        let (page, word, bit) = place(id);
        let word = &mut self.pages.entry(page).or_insert_with(|| Box::new([0; WORDS]))[word];
        let is_new = *word & bit == 0;
        *word |= bit;
        self.len += u64::from(is_new);
        is_new
    }

    pub fn contains(&self, id: u64) -> bool {
        let (page, word, bit) = place(id);
        self.pages.get(&page).is_some_and(|words| words[word] & bit != 0)
    }

    pub fn len(&self) -> u64 {
        self.len
    }
}

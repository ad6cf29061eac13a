//! Rows for PostgreSQL and keys of bodies against their definition, for any bodies.
//!
//! `DEADWAX_CASES` sets the number of cases, `DEADWAX_SEED` repeats a run.

mod support;

use deadwax_native::copy::{self, Options};
use deadwax_native::keys::{self, Bodies};
use support::bodies;
use support::random::{Rng, cases, for_all};
use support::rows::{YEAR_MAX, rows_equal_definition};
use support::table;

const CASES: usize = 3000;

#[test]
fn our_own_bodies_are_stored() {
    let own = bodies::own();
    assert!(own.len() > 50, "{} bodies of fixtures", own.len());
    let list: Vec<&[u8]> = own.iter().map(Vec::as_slice).collect();
    rows_equal_definition(&list).unwrap_or_else(|what| panic!("{what}"));
    let (bytes, ends) = joined(&list);
    let bodies = Bodies::new(&bytes, &ends).expect("bodies");
    // A record of a dump may have an empty id, which no table takes.
    let without: Vec<_> = (0..list.len()).filter(|&i| list[i].starts_with(br#"{"type":"data","id":"","#)).collect();
    let bad: Vec<_> = keys::columns(bodies, true).bad.into_iter().map(|(i, bad)| (i, bad.to_string())).collect();
    assert_eq!(bad, without.iter().map(|&i| (i, "id is empty".to_owned())).collect::<Vec<_>>());
    let rows = copy::rows(bodies, 0..list.len(), Options { numbered: false, derive: false, year_max: YEAR_MAX });
    // XML with NUL characters makes bodies with them.
    let with_nul = own.iter().filter(|body| body.windows(6).any(|bytes| bytes == br"\u0000")).count();
    assert_eq!((rows.rows as usize, rows.replaced as usize), (list.len() - without.len(), with_nul));
}

fn joined(list: &[&[u8]]) -> (Vec<u8>, Vec<u32>) {
    let (mut bytes, mut ends) = (Vec::new(), Vec::new());
    for body in list {
        bytes.extend_from_slice(body);
        ends.push(bytes.len() as u32);
        bytes.push(b'\n');
    }
    (bytes, ends)
}

#[test]
fn any_json_is_stored_as_the_definition_says() {
    let (total, stored, replaced) = (std::cell::Cell::new(0), std::cell::Cell::new(0), std::cell::Cell::new(0));
    for_all("any JSON", cases(CASES), bodies::any, |body| {
        total.set(total.get() + 1);
        if let Some(json) = std::str::from_utf8(body).ok().filter(|_| table::is_json(body)) {
            let (storable, is_replaced) = table::storable(json);
            stored.set(stored.get() + usize::from(table::keys(&storable).is_some()));
            replaced.set(replaced.get() + usize::from(is_replaced));
        }
        rows_equal_definition(&[body])
    });
    eprintln!("{} of {} bodies are rows, {} with replaced characters", stored.get(), total.get(), replaced.get());
    assert!(total.get() < 100 || (stored.get() > total.get() / 4 && replaced.get() > total.get() / 20), "the bodies are of use");
}

#[test]
fn derived_keys_are_as_the_definition_says() {
    let (years, artists) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    for_all("derived", cases(CASES), bodies::release, |body| {
        if let Ok(json) = std::str::from_utf8(body) {
            let derived = table::derived(&table::storable(json).0, YEAR_MAX);
            years.set(years.get() + usize::from(derived.contains_key("year")));
            artists.set(artists.get() + usize::from(derived.contains_key("artist")));
        }
        rows_equal_definition(&[body])
    });
    eprintln!("{} years and {} artists", years.get(), artists.get());
    assert!(cases(CASES) < 1000 || (years.get() > 20 && artists.get() > 100), "there is something to derive");
}

#[test]
fn damaged_bodies_are_refused_or_stored_as_the_definition_says() {
    let own = bodies::own();
    let damaged = |rng: &mut Rng| {
        let mut body = if rng.one_in(2) { own[rng.below(own.len())].clone() } else { bodies::any(rng) };
        for _ in 0..=rng.few(3) {
            bodies::damage(rng, &mut body);
        }
        body
    };
    for_all("damaged", cases(CASES), damaged, |body| rows_equal_definition(&[body]));
}

#[test]
fn bodies_do_not_see_one_another() {
    let several = |rng: &mut Rng| {
        let many: Vec<_> = (0..rng.below(6)).map(|_| bodies::any(rng)).collect();
        many.join(&0)
    };
    // A NUL parts them, which no JSON contains.
    for_all("several", cases(CASES / 4), several, |bytes| rows_equal_definition(&bytes.split(|&b| b == 0).collect::<Vec<_>>()));
}

#[test]
fn nesting_does_not_recurse() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[{\"a\":", "}]")] {
        for depth in [100, 510, 511, 512, 513, 2000] {
            let (open, close) = (open.repeat(depth), close.repeat(depth));
            for artists in ["x", "artists"] {
                let body = format!(r#"{{"id":1,"sha256":"x","{artists}":{open}1{close},"released":"1999"}}"#);
                rows_equal_definition(&[body.as_bytes(), &body.as_bytes()[..body.len() / 2]]).unwrap_or_else(|what| panic!("{depth} x {open:.5}: {what:.200}"));
            }
        }
    }
    let huge = "[".repeat(20 << 20);
    let (bytes, ends) = joined(&[huge.as_bytes(), format!(r#"{{"x":{huge}"#).as_bytes(), format!(r#"{{"id":1,"sha256":"x","artists":{huge}"#).as_bytes()]);
    let bodies = Bodies::new(&bytes, &ends).expect("bodies");
    assert_eq!(keys::columns(bodies, true).bad.len(), 3);
    assert_eq!(copy::rows(bodies, 0..3, Options { numbered: false, derive: true, year_max: YEAR_MAX }).rows, 1);
}

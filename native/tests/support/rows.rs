//! What must hold for the rows and keys of any bodies; see [`super::table`] for what is right.

use deadwax_native::copy::{self, Options, Rows};
use deadwax_native::keys::{self, Bodies};

use super::checks::Check;
use super::table::{self, DEPTH_MAX, Tree};

pub const YEAR_MAX: u32 = 2027;

/// What a body should become.
struct Expected {
    is_json: bool,
    is_shallow: bool,
    /// As it is stored.
    json: String,
    replaced: bool,
    keys: Option<(String, String)>,
}

fn expected(body: &[u8]) -> Expected {
    let Some(json) = std::str::from_utf8(body).ok().filter(|_| table::is_json(body)) else {
        return Expected { is_json: false, is_shallow: false, json: String::new(), replaced: false, keys: None };
    };
    let (storable, replaced) = table::storable(json);
    Expected { is_json: true, is_shallow: table::depth(json) <= DEPTH_MAX, keys: table::keys(&storable), json: storable, replaced }
}

/// Holds keys and rows of `list` against the definition.
pub fn rows_equal_definition(list: &[&[u8]]) -> Check {
    let (mut bytes, mut ends) = (Vec::new(), Vec::new());
    for body in list {
        bytes.extend_from_slice(body);
        ends.push(bytes.len() as u32);
        bytes.push(b'\n');
    }
    let bodies = Bodies::new(&bytes, &ends).ok_or("these are bodies")?;
    let expected: Vec<_> = list.iter().map(|body| expected(body)).collect();
    for check in [true, false] {
        columns_equal(&keys::columns(bodies, check), &expected, check).map_err(|what| format!("check {check}: {what}"))?;
    }
    for derive in [false, true] {
        let options = Options { numbered: true, derive, year_max: YEAR_MAX };
        let numbered = copy::rows(bodies, 0..list.len(), options);
        rows_equal(&numbered, &expected, derive).map_err(|what| format!("derive {derive}: {what}"))?;
        let plain = copy::rows(bodies, 0..list.len(), Options { numbered: false, ..options });
        let cut: Vec<u8> =
            numbered.bytes.split_inclusive(|&b| b == b'\n').flat_map(|row| row.splitn(2, |&b| b == b'\t').last().unwrap_or_default().to_vec()).collect();
        if plain.bytes != cut || (plain.rows, plain.replaced) != (numbered.rows, numbered.replaced) {
            return Err(format!("rows without numbers differ: {}", plain.bytes.escape_ascii()));
        }
        let odd = copy::rows(bodies, (0..list.len()).filter(|i| i % 2 == 1), options);
        let chosen: Vec<u8> = numbered.bytes.split_inclusive(|&b| b == b'\n').filter(|row| index(row).is_some_and(|i| i % 2 == 1)).flatten().copied().collect();
        if odd.bytes != chosen {
            return Err(format!("rows of some bodies differ: {}", odd.bytes.escape_ascii()));
        }
    }
    Ok(())
}

fn index(row: &[u8]) -> Option<usize> {
    std::str::from_utf8(row.split(|&b| b == b'\t').next()?).ok()?.parse().ok()
}

fn columns_equal(columns: &keys::Columns, expected: &[Expected], check: bool) -> Check {
    let (ids, hashes) = (table::elements(&columns.ids)?, table::elements(&columns.hashes)?);
    if [ids.len(), hashes.len(), columns.numbers.len()] != [expected.len(); 3] {
        return Err(format!("{} ids, {} hashes, {} numbers", ids.len(), hashes.len(), columns.numbers.len()));
    }
    for (i, want) in expected.iter().enumerate() {
        let got = ids[i].clone().zip(hashes[i].clone());
        let bad = columns.bad.iter().find(|(index, _)| *index == i).map(|(_, bad)| bad.to_string());
        if got.is_some() == bad.is_some() || ids[i].is_some() != hashes[i].is_some() {
            return Err(format!("body {i}: {got:?} and {bad:?}"));
        }
        // What is no JSON may have keys all the same; without a check nobody has seen the rest.
        let want_keys = if check && !want.is_shallow { &None } else { &want.keys };
        if (check || want.is_json) && got != *want_keys {
            return Err(format!("body {i}: {got:?} ({bad:?}), and not {want_keys:?}"));
        }
        let number = ids[i].as_deref().and_then(table::number);
        if number.unwrap_or(f64::NAN).to_bits() != columns.numbers[i].to_bits() {
            return Err(format!("body {i}: number {}, and not {number:?}", columns.numbers[i]));
        }
    }
    Ok(())
}

fn rows_equal(rows: &Rows, expected: &[Expected], derive: bool) -> Check {
    let mut found = vec![None; expected.len()];
    for row in rows.bytes.split_inclusive(|&b| b == b'\n') {
        let row = row.strip_suffix(b"\n").ok_or("the last row has no end")?;
        let place = index(row).and_then(|i| found.get_mut(i)).ok_or_else(|| format!("a row of no body: {}", row.escape_ascii()))?;
        if place.replace(row).is_some() {
            return Err(format!("two rows of a body: {}", row.escape_ascii()));
        }
    }
    if rows.rows as usize != found.iter().flatten().count() {
        return Err(format!("{} rows are counted", rows.rows));
    }
    let mut replaced = 0;
    for (i, (row, want)) in found.into_iter().zip(expected).enumerate() {
        let row = row.map(|row| std::str::from_utf8(row).map_err(|_| format!("body {i}: no UTF-8")).and_then(table::columns));
        if !want.is_json {
            // The server refuses it; it must not have become JSON.
            if let Some(Ok(columns)) = &row
                && columns.get(3).is_some_and(|data| table::is_json(data.as_bytes()))
            {
                return Err(format!("body {i}: became JSON"));
            }
            continue;
        }
        let (row, (id, hash)) = match (row, &want.keys) {
            (None, None) => continue,
            (Some(row), Some(keys)) => (row.map_err(|what| format!("body {i}: {what}"))?, keys),
            (row, keys) => return Err(format!("body {i}: {row:?} for {keys:?}")),
        };
        if row.len() != 4 || row[1] != *id || row[2] != *hash {
            return Err(format!("body {i}: columns {row:?}"));
        }
        replaced += u32::from(want.replaced);
        let derived = if derive { table::derived(&want.json, YEAR_MAX) } else { Default::default() };
        if derived.is_empty() && row[3] != want.json {
            return Err(format!("body {i}: {}\nand not: {}", row[3], want.json));
        }
        if !derived.is_empty() && want.is_shallow {
            let mut all = table::tree(&want.json);
            if let Tree::Object(members) = &mut all {
                members.extend(derived);
            }
            let got = table::tree(&row[3]);
            if !table::is_json(row[3].as_bytes()) || got != all {
                return Err(format!("body {i}: {got:?}\nand not: {all:?}"));
            }
        }
    }
    // Rows of what is no JSON may count too.
    let unknown = expected.iter().filter(|want| !want.is_json).count() as u32;
    if !(replaced..=replaced + unknown).contains(&rows.replaced) {
        return Err(format!("{} rows with replaced characters, and not {replaced}", rows.replaced));
    }
    Ok(())
}

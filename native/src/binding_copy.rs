//! The boundary to Node of what PostgreSQL is sent: see [`crate::binding`].

use napi::bindgen_prelude::{Buffer, Float64Array, Uint8Array, Uint32Array};
use napi::{Error, Result};
use napi_derive::napi;

use crate::binding::{guarded, thrown};
use crate::copy::{self, Options};
use crate::keys::{self, Bodies};

#[napi(object)]
pub struct BadBody {
    pub index: u32,
    pub reason: String,
}

#[napi(object)]
pub struct BodyKeys {
    pub ids: String,
    pub hashes: String,
    pub numbers: Float64Array,
    pub bad: Vec<BadBody>,
}

#[napi(object)]
pub struct CopyOptions {
    pub which: Option<Uint32Array>,
    pub numbered: bool,
    pub derive: bool,
    pub year_max: u32,
}

#[napi(object)]
pub struct CopyRows {
    pub bytes: Buffer,
    pub rows: u32,
    pub replaced: u32,
}

fn bodies_of<'a>(bytes: &'a [u8], ends: &'a [u32]) -> Result<Bodies<'a>> {
    Bodies::new(bytes, ends).ok_or_else(|| Error::from_reason("the ends do not ascend within the bodies"))
}

#[napi]
pub fn body_keys(bodies: Uint8Array, ends: Uint32Array, check: bool) -> Result<BodyKeys> {
    let bodies = bodies_of(&bodies, &ends)?;
    let columns = guarded(|| Ok(keys::columns(bodies, check))).map_err(thrown)?;
    Ok(BodyKeys {
        ids: columns.ids,
        hashes: columns.hashes,
        numbers: columns.numbers.into(),
        bad: columns.bad.into_iter().map(|(index, bad)| BadBody { index: index as u32, reason: bad.to_string() }).collect(),
    })
}

#[napi]
pub fn copy_rows(bodies: Uint8Array, ends: Uint32Array, options: CopyOptions) -> Result<CopyRows> {
    let bodies = bodies_of(&bodies, &ends)?;
    let CopyOptions { which, numbered, derive, year_max } = options;
    let how = Options { numbered, derive, year_max };
    let rows = match &which {
        Some(which) if which.iter().any(|&index| index as usize >= bodies.len()) => {
            return Err(Error::from_reason("there are fewer bodies than an index says"));
        }
        Some(which) => guarded(|| Ok(copy::rows(bodies, which.iter().map(|&index| index as usize), how))),
        None => guarded(|| Ok(copy::rows(bodies, 0..bodies.len(), how))),
    };
    let rows = rows.map_err(thrown)?;
    Ok(CopyRows { bytes: rows.bytes.into(), rows: rows.rows, replaced: rows.replaced })
}

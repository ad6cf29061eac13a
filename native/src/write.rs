//! Text and attribute values to JSON, escaped and with references resolved while they are copied.
//!
//! Nothing here checks its room: see [`crate::emit::room`].

use crate::json::{long_escape, short_escape};
use crate::names::Key;
use crate::simd::Isa;
use crate::text;

/// What is copied: bytes as they stand, text, or the value of an attribute.
pub const RAW: u8 = 0;
pub const TEXT: u8 = 1;
pub const ATTRIBUTE: u8 = 2;

pub const NULL: &[u8] = b"null";

/// Writes a key.
///
/// # Safety
/// 32 bytes at `o` are writable; enough are, for all functions here.
#[inline(always)]
pub unsafe fn put(o: *mut u8, key: &Key) -> *mut u8 {
    // SAFETY: the caller's.
    unsafe {
        std::ptr::copy_nonoverlapping(key.bytes.as_ptr(), o, 32);
        o.add(key.len)
    }
}

/// Writes a few bytes.
///
/// # Safety
/// As above.
#[inline(always)]
pub unsafe fn put_bytes(o: *mut u8, bytes: &[u8]) -> *mut u8 {
    // SAFETY: the caller's.
    unsafe {
        std::ptr::copy_nonoverlapping(bytes.as_ptr(), o, bytes.len());
        o.add(bytes.len())
    }
}

/// Copies `x[from..to]`, escaped for JSON; TEXT and ATTRIBUTE resolve references, and are None at a bad one.
///
/// # Safety
/// As above; PAD readable bytes are behind `to`.
#[inline(always)]
pub unsafe fn copy<I: Isa, const KIND: u8>(x: *const u8, mut from: usize, to: usize, mut o: *mut u8) -> Option<*mut u8> {
    // SAFETY: the caller's.
    unsafe {
        while from < to {
            let hits = if KIND == RAW { I::copy32::<false>(x.add(from), o) } else { I::copy32::<true>(x.add(from), o) };
            let rest = to - from;
            let n = (hits.trailing_zeros() as usize).min(rest);
            from += n;
            o = o.add(n);
            if n == 32 || n == rest {
                continue;
            }
            let b = *x.add(from);
            if KIND != RAW && b == b'&' {
                let (next, end) = reference(std::slice::from_raw_parts(x.add(from), to - from), o)?;
                from += next;
                o = end;
                continue;
            }
            from += 1;
            if KIND == ATTRIBUTE && matches!(b, b'\t' | b'\n' | b'\r') {
                if b == b'\r' && from < to && *x.add(from) == b'\n' {
                    from += 1;
                }
                *o = b' ';
                o = o.add(1);
                continue;
            }
            o = escape(b, o);
        }
        Some(o)
    }
}

#[inline(always)]
unsafe fn escape(b: u8, o: *mut u8) -> *mut u8 {
    // SAFETY: 6 writable bytes.
    unsafe {
        let letter = short_escape(b);
        if letter != 0 {
            *o = b'\\';
            *o.add(1) = letter;
            return o.add(2);
        }
        if b >= 0x20 {
            *o = b;
            return o.add(1);
        }
        put_bytes(o, &long_escape(b))
    }
}

/// Resolves the reference at `tail[0]` = `&`: bytes read, and where the output ends.
#[inline(never)]
unsafe fn reference(tail: &[u8], o: *mut u8) -> Option<(usize, *mut u8)> {
    /// Longer names are none that are known; leading zeros take the slow way.
    const NAME_BYTES_MAX: usize = 12;
    let end = tail.iter().take(NAME_BYTES_MAX).position(|&b| b == b';')?;
    let c = text::resolve(&tail[1..end])?;
    // SAFETY: room for the longest escape.
    unsafe {
        if (c as u32) < 0x80 {
            return Some((end + 1, escape(c as u8, o)));
        }
        let mut utf8 = [0u8; 4];
        Some((end + 1, put_bytes(o, c.encode_utf8(&mut utf8).as_bytes())))
    }
}

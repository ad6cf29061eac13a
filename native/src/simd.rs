//! Vector operations, one implementation per instruction set behind one trait.
//!
//! [`Scalar`] is the plain meaning and runs everywhere; [`Avx2`] is chosen at run time where the CPU has it. Code over the trait
//! is `#[inline(always)]` and entered through functions that enable the instruction set ([`crate::tape`], [`crate::emit`],
//! [`crate::split`]), so that nothing is decided per block.

/// Bytes that must be readable behind any input and writable behind any output.
pub const PAD: usize = 64;

/// Positions in a block of 64 bytes, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Masks {
    pub lt: u64,
    pub gt: u64,
    pub quotes: u64,
    /// `!` and `?`.
    pub bangs: u64,
    pub slashes: u64,
    /// The byte asked for.
    pub wanted: u64,
}

impl Masks {
    /// Only the first `n` positions, fewer than 64.
    pub fn first(self, n: usize) -> Self {
        let keep = (1u64 << n) - 1;
        let Self { lt, gt, quotes, bangs, slashes, wanted } = self;
        Self { lt: lt & keep, gt: gt & keep, quotes: quotes & keep, bangs: bangs & keep, slashes: slashes & keep, wanted: wanted & keep }
    }
}

/// Bytes to find, at most 32.
#[derive(Clone, Copy)]
#[repr(align(8))]
pub struct Pattern {
    bytes: [u8; 32],
    /// The positions that count.
    mask: u32,
    pub len: u32,
}

impl Pattern {
    pub fn new(parts: &[&[u8]]) -> Self {
        let all = parts.concat();
        let mut bytes = [0; 32];
        bytes[..all.len()].copy_from_slice(&all);
        Self { bytes, mask: ((1u64 << all.len()) - 1) as u32, len: all.len() as u32 }
    }
}

/// What [`Isa::copy_text`] saw, one bit per byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Bytes that JSON escapes, and `&`.
    pub special: u32,
    /// ASCII above space.
    pub solid: u32,
}

/// The operations.
#[allow(clippy::missing_safety_doc)] // The first function says it for all.
pub trait Isa {
    /// Positions of markup bytes, and of `wanted`, in the 64 bytes at `p`.
    ///
    /// # Safety
    /// 64 bytes at `p` are readable and the CPU has the instruction set; so for all functions of the trait.
    unsafe fn masks(p: *const u8, wanted: u8) -> Masks;
    /// Writes the positions of `<` in the `n` bytes at `p`, with `base` added: how many. There is room for `n` and a block more,
    /// and the bytes up to the next block are readable.
    unsafe fn find_lt(p: *const u8, n: usize, base: u32, out: *mut u32) -> usize;
    /// Whether the 32 bytes at `p` begin with the pattern.
    unsafe fn matches(p: *const u8, pattern: &Pattern) -> bool;
    /// Positions of `byte` in the 32 bytes at `p`.
    unsafe fn eq32(p: *const u8, byte: u8) -> u32;
    /// Copies 32 bytes; positions of those that JSON escapes and, if `AMP`, of `&`.
    unsafe fn copy32<const AMP: bool>(from: *const u8, to: *mut u8) -> u32;
    /// Copies 32 bytes of text.
    unsafe fn copy_text(from: *const u8, to: *mut u8) -> Copied;
}

/// Plain code.
pub struct Scalar;

unsafe fn positions(p: *const u8, n: usize, is: impl Fn(u8) -> bool) -> u64 {
    // SAFETY: the caller has `n` readable bytes.
    (0..n).fold(0, |mask, i| mask | (is(unsafe { *p.add(i) }) as u64) << i)
}

impl Isa for Scalar {
    unsafe fn masks(p: *const u8, wanted: u8) -> Masks {
        // SAFETY: the trait's.
        unsafe {
            Masks {
                lt: positions(p, 64, |b| b == b'<'),
                gt: positions(p, 64, |b| b == b'>'),
                quotes: positions(p, 64, |b| b == b'"' || b == b'\''),
                bangs: positions(p, 64, |b| b == b'!' || b == b'?'),
                slashes: positions(p, 64, |b| b == b'/'),
                wanted: positions(p, 64, |b| b == wanted),
            }
        }
    }
    unsafe fn find_lt(p: *const u8, n: usize, base: u32, out: *mut u32) -> usize {
        let mut found = 0;
        // SAFETY: the trait's.
        for i in (0..n).filter(|&i| unsafe { *p.add(i) } == b'<') {
            // SAFETY: the trait's.
            unsafe { *out.add(found) = base + i as u32 };
            found += 1;
        }
        found
    }
    unsafe fn matches(p: *const u8, pattern: &Pattern) -> bool {
        let n = pattern.len as usize;
        // SAFETY: the trait's.
        unsafe { std::slice::from_raw_parts(p, n) == &pattern.bytes[..n] }
    }
    unsafe fn eq32(p: *const u8, byte: u8) -> u32 {
        // SAFETY: the trait's.
        unsafe { positions(p, 32, |b| b == byte) as u32 }
    }
    unsafe fn copy32<const AMP: bool>(from: *const u8, to: *mut u8) -> u32 {
        // SAFETY: the trait's, and 32 writable bytes at `to`.
        unsafe {
            let mask = positions(from, 32, |b| b < 0x20 || b == b'"' || b == b'\\' || (AMP && b == b'&')) as u32;
            std::ptr::copy(from, to, 32);
            mask
        }
    }
    unsafe fn copy_text(from: *const u8, to: *mut u8) -> Copied {
        // SAFETY: the trait's, and 32 writable bytes at `to`.
        unsafe {
            let solid = positions(from, 32, |b| b > b' ' && b < 0x80) as u32;
            Copied { special: Self::copy32::<true>(from, to), solid }
        }
    }
}

/// x86-64 with AVX2, BMI1, BMI2, LZCNT and POPCNT.
#[cfg(target_arch = "x86_64")]
pub struct Avx2;

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use super::{Avx2, Copied, Isa, Masks, Pattern};
    use std::arch::x86_64::*;

    #[inline(always)]
    unsafe fn load2(p: *const u8) -> (__m256i, __m256i) {
        // SAFETY: 64 readable bytes.
        unsafe { (_mm256_loadu_si256(p.cast()), _mm256_loadu_si256(p.add(32).cast())) }
    }

    #[inline(always)]
    unsafe fn eq(v: __m256i, byte: u8) -> __m256i {
        // SAFETY: AVX2.
        unsafe { _mm256_cmpeq_epi8(v, _mm256_set1_epi8(byte as i8)) }
    }

    #[inline(always)]
    unsafe fn join(a: __m256i, b: __m256i) -> u64 {
        // SAFETY: AVX2.
        unsafe { (_mm256_movemask_epi8(a) as u32 as u64) | ((_mm256_movemask_epi8(b) as u32 as u64) << 32) }
    }

    /// Bytes not above `top`.
    #[inline(always)]
    unsafe fn up_to(v: __m256i, top: u8) -> __m256i {
        // SAFETY: AVX2.
        unsafe { _mm256_cmpeq_epi8(_mm256_min_epu8(v, _mm256_set1_epi8(top as i8)), v) }
    }

    #[inline(never)]
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
    unsafe fn find_lt(p: *const u8, n: usize, base: u32, out: *mut u32) -> usize {
        /// Positions written for each block without asking how many there are.
        const USUAL: usize = 6;
        let mut found = 0;
        let mut at = 0;
        while at < n {
            // SAFETY: the trait's; what is written beyond the positions is overwritten or not counted.
            unsafe {
                let (a, b) = load2(p.add(at));
                let mut m = join(eq(a, b'<'), eq(b, b'<'));
                if n - at < 64 {
                    m &= (1u64 << (n - at)) - 1;
                }
                let count = m.count_ones() as usize;
                let out = out.add(found);
                found += count;
                let base = base + at as u32;
                for k in 0..USUAL {
                    *out.add(k) = base + m.trailing_zeros();
                    m &= m.wrapping_sub(1);
                }
                for k in USUAL..count {
                    *out.add(k) = base + m.trailing_zeros();
                    m &= m - 1;
                }
            }
            at += 64;
        }
        found
    }

    impl Isa for Avx2 {
        #[inline(always)]
        unsafe fn masks(p: *const u8, wanted: u8) -> Masks {
            // SAFETY: the trait's.
            unsafe {
                let (a, b) = load2(p);
                let either = |v, x, y| _mm256_or_si256(eq(v, x), eq(v, y));
                Masks {
                    lt: join(eq(a, b'<'), eq(b, b'<')),
                    gt: join(eq(a, b'>'), eq(b, b'>')),
                    quotes: join(either(a, b'"', b'\''), either(b, b'"', b'\'')),
                    bangs: join(either(a, b'!', b'?'), either(b, b'!', b'?')),
                    slashes: join(eq(a, b'/'), eq(b, b'/')),
                    wanted: join(eq(a, wanted), eq(b, wanted)),
                }
            }
        }
        unsafe fn find_lt(p: *const u8, n: usize, base: u32, out: *mut u32) -> usize {
            // SAFETY: the trait's.
            unsafe { find_lt(p, n, base, out) }
        }
        #[inline(always)]
        unsafe fn matches(p: *const u8, pattern: &Pattern) -> bool {
            // SAFETY: the trait's.
            unsafe {
                let same = _mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_loadu_si256(p.cast()), _mm256_loadu_si256(pattern.bytes.as_ptr().cast())));
                pattern.mask & !same as u32 == 0
            }
        }
        #[inline(always)]
        unsafe fn eq32(p: *const u8, byte: u8) -> u32 {
            // SAFETY: the trait's.
            unsafe { _mm256_movemask_epi8(eq(_mm256_loadu_si256(p.cast()), byte)) as u32 }
        }
        #[inline(always)]
        unsafe fn copy32<const AMP: bool>(from: *const u8, to: *mut u8) -> u32 {
            // SAFETY: the trait's, and 32 writable bytes at `to`.
            unsafe {
                let v = _mm256_loadu_si256(from.cast());
                _mm256_storeu_si256(to.cast(), v);
                let mut hit = _mm256_or_si256(_mm256_or_si256(eq(v, b'"'), eq(v, b'\\')), up_to(v, 0x1f));
                if AMP {
                    hit = _mm256_or_si256(hit, eq(v, b'&'));
                }
                _mm256_movemask_epi8(hit) as u32
            }
        }
        #[inline(always)]
        unsafe fn copy_text(from: *const u8, to: *mut u8) -> Copied {
            // SAFETY: the trait's, and 32 writable bytes at `to`.
            unsafe {
                let special = Self::copy32::<true>(from, to);
                // As signed numbers, bytes from 0x80 on are below space.
                let solid = _mm256_cmpgt_epi8(_mm256_loadu_si256(from.cast()), _mm256_set1_epi8(b' ' as i8));
                Copied { special, solid: _mm256_movemask_epi8(solid) as u32 }
            }
        }
    }
}

/// Whether [`Avx2`] may be used.
#[cfg(target_arch = "x86_64")]
pub fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("lzcnt")
        && is_x86_feature_detected!("popcnt")
}

/// Whether the CPU has instructions for SHA-256, in the encoding that comes with AVX.
#[cfg(target_arch = "x86_64")]
pub fn has_sha() -> bool {
    is_x86_feature_detected!("sha") && is_x86_feature_detected!("avx")
}

/// Names of the CPU features that make a difference here.
pub fn cpu_features() -> Vec<&'static str> {
    let mut names = Vec::new();
    #[cfg(target_arch = "x86_64")]
    {
        for (name, has) in [
            ("avx2", is_x86_feature_detected!("avx2")),
            ("bmi2", is_x86_feature_detected!("bmi2")),
            ("sha", is_x86_feature_detected!("sha")),
            ("pclmulqdq", is_x86_feature_detected!("pclmulqdq")),
        ] {
            if has {
                names.push(name);
            }
        }
    }
    names
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;

    #[test]
    fn avx2_means_what_scalar_means() {
        if !has_avx2() {
            return;
        }
        let mut seed = 1u64;
        for round in 0..2000 {
            let bytes: Vec<u8> = (0..64)
                .map(|_| {
                    seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                    let b = (seed >> 33) as u8;
                    if round % 2 == 0 { b"<>\"'!?/ &\\\n\x1fab\x7f\xff"[(b & 15) as usize] } else { b }
                })
                .collect();
            let p = bytes.as_ptr();
            let (mut x, mut y) = ([0u8; 32], [0u8; 32]);
            // SAFETY: 64 readable bytes, 32 writable, AVX2 was asked for.
            unsafe {
                assert_eq!(Avx2::masks(p, b'a'), Scalar::masks(p, b'a'));
                let n = round % 64 + 1;
                let (mut a, mut b) = ([0; 128], [0; 128]);
                let (i, j) = (Avx2::find_lt(p, n, 9, a.as_mut_ptr()), Scalar::find_lt(p, n, 9, b.as_mut_ptr()));
                assert_eq!(a[..i], b[..j]);
                for n in [0, 1, 9, 32] {
                    let mut found = Pattern::new(&[&bytes[..n]]);
                    assert!(Avx2::matches(p, &found) && Scalar::matches(p, &found));
                    found.bytes[n / 2] ^= 1;
                    assert!((Avx2::matches(p, &found) == (n == 0)) && (Scalar::matches(p, &found) == (n == 0)));
                }
                assert_eq!(Avx2::copy_text(p, x.as_mut_ptr()), Scalar::copy_text(p, y.as_mut_ptr()));
                assert_eq!(Avx2::eq32(p, b'"'), Scalar::eq32(p, b'"'));
                assert_eq!(Avx2::copy32::<true>(p, x.as_mut_ptr()), Scalar::copy32::<true>(p, y.as_mut_ptr()));
                assert_eq!(Avx2::copy32::<false>(p, x.as_mut_ptr()), Scalar::copy32::<false>(p, y.as_mut_ptr()));
            }
            assert_eq!(x, y);
        }
    }
}

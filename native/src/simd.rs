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
}

/// The operations.
pub trait Isa {
    /// Positions of markup bytes in the 64 bytes at `p`.
    ///
    /// # Safety
    /// 64 bytes at `p` are readable and the CPU has the instruction set; so for all functions of the trait.
    unsafe fn masks(p: *const u8) -> Masks;
    /// Positions of `<` in the 64 bytes at `p`.
    unsafe fn lt(p: *const u8) -> u64;
    /// Positions of `>`, `/` and bytes up to space in the 32 bytes at `p`.
    unsafe fn name_end(p: *const u8) -> u32;
    /// Positions of `byte` in the 32 bytes at `p`.
    unsafe fn eq32(p: *const u8, byte: u8) -> u32;
    /// Copies 32 bytes; positions of those that JSON escapes and, if `AMP`, of `&`.
    unsafe fn copy32<const AMP: bool>(from: *const u8, to: *mut u8) -> u32;
}

/// Plain code.
pub struct Scalar;

unsafe fn positions(p: *const u8, n: usize, is: impl Fn(u8) -> bool) -> u64 {
    // SAFETY: the caller has `n` readable bytes.
    (0..n).fold(0, |mask, i| mask | (is(unsafe { *p.add(i) }) as u64) << i)
}

impl Isa for Scalar {
    unsafe fn masks(p: *const u8) -> Masks {
        // SAFETY: the trait's.
        unsafe {
            Masks {
                lt: positions(p, 64, |b| b == b'<'),
                gt: positions(p, 64, |b| b == b'>'),
                quotes: positions(p, 64, |b| b == b'"' || b == b'\''),
                bangs: positions(p, 64, |b| b == b'!' || b == b'?'),
            }
        }
    }
    unsafe fn lt(p: *const u8) -> u64 {
        // SAFETY: the trait's.
        unsafe { positions(p, 64, |b| b == b'<') }
    }
    unsafe fn name_end(p: *const u8) -> u32 {
        // SAFETY: the trait's.
        unsafe { positions(p, 32, |b| b == b'>' || b == b'/' || b <= b' ') as u32 }
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
}

/// x86-64 with AVX2, BMI1, BMI2, LZCNT and POPCNT.
#[cfg(target_arch = "x86_64")]
pub struct Avx2;

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use super::{Avx2, Isa, Masks};
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

    impl Isa for Avx2 {
        #[inline(always)]
        unsafe fn masks(p: *const u8) -> Masks {
            // SAFETY: the trait's.
            unsafe {
                let (a, b) = load2(p);
                let either = |v, x, y| _mm256_or_si256(eq(v, x), eq(v, y));
                Masks {
                    lt: join(eq(a, b'<'), eq(b, b'<')),
                    gt: join(eq(a, b'>'), eq(b, b'>')),
                    quotes: join(either(a, b'"', b'\''), either(b, b'"', b'\'')),
                    bangs: join(either(a, b'!', b'?'), either(b, b'!', b'?')),
                }
            }
        }
        #[inline(always)]
        unsafe fn lt(p: *const u8) -> u64 {
            // SAFETY: the trait's.
            unsafe {
                let (a, b) = load2(p);
                join(eq(a, b'<'), eq(b, b'<'))
            }
        }
        #[inline(always)]
        unsafe fn name_end(p: *const u8) -> u32 {
            // SAFETY: the trait's.
            unsafe {
                let v = _mm256_loadu_si256(p.cast());
                let hit = _mm256_or_si256(_mm256_or_si256(eq(v, b'>'), eq(v, b'/')), up_to(v, b' '));
                _mm256_movemask_epi8(hit) as u32
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
                assert_eq!(Avx2::masks(p), Scalar::masks(p));
                assert_eq!(Avx2::lt(p), Scalar::lt(p));
                assert_eq!(Avx2::name_end(p), Scalar::name_end(p));
                assert_eq!(Avx2::eq32(p, b'"'), Scalar::eq32(p, b'"'));
                assert_eq!(Avx2::copy32::<true>(p, x.as_mut_ptr()), Scalar::copy32::<true>(p, y.as_mut_ptr()));
                assert_eq!(Avx2::copy32::<false>(p, x.as_mut_ptr()), Scalar::copy32::<false>(p, y.as_mut_ptr()));
            }
            assert_eq!(x, y);
        }
    }
}

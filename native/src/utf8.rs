//! Whether bytes are UTF-8, by vectors where the CPU has them.
//!
//! Method: J. Keiser and D. Lemire, "Validating UTF-8 in less than one instruction per byte" (2021). Each byte is judged with the
//! three before it: three table look-ups by nibbles tell all that two bytes can do wrong, and lead bytes further back tell where
//! a continuation has to be.

/// How many bytes from the start are whole, valid UTF-8.
pub fn valid_up_to(bytes: &[u8]) -> usize {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: AVX2 is there.
    if crate::simd::has_avx2() && unsafe { avx2::is_valid(bytes) } {
        return bytes.len();
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => text.len(),
        Err(error) => error.valid_up_to(),
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::*;

    const BLOCK: usize = 64;

    // What two bytes can do wrong, a bit each.
    /// A lead byte without its continuation.
    const SHORT: u8 = 1;
    /// A continuation behind ASCII.
    const LONG: u8 = 1 << 1;
    /// Two continuations: wrong unless a lead byte before them asks for it.
    const TWO: u8 = 1 << 7;
    const OVERLONG_2: u8 = 1 << 5;
    const OVERLONG_3: u8 = 1 << 2;
    const OVERLONG_4: u8 = 1 << 6;
    const SURROGATE: u8 = 1 << 4;
    /// Above U+10FFFF: by F4 and more than 8F, or by F5 and above (with an 8x, the bit of `OVERLONG_4` tells).
    const LARGE: u8 = 1 << 3;
    const LARGE_8: u8 = 1 << 6;
    /// What the low nibble of the first byte has no say in.
    const ANY: u8 = SHORT | LONG | TWO;

    /// By the high nibble of the first byte.
    static FIRST_HIGH: [u8; 16] = {
        let mut t = [LONG; 16];
        (t[8], t[9], t[10], t[11]) = (TWO, TWO, TWO, TWO);
        (t[12], t[13]) = (SHORT | OVERLONG_2, SHORT);
        (t[14], t[15]) = (SHORT | OVERLONG_3 | SURROGATE, SHORT | LARGE | LARGE_8 | OVERLONG_4);
        t
    };
    /// By its low nibble.
    static FIRST_LOW: [u8; 16] = {
        let mut t = [ANY | LARGE | LARGE_8; 16];
        (t[0], t[1]) = (ANY | OVERLONG_2 | OVERLONG_3 | OVERLONG_4, ANY | OVERLONG_2);
        (t[2], t[3], t[4]) = (ANY, ANY, ANY | LARGE);
        t[13] |= SURROGATE;
        t
    };
    /// By the high nibble of the second byte.
    static SECOND_HIGH: [u8; 16] = {
        let mut t = [SHORT; 16];
        let any = LONG | TWO | OVERLONG_2;
        (t[8], t[9]) = (any | OVERLONG_3 | OVERLONG_4 | LARGE_8, any | OVERLONG_3 | LARGE);
        (t[10], t[11]) = (any | SURROGATE | LARGE, any | SURROGATE | LARGE);
        t
    };

    #[target_feature(enable = "avx2")]
    pub unsafe fn is_valid(bytes: &[u8]) -> bool {
        let mut check = Check { last: _mm256_setzero_si256(), wrong: _mm256_setzero_si256(), plain: true };
        let (blocks, rest) = bytes.as_chunks::<BLOCK>();
        for block in blocks {
            check.block(block);
        }
        // A zero byte follows at least, so that what is cut short is found.
        let mut padded = [0u8; BLOCK];
        padded[..rest.len()].copy_from_slice(rest);
        check.block(&padded);
        _mm256_testz_si256(check.wrong, check.wrong) == 1
    }

    struct Check {
        /// The vector before, whether it was ASCII, and what was wrong so far.
        last: __m256i,
        plain: bool,
        wrong: __m256i,
    }

    impl Check {
        #[inline]
        #[target_feature(enable = "avx2")]
        fn block(&mut self, block: &[u8; BLOCK]) {
            // SAFETY: the block is two vectors long.
            let (a, b) = unsafe { (_mm256_loadu_si256(block.as_ptr().cast()), _mm256_loadu_si256(block.as_ptr().add(32).cast())) };
            if _mm256_movemask_epi8(_mm256_or_si256(a, b)) == 0 && self.plain {
                return;
            }
            self.vector(a);
            self.vector(b);
            self.plain = _mm256_movemask_epi8(b) == 0;
        }

        #[inline]
        #[target_feature(enable = "avx2")]
        fn vector(&mut self, v: __m256i) {
            // SAFETY: the tables are 16 bytes long.
            let [first_high, first_low, second_high] =
                unsafe { [&FIRST_HIGH, &FIRST_LOW, &SECOND_HIGH].map(|t| _mm256_broadcastsi128_si256(_mm_loadu_si128(t.as_ptr().cast()))) };
            let nibble = _mm256_set1_epi8(15);
            let high = |v| _mm256_and_si256(_mm256_srli_epi16::<4>(v), nibble);
            let joint = _mm256_permute2x128_si256::<0x21>(self.last, v);
            let (one, two, three) = (_mm256_alignr_epi8::<15>(v, joint), _mm256_alignr_epi8::<14>(v, joint), _mm256_alignr_epi8::<13>(v, joint));
            let pair = _mm256_and_si256(
                _mm256_and_si256(_mm256_shuffle_epi8(first_high, high(one)), _mm256_shuffle_epi8(first_low, _mm256_and_si256(one, nibble))),
                _mm256_shuffle_epi8(second_high, high(v)),
            );
            // The top bit, which is TWO's, where the byte must be a second continuation or a third.
            let third = _mm256_subs_epu8(two, _mm256_set1_epi8(0xe0u8.wrapping_sub(0x80) as i8));
            let fourth = _mm256_subs_epu8(three, _mm256_set1_epi8(0xf0u8.wrapping_sub(0x80) as i8));
            let asked = _mm256_and_si256(_mm256_or_si256(third, fourth), _mm256_set1_epi8(TWO as i8));
            self.wrong = _mm256_or_si256(self.wrong, _mm256_xor_si256(asked, pair));
            self.last = v;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by_definition(bytes: &[u8]) -> usize {
        std::str::from_utf8(bytes).map_or_else(|error| error.valid_up_to(), str::len)
    }

    #[test]
    fn every_short_sequence_at_every_place() {
        // All kinds of bytes that make a difference.
        let bytes = [
            0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5,
            0xff,
        ];
        let mut text = vec![b'a'; 200];
        for at in [0, 28, 29, 30, 31, 60, 61, 62, 63, 126, 196] {
            for n in 0..bytes.len().pow(4) {
                let four: Vec<u8> = (0..4).map(|k| bytes[n / bytes.len().pow(k) % bytes.len()]).collect();
                text[at..at + 4].copy_from_slice(&four);
                // The slow way is taken for what is wrong, so only the verdict counts.
                let valid = valid_up_to(&text) == text.len();
                assert_eq!(valid, by_definition(&text) == text.len(), "{four:x?} at {at}");
            }
            text[at..at + 4].fill(b'a');
        }
    }

    #[test]
    fn any_length_and_mixed_text() {
        let text = "aé漢😀 plain ASCII that is longer than a vector, then ünïcödé 漢字 😀😀".repeat(5);
        for from in 0..80 {
            for to in from..text.len() {
                let part = &text.as_bytes()[from..to];
                assert_eq!(valid_up_to(part), by_definition(part));
            }
        }
    }
}

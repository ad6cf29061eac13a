//! SHA-256 of many messages, two at a time: the CPU's instructions for it take twice as long to answer as to issue.
//!
//! The `sha2` crate is the plain meaning, and does the work where the CPU has no such instructions.

use sha2::{Digest, Sha256};

/// A hash.
pub type Hash = [u8; 32];

/// Appends the hash of each message to `out`.
pub fn each<'a>(messages: impl Iterator<Item = &'a [u8]>, out: &mut Vec<Hash>) {
    #[cfg(target_arch = "x86_64")]
    if crate::simd::has_sha() {
        // SAFETY: the instructions are there.
        return unsafe { lanes::each(messages, out) };
    }
    out.extend(messages.map(one));
}

/// The hash of one message.
pub fn one(message: &[u8]) -> Hash {
    Sha256::digest(message).into()
}

#[cfg(target_arch = "x86_64")]
mod lanes {
    use super::Hash;
    use std::arch::x86_64::*;

    const BLOCK: usize = 64;
    /// The initial state in the order of the instructions: f, e, b, a and h, g, d, c.
    const INITIAL: [[u32; 4]; 2] = [[0x9b05_688c, 0x510e_527f, 0xbb67_ae85, 0x6a09_e667], [0x5be0_cd19, 0x1f83_d9ab, 0xa54f_f53a, 0x3c6e_f372]];
    #[rustfmt::skip]
    static ROUNDS: [[[u32; 4]; 4]; 4] = [
        [[0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5], [0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5],
         [0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3], [0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174]],
        [[0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc], [0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da],
         [0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7], [0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967]],
        [[0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13], [0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85],
         [0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3], [0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070]],
        [[0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5], [0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3],
         [0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208], [0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2]],
    ];

    /// A message on its way.
    struct Lane {
        state: [__m128i; 2],
        data: *const u8,
        blocks: usize,
        /// The message's last bytes with the padding; its blocks, until they are under way.
        tail: [u8; 2 * BLOCK],
        tail_blocks: usize,
        index: usize,
    }

    impl Lane {
        #[target_feature(enable = "sha,avx")]
        fn idle() -> Self {
            Self { state: [_mm_setzero_si128(); 2], data: std::ptr::null(), blocks: 0, tail: [0; 2 * BLOCK], tail_blocks: 0, index: usize::MAX }
        }

        #[target_feature(enable = "sha,avx")]
        fn start(&mut self, message: &[u8], index: usize) {
            // SAFETY: any four words are a vector.
            self.state = unsafe { std::mem::transmute::<[[u32; 4]; 2], [__m128i; 2]>(INITIAL) };
            let rest = message.len() % BLOCK;
            (self.data, self.blocks) = (message.as_ptr(), message.len() / BLOCK);
            self.tail = [0; 2 * BLOCK];
            self.tail[..rest].copy_from_slice(&message[message.len() - rest..]);
            self.tail[rest] = 0x80;
            self.tail_blocks = if rest + 9 > BLOCK { 2 } else { 1 };
            let end = self.tail_blocks * BLOCK;
            self.tail[end - 8..end].copy_from_slice(&(message.len() as u64 * 8).to_be_bytes());
            self.index = index;
        }

        /// Has blocks to do, if anything is left of the message.
        fn turn(&mut self) -> bool {
            if self.blocks == 0 && self.tail_blocks > 0 {
                (self.data, self.blocks) = (self.tail.as_ptr(), self.tail_blocks);
                self.tail_blocks = 0;
            }
            self.blocks > 0
        }

        #[target_feature(enable = "sha,avx")]
        fn hash(&self) -> Hash {
            // SAFETY: vectors are any four words.
            let [[f, e, b, a], [h, g, d, c]] = unsafe { std::mem::transmute::<[__m128i; 2], [[u32; 4]; 2]>(self.state) };
            let mut out = [0; 32];
            for (bytes, word) in out.chunks_exact_mut(4).zip([a, b, c, d, e, f, g, h]) {
                bytes.copy_from_slice(&word.to_be_bytes());
            }
            out
        }
    }

    #[target_feature(enable = "sha,avx")]
    pub fn each<'a>(messages: impl Iterator<Item = &'a [u8]>, out: &mut Vec<Hash>) {
        let first = out.len();
        let mut messages = messages.enumerate();
        let mut lanes = [Lane::idle(), Lane::idle()];
        loop {
            let mut busy = [false; 2];
            for (lane, busy) in lanes.iter_mut().zip(&mut busy) {
                *busy = lane.turn();
                if *busy {
                    continue;
                }
                if lane.index != usize::MAX {
                    out[lane.index] = lane.hash();
                    lane.index = usize::MAX;
                }
                if let Some((i, message)) = messages.next() {
                    out.push([0; 32]);
                    lane.start(message, first + i);
                    *busy = lane.turn();
                }
            }
            let [a, b] = &mut lanes;
            // SAFETY: each lane's data has as many blocks as it says.
            unsafe {
                match busy {
                    [true, true] => compress([a, b]),
                    [true, false] => compress([a]),
                    [false, true] => compress([b]),
                    [false, false] => return,
                }
            }
        }
    }

    /// Sixteen rounds, and the words for the next sixteen if there are any.
    #[inline]
    #[target_feature(enable = "sha,avx")]
    fn quarter<const N: usize, const MORE: bool>(states: &mut [[__m128i; 2]; N], words: &mut [[__m128i; 4]; N], rounds: &[[u32; 4]; 4]) {
        for i in 0..4 {
            for (w, [x, y]) in words.iter_mut().zip(states.iter_mut()) {
                // SAFETY: four words are a vector's 16 bytes.
                let keyed = _mm_add_epi32(w[i], unsafe { _mm_loadu_si128(rounds[i].as_ptr().cast()) });
                *y = _mm_sha256rnds2_epu32(*y, *x, keyed);
                *x = _mm_sha256rnds2_epu32(*x, *y, _mm_shuffle_epi32::<0x0e>(keyed));
                if MORE {
                    let (next, last) = (w[(i + 1) % 4], w[(i + 3) % 4]);
                    let sum = _mm_add_epi32(_mm_sha256msg1_epu32(w[i], next), _mm_alignr_epi8::<4>(last, w[(i + 2) % 4]));
                    w[i] = _mm_sha256msg2_epu32(sum, last);
                }
            }
        }
    }

    /// Does as many blocks as all lanes have.
    #[target_feature(enable = "sha,avx")]
    unsafe fn compress<const N: usize>(lanes: [&mut Lane; N]) {
        let blocks = lanes.iter().map(|lane| lane.blocks).min().unwrap_or(0);
        let swap = _mm_set_epi64x(0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203);
        let mut states: [[__m128i; 2]; N] = std::array::from_fn(|n| lanes[n].state);
        let mut data: [*const u8; N] = std::array::from_fn(|n| lanes[n].data);
        for _ in 0..blocks {
            let before = states;
            // SAFETY: a whole block is readable.
            let word = |n: usize, i| unsafe { _mm_shuffle_epi8(_mm_loadu_si128(data[n].add(i * 16).cast()), swap) };
            let mut words: [[__m128i; 4]; N] = std::array::from_fn(|n| std::array::from_fn(|i| word(n, i)));
            let [first, second, third, last] = &ROUNDS;
            quarter::<N, true>(&mut states, &mut words, first);
            quarter::<N, true>(&mut states, &mut words, second);
            quarter::<N, true>(&mut states, &mut words, third);
            quarter::<N, false>(&mut states, &mut words, last);
            for n in 0..N {
                for i in 0..2 {
                    states[n][i] = _mm_add_epi32(states[n][i], before[n][i]);
                }
                // SAFETY: within the lane's data or just behind it.
                data[n] = unsafe { data[n].add(BLOCK) };
            }
        }
        for (n, lane) in lanes.into_iter().enumerate() {
            (lane.state, lane.data) = (states[n], data[n]);
            lane.blocks -= blocks;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_means_one() {
        let bytes: Vec<u8> = (0..5000u32).map(|i| (i * 7 + i / 251) as u8).collect();
        let messages: Vec<&[u8]> = (0..300).map(|i| &bytes[i..i + i * i % 400]).chain([&bytes[..], &bytes[..64], b""]).collect();
        for n in [0, 1, 2, 3, messages.len()] {
            let mut got = vec![[1; 32]];
            each(messages[..n].iter().copied(), &mut got);
            let want: Vec<Hash> = std::iter::once([1; 32]).chain(messages[..n].iter().map(|m| one(m))).collect();
            assert_eq!(got, want);
        }
    }
}

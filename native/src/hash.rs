//! Hashes: SHA-256 of a body's hash part, the order-free digest, xxh3 of raw records.

/// SHA-256 of `bytes`, with the CPU's instructions where there are any.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    crate::sha256::one(bytes)
}

/// Writes `bytes` as lower-case hex into `out`, twice as long.
pub fn hex_into(bytes: &[u8], out: &mut [u8]) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    for (pair, &b) in out.chunks_exact_mut(2).zip(bytes) {
        pair[0] = HEX[(b >> 4) as usize];
        pair[1] = HEX[(b & 15) as usize];
    }
}

/// `bytes` as lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    let mut out = vec![0; bytes.len() * 2];
    hex_into(bytes, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// The order-free digest of a set of records: the sum modulo 2^256 of SHA-256(id, 0x00, hash in hex), little-endian words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SetDigest([u64; 4]);

impl SetDigest {
    /// Adds one record; `hex_hash` is the 64 digits of its `sha256` member.
    pub fn add(&mut self, id: &[u8], hex_hash: &[u8]) {
        self.add_sum(&sha256(&[id, &[0], hex_hash].concat()));
    }

    /// Adds one record by the hash of id, 0x00, digits.
    pub fn add_sum(&mut self, sum: &[u8; 32]) {
        let mut carry = false;
        for (i, word) in self.0.iter_mut().enumerate() {
            // The hash is a big-endian number, so its last bytes are the lowest word.
            let at = 24 - i * 8;
            let mut bytes = [0u8; 8];
            bytes.copy_from_slice(&sum[at..at + 8]);
            let (a, c1) = word.overflowing_add(u64::from_be_bytes(bytes));
            let (b, c2) = a.overflowing_add(carry as u64);
            *word = b;
            carry = c1 | c2;
        }
    }

    /// The sum as 64 hex digits, highest first.
    pub fn to_hex(self) -> String {
        self.0.iter().rev().map(|w| format!("{w:016x}")).collect()
    }
}

/// xxh3, 64 bit, seed 0.
pub fn xxh3_64(bytes: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(bytes)
}

/// xxh3, 128 bit, seed 0.
pub fn xxh3_128(bytes: &[u8]) -> u128 {
    xxhash_rust::xxh3::xxh3_128(bytes)
}

/// xxh3, 64 and 128 bit, seed 0.
pub fn xxh3(bytes: &[u8]) -> (u64, u128) {
    /// Longer inputs take the same way in both, and the short hash is the low half of the long one.
    const SHORT_MAX: usize = 240;
    let long = xxh3_128(bytes);
    (if bytes.len() > SHORT_MAX { long as u64 } else { xxh3_64(bytes) }, long)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_hashes_at_once() {
        let bytes: Vec<u8> = (0..5000u32).map(|i| (i.wrapping_mul(i) >> 3) as u8).collect();
        for n in (0..600).chain([1023, 1024, 1025, 2048, 4999]) {
            assert_eq!(xxh3(&bytes[..n]), (xxh3_64(&bytes[..n]), xxh3_128(&bytes[..n])));
        }
    }
}

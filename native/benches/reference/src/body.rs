//! From a record to the body of its message, and to the digest over all of them.

use std::io::{self, Write};

use sha2::{Digest, Sha256};

use crate::record::Record;

/// Writes one body a line and adds up what was written.
#[derive(Default)]
pub struct Bodies {
    json: Vec<u8>,
    body: Vec<u8>,
    records: u64,
    /// The sum of the records' digests modulo 2^256, most significant limb first.
    sum: [u64; 4],
}

impl Bodies {
    /// The record is serialised once: those bytes are hashed, then spliced into the body behind the envelope's members.
    pub fn write(&mut self, record: &Record, out: &mut impl Write) -> io::Result<()> {
        self.json.clear();
        serde_json::to_writer(&mut self.json, &record.data)?;
        let mut hex = [0; 64];
        write_hex(&Sha256::digest(&self.json), &mut hex);

        self.body.clear();
        self.body.extend_from_slice(br#"{"type":"data","id":"#);
        serde_json::to_writer(&mut self.body, &record.id)?;
        self.body.extend_from_slice(br#","sha256":""#);
        self.body.extend_from_slice(&hex);
        self.body.extend_from_slice(br#"","#);
        self.body.extend_from_slice(&self.json[1..]);
        self.body.push(b'\n');
        out.write_all(&self.body)?;

        self.records += 1;
        self.add(&record.id, &hex);
        Ok(())
    }

    pub fn records(&self) -> u64 {
        self.records
    }

    pub fn digest_hex(&self) -> String {
        self.sum.iter().map(|limb| format!("{limb:016x}")).collect()
    }

    fn add(&mut self, id: &str, hex: &[u8; 64]) {
        let digest = Sha256::new().chain_update(id).chain_update([0]).chain_update(hex).finalize();
        let mut carry = false;
        for (limb, bytes) in self.sum.iter_mut().zip(digest.as_chunks().0).rev() {
            let (sum, over) = limb.overflowing_add(u64::from_be_bytes(*bytes));
            let (sum, over_carry) = sum.overflowing_add(u64::from(carry));
            *limb = sum;
            carry = over || over_carry;
        }
    }
}

fn write_hex(bytes: &[u8], hex: &mut [u8; 64]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (pair, byte) in hex.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
}

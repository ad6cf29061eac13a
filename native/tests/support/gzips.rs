//! Gzips made for tests.

use std::io::Write;

use flate2::write::GzEncoder;
use flate2::{Compression, GzBuilder};

/// One member.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    member(bytes, 6, usize::MAX)
}

/// One member with a deflate block boundary every `block` bytes or sooner.
pub fn member(bytes: &[u8], level: u32, block: usize) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(level));
    for part in bytes.chunks(block.max(1)) {
        encoder.write_all(part).expect("memory");
        if block != usize::MAX {
            encoder.flush().expect("memory");
        }
    }
    encoder.finish().expect("memory")
}

/// As many members as there are parts.
pub fn members(parts: &[&[u8]]) -> Vec<u8> {
    parts.iter().flat_map(|part| gzip(part)).collect()
}

/// A member with every optional part of a header, its checksum included.
pub fn with_all_header_parts(bytes: &[u8]) -> Vec<u8> {
    let plain = GzBuilder::new().extra(vec![7; 300]).filename("a name").comment("a comment").mtime(1).write(Vec::new(), Compression::new(6));
    let mut plain = { plain }.finish_with(bytes);
    let header = 10 + 2 + 300 + "a name\0".len() + "a comment\0".len();
    plain[3] |= 2;
    let crc = crc32fast::hash(&plain[..header]) as u16;
    plain.splice(header..header, crc.to_le_bytes());
    plain
}

trait FinishWith {
    fn finish_with(self, bytes: &[u8]) -> Vec<u8>;
}

impl FinishWith for GzEncoder<Vec<u8>> {
    fn finish_with(mut self, bytes: &[u8]) -> Vec<u8> {
        self.write_all(bytes).expect("memory");
        self.finish().expect("memory")
    }
}

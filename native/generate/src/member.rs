//! One gzip member made of pieces that are compressed apart from each other.

use flate2::{Compress, Compression, FlushCompress};

use crate::Error;

/// Effort of deflate, that of `gzip -6`.
pub const LEVEL: u32 = 6;
/// How far back deflate may refer; a piece gets so much of the piece before as dictionary.
pub const WINDOW_BYTES: usize = 32 * 1024;
/// Magic, deflate, no flags, no time stamp, no extra flags, made on Unix.
pub const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
/// A last, empty block of fixed codes: each piece ends on a byte, so this can stand behind any.
const LAST_BLOCK: [u8; 2] = [3, 0];
/// Room that is added when a piece needs more.
const ROOM_BYTES: usize = 64 * 1024;

fn failed(error: impl std::fmt::Display) -> Error {
    Error::Deflate(error.to_string())
}

/// Deflates a piece so that it can stand behind the piece that ended with `before`.
///
/// Each piece gets a new compressor: one that is only reset still finds other matches than a new one, so the bytes would
/// depend on which worker had which pieces before.
pub fn pack(raw: &[u8], before: &[u8], level: u32) -> Result<Vec<u8>, Error> {
    let mut deflate = Compress::new(Compression::new(level), false);
    if !before.is_empty() {
        deflate.set_dictionary(before).map_err(failed)?;
    }
    let mut packed = Vec::with_capacity(raw.len() / 4 + ROOM_BYTES);
    loop {
        let taken = deflate.total_in() as usize;
        deflate.compress_vec(&raw[taken..], &mut packed, FlushCompress::Sync).map_err(failed)?;
        // Room left over means that all is taken and flushed.
        if deflate.total_in() as usize == raw.len() && packed.len() < packed.capacity() {
            return Ok(packed);
        }
        packed.reserve(ROOM_BYTES);
    }
}

/// What ends the member.
pub fn trailer(crc: u32, bytes: u64) -> [u8; 10] {
    let mut trailer = [0; 10];
    trailer[..2].copy_from_slice(&LAST_BLOCK);
    trailer[2..6].copy_from_slice(&crc.to_le_bytes());
    trailer[6..].copy_from_slice(&(bytes as u32).to_le_bytes());
    trailer
}

//! Bounds on what one record or one file may hold.

/// Limits of a source; every one has an option in TypeScript.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of XML of one record.
    pub record_bytes: usize,
    /// Nesting of elements; the root counts 1, a record 2.
    pub depth: usize,
    /// Attributes of one element.
    pub attributes: usize,
    /// Bytes of an element or attribute name.
    pub name_bytes: usize,
    /// Inflated bytes of one file.
    pub inflated_bytes: u64,
    /// Inflated bytes per compressed byte, looked at beyond [`Limits::RATIO_FROM_BYTES`].
    pub inflate_ratio: u64,
}

impl Limits {
    /// Small files may compress well; the ratio is looked at beyond this many inflated bytes.
    pub const RATIO_FROM_BYTES: u64 = 64 << 20;
}

impl Default for Limits {
    fn default() -> Self {
        Self { record_bytes: 64 << 20, depth: 64, attributes: 256, name_bytes: 1024, inflated_bytes: 1 << 40, inflate_ratio: 200 }
    }
}

//! A gzip (RFC 1952) of any number of members, or plain bytes, as one stream; verified, bounded, and resumable at deflate block boundaries.

use crate::fault::{Code, Fault};
use crate::inflate::{Backend, Engine, State, engine};
use crate::input::Input;
use crate::limits::Limits;

/// Bytes read from the input at a time.
const READ_BYTES: usize = 256 << 10;
/// A gzip header's optional parts may not be longer than this in all.
const HEADER_BYTES_MAX: usize = 1 << 20;

/// A place in the compressed stream where inflating can begin again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    /// Offset of the first compressed byte not wholly used.
    pub compressed: u64,
    /// Bits of the byte before that still to be used.
    pub bits: u8,
    pub crc: u32,
    /// Inflated bytes of the member before this point.
    pub member_bytes: u64,
    /// Inflated bytes of the file before this point.
    pub inflated: u64,
    /// The bytes before this point that deflate may refer to.
    pub window: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Sniff,
    Header,
    Body,
    Plain,
    End,
}

/// Turns an [`Input`] into inflated bytes.
pub struct Reader {
    input: Input,
    buffer: Vec<u8>,
    at: usize,
    len: usize,
    /// Compressed offset of `buffer[0]`.
    base: u64,
    engine: Box<dyn Engine>,
    phase: Phase,
    crc: crc32fast::Hasher,
    member_bytes: u64,
    inflated: u64,
    limits: Limits,
    point_wanted: bool,
    point: Option<Point>,
    /// Told once the bytes before it are used up.
    fault: Option<Fault>,
    pub gzip: bool,
}

impl Reader {
    /// A reader of all of `input`; whether it is gzip is decided by its first bytes, when they are read.
    pub fn new(input: Input, backend: Backend, limits: Limits) -> Self {
        Self {
            input,
            buffer: vec![0; READ_BYTES],
            at: 0,
            len: 0,
            base: 0,
            engine: engine(backend),
            phase: Phase::Sniff,
            crc: crc32fast::Hasher::new(),
            member_bytes: 0,
            inflated: 0,
            limits,
            point_wanted: false,
            point: None,
            fault: None,
            gzip: false,
        }
    }

    fn sniff(&mut self) -> Result<(), Fault> {
        while self.len < 2 {
            let n = self.input.read(&mut self.buffer[self.len..])?;
            if n == 0 {
                break;
            }
            self.len += n;
        }
        if self.len == 0 {
            return Err(Fault::new(Code::Corrupt, 0, "the file is empty; fetch it again"));
        }
        self.gzip = self.buffer[..self.len].starts_with(&[0x1f, 0x8b]);
        self.phase = if self.gzip { Phase::Header } else { Phase::Plain };
        Ok(())
    }

    /// Goes on at `point`, which a reader of the same bytes has given out.
    pub fn resume(mut input: Input, backend: Backend, limits: Limits, point: &Point) -> Result<Self, Fault> {
        let mut magic = [0u8; 2];
        let gzip = input.read(&mut magic)? == 2 && magic == [0x1f, 0x8b];
        let mut engine = engine(backend);
        let mut previous = [0u8];
        if gzip {
            input.seek(point.compressed.saturating_sub(1))?;
            if input.read(&mut previous)? == 0 || !engine.resume(point.bits, previous[0], &point.window) {
                return Err(Fault::new(Code::Corrupt, point.inflated, "the gzip does not reach the checkpoint; run with --force to start afresh"));
            }
        } else {
            input.seek(point.compressed)?;
        }
        let phase = if gzip { Phase::Body } else { Phase::Plain };
        let crc = crc32fast::Hasher::new_with_initial_len(point.crc, point.member_bytes);
        let buffer = vec![0; READ_BYTES];
        Ok(Self {
            input,
            buffer,
            at: 0,
            len: 0,
            base: point.compressed,
            engine,
            phase,
            crc,
            member_bytes: point.member_bytes,
            inflated: point.inflated,
            limits,
            point_wanted: false,
            point: None,
            fault: None,
            gzip,
        })
    }

    /// Asks for a point at the next block boundary.
    pub fn want_point(&mut self) {
        self.point_wanted = true;
    }

    pub fn take_point(&mut self) -> Option<Point> {
        self.point.take()
    }

    /// Compressed bytes consumed.
    pub fn compressed(&self) -> u64 {
        self.base + self.at as u64
    }

    pub fn inflated(&self) -> u64 {
        self.inflated
    }

    /// Compressed size, for regular files.
    pub fn size(&self) -> Option<u64> {
        self.input.size
    }

    fn corrupt<T>(&self, message: &str) -> Result<T, Fault> {
        Err(Fault::new(Code::Corrupt, self.inflated, format!("{message}, at compressed byte {}; fetch the file again", self.compressed())))
    }

    /// Reads on if the buffer is used up; false at the end of the input.
    fn refill(&mut self) -> Result<bool, Fault> {
        if self.at < self.len {
            return Ok(true);
        }
        self.base += self.len as u64;
        self.at = 0;
        self.len = 0;
        self.len = self.input.read(&mut self.buffer)?;
        Ok(self.len > 0)
    }

    fn byte(&mut self) -> Result<u8, Fault> {
        if !self.refill()? {
            return self.corrupt("the gzip is cut short");
        }
        let b = self.buffer[self.at];
        self.at += 1;
        Ok(b)
    }

    /// Reads a member's header; the input may not be at its end.
    fn header(&mut self) -> Result<(), Fault> {
        let mut crc = crc32fast::Hasher::new();
        let mut next = |me: &mut Self| -> Result<u8, Fault> {
            let b = me.byte()?;
            crc.update(&[b]);
            Ok(b)
        };
        let mut fixed = [0u8; 10];
        for b in &mut fixed {
            *b = next(self)?;
        }
        if fixed[..2] != [0x1f, 0x8b] {
            return self.corrupt("bytes that are not gzip follow the last member");
        }
        let flags = fixed[3];
        if fixed[2] != 8 || flags & 0xe0 != 0 {
            return self.corrupt("the gzip header names an unknown method or flag");
        }
        if flags & 4 != 0 {
            let n = next(self)? as usize | (next(self)? as usize) << 8;
            for _ in 0..n {
                next(self)?;
            }
        }
        // A file name, then a comment, each ended by a zero.
        for flag in [8, 16] {
            let mut n = 0;
            while flags & flag != 0 && next(self)? != 0 {
                n += 1;
                if n > HEADER_BYTES_MAX {
                    return self.corrupt("the gzip header is too long");
                }
            }
        }
        if flags & 2 != 0 {
            let want = (crc.finalize() & 0xffff) as u16;
            let got = u16::from_le_bytes([self.byte()?, self.byte()?]);
            if want != got {
                return self.corrupt("the checksum of the gzip header is wrong");
            }
        }
        Ok(())
    }

    fn trailer(&mut self) -> Result<(), Fault> {
        let mut bytes = [0u8; 8];
        for b in &mut bytes {
            *b = self.byte()?;
        }
        let crc = std::mem::replace(&mut self.crc, crc32fast::Hasher::new()).finalize();
        if u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) != crc {
            return self.corrupt("the gzip's checksum is wrong");
        }
        if u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]) != self.member_bytes as u32 {
            return self.corrupt("the gzip's length is wrong");
        }
        self.member_bytes = 0;
        Ok(())
    }

    /// Fills `out` as far as the file goes; 0 (for a non-empty `out`) means its sound end. A fault is told when the bytes before it are used up.
    pub fn fill(&mut self, out: &mut [u8]) -> Result<usize, Fault> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        let mut done = 0;
        match self.fill_counted(out, &mut done) {
            Ok(()) => Ok(done),
            Err(fault) if fault.code == Code::Stopped => Err(fault),
            Err(fault) => {
                self.fault = Some(fault.clone());
                if done > 0 { Ok(done) } else { Err(fault) }
            }
        }
    }

    fn fill_counted(&mut self, out: &mut [u8], count: &mut usize) -> Result<(), Fault> {
        while *count < out.len() {
            let done = *count;
            match self.phase {
                Phase::End => break,
                Phase::Sniff => self.sniff()?,
                Phase::Plain => {
                    if !self.refill()? {
                        self.phase = Phase::End;
                        continue;
                    }
                    let n = (self.len - self.at).min(out.len() - done);
                    out[done..done + n].copy_from_slice(&self.buffer[self.at..self.at + n]);
                    self.at += n;
                    *count += n;
                    self.inflated += n as u64;
                    if self.point_wanted {
                        self.take_point_at(0);
                    }
                }
                Phase::Header => {
                    self.header()?;
                    self.phase = Phase::Body;
                }
                Phase::Body => self.body(&mut out[done..], count)?,
            }
        }
        if self.inflated > self.limits.inflated_bytes {
            return Err(Fault::new(
                Code::TooLarge,
                self.inflated,
                format!("more than {} bytes inflated; raise --max-inflated-bytes if the file is to be trusted", self.limits.inflated_bytes),
            ));
        }
        let ratio = self.inflated / self.compressed().max(1);
        if self.inflated > Limits::RATIO_FROM_BYTES && ratio > self.limits.inflate_ratio {
            return Err(Fault::new(
                Code::TooLarge,
                self.inflated,
                format!("each compressed byte inflates to more than {}; raise --max-inflate-ratio if the file is to be trusted", self.limits.inflate_ratio),
            ));
        }
        Ok(())
    }

    fn body(&mut self, out: &mut [u8], count: &mut usize) -> Result<(), Fault> {
        if !self.refill()? {
            return self.corrupt("the gzip is cut short");
        }
        let step = self.engine.step(&self.buffer[self.at..self.len], out, self.point_wanted);
        self.at += step.used;
        self.crc.update(&out[..step.got]);
        self.member_bytes += step.got as u64;
        self.inflated += step.got as u64;
        *count += step.got;
        match step.state {
            State::More => {}
            State::Boundary { bits } => {
                if self.point_wanted {
                    self.take_point_at(bits);
                }
            }
            State::End => {
                self.trailer()?;
                self.engine.reset();
                self.phase = if self.refill()? { Phase::Header } else { Phase::End };
            }
            State::Invalid => return self.corrupt("the gzip's deflate stream is invalid"),
        }
        Ok(())
    }

    fn take_point_at(&mut self, bits: u8) {
        self.point_wanted = false;
        let window = if self.gzip { self.engine.window() } else { Vec::new() };
        self.point = Some(Point {
            compressed: self.compressed(),
            bits,
            crc: self.crc.clone().finalize(),
            member_bytes: self.member_bytes,
            inflated: self.inflated,
            window,
        });
    }
}

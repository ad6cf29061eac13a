//! Raw deflate through zlib's C interface, with what checkpoints need: stopping at block boundaries, the window, and resuming there.
//!
//! Two libraries with the same interface, zlib-ng (C) and zlib-rs. Method: zlib's `examples/zran.c`.

use std::ffi::{c_int, c_uint, c_void};
use std::mem::MaybeUninit;

/// Bytes of history that deflate may refer to.
pub const WINDOW_BYTES: usize = 32 << 10;

/// Which library inflates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    ZlibNg,
    ZlibRs,
}

/// What one call of [`Engine::step`] did.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// Bytes consumed and produced.
    pub used: usize,
    pub got: usize,
    pub state: State,
}

/// Where the stream stands after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    More,
    /// Between two deflate blocks, with so many bits of the last byte consumed still to be used.
    Boundary {
        bits: u8,
    },
    End,
    Invalid,
}

/// A raw inflater.
pub trait Engine: Send {
    /// Inflates from `input` into `output`; with `block`, stops at the next block boundary.
    fn step(&mut self, input: &[u8], output: &mut [u8], block: bool) -> Step;
    /// Starts afresh for another member.
    fn reset(&mut self);
    /// The last bytes of output, at most [`WINDOW_BYTES`].
    fn window(&mut self) -> Vec<u8>;
    /// Places a fresh engine at a block boundary: `bits` of the byte `previous` are still to be used.
    fn resume(&mut self, bits: u8, previous: u8, window: &[u8]) -> bool;
}

/// A fresh engine.
pub fn engine(backend: Backend) -> Box<dyn Engine> {
    match backend {
        Backend::ZlibNg => Box::new(ng::Inflate::new()),
        Backend::ZlibRs => Box::new(rs::Inflate::new()),
    }
}

/// Name and version of each library.
pub fn versions() -> [(&'static str, String); 2] {
    [("zlib-ng", ng::version()), ("zlib-rs", rs::version())]
}

/// Deflates `data` raw, fast: for windows in checkpoints.
pub fn deflate_raw(data: &[u8]) -> Vec<u8> {
    ng::deflate_raw(data)
}

/// Undoes [`deflate_raw`]; None if damaged or longer than `max` bytes.
pub fn inflate_raw(data: &[u8], max: usize) -> Option<Vec<u8>> {
    let mut out = vec![0; max];
    let step = engine(Backend::ZlibNg).step(data, &mut out, false);
    if step.state != State::End || step.used != data.len() {
        return None;
    }
    out.truncate(step.got);
    Some(out)
}

extern "C" fn allocate(_: *mut c_void, items: c_uint, size: c_uint) -> *mut c_void {
    // SAFETY: plain allocation; zlib checks for null.
    unsafe { libc::calloc(items as usize, size as usize) }
}

extern "C" fn free(_: *mut c_void, pointer: *mut c_void) {
    // SAFETY: only called with what `allocate` returned.
    unsafe { libc::free(pointer) }
}

const Z_OK: c_int = 0;
const Z_STREAM_END: c_int = 1;
const Z_BUF_ERROR: c_int = -5;
const Z_NO_FLUSH: c_int = 0;
const Z_BLOCK: c_int = 5;
const RAW: c_int = -15;

macro_rules! backend {
    ($module:ident, $z:ident, $get_dictionary:path, $set_hooks:path) => {
        mod $module {
            use super::*;

            /// The stream is boxed since zlib keeps a pointer back to it.
            pub struct Inflate(Box<$z::z_stream>);

            // SAFETY: zlib streams have no thread affinity; access is exclusive through &mut.
            unsafe impl Send for Inflate {}

            pub fn version() -> String {
                // SAFETY: a static C string.
                unsafe { std::ffi::CStr::from_ptr($z::zlibVersion()) }.to_string_lossy().into_owned()
            }

            impl Inflate {
                pub fn new() -> Self {
                    let boxed: Box<MaybeUninit<$z::z_stream>> = Box::new(MaybeUninit::zeroed());
                    let raw = Box::into_raw(boxed).cast::<$z::z_stream>();
                    // SAFETY: all-zero is what zlib asks for; the allocator hooks, which may not be null in Rust's eyes, are set
                    // before the value is first seen as a z_stream.
                    unsafe {
                        $set_hooks(raw);
                        let code = $z::inflateInit2_(raw, RAW, $z::zlibVersion(), size_of::<$z::z_stream>() as c_int);
                        assert_eq!(code, Z_OK, "zlib initialises unless memory is out");
                        Self(Box::from_raw(raw))
                    }
                }
            }

            impl Engine for Inflate {
                fn step(&mut self, input: &[u8], output: &mut [u8], block: bool) -> Step {
                    let s = &mut *self.0;
                    let (avail_in, avail_out) = (input.len().min(1 << 30), output.len().min(1 << 30));
                    s.next_in = input.as_ptr().cast_mut().cast();
                    s.avail_in = avail_in as _;
                    s.next_out = output.as_mut_ptr().cast();
                    s.avail_out = avail_out as _;
                    // SAFETY: pointers and lengths describe the two slices, which outlive the call.
                    let code = unsafe { $z::inflate(s, if block { Z_BLOCK } else { Z_NO_FLUSH }) };
                    let used = avail_in - s.avail_in as usize;
                    let got = avail_out - s.avail_out as usize;
                    let state = match code {
                        Z_STREAM_END => State::End,
                        // 128: just behind an end of block; 64: that block was the last.
                        Z_OK | Z_BUF_ERROR if s.data_type & 128 != 0 && s.data_type & 64 == 0 => State::Boundary { bits: (s.data_type & 7) as u8 },
                        Z_OK | Z_BUF_ERROR => State::More,
                        _ => State::Invalid,
                    };
                    Step { used, got, state }
                }

                fn reset(&mut self) {
                    // SAFETY: an initialised stream.
                    unsafe { $z::inflateReset2(&mut *self.0, RAW) };
                }

                fn window(&mut self) -> Vec<u8> {
                    let mut window = vec![0u8; WINDOW_BYTES];
                    let mut n: c_uint = 0;
                    // SAFETY: the buffer has the size of the largest window.
                    unsafe { $get_dictionary(&mut *self.0, window.as_mut_ptr(), &mut n) };
                    window.truncate(n as usize);
                    window
                }

                fn resume(&mut self, bits: u8, previous: u8, window: &[u8]) -> bool {
                    self.reset();
                    // SAFETY: an initialised stream, a live slice.
                    unsafe {
                        let primed = bits == 0 || $z::inflatePrime(&mut *self.0, bits as c_int, (previous >> (8 - bits)) as c_int) == Z_OK;
                        primed && $z::inflateSetDictionary(&mut *self.0, window.as_ptr(), window.len() as c_uint) == Z_OK
                    }
                }
            }

            impl Drop for Inflate {
                fn drop(&mut self) {
                    // SAFETY: an initialised stream, ended once.
                    unsafe { $z::inflateEnd(&mut *self.0) };
                }
            }

            #[allow(dead_code)]
            pub fn deflate_raw(data: &[u8]) -> Vec<u8> {
                let boxed: Box<MaybeUninit<$z::z_stream>> = Box::new(MaybeUninit::zeroed());
                let raw = Box::into_raw(boxed).cast::<$z::z_stream>();
                // SAFETY: as in `new`; the output holds deflateBound bytes, so one call ends the stream.
                unsafe {
                    $set_hooks(raw);
                    let size = size_of::<$z::z_stream>() as c_int;
                    assert_eq!($z::deflateInit2_(raw, 1, 8, RAW, 8, 0, $z::zlibVersion(), size), Z_OK, "zlib initialises unless memory is out");
                    let mut s = Box::from_raw(raw);
                    let mut out = vec![0u8; $z::deflateBound(&mut *s, data.len() as _) as usize];
                    s.next_in = data.as_ptr().cast_mut().cast();
                    s.avail_in = data.len() as _;
                    s.next_out = out.as_mut_ptr().cast();
                    s.avail_out = out.len() as _;
                    let code = $z::deflate(&mut *s, 4);
                    assert_eq!(code, Z_STREAM_END, "deflateBound is enough");
                    out.truncate(s.total_out as usize);
                    $z::deflateEnd(&mut *s);
                    out
                }
            }
        }
    };
}

unsafe extern "C" {
    // Exported by zlib-ng, not declared by its sys crate.
    fn zng_inflateGetDictionary(stream: *mut libz_ng_sys::z_stream, dictionary: *mut u8, length: *mut c_uint) -> c_int;
}

/// # Safety
/// `s` points to zeroed memory of a stream.
unsafe fn hook_ng(s: *mut libz_ng_sys::z_stream) {
    // SAFETY: the caller's.
    unsafe {
        (&raw mut (*s).zalloc).write(allocate as _);
        (&raw mut (*s).zfree).write(free as _);
    }
}

/// # Safety
/// `s` points to zeroed memory of a stream.
unsafe fn hook_rs(s: *mut libz_rs_sys::z_stream) {
    // SAFETY: the caller's.
    unsafe {
        (&raw mut (*s).zalloc).write(Some(allocate as _));
        (&raw mut (*s).zfree).write(Some(free as _));
    }
}

backend!(ng, libz_ng_sys, zng_inflateGetDictionary, hook_ng);
backend!(rs, libz_rs_sys, libz_rs_sys::inflateGetDictionary, hook_rs);

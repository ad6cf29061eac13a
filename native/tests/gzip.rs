//! Gzips in every form and damaged in every way: decoded to the very bytes that went in, or refused.

mod support;

use std::sync::Arc;

use deadwax_native::contract::{Contract, DataType};
use deadwax_native::fault::{Code, Fault};
use deadwax_native::gzip::Reader;
use deadwax_native::inflate::Backend;
use deadwax_native::limits::Limits;
use deadwax_native::verify::{Options, Verify};
use support::checks::{BACKENDS, inflate, inflates_or_refuses};
use support::documents;
use support::gzips;
use support::random::{Rng, cases, for_all, seed};
use support::run::{Setup, TempFile, run, run_watched};

const DAMAGES: usize = 1000;

/// A document whose gzip has some 100 KB.
fn document() -> Vec<u8> {
    let mut rng = Rng::new(7);
    let mut xml = Vec::new();
    while gzips::gzip(&xml).len() < 100_000 {
        for _ in 0..300 {
            xml.extend_from_slice(&documents::document(&mut rng, DataType::Releases, documents::Style::Plain, 40));
        }
    }
    xml
}

/// How a verification ends.
fn verify(file: &TempFile, backend: Backend) -> Result<(), Fault> {
    let options = Options { path: file.path().to_owned(), backend, sha256: false, inflate: true, limits: Limits::default() };
    let mut verify = Verify::open(&options, Arc::default())?;
    while !verify.step(10_000)? {}
    Ok(())
}

/// Tells whether damaged bytes are refused; fails if they decode to anything but the original.
fn is_refused(damaged: &[u8], original: &[u8], what: &str) -> bool {
    let file = TempFile::new(damaged);
    let mut refused = Vec::new();
    for backend in BACKENDS {
        let (bytes, fault) = inflate(&file, backend, Limits::default(), 1 << 16);
        assert_eq!(fault.is_some(), verify(&file, backend).is_err(), "verification says what reading says: {what}");
        match &fault {
            Some(fault) => assert_eq!(fault.code, Code::Corrupt, "{what}: {fault}"),
            None => assert!(bytes == original, "{what}: accepted, but not the same bytes"),
        }
        refused.push(fault.is_some());
    }
    assert_eq!(refused[0], refused[1], "{what}: the libraries agree");
    refused[0]
}

#[test]
fn a_gzip_cut_anywhere_is_refused() {
    let xml = document();
    let gzip = gzips::gzip(&xml);
    let seed = seed();
    let mut rng = Rng::new(seed);
    // A single byte is not seen as gzip, and no dump.
    assert!(run(&gzip[..1], &Setup::new(DataType::Releases, Contract::Topic)).fault.is_some());
    let refused = (0..DAMAGES).filter(|&i| {
        // The ends of header and trailer are where mistakes are made.
        let length = if i < 40 {
            if i == 1 { 0 } else { i }
        } else if i < 80 {
            gzip.len() - 1 - (i - 40)
        } else {
            rng.below(gzip.len())
        };
        is_refused(&gzip[..length], &xml, &format!("cut to {length} of {}, seed {seed}", gzip.len()))
    });
    let refused = refused.count();
    eprintln!("{DAMAGES} truncations of {} bytes: {refused} refused", gzip.len());
    assert_eq!(refused, DAMAGES);
}

#[test]
fn a_gzip_with_any_bit_flipped_is_refused_or_the_same() {
    let xml = document();
    let gzip = gzips::gzip(&xml);
    let seed = seed();
    let mut rng = Rng::new(seed);
    let (mut refused, mut same, mut plain) = (0, 0, 0);
    for i in 0..DAMAGES {
        let bit = if i < 80 {
            i
        } else if i < 144 {
            gzip.len() * 8 - 1 - (i - 80)
        } else {
            rng.below(gzip.len() * 8)
        };
        let mut damaged = gzip.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        if bit < 16 {
            // No longer gzip by its first bytes, and no dump either.
            assert!(run(&damaged, &Setup::new(DataType::Releases, Contract::Topic)).fault.is_some());
            plain += 1;
            continue;
        }
        if is_refused(&damaged, &xml, &format!("bit {bit} of {} bytes flipped, seed {seed}", gzip.len())) {
            refused += 1;
        } else {
            same += 1;
        }
    }
    eprintln!("{DAMAGES} bit flips of {} bytes: {refused} refused, {same} decode to the same bytes, {plain} are no gzip any more", gzip.len());
    assert_eq!(refused + same + plain, DAMAGES);
    assert!(same <= 80, "only a header has bits that do not matter");
}

#[test]
fn every_form_of_gzip_is_read() {
    let xml = document();
    let (a, b) = xml.split_at(xml.len() / 3);
    let forms: Vec<(&str, Vec<u8>)> = vec![
        ("one member", gzips::gzip(&xml)),
        ("two members", gzips::members(&[a, b])),
        ("empty members around", gzips::members(&[b"", a, b"", b, b"", b""])),
        ("every optional part of a header", gzips::with_all_header_parts(&xml)),
        ("such a header in the middle", [gzips::gzip(a), gzips::with_all_header_parts(b)].concat()),
        ("stored", gzips::member(&xml, 0, usize::MAX)),
        ("fastest", gzips::member(&xml, 1, usize::MAX)),
        ("many blocks", gzips::member(&xml, 9, 1000)),
        ("plain", xml.clone()),
    ];
    for (form, bytes) in forms {
        let file = TempFile::new(&bytes);
        for backend in BACKENDS {
            for room in [1000, 1 << 20] {
                let (got, fault) = inflate(&file, backend, Limits::default(), room);
                assert!(fault.is_none() && got == xml, "{form}, {backend:?}, room {room}: {fault:?}");
            }
            verify(&file, backend).unwrap_or_else(|fault| panic!("{form}: {fault}"));
        }
    }
}

#[test]
fn what_follows_the_last_member_is_refused() {
    let xml = b"<artists></artists>";
    let gzip = gzips::gzip(xml);
    for tail in [&b"\0"[..], b"\0\0\0\0", b"x", b"\x1f", b"\x1f\x8b", b"\x1f\x8b\x08\0\0\0\0\0\0", b"\n"] {
        assert!(is_refused(&[&gzip, tail].concat(), xml, "bytes behind"), "{tail:?}");
    }
    let header = gzips::with_all_header_parts(xml);
    for i in [2, 3, 10, 11, 320, 330] {
        let mut damaged = header.clone();
        damaged[i] ^= 0x80;
        assert!(is_refused(&damaged, xml, "header"), "byte {i} of a header with a checksum");
    }
}

#[test]
fn a_bomb_stops_at_its_limit_in_little_memory() {
    const ZEROS: usize = 200 << 20;
    let bomb = TempFile::new(&gzips::member(&vec![0; ZEROS], 9, usize::MAX));
    let mut buffer = vec![0; 1 << 16];
    for backend in BACKENDS {
        for (limits, most) in [
            (Limits { inflated_bytes: 10 << 20, ..Limits::default() }, (10 << 20) + (1 << 16)),
            (Limits { inflate_ratio: 100, ..Limits::default() }, Limits::RATIO_FROM_BYTES + (1 << 16)),
        ] {
            let mut reader = Reader::new(bomb.input(), backend, limits);
            let fault = loop {
                match reader.fill(&mut buffer) {
                    Ok(0) => panic!("the bomb went through"),
                    Ok(_) => {}
                    Err(fault) => break fault,
                }
            };
            assert_eq!(fault.code, Code::TooLarge, "{fault}");
            assert!(reader.inflated() <= most, "{} bytes inflated", reader.inflated());
        }
        // A source needs no more memory for it than for anything else: the zeros are no record.
        let setup =
            Setup { backend, chunk: 1 << 20, limits: Limits { record_bytes: 4 << 20, ..Limits::default() }, ..Setup::new(DataType::Artists, Contract::Topic) };
        let (outcome, watch) = run_watched(&bomb, &setup);
        assert!(outcome.fault.is_some() && outcome.bodies.is_empty());
        assert!(watch.buffer_bytes <= 16 << 20, "{} bytes of buffer", watch.buffer_bytes);
    }
}

#[test]
fn any_bytes_inflate_or_are_refused() {
    for_all(
        "inflate",
        cases(300),
        |rng| {
            let xml = documents::any(rng, 4);
            let mut bytes = match rng.below(4) {
                0 => gzips::with_all_header_parts(&xml),
                1 => gzips::members(&[&xml[..xml.len() / 2], &xml[xml.len() / 2..]]),
                _ => gzips::member(&xml, rng.below(10) as u32, 1 + rng.below(300)),
            };
            for _ in 0..rng.below(4) {
                let at = rng.below(bytes.len());
                match rng.below(4) {
                    0 => bytes.truncate(at.max(1)),
                    1 => bytes[at] = rng.next() as u8,
                    2 => bytes.insert(at, rng.next() as u8),
                    _ => bytes[at] ^= 1 << rng.below(8),
                }
            }
            bytes
        },
        inflates_or_refuses,
    );
}

//! Records beyond the limit: one reject each, the neighbours delivered, in bounded memory and linear time.

mod support;

use std::time::Duration;

use deadwax_native::contract::{Contract, DataType};
use deadwax_native::limits::Limits;
use support::run::{Outcome, Setup, TempFile, Watch, run_watched};

const MIB: usize = 1 << 20;

/// A shape of giant: its name, how it begins, what it is made of, how it ends.
type Shape = (&'static str, &'static [u8], &'static [u8], &'static [u8]);
const SHAPES: &[Shape] = &[
    ("small elements", b"<label><id>2</id>", b"<name>some text</name>", b"</label>"),
    ("nested labels", b"<label><id>2</id><sublabels>", b"<label id=\"50\">Sub label</label>", b"</sublabels></label>"),
    ("nested labels on lines", b"<label><id>2</id><sublabels>", b"\n<label id=\"50\">Sub</label>", b"</sublabels></label>"),
    ("text", b"<label><id>2</id><profile>", b"just text ", b"</profile></label>"),
    ("attribute", b"<label id=\"2\" x='", b"<label>\">/", b"'></label>"),
    ("attribute of a self-closing record", b"<label id=\"2\" x=\"", b"value ", b"\"/>"),
    ("attributes", b"<label ", b"a=\"1\" ", b"></label>"),
    ("comment", b"<label><!--", b"</label>\n<label>", b"--></label>"),
    ("CDATA", b"<label><![CDATA[", b"</label>\n<label>]]", b"]]></label>"),
    ("processing instruction", b"<label><?p ", b"</label>\n<label>", b"?></label>"),
    ("tag name", b"<label><id>2</id><", b"name", b"/></label>"),
    ("end tag", b"<label><id>2</id></", b"name", b"></label>"),
    ("depth", b"<label>", b"<a>", b"</label>"),
    ("stray end tags", b"<label>", b"</a>", b"</label>"),
    ("bad markup", b"<label>", b"<!x>", b"</label>"),
];

fn giant(shape: usize, bytes: usize) -> Vec<u8> {
    let (_, begin, part, end) = SHAPES[shape];
    let mut xml = b"<labels>\n<label><id>1</id></label>\n".to_vec();
    xml.extend_from_slice(begin);
    while xml.len() < bytes {
        xml.extend_from_slice(part);
    }
    xml.extend_from_slice(end);
    xml.extend_from_slice(b"\n<label><id>3</id></label>\n</labels>\n");
    xml
}

fn run(xml: &[u8], limits: Limits, chunk: usize) -> (Outcome, Watch, Duration) {
    let file = TempFile::new(xml);
    let begin = cpu_time();
    let (outcome, watch) = run_watched(&file, &Setup { limits, chunk, ..Setup::new(DataType::Labels, Contract::Topic) });
    (outcome, watch, cpu_time() - begin)
}

/// CPU time of this thread: what others do on the machine must not look like slowness.
fn cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is valid for writes, and the clock exists on every Unix.
    assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) }, 0);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn check(what: &str, outcome: &Outcome) {
    let ids: Vec<_> = outcome.bodies.iter().map(|b| String::from_utf8_lossy(&b[..23]).into_owned()).collect();
    assert_eq!(outcome.fault, None, "{what}");
    assert_eq!(outcome.rejects.iter().map(|r| r.kind).collect::<Vec<_>>(), ["record-too-large"], "{what}: {:?}", outcome.rejects);
    assert_eq!(ids, ["{\"type\":\"data\",\"id\":\"1\"", "{\"type\":\"data\",\"id\":\"3\""], "{what}: the neighbours are delivered");
    assert_eq!((outcome.read, outcome.empty, outcome.rejects[0].offset), (3, 0, 35), "{what}");
}

#[test]
fn every_shape_of_giant_is_one_reject() {
    let limits = Limits { record_bytes: MIB, ..Limits::default() };
    for (shape, (name, ..)) in SHAPES.iter().enumerate() {
        let xml = giant(shape, 6 * MIB);
        // Pieces that end at any place of the pattern.
        for chunk in [64 << 10, 65_537, 99_991, MIB - 3] {
            let what = format!("{name}, pieces of {chunk}");
            let (outcome, watch, _) = run(&xml, limits, chunk);
            check(&what, &outcome);
            let most = 4 * (limits.record_bytes + 2 * chunk);
            assert!(watch.buffer_bytes <= most && watch.carry_bytes <= most, "{what}: {} and {} bytes", watch.buffer_bytes, watch.carry_bytes);
        }
    }
}

#[test]
fn gaps_before_a_giant_do_not_matter() {
    let limits = Limits { record_bytes: 100_000, ..Limits::default() };
    let xml = giant(0, 300_000);
    let record = memchr::memmem::find(&xml, b"<label><id>2").expect("the giant");
    for gap in [1, 5_000, 20_000, 90_000] {
        for filler in [b" ".repeat(gap), [b"<!--", b"-".repeat(gap).as_slice(), b"-->"].concat()] {
            let mut xml = xml.clone();
            xml.splice(record..record, filler.iter().copied());
            let (outcome, ..) = run(&xml, limits, 4096);
            assert_eq!((outcome.bodies.len(), outcome.rejects.len(), &outcome.fault), (2, 1, &None), "a gap of {}", filler.len());
        }
    }
}

/// Twice the bytes take at most this many times as long.
const LINEAR: f64 = 2.5;
/// How often the bytes are doubled. What a byte costs depends on the caches that it fits into and on who else fills them: that comes in
/// once however often they are doubled, while what is not linear comes in each time. So after four times it is told apart surely.
const DOUBLINGS: i32 = 4;
/// Pairs of runs. The least time of each size is what it takes where nobody interferes, and tells the more the more runs there were.
const RUNS: usize = 12;

#[test]
fn time_is_linear_in_size() {
    for (shape, (name, ..)) in SHAPES.iter().enumerate() {
        for (kind, limits) in [("giant", Limits { record_bytes: MIB / 2, ..Limits::default() }), ("accepted or rejected whole", Limits::default())] {
            let (small, large) = (giant(shape, MIB), giant(shape, MIB << DOUBLINGS));
            let time = |xml: &[u8]| run(xml, limits, 64 << 10).2.as_secs_f64();
            let (mut few, mut many) = (f64::INFINITY, f64::INFINITY);
            let is_linear = (0..RUNS).any(|_| {
                (few, many) = (few.min(time(&small)), many.min(time(&large)));
                many / few <= LINEAR.powi(DOUBLINGS)
            });
            let twice = (many / few).powf(1.0 / f64::from(DOUBLINGS));
            assert!(is_linear, "{name}, {kind}: twice the bytes take {twice:.2} times as long, at most {LINEAR} is linear");
        }
    }
}

#[test]
fn a_hundred_megabytes_need_no_more_than_the_limit_promises() {
    for shape in [0, 3, 4] {
        let (outcome, watch, time) = run(&giant(shape, 100 * MIB), Limits::default(), 2 * MIB);
        check(SHAPES[shape].0, &outcome);
        eprintln!("{}: {:.2} s, buffer {} MiB, carry {} MiB", SHAPES[shape].0, time.as_secs_f64(), watch.buffer_bytes / MIB, watch.carry_bytes / MIB);
        assert!(watch.buffer_bytes + watch.carry_bytes < 200 * MIB, "{}: {} + {} bytes", SHAPES[shape].0, watch.buffer_bytes, watch.carry_bytes);
    }
}

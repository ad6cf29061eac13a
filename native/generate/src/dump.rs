//! Writes one dump file: workers make and compress pieces, the caller joins them in order.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::thread;

use sha2::{Digest, Sha256};

use crate::board::{Alarm, Board, Packed};
use crate::member::{self, WINDOW_BYTES};
use crate::universe::Universe;
use crate::xml::Xml;
use crate::{DataType, Error, FileEntry, record};

/// Pieces that may be finished ahead of the one being written, for each worker.
const AHEAD: u64 = 3;

/// Records of a piece: about a MiB, and the same however many workers there are.
fn piece_records(kind: DataType) -> u64 {
    match kind {
        DataType::Releases => 256,
        DataType::Masters => 1_024,
        DataType::Artists | DataType::Labels => 4_096,
    }
}

fn piece(u: &Universe, kind: DataType, count: u64, number: u64, pieces: u64, xml: &mut Xml) {
    let first = number * piece_records(kind);
    xml.out.clear();
    if number == 0 {
        xml.open(kind.plural());
        xml.raw("\n");
    }
    for ordinal in first..(first + piece_records(kind)).min(count) {
        record(u, kind, ordinal, xml);
        xml.raw("\n");
    }
    if number + 1 == pieces {
        xml.close(kind.plural());
        xml.raw("\n");
    }
}

fn work(board: &Board, u: &Universe, kind: DataType, count: u64) {
    let alarm = Alarm(board);
    let mut xml = Xml::new(u.form);
    loop {
        let taken = board.wait(|state| {
            if state.next < board.pieces && state.next >= state.written + board.ahead {
                return None;
            }
            state.next += 1;
            Some(state.next - 1)
        });
        let Some(number) = taken.filter(|&number| number < board.pieces) else {
            break;
        };
        piece(u, kind, count, number, board.pieces, &mut xml);
        let raw = &xml.out;
        let tail = raw[raw.len().saturating_sub(WINDOW_BYTES)..].to_vec();
        board.wait(|state| {
            state.tails.insert(number, tail.clone());
            Some(())
        });
        // The piece before was taken earlier, and its end is known before it is compressed: this waits for little.
        let before = if number == 0 { Some(Vec::new()) } else { board.wait(|state| state.tails.remove(&(number - 1))) };
        let Some(before) = before else { break };
        let bytes = match member::pack(raw, &before, member::LEVEL) {
            Ok(bytes) => bytes,
            Err(error) => {
                board.stop(Some(error));
                break;
            }
        };
        let mut crc = crc32fast::Hasher::new();
        crc.update(raw);
        let mut packed = Some(Packed { bytes, crc, raw: raw.len() as u64 });
        board.wait(|state| packed.take().map(|packed| state.ready.insert(number, packed)));
    }
    drop(alarm);
}

struct Sink<'a> {
    path: &'a Path,
    out: BufWriter<File>,
    hash: Sha256,
    bytes: u64,
}

impl Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.out.write_all(bytes).map_err(|error| Error::io(self.path, error))?;
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(())
    }
}

fn join(board: &Board, sink: &mut Sink, progress: &(dyn Fn(u64) + Sync), done: u64) -> Result<u64, Error> {
    let mut crc = crc32fast::Hasher::new();
    let mut raw = 0;
    sink.write(&member::HEADER)?;
    for number in 0..board.pieces {
        let packed = board.wait(|state| state.ready.remove(&number));
        let Some(packed) = packed else {
            return Err(board.failure().unwrap_or_else(|| Error::Internal("the run stopped early".into())));
        };
        sink.write(&packed.bytes)?;
        crc.combine(&packed.crc);
        raw += packed.raw;
        board.wait(|state| {
            state.written = number + 1;
            Some(())
        });
        progress(done + raw);
    }
    sink.write(&member::trailer(crc.finalize(), raw))?;
    sink.out.flush().map_err(|error| Error::io(sink.path, error))?;
    Ok(raw)
}

/// What a run over several files has in common.
pub struct Run<'a> {
    pub universe: &'a Universe,
    pub folder: &'a Path,
    pub version: &'a str,
    pub threads: usize,
    pub progress: &'a (dyn Fn(u64) + Sync),
}

/// Writes the dump of one type under another name and renames it when it is whole; `done` counts the XML of earlier files.
pub fn write(run: &Run, kind: DataType, count: u64, done: u64) -> Result<FileEntry, Error> {
    let file = format!("discogs_{}_{}.xml.gz", run.version, kind.plural());
    let partial = run.folder.join(format!("{file}.partial"));
    let created = File::create(&partial).map_err(|error| Error::io(&partial, error))?;
    let mut sink = Sink { path: &partial, out: BufWriter::new(created), hash: Sha256::new(), bytes: 0 };
    let pieces = count.div_ceil(piece_records(kind));
    let board = Board::new(pieces, run.threads as u64 * AHEAD);
    let joined = thread::scope(|scope| {
        let workers: Vec<_> = (0..run.threads).map(|_| scope.spawn(|| work(&board, run.universe, kind, count))).collect();
        let joined = join(&board, &mut sink, run.progress, done);
        board.stop(None);
        let mut sound = true;
        for worker in workers {
            sound &= worker.join().is_ok();
        }
        if sound { joined } else { joined.and(Err(Error::Internal("a worker panicked".into()))) }
    });
    let (sha256, gz_bytes) = (sink.hash, sink.bytes);
    let finished = joined.and_then(|raw| {
        let target = run.folder.join(&file);
        fs::rename(&partial, &target).map_err(|error| Error::io(&target, error))?;
        Ok(raw)
    });
    if finished.is_err() {
        // Best effort: the first error is the one to tell.
        let _ = fs::remove_file(&partial);
    }
    Ok(FileEntry {
        kind,
        records: count,
        xml_bytes: finished?,
        gz_bytes,
        sha256: sha256.finalize().iter().map(|byte| format!("{byte:02x}")).collect(),
        first_id: run.universe.id(kind, 0),
        last_id: run.universe.id(kind, count - 1),
        file,
    })
}

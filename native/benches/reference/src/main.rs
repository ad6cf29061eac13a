//! The ordinary Rust way to do what deadwax does, done with care: flate2 on zlib-rs, quick-xml events with a reused
//! buffer, a `serde_json::Value` per record, serialised once, SHA-256 with the CPU's instructions, on one thread.
//!
//! `reference <file.xml.gz> <artists|labels|masters|releases> <topic|fanout> <out.ndjson|->`

mod body;
mod contract;
mod element;
mod fanout;
mod record;
mod report;
#[cfg(test)]
mod vectors;

use std::env;
use std::error::Error;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};
use std::process::ExitCode;
use std::time::Instant;

use flate2::bufread::MultiGzDecoder;

use body::Bodies;
use contract::{Contract, DataType};
use record::Records;
use report::{CountingReader, Summary, cpu_seconds};

const GZIP_BUFFER_BYTES: usize = 256 * 1024;
/// Small enough to stay in the L2 cache between the inflater and the parser.
const XML_BUFFER_BYTES: usize = 128 * 1024;
const OUTPUT_BUFFER_BYTES: usize = 1024 * 1024;

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let [input, data_type, contract, output] = args.as_slice() else {
        eprintln!("usage: reference <file.xml.gz> <type> <topic|fanout> <out.ndjson|->");
        return ExitCode::from(2);
    };
    let (Some(data_type), Some(contract)) = (DataType::parse(data_type), Contract::parse(contract)) else {
        eprintln!("reference: the type is artists, labels, masters or releases; the contract topic or fanout");
        return ExitCode::from(2);
    };
    match run(input, data_type, contract, output) {
        Ok(summary) => {
            eprintln!("{summary}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("reference: {input}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(input: &str, data_type: DataType, contract: Contract, output: &str) -> Result<Summary, Box<dyn Error>> {
    let started = Instant::now();
    let compressed = BufReader::with_capacity(GZIP_BUFFER_BYTES, File::open(input)?);
    let xml = CountingReader::new(MultiGzDecoder::new(compressed));
    let mut records = Records::new(BufReader::with_capacity(XML_BUFFER_BYTES, xml), data_type, contract);
    let sink: Box<dyn Write> = match output {
        "-" => Box::new(io::stdout()),
        path => Box::new(File::create(path)?),
    };
    let mut out = BufWriter::with_capacity(OUTPUT_BUFFER_BYTES, sink);
    let mut bodies = Bodies::default();

    let end = loop {
        match records.next() {
            Ok(Some(record)) => bodies.write(&record, &mut out)?,
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    out.flush()?;
    end?;
    Ok(Summary {
        records: bodies.records(),
        xml_bytes: records.get_ref().get_ref().bytes(),
        seconds: started.elapsed().as_secs_f64(),
        cpu_seconds: cpu_seconds(),
        digest: bodies.digest_hex(),
    })
}

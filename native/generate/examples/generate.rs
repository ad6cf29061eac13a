//! `generate --releases N --artists N --masters N --labels N --seed S --out DIR [--version V] [--form 2020|2026] [--threads N]`

use std::time::Instant;

use deadwax_generate::{Form, Options, generate};

fn main() {
    let mut options =
        Options { releases: 0, artists: 0, masters: 0, labels: 0, seed: 1, out: ".".into(), version: "20260801".into(), form: Form::Form2026, threads: 0 };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().unwrap_or_else(|| panic!("{name} needs a value"));
        let number = || value.parse::<u64>().unwrap_or_else(|_| panic!("{name}: {value:?} is not a number"));
        match name.as_str() {
            "--releases" => options.releases = number(),
            "--artists" => options.artists = number(),
            "--masters" => options.masters = number(),
            "--labels" => options.labels = number(),
            "--seed" => options.seed = number(),
            "--threads" => options.threads = number() as usize,
            "--out" => options.out = value.into(),
            "--version" => options.version = value,
            "--form" => options.form = if value == "2020" { Form::Form2020 } else { Form::Form2026 },
            _ => panic!("unknown option {name}"),
        }
    }
    let start = Instant::now();
    match generate(&options, &|_| {}) {
        Ok(manifest) => {
            let bytes: u64 = manifest.files.iter().map(|entry| entry.xml_bytes).sum();
            let seconds = start.elapsed().as_secs_f64();
            print!("{}", manifest.to_json());
            eprintln!("{:.1} MB of XML in {seconds:.2} s: {:.0} MB/s", bytes as f64 / 1e6, bytes as f64 / 1e6 / seconds);
        }
        Err(error) => {
            eprintln!("{error}");
            std::process::exit(1);
        }
    }
}

//! Synthetic dumps for Node, each made on a thread of its own.

use deadwax_generate::{EvolveOptions as Evolution, Form, Options};
use napi::bindgen_prelude::AsyncTask;
use napi::{Env, Error, Result, Task};
use napi_derive::napi;

/// A failure as a thrown error: JSON, since errors lose everything but their message on the way.
fn thrown(error: deadwax_generate::Error) -> Error {
    use deadwax_generate::Error::{Deflate, Internal, Io, Missing, Options, Source};
    let code = match error {
        Options(_) => "CONFIG_INVALID",
        Missing(_) => "SOURCE_MISSING",
        Source(_) => "SOURCE_UNREADABLE",
        Io { .. } => "SINK_UNAVAILABLE",
        Deflate(_) | Internal(_) => "INTERNAL",
    };
    Error::from_reason(serde_json::json!({ "code": code, "message": error.to_string() }).to_string())
}

#[napi(object)]
pub struct GenerateOptions {
    pub releases: f64,
    pub artists: f64,
    pub masters: f64,
    pub labels: f64,
    pub seed: f64,
    pub out: String,
    pub version: String,
    pub form: String,
    pub threads: u32,
}

/// Writes synthetic dumps on a thread of its own.
pub struct Generating(Options);

impl Task for Generating {
    type Output = String;
    type JsValue = String;

    fn compute(&mut self) -> Result<String> {
        deadwax_generate::generate(&self.0, &|_| {}).map(|manifest| manifest.to_json()).map_err(thrown)
    }

    fn resolve(&mut self, _env: Env, manifest: String) -> Result<String> {
        Ok(manifest)
    }
}

#[napi]
pub fn generate(options: GenerateOptions) -> AsyncTask<Generating> {
    AsyncTask::new(Generating(Options {
        releases: options.releases as u64,
        artists: options.artists as u64,
        masters: options.masters as u64,
        labels: options.labels as u64,
        seed: options.seed as u64,
        out: options.out.into(),
        version: options.version,
        form: if options.form == "2020" { Form::Form2020 } else { Form::Form2026 },
        threads: options.threads as usize,
    }))
}

#[napi(object)]
pub struct EvolveOptions {
    pub from: String,
    pub changes: String,
    pub returned_from: Option<String>,
    pub out: String,
    pub version: String,
    pub seed: f64,
    pub threads: u32,
    pub list: Option<String>,
}

/// Writes the month after on a thread of its own.
pub struct Evolving(Evolution);

impl Task for Evolving {
    type Output = String;
    type JsValue = String;

    fn compute(&mut self) -> Result<String> {
        deadwax_generate::evolve(&self.0).map(|evolved| evolved.to_json()).map_err(thrown)
    }

    fn resolve(&mut self, _env: Env, manifest: String) -> Result<String> {
        Ok(manifest)
    }
}

#[napi]
pub fn evolve(options: EvolveOptions) -> AsyncTask<Evolving> {
    AsyncTask::new(Evolving(Evolution {
        from: options.from.into(),
        changes: options.changes,
        returned_from: options.returned_from.map(Into::into),
        out: options.out.into(),
        version: options.version,
        seed: options.seed as u64,
        threads: options.threads as usize,
        list: options.list.map(Into::into),
    }))
}

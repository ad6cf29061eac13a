//! Records by their ids, out of a stretch of a file: read from where a source stands up to an offset, giving up nothing but what is wanted.

use std::sync::Arc;

use crate::contract::{Contract, DataType};
use crate::fault::Fault;
use crate::packed::{Columns, Output, Reject};
use crate::parse::{Parser, RejectRules};
use crate::rules::Rules;
use crate::source::{Buffer, Raw, Source};
use crate::wanted::Wanted;

/// A record that was looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub id: String,
    /// Inflated offset of its `<`.
    pub offset: u64,
    pub xml: Vec<u8>,
    /// Without its LF; None if a rule keeps it back.
    pub body: Option<Vec<u8>>,
}

/// What a stretch holds of what was looked for, in file order.
#[derive(Debug, Default)]
pub struct Answer {
    pub data_type: Option<DataType>,
    pub records: Vec<Record>,
    /// Malformed records with a wanted id.
    pub rejects: Vec<Reject>,
}

/// How records become bodies.
pub struct How<'a> {
    pub contract: Contract,
    pub rules: Option<&'a Arc<Rules>>,
    pub rejects: RejectRules,
}

/// Reads on, and answers with the wanted records that begin before the inflated offset `to`.
pub fn look_up(source: &mut Source, wanted: &Arc<Wanted>, how: &How, to: u64) -> Result<Answer, Fault> {
    let (mut buffer, mut columns) = (Buffer::default(), Columns::default());
    let mut parser: Option<Parser> = None;
    let mut answer = Answer::default();
    loop {
        let mut raw = source.next(&mut buffer);
        if let Some(frame) = source.frame() {
            answer.data_type = Some(frame.data_type);
            let parser = parser.get_or_insert_with(|| Parser::new(frame.data_type, how.contract));
            parser.set_rules(how.rules);
            parser.set_wanted(Some(wanted));
            let mut out = Output::new(&mut [], &mut columns);
            parser.piece(&buffer, &raw, frame, how.rejects, &mut out)?;
            take(&mut out, &buffer, &raw, wanted, to, &mut answer);
        }
        if let Some(fault) = raw.fault.take() {
            return Err(fault);
        }
        if raw.finished || raw.base + raw.end as u64 >= to {
            return Ok(answer);
        }
    }
}

fn take(out: &mut Output, buffer: &Buffer, raw: &Raw, wanted: &Wanted, to: u64, answer: &mut Answer) {
    let found = std::mem::take(&mut out.seen.found);
    let rejects = std::mem::take(&mut out.rejects);
    let bytes = out.bytes();
    let mut from = 0;
    let mut bodies = out.columns.ends.iter().map(|&end| {
        let body = bytes[from..end as usize].to_vec();
        from = end as usize + 1;
        body
    });
    for found in found {
        let body = if found.is_skipped { None } else { bodies.next() };
        let offset = raw.base + found.start as u64;
        if offset < to {
            answer.records.push(Record { id: found.id, offset, xml: buffer.filled()[found.start..found.end].to_vec(), body });
        }
    }
    let is_wanted = |reject: &Reject| reject.offset < to && reject.id.as_ref().is_some_and(|id| wanted.has(id.as_bytes()));
    answer.rejects.extend(rejects.into_iter().filter(is_wanted));
}

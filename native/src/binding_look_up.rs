//! The boundary to Node of looking at single records: see [`crate::binding`].

use std::sync::Arc;

use napi::bindgen_prelude::{AsyncTask, Buffer};
use napi::{Env, Error, Result, Task};
use napi_derive::napi;

use crate::binding::{Identity, JsReject, SourceOptions, guarded, identity_of, lock, shared_of, thrown};
use crate::look_up::{self, Answer, How};
use crate::pull::Shared;
use crate::wanted::Wanted;

#[napi(object)]
pub struct FoundRecord {
    pub id: String,
    pub offset: f64,
    pub xml: Buffer,
    pub body: Option<Buffer>,
}

#[napi(object)]
pub struct LookUpAnswer {
    pub data_type: Option<String>,
    pub records: Vec<FoundRecord>,
    pub rejects: Vec<JsReject>,
    pub identity: Identity,
}

/// Looks records up on a thread of Node's own, so that neither the event loop waits nor a pool has to be started.
pub struct LookingUp {
    options: Option<SourceOptions>,
    to: f64,
}

impl Task for LookingUp {
    type Output = (Answer, Identity);
    type JsValue = LookUpAnswer;

    fn compute(&mut self) -> Result<Self::Output> {
        let mut options = self.options.take().ok_or_else(|| Error::from_reason("a task runs once"))?;
        let wanted = Arc::new(Wanted::new(options.ids.take().unwrap_or_default()));
        // No such offset is reached: all the way to the end.
        let to = if self.to.is_finite() { self.to as u64 } else { u64::MAX };
        guarded(|| {
            let shared: Shared = shared_of(options)?;
            let how = How { contract: shared.apply.contract, rules: shared.apply.rules.as_ref(), rejects: shared.apply.rejects };
            let answer = look_up::look_up(&mut lock(&shared.source), &wanted, &how, to)?;
            Ok((answer, identity_of(&shared.file)?))
        })
        .map_err(thrown)
    }

    fn resolve(&mut self, _env: Env, (answer, identity): Self::Output) -> Result<LookUpAnswer> {
        let found =
            |record: look_up::Record| FoundRecord { id: record.id, offset: record.offset as f64, xml: record.xml.into(), body: record.body.map(Buffer::from) };
        Ok(LookUpAnswer {
            data_type: answer.data_type.map(|data_type| data_type.as_str().to_owned()),
            records: answer.records.into_iter().map(found).collect(),
            rejects: answer.rejects.into_iter().map(JsReject::from).collect(),
            identity,
        })
    }
}

#[napi]
pub fn look_up(options: SourceOptions, to: f64) -> AsyncTask<LookingUp> {
    AsyncTask::new(LookingUp { options: Some(options), to })
}

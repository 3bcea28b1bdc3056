//! Outputs as bytes and as values. Never: a second opinion on what an output is (the worker settles them).

use serde_json::Value;
use windlass_core::effect::Settle;
use windlass_core::event::Output;
use windlass_core::id::Digest;
use windlass_engine::reading::Reading;
use windlass_worker::{VALUE_BYTES_MAX, settle, value_of};

use crate::error::{Outcome, Report, engine_failed};

/// The value of an output that lies in a blob.
pub(crate) fn of_blob(reading: &Reading, digest: Digest) -> Result<Value, Report> {
    let bytes = reading.blob(digest).map_err(|error| engine_failed(&error))?;
    value_of(&bytes).map_err(|failure| {
        Report::environment("an output that was taken can't be read any more").cause(failure.message)
    })
}

/// An output that a person gives for a task.
pub(crate) fn given(bytes: &[u8], wanted: &Settle) -> Outcome<Output> {
    let output = settle(bytes, false, wanted).map_err(|failure| {
        Report::usage("the output does not fit the task").cause(failure.message).hint(failure.hint)
    })?;
    if output.value.is_null() && bytes.len() > VALUE_BYTES_MAX {
        return Err(Report::usage("the output is longer than 64 KiB")
            .hint(
                "larger ones are not supported yet: give the path of a file instead of its content"
                    .to_owned(),
            )
            .into());
    }
    Ok(output)
}

/// A value as people read it: a text as it is, anything else as indented JSON.
pub(crate) fn for_people(value: &Value) -> String {
    match value.as_str() {
        Some(said) => said.to_owned(),
        None => serde_json::to_string_pretty(value).unwrap_or_default(),
    }
}

//! Outputs as bytes and as values. Never: a second opinion on what an output is (the worker settles them).

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use serde_json::Value;
use windlass_core::effect::Settle;
use windlass_core::id::Digest;
use windlass_core::output::Output;
use windlass_engine::body;
use windlass_engine::reading::Reading;
use windlass_worker::{OUTPUT_BYTES_MAX, settle, value_as_printed};

use crate::error::{Outcome, Report, engine_failed};

/// The value of an output that lies in a blob.
pub(crate) fn of_blob(reading: &Reading, digest: Digest) -> Result<Value, Report> {
    let bytes = reading.blob(digest).map_err(|error| engine_failed(&error))?;
    value_as_printed(&bytes).map_err(|failure| {
        Report::environment("an output that was taken can't be read any more").cause(failure.message)
    })
}

/// The same for people who are asked about it: they must see that it is not there.
pub(crate) fn or_words(reading: &Reading, digest: Digest) -> Value {
    of_blob(reading, digest).unwrap_or_else(|_| unread(digest))
}

/// What stands in the place of an output that is gone or damaged.
pub(crate) fn unread(digest: Digest) -> Value {
    format!("its output is gone or damaged: blob {digest}").into()
}

/// An output that a person gives for a task. What is too large for the journal is kept in the home first, as that of an
/// attempt is.
pub(crate) fn given(path: &Path, wanted: &Settle, home: &Path) -> Outcome<Output> {
    let unreadable = |error: io::Error| {
        Report::usage(format!("{} can't be read", path.display())).cause(error.to_string())
    };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(OUTPUT_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > OUTPUT_BYTES_MAX {
        let report =
            Report::usage(format!("{} is longer than the 16 MiB that an output may be", path.display()));
        return Err(report.hint("give the path of the file as output instead".to_owned()).into());
    }
    let output = settle(&bytes, false, wanted).map_err(|failure| {
        Report::usage("the output does not fit the task").cause(failure.message).hint(failure.hint)
    })?;
    if output.blob.is_some() {
        body::keep(home, &bytes).map_err(|error| engine_failed(&error))?;
    }
    Ok(output)
}

/// What a task gave of which a person says no more than that it is done: null, where that fits.
pub(crate) fn none(wanted: &Settle) -> Outcome<Output> {
    let unbound = Settle { extracts: Vec::new(), ..wanted.clone() };
    let output = settle(b"null", false, &unbound).map_err(|failure| {
        Report::usage("without an output the task gave null, which does not fit it")
            .cause(failure.message)
            .hint("give what it gave with --output FILE".to_owned())
    })?;
    Ok(output)
}

/// A value as people read it: a text as it is, anything else as indented JSON.
pub(crate) fn for_people(value: &Value) -> String {
    match value.as_str() {
        Some(said) => said.to_owned(),
        None => serde_json::to_string_pretty(value).unwrap_or_default(),
    }
}

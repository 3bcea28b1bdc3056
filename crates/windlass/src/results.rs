//! What a run gave: the outputs of the tasks that nothing depends on, each in a line of its summary. Never: a large one
//! whole, or what says nothing.

use std::path::{Path, PathBuf};

use serde_json::Value;
use windlass_core::machine::task::Phase;
use windlass_core::plan::Work;
use windlass_core::state::{Run, Task};
use windlass_core::view;

use crate::calling;
use crate::render::plural;
use crate::render::text;

/// How many results are named.
const RESULTS_MAX: usize = 3;
/// How much of each is shown.
const COLUMNS_MAX: usize = 100;

/// A line for each result, and one for those that are too many.
pub(crate) fn lines(run: &Run) -> Vec<String> {
    of(run, run.tasks.iter().filter(|task| task.parent.is_none()))
}

/// The same for these tasks of one plan.
pub(crate) fn of<'r>(run: &'r Run, own: impl Iterator<Item = &'r Task>) -> Vec<String> {
    let last = own.filter(|task| task.phase == Phase::Succeeded && task.dependants.is_empty());
    // That somebody said yes is no result.
    let last = last.filter(|task| !matches!(run.spec(task).work, Work::Approval { .. }));
    let mut results =
        last.filter_map(|task| Some(format!("  result    {}: {}", task.id, result(run, task)?)));
    let mut lines: Vec<String> = results.by_ref().take(RESULTS_MAX).collect();
    let more = results.count();
    if more > 0 {
        let all = calling::command("show").with(run.id);
        lines.push(format!("            … and {more} more: `{all}` has them"));
    }
    lines
}

/// A result in a line: a file where it names one, else the beginning of what it is.
fn result(run: &Run, task: &Task) -> Option<String> {
    if task.output.blob.is_some() {
        let bytes = task.last_attempt().and_then(|attempt| attempt.raw.as_ref()).map_or(0, |raw| raw.bytes);
        let length = plural::bytes(bytes);
        let all = calling::command("show").with(run.id).with(&task.id);
        return Some(format!("{length}: `{all}` prints it"));
    }
    if task.output.truncated {
        return Some("too long to be kept".into());
    }
    if let Some(written) = &task.output.written {
        return Some(text::fit(written, COLUMNS_MAX));
    }
    // What children gave may be large: only a mark stands there then.
    let value = view::output(run, task, &mut |_| "…".into());
    if says_nothing(&value) {
        return None;
    }
    Some(match value.as_str() {
        Some(said) => said_in_a_line(run, said.trim()),
        None => text::fit(&text::plain(&value.to_string()), COLUMNS_MAX),
    })
}

fn said_in_a_line(run: &Run, said: &str) -> String {
    // Its parts, so that a step such as `./` is not shown.
    let path: PathBuf = Path::new(&run.folder).join(said).components().collect();
    if !said.contains('\n') && path.exists() {
        return text::plain(&path.display().to_string());
    }
    text::fit(&text::first_line(said), COLUMNS_MAX)
}

/// Whether there is nothing in a value, however deep.
fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(said) => said.trim().is_empty(),
        Value::Array(items) => items.iter().all(says_nothing),
        Value::Object(fields) => fields.values().all(says_nothing),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

//! What to do about a failure, with the names that are meant: a command in it can be pasted. Never: a hint of its own.

use windlass_core::failure::ErrorKind;
use windlass_core::id::{RunId, TaskId};
use windlass_core::view::FailureView;

use crate::calling::{self, Command};
use crate::render::style::{DIM, paint};

/// The verbs that want a task, and those that want a run.
const OF_A_TASK: [&str; 4] = ["logs", "show", "retry", "settle"];
const OF_A_RUN: [&str; 1] = ["resume"];

/// A hint whose commands name this task of this run, and this place.
pub(crate) fn filled(hint: &str, run: RunId, task: &TaskId) -> String {
    calling::here_with(hint, |words| {
        let command = Command::of(words);
        match words {
            [verb] if OF_A_TASK.contains(verb) => command.with(run).with(task),
            [verb] if OF_A_RUN.contains(verb) => command.with(run),
            ["doctor", "--why-slow"] => command.with(run),
            ["revise", "RUN", "PLAN"] => calling::command("revise").with(run).with("PLAN"),
            [verb, "RUN", "TASK", more @ ..] => {
                calling::command(verb).with(run).with(task).with_all(more.iter().copied())
            }
            [verb, "RUN", more @ ..] => calling::command(verb).with(run).with_all(more.iter().copied()),
            _ => command,
        }
    })
}

/// The same for what is shown of a failure.
pub(crate) fn fill(error: &mut FailureView, run: RunId, task: &TaskId) {
    error.hint = error.hint.take().map(|hint| filled(&hint, run, task));
}

/// The command that prints the page of a kind of error.
pub(crate) fn page(kind: ErrorKind) -> Command {
    calling::command("guide").with("errors").with(kind)
}

/// Where there is more to read about a kind of error, as the last line of one.
pub(crate) fn more(kind: ErrorKind) -> String {
    paint(DIM, &format!("  more: {}", page(kind)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_of_a_hint_name_the_run_and_the_task_that_are_meant() {
        let (run, task) = ("abc123".parse().expect("a run"), "fix.0".parse().expect("a task"));
        for (hint, said) in [
            ("`windlass logs` shows it", "`windlass logs abc123 fix.0` shows it"),
            (
                "free some space; `windlass resume` goes on",
                "free some space; `windlass resume abc123` goes on",
            ),
            ("mend it: `windlass revise RUN PLAN`", "mend it: `windlass revise abc123 PLAN`"),
            ("`windlass doctor --why-slow` says it", "`windlass doctor --why-slow abc123` says it"),
            ("then `windlass settle RUN TASK --done`", "then `windlass settle abc123 fix.0 --done`"),
            ("then `windlass revise RUN PLAN`", "then `windlass revise abc123 PLAN`"),
            ("`windlass retry abc123 other` requeues it", "`windlass retry abc123 other` requeues it"),
        ] {
            assert_eq!(filled(hint, run, &task), said);
        }
    }
}

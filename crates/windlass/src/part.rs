//! A part of a run: a plan that a task started, as the command that started it follows it; when that rests, how it ended, in
//! words, as a code, and for programs. Never: what becomes of it, or of the attempt that waits for it.

use serde::Serialize;
use windlass_core::event::{Event, PauseReason, Record, RunOutcome};
use windlass_core::failure::ErrorKind;
use windlass_core::id::{RunId, TaskId};
use windlass_core::machine::task::Phase;
use windlass_core::state::parts::Standing;
use windlass_core::state::{Blocked, Run, State, Task, TaskIx};
use windlass_core::time::Time;

use crate::exit::Exit;
use crate::question::Question;
use crate::render::style::{BOLD, DIM, ERROR, HINT, OK, WARNING, paint};
use crate::render::text;
use crate::{calling, failures, results, screen};

/// How many tasks that failed are named.
const FAILED_MAX: usize = 10;

/// A part of a run: a plan that a task started.
pub(crate) struct Part {
    /// The run.
    pub(crate) run: RunId,
    /// The plan, as a task.
    pub(crate) task: TaskId,
    /// Whether somebody answers where the engine of the run is.
    pub(crate) is_answered: bool,
}

/// How a part ended, for a program: as the last line of a run says it, but that no record of the journal does, so that it
/// has no place there.
#[derive(Serialize)]
struct LastLine<'a> {
    at: Time,
    run: RunId,
    task: &'a TaskId,
    #[serde(rename = "type")]
    kind: &'static str,
    v: u32,
    #[serde(flatten)]
    how: How,
}

/// How it ended: the one field of the event that says the same of a run.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
enum How {
    Outcome(RunOutcome),
    Reason(PauseReason),
}

impl Part {
    /// Whether it has come to an end, or to a rest that nobody is there to end.
    pub(crate) fn rests(&self, state: &State) -> bool {
        let standing = |run: &Run| Some(run.standing_of(*run.names.get(&self.task)?));
        match state.run(self.run).and_then(standing) {
            Some(Standing::GoesOn) => false,
            Some(Standing::ForPeople) => !self.is_answered,
            Some(Standing::Held | Standing::Over) | None => true,
        }
    }

    /// Whether a record belongs to it, or to its whole run.
    pub(crate) fn is_told(&self, record: &Record) -> bool {
        let of_it = |task: &TaskId| {
            let behind = task.as_str().strip_prefix(self.task.as_str());
            behind.is_some_and(|behind| behind.is_empty() || behind.starts_with(['.', '/']))
        };
        record.event.run() == Some(self.run) && record.event.task().is_none_or(of_it)
    }

    /// The last line for a program, at the time of the newest record that was told: what would be the last of a run. None
    /// where only people are left, as there.
    pub(crate) fn last_line(&self, run: &Run, task: &Task, at: Time) -> Option<String> {
        let standing = run.standing_of(*run.names.get(&task.id)?);
        let how = match (standing, task.phase) {
            (Standing::Over, Phase::Succeeded) => How::Outcome(RunOutcome::Succeeded),
            (Standing::Over, Phase::Cancelled) => How::Outcome(RunOutcome::Cancelled),
            (Standing::Over, _) => How::Outcome(RunOutcome::Failed),
            (Standing::Held, _) => How::Reason(PauseReason::Budget),
            (Standing::GoesOn | Standing::ForPeople, _) => return None,
        };
        let event = match how {
            How::Outcome(outcome) => Event::RunFinished { run: self.run, outcome },
            How::Reason(reason) => Event::RunPaused { run: self.run, reason },
        };
        let (kind, v) = (event.name(), event.version());
        let line = LastLine { at, run: self.run, task: &self.task, kind, v, how };
        Some(serde_json::to_string(&line).expect("names and times are plain data"))
    }
}

/// What a part of a run that has come to its end, or to a rest, means for the exit code: what it would mean of a run.
pub(crate) fn exit_of(run: &Run, task: &Task) -> Exit {
    let standing = run.names.get(&task.id).map(|ix| run.standing_of(*ix));
    let no_budget = task.error.as_ref().is_some_and(|error| error.kind == ErrorKind::Budget);
    match standing {
        Some(Standing::Over) if task.phase == Phase::Succeeded => Exit::Done,
        Some(Standing::Over) if !no_budget => Exit::Failed,
        Some(Standing::Over | Standing::Held | Standing::ForPeople) => Exit::Paused,
        Some(Standing::GoesOn) | None => Exit::Environment,
    }
}

/// Why a part of a run is left although it has not ended, and what brings it forward.
fn left(run: &Run, part: TaskIx) -> Vec<String> {
    let family = run.family(part);
    let asked = family.iter().filter_map(|ix| Question::of(run.task(*ix)));
    let approve = |asked: Question| {
        calling::command("approve").with(run.id).with(&asked.task).with("--id").with(&asked.id).to_string()
    };
    let unknown = family.iter().filter(|ix| run.task(**ix).blocked == Some(Blocked::Outcome));
    let settle = |ix: &TaskIx| {
        let settle = calling::command("settle").with(run.id).with(&run.task(*ix).id).with("--done");
        format!("`{settle}`, or `--failed`")
    };
    let why = match run.standing_of(part) {
        Standing::ForPeople => {
            "only people can bring it forward, as long as the attempt that started it lives"
        }
        Standing::Held => "a budget of its run is used up: it ends with the attempt that started it",
        Standing::GoesOn | Standing::Over => return Vec::new(),
    };
    let hint = |step: String| format!("{} {step}", paint(HINT, "hint:"));
    let steps = asked.map(approve).chain(unknown.map(settle)).map(hint);
    std::iter::once(format!("  rests     {why}")).chain(steps).collect()
}

/// What is said of a part of a run at its end.
pub(crate) fn lines(run: &Run, task: &Task) -> Vec<String> {
    let Some(ix) = run.names.get(&task.id) else { return Vec::new() };
    let below: Vec<&Task> = run.family(*ix).into_iter().skip(1).map(|ix| run.task(ix)).collect();
    let mut lines = vec![String::new()];
    let failed = below.iter().filter(|below| below.phase == Phase::Dead && !below.attempts.is_empty());
    lines.extend(failed.take(FAILED_MAX).flat_map(|failed| failures::head(run, failed)));
    let exit = exit_of(run, task);
    let bad = if exit == Exit::Failed { ERROR } else { WARNING };
    let style = if exit == Exit::Done { OK } else { bad };
    let name = match run.standing_of(*ix) {
        Standing::Held => "paused",
        Standing::ForPeople => "waiting",
        Standing::Over if task.phase == Phase::Dead => "failed",
        Standing::Over | Standing::GoesOn => task.phase.name(),
    };
    lines.push(format!("{} {}", paint(BOLD, &format!("run {} {}", run.id, task.id)), paint(style, name)));
    let in_phase = |phase: Phase| below.iter().filter(|below| below.phase == phase).count();
    let counts = Phase::ALL.into_iter().map(|phase| (phase, in_phase(phase))).filter(|(_, count)| *count > 0);
    let counts: Vec<String> = counts.map(|(phase, count)| format!("{count} {}", phase.name())).collect();
    lines.push(format!("  tasks     {}: {}", below.len(), counts.join(", ")));
    lines.extend(results::of(run, task.children.iter().map(|child| run.task(*child))));
    let columns = screen::width_of_lists();
    let mut lines: Vec<String> = lines.iter().flat_map(|line| text::wrap_words(line, columns)).collect();
    let details = calling::command("show").with(run.id).with(&task.id);
    lines.push(paint(DIM, &format!("  details   {details}")));
    lines.extend(left(run, *ix));
    lines
}

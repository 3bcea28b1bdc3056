//! What failed in a run, for its summary: tasks that are dead, attempts that were tried again, each with the end of its
//! log. Never: more than a person reads.

use std::collections::BTreeSet;
use std::path::Path;

use windlass_core::event::SkipReason;
use windlass_core::failure::{ErrorKind, Failure};
use windlass_core::machine::task::Phase;
use windlass_core::plan::{WaitFor, Work};
use windlass_core::state::{Attempt, Run, Task, TaskIx};
use windlass_core::view;
use windlass_worker::log;

use crate::render::plural::count;
use crate::render::style::{BOLD, DIM, ERROR, HINT, WARNING, paint};
use crate::render::{self, hint, story, text};
use crate::{calling, screen};

/// How much of a failed attempt's log is shown.
const LOG_LINES_MAX: usize = 20;
/// Of how many attempts, over the whole run.
const ATTEMPTS_MAX: usize = 10;
/// How many dead tasks are named.
const TASKS_MAX: usize = 10;

/// The tasks that failed. What made the run fail comes before what it went on without, and what failed by itself before
/// the parents that failed because of it.
pub(crate) fn dead(run: &Run) -> Vec<&Task> {
    let dead = view::in_order(run).filter(|ix| run.task(*ix).phase == Phase::Dead);
    let mut dead: Vec<(bool, &Task)> = dead.map(|ix| (is_excused(run, ix), run.task(ix))).collect();
    dead.sort_by_key(|(is_excused, task)| (*is_excused, is_because_of_children(task)));
    dead.into_iter().map(|(_, task)| task).collect()
}

/// What is to be tried again where a run failed.
pub(crate) struct Again<'r> {
    /// Whether only another plan makes it of use: without one they would wait for each other again.
    pub(crate) revise: bool,
    /// The tasks, in the order in which they are to come back.
    pub(crate) tasks: Vec<&'r Task>,
}

/// What to try again where a run failed: one task, but where some have died since nothing could wake them. Those all have
/// to come back, who wait behind whom they wait for, and first what kept a message from being said.
pub(crate) fn again(run: &Run) -> Again<'_> {
    let is_knot = |task: &Task| task.error.as_ref().is_some_and(|error| error.kind == ErrorKind::Deadlock);
    let mut knots: Vec<&Task> = dead(run).into_iter().filter(|task| is_knot(task)).collect();
    knots.retain(|task| run.brought_around(run.names[&task.id]).is_none());
    if knots.is_empty() {
        return Again { revise: false, tasks: first(run).into_iter().collect() };
    }
    knots.sort_by_key(|task| awaited(run, task).is_some());
    let topics: BTreeSet<&str> = knots.iter().filter_map(|task| awaited(run, task)).collect();
    let emits = |task: &Task| run.spec(task).emits.iter().any(|topic| topics.contains(topic.as_str()));
    let silent = view::in_order(run).map(|ix| run.task(ix)).filter(|task| emits(task) && !is_knot(task));
    let in_vain = silent.filter(|task| task.phase.is_final() && task.phase != Phase::Succeeded);
    let causes = in_vain.map(|task| run.names[&task.root_cause()]);
    let causes: BTreeSet<TaskIx> =
        causes.filter(|ix| may_return(run.task(*ix)) && !is_knot(run.task(*ix))).collect();
    let before = causes.iter().map(|ix| run.task(*ix));
    Again { revise: causes.is_empty(), tasks: before.chain(knots).collect() }
}

/// Whether a retry can bring a task back by itself.
fn may_return(task: &Task) -> bool {
    matches!(task.phase, Phase::Dead | Phase::Cancelled)
}

/// The topic that a task waits for.
fn awaited<'r>(run: &'r Run, task: &Task) -> Option<&'r str> {
    if let Work::Wait(WaitFor::Topic { topic, .. }) = &run.spec(task).work { Some(topic) } else { None }
}

/// What to try again first: not what an attempt brought, which is not tried again by itself.
fn first(run: &Run) -> Option<&Task> {
    let is_fault = |ix: TaskIx| !is_excused(run, ix) && run.brought_around(ix).is_none();
    let is_fault = |task: &&Task| run.names.get(&task.id).is_some_and(|ix| is_fault(*ix));
    let cause = || left_out(run).map(|(_, cause)| cause).find(|cause| cause.phase != Phase::Skipped);
    let first = dead(run).into_iter().find(is_fault).or_else(cause)?;
    Some(with_its_like(run, first))
}

/// The outermost parent of a failed task of which more has failed, which comes back with all of that; else the task.
fn with_its_like<'r>(run: &'r Run, task: &'r Task) -> &'r Task {
    let failed = |parent: &Task| parent.children.iter().filter(|child| may_return(run.task(**child))).count();
    let around = run.around(run.names[&task.id]).map(|parent| run.task(parent));
    let dead = around.take_while(|parent| parent.phase == Phase::Dead);
    dead.filter(|parent| failed(parent) > 1).last().unwrap_or(task)
}

/// The tasks that the run failed of since they were skipped, each with its cause, where that alone is no fault.
fn left_out(run: &Run) -> impl Iterator<Item = (&Task, &Task)> {
    let because = |ix: TaskIx| match &run.task(ix).skipped {
        Some((SkipReason::Upstream, Some(cause))) => run.names.get(cause).copied(),
        Some((SkipReason::Upstream | SkipReason::When, _)) | None => None,
    };
    let skipped = view::in_order(run).filter(|ix| !is_excused(run, *ix));
    let skipped = skipped.filter_map(move |ix| Some((ix, because(ix)?)));
    skipped
        .filter(|(_, cause)| run.task(*cause).phase != Phase::Dead || is_excused(run, *cause))
        .map(|(ix, cause)| (run.task(ix), run.task(cause)))
}

/// Whether a run goes on without a task, or a parent around it has succeeded all the same.
fn is_excused(run: &Run, ix: TaskIx) -> bool {
    let optional = |ix: TaskIx| run.spec(run.task(ix)).optional;
    let mut around = run.around(ix);
    optional(ix) || around.any(|parent| optional(parent) || run.task(parent).phase == Phase::Succeeded)
}

fn is_because_of_children(task: &Task) -> bool {
    task.error.as_ref().is_some_and(|error| error.kind == ErrorKind::Children)
}

/// What is said of all that failed.
pub(crate) fn lines(run: &Run, home: &Path) -> Vec<String> {
    let dead = dead(run);
    let failed: Vec<Failed<'_>> = dead.iter().flat_map(|task| Failed::of(task)).collect();
    let again: Vec<Failed<'_>> = view::in_order(run)
        .map(|ix| run.task(ix))
        .filter(|task| task.phase != Phase::Dead)
        .flat_map(Failed::of)
        .filter(|failed| !failed.is_nobodys_fault())
        .collect();
    let shown = Shown::of(&failed, &again);
    let columns = screen::columns();
    let (mut lines, mut kinds) = (Vec::new(), BTreeSet::new());
    for task in dead.iter().take(TASKS_MAX) {
        lines.extend(head(run, task));
        // The page of a kind is named once. That of children says what stands beside them.
        let error = task.error.as_ref().filter(|_| !is_because_of_children(task));
        lines.extend(error.filter(|error| kinds.insert(error.kind)).map(|error| hint::more(error.kind)));
        for failed in failed.iter().filter(|failed| failed.task.id == task.id && shown.has(failed)) {
            let log = failed.log(run, home, columns);
            if task.attempts.len() > 1 && !log.is_empty() {
                lines.push(paint(DIM, &format!("  attempt {}", failed.attempt.number)));
            }
            lines.extend(log);
        }
    }
    if dead.len() > TASKS_MAX {
        let more = count((dead.len() - TASKS_MAX) as u64, "more task");
        let all = calling::command("show").with(run.id);
        lines.push(format!("… and {more} failed: `{all}` names them"));
    }
    lines.extend(skipped(run));
    for failed in again.iter().filter(|failed| shown.has(failed)) {
        lines.push(failed.in_a_line(columns));
        lines.extend(failed.log(run, home, columns));
    }
    let mut hidden = failed.iter().chain(&again).filter(|failed| !shown.has(failed)).peekable();
    if let Some(task) = hidden.peek().map(|failed| failed.task.id.clone()) {
        let more = count(hidden.count() as u64, "more failed attempt");
        let logs = calling::command("logs").with(run.id).with(&task);
        lines.push(format!("… and {more}: `{logs}` prints what those of {task} said, and so for each task"));
    }
    lines
}

/// The tasks that were left out.
fn skipped(run: &Run) -> Vec<String> {
    let mut left_out = left_out(run);
    let mut lines: Vec<String> = left_out
        .by_ref()
        .take(TASKS_MAX)
        .map(|(task, cause)| {
            let why = story::skipped(Some(&cause.id), false);
            format!("{} {}, {why}", paint(ERROR, "skipped:"), paint(BOLD, task.id.as_str()))
        })
        .collect();
    let more = left_out.count();
    if more > 0 {
        let all = calling::command("show").with(run.id);
        lines.push(format!("… and {} skipped: `{all}` names them", count(more as u64, "more task")));
    }
    lines
}

/// A dead task, and what to do about it.
pub(crate) fn head(run: &Run, task: &Task) -> Vec<String> {
    let why = task.error.as_ref().map(story::failure).unwrap_or_default();
    let optional = if run.spec(task).optional { " (optional)" } else { "" };
    let mut lines =
        vec![format!("{} {}{optional}: {why}", paint(ERROR, "failed:"), paint(BOLD, task.id.as_str()))];
    // What to do about children stands beside them.
    let error = task.error.as_ref().filter(|_| !is_because_of_children(task));
    if let Some(hint) = error.and_then(|error| error.hint.as_deref()) {
        lines.push(format!(
            "  {} {}",
            paint(HINT, "hint:"),
            text::first_line(&hint::filled(hint, run.id, &task.id))
        ));
    }
    lines
}

/// An attempt that did not end well.
struct Failed<'r> {
    task: &'r Task,
    attempt: &'r Attempt,
    why: Failure,
}

impl<'r> Failed<'r> {
    fn of(task: &'r Task) -> impl Iterator<Item = Self> {
        task.attempts
            .iter()
            .filter_map(move |attempt| Some(Self { task, attempt, why: view::attempt_failure(attempt)? }))
    }

    /// Whether it was ended by who runs it, or together with its engine.
    fn is_nobodys_fault(&self) -> bool {
        matches!(self.why.kind, ErrorKind::Lost | ErrorKind::Interrupted | ErrorKind::Cancelled)
    }

    fn in_a_line(&self, columns: usize) -> String {
        let is_last = self.task.last_attempt().is_some_and(|last| last.number == self.attempt.number);
        let (word, after) = if !is_last {
            ("retried:", "")
        } else if self.task.phase == Phase::Cancelled {
            ("cancelled:", "after ")
        } else {
            ("failed:", "")
        };
        let task = format!("{}, {after}attempt {}", self.task.id, self.attempt.number);
        let before = word.len() + 1 + text::width(&task) + 2;
        let why = text::fit(&story::failure(&self.why), columns.saturating_sub(before));
        format!("{} {}: {why}", paint(WARNING, word), paint(BOLD, &task))
    }

    /// The end of its log. Where there is none there is nothing to show.
    fn log(&self, run: &Run, home: &Path, columns: usize) -> Vec<String> {
        let path = log::path(home, &self.task.key(run.id, self.attempt));
        let last = log::last_lines(&path, LOG_LINES_MAX).unwrap_or_default();
        last.iter().map(|line| format!("  {}", render::log::line_within(line, columns - 2))).collect()
    }
}

/// The attempts whose logs are shown, by their fences.
struct Shown(BTreeSet<u64>);

impl Shown {
    /// What dead tasks died of comes first.
    fn of(failed: &[Failed<'_>], again: &[Failed<'_>]) -> Self {
        let is_last = |failed: &&Failed<'_>| {
            failed.task.last_attempt().is_some_and(|last| last.number == failed.attempt.number)
        };
        let all = failed.iter().filter(is_last).chain(failed.iter().filter(|one| !is_last(one))).chain(again);
        Self(all.take(ATTEMPTS_MAX).map(|failed| failed.attempt.fence.0).collect())
    }

    fn has(&self, failed: &Failed<'_>) -> bool {
        self.0.contains(&failed.attempt.fence.0)
    }
}

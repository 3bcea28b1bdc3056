//! Read models: the state as people and programs see it, with the names that INTERFACES promises.
//! Never: deciding, or reading anything but the state (large outputs come through a function of the caller's).

pub mod bars;
pub mod critical;
pub mod slow;
pub mod wake;
pub mod wake_words;

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::event::{Exit, PauseReason, RunOutcome, SkipReason, Usage};
use crate::exact;
use crate::failure::{ErrorKind, Failure};
use crate::id::{AgentName, Digest, RunId, TaskId};
use crate::machine::{attempt, run};
use crate::output::Output;
use crate::state::{Attempt, Choice, Run, State, Task, TaskIx};
use crate::template::OutputSeen;
use crate::time::{Span, Time};

/// Where a run stands, as users see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// An engine works on it.
    Running,
    /// It would be running, but no engine works on it.
    Stopped,
    /// Nothing new starts.
    Paused,
    /// Only people, time, or what comes from outside can bring it forward.
    Waiting,
    /// Every required task succeeded.
    Succeeded,
    /// A required task failed.
    Failed,
    /// It was cancelled.
    Cancelled,
}

impl RunState {
    /// Its name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Paused => "paused",
            Self::Waiting => "waiting",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Where a run stands. `alive` is whether an engine has the home open.
pub fn run_state(state: &State, run: &Run, alive: bool) -> RunState {
    match (run.phase, run.outcome) {
        (run::Phase::Finished, Some(RunOutcome::Succeeded)) => RunState::Succeeded,
        (run::Phase::Finished, Some(RunOutcome::Cancelled)) => RunState::Cancelled,
        (run::Phase::Finished, Some(RunOutcome::Failed) | None) => RunState::Failed,
        (run::Phase::Paused, _) => RunState::Paused,
        (run::Phase::Running, _) if run.waits_for_people() => RunState::Waiting,
        (run::Phase::Running, _) if run.waits() && alive && state.is_active(run) => RunState::Waiting,
        (run::Phase::Running, _) if alive && state.is_active(run) => RunState::Running,
        (run::Phase::Running, _) => RunState::Stopped,
    }
}

/// A run in a line.
#[derive(Clone, Debug, Serialize)]
pub struct RunView {
    /// Its name.
    pub id: RunId,
    /// What it is for.
    pub goal: String,
    /// Where it stands.
    pub state: RunState,
    /// Why it is paused.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub paused: Vec<PauseReason>,
    /// How many of its tasks are in each state.
    pub tasks: BTreeMap<&'static str, u32>,
    /// What it has used of its budget.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<BudgetView>,
    /// When it was created.
    pub started_at: Time,
    /// When it finished.
    pub ended_at: Option<Time>,
    /// Where its tasks work.
    pub folder: String,
    /// Where its plan came from.
    pub plan: String,
    /// The branch that accepted work lands on, where tasks have worktrees.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

/// A run in a line.
pub fn run_view(state: &State, run: &Run, alive: bool) -> RunView {
    let counts = run.count.iter().filter(|(_, count)| **count > 0);
    RunView {
        id: run.id,
        goal: run.plan.goal.clone(),
        state: run_state(state, run, alive),
        paused: run.pauses.keys().copied().collect(),
        tasks: counts.map(|(phase, count)| (phase.name(), *count)).collect(),
        budget: budget_view(state, run),
        started_at: run.created.1,
        ended_at: run.ended,
        folder: run.folder.clone(),
        plan: run.source.clone(),
        target: run.ground.as_ref().map(|ground| ground.repository.target.clone()),
    }
}

/// What a run has used of its budget, in what it has one of.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct BudgetView {
    /// Of charged attempts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<AttemptsView>,
    /// Of time, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wall: Option<WallView>,
}

/// A budget of charged attempts.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct AttemptsView {
    /// Those that were charged.
    pub spent: u32,
    /// Those in flight.
    pub reserved: u32,
    /// How many there may be.
    pub limit: u32,
}

/// A budget of time in which a run is worked on.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct WallView {
    /// How long it was.
    pub spent_ms: u64,
    /// How long it may be.
    pub limit_ms: u64,
}

fn budget_view(state: &State, run: &Run) -> Option<BudgetView> {
    let (purse, budget) = (&run.purse, &run.plan.budget);
    let attempts = purse.attempts_max(budget).map(|limit| AttemptsView {
        spent: purse.spent,
        reserved: purse.open,
        limit,
    });
    let spent_ms = run.active.at(state.clock.alive).ms;
    let wall = purse.wall_max(budget).map(|limit| WallView { spent_ms, limit_ms: limit.ms });
    (!budget.is_unbounded()).then_some(BudgetView { attempts, wall })
}

/// The runs of a home, the newest first.
pub fn newest_first(state: &State) -> Vec<&Run> {
    let mut runs: Vec<&Run> = state.runs.values().collect();
    runs.sort_by_key(|run| std::cmp::Reverse(run.created.0));
    runs
}

/// A task with its attempts.
#[derive(Clone, Debug, Serialize)]
pub struct TaskView {
    /// Its name.
    pub id: TaskId,
    /// Where it stands.
    pub state: &'static str,
    /// Since when.
    pub since: Time,
    /// What it is about, for a child.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub item: Value,
    /// How it stands to other ready tasks: higher goes first.
    #[serde(skip_serializing_if = "is_level")]
    pub priority: i8,
    /// Its attempts, the first one first.
    pub attempts: Vec<AttemptView>,
    /// What it gave; null while it has not succeeded.
    pub output: Value,
    /// How what it gave was written, where it is a number that JSON writes otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub written: Option<String>,
    /// Whether more was printed than is kept as output.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
    /// Why it is dead, blocked, or between two attempts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<FailureView>,
    /// Why it was skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<SkippedView>,
    /// The task whose join was met without it, where it is cancelled for that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spared_by: Option<TaskId>,
    /// The replica that was chosen instead of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outdone_by: Option<TaskId>,
    /// What its next attempt does otherwise than the plan says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<NextView>,
    /// What a person is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalView>,
}

/// What the next attempt of a task does otherwise than the plan says, since somebody wants it so.
#[derive(Clone, Debug, Serialize)]
pub struct NextView {
    /// Who works on it.
    pub agent: Option<AgentName>,
    /// What is asked.
    pub prompt: Option<String>,
}

/// What went wrong, with every field there.
#[derive(Clone, Debug, Serialize)]
pub struct FailureView {
    /// Its kind.
    pub kind: ErrorKind,
    /// What happened.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The task or the program behind it.
    pub cause: Option<String>,
}

impl From<&Failure> for FailureView {
    fn from(failure: &Failure) -> Self {
        let Failure { kind, message, hint, cause, .. } = failure.clone();
        Self { kind, message, hint, cause }
    }
}

/// Why a task was skipped.
#[derive(Clone, Debug, Serialize)]
pub struct SkippedView {
    /// A `when`, or another task.
    pub reason: SkipReason,
    /// The task at the start of the chain.
    pub cause: Option<TaskId>,
    /// Whether it was not its own `when`, but that of all that it needs.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub with_its_needs: bool,
}

/// An open question.
#[derive(Clone, Debug, Serialize)]
pub struct ApprovalView {
    /// The id to answer with.
    pub id: String,
    /// The question.
    pub text: String,
    /// When it was asked.
    pub asked_at: Time,
    /// The tasks whose outputs belong to the question.
    pub show: Vec<TaskId>,
}

/// One try at a task.
#[derive(Clone, Debug, Serialize)]
pub struct AttemptView {
    /// Its number, from 1.
    pub number: u32,
    /// Who worked on it.
    pub agent: Option<AgentName>,
    /// Where it stands.
    pub state: &'static str,
    /// What went wrong.
    pub error: Option<FailureView>,
    /// When it started.
    pub started_at: Time,
    /// When nothing of it was left.
    pub ended_at: Option<Time>,
    /// Until when it was in flight at least, where it was lost with its engine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lived_until: Option<Time>,
    /// How long it took, where it is over and that is known; of one that was lost with its engine, how long at least.
    #[serde(skip)]
    pub took: Option<Span>,
    /// The code that its main process ended with; null where it was ended by a signal.
    pub exit_code: Option<i32>,
    /// The signal that ended its main process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// What it used.
    pub usage: Usage,
    /// How many processes outlived its main process and were ended.
    #[serde(skip_serializing_if = "is_zero")]
    pub leftovers: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn is_level(priority: &i8) -> bool {
    *priority == 0
}

/// The places of a run's tasks as they are shown: in the order of the plan that it goes by, each parent followed by its
/// children.
pub fn in_order(run: &Run) -> impl Iterator<Item = TaskIx> {
    run.order().into_iter().flat_map(|place| run.family(run.node(place)))
}

/// A task with its attempts. `read` gives the content of a blob, for outputs that are large.
pub fn task_view(run: &Run, ix: TaskIx, read: &mut dyn FnMut(Digest) -> Value) -> TaskView {
    let task = run.task(ix);
    let question = task.approval_open().map(|asked| ApprovalView {
        id: asked.id.clone(),
        text: asked.text.clone(),
        asked_at: asked.asked,
        show: asked.digests.keys().cloned().collect(),
    });
    TaskView {
        id: task.id.clone(),
        state: task.phase.name(),
        since: task.since,
        item: task.item.clone(),
        priority: run.spec(task).priority,
        attempts: task.attempts.iter().map(attempt_view).collect(),
        output: output(run, task, read),
        written: match run.given(task) {
            OutputSeen::One(output) => output.written.clone(),
            OutputSeen::Null | OutputSeen::List(_) | OutputSeen::Map(_) => None,
        },
        truncated: task.output.truncated,
        error: task.error.as_ref().map(FailureView::from),
        skipped: skipped(run, task),
        spared_by: task.spared_by.clone(),
        outdone_by: outdone_by(run, ix),
        next: next(task),
        approval: question,
    }
}

/// The replica that was chosen instead of a task, or of one around it.
fn outdone_by(run: &Run, ix: TaskIx) -> Option<TaskId> {
    let instead = |ix: TaskIx| match run.candidates(run.task(ix))?.choice? {
        Choice::Taken(taken) if taken != ix => Some(run.task(taken).id.clone()),
        Choice::Taken(_) | Choice::None => None,
    };
    let is_cancelled = run.task(ix).phase == crate::machine::task::Phase::Cancelled;
    std::iter::once(ix).chain(run.around(ix)).filter(|_| is_cancelled).find_map(instead)
}

/// What was asked for with a retry, until an attempt of it has started.
fn next(task: &Task) -> Option<NextView> {
    let waits = task.returns > 0 && !task.has_begun() && !task.phase.is_final();
    let next = NextView { agent: task.handed.to.clone(), prompt: task.asked.clone() };
    (waits && (next.agent.is_some() || next.prompt.is_some())).then_some(next)
}

fn skipped(run: &Run, task: &Task) -> Option<SkippedView> {
    let (reason, cause) = task.skipped.clone()?;
    let by_when = |task: &Task| matches!(task.skipped, Some((SkipReason::When, _)));
    let mut needs = run.needs(task).map(|need| run.task(need)).peekable();
    let with_its_needs = by_when(task) && needs.peek().is_some() && needs.all(by_when);
    Some(SkippedView { reason, cause, with_its_needs })
}

/// What a task gave, as [`Run::given`] says it; null where it has not succeeded. A number that its value is not exactly is
/// the text that was printed.
pub fn output(run: &Run, task: &Task, read: &mut dyn FnMut(Digest) -> Value) -> Value {
    whole(&run.given(task), read)
}

fn whole(given: &OutputSeen<'_>, read: &mut dyn FnMut(Digest) -> Value) -> Value {
    match given {
        OutputSeen::Null => Value::Null,
        OutputSeen::One(Output { written: Some(written), .. }) if !exact::is_kept(written) => {
            Value::from(written.as_str())
        }
        OutputSeen::One(Output { value, blob, .. }) => blob.map_or_else(|| value.clone(), read),
        OutputSeen::List(items) => items.iter().map(|item| whole(item, read)).collect(),
        OutputSeen::Map(fields) => {
            fields.iter().map(|(name, seen)| ((*name).to_owned(), whole(seen, read))).collect()
        }
    }
}

/// What went wrong with an attempt that is over.
pub fn attempt_failure(attempt: &Attempt) -> Option<Failure> {
    let over = matches!(attempt.phase, attempt::Phase::Finished | attempt::Phase::Lost);
    attempt.failure().filter(|_| over).map(|(failure, _)| failure.recorded())
}

fn attempt_view(attempt: &Attempt) -> AttemptView {
    let (exit_code, signal) = match attempt.exit {
        Some(Exit::Code(code)) => (Some(code), None),
        Some(Exit::Signal(signal)) => (None, Some(signal)),
        Some(Exit::NotStarted) | None => (None, None),
    };
    let lived_until = attempt.lived_until.filter(|_| attempt.phase == attempt::Phase::Lost);
    let is_known = lived_until.is_some() || attempt.phase == attempt::Phase::Finished;
    let took = attempt.alive_until.filter(|_| is_known && attempt.ended.is_some());
    AttemptView {
        number: attempt.number,
        agent: attempt.agent.clone(),
        state: attempt.phase.name(),
        error: attempt_failure(attempt).as_ref().map(FailureView::from),
        started_at: attempt.started,
        ended_at: attempt.ended,
        lived_until,
        took: took.map(|until| critical::length(attempt, until)),
        exit_code,
        signal,
        usage: attempt.usage,
        leftovers: attempt.leftovers,
    }
}

/// A task that used up its attempts, kept until someone requeues or drops it.
#[derive(Clone, Debug, Serialize)]
pub struct DeadLetter {
    /// Its run.
    pub run: RunId,
    /// The task.
    pub task: TaskId,
    /// Since when it is dead.
    pub since: Time,
    /// How many attempts there were.
    pub attempts: usize,
    /// Why it is dead.
    pub error: Option<FailureView>,
}

/// The dead letters of a run, in the order of its tasks.
pub fn dead_letters(run: &Run) -> impl Iterator<Item = DeadLetter> {
    let dead = in_order(run).map(|ix| run.task(ix)).filter(|task| task.dead_letter);
    dead.map(|task| DeadLetter {
        run: run.id,
        task: task.id.clone(),
        since: task.since,
        attempts: task.attempts.len(),
        error: task.error.as_ref().map(FailureView::from),
    })
}

/// What a run came to, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// All tasks, children included.
    pub tasks: u32,
    /// How many are final.
    pub done: u32,
    /// All attempts.
    pub attempts: u32,
    /// Those that were not the first of their task.
    pub retries: u32,
    /// Those whose end was never reported.
    pub lost: u32,
    /// How long an engine worked on the run.
    pub took_ms: u64,
    /// The lengths of all attempts, one after the other, without the time in which they waited for runs that they started.
    pub worked_ms: u64,
}

/// What a run came to, in numbers.
pub fn summary(state: &State, run: &Run) -> Summary {
    let mut sum = Summary {
        tasks: u32::try_from(run.tasks.len()).unwrap_or(u32::MAX),
        took_ms: run.attended.at(state.clock.alive).ms,
        ..Summary::default()
    };
    sum.done = sum.tasks - run.open();
    let mut work = Vec::new();
    for (at, task) in run.tasks.iter().enumerate() {
        for attempt in &task.attempts {
            sum.attempts += 1;
            sum.retries += u32::from(attempt.number > 1);
            sum.lost += u32::from(attempt.phase == attempt::Phase::Lost);
            let counts = attempt.phase == attempt::Phase::Finished && attempt.stop.is_none();
            if let Some(ended) = attempt.alive_until.filter(|_| counts) {
                // While it waited for what it brought it did not work itself.
                let mut from = attempt.alive_from;
                for (lent, until) in run.loans(TaskIx::from_len(at), attempt.number) {
                    work.push((from, lent));
                    from = until.unwrap_or(ended);
                }
                work.push((from, ended));
            }
        }
    }
    sum.worked_ms = sum.took_ms.saturating_add(overlap(work).ms);
    sum
}

/// How much shorter these stretches of work were side by side than they would have been one after another. What was
/// lost or stopped is no work, and neither is the time in which nobody worked.
fn overlap(mut work: Vec<(Span, Span)>) -> Span {
    work.sort_unstable();
    let mut covered = Span::default();
    let mut saved = Span::default();
    for (began, ended) in work {
        saved = saved.plus(covered.min(ended).minus(began));
        covered = covered.max(ended);
    }
    saved
}

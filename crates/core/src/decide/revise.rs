//! Whether a run can go on by another plan: what of it can be taken over, and what is in the way of that. Never: what
//! changes then (`fold/revision.rs`).

use std::sync::Arc;

use crate::decide::requeue;
use crate::event::{Event, RunOutcome};
use crate::id::TaskId;
use crate::input::{Command, Rejection, Revision};
use crate::machine::task::Phase;
use crate::plan::{self, Plan, WaitFor, Work, revision};
use crate::state::tree::Form;
use crate::state::{Run, Task, TaskIx};
use crate::template::Items;

/// The events of `revise RUN PLAN`.
pub(crate) fn events(run: &Run, command: &Command, revision: &Revision) -> Result<Vec<Event>, Rejection> {
    if revision.plan.has_worktrees() && run.ground.is_none() {
        return Err(Rejection::NoRepository(run.id));
    }
    let revised = revision::over(&run.plan, &revision.plan);
    let reasons = obstacles(run, &revised);
    if !reasons.is_empty() {
        return Err(Rejection::CantRevise { run: run.id, reasons: brief(reasons) });
    }
    let revised = Event::PlanRevised {
        run: run.id,
        command: command.id.clone(),
        by: command.by.clone(),
        version: run.version + 1,
        plan: revision.plan_digest,
        source: revision.source.clone(),
        hydrated: crate::event::Hydrated(Some(Arc::clone(&revision.plan))),
    };
    Ok(requeue::reopened(run).into_iter().chain([revised]).collect())
}

/// How many reasons are told.
const REASONS_MAX: usize = 20;

/// So many reasons, and how many more there are.
fn brief(mut reasons: Vec<String>) -> Vec<String> {
    let more = reasons.len().saturating_sub(REASONS_MAX);
    if more > 0 {
        reasons.truncate(REASONS_MAX);
        reasons.push(format!("and {more} more"));
    }
    reasons
}

/// All that is in the way of going on by a plan.
fn obstacles(run: &Run, revised: &Plan) -> Vec<String> {
    let mut reasons = Vec::new();
    if run.cancelled || run.outcome == Some(RunOutcome::Cancelled) {
        reasons.push("it was cancelled".to_owned());
    }
    let added = revised.tasks.len() - run.plan.tasks.len();
    let (all, most) = (run.counted() + added, revised.limits.tasks);
    if u32::try_from(all).is_ok_and(|all| all > most) {
        reasons.push(format!("it would have {all} tasks, more than its limits.tasks of {most}"));
    }
    for glob in revised.passed().difference(&run.plan.passed()) {
        reasons.push(format!("`pass: {glob}` is new, and the run keeps the variables that it began with"));
    }
    for (place, (old, new)) in run.plan.tasks.iter().zip(&revised.tasks).enumerate() {
        let task = run.task(run.node(place));
        if old.removed && !new.removed && !task.phase.is_final() {
            reasons.push(format!("{} is being stopped: wait until that is over", task.id));
        } else if !new.removed {
            reasons.extend(Change { run, task, old, new }.obstacles());
        }
    }
    for new in &revised.tasks[run.plan.tasks.len()..] {
        reasons.extend(heard_too_late(run, new, |place| {
            (place < run.plan.tasks.len()).then(|| run.node(place))
        }));
    }
    reasons
}

/// A task that listens from the end of another on, where nobody has noted when that was.
fn heard_too_late(run: &Run, task: &plan::Task, node: impl Fn(usize) -> Option<TaskIx>) -> Option<String> {
    let Work::Wait(WaitFor::Topic { since: Some(place), .. }) = task.work else { return None };
    let other = node(place)?;
    let is_over = run.task(other).phase.is_final() && !run.topics.knows_end_of(other);
    is_over.then(|| format!("{} can't listen since {}, which had ended before", task.id, run.task(other).id))
}

/// A task of a run, as its plan has it and as another would.
struct Change<'a> {
    run: &'a Run,
    task: &'a Task,
    old: &'a plan::Task,
    new: &'a plan::Task,
}

impl Change<'_> {
    fn obstacles(&self) -> Vec<String> {
        let is_there = |place: &usize| self.task.scope > 0 || *place < self.run.plan.tasks.len();
        let node = |place| Some(place).filter(is_there).map(|place| self.run.beside(self.task, place));
        let mut reasons: Vec<String> = if self.is_untouched() {
            heard_too_late(self.run, self.new, node).into_iter().collect()
        } else {
            self.what_stays().into_iter().collect()
        };
        if reasons.is_empty() {
            reasons.extend(self.what_is_not_kept());
            reasons.extend(self.below().iter().flat_map(Change::obstacles));
        }
        reasons
    }

    /// Whether nothing of it has happened: then everything may change.
    fn is_untouched(&self) -> bool {
        let task = self.task;
        let is_open = matches!(
            task.phase,
            Phase::Waiting | Phase::Ready | Phase::Skipped | Phase::Dead | Phase::Cancelled
        );
        is_open && task.attempts.is_empty() && task.children.is_empty()
    }

    /// What can't change of a task that has begun.
    fn what_stays(&self) -> Option<String> {
        let (old, new) = (self.old, self.new);
        let goes_on = !self.task.phase.is_final();
        let is_node = self.task.is_node();
        let needs = |task: &plan::Task| (task.needs.clone(), task.join, task.cancel_rest);
        let stays = [
            ("`for_each`", items(old) != items(new)),
            ("`repeat`", old.repeat.is_some() != new.repeat.is_some()),
            ("`replicas`", old.replicas != new.replicas),
            ("tasks", names(&old.work) != names(&new.work)),
            ("kind of work", kind(&old.work) != kind(&new.work)),
            ("`needs`", goes_on && is_node && needs(old) != needs(new)),
            ("topics", goes_on && old.emits != new.emits),
            ("question", goes_on && kind(&old.work) == Kind::Approval && old.work != new.work),
            ("wait", goes_on && kind(&old.work) == Kind::Wait && old.work != new.work),
        ];
        let (what, _) = stays.into_iter().find(|(_, differs)| *differs)?;
        let (id, phase) = (&self.task.id, self.task.phase);
        let verb = if phase == Phase::Succeeded { "has" } else { "is" };
        Some(format!("{id} {verb} {}, and its {what} can't change any more", phase.name()))
    }

    /// Parts of an output that the new plan names, and that are not kept of it.
    fn what_is_not_kept(&self) -> Option<String> {
        let output = &self.task.output;
        let settles = self.task.phase == Phase::Gating
            && self.task.last_attempt().is_some_and(|attempt| {
                attempt.awaits_settling() && attempt.raw.as_ref().is_some_and(|raw| raw.blob.is_some())
            });
        let is_kept = |pointer: &&String| {
            let known = output.extracts.keys().chain(self.old.extracts.iter().filter(|_| settles));
            known.map(String::as_str).any(|kept| {
                pointer.strip_prefix(kept).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            })
        };
        if output.blob.is_none() && !output.truncated && !settles {
            return None;
        }
        let missing = self.new.extracts.iter().find(|pointer| !is_kept(pointer))?;
        let part = if missing.is_empty() { "the whole" } else { missing };
        let id = &self.task.id;
        Some(format!("of the output of {id} only what the plan named then is kept as a value, not {part}"))
    }

    /// The same for its children.
    fn below(&self) -> Vec<Change<'_>> {
        let children = self.task.children.iter().map(|child| self.run.task(*child));
        match (self.run.form(self.task), &self.old.work, &self.new.work) {
            (Form::Plan, Work::Plan(old), Work::Plan(new)) => children
                .map(|task| {
                    let place = task.place_in_plan();
                    Change { run: self.run, task, old: &old.plan.tasks[place], new: &new.plan.tasks[place] }
                })
                .collect(),
            _ => children.map(|task| Change { run: self.run, task, old: self.old, new: self.new }).collect(),
        }
    }
}

/// What a task does, as far as that can't change once it has begun.
#[derive(PartialEq, Eq)]
enum Kind {
    Attempts,
    Approval,
    Emit,
    Wait,
    Plan,
}

/// What a list goes through. How many of its children are in flight at once is a limit.
fn items(task: &plan::Task) -> Option<&Items> {
    Some(&task.for_each.as_ref()?.items)
}

/// The names of the tasks of a plan, where work is one.
fn names(work: &Work) -> Option<Vec<&TaskId>> {
    Some(work.sub_plan()?.tasks.iter().map(|task| &task.id).collect())
}

fn kind(work: &Work) -> Kind {
    match work {
        Work::Prompt { .. } | Work::Argv(_) | Work::Shell(_) => Kind::Attempts,
        Work::Approval { .. } => Kind::Approval,
        Work::Emit { .. } => Kind::Emit,
        Work::Wait(_) => Kind::Wait,
        Work::Plan(_) => Kind::Plan,
    }
}

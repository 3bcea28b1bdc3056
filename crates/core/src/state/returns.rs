//! What comes back with a task of which a new incarnation begins, and what a revision brings back. Never: tasks whose
//! failure had another cause.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::event::SkipReason;
use crate::id::TaskId;
use crate::input::Rejection;
use crate::machine::task::Phase;
use crate::policy::join::{Standing, Tally};
use crate::state::tree::Form;
use crate::state::{Blocked, Choice, Run, Task, TaskIx};

/// Everything that comes back with a task, each with what it comes back for, in order.
pub(crate) fn of(run: &Run, ix: TaskIx) -> Result<VecDeque<(TaskIx, TaskId)>, Rejection> {
    left_out(run, ix)?;
    was_brought(run, ix)?;
    lost_the_race(run, ix)?;
    went_on(run, ix)?;
    is_ending(run, ix)?;
    is_exhausted(run, ix)?;
    let task = run.task(ix);
    let mut again = Requeue::of(run);
    match task.phase {
        Phase::Dead | Phase::Cancelled if !task.children.is_empty() => again.failed_children(ix)?,
        Phase::Dead | Phase::Cancelled => again.with_parent(ix)?,
        Phase::Blocked if task.blocked == Some(Blocked::Outcome) => again.task(ix, &task.id),
        Phase::Succeeded => again.succeeded(ix)?,
        Phase::Skipped => {
            let cause = task.root_cause();
            let why = match task.skipped {
                Some((SkipReason::When, _)) => {
                    "its `when`, or that of all it needs, was false: retry what that rests on".into()
                }
                _ => format!("it was skipped because of {cause}: retry that"),
            };
            return Err(task.wrong_state(&why));
        }
        Phase::Merging => return Err(task.wrong_state("its work lands: wait for that, or cancel it first")),
        Phase::Running | Phase::Stopping | Phase::Gating => {
            return Err(task.wrong_state("an attempt is live: cancel it first, or wait for its end"));
        }
        Phase::Waiting
        | Phase::Ready
        | Phase::BackingOff
        | Phase::Parked
        | Phase::Expanded
        | Phase::Blocked => {
            return Err(task.wrong_state("it is not over yet"));
        }
    }
    Ok(again.order)
}

/// Everything that comes back now that the plan is another: what an earlier one had left out, what was skipped for its own
/// `when` and may be asked anew, and what may run after all. What is below a parent that has ended stays as it is.
pub(crate) fn after_revision(
    run: &Run,
    back_in: &[TaskIx],
    asked_anew: &[TaskIx],
) -> VecDeque<(TaskIx, TaskId)> {
    let mut again = Requeue::of(run);
    for ix in back_in {
        again.task(*ix, &run.task(*ix).id);
    }
    let is_over = |ix: TaskIx| run.around(ix).any(|parent| run.task(parent).phase.is_final());
    for ix in asked_anew.iter().copied().filter(|ix| !is_over(*ix)) {
        // What has gone on without it has seen its null.
        if again.beyond(ix).is_ok() {
            again.unskip_one(ix, &run.task(ix).id);
        }
    }
    for ix in (0..run.tasks.len()).map(TaskIx::from_len) {
        if run.task(ix).is_node() && !is_over(ix) && again.may_be_met(ix) {
            again.unskip_one(ix, &run.task(ix).root_cause());
        }
    }
    again.unskip_behind(None);
    again.order
}

/// What a revision left out is not tried again.
fn left_out(run: &Run, ix: TaskIx) -> Result<(), Rejection> {
    let why = || run.task(ix).wrong_state("the plan goes on without it");
    if run.is_planned(ix) { Ok(()) } else { Err(why()) }
}

/// What an attempt brought ends with it, and is brought anew by the next. While it goes on people may be asked.
fn was_brought(run: &Run, ix: TaskIx) -> Result<(), Rejection> {
    if run.task(ix).blocked == Some(Blocked::Outcome) {
        return Ok(());
    }
    let by = run.brought_around(ix).and_then(|plan| run.task(plan).parent).map(|(task, _)| run.task(task));
    by.map_or(Ok(()), |by| {
        let why =
            format!("an attempt of {} started it: retry that, and its next attempt starts it anew", by.id);
        Err(run.task(ix).wrong_state(&why))
    })
}

/// What was not chosen is not tried again while the choice stands, and nothing while it is carried out; nor is what is
/// below any of that.
fn lost_the_race(run: &Run, ix: TaskIx) -> Result<(), Rejection> {
    let mut around = std::iter::once(ix).chain(run.around(ix));
    around.find_map(|at| race_is_over(run, at)).map_or(Ok(()), |why| Err(run.task(ix).wrong_state(&why)))
}

/// Why a replica is not tried again, where the choice among its like says so.
fn race_is_over(run: &Run, ix: TaskIx) -> Option<String> {
    let parent = run.candidates(run.task(ix))?;
    match parent.choice {
        Some(_) if !parent.phase.is_final() => {
            Some(format!("{} has made its choice: wait until the others have ended", parent.id))
        }
        Some(Choice::Taken(taken)) if taken != ix => {
            Some(format!("{} was chosen instead of it: retry that", run.task(taken).id))
        }
        None if run.task(ix).blocked == Some(Blocked::Select) => {
            Some(format!("{} has passed: wait until one of the replicas is chosen", run.task(ix).id))
        }
        Some(Choice::Taken(_) | Choice::None) | None => None,
    }
}

/// What later rounds have seen is not done again.
fn went_on(run: &Run, ix: TaskIx) -> Result<(), Rejection> {
    let later = std::iter::once(ix).chain(run.around(ix)).find_map(|ix| {
        let (parent, _) = run.task(ix).parent?;
        let last = run.task(parent).children.last().copied().filter(|last| *last != ix);
        last.filter(|_| run.form(run.task(parent)) == Form::Rounds)
    });
    later.map_or(Ok(()), |later| {
        let why = format!("the rounds went on to {} after it", run.task(later).id);
        Err(run.task(ix).wrong_state(&why))
    })
}

/// What is below a task that is being cancelled is not tried again before that is over.
fn is_ending(run: &Run, ix: TaskIx) -> Result<(), Rejection> {
    let mut around = run.around(ix).map(|parent| run.task(parent));
    let ending = around.find(|parent| parent.cancel_wished && !parent.phase.is_final());
    ending.map_or(Ok(()), |parent| {
        let why = format!("{} is being cancelled: wait until that is over", parent.id);
        Err(run.task(ix).wrong_state(&why))
    })
}

/// What is below a task whose budget is used up comes back with that task, once it is over.
fn is_exhausted(run: &Run, ix: TaskIx) -> Result<(), Rejection> {
    let parent = run.used_up_around(ix).map(|(payer, _)| run.task(payer));
    parent.filter(|parent| !parent.phase.is_final()).map_or(Ok(()), |parent| {
        let why = format!("the budget of {} is used up: wait until that is over, and retry it", parent.id);
        Err(run.task(ix).wrong_state(&why))
    })
}

struct Requeue<'a> {
    run: &'a Run,
    /// What comes back, in order, each with what it comes back for.
    order: VecDeque<(TaskIx, TaskId)>,
    /// The same, to look it up.
    back: BTreeSet<TaskIx>,
    /// How what tasks need has ended, without what comes back.
    left: BTreeMap<TaskIx, Tally>,
}

impl<'a> Requeue<'a> {
    fn of(run: &'a Run) -> Self {
        Self { run, order: VecDeque::new(), back: BTreeSet::new(), left: BTreeMap::new() }
    }
}

impl Requeue<'_> {
    /// A task comes back, unless a revision has left it out.
    fn task(&mut self, ix: TaskIx, cause: &TaskId) {
        if self.run.is_planned(ix) && self.back.insert(ix) {
            self.order.push_back((ix, cause.clone()));
        }
    }

    /// A failed task, the parents around it that have ended, and what was skipped because of any of them.
    fn with_parent(&mut self, ix: TaskIx) -> Result<(), Rejection> {
        let task = self.run.task(ix);
        let mut causes = BTreeSet::from([task.root_cause()]);
        let around: Vec<TaskIx> = self.run.around(ix).collect();
        let beyond = self.beyond_parents(ix)?;
        self.task(ix, &task.id);
        let mut child = task;
        for parent in around {
            // Where one is chosen, all are candidates again.
            if self.run.task(parent).phase.is_final() && self.run.candidates(child).is_some() {
                self.failed_below(parent, &mut causes);
            }
            self.parent(parent, &task.id, &mut causes);
            child = self.run.task(parent);
        }
        self.bring_back(&beyond, &task.id);
        self.unskip(&causes, &task.id);
        Ok(())
    }

    /// What depends on the parents around a failed task: one succeeds over optional children that failed, and what depends
    /// on it has seen its output.
    fn beyond_parents(&self, ix: TaskIx) -> Result<Vec<TaskIx>, Rejection> {
        let accepted = |parent: &Task| parent.is_node() && parent.phase == Phase::Succeeded;
        let mut beyond = Vec::new();
        for parent in self.run.around(ix).filter(|parent| accepted(self.run.task(*parent))) {
            beyond.extend(self.beyond(parent)?);
        }
        Ok(beyond)
    }

    /// A failed parent, the parents around it, and what failed below it.
    fn failed_children(&mut self, parent: TaskIx) -> Result<(), Rejection> {
        let beyond = self.beyond_parents(parent)?;
        let mut causes = BTreeSet::new();
        let id = self.run.task(parent).id.clone();
        for parent in std::iter::once(parent).chain(self.run.around(parent)) {
            self.parent(parent, &id, &mut causes);
        }
        self.failed_below(parent, &mut causes);
        self.bring_back(&beyond, &id);
        self.unskip(&causes, &id);
        Ok(())
    }

    fn failed_below(&mut self, parent: TaskIx, causes: &mut BTreeSet<TaskId>) {
        let children = self.run.task(parent).children.iter().copied();
        let failed = |ix: &TaskIx| matches!(self.run.task(*ix).phase, Phase::Dead | Phase::Cancelled);
        let failed: Vec<TaskIx> = children.filter(failed).collect();
        for child in failed {
            let id = self.run.task(child).id.clone();
            self.task(child, &id);
            causes.insert(id);
            self.failed_below(child, causes);
        }
    }

    fn parent(&mut self, parent: TaskIx, cause: &TaskId, causes: &mut BTreeSet<TaskId>) {
        let task = self.run.task(parent);
        if task.phase.is_final() {
            causes.insert(task.root_cause());
            causes.insert(task.id.clone());
            self.task(parent, cause);
        }
    }

    /// Un-skips what was skipped because of one of the causes, and what may run after all now that others come back.
    fn unskip(&mut self, causes: &BTreeSet<TaskId>, requeued: &TaskId) {
        for (place, task) in self.run.tasks.iter().enumerate() {
            let cause = task.skipped.as_ref().and_then(|(_, cause)| cause.as_ref());
            if let Some(cause) = cause.filter(|cause| causes.contains(cause)) {
                self.unskip_one(TaskIx::from_len(place), cause);
            }
        }
        self.unskip_behind(Some(requeued));
    }

    /// Un-skips what may run after all now that others come back: for the sake of this task, or of what it was skipped for.
    fn unskip_behind(&mut self, requeued: Option<&TaskId>) {
        let mut next: Vec<TaskIx> = self.back.iter().copied().collect();
        while let Some(ix) = next.pop() {
            let Some(ending) = self.run.ending(ix) else { continue };
            for dependant in &self.run.task(ix).dependants {
                let tally = self.left.entry(*dependant).or_insert(self.run.task(*dependant).tally);
                tally.uncount(ending);
                let has_changed = || self.was_skipped_with(*dependant) || self.is_told_otherwise(*dependant);
                let may_come = self.may_be_met(*dependant) || (requeued.is_none() && has_changed());
                if !self.back.contains(dependant) && may_come {
                    let cause = requeued.cloned().unwrap_or_else(|| self.run.task(*dependant).root_cause());
                    self.unskip_one(*dependant, &cause);
                    next.push(*dependant);
                }
            }
        }
    }

    fn unskip_one(&mut self, ix: TaskIx, cause: &TaskId) {
        if self.run.task(ix).phase == Phase::Skipped {
            self.task(ix, cause);
        }
    }

    /// Whether the join of a task that was skipped for its sake can be met, now that others come back.
    fn may_be_met(&self, ix: TaskIx) -> bool {
        let task = self.run.task(ix);
        let was_impossible = matches!(task.skipped, Some((SkipReason::Upstream, _)));
        let spec = self.run.spec(task);
        let needs = u32::try_from(spec.needs.len()).expect("no more needs than tasks");
        let tally = self.left.get(&ix).unwrap_or(&task.tally);
        let standing = tally.standing(spec.join, needs);
        task.phase == Phase::Skipped
            && was_impossible
            && !matches!(standing, Standing::Impossible | Standing::AllSkipped)
    }

    /// Whether a task was skipped since all that it needs was, of which some may run now.
    fn was_skipped_with(&self, ix: TaskIx) -> bool {
        let task = self.run.task(ix);
        let by_when = matches!(task.skipped, Some((SkipReason::When, _)));
        let left = self.left.get(&ix).unwrap_or(&task.tally);
        task.phase == Phase::Skipped
            && by_when
            && self.run.standing(ix) == Standing::AllSkipped
            && left.when_skipped < task.tally.when_skipped
    }

    /// Whether a task was skipped because of one that comes back. Where it is not needed for that either, it is skipped again
    /// for what holds it now: what comes behind it is told that.
    fn is_told_otherwise(&self, ix: TaskIx) -> bool {
        let task = self.run.task(ix);
        let because = match &task.skipped {
            Some((SkipReason::Upstream, Some(cause))) => self.run.names.get(cause),
            Some((SkipReason::Upstream | SkipReason::When, _)) | None => None,
        };
        task.phase == Phase::Skipped && because.is_some_and(|cause| self.back.contains(cause))
    }

    /// A task that succeeded, while nothing that depends on it has started, or all of that is dead or skipped.
    fn succeeded(&mut self, ix: TaskIx) -> Result<(), Rejection> {
        let task = self.run.task(ix);
        if !task.children.is_empty() {
            return Err(task.wrong_state("its children did the work: retry one of them"));
        }
        if task.parent.is_some_and(|(parent, _)| self.run.task(parent).phase == Phase::Succeeded) {
            return self.with_parent(ix);
        }
        let beyond = self.beyond(ix)?;
        if task.parent.is_some() {
            self.with_parent(ix)?;
        } else {
            self.task(ix, &task.id);
        }
        self.bring_back(&beyond, &task.id);
        Ok(())
    }

    /// What depends on a task, where nothing of that has started, or all of it is dead or skipped. Children that did
    /// their work for a list are never done again for another.
    fn beyond(&self, ix: TaskIx) -> Result<Vec<TaskIx>, Rejection> {
        let beyond = self.dependants_of(ix);
        let started = beyond.iter().map(|ix| self.run.task(*ix)).find(|task| {
            let untouched = matches!(task.phase, Phase::Waiting | Phase::Ready) && task.attempts.is_empty();
            let over = matches!(task.phase, Phase::Dead | Phase::Skipped) && task.children.is_empty();
            !untouched && !over
        });
        match started {
            None => Ok(beyond),
            Some(other) => {
                let children = if other.children.is_empty() { "" } else { ", with children of its own" };
                let why = format!("{} depends on it and is {}{children}", other.id, other.phase.name());
                Err(self.run.task(ix).wrong_state(&why))
            }
        }
    }

    /// Brings back what a task that is done again had led to.
    fn bring_back(&mut self, beyond: &[TaskIx], cause: &TaskId) {
        for other in beyond {
            let gone = self.run.task(*other);
            match gone.phase {
                Phase::Dead => self.task(*other, cause),
                Phase::Skipped => self.unskip_one(*other, cause),
                Phase::Waiting
                | Phase::Ready
                | Phase::Running
                | Phase::Stopping
                | Phase::Gating
                | Phase::Merging
                | Phase::BackingOff
                | Phase::Parked
                | Phase::Blocked
                | Phase::Expanded
                | Phase::Succeeded
                | Phase::Cancelled => {}
            }
        }
    }

    /// All tasks behind this one, each once, nearer ones first.
    fn dependants_of(&self, ix: TaskIx) -> Vec<TaskIx> {
        let node = |ix: &TaskIx| self.run.task(*ix).is_node();
        let top = std::iter::once(ix).chain(self.run.around(ix)).find(node).unwrap_or(ix);
        let mut found: Vec<TaskIx> = self.run.task(top).dependants.clone();
        let mut seen: BTreeSet<TaskIx> = found.iter().copied().collect();
        let mut next = 0;
        while next < found.len() {
            let further = self.run.task(found[next]).dependants.iter().copied();
            found.extend(further.filter(|dependant| seen.insert(*dependant)).collect::<Vec<_>>());
            next += 1;
        }
        found
    }
}

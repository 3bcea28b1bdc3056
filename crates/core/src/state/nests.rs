//! The plans that attempts brought to their tasks: which of them a task belongs to, and what surrounds it therefore. Never:
//! whether an attempt may bring one (`decide/nests.rs`).

use std::collections::BTreeMap;

use crate::event::{ApprovalAnswer, Exit};
use crate::id::{AttemptKey, Digest, Seq, TaskId};
use crate::machine::task::Phase;
use crate::plan::{Plan, Rerun};
use crate::state::tree::{Brought, Loan, Nest, Scope};
use crate::state::{Attempt, Run, Task, TaskIx};
use crate::time::Span;

impl Run {
    /// The level of a task, those of the run's own plan being 1. What was brought stands where a sub-plan would.
    pub(crate) fn level(&self, ix: TaskIx) -> usize {
        1 + self.around(ix).filter(|parent| !self.was_brought(self.task(*parent))).count()
    }

    /// What an attempt of its parent brought, where that is what a task is.
    pub fn brought(&self, task: &Task) -> Option<&Brought> {
        self.scope(task)?.brought.as_ref()
    }

    /// Whether a task is a plan that an attempt of its parent brought.
    pub fn was_brought(&self, task: &Task) -> bool {
        self.brought(task).is_some()
    }

    /// The plan that an attempt brought and that a task belongs to, or is; none of those that the run's own plan has.
    pub fn brought_around(&self, ix: TaskIx) -> Option<TaskIx> {
        if self.nests.is_empty() {
            return None;
        }
        std::iter::once(ix).chain(self.around(ix)).find(|ix| self.was_brought(self.task(*ix)))
    }

    /// Whether a task belongs to a plan whose attempt, that brought it, is over or is being ended.
    pub(crate) fn is_left_behind(&self, task: &Task) -> bool {
        let plan = self.brought_around(self.names[&task.id]);
        let by = plan.and_then(|plan| self.task(plan).parent);
        by.is_some_and(|(by, _)| self.task(by).phase != Phase::Running)
    }

    /// In how many plans a task is, each within the other, that attempts brought.
    pub(crate) fn brought_levels(&self, ix: TaskIx) -> usize {
        if self.nests.is_empty() {
            return 0;
        }
        let around = std::iter::once(ix).chain(self.around(ix));
        around.filter(|ix| self.was_brought(self.task(*ix))).count()
    }

    /// The surroundings of a task: where it works, and the blob with the variables that its attempts get.
    pub(crate) fn surroundings(&self, task: &Task) -> (&str, Digest) {
        let mut scope = self.scope(task);
        while let Some(inner) = scope {
            if let Some(brought) = &inner.brought {
                return (&brought.folder, brought.env);
            }
            scope = self.scope(self.task(inner.parent));
        }
        (&self.folder, self.env)
    }

    /// The plan that the record at this place says was brought, as the task that it is.
    pub fn brought_at(&self, at: Seq) -> Option<&Task> {
        let is_it = |scope: &&Scope| scope.brought.as_ref().is_some_and(|brought| brought.at == at);
        self.scopes.iter().find(is_it).map(|scope| self.task(scope.first))
    }

    /// The attempts that brought the plans that a task is in, the outermost first.
    pub(crate) fn attempts_around(&self, task: &Task) -> Vec<AttemptKey> {
        let (mut attempts, mut scope) = (Vec::new(), self.scope(task));
        while let Some(inner) = scope {
            let parent = self.task(inner.parent);
            if let Some(Brought { attempt, .. }) = inner.brought {
                attempts.push(AttemptKey { run: self.id, task: parent.id.clone(), attempt });
            }
            scope = self.scope(parent);
        }
        attempts.reverse();
        attempts
    }

    /// How many tasks count for its caps: all but what attempts before the newest of their task left.
    pub(crate) fn counted(&self) -> usize {
        self.tasks.len() - usize::try_from(self.left).expect("32 bits fit")
    }

    /// How many tasks it would have with so many more, where that is over its cap.
    pub(crate) fn too_many_with(&self, more: usize) -> Option<usize> {
        let tasks = self.counted() + more;
        (tasks > usize::try_from(self.plan.limits.tasks).expect("32 bits fit")).then_some(tasks)
    }

    /// What the newest attempt of a task may have done in what it brought, and the next may not do again without a person:
    /// the tasks there with `rerun: never` that were started. Only what never began is known to have done nothing.
    pub(crate) fn done_once(&self, ix: TaskIx) -> impl Iterator<Item = &Task> {
        let plans = self.nests.get(&ix).map_or(&[] as &[TaskIx], Nest::newest);
        plans.iter().flat_map(|plan| self.begun_once(*plan))
    }

    /// The same of one plan.
    pub(crate) fn begun_once(&self, plan: TaskIx) -> impl Iterator<Item = &Task> {
        let below = self.family(plan).into_iter().map(|member| self.task(member));
        let has_begun = |attempt: &Attempt| attempt.exit != Some(Exit::NotStarted);
        below.filter(move |task| self.spec(task).rerun == Rerun::Never && task.attempts.iter().any(has_begun))
    }

    /// What a person answered when an earlier attempt asked the same, in words: of the same plan, brought at the same place.
    pub(crate) fn answered_before(&self, task: &Task) -> Option<String> {
        let mut plan = self.brought_around(self.names[&task.id]);
        while let Some(ix) = plan {
            let (by, _) = self.task(ix).parent.expect("an attempt brought it");
            let behind = &task.id.as_str()[self.task(ix).id.as_str().len()..];
            let same = self.brought_before(ix).into_iter().find_map(|(earlier, attempt)| {
                let name: TaskId = format!("{}{behind}", self.task(earlier).id).parse().ok()?;
                let asked = self.task(*self.names.get(&name)?);
                let answer = match asked.approval.as_ref()?.answer? {
                    ApprovalAnswer::Approved => "approved",
                    ApprovalAnswer::Denied => "denied",
                    ApprovalAnswer::Expired => return None,
                };
                Some(format!("{} was {answer} for attempt {attempt} of {}", asked.id, self.task(by).id))
            });
            if same.is_some() {
                return same;
            }
            plan = self.brought_around(by);
        }
        None
    }

    /// A plan that an attempt brought, as attempts before brought it at the same place: the newest first, each with the
    /// number of that attempt.
    fn brought_before(&self, plan: TaskIx) -> Vec<(TaskIx, u32)> {
        let (by, _) = self.task(plan).parent.expect("an attempt brought it");
        let (mut places, mut found) = (BTreeMap::<u32, usize>::new(), Vec::new());
        for ix in &self.nests[&by].plans {
            let brought = self.brought(self.task(*ix)).expect("it is one of them");
            let place = places.entry(brought.attempt).or_default();
            found.push((*ix, brought.attempt, brought.digest, *place));
            *place += 1;
        }
        let this = found.iter().find(|(ix, ..)| *ix == plan).copied();
        let Some((_, attempt, digest, place)) = this else { return Vec::new() };
        let same = found
            .into_iter()
            .rev()
            .filter(|other| other.1 < attempt && (other.2, other.3) == (digest, place));
        same.map(|(ix, attempt, ..)| (ix, attempt)).collect()
    }

    /// The plans that attempts brought and that are not final.
    pub(crate) fn open_brought(&self) -> impl Iterator<Item = &Plan> {
        let open = self.nests.values().filter(|nest| nest.open > 0).flat_map(Nest::newest);
        let open = open.map(|plan| self.task(*plan)).filter(|plan| !plan.phase.is_final());
        open.map(|plan| self.plan_of(plan).as_ref())
    }

    /// From when to when an attempt of a task waited for what it brought, by the home's clock of being alive; without an
    /// end while it does.
    pub(crate) fn loans(&self, ix: TaskIx, attempt: u32) -> impl Iterator<Item = (Span, Option<Span>)> {
        let loans = self.nests.get(&ix).map_or(&[] as &[Loan], |nest| nest.loans.as_slice());
        loans.iter().filter(move |loan| loan.attempt == attempt).map(|loan| (loan.from, loan.until))
    }

    /// Those of the plans that the newest attempt of a task brought that are not final.
    pub fn open_parts(&self, ix: TaskIx) -> impl Iterator<Item = TaskIx> + Clone {
        let newest = self.nests.get(&ix).map_or(&[] as &[TaskIx], Nest::newest);
        newest.iter().copied().filter(|part| !self.task(*part).phase.is_final())
    }

    /// Whether an attempt of a task goes on and waits for plans that it brought.
    pub(crate) fn lends(&self, ix: TaskIx) -> bool {
        let task = self.task(ix);
        // What began in an opening before that in which the run goes on is dead, and not yet known to be.
        let is_there = |attempt: &Attempt| attempt.is_live() && attempt.epoch == self.host;
        self.open_plans(ix) > 0 && task.phase == Phase::Running && task.live_attempt().is_some_and(is_there)
    }

    /// How many of the plans that attempts of a task brought are not final.
    pub fn open_plans(&self, ix: TaskIx) -> u32 {
        self.nests.get(&ix).map_or(0, |nest| nest.open)
    }
}

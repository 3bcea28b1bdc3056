//! How tasks count for those that need them: what a join has come to, and how each need has ended. Never: moving a task
//! for it (`fold/transition.rs`).

use crate::event::SkipReason;
use crate::id::TaskId;
use crate::machine::task::Phase;
use crate::planted::{Bug, is_planted};
use crate::policy::join::{Ending, Standing};
use crate::state::{Run, Task, TaskIx};

impl Run {
    /// What the join of a task has come to.
    pub(crate) fn standing(&self, ix: TaskIx) -> Standing {
        let task = self.task(ix);
        if !task.is_node() {
            return Standing::Met;
        }
        let spec = self.spec(task);
        let needs = u32::try_from(spec.needs.len()).expect("no more needs than tasks");
        task.tally.standing(spec.join, needs)
    }

    /// How a task ended, as its dependants count it; none while it is not final.
    pub(crate) fn ending(&self, ix: TaskIx) -> Option<Ending> {
        let task = self.task(ix);
        let optional = self.is_excused(task);
        match task.phase {
            Phase::Succeeded => Some(Ending::Succeeded),
            Phase::Skipped if matches!(task.skipped, Some((SkipReason::When, _))) => {
                Some(Ending::WhenSkipped)
            }
            Phase::Dead | Phase::Cancelled if optional => Some(Ending::Excused),
            Phase::Dead | Phase::Cancelled | Phase::Skipped => Some(Ending::Lost),
            Phase::Waiting
            | Phase::Ready
            | Phase::Running
            | Phase::Stopping
            | Phase::Gating
            | Phase::Merging
            | Phase::BackingOff
            | Phase::Parked
            | Phase::Blocked
            | Phase::Expanded => None,
        }
    }

    /// Whether a final task of the plan itself makes the run fail.
    pub(crate) fn counts_as_failed(&self, ix: TaskIx, phase: Phase) -> bool {
        self.task(ix).parent.is_none() && self.fails(ix, phase)
    }

    /// Whether a task that is final in this phase makes the plan fail that it is written in.
    pub(crate) fn fails(&self, ix: TaskIx, phase: Phase) -> bool {
        let task = self.task(ix);
        let skipped_by_when = matches!(task.skipped, Some((SkipReason::When, _)));
        let fails =
            matches!(phase, Phase::Dead | Phase::Cancelled) || (phase == Phase::Skipped && !skipped_by_when);
        fails && (!self.is_excused(task) || is_planted(Bug::OptionalFails))
    }

    /// Whether the run goes on without a task that failed: it is optional, or was cancelled since it is not needed any more.
    pub(crate) fn is_excused(&self, task: &Task) -> bool {
        let spec = self.spec(task);
        spec.optional || spec.removed || (task.spared_by.is_some() && !is_planted(Bug::RestFails))
    }

    /// The task at the start of the chain that keeps the join of a task from being met.
    pub(crate) fn blamed(&self, ix: TaskIx) -> Option<TaskId> {
        let of = |wanted: Ending| self.needs(self.task(ix)).find(|need| self.ending(*need) == Some(wanted));
        let need = of(Ending::Lost).or_else(|| of(Ending::Excused)).or_else(|| of(Ending::WhenSkipped));
        need.map(|need| self.task(need).root_cause())
    }
}

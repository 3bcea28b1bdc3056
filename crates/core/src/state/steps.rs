//! What is to be done for a run: for its tasks, one step after the other, and for itself once nothing follows from
//! them. Never: the events of that (`decide/follow.rs`, `decide/rest.rs`).

use std::collections::BTreeSet;

use crate::event::{PauseReason, RunOutcome};
use crate::machine::run;
use crate::machine::task::Phase;
use crate::planted::{Bug, is_planted};
use crate::state::budget::UsedUp;
use crate::state::{Run, TaskIx};

/// What is to be done for tasks of a run, and for which.
#[derive(Clone, Copy)]
pub(crate) enum Step {
    /// The next of those that come back with one that was requeued comes back.
    Return,
    /// Its attempt has begun and has no worktree yet.
    Prepare(TaskIx),
    /// Its attempt is over.
    Judge(TaskIx),
    /// The first is not needed any more, by the second.
    Spare(TaskIx, TaskIx),
    /// It is wished to end.
    Cancel(TaskIx),
    /// Its join can't be met any more.
    Skip(TaskIx),
    /// The choice among its replicas has become certain.
    Select(TaskIx),
    /// Its budget is used up, and that was not told.
    Tell(TaskIx),
    /// A budget around it is used up.
    Exhaust(TaskIx),
    /// All its children are final.
    Close(TaskIx),
}

impl Step {
    /// The one that comes first; none where nothing is to be done.
    pub(crate) fn first(run: &Run) -> Option<Self> {
        let first = |tasks: &BTreeSet<TaskIx>| tasks.first().copied();
        // First of all: until a retry is complete joins and parents don't stand as they will.
        let back = (!run.returning.is_empty()).then_some(Self::Return);
        let prepare = || run.ground.as_ref().and_then(|ground| first(&ground.to_prepare)).map(Self::Prepare);
        back.or_else(prepare)
            .or_else(|| first(&run.to_judge).map(Self::Judge))
            .or_else(|| run.to_spare.first_key_value().map(|(ix, cause)| Self::Spare(*ix, *cause)))
            .or_else(|| first(&run.to_cancel).map(Self::Cancel))
            .or_else(|| first(&run.to_skip).map(Self::Skip))
            .or_else(|| first(&run.to_select).map(Self::Select))
            .or_else(|| first(&run.to_tell).map(Self::Tell))
            .or_else(|| first(&run.to_exhaust).map(Self::Exhaust))
            .or_else(|| first(&run.to_close).map(Self::Close))
    }
}

/// What is to be said of a run from whose tasks nothing follows any more.
#[derive(Clone, Copy)]
pub(crate) enum Rest {
    /// All its tasks are final.
    Over(RunOutcome),
    /// The work of this task is on top of the target, which is to move.
    Merge(TaskIx),
    /// Its tasks want more than its budget has.
    Exhausted(UsedUp),
    /// What was in flight when it was paused is over.
    Paused(PauseReason),
}

impl Rest {
    /// What comes first; none where nothing is to be said. `is_active` is whether the run may go on.
    pub(crate) fn of(run: &Run, is_active: bool) -> Option<Self> {
        let used_up = || run.wants_attempts().filter(|_| is_active).map(Self::Exhausted);
        let merge = || run.to_merge().filter(|_| is_active).map(Self::Merge);
        Self::end(run).or_else(merge).or_else(used_up).or_else(|| Self::pause(run))
    }

    fn end(run: &Run) -> Option<Self> {
        let over = run.phase != run::Phase::Finished && run.open() == 0;
        over.then(|| {
            Self::Over(if run.cancelled && run.in_phase(Phase::Cancelled) > 0 {
                RunOutcome::Cancelled
            } else if run.failed > 0 {
                RunOutcome::Failed
            } else {
                RunOutcome::Succeeded
            })
        })
    }

    /// A pause is told once what was in flight at its request is over.
    fn pause(run: &Run) -> Option<Self> {
        let (reason, _) = run.pauses.iter().find(|(_, pause)| !pause.told)?;
        let is_over = run.in_flight() == 0 && run.in_phase(Phase::Gating) == 0 && !run.is_landing();
        (is_over || is_planted(Bug::PauseToldEarly)).then_some(Self::Paused(*reason))
    }
}

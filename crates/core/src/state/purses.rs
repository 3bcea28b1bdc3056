//! The budgets of tasks: what each, and all that is below it, has used of its own. What is used up ends whatever would
//! start below it, and with it the task. Never: the budget of the run (`budget.rs`), or counting (`fold/purses.rs`).

use serde::{Deserialize, Serialize};

use crate::event::{BudgetKind, is_zero};
use crate::machine::task::Phase;
use crate::state::budget::UsedUp;
use crate::state::{Blocked, Run, TaskIx};
use crate::time::Span;

/// What was used of a task's budget in its incarnation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskPurse {
    /// The limit of the queue that its attempts are, where they are bounded.
    pub(crate) limit: Option<u32>,
    /// Attempts that were charged, of itself and of all below it.
    pub spent: u32,
    /// Those in flight: each may come to be charged.
    pub open: u32,
    /// Those of them that have lent what they hold: they wait for what may start no more.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) lent: u32,
    /// How many tasks want another attempt.
    pub(crate) wants: u32,
    /// When its time began, by the run's clock.
    pub(crate) since: Option<Span>,
    /// When it is used up.
    pub(crate) due: Option<Span>,
    /// What of it is used up, once that was told.
    pub reached: Option<UsedUp>,
}

impl Run {
    /// The tasks whose budgets a task uses, the nearest first: itself and those around it.
    pub(crate) fn payers(&self, ix: TaskIx) -> Vec<TaskIx> {
        if self.purses.is_empty() {
            return Vec::new();
        }
        let all = std::iter::once(ix).chain(self.around(ix));
        all.filter(|payer| self.purses.contains_key(payer)).collect()
    }

    /// The nearest budget around a task that is used up, as that was told, with the task that has it.
    pub(crate) fn used_up_around(&self, ix: TaskIx) -> Option<(TaskIx, UsedUp)> {
        self.payers(ix).into_iter().find_map(|payer| Some((payer, self.purses[&payer].reached?)))
    }

    /// The attempts that a task has used up of its budget, with those that wait for what may start no more.
    pub(crate) fn attempts_used(&self, payer: TaskIx) -> UsedUp {
        let purse = &self.purses[&payer];
        let limit = self.attempts_of(payer).unwrap_or_default();
        let spent = purse.spent + purse.lent;
        UsedUp { kind: BudgetKind::Attempts, spent: spent.into(), limit: limit.into() }
    }

    /// The time that a task has used up of its budget when the clock of the run shows this; none where something of the
    /// budget was told to be used up before.
    pub(crate) fn time_used(&self, payer: TaskIx, active: Span) -> Option<UsedUp> {
        let purse = self.purses.get(&payer).filter(|purse| purse.reached.is_none())?;
        let limit = self.spec(self.task(payer)).budget.wall?;
        let spent = limit.plus(active.minus(purse.due?));
        Some(UsedUp { kind: BudgetKind::Wall, spent: spent.ms, limit: limit.ms })
    }

    /// When a task that waits is to end since the time of a budget around it is used up, by the clock of the run.
    pub(crate) fn time_ends(&self, ix: TaskIx) -> Option<Span> {
        let payers = self.payers(ix).into_iter().filter(|_| self.may_start(ix));
        let purses = payers.map(|payer| &self.purses[&payer]).filter(|purse| purse.reached.is_none());
        purses.filter_map(|purse| purse.due).min()
    }

    /// How many attempts the budget of a task allows.
    pub(crate) fn attempts_of(&self, payer: TaskIx) -> Option<u32> {
        self.spec(self.task(payer)).budget.attempts
    }

    pub(crate) fn wants_attempt(&self, ix: TaskIx, phase: Phase) -> bool {
        match phase {
            Phase::Ready => self.has_attempts(self.task(ix)),
            Phase::BackingOff | Phase::Parked => true,
            Phase::Waiting
            | Phase::Running
            | Phase::Stopping
            | Phase::Gating
            | Phase::Merging
            | Phase::Blocked
            | Phase::Expanded
            | Phase::Succeeded
            | Phase::Skipped
            | Phase::Dead
            | Phase::Cancelled => false,
        }
    }

    /// Whether a task could still start, or waits for something else than the ends of others: with the budget used up it
    /// has nothing to wait for. What only a person knows the outcome of is not over.
    pub(crate) fn may_start(&self, ix: TaskIx) -> bool {
        let task = self.task(ix);
        let is_blocked = task.phase == Phase::Blocked
            && matches!(task.blocked, Some(Blocked::Person | Blocked::Topic | Blocked::Timer));
        is_blocked || task.phase.waits_to_start()
    }
}

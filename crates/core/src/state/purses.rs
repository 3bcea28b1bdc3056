//! The budgets of tasks: what each, and all that is below it, has used of its own. What is used up ends whatever would
//! start below it, and with it the task. Never: the budget of the run (`budget.rs`).

use serde::{Deserialize, Serialize};

use crate::event::{BlockedOn, BudgetKind, TimerKind, is_zero};
use crate::machine::task::Phase;
use crate::state::budget::UsedUp;
use crate::state::queue::{LimitOn, Queue};
use crate::state::tree::Form;
use crate::state::{Run, TaskIx};
use crate::time::Span;

/// What was used of a task's budget in its incarnation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskPurse {
    /// The limit of the queue that its attempts are, where they are bounded.
    limit: Option<u32>,
    /// Attempts that were charged, of itself and of all below it.
    pub spent: u32,
    /// Those in flight: each may come to be charged.
    pub open: u32,
    /// Those of them that have lent what they hold: they wait for what may start no more.
    #[serde(default, skip_serializing_if = "is_zero")]
    lent: u32,
    /// How many tasks want another attempt.
    wants: u32,
    /// When its time began, by the run's clock.
    since: Option<Span>,
    /// When it is used up.
    due: Option<Span>,
    /// What of it is used up, once that was told.
    pub reached: Option<UsedUp>,
}

impl Run {
    /// A node of a plan comes in, under this limit: its own budget is one within that.
    pub(crate) fn open_purse(&mut self, ix: TaskIx, around: Option<u32>) {
        let budget = self.spec(self.task(ix)).budget;
        let limit = budget.attempts.map(|most| self.queue.limit(LimitOn::InAll, most, around));
        self.tasks[ix.at()].limit = limit.or(around);
        if !budget.is_unbounded() {
            self.purses.insert(ix, TaskPurse { limit, ..TaskPurse::default() });
        }
    }

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

    fn change_purses(&mut self, ix: TaskIx, change: impl Fn(&mut TaskPurse)) {
        for payer in self.payers(ix) {
            change(self.purses.get_mut(&payer).expect("it has one"));
            self.look_at_purse(payer);
        }
    }

    /// Notes a budget of attempts that is used up while something wants more of it.
    fn look_at_purse(&mut self, payer: TaskIx) {
        let purse = &self.purses[&payer];
        let is_used_up = self.attempts_of(payer).is_some_and(|most| purse.spent + purse.lent >= most);
        if is_used_up && purse.wants > 0 && purse.reached.is_none() {
            self.to_tell.insert(payer);
        } else {
            self.to_tell.remove(&payer);
        }
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

    /// How many attempts the budget of a task allows.
    pub(crate) fn attempts_of(&self, payer: TaskIx) -> Option<u32> {
        self.spec(self.task(payer)).budget.attempts
    }

    /// An attempt of a task has started.
    pub(crate) fn reserve_attempt(&mut self, ix: TaskIx) {
        self.purse.reserve();
        self.queue.occupy(self.task(ix).limit);
        self.change_purses(ix, |purse| purse.open += 1);
    }

    /// The attempt of a task was judged.
    pub(crate) fn settle_attempt(&mut self, ix: TaskIx) {
        let task = self.task(ix);
        let is_charged = task.last_attempt().expect("what is judged has an attempt").is_charged();
        let limit = task.limit;
        self.purse.settle(is_charged);
        if !is_charged {
            self.queue.vacate(limit, LimitOn::InAll);
        }
        self.change_purses(ix, |purse| {
            purse.open -= 1;
            purse.spent += u32::from(is_charged);
        });
    }

    /// The attempt of a task has lent what it holds, or holds it again.
    pub(crate) fn change_lent(&mut self, ix: TaskIx, is_lent: bool) {
        let change = |lent: &mut u32| *lent = if is_lent { *lent + 1 } else { *lent - 1 };
        change(&mut self.purse.lent);
        self.change_purses(ix, |purse| change(&mut purse.lent));
    }

    /// A task leaves a phase.
    pub(crate) fn leave_purses(&mut self, ix: TaskIx, from: Phase) {
        if !self.purses.is_empty() && self.wants_attempt(ix, from) {
            self.change_purses(ix, |purse| purse.wants -= 1);
        }
        self.to_exhaust.remove(&ix);
    }

    /// A task enters a phase: where a budget around it is used up, it is not to start.
    pub(crate) fn enter_purses(&mut self, ix: TaskIx, to: Phase) {
        if self.purses.is_empty() {
            return;
        }
        if self.wants_attempt(ix, to) {
            self.change_purses(ix, |purse| purse.wants += 1);
        }
        self.note_exhaustion(ix);
    }

    fn wants_attempt(&self, ix: TaskIx, phase: Phase) -> bool {
        match phase {
            Phase::Ready => self.has_attempts(self.task(ix)),
            Phase::BackingOff | Phase::Parked => true,
            Phase::Waiting
            | Phase::Running
            | Phase::Stopping
            | Phase::Gating
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
    fn may_start(&self, ix: TaskIx) -> bool {
        let task = self.task(ix);
        match task.phase {
            Phase::Ready | Phase::BackingOff | Phase::Parked => true,
            Phase::Blocked => {
                matches!(task.blocked, Some(BlockedOn::Person | BlockedOn::Topic | BlockedOn::Timer))
            }
            Phase::Waiting
            | Phase::Running
            | Phase::Stopping
            | Phase::Gating
            | Phase::Expanded
            | Phase::Succeeded
            | Phase::Skipped
            | Phase::Dead
            | Phase::Cancelled => false,
        }
    }

    fn note_exhaustion(&mut self, ix: TaskIx) {
        if self.may_start(ix) && self.used_up_around(ix).is_some() {
            self.to_exhaust.insert(ix);
        } else {
            self.to_exhaust.remove(&ix);
        }
    }

    /// The budget of a task is used up: nothing starts any more below it.
    pub(crate) fn reach(&mut self, payer: TaskIx, used_up: UsedUp) {
        self.purses.get_mut(&payer).expect("it has one").reached = Some(used_up);
        if used_up.kind == BudgetKind::Wall {
            self.fire_purse(payer);
        }
        self.look_at_purse(payer);
        for ix in self.family(payer) {
            self.note_exhaustion(ix);
        }
    }

    /// A new incarnation of a task begins: its budget does, too.
    pub(crate) fn renew_purse(&mut self, ix: TaskIx) {
        let Some(purse) = self.purses.get_mut(&ix) else { return };
        purse.spent = 0;
        let (limit, open, was_reached) = (purse.limit, purse.open, purse.reached.take().is_some());
        if let Some(limit) = limit {
            self.queue.set(limit, open);
        }
        self.look_at_purse(ix);
        if was_reached {
            for member in self.family(ix) {
                self.note_exhaustion(member);
            }
        }
    }

    /// A task is ready: if that is for the first time in its incarnation, its time begins.
    pub(crate) fn start_purse(&mut self, ix: TaskIx, active: Span) {
        let wall = self.spec(self.task(ix)).budget.wall;
        let Some(purse) = self.purses.get_mut(&ix) else { return };
        let since = *purse.since.get_or_insert(active);
        if let Some(due) = wall.map(|wall| since.plus(wall)).filter(|_| purse.due.is_none()) {
            purse.due = Some(due);
            self.alarms.insert((due, ix, TimerKind::Budget));
        }
    }

    /// The time of a task's budget is measured no longer.
    pub(crate) fn stop_purse(&mut self, ix: TaskIx) {
        let Some(purse) = self.purses.get_mut(&ix) else { return };
        purse.since = None;
        if let Some(due) = purse.due.take() {
            self.alarms.remove(&(due, ix, TimerKind::Budget));
        }
    }

    /// The clock of a task's budget has fired. That its time began stays known, so that it begins once. Where nothing of
    /// the budget was told to be used up, the word of that follows in the same batch; without it the clock fires again.
    pub(crate) fn fire_purse(&mut self, ix: TaskIx) {
        if let Some(due) =
            self.purses.get(&ix).filter(|purse| purse.reached.is_some()).and_then(|purse| purse.due)
        {
            self.alarms.remove(&(due, ix, TimerKind::Budget));
        }
    }
}

impl Run {
    /// Another plan is gone by: budgets and limits are as it has them, and what was used of them stays so. What was ready
    /// is to be lined up again.
    pub(crate) fn limit_anew(&mut self, active: Span) {
        let ready: Vec<TaskIx> = self.queue.all().collect();
        let before = std::mem::take(&mut self.purses);
        self.queue = Queue::default();
        self.to_tell.clear();
        self.alarms.retain(|(_, _, timer)| *timer != TimerKind::Budget);
        for ix in (0..self.tasks.len()).map(TaskIx::from_len) {
            self.bound_anew(ix);
            if let (Some(purse), Some(old)) = (self.purses.get_mut(&ix), before.get(&ix)) {
                (purse.spent, purse.since, purse.reached) = (old.spent, old.since, old.reached);
            }
        }
        for ix in (0..self.tasks.len()).map(TaskIx::from_len) {
            self.count_anew_of(ix);
        }
        let payers: Vec<TaskIx> = self.purses.keys().copied().collect();
        for payer in payers {
            let TaskPurse { limit, spent, open, reached, .. } = self.purses[&payer];
            if let Some(limit) = limit {
                self.queue.set(limit, spent + open);
            }
            self.look_at_purse(payer);
            let phase = self.task(payer).phase;
            if phase != Phase::Waiting && !phase.is_final() && reached.is_none() {
                self.start_purse(payer, active);
            }
        }
        for ix in ready {
            self.line_up(ix);
        }
    }

    /// The limit of a task, in the order in which tasks came: parents are before their children.
    fn bound_anew(&mut self, ix: TaskIx) {
        let limit = self.task(ix).parent.and_then(|(parent, _)| {
            let first = self.task(parent).children.first().copied();
            match first.filter(|_| self.form(self.task(parent)) == Form::List) {
                Some(first) if first != ix => self.task(first).limit,
                Some(_) => self.limit_of_list(parent),
                None => self.task(parent).limit,
            }
        });
        if self.task(ix).is_node() {
            self.open_purse(ix, limit);
        } else {
            self.tasks[ix.at()].limit = limit;
        }
    }

    /// The limit of the children of a list: their own, or the one around it.
    pub(crate) fn limit_of_list(&mut self, list: TaskIx) -> Option<u32> {
        let task = self.task(list);
        let max_parallel = self.spec(task).for_each.as_ref().and_then(|each| each.max_parallel);
        let around = task.limit;
        max_parallel.map(|most| self.queue.limit(LimitOn::InFlight, most, around)).or(around)
    }

    fn count_anew_of(&mut self, ix: TaskIx) {
        let (phase, limit) = (self.task(ix).phase, self.task(ix).limit);
        if matches!(phase, Phase::Running | Phase::Stopping | Phase::Gating) {
            self.queue.occupy(limit);
            if phase == Phase::Gating {
                self.queue.vacate(limit, LimitOn::InFlight);
            }
            let lends = phase.holds_slot() && self.open_plans(ix) > 0;
            if lends {
                self.queue.vacate(limit, LimitOn::InFlight);
            }
            self.change_purses(ix, |purse| {
                purse.open += 1;
                purse.lent += u32::from(lends);
            });
        } else if self.wants_attempt(ix, phase) {
            self.change_purses(ix, |purse| purse.wants += 1);
        }
    }
}

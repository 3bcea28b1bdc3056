//! What attempts use of the budgets around them: reserved when they start, charged or given back when they are judged. What
//! is used up is noted. Never: what becomes of it then (`decide/budgets.rs`).

use crate::event::{BudgetKind, TimerKind};
use crate::machine::task::Phase;
use crate::state::budget::UsedUp;
use crate::state::purses::TaskPurse;
use crate::state::queue::{LimitOn, Queue};
use crate::state::tree::Form;
use crate::state::{Run, TaskIx};
use crate::time::Span;

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

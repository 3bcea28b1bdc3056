//! Moving a task from one phase to another, with everything that counts, indexes or waits on it.
//! Never: reading events (`fold/mod.rs`) or choosing the fact (`decide/`).

use crate::event::{Role, TimerKind};
use crate::id::{Epoch, Seq};
use crate::machine::arrows;
use crate::machine::task::{Fact, Phase};
use crate::plan::Join;
use crate::planted::{Bug, is_planted};
use crate::policy::join::{Ending, Standing};
use crate::policy::select;
use crate::state::queue::{LimitOn, Rank};
use crate::state::{Blocked, Choice, Fresh, Look, Run, TaskIx};
use crate::time::{Span, Time};

/// Where and when the record that moves a task stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// Its place.
    pub(crate) seq: Seq,
    /// Its time.
    pub(crate) at: Time,
    /// What the home's clock of being alive shows.
    pub(crate) alive: Span,
    /// The opening that wrote it.
    pub(crate) epoch: Epoch,
    /// What that opening is for.
    pub(crate) role: Option<Role>,
    /// The sum of the wall clock's steps.
    pub(crate) steps_ms: i64,
}

impl Run {
    /// Moves a task by a fact.
    ///
    /// # Panics
    /// If the fact can't happen in the task's phase: the journal contradicts the machine, and going on would be worse.
    pub(crate) fn take(&mut self, ix: TaskIx, fact: Fact, moment: Moment, fresh: &mut Fresh) {
        let task = &self.tasks[ix.at()];
        let from = task.phase;
        let to =
            from.next(fact).unwrap_or_else(|| panic!("task {} is {from:?}: {fact:?} can't happen", task.id));
        arrows::of_task(from, fact);
        self.leave(ix, from, moment);
        self.leave_purses(ix, from);
        if from == Phase::Ready && to == Phase::Waiting {
            self.end_bound(ix);
            // What its expression named may have come of what is done again.
            self.tasks[ix.at()].handed.named = None;
        }
        let revived = self.ending(ix).filter(|_| !to.is_final());
        if revived.is_some() {
            self.revive(ix, from);
        }
        let task = &mut self.tasks[ix.at()];
        task.phase = to;
        task.blocked = task.blocked.filter(|_| to == Phase::Blocked);
        if from != to {
            task.since = moment.at;
        }
        *self.count.entry(from).or_default() -= 1;
        *self.count.entry(to).or_default() += 1;
        self.enter(ix, to, moment, fresh);
        self.enter_purses(ix, to);
        self.move_emitter(ix, from, to, fresh);
        if to.is_final() && !from.is_final() {
            self.end(ix, to, moment, fresh);
        }
        if let Some(ending) = revived {
            self.tell_dependants(ix, ending, moment, fresh);
            if let Some((parent, _)) = self.task(ix).parent {
                self.look_at_votes(parent);
            }
        }
    }

    /// Takes a task out of the indexes of the phase that it leaves.
    fn leave(&mut self, ix: TaskIx, from: Phase, moment: Moment) {
        let task = &mut self.tasks[ix.at()];
        match from {
            Phase::Waiting => {
                self.to_skip.remove(&ix);
            }
            Phase::Ready => {
                if let Some(rank) = task.rank.take() {
                    self.queue.leave(task.lane, rank);
                }
                if let Some(due) = task.dues.start_by.take() {
                    self.alarms.remove(&(due, ix, TimerKind::ScheduleToStart));
                }
            }
            Phase::Gating => {
                self.to_judge.remove(&ix);
                self.settle_attempt(ix);
                self.let_go_of_plan(ix);
            }
            Phase::Merging => {
                self.to_judge.remove(&ix);
                self.leave_queue(ix, moment.seq);
            }
            Phase::BackingOff | Phase::Parked => {
                if let Some(due) = task.dues.retry.take() {
                    self.retries.remove(&(due, ix));
                }
            }
            Phase::Blocked => {
                self.end_wait(ix);
            }
            Phase::Expanded => {
                self.to_close.remove(&ix);
            }
            Phase::Running
            | Phase::Stopping
            | Phase::Succeeded
            | Phase::Skipped
            | Phase::Dead
            | Phase::Cancelled => {}
        }
    }

    /// Puts a task into the indexes of the phase that it enters.
    fn enter(&mut self, ix: TaskIx, to: Phase, moment: Moment, fresh: &mut Fresh) {
        match to {
            Phase::Waiting => self.look_at_join(ix, moment, fresh),
            Phase::Ready => self.make_ready(ix, moment, fresh),
            Phase::Expanded => {
                // A parent of replicas that comes back may have all that the choice needs.
                self.look_at_votes(ix);
                if self.task(ix).children_open == 0 {
                    self.to_close.insert(ix);
                }
            }
            Phase::Running => {
                self.reserve_attempt(ix);
                self.leave_plans(ix);
            }
            Phase::Gating => self.queue.vacate(self.task(ix).limit, LimitOn::InFlight),
            Phase::Blocked if self.task(ix).blocked == Some(Blocked::Select) => {
                let (parent, _) = self.task(ix).parent.expect("a replica has a parent");
                self.look_at_votes(parent);
                // It may have been one of several votes that were hoped for, and not be enough.
                self.look_at_wakeable(parent, fresh);
            }
            Phase::Blocked if self.task(ix).blocked == Some(Blocked::Topic) => {
                self.begin_listening(ix);
            }
            Phase::Stopping | Phase::Merging | Phase::BackingOff | Phase::Parked | Phase::Blocked => {}
            Phase::Succeeded | Phase::Skipped | Phase::Dead | Phase::Cancelled => {}
        }
    }

    /// Puts a ready task into the lane of those who may work on it.
    pub(crate) fn line_up(&mut self, ix: TaskIx) {
        let task = self.task(ix);
        let crew = self.crew(task).filter(|_| !self.is_parent(task));
        let (limit, alone) = (task.limit, task.must_be_alone());
        let rank = task.rank.expect("it is ready");
        self.tasks[ix.at()].lane = self.queue.enter(crew, limit, rank, alone);
    }

    /// Who may work on a ready task has changed.
    pub(crate) fn line_up_anew(&mut self, ix: TaskIx) {
        let task = self.task(ix);
        self.queue.leave(task.lane, task.rank.expect("it is ready"));
        self.line_up(ix);
    }

    fn make_ready(&mut self, ix: TaskIx, moment: Moment, fresh: &mut Fresh) {
        let active = self.active.at(moment.alive);
        let is_work = self.has_attempts(self.task(ix));
        let spec = self.spec(self.task(ix));
        let (timeout, priority) = (spec.timeout.clone(), spec.priority);
        let levels = self.brought_levels(ix);
        let task = &mut self.tasks[ix.at()];
        task.rank = Some(Rank::new(ix, priority, active, moment.seq).within(levels));
        self.line_up(ix);
        self.start_purse(ix, active);
        let task = &mut self.tasks[ix.at()];
        if is_work {
            if let Some(bound) = timeout.schedule_to_start {
                let due = active.plus(bound);
                task.dues.start_by = Some(due);
                self.alarms.insert((due, ix, TimerKind::ScheduleToStart));
            }
            if let (Some(bound), None) = (timeout.schedule_to_close, task.dues.close_by) {
                let due = active.plus(bound);
                task.dues.close_by = Some(due);
                self.alarms.insert((due, ix, TimerKind::ScheduleToClose));
            }
        }
        fresh.push_back(Look::Task(self.id, ix));
    }

    /// A task has become final: its bounds end, and those who count on it are told.
    fn end(&mut self, ix: TaskIx, to: Phase, moment: Moment, fresh: &mut Fresh) {
        self.to_cancel.remove(&ix);
        self.to_spare.remove(&ix);
        self.end_bound(ix);
        self.topics.note_end(ix, Some(moment.seq));
        if self.counts_as_failed(ix, to) {
            self.failed += 1;
        }
        let ending = self.ending(ix).expect("it is final");
        for place in 0..self.task(ix).dependants.len() {
            let dependant = self.task(ix).dependants[place];
            self.tasks[dependant.at()].tally.count(ending);
            if to == Phase::Dead && is_planted(Bug::DeadDependencyLeavesWaiter) {
                continue;
            }
            match self.task(dependant).phase {
                Phase::Waiting => {
                    self.look_at_join(dependant, moment, fresh);
                    let is_choosy = self.spec(self.task(dependant)).join != Join::All;
                    if is_choosy && ending != Ending::Succeeded {
                        self.look_at_wakeable(dependant, fresh);
                    }
                }
                // What a person is shown has changed: the question is to be asked anew, each child's too.
                Phase::Blocked => self.look_at_question(dependant, fresh),
                Phase::Expanded if self.asks(self.task(dependant)) => {
                    for child in 0..self.task(dependant).children.len() {
                        self.look_at_question(self.task(dependant).children[child], fresh);
                    }
                }
                Phase::Ready
                | Phase::Running
                | Phase::Stopping
                | Phase::Gating
                | Phase::Merging
                | Phase::BackingOff
                | Phase::Parked
                | Phase::Expanded
                | Phase::Succeeded
                | Phase::Skipped
                | Phase::Dead
                | Phase::Cancelled => {}
            }
        }
        if let Some((parent, _)) = self.task(ix).parent {
            if self.was_brought(self.task(ix)) {
                self.close_plan(parent);
                return;
            }
            let parent_task = &mut self.tasks[parent.at()];
            parent_task.children_open -= 1;
            self.look_at_votes(parent);
            let parent_task = self.task(parent);
            if parent_task.children_open == 0 && parent_task.phase == Phase::Expanded {
                self.to_close.insert(parent);
            } else if self.candidates(self.task(ix)).is_some() {
                self.look_at_wakeable(parent, fresh);
            }
        }
    }

    /// Notes a choice among replicas that has become certain, or that was made and is not carried out.
    pub(crate) fn look_at_votes(&mut self, parent: TaskIx) {
        let task = self.task(parent);
        let is_owed = match task.choice {
            None => !task.cancel_wished && self.votes(task) != select::Standing::Open,
            Some(Choice::Taken(taken)) => self.task(taken).blocked == Some(Blocked::Select),
            Some(Choice::None) => false,
        };
        if task.phase == Phase::Expanded && is_owed {
            self.to_select.insert(parent);
        } else {
            self.to_select.remove(&parent);
        }
    }

    fn look_at_question(&self, ix: TaskIx, fresh: &mut Fresh) {
        if self.task(ix).approval_open().is_some() {
            fresh.push_back(Look::Task(self.id, ix));
        }
    }

    /// `schedule_to_close` watches no longer: the incarnation is over, or has not begun after all.
    pub(crate) fn end_bound(&mut self, ix: TaskIx) {
        if let Some(due) = self.tasks[ix.at()].dues.close_by.take() {
            self.alarms.remove(&(due, ix, TimerKind::ScheduleToClose));
        }
        self.stop_purse(ix);
    }

    /// A final task goes on: what was counted of its end is taken back.
    fn revive(&mut self, ix: TaskIx, from: Phase) {
        self.topics.note_end(ix, None);
        if self.counts_as_failed(ix, from) {
            self.failed -= 1;
        }
        if let Some((parent, _)) = self.task(ix).parent {
            self.tasks[parent.at()].children_open += 1;
            self.to_close.remove(&parent);
            self.to_select.remove(&parent);
        }
    }

    /// A task that had ended so goes on: those that count on it count it no more.
    fn tell_dependants(&mut self, ix: TaskIx, ending: Ending, moment: Moment, fresh: &mut Fresh) {
        for place in 0..self.task(ix).dependants.len() {
            let dependant = self.task(ix).dependants[place];
            self.tasks[dependant.at()].tally.uncount(ending);
            self.look_at_join_again(dependant, moment, fresh);
        }
    }

    /// What counts for the join of a task has changed: whether that is for a task which has not begun to know.
    pub(crate) fn look_at_join_again(&mut self, ix: TaskIx, moment: Moment, fresh: &mut Fresh) -> bool {
        let task = self.task(ix);
        if task.phase == Phase::Waiting && task.is_node() {
            self.to_skip.remove(&ix);
            self.look_at_join(ix, moment, fresh);
            return true;
        }
        let is_unmet = task.phase == Phase::Ready && self.standing(ix) != Standing::Met;
        if is_unmet {
            self.take(ix, Fact::JoinUnmet, moment, fresh);
        }
        is_unmet
    }

    pub(crate) fn look_at_join(&mut self, ix: TaskIx, moment: Moment, fresh: &mut Fresh) {
        match self.standing(ix) {
            Standing::Open => {}
            Standing::Met => {
                self.note_rest(ix);
                self.take(ix, Fact::JoinMet, moment, fresh);
            }
            Standing::AllSkipped | Standing::Impossible => {
                self.to_skip.insert(ix);
            }
        }
    }

    /// Notes what is not needed any more, now that the join of a task is met.
    fn note_rest(&mut self, ix: TaskIx) {
        let task = self.task(ix);
        if !self.spec(task).cancel_rest || is_planted(Bug::RestGoesOn) {
            return;
        }
        let is_open = |need: &TaskIx| {
            let need = self.task(*need);
            !need.phase.is_final() && !need.cancel_wished
        };
        let rest: Vec<TaskIx> = self.needs(task).filter(is_open).collect();
        for need in rest {
            self.to_spare.entry(need).or_insert(ix);
        }
    }
}

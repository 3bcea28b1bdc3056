//! Tasks that are blocked: what they wait for, and the clocks that end that. Never: what becomes of them then.

use crate::event::{BlockedOn, Event, Record, TimerKind};
use crate::fold::transition::Moment;
use crate::machine::task::Fact;
use crate::plan::{WaitFor, Work};
use crate::state::{Approval, Blocked, Fresh, Run, TaskIx};
use crate::time::Time;

impl Run {
    /// What the events of blocked tasks change. False where the event is none of those.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the other events of a task are taken apart in `fold/mod.rs`"
    )]
    pub(crate) fn evolve_wait(
        &mut self,
        ix: TaskIx,
        record: &Record,
        moment: Moment,
        fresh: &mut Fresh,
    ) -> bool {
        match &record.event {
            Event::TaskBlocked { on, error, due, output, .. } => {
                let task = &mut self.tasks[ix.at()];
                task.error.clone_from(error);
                if let Some(output) = output {
                    task.output = output.clone();
                }
                (task.blocked, task.passed_at) = (Some((*on).into()), moment.seq);
                let fact = match on {
                    BlockedOn::Select => Fact::Passed,
                    BlockedOn::Topic | BlockedOn::Timer => Fact::WaitBegan,
                    BlockedOn::Outcome => Fact::OutcomeUnknown,
                };
                self.take(ix, fact, moment, fresh);
                match (on, due) {
                    (BlockedOn::Timer, Some(due)) => self.set_timer(ix, *due, moment),
                    (BlockedOn::Topic, Some(due)) => self.bound_wait(ix, *due, TimerKind::Wait, moment),
                    (_, Some(due)) => self.bound_wait(ix, *due, TimerKind::Answer, moment),
                    (_, None) => {}
                }
            }
            Event::ApprovalRequested { id, text, digests, due, .. } => {
                self.take(ix, Fact::Asked, moment, fresh);
                if let Some(due) = due {
                    self.bound_wait(ix, *due, TimerKind::Answer, moment);
                }
                let task = &mut self.tasks[ix.at()];
                task.blocked = Some(Blocked::Person);
                let (id, text, digests) = (id.clone(), text.clone(), digests.clone());
                task.approval = Some(Approval { id, text, digests, asked: moment.at, answer: None });
            }
            Event::ApprovalGiven { answer, .. } => {
                let approval = self.tasks[ix.at()].approval.as_mut();
                approval.expect("it was asked before").answer = Some(*answer);
            }
            _ => return false,
        }
        true
    }

    /// A clock has ended a wait.
    pub(crate) fn fire(&mut self, ix: TaskIx, timer: TimerKind, moment: Moment, fresh: &mut Fresh) {
        let wait = self.task(ix).dues;
        match timer {
            TimerKind::Retry => self.take(ix, Fact::RetryDue, moment, fresh),
            TimerKind::Budget => self.fire_purse(ix),
            TimerKind::ScheduleToClose if !self.may_be_given_up(ix) => {
                self.alarms.remove(&(wait.close_by.unwrap_or_default(), ix, timer));
            }
            // The end that follows in the same batch takes it out; without that it fires again.
            TimerKind::Answer
            | TimerKind::Wait
            | TimerKind::Moment
            | TimerKind::ScheduleToStart
            | TimerKind::ScheduleToClose => {}
        }
    }

    /// Whether a task ends as its attempts together have taken too long.
    fn may_be_given_up(&self, ix: TaskIx) -> bool {
        self.task(ix).phase.waits_to_start()
    }

    /// The wait of a task is given up at this moment, if its run is worked on until then.
    fn bound_wait(&mut self, ix: TaskIx, due: Time, timer: TimerKind, moment: Moment) {
        let due = self.active.at(moment.alive).plus(due.since(moment.at));
        self.alarms.insert((due, ix, timer));
        self.tasks[ix.at()].dues.answer_by = Some(due);
    }

    /// The wait of a task ends at this moment: a date is one, and a length of time moves with the clock.
    fn set_timer(&mut self, ix: TaskIx, due: Time, moment: Moment) {
        if self.awaits_date(ix) {
            self.dates.insert((due, ix));
            self.tasks[ix.at()].dues.date = Some(due);
        } else {
            let steady = due.ms - moment.steps_ms;
            self.retries.insert((steady, ix));
            self.tasks[ix.at()].dues.retry = Some(steady);
        }
    }

    fn awaits_date(&self, ix: TaskIx) -> bool {
        matches!(self.spec(self.task(ix)).work, Work::Wait(WaitFor::At(_)))
    }

    /// A task is no longer blocked: nothing of its wait is left.
    pub(crate) fn end_wait(&mut self, ix: TaskIx) {
        let task = &mut self.tasks[ix.at()];
        let is_message = task.blocked == Some(Blocked::Topic);
        if let Some(due) = task.dues.answer_by.take() {
            let timer = if is_message { TimerKind::Wait } else { TimerKind::Answer };
            self.alarms.remove(&(due, ix, timer));
        }
        if let Some(due) = task.dues.date.take() {
            self.dates.remove(&(due, ix));
        }
        if let Some(due) = task.dues.retry.take() {
            self.retries.remove(&(due, ix));
        }
        if is_message {
            self.end_listening(ix);
        }
    }
}

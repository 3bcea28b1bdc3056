//! What the events of an attempt change, in the attempt and in its task. Never: what becomes of the task
//! (`decide/judge.rs`).

use crate::event::{Event, LossReason, Record};
use crate::fold::transition::Moment;
use crate::machine::arrows;
use crate::machine::attempt;
use crate::machine::task::Fact;
use crate::state::{Attempt, Fresh, Run, Task, TaskIx};
use crate::time::Span;

impl Run {
    /// What the events of an attempt change. False where the event is none of those.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the other events of a task are taken apart in `fold/mod.rs`"
    )]
    pub(crate) fn evolve_attempt(
        &mut self,
        ix: TaskIx,
        record: &Record,
        moment: Moment,
        fresh: &mut Fresh,
    ) -> bool {
        match &record.event {
            Event::AttemptStarted { attempt, agent, seen, plan_version, .. } => {
                self.take(ix, Fact::Started, moment, fresh);
                let mut begun = Attempt::new(*attempt, record, agent.clone(), moment);
                begun.seen.clone_from(seen);
                begun.plan_version = *plan_version;
                self.tasks[ix.at()].add(begun);
                self.begin_site(ix);
                if let Some(agent) = agent {
                    self.take_in_hand(ix, agent);
                }
            }
            Event::StopRequested { why, message, grace_ms, .. } => {
                self.take(ix, Fact::StopRequested, moment, fresh);
                self.to_cancel.remove(&ix);
                self.end_plans(ix);
                let attempt = self.newest_attempt(ix);
                attempt.move_by(attempt::Fact::StopRequested);
                let (why, message) =
                    attempt.stop.take().map_or((*why, message.clone()), |(why, message, _)| (why, message));
                attempt.stop = Some((why, message, Span::from_ms(*grace_ms)));
            }
            // What is over is not to be stopped: a wish for its end is met where it is judged, also where the end of the
            // journal was lost right here.
            Event::AttemptFinished { exit, error, output, usage, .. } => {
                self.to_cancel.remove(&ix);
                self.tasks[ix.at()].deaths_in_row = 0;
                let attempt = self.newest_attempt(ix);
                attempt.move_by(attempt::Fact::Finished);
                attempt.error.clone_from(error);
                (attempt.exit, attempt.raw, attempt.usage) = (Some(*exit), Some(output.clone()), *usage);
            }
            Event::AttemptLost { alone, error, reason, .. } => {
                self.to_cancel.remove(&ix);
                let task = &mut self.tasks[ix.at()];
                task.deaths_in_row += u32::from(*reason != LossReason::ReportLost);
                task.tries.losses += u32::from(*alone);
                let attempt = self.newest_attempt(ix);
                attempt.move_by(attempt::Fact::Lost);
                (attempt.lost, attempt.error) = (Some(*reason), Some(error.clone()));
            }
            Event::AttemptReaped { leftovers, .. } => {
                self.take(ix, Fact::Reaped, moment, fresh);
                let attempt = self.newest_attempt(ix);
                attempt.end(moment, *leftovers);
                let member = attempt.member;
                self.end_site(ix, moment);
                self.end_plans(ix);
                self.look_at_result(ix);
                if let Some(member) = member {
                    self.roster.give_back(member);
                }
            }
            Event::ExtractsRecorded { output, error, .. } => {
                let attempt = self.newest_attempt(ix);
                attempt.settled = true;
                attempt.error.clone_from(error);
                self.tasks[ix.at()].output = output.clone();
                self.look_at_result(ix);
            }
            Event::PlanNested { .. } => self.nest(ix, record, moment, fresh),
            Event::ResultIgnored { fence, usage, .. } => {
                let attempts = &mut self.tasks[ix.at()].attempts;
                if let Some(attempt) = attempts.iter_mut().find(|attempt| attempt.fence == *fence) {
                    attempt.ignored = true;
                    attempt.usage = *usage;
                }
            }
            _ => return false,
        }
        true
    }

    pub(crate) fn newest_attempt(&mut self, ix: TaskIx) -> &mut Attempt {
        self.tasks[ix.at()].attempts.last_mut().expect("an attempt was started before")
    }
}

impl Task {
    fn add(&mut self, attempt: Attempt) {
        if self.attempts.is_empty() {
            // Most tasks have one: room for more would be most of the memory of a large run.
            self.attempts.reserve_exact(1);
        }
        self.attempts.push(attempt);
    }
}

impl Attempt {
    /// Nothing is left of it.
    fn end(&mut self, moment: Moment, leftovers: u32) {
        self.move_by(attempt::Fact::Reaped);
        self.ended = Some(moment.at);
        if self.phase != attempt::Phase::Lost {
            self.alive_until = Some(moment.alive);
        }
        self.leftovers = leftovers;
        self.seen.clear();
    }

    fn move_by(&mut self, fact: attempt::Fact) {
        arrows::of_attempt(self.phase, fact);
        let next = self.phase.next(fact);
        self.phase = next
            .unwrap_or_else(|| panic!("attempt {} is {:?}: {fact:?} can't happen", self.number, self.phase));
    }
}

//! What the drivers of the world do with orders, and what they report. Never: a report that no order or process led to.

use windlass_core::effect::{Assignment, Effect};
use windlass_core::event::{Exit, LossReason, StopWhy};
use windlass_core::id::{AttemptKey, Fence};
use windlass_core::input::{Ended, Input, LostAttempt, Report};
use windlass_core::output::RawOutput;

use crate::bring;
use crate::broken::{Verdict, broken};
use crate::case::{End, Reporting};
use crate::invariants::reaped;
use crate::process::{self, Bringing, Process};
use crate::queue::Item;
use crate::world::World;

impl World {
    /// Carries an order out.
    pub(crate) fn perform(&mut self, order: Effect) -> Verdict {
        self.trace.say(|| format!("order: {}", outline(&order)));
        self.checker.order(&order)?;
        match order {
            Effect::SpawnAttempt(assignment) => self.spawn(assignment)?,
            Effect::StopAttempt { fence, grace, .. } => {
                let now = self.clocks.awake;
                if let Some(process) = self.processes.get_mut(&fence) {
                    process.stop(now, grace);
                    let ends_at = process.ends_at;
                    self.queue.send(ends_at, Item::End(fence));
                }
            }
            Effect::SettleOutput { key, fence, raw, settle } => {
                let blob = raw.blob.ok_or_else(|| {
                    broken(
                        "13 effects settle",
                        format!("{key} is to be settled, and its output lies nowhere"),
                    )
                })?;
                let bad = settle.schema.is_some() && self.behaviour(&key).bad_output;
                let output = process::settle(blob, &settle.extracts, &self.store.blobs());
                let too_large = settle.extracts.iter().any(String::is_empty);
                let error = (bad || too_large).then(process::bad_output);
                let output = if error.is_some() { windlass_core::output::Output::default() } else { output };
                let later = self.random.pick(&[0, 1, 30, 3000_u64]);
                let settled = Report::OutputSettled { key, fence, output, error };
                if self.random.chance(100) {
                    self.report(later + 20, settled.clone());
                }
                self.report(later, settled);
            }
            Effect::RunErrand(order) => unreachable!("no draft has worktrees: {order:?}"),
            Effect::LearnAttempt { key, .. } => {
                return Err(broken(
                    "13 effects settle",
                    format!("{key} is to be learned of by an order of a record"),
                ));
            }
        }
        Ok(())
    }

    /// How an attempt goes. What is drawn is kept, so that a failure can be made smaller.
    pub(crate) fn behaviour(&mut self, key: &AttemptKey) -> crate::case::Behaviour {
        let name = key.to_string();
        if let Some(known) = self.case.behaviours.get(&name) {
            return known.clone();
        }
        let drawn = process::behaviour(&self.case, key);
        self.case.behaviours.insert(name, drawn.clone());
        drawn
    }

    fn spawn(&mut self, assignment: Box<Assignment>) -> Verdict {
        let (key, fence) = (assignment.key.clone(), assignment.fence);
        reaped::alone_in_its_place(self, &key)?;
        let mut behaviour = self.behaviour(&key);
        if self.healed && !matches!(behaviour.report, Reporting::Prompt) {
            behaviour.report = Reporting::Prompt;
        }
        let now = self.clocks.awake;
        if let End::NotStarted(kind) = behaviour.end {
            let error = Some(windlass_core::failure::Failure::new(kind, "it could not be started"));
            let ended = Ended {
                key,
                fence,
                exit: Exit::NotStarted,
                error,
                raw: RawOutput::default(),
                output: None,
                usage: windlass_core::event::Usage::default(),
                leftovers: 0,
            };
            let later = u64::from(self.random.below(20));
            self.report(later, Report::Ended(Box::new(ended)));
            return Ok(());
        }
        let ends_at = now + behaviour.takes_ms;
        self.queue.send(ends_at, Item::End(fence));
        if let Some(bound) = assignment.start_to_close {
            self.queue.send(now + bound.ms, Item::Overdue(fence, StopWhy::Timeout));
        }
        if let Some(bound) = assignment.heartbeat.filter(|_| behaviour.silent) {
            self.queue.send(now + bound.ms, Item::Overdue(fence, StopWhy::Stalled));
        }
        let draft = self.task_draft(key.run, &key.task);
        let shape = draft.shape;
        if !bring::may_bring(draft, &key.to_string()) {
            behaviour.brings.clear();
        }
        let bringing = behaviour.begins_with();
        if bringing != Bringing::Done {
            self.queue.send(now + 1, Item::Bring(fence));
        }
        let process =
            Process { assignment, behaviour, shape, started_at: now, ends_at, killed_at: None, bringing };
        self.processes.insert(fence, process);
        Ok(())
    }

    /// The main process of an attempt ends, and with it the rest; how that is reported is another matter.
    pub(crate) fn process_ends(&mut self, fence: Fence) {
        let now = self.clocks.awake;
        let due = self.processes.get(&fence).is_some_and(|process| process.ends_at <= now);
        if !due {
            return;
        }
        let process = self.processes.remove(&fence).expect("it was seen");
        let ended = process.ended(process.ends_at, self.case.seed, &self.store.blobs());
        self.checker.ended(fence, &ended, process.does_its_work());
        if self.engine.is_none() {
            // The engine that started it is gone, and with it whoever its keeper would have told.
            return;
        }
        let report = Report::Ended(Box::new(ended));
        let soon = u64::from(self.random.below(4));
        match process.behaviour.report {
            Reporting::Prompt | Reporting::SaidFailed => self.report(soon, report),
            Reporting::Late(ms) => self.report(ms, report),
            Reporting::Doubled(ms) => {
                self.report(soon, report.clone());
                self.report(ms, report);
            }
            Reporting::Lost => {}
            Reporting::Zombie(ms) => {
                let letter =
                    Item::Letter { engine: None, input: Box::new(Input::Report(report)), reply: None };
                self.queue.send(now + ms, letter);
            }
        }
        if !matches!(process.behaviour.report, Reporting::Prompt) {
            self.queue.send(now + 5000, Item::Lists);
        }
    }

    pub(crate) fn process_is_overdue(&mut self, fence: Fence, why: StopWhy) {
        let Some(process) = self.processes.get(&fence).filter(|process| process.killed_at.is_none()) else {
            return;
        };
        let key = process.assignment.key.clone();
        let message = process::overdue_words(why).to_owned();
        let later = u64::from(self.random.below(3));
        self.report(later, Report::Overdue { key, fence, why, message });
    }

    /// A report that comes from nowhere: about an attempt that is over, or under a fence that never was.
    pub(crate) fn ghost(&mut self, number: u32, kind: u32) {
        let state = &self.checker.shadow;
        let tasks = state.runs.values().flat_map(|run| run.tasks.iter().map(move |task| (run.id, task)));
        let over = tasks.flat_map(|(run, task)| {
            let live = task.live_attempt().map(|attempt| attempt.fence);
            let over = task.attempts.iter().filter(move |attempt| Some(attempt.fence) != live);
            over.map(move |attempt| (task.key(run, attempt), attempt.fence))
        });
        let over: Vec<(AttemptKey, Fence)> = over.collect();
        let at = usize::try_from(number).expect("32 bits fit") % over.len().max(1);
        let Some((key, fence)) = over.get(at).cloned() else { return };
        let never = Fence(fence.0 + 1_000_000);
        let exit = Exit::Code(0);
        let (raw, usage) = (RawOutput::default(), windlass_core::event::Usage::default());
        let output = Some(Ok(windlass_core::output::Output::default()));
        let ended =
            Ended { key: key.clone(), fence: never, exit, error: None, raw, output, usage, leftovers: 0 };
        let report = match kind {
            0 => Report::Ended(Box::new(ended)),
            1 => Report::Overdue { key, fence, why: StopWhy::Timeout, message: "late".into() },
            2 => Report::Overdue { key, fence: never, why: StopWhy::Stalled, message: "nobody's".into() },
            3 => Report::Lost {
                attempts: vec![LostAttempt { key, fence, leftovers: 0 }],
                reason: LossReason::ReportLost,
            },
            _ => {
                let output = windlass_core::output::Output::default();
                Report::OutputSettled { key, fence: never, output, error: None }
            }
        };
        self.report(0, report);
    }

    /// The driver stops one of the attempts that live.
    pub(crate) fn overdue_one(&mut self, number: u32, why: StopWhy) {
        let count = self.processes.len().max(1);
        let at = usize::try_from(number).expect("32 bits fit") % count;
        if let Some(fence) = self.processes.keys().nth(at).copied() {
            self.process_is_overdue(fence, why);
        }
    }
}

/// An order in a few words.
fn outline(order: &Effect) -> String {
    match order {
        Effect::SpawnAttempt(assignment) => {
            format!("spawn {} under fence {}", assignment.key, assignment.fence)
        }
        Effect::LearnAttempt { key, fence } => format!("learn {key} under fence {fence}"),
        Effect::StopAttempt { key, fence, grace } => format!("stop {key} under fence {fence} within {grace}"),
        Effect::RunErrand(order) => format!("an errand for {} under fence {}", order.key, order.fence),
        Effect::SettleOutput { key, fence, .. } => format!("settle the output of {key} under fence {fence}"),
    }
}

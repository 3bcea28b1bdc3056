//! What records say of one task: its attempts, its waits, its end. Never: of those around or below it (`growth.rs`).

use serde_json::Value;
use windlass_core::event::{BlockedOn, Event, LossReason, Record, SkipReason, TimerKind};
use windlass_core::id::{AttemptKey, Epoch, Fence};
use windlass_core::time::Time;

use crate::family::{self, Form};
use crate::invariants::accounts::number;
use crate::invariants::attempts::{failure, is_charged};
use crate::oracle::{Due, End, Life, OAttempt, ORun, OTask};
use crate::process;
use crate::talk::OMessage;

/// When a record was written.
pub(crate) struct Now {
    pub(crate) record_at: Time,
    pub(crate) steps_ms: i64,
    pub(crate) boot: u64,
    pub(crate) unseen_steps: u32,
}

impl Now {
    /// The end of a wait that begins now.
    fn due(&self, at_ms: i64, wait_ms: u64) -> Due {
        Due { steady_ms: at_ms - self.steps_ms, boot: self.boot + wait_ms, unseen_steps: self.unseen_steps }
    }
}

impl ORun {
    /// What events say of messages and of waits for them. False where one is of something else.
    pub(crate) fn take_talk(&mut self, ix: usize, record: &Record, now: &Now, worked: u64) -> bool {
        match &record.event {
            Event::TopicEmitted { topic, data, .. } => {
                let (seq, topic, data) = (record.seq.0, topic.clone(), data.clone());
                let life = &mut self.tasks[ix].life;
                (life.began, life.said) = (true, Some(data.clone()));
                self.messages.push(OMessage { seq, topic, from: Some(ix), data });
            }
            Event::WaitSatisfied { message, .. } => {
                let said = self.messages.iter().find(|one| one.seq == message.0).map(|one| one.data.clone());
                let task = &mut self.tasks[ix];
                task.hears = Some((task.had, task.life.began, task.life.listens));
                (task.life.began, task.life.listens, task.life.said, task.had) =
                    (true, false, said, message.0);
            }
            Event::TaskBlocked { on: BlockedOn::Topic, .. } => {
                let life = &mut self.tasks[ix].life;
                (life.began, life.listens, life.asked_at) = (true, true, worked);
            }
            Event::TaskBlocked { on: BlockedOn::Timer, due: Some(due), .. } => {
                let wait_ms = u64::try_from(due.ms - record.at.ms).unwrap_or(0);
                let life = &mut self.tasks[ix].life;
                life.began = true;
                life.due = Some(now.due(due.ms, wait_ms));
            }
            _ => return false,
        }
        true
    }

    /// What a task gives: its children's values, or that of its newest attempt in truth.
    pub(crate) fn value(&self, ix: usize, key: &dyn Fn(u32) -> AttemptKey, seed: u64) -> Value {
        let task = &self.tasks[ix];
        if family::form(self, task) != Form::Work {
            return family::given(self, task);
        }
        let number = u32::try_from(task.attempts.len()).expect("few");
        process::value(seed, &key(number), self.draft(task).shape)
    }

    pub(crate) fn succeed(
        &mut self,
        ix: usize,
        given: Option<Value>,
        key: &dyn Fn(u32) -> AttemptKey,
        seed: u64,
    ) {
        let task = &self.tasks[ix];
        let passed = || task.passed.as_ref().map(|(_, passed)| passed.clone());
        let output = given.or_else(passed).unwrap_or_else(|| self.value(ix, key, seed));
        let task = &mut self.tasks[ix];
        (task.end, task.output, task.hears) = (Some(End::Succeeded), output, None);
        task.life.accepted = true;
    }
}

impl ORun {
    /// Another attempt of a task, where the run's clock shows this.
    pub(crate) fn begin(&mut self, ix: usize, attempt: OAttempt, worked: u64) {
        self.tasks[ix].begin(attempt, worked);
        self.uses(ix, &mut |used| used.1 += 1);
        self.in_flight.insert(ix);
    }

    /// What becomes of the newest attempt of a task is settled, where it is, and with it whether that is charged.
    pub(crate) fn judge(&mut self, ix: usize, is_judged: bool) {
        let newest = self.tasks[ix].attempts.last_mut();
        let Some(attempt) = newest.filter(|attempt| is_judged && !attempt.is_judged) else { return };
        attempt.is_judged = true;
        let charged = u32::from(failure(attempt).is_none_or(is_charged));
        self.uses(ix, &mut |used| *used = (used.0 + charged, used.1 - 1));
    }

    /// What the newest attempt of a task changes in what the run has used, and all around the task in this incarnation.
    fn uses(&mut self, ix: usize, change: &mut dyn FnMut(&mut (u32, u32))) {
        change(&mut self.used);
        let fence = self.tasks[ix].newest().expect("it was started").fence;
        let mut around = Some(ix);
        while let Some(at) = around {
            let task = &mut self.tasks[at];
            if fence.0 > task.life.from {
                change(&mut task.used);
            }
            around = task.parent;
        }
    }
}

impl OTask {
    pub(crate) fn take(&mut self, event: &Event, now: &Now, worked: u64, attempts_max: u32) {
        match event {
            Event::StopRequested { why, grace_ms, .. } => {
                let attempt = self.attempts.last_mut().expect("it was started");
                attempt.stop = Some((attempt.stop.map_or(*why, |(first, _)| first), *grace_ms));
            }
            Event::AttemptFinished { exit, error, output, .. } => {
                self.deaths_in_row = 0;
                let attempt = self.attempts.last_mut().expect("it was started");
                (attempt.exit, attempt.error) = (Some(*exit), error.clone());
                attempt.is_given_apart = output.blob.is_none() && output.bytes > 0;
            }
            Event::AttemptLost { reason, alone, error, .. } => {
                self.deaths_in_row += u32::from(*reason != LossReason::ReportLost);
                self.life.losses += u32::from(*alone);
                let attempt = self.attempts.last_mut().expect("it was started");
                (attempt.lost, attempt.error) = (Some(*reason), Some(error.clone()));
            }
            Event::ExtractsRecorded { error, .. } => {
                let attempt = self.attempts.last_mut().expect("it was started");
                attempt.is_settled = true;
                attempt.error.clone_from(error);
            }
            Event::TaskParked { due, error, .. } => {
                self.life.once.insert(error.kind);
                let wait_ms = u64::try_from(due.ms - now.record_at.ms).unwrap_or(0);
                let steady_ms = due.ms - now.steps_ms;
                self.life.due =
                    Some(Due { steady_ms, boot: now.boot + wait_ms, unseen_steps: now.unseen_steps });
            }
            Event::RetryScheduled { due, wait_ms, ceiling_ms, error, agent, .. } => {
                if let Some(agent) = agent {
                    self.life.handed_from.extend(self.attempts.last().and_then(|attempt| attempt.agent));
                    self.life.handed_to = Some(number(agent));
                    self.life.granted += u32::from(self.life.charged + 1 >= attempts_max + self.life.granted);
                }
                self.life.charged += u32::from(is_charged(error.kind));
                self.life.once.insert(error.kind);
                self.life.ceiling_ms = *ceiling_ms;
                let wait_ms = u64::try_from(due.ms - now.record_at.ms).unwrap_or(0).min(*wait_ms);
                self.life.due = (wait_ms > 0).then_some(now.due(due.ms, wait_ms));
            }
            Event::AgentNamed { agent, .. } => self.life.named = Some((number(agent), self.attempts.len())),
            Event::BudgetReached { .. } => self.life.is_used_up = true,
            Event::TimerFired { timer: TimerKind::Retry, .. } => self.life.due = None,
            Event::TimerFired { timer: TimerKind::Moment, .. } => self.life.has_fired = true,
            Event::TaskBlocked { .. } => (self.life.is_unknown, self.life.asked_at) = (true, worked),
            Event::TaskSkipped { reason, .. } => {
                self.end = Some(if *reason == SkipReason::When { End::WhenFalse } else { End::Upstream });
            }
            Event::TaskUnskipped { .. } => {
                (self.end, self.life) = (None, std::mem::take(&mut self.life).unskipped());
            }
            Event::TaskDead { .. } => (self.end, self.output) = (Some(End::Dead), Value::Null),
            Event::TaskCancelled { .. } => (self.end, self.output) = (Some(End::Cancelled), Value::Null),
            _ => {}
        }
    }
}

impl OTask {
    /// The end of the journal is gone: what was about to end it has not.
    pub(crate) fn has_lost_its_end(&mut self) {
        if self.end.is_some() {
            return;
        }
        self.life.settled_as = None;
        if let Some(question) = &mut self.question {
            question.answer = None;
        }
        if let Some((had, began, listens)) = self.hears.take() {
            (self.had, self.life.began, self.life.listens) = (had, began, listens);
        }
    }

    fn begin(&mut self, attempt: OAttempt, worked: u64) {
        self.attempts.push(attempt);
        self.life.began = true;
        self.life.ready_at.get_or_insert(worked);
    }
}

impl Life {
    /// The same incarnation goes on: what its attempts came to counts, and whom a person let try tries.
    fn unskipped(self) -> Self {
        let Self { charged, losses, ceiling_ms, once, handed_from, handed_to, granted, from, .. } = self;
        Self { charged, losses, ceiling_ms, once, handed_from, handed_to, granted, from, ..Self::default() }
    }
}

impl OAttempt {
    pub(crate) fn new(fence: Fence, epoch: Epoch, at: Time) -> Self {
        Self {
            fence,
            epoch,
            agent: None,
            account: None,
            stop: None,
            exit: None,
            error: None,
            lost: None,
            is_settled: false,
            is_given_apart: false,
            is_reaped: false,
            is_judged: false,
            ended_steady_ms: at.ms,
        }
    }
}

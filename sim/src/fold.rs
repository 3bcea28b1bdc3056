//! How the oracle takes records in: what each says of the home, of its run, and of which task. Never: judging them; the
//! invariants do that before.

use std::collections::{BTreeMap, BTreeSet};

use windlass_core::event::{BlockedOn, Event, Record, Role};
use windlass_core::failure::ErrorKind;
use windlass_core::id::{AttemptKey, Digest, Fence, RunId, TaskId};

use crate::accounts::{self, hold_to};
use crate::invariants::accounts::number;
use crate::invariants::attempts::failure;
use crate::invariants::blobs;
use crate::invariants::commands::command_of;
use crate::lives::Now;
use crate::oracle::{Live, OAttempt, ORun, OTask, Oracle, Question};
use crate::scope::{self, OScope};
use crate::talk::{self, OMessage};

impl Oracle {
    /// Takes a record in, after the invariants have looked at it.
    pub(crate) fn take(&mut self, record: &Record) {
        self.seq = record.seq;
        self.at = record.at;
        if let Event::EngineStarted { last_alive_ms, .. } = record.event {
            let lived = self.worked - self.witnessed;
            self.unseen_ms += lived.saturating_sub(last_alive_ms.unwrap_or_default());
        }
        self.witnessed = self.worked;
        self.record_boot = self.boot;
        self.met_full_disk = self.meets_full_disk(record);
        self.commands.extend(command_of(&record.event).cloned());
        self.blobs.extend(blobs::named(&record.event).into_iter().flatten());
        match &record.event {
            Event::EngineStarted { epoch, role, .. } => {
                self.epoch = *epoch;
                self.role = Some(*role);
                self.died_with = self.live.len();
                self.has_lost_power = false;
                let now = self.worked;
                self.runs.values_mut().for_each(|run| run.stand(now));
            }
            Event::JournalRepaired { .. } => {
                let tasks = self.runs.values_mut().flat_map(|run| &mut run.tasks);
                tasks.for_each(OTask::has_lost_its_end);
            }
            Event::ClockJumped { by_ms, .. } => self.steps_ms += by_ms,
            Event::BreakerChanged { account, .. } | Event::ConcurrencyChanged { account, .. } => {
                let known = self.accounts.get_mut(&*account.0).expect("it was called");
                known.take(&record.event, record.seq, self.steps_ms);
            }
            Event::RunCreated { run, plan, .. } => {
                self.create(*run, plan);
                self.note(*run);
            }
            other => {
                let Some(run) = other.run() else { return };
                self.take_of_run(run, record);
                self.note(run);
            }
        }
    }

    fn note(&mut self, run: RunId) {
        let run = self.runs.get_mut(&run).expect("it was created");
        run.note_conditions();
        run.note_rest();
    }

    fn meets_full_disk(&self, record: &Record) -> Option<RunId> {
        let (id, run, task) = self.at(&record.event).filter(|_| judges(&record.event))?;
        let attempt = task.newest().filter(|attempt| attempt.is_reaped && !attempt.is_judged)?;
        (failure(attempt) == Some(ErrorKind::DiskFull) && self.is_active(run)).then_some(id)
    }

    fn create(&mut self, id: RunId, plan: &Digest) {
        let (plan, draft) = self.drafts[plan].clone();
        let works_since = (self.role == Some(Role::Engine)).then_some(self.worked);
        hold_to(&mut self.accounts, scope::rated(&plan, &draft, &[]));
        let mut run = ORun {
            scopes: Vec::new(),
            tasks: Vec::new(),
            names: BTreeMap::new(),
            messages: Vec::new(),
            went_on: None,
            pauses: BTreeMap::new(),
            paused_now: false,
            outcome: None,
            host: self.epoch,
            cancelled: false,
            raised: (0, 0),
            reached: None,
            worked: 0,
            stops: 0,
            works_since,
            used: (0, 0),
            in_flight: BTreeSet::new(),
            last_turns: BTreeMap::new(),
            plan,
            draft,
        };
        let scope = OScope::of_run(&run.plan, &run.draft);
        run.plant(scope, None);
        self.runs.insert(id, run);
    }

    fn take_of_run(&mut self, id: RunId, record: &Record) {
        let (epoch, role, worked) = (self.epoch, self.role, self.worked);
        let run = self.runs.get_mut(&id).expect("it was created");
        run.reached = None;
        match &record.event {
            Event::PlanRevised { plan, .. } => {
                let (plan, draft) = self.drafts[plan].clone();
                hold_to(&mut self.accounts, scope::rated(&plan, &draft, &[]));
                (run.plan, run.draft) = (plan, draft);
                run.revise(OScope::of_run(&run.plan, &run.draft));
            }
            Event::PauseRequested { reason, now, .. } => {
                run.paused_now |= *now;
                run.pauses.entry(*reason).or_insert(false);
                run.stand(worked);
            }
            Event::RunPaused { reason, .. } => drop(run.pauses.insert(*reason, true)),
            Event::RunResumed { raised, .. } => {
                run.paused_now = false;
                run.raised.0 += raised.attempts;
                run.raised.1 += raised.wall.ms;
                run.pauses.clear();
                run.host = epoch;
                run.works_since = (role == Some(Role::Engine)).then_some(run.works_since.unwrap_or(worked));
            }
            Event::RunReopened { .. } => {
                (run.outcome, run.cancelled, run.host) = (None, false, epoch);
                run.paused_now = false;
                run.pauses.clear();
                run.works_since = (role == Some(Role::Engine)).then_some(worked);
            }
            Event::BudgetReached { task: None, budget, .. } => run.reached = Some(*budget),
            Event::RunFinished { outcome, .. } => {
                run.outcome = Some(*outcome);
                run.stand(worked);
            }
            Event::CancelRequested { task, cause, .. } => {
                run.wish(task.as_ref());
                if let (Some(task), Some(_)) = (task, cause) {
                    run.tasks[run.names[task]].life.is_spared = true;
                }
            }
            Event::TopicEmitted { task: None, topic, data, .. } => {
                let (seq, topic, data) = (record.seq.0, topic.clone(), data.clone());
                run.messages.push(OMessage { seq, topic, from: None, data });
            }
            other => {
                let task = other.task().expect("the rest belongs to tasks").clone();
                if !self.take_loan(id, &task, other) {
                    self.take_of_task(id, &task, record);
                    self.give_back(id, &task);
                }
            }
        }
    }

    fn take_of_task(&mut self, id: RunId, name: &TaskId, record: &Record) {
        let now = Now {
            record_at: record.at,
            steps_ms: self.steps_ms,
            boot: self.boot,
            unseen_steps: self.unseen_steps,
        };
        let (epoch, seed, fence) = (self.epoch, self.seed, Fence::from(record.seq));
        let run = self.runs.get_mut(&id).expect("it was created");
        let worked = run.worked(self.worked);
        let ix = run.names[name];
        let unties =
            matches!(&record.event, Event::TaskDead { error, .. } if error.kind == ErrorKind::Deadlock);
        run.went_on = unties.then(|| run.went_on.take().unwrap_or_else(|| talk::going(run)));
        run.judge(ix, judges(&record.event));
        match &record.event {
            Event::AttemptStarted { alone, agent, .. } => {
                self.live.insert(fence, Live { run: id, task: ix, alone: *alone });
                let agent = agent.as_ref().map(number);
                let called = (fence, record.at.ms - now.steps_ms);
                let account = accounts::call(&mut self.accounts, (run, ix), agent, called);
                let attempt = OAttempt { agent, account, ..OAttempt::new(fence, epoch, record.at) };
                run.begin(ix, attempt, worked);
            }
            Event::AttemptReaped { .. } => {
                let attempt = run.tasks[ix].attempts.last_mut().expect("it was started");
                (attempt.is_reaped, attempt.ended_steady_ms) = (true, record.at.ms - now.steps_ms);
                self.live.remove(&attempt.fence);
                run.in_flight.remove(&ix);
                accounts::hang_up(&mut self.accounts, run, ix);
            }
            Event::TaskExpanded { into, .. } => run.expand(ix, into),
            Event::ResultSelected { child, .. } => run.choose(ix, child.as_ref()),
            Event::TaskBlocked { on: BlockedOn::Select, output, .. } => {
                let key = |attempt| AttemptKey { run: id, task: name.clone(), attempt };
                let given = output.as_ref().map(|output| output.value.clone());
                let value = given.unwrap_or_else(|| run.value(ix, &key, seed));
                run.tasks[ix].life.is_unknown = false;
                run.tasks[ix].passed = Some((record.seq.0, value));
            }
            Event::ApprovalRequested { id, digests, .. } => {
                let shown =
                    digests.keys().filter_map(|shown| Some((shown.clone(), run.task(shown)?.output.clone())));
                let shown = shown.collect();
                let task = &mut run.tasks[ix];
                (task.life.began, task.life.asked_at) = (true, worked);
                task.question = Some(Question { id: id.clone(), shown, answer: None });
            }
            Event::TaskSucceeded { output, .. } => {
                let given = output.as_ref().map(|output| output.value.clone());
                run.succeed(ix, given, &|attempt| AttemptKey { run: id, task: name.clone(), attempt }, seed);
            }
            Event::TaskRequeued { agent, prompt, .. } => {
                let otherwise = (agent.as_ref().map(number), prompt.is_some());
                run.begin_anew(ix, otherwise, (record.seq.0, worked));
            }
            Event::TaskUnblocked { answer, .. } => run.tasks[ix].life.settled_as = Some(*answer),
            Event::ApprovalGiven { answer, .. } => {
                let question = run.tasks[ix].question.as_mut();
                question.expect("it was asked").answer = Some(*answer);
            }
            _ if run.take_talk(ix, record, &now, worked) => {}
            other => {
                let attempts_max = run.spec(&run.tasks[ix]).retry.max_attempts;
                run.tasks[ix].take(other, &now, worked, attempts_max);
            }
        }
        let task = &mut run.tasks[ix];
        task.ended = task.end.and(task.ended.or(Some(record.seq.0)));
    }
}

/// Whether an event says what became of a task whose attempt is over.
fn judges(event: &Event) -> bool {
    matches!(
        event,
        Event::RetryScheduled { .. }
            | Event::TaskParked { .. }
            | Event::TaskBlocked { .. }
            | Event::TaskSucceeded { .. }
            | Event::TaskDead { .. }
            | Event::TaskCancelled { .. }
    )
}

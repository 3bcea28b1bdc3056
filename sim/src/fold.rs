//! How the oracle takes records in. Never: judging them; the invariants do that before.

use std::collections::BTreeMap;

use serde_json::Value;
use windlass_core::event::{BlockedOn, Event, Expansion, LossReason, Record, Role, SkipReason, TimerKind};
use windlass_core::failure::ErrorKind;
use windlass_core::id::{AttemptKey, Epoch, Fence, RunId, TaskId};
use windlass_core::time::Time;

use crate::accounts;
use crate::family::{self, Choice, Form};
use crate::invariants::accounts::number;
use crate::invariants::attempts::failure;
use crate::invariants::commands::command_of;
use crate::oracle::{Due, End, Life, Live, OAttempt, ORun, OTask, Oracle, Question};
use crate::process;
use crate::scope::{self, OScope};
use crate::talk::{self, OMessage};

impl Oracle {
    /// Takes a record in, after the invariants have looked at it.
    pub(crate) fn take(&mut self, record: &Record) {
        self.seq = record.seq;
        self.at = record.at;
        if matches!(record.event, Event::EngineStarted { .. }) {
            self.unseen_ms += self.worked - self.witnessed;
        }
        self.witnessed = self.worked;
        self.record_boot = self.boot;
        self.met_full_disk = self.meets_full_disk(record);
        self.commands.extend(command_of(&record.event).cloned());
        match &record.event {
            Event::EngineStarted { epoch, role, .. } => {
                self.epoch = *epoch;
                self.role = Some(*role);
                self.died_with = self.live.len();
                let now = self.worked;
                self.runs.values_mut().for_each(|run| run.stand(now));
            }
            Event::ClockJumped { by_ms, .. } => self.steps_ms += by_ms,
            Event::BreakerChanged { account, .. } | Event::ConcurrencyChanged { account, .. } => {
                let known = self.accounts.get_mut(&*account.0).expect("it was called");
                known.take(&record.event, record.seq, self.steps_ms);
            }
            Event::RunCreated { run, .. } => {
                self.create(*run);
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

    fn create(&mut self, id: RunId) {
        let (plan, draft) = self.drafts[&id].clone();
        let works_since = (self.role == Some(Role::Engine)).then_some(self.worked);
        let mut run = ORun {
            rated: scope::rated(&plan, &draft, &[]),
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
            Event::BudgetReached { budget, .. } => run.reached = Some(*budget),
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
            other => {
                let task = other.task().expect("the rest belongs to tasks").clone();
                self.take_of_task(id, &task, record);
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
        if let (true, Some(attempt)) = (judges(&record.event), run.tasks[ix].attempts.last_mut()) {
            attempt.is_judged = true;
        }
        match &record.event {
            Event::AttemptStarted { alone, agent, .. } => {
                self.live.insert(fence, Live { run: id, task: ix, alone: *alone });
                let agent = agent.as_ref().map(number);
                accounts::call(&mut self.accounts, (run, ix), agent, (fence, record.at.ms - now.steps_ms));
                run.tasks[ix].attempts.push(OAttempt { agent, ..OAttempt::new(fence, epoch, record.at) });
                let life = &mut run.tasks[ix].life;
                (life.began, life.ready_at) = (true, life.ready_at.or(Some(worked)));
            }
            Event::AttemptReaped { .. } => {
                let attempt = run.tasks[ix].attempts.last_mut().expect("it was started");
                (attempt.is_reaped, attempt.ended_steady_ms) = (true, record.at.ms - now.steps_ms);
                self.live.remove(&attempt.fence);
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
                run.begin_anew(ix, agent.as_ref().map(number), prompt.is_some());
            }
            Event::TaskUnblocked { answer, .. } => {
                run.tasks[ix].life.settled_as = Some(*answer);
            }
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

/// When a record was written.
struct Now {
    record_at: Time,
    steps_ms: i64,
    boot: u64,
    unseen_steps: u32,
}

impl Now {
    /// The end of a wait that begins now.
    fn due(&self, at_ms: i64, wait_ms: u64) -> Due {
        Due { steady_ms: at_ms - self.steps_ms, boot: self.boot + wait_ms, unseen_steps: self.unseen_steps }
    }
}

impl ORun {
    /// What events say of messages and of waits for them. False where one is of something else.
    fn take_talk(&mut self, ix: usize, record: &Record, now: &Now, worked: u64) -> bool {
        match &record.event {
            Event::TopicEmitted { topic, data, .. } => {
                let (seq, topic, data) = (record.seq.0, topic.clone(), data.clone());
                let life = &mut self.tasks[ix].life;
                (life.began, life.said) = (true, Some(data.clone()));
                self.messages.push(OMessage { seq, topic, from: ix, data });
            }
            Event::WaitSatisfied { message, .. } => {
                let said = self.messages.iter().find(|one| one.seq == message.0).map(|one| one.data.clone());
                let task = &mut self.tasks[ix];
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

    fn wish(&mut self, task: Option<&TaskId>) {
        let meant: Vec<usize> = match task {
            None => {
                self.cancelled = true;
                (0..self.tasks.len()).collect()
            }
            Some(name) => self.family(self.names[name]),
        };
        for ix in meant {
            let task = &mut self.tasks[ix];
            task.life.cancel_wished |= task.end.is_none();
            task.life.spared_for = None;
        }
    }

    fn expand(&mut self, ix: usize, into: &Expansion) {
        let count = match into {
            Expansion::Items(items) => items.len(),
            Expansion::Round(_) => 1,
            Expansion::Replicas(count) => usize::try_from(*count).expect("few"),
            Expansion::Plan { .. } => 0,
        };
        self.tasks[ix].is_expanded = true;
        self.tasks[ix].life.began = true;
        if matches!(into, Expansion::Plan { .. }) {
            let scope = self.scope_within(&self.tasks[ix]);
            self.plant(scope, Some(ix));
        }
        for _ in 0..count {
            let number = u32::try_from(self.tasks[ix].children.len()).expect("capped");
            let parent = &self.tasks[ix];
            let child = OTask {
                drafted: parent.drafted,
                layer: parent.layer + 1,
                parent: Some(ix),
                ..OTask::new(parent.id.child(number), parent.scope, parent.spec)
            };
            self.bear(child);
        }
    }

    /// The tasks of a plan: the run's own, or that of a task.
    fn plant(&mut self, scope: OScope, parent: Option<usize>) {
        let number = self.scopes.len();
        for (spec, task) in scope.plan.tasks.iter().enumerate() {
            let around = parent.map(|parent| &self.tasks[parent].id);
            let id = around.map_or_else(|| task.id.clone(), |around| around.inside(&task.id));
            self.bear(OTask { parent, drafted: scope.drafted(spec), ..OTask::new(id, number, spec) });
        }
        self.scopes.push(scope);
    }

    fn bear(&mut self, task: OTask) {
        let ix = self.tasks.len();
        self.names.insert(task.id.clone(), ix);
        if let Some(parent) = task.parent {
            self.tasks[parent].children.push(ix);
        }
        self.tasks.push(task);
    }

    /// A task and all that is below it.
    fn family(&self, of: usize) -> Vec<usize> {
        let around = |ix: usize| std::iter::successors(Some(ix), |at| self.tasks[*at].parent);
        (0..self.tasks.len()).filter(|ix| around(*ix).any(|at| at == of)).collect()
    }

    /// One of the replicas is taken, or none: the others are to end.
    fn choose(&mut self, ix: usize, child: Option<&TaskId>) {
        let taken = child.map(|child| self.names[child]);
        self.tasks[ix].choice = Some(taken.map_or(Choice::None, Choice::Taken));
        for other in self.tasks[ix].children.clone().into_iter().filter(|other| Some(*other) != taken) {
            for member in self.family(other) {
                let task = &mut self.tasks[member];
                task.life.cancel_wished |= task.end.is_none();
            }
        }
    }

    /// A new incarnation of a task begins.
    fn begin_anew(&mut self, ix: usize, handed_to: Option<u32>, is_asked_otherwise: bool) {
        let task = &mut self.tasks[ix];
        (task.end, task.life, task.deaths_in_row) = (None, Life { handed_to, ..Life::default() }, 0);
        task.is_asked_otherwise = is_asked_otherwise;
        (task.output, task.is_expanded) = (Value::Null, !task.children.is_empty());
        (task.passed, task.choice) = (None, None);
        task.life.began = task.is_expanded;
        self.begin_rounds(ix);
        // Nobody wishes the whole run to end any more: a task of it goes on.
        self.cancelled = false;
    }

    /// A parent that goes on though its last round succeeded counts its rounds anew.
    fn begin_rounds(&mut self, ix: usize) {
        let task = &self.tasks[ix];
        let last = task.children.last().and_then(|last| self.tasks[*last].end);
        if family::form(self, task) == Form::Rounds && last == Some(End::Succeeded) {
            self.tasks[ix].earlier_children = self.tasks[ix].children.len();
        }
    }

    /// What a task gives: its children's values, or that of its newest attempt in truth.
    fn value(&self, ix: usize, key: &dyn Fn(u32) -> AttemptKey, seed: u64) -> Value {
        let task = &self.tasks[ix];
        if family::form(self, task) != Form::Work {
            return family::given(self, task);
        }
        let number = u32::try_from(task.attempts.len()).expect("few");
        process::value(seed, &key(number), self.draft(task).shape)
    }

    fn succeed(&mut self, ix: usize, given: Option<Value>, key: &dyn Fn(u32) -> AttemptKey, seed: u64) {
        let task = &self.tasks[ix];
        let passed = || task.passed.as_ref().map(|(_, passed)| passed.clone());
        let output = given.or_else(passed).unwrap_or_else(|| self.value(ix, key, seed));
        let task = &mut self.tasks[ix];
        (task.end, task.output) = (Some(End::Succeeded), output);
        task.life.accepted = true;
    }
}

impl OTask {
    fn new(id: TaskId, scope: usize, spec: usize) -> Self {
        Self {
            id,
            scope,
            spec,
            drafted: 0,
            layer: 0,
            parent: None,
            children: Vec::new(),
            is_expanded: false,
            passed: None,
            choice: None,
            earlier_children: 0,
            end: None,
            output: Value::Null,
            attempts: Vec::new(),
            deaths_in_row: 0,
            is_asked_otherwise: false,
            question: None,
            ended: None,
            had: 0,
            life: Life::default(),
        }
    }

    fn take(&mut self, event: &Event, now: &Now, worked: u64, attempts_max: u32) {
        match event {
            Event::StopRequested { why, grace_ms, .. } => {
                let attempt = self.attempts.last_mut().expect("it was started");
                attempt.stop = Some((attempt.stop.map_or(*why, |(first, _)| first), *grace_ms));
            }
            Event::AttemptFinished { exit, error, .. } => {
                self.deaths_in_row = 0;
                let attempt = self.attempts.last_mut().expect("it was started");
                (attempt.exit, attempt.error) = (Some(*exit), error.clone());
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
                self.life.charged += u32::from(crate::invariants::attempts::is_charged(error.kind));
                self.life.once.insert(error.kind);
                self.life.ceiling_ms = *ceiling_ms;
                let wait_ms = u64::try_from(due.ms - now.record_at.ms).unwrap_or(0).min(*wait_ms);
                self.life.due = (wait_ms > 0).then_some(now.due(due.ms, wait_ms));
            }
            Event::TimerFired { timer: TimerKind::Retry, .. } => self.life.due = None,
            Event::TimerFired { timer: TimerKind::Moment, .. } => {
                (self.life.due, self.life.has_fired) = (None, true);
            }
            Event::TaskBlocked { .. } => (self.life.is_unknown, self.life.asked_at) = (true, worked),
            Event::TaskSkipped { reason, .. } => {
                self.end = Some(if *reason == SkipReason::When { End::WhenFalse } else { End::Upstream });
            }
            Event::TaskUnskipped { .. } => {
                // Whom a person let try tries, once its turn comes.
                let handed_to = self.life.handed_to;
                (self.end, self.life) = (None, Life { handed_to, ..Life::default() });
            }
            Event::TaskDead { .. } => (self.end, self.output) = (Some(End::Dead), Value::Null),
            Event::TaskCancelled { .. } => (self.end, self.output) = (Some(End::Cancelled), Value::Null),
            _ => {}
        }
    }
}

impl OAttempt {
    fn new(fence: Fence, epoch: Epoch, at: Time) -> Self {
        Self {
            fence,
            epoch,
            agent: None,
            stop: None,
            exit: None,
            error: None,
            lost: None,
            is_settled: false,
            is_reaped: false,
            is_judged: false,
            ended_steady_ms: at.ms,
        }
    }
}

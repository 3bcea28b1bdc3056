//! What the journal says, understood a second time: plain facts about runs, tasks and attempts, in words of their own.
//! The invariants are checked against this. Never: a call into the core's policies, or into its state.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;
use windlass_core::event::{
    ApprovalAnswer, Event, Exit, LossReason, Record, Role, RunOutcome, Settlement, SkipReason, StopWhy,
};
use windlass_core::failure::{ErrorKind, Failure};
use windlass_core::id::{AttemptKey, CommandId, Epoch, Fence, RunId, Seq, TaskId};
use windlass_core::plan::{self, Plan};
use windlass_core::time::Time;

use crate::draft::{RunDraft, TaskDraft};
use crate::invariants::joins::{self, Standing};
use crate::process;

/// Everything that the journal says.
pub(crate) struct Oracle {
    pub(crate) seed: u64,
    pub(crate) slots: u32,
    pub(crate) seq: Seq,
    pub(crate) at: Time,
    pub(crate) epoch: Epoch,
    pub(crate) role: Option<Role>,
    pub(crate) runs: BTreeMap<RunId, ORun>,
    pub(crate) live: BTreeMap<Fence, Live>,
    /// The sum of the wall clock's steps, as far as journaled.
    pub(crate) steps_ms: i64,
    /// How many attempts were live when the newest opening began.
    pub(crate) died_with: usize,
    /// How many attempts were live when the keeper of each of these died.
    pub(crate) keeper_deaths: BTreeMap<Fence, usize>,
    /// How often an engine found the wall clock set while none lived.
    pub(crate) unseen_steps: u32,
    /// What the world's clocks show: since boot, and awake with an engine alive.
    pub(crate) boot: u64,
    pub(crate) worked: u64,
    /// How attempts really ended.
    pub(crate) truth: BTreeMap<Fence, Truth>,
    pub(crate) commands: BTreeSet<CommandId>,
    /// The drafts of the plans, by the runs they may become.
    pub(crate) drafts: BTreeMap<RunId, (Arc<Plan>, RunDraft)>,
}

/// An attempt that holds a slot.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    pub(crate) run: RunId,
    pub(crate) task: usize,
    pub(crate) alone: bool,
}

/// How an attempt really ended.
#[derive(Clone, Debug)]
pub(crate) struct Truth {
    /// It ended with 0, unstopped, and nothing was wrong with what it gave.
    pub(crate) well: bool,
}

/// A run.
pub(crate) struct ORun {
    pub(crate) plan: Arc<Plan>,
    pub(crate) draft: RunDraft,
    pub(crate) tasks: Vec<OTask>,
    pub(crate) names: BTreeMap<TaskId, usize>,
    pub(crate) is_paused: bool,
    pub(crate) outcome: Option<RunOutcome>,
    pub(crate) host: Epoch,
    pub(crate) cancelled: bool,
    /// How long it was worked on, by the world's clock, and since when it is.
    worked: u64,
    works_since: Option<u64>,
}

/// A task.
#[derive(Clone, Debug)]
pub(crate) struct OTask {
    pub(crate) id: TaskId,
    pub(crate) spec: usize,
    pub(crate) parent: Option<usize>,
    pub(crate) children: Vec<usize>,
    pub(crate) is_expanded: bool,
    pub(crate) end: Option<End>,
    pub(crate) output: Value,
    pub(crate) attempts: Vec<OAttempt>,
    pub(crate) deaths_in_row: u32,
    pub(crate) question: Option<Question>,
    /// Since its last requeue.
    pub(crate) life: Life,
}

/// An incarnation.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact that the journal says or does not say")]
pub(crate) struct Life {
    /// Something was started, asked or expanded.
    pub(crate) began: bool,
    pub(crate) accepted: bool,
    /// Its condition has held since its join was met: it is looked at once, and others go on.
    pub(crate) held: bool,
    pub(crate) charged: u32,
    pub(crate) losses: u32,
    pub(crate) ceiling_ms: u64,
    pub(crate) once: BTreeSet<ErrorKind>,
    /// The next attempt is not before: by the wall less its steps, and by the world's clock.
    pub(crate) due: Option<Due>,
    pub(crate) cancel_wished: bool,
    pub(crate) is_unknown: bool,
    pub(crate) settled_as: Option<Settlement>,
    /// What the run's clock showed when its join was first seen met.
    pub(crate) ready_at: Option<u64>,
    /// The same, when it was last asked or blocked.
    pub(crate) asked_at: u64,
    /// No attempt follows: the last failure was final.
    pub(crate) gave_up: bool,
}

/// When the next attempt may start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Due {
    pub(crate) steady_ms: i64,
    pub(crate) boot: u64,
    pub(crate) unseen_steps: u32,
}

/// A question to a person.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) id: String,
    /// What the tasks that it shows had given when it was asked.
    pub(crate) shown: BTreeMap<TaskId, Value>,
    pub(crate) answer: Option<ApprovalAnswer>,
}

/// An attempt.
#[derive(Clone, Debug)]
pub(crate) struct OAttempt {
    pub(crate) fence: Fence,
    pub(crate) epoch: Epoch,
    pub(crate) stop: Option<(StopWhy, u64)>,
    pub(crate) exit: Option<Exit>,
    pub(crate) error: Option<Failure>,
    pub(crate) lost: Option<LossReason>,
    pub(crate) is_settled: bool,
    pub(crate) is_reaped: bool,
    pub(crate) is_judged: bool,
    pub(crate) ended_at: Time,
}

/// How a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Succeeded,
    WhenFalse,
    Upstream,
    Dead,
    Cancelled,
}

impl ORun {
    pub(crate) fn task(&self, id: &TaskId) -> Option<&OTask> {
        self.names.get(id).map(|ix| &self.tasks[*ix])
    }

    pub(crate) fn spec(&self, task: &OTask) -> &plan::Task {
        &self.plan.tasks[task.spec]
    }

    pub(crate) fn draft(&self, task: &OTask) -> &TaskDraft {
        let label = crate::draft::label(&task.id);
        self.draft.tasks.iter().find(|draft| draft.label == label).expect("it was drafted")
    }

    /// The task of the plan with this label.
    pub(crate) fn labelled(&self, label: u32) -> Option<&OTask> {
        self.tasks.iter().find(|task| task.parent.is_none() && crate::draft::label(&task.id) == label)
    }

    /// How long it was worked on.
    pub(crate) fn worked(&self, now: u64) -> u64 {
        self.worked + self.works_since.map_or(0, |since| now - since)
    }

    /// Notes whose condition holds, of those whose join is met.
    fn note_conditions(&mut self) {
        for ix in 0..self.plan.tasks.len() {
            let task = &self.tasks[ix];
            if task.end.is_some()
                || task.life.began
                || task.life.held
                || joins::standing(self, task) != Standing::Met
            {
                continue;
            }
            self.tasks[ix].life.held = joins::condition(self, self.draft(&self.tasks[ix])) == Ok(true);
        }
    }

    fn stand(&mut self, now: u64) {
        self.worked = self.worked(now);
        self.works_since = None;
    }
}

impl OTask {
    pub(crate) fn newest(&self) -> Option<&OAttempt> {
        self.attempts.last()
    }

    /// Whether its newest attempt waits for its output to be settled.
    pub(crate) fn awaits_settling(&self) -> bool {
        self.end.is_none()
            && self.newest().is_some_and(|attempt| {
                let well = attempt.lost.is_none() && attempt.stop.is_none() && attempt.error.is_none();
                attempt.is_reaped && well && !attempt.is_settled
            })
    }
}

impl Oracle {
    pub(crate) fn is_active(&self, run: &ORun) -> bool {
        let lives = self.role == Some(Role::Engine) && run.host == self.epoch;
        lives && !run.is_paused && run.outcome.is_none()
    }

    /// The run and task of an event.
    pub(crate) fn at(&self, event: &Event) -> Option<(RunId, &ORun, &OTask)> {
        let run = event.run()?;
        let of = self.runs.get(&run)?;
        Some((run, of, of.task(event.task()?)?))
    }

    /// Takes a record in, after the invariants have looked at it.
    pub(crate) fn take(&mut self, record: &Record) {
        self.seq = record.seq;
        self.at = record.at;
        match &record.event {
            Event::EngineStarted { epoch, role, .. } => {
                self.epoch = *epoch;
                self.role = Some(*role);
                self.died_with = self.live.len();
                let now = self.worked;
                self.runs.values_mut().for_each(|run| run.stand(now));
            }
            Event::ClockJumped { by_ms, .. } => self.steps_ms += by_ms,
            Event::RunCreated { run, command, .. } => {
                self.commands.insert(command.clone());
                self.create(*run);
                self.runs.get_mut(run).expect("it was created").note_conditions();
            }
            other => {
                let Some(run) = other.run() else { return };
                self.take_of_run(run, record);
                self.runs.get_mut(&run).expect("it was created").note_conditions();
            }
        }
    }

    fn create(&mut self, id: RunId) {
        let (plan, draft) = self.drafts[&id].clone();
        let tasks = plan.tasks.iter().enumerate().map(|(spec, task)| OTask::new(task.id.clone(), spec, None));
        let tasks: Vec<OTask> = tasks.collect();
        let names = tasks.iter().enumerate().map(|(ix, task)| (task.id.clone(), ix)).collect();
        let works_since = (self.role == Some(Role::Engine)).then_some(self.worked);
        let run = ORun {
            plan,
            draft,
            tasks,
            names,
            is_paused: false,
            outcome: None,
            host: self.epoch,
            cancelled: false,
            worked: 0,
            works_since,
        };
        self.runs.insert(id, run);
    }

    fn take_of_run(&mut self, id: RunId, record: &Record) {
        let (epoch, role, worked) = (self.epoch, self.role, self.worked);
        let run = self.runs.get_mut(&id).expect("it was created");
        match &record.event {
            Event::PauseRequested { command, .. } => drop(self.commands.insert(command.clone())),
            Event::RunPaused { .. } => {
                run.is_paused = true;
                run.stand(worked);
            }
            Event::RunResumed { command, .. } => {
                self.commands.extend(command.clone());
                run.is_paused = false;
                run.host = epoch;
                run.works_since = (role == Some(Role::Engine)).then_some(run.works_since.unwrap_or(worked));
            }
            Event::RunReopened { .. } => {
                (run.outcome, run.cancelled, run.is_paused, run.host) = (None, false, false, epoch);
                run.works_since = (role == Some(Role::Engine)).then_some(worked);
            }
            Event::RunFinished { outcome, .. } => {
                run.outcome = Some(*outcome);
                run.stand(worked);
            }
            Event::CancelRequested { task, command, .. } => {
                self.commands.insert(command.clone());
                run.wish(task.as_ref());
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
        if let (true, Some(attempt)) = (judges(&record.event), run.tasks[ix].attempts.last_mut()) {
            attempt.is_judged = true;
        }
        match &record.event {
            Event::AttemptStarted { alone, .. } => {
                self.live.insert(fence, Live { run: id, task: ix, alone: *alone });
                run.tasks[ix].attempts.push(OAttempt::new(fence, epoch, record.at));
                run.tasks[ix].life.began = true;
            }
            Event::AttemptReaped { .. } => {
                let attempt = run.tasks[ix].attempts.last_mut().expect("it was started");
                (attempt.is_reaped, attempt.ended_at) = (true, record.at);
                self.live.remove(&attempt.fence);
            }
            Event::TaskExpanded { items, .. } => run.expand(ix, items.len()),
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
            Event::TaskRequeued { command, .. } => {
                self.commands.extend(command.clone());
                let task = &mut run.tasks[ix];
                (task.end, task.life, task.deaths_in_row) = (None, Life::default(), 0);
                (task.output, task.is_expanded) = (Value::Null, !task.children.is_empty());
                task.life.began = task.is_expanded;
                // Nobody wishes the whole run to end any more: a task of it goes on.
                run.cancelled = false;
            }
            Event::TaskUnblocked { command, answer, .. } => {
                self.commands.insert(command.clone());
                run.tasks[ix].life.settled_as = Some(*answer);
            }
            Event::DeadLetterDropped { command, .. } => drop(self.commands.insert(command.clone())),
            Event::ApprovalGiven { command, answer, .. } => {
                self.commands.extend(command.clone());
                let question = run.tasks[ix].question.as_mut();
                question.expect("it was asked").answer = Some(*answer);
            }
            other => run.tasks[ix].take(other, &now, worked),
        }
    }
}

/// Whether an event says what became of a task whose attempt is over.
fn judges(event: &Event) -> bool {
    matches!(
        event,
        Event::RetryScheduled { .. }
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

impl ORun {
    fn wish(&mut self, task: Option<&TaskId>) {
        let meant: Vec<usize> = match task {
            None => {
                self.cancelled = true;
                (0..self.tasks.len()).collect()
            }
            Some(name) => {
                let ix = self.names[name];
                std::iter::once(ix).chain(self.tasks[ix].children.iter().copied()).collect()
            }
        };
        for ix in meant {
            let task = &mut self.tasks[ix];
            task.life.cancel_wished |= task.end.is_none();
        }
    }

    fn expand(&mut self, ix: usize, count: usize) {
        self.tasks[ix].is_expanded = true;
        self.tasks[ix].life.began = true;
        for number in 0..count {
            let number = u32::try_from(number).expect("capped");
            let id = self.tasks[ix].id.child(number);
            let child = self.tasks.len();
            self.names.insert(id.clone(), child);
            let spec = self.tasks[ix].spec;
            self.tasks.push(OTask::new(id, spec, Some(ix)));
            self.tasks[ix].children.push(child);
        }
    }

    fn succeed(&mut self, ix: usize, given: Option<Value>, key: &dyn Fn(u32) -> AttemptKey, seed: u64) {
        let task = &self.tasks[ix];
        let is_parent = task.parent.is_none() && self.spec(task).for_each.is_some();
        let output = if let Some(given) = given {
            given
        } else if is_parent {
            task.children.iter().map(|child| self.tasks[*child].output.clone()).collect()
        } else {
            let number = u32::try_from(task.attempts.len()).expect("few");
            process::value(seed, &key(number), self.draft(task).shape)
        };
        let task = &mut self.tasks[ix];
        (task.end, task.output) = (Some(End::Succeeded), output);
        task.life.accepted = true;
    }
}

impl OTask {
    fn new(id: TaskId, spec: usize, parent: Option<usize>) -> Self {
        Self {
            id,
            spec,
            parent,
            children: Vec::new(),
            is_expanded: false,
            end: None,
            output: Value::Null,
            attempts: Vec::new(),
            deaths_in_row: 0,
            question: None,
            life: Life::default(),
        }
    }

    fn take(&mut self, event: &Event, now: &Now, worked: u64) {
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
            Event::RetryScheduled { due, wait_ms, ceiling_ms, error, .. } => {
                self.life.charged += u32::from(crate::invariants::attempts::is_charged(error.kind));
                self.life.once.insert(error.kind);
                self.life.ceiling_ms = *ceiling_ms;
                let boot = now.boot + u64::try_from(due.ms - now.record_at.ms).unwrap_or(0).min(*wait_ms);
                let steady_ms = due.ms - now.steps_ms;
                self.life.due = Some(Due { steady_ms, boot, unseen_steps: now.unseen_steps });
            }
            Event::TaskBlocked { .. } => (self.life.is_unknown, self.life.asked_at) = (true, worked),
            Event::TaskSkipped { reason, .. } => {
                self.end = Some(if *reason == SkipReason::When { End::WhenFalse } else { End::Upstream });
            }
            Event::TaskUnskipped { .. } => (self.end, self.life) = (None, Life::default()),
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
            stop: None,
            exit: None,
            error: None,
            lost: None,
            is_settled: false,
            is_reaped: false,
            is_judged: false,
            ended_at: at,
        }
    }
}

impl Oracle {
    pub(crate) fn new(seed: u64, slots: u32, drafts: BTreeMap<RunId, (Arc<Plan>, RunDraft)>) -> Self {
        Self {
            seed,
            slots,
            seq: Seq(0),
            at: Time::default(),
            epoch: Epoch(0),
            role: None,
            runs: BTreeMap::new(),
            live: BTreeMap::new(),
            steps_ms: 0,
            died_with: 0,
            keeper_deaths: BTreeMap::new(),
            unseen_steps: 0,
            boot: 0,
            worked: 0,
            truth: BTreeMap::new(),
            commands: BTreeSet::new(),
            drafts,
        }
    }

    /// Notes which tasks have become ready since the last look.
    pub(crate) fn note_ready(&mut self) {
        let worked = self.worked;
        for run in self.runs.values_mut().filter(|run| run.outcome.is_none()) {
            let now = run.worked(worked);
            for ix in 0..run.tasks.len() {
                let task = &run.tasks[ix];
                if task.end.is_some() || task.life.ready_at.is_some() {
                    continue;
                }
                let met = task.parent.is_some()
                    || crate::invariants::joins::standing(run, task)
                        == crate::invariants::joins::Standing::Met;
                if met {
                    run.tasks[ix].life.ready_at = Some(now);
                }
            }
        }
    }
}

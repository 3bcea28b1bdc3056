//! How far a run is, kept up record by record: what a live display needs, without asking the engine.
//! Never: deciding what anything means (that is in the records).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use windlass_core::event::{BlockedOn, Event, Expansion, Hydrated, Record, SkipReason, TimerKind};
use windlass_core::id::TaskId;
use windlass_core::machine::run::Phase as RunPhase;
use windlass_core::machine::task::Phase;
use windlass_core::plan::{Plan, revision};
use windlass_core::state::tree::Form;
use windlass_core::state::{Blocked, Run, State};
use windlass_core::time::{Span, Time};

use crate::live::estimate::Usual;
use crate::live::tree::{self, Tree};

/// How often it is looked how much longer a run takes.
const LEFT_EVERY: Span = Span::from_secs(1);

/// How far a run is.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    /// All tasks, children included.
    pub(crate) tasks: usize,
    /// The parents whose children are counted.
    children: BTreeSet<TaskId>,
    /// Those that are final, and whether they failed.
    finals: BTreeMap<TaskId, bool>,
    /// The attempts in flight: their number, and when they started.
    pub(crate) running: BTreeMap<TaskId, (u32, Time)>,
    /// How long the last attempt of each unfinished task took.
    took: BTreeMap<TaskId, Span>,
    /// The tasks that wait for a retry.
    backing_off: BTreeSet<TaskId>,
    /// The tasks that wait for a person.
    blocked: BTreeSet<TaskId>,
    /// The tasks that were skipped by a `when`.
    skipped: BTreeSet<TaskId>,
    /// The tasks that are cancelled since they are not needed any more.
    spared: BTreeSet<TaskId>,
    /// The tasks that the plan has left out.
    left_out: BTreeSet<TaskId>,
    /// The tasks, each with its state.
    pub(crate) tree: Tree,
    /// How long tasks took in earlier runs.
    usual: Usual,
    /// How much longer it took, and when that was looked at.
    left: Option<(Time, Option<Span>)>,
    /// What is executed.
    plan: Arc<Plan>,
    /// The places of its tasks.
    places: BTreeMap<TaskId, usize>,
    /// Whether it is paused, or is about to be.
    pub(crate) is_paused: bool,
    /// Whether it has ended or is paused: its clock stands.
    pub(crate) rests: bool,
    /// Since when it is watched.
    pub(crate) since: Time,
}

impl Progress {
    /// How far a run is now.
    pub(crate) fn of(state: &State, run: &Run, now: Time) -> Self {
        let mut progress = Self {
            tasks: run.tasks.len(),
            children: BTreeSet::new(),
            finals: BTreeMap::new(),
            running: BTreeMap::new(),
            took: BTreeMap::new(),
            backing_off: BTreeSet::new(),
            blocked: BTreeSet::new(),
            skipped: BTreeSet::new(),
            spared: BTreeSet::new(),
            left_out: left_out(&run.plan),
            tree: Tree::of(run),
            usual: Usual::of(state, run),
            left: None,
            plan: Arc::clone(&run.plan),
            places: places(&run.plan),
            is_paused: run.phase == RunPhase::Paused,
            rests: run.phase == RunPhase::Finished || run.has_paused(),
            since: now,
        };
        for task in &run.tasks {
            if matches!(task.skipped, Some((SkipReason::When, _))) {
                progress.skipped.insert(task.id.clone());
            }
            if task.spared_by.is_some() {
                progress.spared.insert(task.id.clone());
            }
            if task.phase.is_final() {
                progress.end(&task.id, is_failure(task.phase));
            } else if matches!(task.phase, Phase::BackingOff | Phase::Parked) {
                progress.backing_off.insert(task.id.clone());
            } else if task.phase == Phase::Blocked
                && matches!(task.blocked, Some(Blocked::Person | Blocked::Outcome))
            {
                progress.blocked.insert(task.id.clone());
            }
            if task.parent.is_some() {
                progress.children.insert(task.id.clone());
            }
            if run.form(task) == Form::Plan && !task.children.is_empty() {
                progress.children.insert(task.id.child(0));
            }
            if let Some(attempt) = task.live_attempt() {
                progress.running.insert(task.id.clone(), (attempt.number, attempt.started));
            }
        }
        progress
    }

    /// How much longer it takes, where that can be said.
    pub(crate) fn left(&mut self, now: Time) -> Option<Span> {
        // All tasks are looked at for it: not with each drawing.
        if self.left.is_none_or(|(at, _)| now.since(at) >= LEFT_EVERY || now < at) {
            self.left = Some((now, self.usual.of_run(&self.tree, &self.plan, now)));
        }
        self.left.and_then(|(_, left)| left).filter(|_| !self.is_paused)
    }

    /// How many tasks are final.
    pub(crate) fn done(&self) -> usize {
        self.finals.len()
    }

    /// How many of them failed.
    pub(crate) fn failed(&self) -> usize {
        self.finals.values().filter(|failed| **failed).count()
    }

    /// How many wait for a retry.
    pub(crate) fn backing_off(&self) -> usize {
        self.backing_off.len()
    }

    /// How many wait for a person.
    pub(crate) fn blocked(&self) -> usize {
        self.blocked.len()
    }

    /// How long the last attempt of a task took.
    pub(crate) fn took(&self, task: &TaskId) -> Option<Span> {
        self.took.get(task).copied()
    }

    /// Whether a task that was skipped by a `when` was so for all that it needs, not for its own.
    pub(crate) fn was_skipped_with_its_needs(&self, task: &TaskId) -> bool {
        let tasks = &self.plan.tasks;
        let spec = self.places.get(task).and_then(|place| tasks.get(*place));
        let mut needs = spec.into_iter().flat_map(|spec| &spec.needs).peekable();
        needs.peek().is_some() && needs.all(|need| self.skipped.contains(&tasks[*need].id))
    }

    /// Takes in a record of the run.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the other events change nothing that is shown")]
    pub(crate) fn take(&mut self, record: &Record) {
        self.tree.take(record);
        match &record.event {
            // What is told may be in the state that this began with: nothing is counted twice.
            Event::TaskExpanded { task, into, .. } => {
                let numbers = match into {
                    // Its tasks have names of their own; that it has them is noted once, by its first number.
                    Expansion::Plan { tasks, .. } => {
                        if self.children.insert(task.child(0)) {
                            self.tasks += usize::try_from(*tasks).unwrap_or(usize::MAX);
                        }
                        0..0
                    }
                    Expansion::Items(items) => 0..u32::try_from(items.len()).unwrap_or(u32::MAX),
                    Expansion::Round(number) => *number..*number + 1,
                    Expansion::Replicas(count) => 0..*count,
                };
                let fresh = numbers.filter(|number| self.children.insert(task.child(*number))).count();
                self.tasks += fresh;
            }
            Event::PlanNested { child, .. } if self.children.insert(child.clone()) => self.tasks += 1,
            Event::PlanRevised { hydrated: Hydrated(Some(plan)), .. } => self.go_by(plan),
            Event::AttemptStarted { task, attempt, .. } => {
                self.backing_off.remove(task);
                self.running.insert(task.clone(), (*attempt, record.at));
            }
            Event::AttemptReaped { task, .. } => {
                if let Some((_, started)) = self.running.remove(task) {
                    self.took.insert(task.clone(), record.at.since(started));
                }
            }
            Event::RetryScheduled { task, wait_ms, .. } if *wait_ms > 0 => {
                self.backing_off.insert(task.clone());
            }
            Event::TaskParked { task, .. } => {
                self.backing_off.insert(task.clone());
            }
            // It may still have to wait for a slot; that is no wait for a retry.
            Event::TimerFired { task, timer: TimerKind::Retry, .. } => {
                self.backing_off.remove(task);
            }
            Event::TaskBlocked { task, on: BlockedOn::Outcome, .. }
            | Event::ApprovalRequested { task, .. } => {
                self.blocked.insert(task.clone());
            }
            Event::TaskSkipped { task, reason, .. } => {
                if *reason == SkipReason::When {
                    self.skipped.insert(task.clone());
                }
                self.end(task, false);
            }
            Event::TaskSucceeded { task, .. } => self.end(task, false),
            Event::TaskDead { task, .. } | Event::TaskCancelled { task, .. } => self.end(task, true),
            Event::CancelRequested { task: Some(task), cause: Some(_), .. } => {
                self.spared.insert(task.clone());
            }
            Event::PauseRequested { .. } => self.is_paused = true,
            Event::RunPaused { .. } | Event::RunFinished { .. } => self.rests = true,
            Event::RunReopened { .. } => self.rests = false,
            Event::RunResumed { .. } => (self.is_paused, self.rests) = (false, false),
            Event::TaskUnskipped { task, .. } | Event::TaskRequeued { task, .. } => {
                self.finals.remove(task);
                self.spared.remove(task);
                self.skipped.remove(task);
                self.blocked.remove(task);
                self.backing_off.remove(task);
            }
            _ => {}
        }
    }

    /// The run goes on by another plan. What it leaves out is excused as long as that holds.
    fn go_by(&mut self, plan: &Plan) {
        let revised = revision::over(&self.plan, plan);
        self.tasks += revised.tasks.len() - self.plan.tasks.len();
        let order = revision::order(&revised, plan);
        self.tree.arrange(order.into_iter().map(|place| &revised.tasks[place].id));
        self.left_out = left_out(&revised);
        self.places = places(&revised);
        self.plan = Arc::new(revised);
        let failed = |task| self.tree.row(task).is_some_and(|row| is_failure(row.phase));
        let finals = self.finals.keys().map(|task| (task.clone(), failed(task) && !self.is_excused(task)));
        self.finals = finals.collect();
    }

    /// Whether a run does not fail of a task.
    fn is_excused(&self, task: &TaskId) -> bool {
        let is_left_out = || {
            let mut up = std::iter::successors(Some(task.clone()), tree::around);
            !self.left_out.is_empty() && up.any(|task| self.left_out.contains(&task))
        };
        self.spared.contains(task) || is_left_out()
    }

    fn end(&mut self, task: &TaskId, failed: bool) {
        self.backing_off.remove(task);
        self.blocked.remove(task);
        let failed = failed && !self.is_excused(task);
        self.finals.insert(task.clone(), failed);
    }
}

fn left_out(plan: &Plan) -> BTreeSet<TaskId> {
    plan.tasks.iter().filter(|task| task.removed).map(|task| task.id.clone()).collect()
}

fn places(plan: &Plan) -> BTreeMap<TaskId, usize> {
    plan.tasks.iter().enumerate().map(|(place, task)| (task.id.clone(), place)).collect()
}

fn is_failure(phase: Phase) -> bool {
    matches!(phase, Phase::Dead | Phase::Cancelled)
}

//! How far a run is, kept up record by record: what a live display needs, without asking the engine.
//! Never: deciding what anything means (that is in the records).

use std::collections::BTreeSet;
use std::sync::Arc;

use windlass_core::event::{Event, Hydrated, Record};
use windlass_core::id::TaskId;
use windlass_core::machine::run::Phase as RunPhase;
use windlass_core::machine::task::Phase;
use windlass_core::plan::{Plan, revision};
use windlass_core::state::{Run, State};
use windlass_core::time::{Span, Time};

use crate::live::estimate::Usual;
use crate::live::spec::Specs;
use crate::live::tree::{self, Tree};

/// How often it is looked how much longer a run takes.
const LEFT_EVERY: Span = Span::from_secs(1);

/// How far a run is.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    /// The tasks, each with its state.
    pub(crate) tree: Tree,
    /// How long tasks took in earlier runs.
    usual: Usual,
    /// How much longer it took, and when that was looked at.
    left: Option<(Time, Option<Span>)>,
    /// What is executed.
    specs: Specs,
    /// Those that it has left out.
    left_out: BTreeSet<TaskId>,
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
        Self {
            tree: Tree::of(run),
            usual: Usual::of(state, run),
            left: None,
            specs: Specs::of(Arc::clone(&run.plan)),
            left_out: left_out(&run.plan),
            is_paused: run.phase == RunPhase::Paused,
            rests: run.phase == RunPhase::Finished || run.has_paused(),
            since: now,
        }
    }

    /// How much longer it takes, where that can be said.
    pub(crate) fn left(&mut self, now: Time) -> Option<Span> {
        // All tasks are looked at for it: not with each drawing.
        if self.left.is_none_or(|(at, _)| now.since(at) >= LEFT_EVERY || now < at) {
            self.left = Some((now, self.usual.of_run(&self.tree, &self.specs, now)));
        }
        self.left.and_then(|(_, left)| left).filter(|_| !self.is_paused)
    }

    /// How many tasks there are, children included.
    pub(crate) fn tasks(&self) -> usize {
        self.tree.len()
    }

    /// How many tasks are over, and neither failed nor were skipped.
    pub(crate) fn done(&self) -> usize {
        self.over() - self.failed() - self.skipped()
    }

    /// How many are over, however they ended.
    pub(crate) fn over(&self) -> usize {
        self.tree.count(Phase::is_final)
    }

    /// How many were skipped.
    pub(crate) fn skipped(&self) -> usize {
        self.tree.count(|phase| phase == Phase::Skipped)
    }

    /// How many failed: those that are dead, and that the run does not go on without. What is cancelled has not failed.
    pub(crate) fn failed(&self) -> usize {
        self.tree.notable().filter(|row| row.phase == Phase::Dead && !self.is_excused(&row.id)).count()
    }

    /// How many attempts are in flight.
    pub(crate) fn running(&self) -> usize {
        self.tree.count(Phase::holds_slot)
    }

    /// Whether an attempt of this task is.
    pub(crate) fn is_running(&self, task: &TaskId) -> bool {
        self.tree.row(task).is_some_and(|row| row.phase.holds_slot())
    }

    /// How many wait for a retry.
    pub(crate) fn backing_off(&self) -> usize {
        self.tree.count(|phase| matches!(phase, Phase::BackingOff | Phase::Parked))
    }

    /// How many wait for a person.
    pub(crate) fn blocked(&self) -> usize {
        self.tree.asking()
    }

    /// How long the last attempt of a task took.
    pub(crate) fn took(&self, task: &TaskId) -> Option<Span> {
        self.tree.row(task)?.took
    }

    /// Whether a task that was skipped by a `when` was so for all that it needs, not for its own.
    pub(crate) fn was_skipped_with_its_needs(&self, task: &TaskId) -> bool {
        let tasks = &self.specs.plan.tasks;
        let mut needs = self.specs.own(task).into_iter().flat_map(|spec| &spec.needs).peekable();
        needs.peek().is_some()
            && needs.all(|need| self.tree.row(&tasks[*need].id).is_some_and(|row| row.is_unwanted))
    }

    /// Takes in a record of the run.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the other events change nothing that is shown")]
    pub(crate) fn take(&mut self, record: &Record) {
        self.tree.take(record);
        match &record.event {
            Event::PlanRevised { hydrated: Hydrated(Some(plan)), .. } => self.go_by(plan),
            Event::PauseRequested { .. } => self.is_paused = true,
            Event::RunPaused { .. } | Event::RunFinished { .. } => self.rests = true,
            Event::RunReopened { .. } => self.rests = false,
            Event::RunResumed { .. } => (self.is_paused, self.rests) = (false, false),
            _ => {}
        }
    }

    /// The run goes on by another plan. What it leaves out is excused as long as that holds.
    fn go_by(&mut self, plan: &Plan) {
        let revised = revision::over(&self.specs.plan, plan);
        let order = revision::order(&revised, plan);
        self.tree.arrange(order.into_iter().map(|place| &revised.tasks[place].id));
        self.left_out = left_out(&revised);
        self.specs = Specs::of(Arc::new(revised));
    }

    /// Whether a run goes on without a task: it is optional or left out, or something around it is or has succeeded.
    fn is_excused(&self, task: &TaskId) -> bool {
        let has_succeeded =
            |task: &TaskId| self.tree.row(task).is_some_and(|row| row.phase == Phase::Succeeded);
        let mut up = std::iter::successors(Some(task.clone()), tree::around);
        self.specs.get(task).is_some_and(|spec| spec.is_optional)
            || up.any(|task| self.left_out.contains(&task) || has_succeeded(&task))
    }
}

fn left_out(plan: &Plan) -> BTreeSet<TaskId> {
    plan.tasks.iter().filter(|task| task.removed).map(|task| task.id.clone()).collect()
}

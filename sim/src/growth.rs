//! How the tree of a run grows, and what wishes and choices do to it, as the journal says. Never: what a task comes to by
//! itself (`lives.rs`).

use std::sync::Arc;

use serde_json::Value;
use windlass_core::event::{Exit, Expansion};
use windlass_core::id::TaskId;
use windlass_core::plan::Rerun;

use crate::family::{self, Choice, Form};
use crate::oracle::{End, Life, OAttempt, ORun, OTask};
use crate::scope::OScope;

impl ORun {
    pub(crate) fn expand(&mut self, ix: usize, into: &Expansion) {
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
    pub(crate) fn plant(&mut self, scope: OScope, parent: Option<usize>) {
        let number = self.scopes.len();
        let plan = Arc::clone(&scope.plan);
        self.scopes.push(scope);
        for (spec, task) in plan.tasks.iter().enumerate() {
            let around = parent.map(|parent| &self.tasks[parent].id);
            let id = around.map_or_else(|| task.id.clone(), |around| around.inside(&task.id));
            let drafted = self.scopes[number].drafted(spec);
            let ix = self.bear(OTask { drafted, parent, ..OTask::new(id, number, spec) });
            self.scopes[number].nodes.push(ix);
        }
    }

    /// An attempt of a task brings a plan.
    pub(crate) fn bring(&mut self, ix: usize, child: &TaskId, scope: OScope) {
        let number = self.scopes.len();
        self.scopes.push(scope);
        let by = self.tasks[ix].attempts.len();
        let plan = OTask { brought_by: Some(by), ..OTask::new(child.clone(), number, 0) };
        let plan = self.bear(plan);
        self.tasks[plan].parent = Some(ix);
        self.tasks[ix].nests.push(plan);
        self.scopes[number].nodes.push(plan);
    }

    /// What attempts of a task brought is to end.
    pub(crate) fn end_plans(&mut self, ix: usize) {
        for plan in self.tasks[ix].nests.clone() {
            for member in self.family(plan) {
                let task = &mut self.tasks[member];
                task.life.cancel_wished |= task.end.is_none();
                task.life.spared_for = None;
            }
        }
    }

    /// Whether an attempt of a task waits for what it brought.
    pub(crate) fn lends(&self, task: &OTask) -> bool {
        task.nests.iter().any(|plan| self.tasks[*plan].end.is_none())
    }

    /// In how many plans that attempts brought a task is.
    pub(crate) fn brought_levels(&self, task: &OTask) -> usize {
        let up = std::iter::successors(Some(task), |task| Some(&self.tasks[task.parent?]));
        up.filter(|task| task.brought_by.is_some()).count()
    }

    /// How many tasks count for its caps: not those of plans that attempts before the newest of a task brought.
    pub(crate) fn counted(&self) -> usize {
        let is_left = |task: &OTask| {
            let by = task.parent.map_or(0, |parent| self.tasks[parent].attempts.len());
            task.brought_by.is_some_and(|brought| brought < by)
        };
        let counts = |task: &&OTask| {
            let mut up = std::iter::successors(Some(*task), |task| Some(&self.tasks[task.parent?]));
            !up.any(is_left)
        };
        self.tasks.iter().filter(counts).count()
    }

    /// Whether the newest attempt of a task may have done something, in what it brought, that is not to be done twice.
    pub(crate) fn did_once(&self, task: &OTask) -> bool {
        let newest = |plan: &&usize| self.tasks[**plan].brought_by == Some(task.attempts.len());
        let below = task.nests.iter().filter(newest).flat_map(|plan| self.family(*plan));
        below.map(|ix| &self.tasks[ix]).any(|task| {
            let began = |attempt: &OAttempt| attempt.exit != Some(Exit::NotStarted);
            self.spec(task).rerun == Rerun::Never && task.attempts.iter().any(began)
        })
    }

    /// A task comes to the run; its place.
    pub(crate) fn bear(&mut self, task: OTask) -> usize {
        let ix = self.tasks.len();
        self.names.insert(task.id.clone(), ix);
        if let Some(parent) = task.parent {
            self.tasks[parent].children.push(ix);
        }
        self.tasks.push(task);
        ix
    }

    /// A task and all that is below it.
    pub(crate) fn family(&self, of: usize) -> Vec<usize> {
        let around = |ix: usize| std::iter::successors(Some(ix), |at| self.tasks[*at].parent);
        (0..self.tasks.len()).filter(|ix| around(*ix).any(|at| at == of)).collect()
    }

    pub(crate) fn wish(&mut self, task: Option<&TaskId>) {
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

    /// One of the replicas is taken, or none: the others are to end.
    pub(crate) fn choose(&mut self, ix: usize, child: Option<&TaskId>) {
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
    pub(crate) fn begin_anew(
        &mut self,
        ix: usize,
        (handed_to, is_asked_otherwise): (Option<u32>, bool),
        (from, worked): (u64, u64),
    ) {
        let task = &mut self.tasks[ix];
        (task.end, task.life, task.deaths_in_row) = (None, Life { handed_to, ..Life::default() }, 0);
        task.is_asked_otherwise = is_asked_otherwise;
        task.used = (0, 0);
        (task.output, task.is_expanded) = (Value::Null, !task.children.is_empty());
        (task.passed, task.choice) = (None, None);
        // A parent goes on at once: the time of its budget, too.
        (task.life.from, task.life.ready_at) = (from, Some(worked).filter(|_| task.is_expanded));
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
}

impl OTask {
    pub(crate) fn new(id: TaskId, scope: usize, spec: usize) -> Self {
        Self {
            id,
            scope,
            spec,
            drafted: 0,
            layer: 0,
            parent: None,
            children: Vec::new(),
            brought_by: None,
            nests: Vec::new(),
            is_expanded: false,
            passed: None,
            choice: None,
            is_left_out: false,
            earlier_children: 0,
            end: None,
            output: Value::Null,
            attempts: Vec::new(),
            deaths_in_row: 0,
            used: (0, 0),
            is_asked_otherwise: false,
            question: None,
            ended: None,
            had: 0,
            hears: None,
            life: Life::default(),
        }
    }
}

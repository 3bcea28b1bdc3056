//! Where a task stands in the tree of its run: what the plan says of it, what it needs, what it becomes when its turn
//! comes, and whose child it is. Never: moving a task (`fold/transition.rs`).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::{Digest, Seq, TaskId};
use crate::machine::task::Phase;
use crate::plan::{self, Plan, Select, Work};
use crate::policy::select::{self, Vote};
use crate::state::{Blocked, Choice, Run, Task, TaskIx};
use crate::template::OutputSeen;
use crate::time::Span;

/// A plan that a task of a run is itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scope {
    /// The task.
    pub parent: TaskIx,
    /// The place of its first task; the others follow in the order of the plan.
    pub first: TaskIx,
    /// The values of its inputs.
    pub inputs: BTreeMap<String, Value>,
    /// What an attempt of the parent brought, where it is that: the parent is none by its own plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brought: Option<Brought>,
}

/// A plan that an attempt added to its task, with the surroundings of its tasks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Brought {
    /// A plan of one task, which is the plan that was brought.
    pub plan: Arc<Plan>,
    /// The digest of the blob of what was brought.
    pub digest: Digest,
    /// Where its tasks work.
    pub folder: String,
    /// The blob with the variables that their attempts get.
    pub env: Digest,
    /// Where it came from, for people.
    pub source: String,
    /// The attempt that brought it.
    pub attempt: u32,
    /// The record that says so.
    pub at: Seq,
}

/// The plans that the attempts of a task added to it.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct Nest {
    /// Each as a task, numbered over the life of the task that they belong to.
    pub plans: Vec<TaskIx>,
    /// How many of them are not final.
    pub open: u32,
    /// How many of them, the first ones, are of attempts before the newest.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) left: usize,
    /// When its attempts lent what they hold, in the order in which they did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) loans: Vec<Loan>,
}

/// A time in which an attempt waited for what it brought, by the home's clock of being alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Loan {
    /// The attempt.
    pub(crate) attempt: u32,
    /// When it lent what it holds.
    pub(crate) from: Span,
    /// When it held that again; none while it has not.
    pub(crate) until: Option<Span>,
}

impl Nest {
    /// Those that the newest attempt brought.
    pub(crate) fn newest(&self) -> &[TaskIx] {
        &self.plans[self.left..]
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
const fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// What a task becomes when its turn comes. A task of several modifiers takes them one after the other, each child
/// with those that are left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A child for each item of its list.
    List,
    /// One child after the other.
    Rounds,
    /// Children that do the same.
    Replicas,
    /// The tasks of a plan of its own.
    Plan,
    /// An attempt, or a question.
    Work,
}

impl Run {
    /// The sub-plan that a task belongs to; none in the run's own plan.
    pub(crate) fn scope(&self, task: &Task) -> Option<&Scope> {
        let number = usize::try_from(task.scope).expect("32 bits fit");
        Some(&self.scopes[number.checked_sub(1)?])
    }

    /// The plan that a task is written in.
    pub fn plan_of(&self, task: &Task) -> &Arc<Plan> {
        let Some(scope) = self.scope(task) else { return &self.plan };
        if let Some(brought) = &scope.brought {
            return &brought.plan;
        }
        match &self.spec(self.task(scope.parent)).work {
            Work::Plan(sub) => &sub.plan,
            Work::Prompt { .. }
            | Work::Argv(_)
            | Work::Shell(_)
            | Work::Approval { .. }
            | Work::Emit { .. }
            | Work::Wait(_) => {
                unreachable!("a scope belongs to a task that is a plan")
            }
        }
    }

    /// The values of the inputs that the texts of a task see.
    pub fn inputs_of(&self, task: &Task) -> &BTreeMap<String, Value> {
        self.scope(task).map_or(&self.plan.inputs, |scope| &scope.inputs)
    }

    /// The plan's text of a task; a child of a list has that of its parent.
    pub fn spec(&self, task: &Task) -> &plan::Task {
        &self.plan_of(task).tasks[usize::try_from(task.spec).expect("32 bits fit")]
    }

    /// The task that stands at this place of the plan in which a task is written.
    pub fn beside(&self, task: &Task, place: usize) -> TaskIx {
        self.scope(task).map_or_else(|| self.node(place), |scope| TaskIx::from_len(scope.first.at() + place))
    }

    /// The task that stands at this place of the run's own plan.
    pub fn node(&self, place: usize) -> TaskIx {
        let began_with = self.plan.tasks.len() - self.later.len();
        place.checked_sub(began_with).map_or_else(|| TaskIx::from_len(place), |behind| self.later[behind])
    }

    /// Whether a task is in the plan as it is now, and not left out by a revision.
    pub fn is_planned(&self, ix: TaskIx) -> bool {
        let mut up = std::iter::once(ix).chain(self.around(ix));
        !up.any(|ix| self.spec(self.task(ix)).removed)
    }

    /// The tasks of the run's own plan, in its order.
    pub fn nodes(&self) -> impl Iterator<Item = TaskIx> {
        (0..self.plan.tasks.len()).map(|place| self.node(place))
    }

    /// The tasks that a task waits for. A child of a list has none: its parent waited.
    pub fn needs<'a>(&'a self, task: &'a Task) -> impl Iterator<Item = TaskIx> + Clone + 'a {
        let needs = if task.is_node() { self.spec(task).needs.as_slice() } else { &[] };
        needs.iter().map(move |place| self.beside(task, *place))
    }

    /// What a task becomes when its turn comes.
    pub fn form(&self, task: &Task) -> Form {
        let spec = self.spec(task);
        let layers = [
            (spec.for_each.is_some(), Form::List),
            (spec.repeat.is_some(), Form::Rounds),
            (spec.replicas.is_some(), Form::Replicas),
            (matches!(spec.work, Work::Plan(_)), Form::Plan),
        ];
        let mut layers = layers.into_iter().filter(|(is_there, _)| *is_there).map(|(_, form)| form);
        layers.nth(usize::from(task.layer)).unwrap_or(Form::Work)
    }

    /// Whether a task is a parent that becomes children.
    pub fn is_parent(&self, task: &Task) -> bool {
        self.form(task) != Form::Work
    }

    /// Whether a task asks a person.
    pub fn asks(&self, task: &Task) -> bool {
        matches!(self.spec(task).work, Work::Approval { .. })
    }

    /// Whether a task is carried out by attempts.
    pub fn has_attempts(&self, task: &Task) -> bool {
        let by_attempts = match self.spec(task).work {
            Work::Prompt { .. } | Work::Argv(_) | Work::Shell(_) => true,
            Work::Approval { .. } | Work::Plan(_) | Work::Emit { .. } | Work::Wait(_) => false,
        };
        by_attempts && !self.is_parent(task)
    }

    /// The task that the templates of a task call by this name.
    pub fn named(&self, task: &Task, name: &str) -> Option<&Task> {
        let name: TaskId = name.parse().ok()?;
        let id = match self.scope(task) {
            None => name,
            Some(scope) => self.task(scope.parent).id.inside(&name),
        };
        self.names.get(&id).map(|ix| self.task(*ix))
    }

    /// The replicas that a task is one of, where one of them is chosen.
    pub fn candidates(&self, task: &Task) -> Option<&Task> {
        let parent = self.task(task.parent?.0);
        let chosen = |replicas: plan::Replicas| replicas.select != Select::All;
        let is_choice = self.form(parent) == Form::Replicas && self.spec(parent).replicas.is_some_and(chosen);
        is_choice.then_some(parent)
    }

    /// How the choice among the replicas of a task stands.
    pub fn votes(&self, parent: &Task) -> select::Standing {
        match self.spec(parent).replicas {
            Some(replicas) if self.form(parent) == Form::Replicas => {
                select::standing(replicas.select, &self.ballot(parent))
            }
            _ => select::Standing::Open,
        }
    }

    /// The replicas of a task, as the choice among them sees them.
    pub fn ballot(&self, parent: &Task) -> Vec<Vote<'_>> {
        let is_counted =
            self.spec(parent).replicas.is_some_and(|replicas| replicas.select == Select::Majority);
        let vote = |child: &TaskIx| {
            let child = self.task(*child);
            let passed = child.phase == Phase::Succeeded || child.blocked == Some(Blocked::Select);
            if passed {
                let is_made_of_many = is_counted && self.form(child) == Form::Plan;
                let given = || Cow::Borrowed(child.output.whole());
                let made = || Cow::Owned(whole(&self.gave(child)));
                Vote::Passed(child.passed_at.0, if is_made_of_many { made() } else { given() })
            } else if child.phase.is_final() {
                Vote::Failed
            } else {
                Vote::Open
            }
        };
        parent.children.iter().map(vote).collect()
    }

    /// What a task gave: its own output, that of the child that was taken, or the list of what its children gave.
    pub fn given<'a>(&'a self, task: &'a Task) -> OutputSeen<'a> {
        if task.phase == Phase::Succeeded { self.gave(task) } else { OutputSeen::Null }
    }

    /// The same of a task that passed, whether that counts or not.
    fn gave<'a>(&'a self, task: &'a Task) -> OutputSeen<'a> {
        let child = |child: TaskIx| self.given(self.task(child));
        match (self.form(task), task.choice) {
            (Form::Work, _) => OutputSeen::One(&task.output),
            (Form::Rounds, _) => task.children.last().map_or(OutputSeen::Null, |last| child(*last)),
            (Form::Replicas, Some(Choice::Taken(taken))) => child(taken),
            (Form::Plan, _) => {
                let tasks = self.spec(task).work.sub_plan().into_iter().flat_map(|plan| &plan.tasks);
                let children = tasks.zip(&task.children);
                OutputSeen::Map(children.map(|(spec, ix)| (spec.id.as_str(), child(*ix))).collect())
            }
            (Form::List | Form::Replicas, _) => {
                OutputSeen::List(task.children.iter().map(|ix| child(*ix)).collect())
            }
        }
    }

    /// The round before the one that a task belongs to, or the last one of a task that has rounds itself; none before
    /// there is one.
    pub fn round_before<'a>(&'a self, task: &'a Task) -> Option<&'a Task> {
        let (mut round, mut number) = (task, task.children.len());
        while self.form(round) != Form::Rounds {
            let (parent, place) = round.parent?;
            (round, number) = (self.task(parent), usize::try_from(place).expect("32 bits fit"));
        }
        round.children.get(number.checked_sub(1)?).map(|ix| self.task(*ix))
    }

    /// The item that a task is about: its own, or that of the list around it.
    pub fn item<'a>(&'a self, task: &'a Task) -> Option<&'a Value> {
        let mut child = task;
        while !child.is_node() {
            let (parent, _) = child.parent?;
            let parent = self.task(parent);
            if self.form(parent) == Form::List {
                return Some(&child.item);
            }
            child = parent;
        }
        None
    }

    /// The parents around a task, the nearest first.
    pub fn around(&self, ix: TaskIx) -> impl Iterator<Item = TaskIx> {
        let parent = |ix: &TaskIx| self.task(*ix).parent.map(|(parent, _)| parent);
        std::iter::successors(parent(&ix), parent)
    }

    /// The children of a task, or the plans that its attempts brought, in order.
    pub fn below(&self, ix: TaskIx) -> impl Iterator<Item = TaskIx> {
        let brought = self.nests.get(&ix).map_or(&[] as &[TaskIx], |nest| nest.plans.as_slice());
        self.task(ix).children.iter().chain(brought).copied()
    }

    /// A task and all that is below it, each parent before its children.
    pub fn family(&self, ix: TaskIx) -> Vec<TaskIx> {
        let mut family = vec![ix];
        let mut next = 0;
        while let Some(member) = family.get(next) {
            let below: Vec<TaskIx> = self.below(*member).collect();
            next += 1;
            family.splice(next..next, below);
        }
        family
    }
}

/// What was given, as far as it is in the journal.
fn whole(given: &OutputSeen<'_>) -> Value {
    match given {
        OutputSeen::Null => Value::Null,
        OutputSeen::One(output) => output.whole().clone(),
        OutputSeen::List(items) => items.iter().map(whole).collect(),
        OutputSeen::Map(fields) => {
            fields.iter().map(|(name, field)| ((*name).to_owned(), whole(field))).collect()
        }
    }
}

impl Task {
    /// Whether it is a node of a plan, and not one of several children that stand for one node.
    pub fn is_node(&self) -> bool {
        self.layer == 0
    }
}

//! Where a task stands in the tree of its run: what the plan says of it, what it needs, what it becomes when its turn
//! comes, and whose child it is. Never: moving a task (`transition.rs`).

use serde_json::Value;

use crate::id::{AgentName, TaskId};
use crate::plan::{self, Work};
use crate::state::{Run, Task, TaskIx};

/// What a task becomes when its turn comes. A task of several modifiers takes them one after the other, each child
/// with those that are left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A child for each item of its list.
    List,
    /// An attempt, or a question.
    Work,
}

impl Run {
    /// The plan's text of a task; a child of a list has that of its parent.
    pub fn spec(&self, task: &Task) -> &plan::Task {
        &self.plan.tasks[usize::try_from(task.spec).expect("32 bits fit")]
    }

    /// The tasks that a task waits for. A child of a list has none: its parent waited.
    pub fn needs(&self, task: &Task) -> impl Iterator<Item = TaskIx> + Clone {
        let needs = if task.is_node() { self.spec(task).needs.as_slice() } else { &[] };
        needs.iter().map(|place| TaskIx::from_len(*place))
    }

    /// What a task becomes when its turn comes.
    pub fn form(&self, task: &Task) -> Form {
        let layers = [(self.spec(task).for_each.is_some(), Form::List)];
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

    /// The agent that works on a task, if one does.
    pub fn agent_of(&self, task: &Task) -> Option<&AgentName> {
        match &self.spec(task).work {
            Work::Prompt { agent, .. } => Some(agent),
            Work::Argv(_) | Work::Shell(_) | Work::Approval { .. } => None,
        }
    }

    /// The task that templates call by this name.
    pub fn named(&self, name: &str) -> Option<&Task> {
        let id: TaskId = name.parse().ok()?;
        self.names.get(&id).map(|ix| self.task(*ix))
    }

    /// The item that a task is about: its own, or that of the list around it.
    pub fn item<'a>(&'a self, task: &'a Task) -> Option<&'a Value> {
        let mut child = task;
        while !child.is_node() {
            let parent = self.task(child.parent?.0);
            if self.form(parent) == Form::List {
                return Some(&child.item);
            }
            child = parent;
        }
        None
    }

    /// A task and all that is below it, each parent before its children.
    pub fn family(&self, ix: TaskIx) -> Vec<TaskIx> {
        let mut family = vec![ix];
        let mut next = 0;
        while let Some(member) = family.get(next) {
            let children = &self.task(*member).children;
            next += 1;
            family.splice(next..next, children.iter().copied());
        }
        family
    }
}

impl Task {
    /// Whether it is a node of a plan, and not one of several children that stand for one node.
    pub fn is_node(&self) -> bool {
        self.layer == 0
    }
}

//! What the plan says of a task, by the task's name alone. Never: what came to a run besides its plan.

use std::collections::BTreeMap;
use std::sync::Arc;

use windlass_core::id::TaskId;
use windlass_core::plan::{Plan, Task, Work};

/// A task as it is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spec<'p> {
    task: &'p Task,
    /// How many of its modifiers have made children on the way to it.
    layer: usize,
    /// Whether it, or what is around it, is optional.
    pub(crate) is_optional: bool,
}

/// A plan, with the places of its own tasks.
#[derive(Clone, Debug)]
pub(crate) struct Specs {
    pub(crate) plan: Arc<Plan>,
    places: BTreeMap<TaskId, usize>,
}

impl Specs {
    /// What a plan says.
    pub(crate) fn of(plan: Arc<Plan>) -> Self {
        let places = plan.tasks.iter().enumerate().map(|(place, task)| (task.id.clone(), place)).collect();
        Self { plan, places }
    }

    /// A task of the plan itself.
    pub(crate) fn own(&self, id: &TaskId) -> Option<&Task> {
        self.plan.tasks.get(*self.places.get(id)?)
    }

    /// What stands in the plan for a task of its run: `sub/build.0` is a child of what `sub` calls `build`.
    pub(crate) fn get(&self, id: &TaskId) -> Option<Spec<'_>> {
        let (mut within, mut found, mut is_optional) = (None, None, false);
        for (number, step) in id.as_str().split('/').enumerate() {
            let mut parts = step.split('.');
            let name: TaskId = parts.next()?.parse().ok()?;
            let is_it = |task: &&Task| task.id == name;
            let task =
                if number == 0 { self.own(&name) } else { sub_plan(within?)?.tasks.iter().find(is_it) }?;
            is_optional |= task.optional;
            within = Some(task);
            found = Some(Spec { task, layer: parts.count(), is_optional });
        }
        found
    }
}

fn sub_plan(task: &Task) -> Option<&Plan> {
    task.work.sub_plan()
}

impl Spec<'_> {
    /// Whether it is carried out by attempts of its own.
    pub(crate) fn has_attempts(&self) -> bool {
        let Task { for_each, repeat, replicas, work, .. } = self.task;
        let modifiers = [for_each.is_some(), repeat.is_some(), replicas.is_some()];
        let modifiers = modifiers.into_iter().filter(|is_there| *is_there).count();
        let by_attempts = matches!(work, Work::Prompt { .. } | Work::Argv(_) | Work::Shell(_));
        by_attempts && self.layer >= modifiers
    }
}

/// Whether something of a task waits for people, messages or a time.
pub(crate) fn waits(task: &Task) -> bool {
    match &task.work {
        Work::Approval { .. } | Work::Wait(_) => true,
        Work::Plan(sub) => sub.plan.tasks.iter().any(waits),
        Work::Prompt { .. } | Work::Argv(_) | Work::Shell(_) | Work::Emit { .. } => false,
    }
}

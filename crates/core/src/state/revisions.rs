//! The plans that a run goes and went by. Never: how it goes on by another (`fold/revision.rs`).

use std::borrow::Cow;
use std::sync::Arc;

use crate::id::Digest;
use crate::plan::{self, Plan, revision};
use crate::state::tree::Scope;
use crate::state::{Run, Task};

impl Run {
    /// Its plans as they were written, by their digests: the first, and each revision. With what each says where that is at
    /// hand: of a run that was revised it is not.
    pub fn written(&self) -> Vec<(Digest, Option<Arc<Plan>>)> {
        match self.written.as_slice() {
            [] => vec![(self.plan_digest, Some(Arc::clone(&self.plan)))],
            written => written.iter().map(|digest| (*digest, None)).collect(),
        }
    }

    /// The places of its plan, in the order in which that was written last.
    pub fn order(&self) -> Vec<usize> {
        if self.written.is_empty() { (0..self.plan.tasks.len()).collect() } else { self.order.clone() }
    }

    /// Whether it goes by this plan already, so that a revision would change nothing.
    pub fn goes_by(&self, plan: &Plan) -> bool {
        revision::over(&self.plan, plan) == *self.plan && revision::order(&self.plan, plan) == self.order()
    }

    /// The run as it was when its plan had this number, as far as that is what attempts go by. A copy is made only where a
    /// revision came between the start of an attempt and the order for it: in the same turn.
    pub(crate) fn as_of(&self, version: u32) -> Cow<'_, Self> {
        let Some(earlier) = self.earlier.get(&version) else { return Cow::Borrowed(self) };
        let began_with = self.plan.tasks.len() - self.later.len();
        let mut run = self.clone();
        run.later.truncate(earlier.plan.tasks.len() - began_with);
        (run.plan, run.version) = (Arc::clone(&earlier.plan), version);
        Cow::Owned(run)
    }

    /// The text of a task in the plan that had this number, which attempts of the task go by.
    pub(crate) fn spec_as_of<'a>(&'a self, task: &'a Task, version: u32) -> &'a plan::Task {
        self.earlier.get(&version).map_or_else(|| self.spec(task), |old| self.spec_under(&old.plan, task))
    }

    /// The text of a task in a plan that the run had before.
    pub(crate) fn spec_under<'a>(&'a self, old: &'a Plan, task: &'a Task) -> &'a plan::Task {
        let plan = match self.scope(task) {
            None => Some(old),
            Some(Scope { brought: Some(brought), .. }) => Some(&*brought.plan),
            Some(scope) => self.spec_under(old, self.task(scope.parent)).work.sub_plan(),
        };
        &plan.expect("a scope belongs to a task that is a plan").tasks[task.place_in_plan()]
    }
}

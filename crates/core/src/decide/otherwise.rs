//! What a new incarnation does otherwise than the plan says, since a person wanted it so: another agent, another prompt.
//! Never: an agent that the plan's owner did not allow.

use crate::id::AgentName;
use crate::input::Rejection;
use crate::plan::Work;
use crate::state::{Run, TaskIx};

/// What is done otherwise.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Otherwise {
    /// Who works on it, as if that agent had taken over.
    pub(crate) agent: Option<AgentName>,
    /// What is asked: a text as it is.
    pub(crate) prompt: Option<String>,
}

impl Otherwise {
    /// Whether it can be wanted of a task: an agent works on that, and the plan's owner allowed the other one.
    pub(crate) fn suits(&self, run: &Run, ix: TaskIx) -> Result<(), Rejection> {
        let task = run.task(ix);
        if *self == Self::default() {
            return Ok(());
        }
        if !matches!(run.spec(task).work, Work::Prompt { .. }) {
            let why = "no agent works on it, so that there is no other one and no other prompt";
            return Err(task.wrong_state(why));
        }
        if run.is_parent(task) {
            return Err(task.wrong_state("its children do the work: name one of them"));
        }
        if self.prompt.as_ref().is_some_and(|prompt| prompt.trim().is_empty()) {
            return Err(task.wrong_state("an empty prompt asks nothing"));
        }
        let plan = run.plan_of(task);
        match &self.agent {
            Some(agent) if !plan.at_hand().any(|known| known == agent) => {
                let known: Vec<&str> = plan.at_hand().map(|name| &*name.0).collect();
                let (task, known) = (task.id.clone(), known.join(", "));
                Err(Rejection::NoSuchAgent { task, agent: agent.to_string(), known })
            }
            Some(_) | None => Ok(()),
        }
    }
}

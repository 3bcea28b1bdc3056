//! `windlass retry`, which is also `dlq requeue`: a new incarnation of a task. Never: of one that is still under way.

use clap::Args;
use windlass_core::id::AgentName;
use windlass_core::input::Ask;

use crate::desk::Desk;
use crate::error::Outcome;
use crate::steer;

/// What it does, as the end of a sentence.
pub(super) const IN_WORDS: &str = "try a task anew";

/// Try a task anew that is dead, cancelled, or succeeded without consequences
#[derive(Args, Debug)]
pub(crate) struct Retry {
    /// The run: its id, the start of it, or `last`
    run: String,
    /// The task
    task: String,
    /// Let another agent of the plan try, this time
    #[arg(long, value_name = "AGENT")]
    agent: Option<String>,
    /// Ask something else, this time: a text as it is, without templates
    #[arg(long, value_name = "TEXT")]
    prompt: Option<String>,
}

impl Retry {
    /// The same task as it was.
    pub(super) fn of(run: String, task: String) -> Self {
        Self { run, task, agent: None, prompt: None }
    }

    pub(crate) fn carry_out(self, desk: &mut Desk) -> Outcome {
        steer::begin(desk);
        let (run, task) = steer::find_task(desk, &self.run, &self.task)?;
        let by = self.agent.as_ref().map(|agent| format!(" by {agent}")).unwrap_or_default();
        let agent = self.agent.map(|name| AgentName(name.into()));
        let ask = Ask::Retry { run, task: task.clone(), agent, prompt: self.prompt };
        let exit = steer::carry_out(desk, run, ask, |now| {
            format!("Task {task} of run {run} is tried anew{by}; it {}.", steer::standing(now, &task))
        })?;
        steer::say_how_to_go_on(desk, run)?;
        Ok(exit)
    }
}

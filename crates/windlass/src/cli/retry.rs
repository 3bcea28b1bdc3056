//! `windlass retry`, which is also `dlq requeue`: a new incarnation of a task. Never: of one that is still under way.

use clap::Args;
use windlass_core::input::Ask;

use crate::desk::Desk;
use crate::error::{Outcome, not_supported_yet};
use crate::steer;

/// Try a task anew that is dead, cancelled, or succeeded without consequences
#[derive(Args, Debug)]
pub(crate) struct Retry {
    /// The run: its id, the start of it, or `last`
    run: String,
    /// The task
    task: String,
    /// Let another agent try
    #[arg(long, value_name = "AGENT")]
    agent: Option<String>,
    /// Ask something else
    #[arg(long, value_name = "TEXT")]
    prompt: Option<String>,
}

impl Retry {
    /// The same task as it was.
    pub(super) fn of(run: String, task: String) -> Self {
        Self { run, task, agent: None, prompt: None }
    }

    pub(crate) fn carry_out(self, desk: &mut Desk) -> Outcome {
        if self.agent.is_some() {
            return Err(not_supported_yet("`retry --agent`"));
        }
        if self.prompt.is_some() {
            return Err(not_supported_yet("`retry --prompt`"));
        }
        let (run, task) = steer::find_task(desk, &self.run, &self.task)?;
        let exit = steer::carry_out(desk, run, Ask::Retry { run, task: task.clone() }, |now| {
            format!("Task {task} of run {run} is tried anew; it {}.", steer::standing(now, &task))
        })?;
        steer::say_how_to_go_on(desk, run)?;
        Ok(exit)
    }
}

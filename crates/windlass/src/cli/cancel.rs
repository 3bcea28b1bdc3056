//! `windlass cancel`: ends a run or a task. Never: before what runs of it is gone.

use clap::Args;
use windlass_core::input::Ask;

use crate::desk::Desk;
use crate::error::Outcome;
use crate::{lookup, steer};

/// End a run, or a task of it
#[derive(Args, Debug)]
pub(crate) struct Cancel {
    /// The run: its id, the start of it, or `last`
    run: String,
    /// Only this task
    task: Option<String>,
}

impl Cancel {
    pub(crate) fn carry_out(self, desk: &mut Desk) -> Outcome {
        match &self.task {
            None => {
                let run = lookup::run(lookup::open(desk)?.state(), &self.run)?.id;
                steer::carry_out(
                    desk,
                    Ask::Cancel { run, task: None },
                    &format!("Run {run} is being cancelled."),
                )
            }
            Some(name) => {
                let (run, task) = steer::find_task(desk, &self.run, name)?;
                let said = format!("Task {task} of run {run} is being cancelled.");
                steer::carry_out(desk, Ask::Cancel { run, task: Some(task) }, &said)
            }
        }
    }
}

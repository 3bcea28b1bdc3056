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
        steer::begin(desk);
        let Some(name) = &self.task else {
            let run = lookup::run(lookup::open(desk)?.state(), &self.run)?.id;
            return steer::carry_out(desk, run, Ask::Cancel { run, task: None }, |now| match now.outcome {
                Some(outcome) => format!("Run {run} {}.", steer::outcome_in_words(outcome)),
                None => format!("Run {run} is being cancelled."),
            });
        };
        let (run, task) = steer::find_task(desk, &self.run, name)?;
        let ask = Ask::Cancel { run, task: Some(task.clone()) };
        let exit = steer::carry_out(desk, run, ask, |now| {
            let is_final = now.names.get(&task).is_some_and(|ix| now.task(*ix).phase.is_final());
            let what = if is_final { steer::standing(now, &task) } else { "is being cancelled".into() };
            format!("Task {task} of run {run} {what}.")
        })?;
        steer::say_how_to_go_on(desk, run)?;
        Ok(exit)
    }
}

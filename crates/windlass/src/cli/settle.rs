//! `windlass settle`: says what became of an attempt, where only a person can know. Never: guessing.

use std::path::PathBuf;

use clap::{ArgGroup, Args};
use windlass_core::effect;
use windlass_core::event::Settlement;
use windlass_core::id::{RunId, TaskId};
use windlass_core::input::Ask;
use windlass_core::output::Output;

use crate::desk::Desk;
use crate::error::Outcome;
use crate::{lookup, output, steer};

/// Say what became of a task whose outcome is unknown
#[derive(Args, Debug)]
#[command(group(ArgGroup::new("answer").required(true)))]
pub(crate) struct Settle {
    /// The run: its id, the start of it, or `last`
    run: String,
    /// The task
    task: String,
    /// It was done
    #[arg(long, group = "answer")]
    done: bool,
    /// It was not done, and is given up
    #[arg(long, group = "answer")]
    failed: bool,
    /// What it gave: JSON or text [default: null]
    #[arg(long, value_name = "FILE", requires = "done")]
    output: Option<PathBuf>,
}

impl Settle {
    pub(crate) fn carry_out(self, desk: &mut Desk) -> Outcome {
        steer::begin(desk);
        let (run, task) = steer::find_task(desk, &self.run, &self.task)?;
        let output = match &self.output {
            Some(path) => output::given(path, &wanted(desk, run, &task)?, &desk.place.home)?,
            None if self.done => output::none(&wanted(desk, run, &task)?)?,
            None => Output::default(),
        };
        let (answer, word) =
            if self.done { (Settlement::Done, "done") } else { (Settlement::Failed, "failed") };
        let ask = Ask::Settle { run, task: task.clone(), answer, output };
        let exit = steer::carry_out(desk, run, ask, |now| {
            format!("Task {task} of run {run} is settled as {word}; it {}.", steer::standing(now, &task))
        })?;
        steer::say_how_to_go_on(desk, run)?;
        Ok(exit)
    }
}

/// What the plan says of the task's output.
fn wanted(desk: &Desk, run: RunId, task: &TaskId) -> Outcome<effect::Settle> {
    let reading = lookup::open(desk)?;
    let run = reading.state().run(run).ok_or_else(lookup::no_runs)?;
    let spec = run.spec(run.task(lookup::task(run, task.as_str())?));
    Ok(effect::Settle { schema: spec.output_schema.clone(), extracts: spec.extracts.clone() })
}

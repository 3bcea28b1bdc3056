//! `windlass pause`: nothing new starts, and what runs comes to its end. Never: stopping what runs.

use clap::Args;
use windlass_core::id::RunId;
use windlass_core::input::Ask;

use crate::desk::Desk;
use crate::error::{Outcome, not_supported_yet};
use crate::exit::Exit;
use crate::{lookup, steer};

/// Start nothing new in a run; what runs comes to its end
#[derive(Args, Debug)]
pub(crate) struct Pause {
    /// The run: its id, the start of it, or `last` [default: every unfinished run]
    run: Option<String>,
    /// Stop what runs, too
    #[arg(long)]
    now: bool,
}

impl Pause {
    pub(crate) fn carry_out(self, desk: &mut Desk) -> Outcome {
        if self.now {
            return Err(not_supported_yet("`pause --now`"));
        }
        let runs: Vec<RunId> = {
            let reading = lookup::open(desk)?;
            let state = reading.state();
            match &self.run {
                Some(name) => vec![lookup::run(state, name)?.id],
                None => lookup::unfinished(state).into_iter().map(|run| run.id).collect(),
            }
        };
        if runs.is_empty() {
            desk.note("There is nothing to pause: no run is unfinished.");
            return Ok(Exit::Done);
        }
        for run in runs {
            let said = format!("Run {run} is paused; `windlass resume {run}` goes on.");
            steer::carry_out(desk, run, Ask::Pause { run }, |_| said)?;
        }
        Ok(Exit::Done)
    }
}

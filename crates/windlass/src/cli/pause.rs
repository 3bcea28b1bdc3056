//! `windlass pause`: nothing new starts, and what runs comes to its end, or is stopped. Never: a cancel.

use clap::Args;
use windlass_core::id::RunId;
use windlass_core::input::{Answer, Ask, Rejection};
use windlass_core::machine::task::Phase;
use windlass_core::state::Run;

use crate::desk::Desk;
use crate::error::Outcome;
use crate::exit::Exit;
use crate::render::plural::count;
use crate::{calling, lookup, steer};

/// Start nothing new in a run; what runs comes to its end, or is stopped
#[derive(Args, Debug)]
pub(crate) struct Pause {
    /// The run: its id, the start of it, or `last` [default: every unfinished run]
    run: Option<String>,
    /// Stop what runs, too: it is not charged, and starts anew when the run goes on
    #[arg(long)]
    now: bool,
}

impl Pause {
    pub(crate) fn carry_out(self, desk: &mut Desk) -> Outcome {
        steer::begin(desk);
        let runs: Vec<RunId> = {
            let reading = lookup::open(desk)?;
            let state = reading.state();
            match &self.run {
                None if state.runs.is_empty() && !state.lost.is_empty() => {
                    return Err(lookup::none_left(state).into());
                }
                Some(name) => vec![lookup::run(state, name)?.id],
                None => lookup::unfinished(state).into_iter().map(|run| run.id).collect(),
            }
        };
        if runs.is_empty() {
            desk.note("There is nothing to pause: no run is unfinished.");
            return Ok(Exit::Done);
        }
        for run in runs {
            let answer = steer::send(desk, Ask::Pause { run, now: self.now })?;
            // It came to its end after the look: there is nothing of it left to pause, and others are.
            if self.run.is_none() && matches!(answer, Answer::Refused(Rejection::RunEnded(_))) {
                desk.note(&format!("Run {run} has ended."));
            } else {
                steer::say(desk, run, &answer, said)?;
            }
        }
        Ok(Exit::Done)
    }
}

/// Where a run stands that was asked to pause.
fn said(run: &Run) -> String {
    let id = run.id;
    let resume = calling::command("resume").with(id);
    if run.has_paused() {
        return format!("Run {id} is paused; `{resume}` goes on.");
    }
    let in_flight = count(run.in_flight(), "attempt");
    if run.in_phase(Phase::Running) == 0 {
        return format!(
            "Run {id} is pausing: what is in flight is being stopped ({in_flight}); `{resume}` goes on."
        );
    }
    format!("Run {id} is pausing: what is in flight comes to its end ({in_flight}); `{resume}` goes on.")
}

//! What becomes of a run from which nothing follows any more: it has ended, its budget is used up, or it has paused.
//! That its tasks wait for each other is none of these: needs that go in a circle are refused with their plan
//! (`plan/graph.rs`), and what else they may wait for ends in `knots.rs`. Never: what becomes of a task alone.

use crate::decide::pause_by;
use crate::event::{Event, PauseReason, RunOutcome};
use crate::machine::run;
use crate::machine::task::Phase;
use crate::planted::{Bug, is_planted};
use crate::state::Run;

/// What is to be said of a run once nothing follows from its tasks any more. `is_active` is whether it may go on.
pub(crate) fn next(run: &Run, is_active: bool) -> Option<Vec<Event>> {
    let rests = || come_to_rest(run).map(|event| vec![event]);
    finish(run).map(|event| vec![event]).or_else(|| exhaust(run, is_active)).or_else(rests)
}

/// Its end, once all its tasks are final.
fn finish(run: &Run) -> Option<Event> {
    let over = run.phase != run::Phase::Finished && run.open() == 0;
    over.then(|| {
        let outcome = if run.cancelled && run.in_phase(Phase::Cancelled) > 0 {
            RunOutcome::Cancelled
        } else if run.failed > 0 {
            RunOutcome::Failed
        } else {
            RunOutcome::Succeeded
        };
        Event::RunFinished { run: run.id, outcome }
    })
}

/// Its tasks want more attempts than its budget has.
fn exhaust(run: &Run, is_active: bool) -> Option<Vec<Event>> {
    let used_up = run.wants_attempts().filter(|_| is_active)?;
    Some(vec![run.reached(used_up), pause_by(run, PauseReason::Budget, "windlass")])
}

/// A pause is told once what was in flight at its request is over.
fn come_to_rest(run: &Run) -> Option<Event> {
    let (reason, _) = run.pauses.iter().find(|(_, pause)| !pause.told)?;
    let is_over = run.in_flight() == 0 && run.in_phase(Phase::Gating) == 0;
    (is_over || is_planted(Bug::PauseToldEarly)).then_some(Event::RunPaused { run: run.id, reason: *reason })
}

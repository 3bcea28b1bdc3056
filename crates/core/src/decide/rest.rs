//! What becomes of a run from which nothing follows any more: it has ended, its budget is used up, or it has paused.
//! That its tasks wait for each other is none of these: needs that go in a circle are refused with their plan
//! (`plan/graph.rs`), and what else they may wait for ends in `knots.rs`. Never: what becomes of a task alone.

use crate::decide::{budgets, pause_by, sites};
use crate::event::{Event, PauseReason};
use crate::state::Run;
use crate::state::steps::Rest;

/// What is to be said of a run once nothing follows from its tasks any more.
pub(crate) fn events(run: &Run, rest: Rest) -> Vec<Event> {
    match rest {
        Rest::Over(outcome) => vec![Event::RunFinished { run: run.id, outcome }],
        Rest::Merge(ix) => vec![sites::merge(run, ix)],
        Rest::Exhausted(used_up) => {
            vec![budgets::reached(run, used_up), pause_by(run, PauseReason::Budget, "windlass")]
        }
        Rest::Paused(reason) => vec![Event::RunPaused { run: run.id, reason }],
    }
}

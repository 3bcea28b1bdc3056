//! The pause, of section 5: from its request nothing new starts (`limits.rs`); it is told when what was in flight is
//! over, and then at once. Never: who asked for it.

use windlass_core::event::{Event, Record};
use windlass_core::state::State;

use crate::broken::{Verdict, demand};
use crate::oracle::{ORun, OTask, Oracle};

const NAME: &str = "5.3 pause";

pub(crate) fn of_record(oracle: &Oracle, _: &State, record: &Record) -> Verdict {
    let Event::RunPaused { run: id, reason } = &record.event else { return Ok(()) };
    let run = &oracle.runs[id];
    demand(run.pauses.get(reason) == Some(&false), NAME, || {
        format!("{id} is paused for {reason:?}, which nobody asked for, or which was told before")
    })?;
    let busy = run.tasks.iter().find(|task| is_in_flight(task));
    demand(busy.is_none(), NAME, || {
        format!("{id} is told to be paused while {} is in flight", busy.expect("it is there").id)
    })
}

/// What is owed is told.
pub(crate) fn at_rest(oracle: &Oracle) -> Verdict {
    for run in oracle.runs.values().filter(|run| run.paused_now && run.outcome.is_none()) {
        // Of those before this opening nothing runs any more.
        let goes_on = |task: &&OTask| {
            let ours = task.newest().filter(|attempt| attempt.epoch == oracle.epoch);
            ours.is_some_and(|attempt| !attempt.is_reaped && attempt.stop.is_none())
        };
        let other = run.tasks.iter().find(goes_on);
        demand(other.is_none(), NAME, || {
            format!("{} runs on in a run that was paused at once", other.expect("it is there").id)
        })?;
    }
    let is_owed = |run: &ORun| {
        let is_over = run.outcome.is_some() || run.tasks.iter().any(is_in_flight);
        !is_over && run.pauses.values().any(|told| !told)
    };
    let owed = oracle.runs.iter().find(|(_, run)| is_owed(run));
    demand(owed.is_none(), NAME, || {
        format!("{} is at rest, and nobody is told that it paused", owed.expect("it is there").0)
    })
}

/// Its newest attempt is not reaped, or its result is not judged.
fn is_in_flight(task: &OTask) -> bool {
    task.newest().is_some_and(|attempt| !attempt.is_judged)
}

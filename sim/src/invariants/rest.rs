//! `cancel_rest`: once the join of a task that says so is met, those of its needs that go on are cancelled, at once; and
//! nothing else is. Never: how a cancel is carried out (`cancel.rs`).

use windlass_core::event::{Event, Record};
use windlass_core::state::State;

use crate::broken::{Verdict, demand};
use crate::oracle::Oracle;

const NAME: &str = "5.1 rest";

pub(crate) fn of_record(oracle: &Oracle, _: &State, record: &Record) -> Verdict {
    let Event::CancelRequested { cause: Some(cause), .. } = &record.event else { return Ok(()) };
    let Some((_, run, task)) = oracle.at(&record.event) else { return Ok(()) };
    let right = task.life.spared_for.is_some() && task.life.spared_for == run.names.get(cause).copied();
    demand(right, NAME, || format!("{} is cancelled because of {cause}, which has no need of that", task.id))
}

/// What is owed was done.
pub(crate) fn at_rest(oracle: &Oracle) -> Verdict {
    for run in oracle.runs.values().filter(|run| run.outcome.is_none()) {
        let owed = run.tasks.iter().find(|task| task.end.is_none() && task.life.spared_for.is_some());
        demand(owed.is_none(), NAME, || {
            format!("{} goes on, and nobody needs it any more", owed.expect("it is there").id)
        })?;
    }
    Ok(())
}

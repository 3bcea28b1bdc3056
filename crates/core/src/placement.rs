//! Which ready task starts next. Never: more attempts than slots, or anything beside an attempt that must be alone.

use crate::planted::{Bug, is_planted};
use crate::state::{Run, State, TaskIx};

/// A task that may start now.
pub(crate) struct Start<'a> {
    /// Its run.
    pub(crate) run: &'a Run,
    /// The task.
    pub(crate) task: TaskIx,
    /// Whether nothing else may be in flight beside it.
    pub(crate) alone: bool,
}

/// The task whose turn it is, if there is room for it.
pub(crate) fn next(state: &State, slots: u32) -> Option<Start<'_>> {
    let in_flight = u32::try_from(state.live.len()).unwrap_or(u32::MAX);
    if in_flight >= slots || state.alone.is_some() {
        return None;
    }
    // What was in flight at two deaths in a row starts alone, and nothing beside it: the fleet drains for it.
    let suspect = state.agenda.next_suspect().and_then(|id| {
        let run = &state.runs[&id];
        Some(Start { run, task: run.queue.next_alone()?, alone: true })
    });
    if suspect.is_some() {
        return suspect.filter(|_| in_flight == 0 || is_planted(Bug::AloneIgnored));
    }
    let run = &state.runs[&state.agenda.next()?];
    Some(Start { run, task: run.queue.next()?, alone: false })
}

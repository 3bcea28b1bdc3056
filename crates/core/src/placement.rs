//! Which ready task starts next. Never: more attempts than slots, or anything beside an attempt that must be alone.

use crate::id::RunId;
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
    let suspect =
        in_turn(state).find_map(|run| Some(Start { run, task: run.queue.next_alone()?, alone: true }));
    if suspect.is_some() {
        return suspect.filter(|_| in_flight == 0 || is_planted(Bug::AloneIgnored));
    }
    in_turn(state).find_map(|run| {
        let ignored = is_planted(Bug::ConcurrencyIgnored);
        let has_room = run.plan.concurrency.is_none_or(|most| ignored || run.in_flight() < most);
        let task = run.queue.next().filter(|_| has_room)?;
        Some(Start { run, task, alone: false })
    })
}

/// The runs that may start tasks, each in its turn: those after the one that was served last come first.
fn in_turn(state: &State) -> impl Iterator<Item = &Run> {
    let after = |last: Option<RunId>| move |id: &&RunId| last.is_none_or(|last| **id > last);
    let later = state.unfinished.iter().filter(after(state.last_served));
    let earlier = state.unfinished.iter().filter(move |id| !after(state.last_served)(id));
    later.chain(earlier).map(|id| &state.runs[id]).filter(|run| state.is_active(run))
}

//! Which ready task starts next. Never: more attempts than slots, or anything beside an attempt that must be alone.

use crate::id::AgentName;
use crate::planted::{Bug, is_planted};
use crate::state::{Run, State, TaskIx};
use crate::time::Time;

/// A task that may start now.
pub(crate) struct Start<'a> {
    /// Its run.
    pub(crate) run: &'a Run,
    /// The task.
    pub(crate) task: TaskIx,
    /// Who works on it, where an agent does.
    pub(crate) agent: Option<AgentName>,
    /// Whether nothing else may be in flight beside it.
    pub(crate) alone: bool,
}

/// The task whose turn it is, if there is room for it.
pub(crate) fn next(state: &State, slots: u32, now: Time) -> Option<Start<'_>> {
    let in_flight = u32::try_from(state.live.len() - state.lent.len()).unwrap_or(u32::MAX);
    if in_flight >= slots || state.alone.is_some() {
        return None;
    }
    let now = state.steady(now.max(state.now));
    if let Some(suspect) = suspect(state, now) {
        return Some(suspect).filter(|_| in_flight == 0 || is_planted(Bug::AloneIgnored));
    }
    // What an agent holds back is passed over: the next run, or the next crew of a run, may have somebody.
    state.agenda.ready().find_map(|id| {
        let run = &state.runs[&id];
        run.queue.heads().find_map(|task| {
            let agent = someone(state, run, task, now)?;
            Some(Start { run, task, agent, alone: false })
        })
    })
}

/// The next of those that were in flight at two deaths in a row: it starts alone, and nothing before it, so that what is
/// in flight comes to its end.
pub(crate) fn suspect(state: &State, now: i64) -> Option<Start<'_>> {
    state.agenda.suspects().find_map(|id| {
        let run = &state.runs[&id];
        let mut suspects = run.queue.alone().filter(|task| run.queue.has_room(run.task(*task).limit));
        suspects.find_map(|task| {
            let agent = someone(state, run, task, now)?;
            Some(Start { run, task, agent, alone: true })
        })
    })
}

/// Who works on a task: nobody has to on a command, and none is the answer where an agent must and none can.
#[expect(clippy::option_option, reason = "a command needs no agent, which is not the lack of one")]
fn someone(state: &State, run: &Run, ix: TaskIx, now: i64) -> Option<Option<AgentName>> {
    let task = run.task(ix);
    if run.by(task).is_none() { Some(None) } else { state.choose_agent(run, task, now).map(Some) }
}

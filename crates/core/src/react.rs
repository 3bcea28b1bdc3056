//! Orders: what a record asks for (`react`), and all that is asked and not settled (`pending`). The law that binds
//! them: `pending(state)` is what `react` has ordered so far, less what was settled. No timers: when the next wait is
//! over is asked of the state before each rest (`State::next_due`). Never: carrying orders out.

use crate::effect::{Effect, ErrandOrder};
use crate::event::{Event, Record};
use crate::id::{RunId, TaskId};
use crate::machine::task::Phase;
use crate::state::{Attempt, Run, State, Task, TaskIx, render};

/// The orders of one record of the turn that has just become durable.
#[expect(clippy::wildcard_enum_match_arm, reason = "no other event asks for anything outside")]
pub fn react(state: &State, record: &Record) -> Vec<Effect> {
    match &record.event {
        Event::AttemptStarted { run, task, attempt, .. } => {
            let run = &state.runs[run];
            if run.works_apart(run.names[task]) {
                return Vec::new();
            }
            let assigned = render::assignment(run, run.names[task], *attempt, record.fence());
            let assignment = assigned.expect("an attempt whose templates fail does not start");
            vec![Effect::SpawnAttempt(Box::new(assignment))]
        }
        Event::WorkspaceRequested { run, task, .. } => {
            let run = &state.runs[run];
            run.to_make(run.names[task]).map(errand).into_iter().collect()
        }
        Event::WorkspaceReady { run, task, attempt, fence, error: None, .. } => {
            let run = &state.runs[run];
            let ix = run.names[task];
            if run.task(ix).live_attempt().is_none_or(|live| live.fence != *fence) {
                return Vec::new();
            }
            let assigned = render::assignment(run, ix, *attempt, *fence);
            let assignment = assigned.expect("an attempt whose templates fail does not start");
            vec![Effect::SpawnAttempt(Box::new(assignment))]
        }
        // Whatever changes the head of the queue, or how far it is, asks for what comes next.
        Event::MergeRequested { run, .. }
        | Event::MergeStarted { run, .. }
        | Event::MergeFinished { run, .. }
        | Event::RunResumed { run, .. }
        | Event::TaskCancelled { run, .. } => lands(state, *run, record),
        // What became of an attempt of a lower epoch is being learned: there is nobody who could stop it.
        Event::StopRequested { run, task, .. } if is_unknown(state, *run, task) => Vec::new(),
        // Nor is there anything to stop before its worktree is there: it does not begin.
        Event::StopRequested { run, task, .. } if is_preparing(state, *run, task) => Vec::new(),
        Event::StopRequested { run, task, fence, grace_ms, attempt, .. } => {
            let key = crate::id::AttemptKey { run: *run, task: task.clone(), attempt: *attempt };
            vec![Effect::StopAttempt { key, fence: *fence, grace: crate::time::Span::from_ms(*grace_ms) }]
        }
        Event::AttemptReaped { run, task, fence, .. } => {
            let run = &state.runs[run];
            let ix = run.names[task];
            let newest = run.task(ix).last_attempt().is_some_and(|attempt| attempt.fence == *fence);
            let commit = run.to_commit(ix).map(errand);
            if newest { unsettled(run, ix).into_iter().chain(commit).collect() } else { Vec::new() }
        }
        _ => Vec::new(),
    }
}

/// Everything that is outstanding. What was asked in a lower epoch is unknown: the order is to learn what became of it.
pub fn pending(state: &State) -> Vec<Effect> {
    let mut effects = Vec::new();
    for (fence, (run, ix)) in &state.live {
        let run = &state.runs[run];
        let task = run.task(*ix);
        let attempt = task.live_attempt().expect("what is live has an attempt in flight");
        let key = task.key(run.id, attempt);
        if attempt.epoch < state.epoch {
            effects.push(Effect::LearnAttempt { key, fence: *fence });
            continue;
        }
        if run.works_apart(*ix) && attempt.site.as_ref().is_none_or(|site| !site.is_ready) {
            effects.extend(run.to_make(*ix).map(errand));
            continue;
        }
        let assigned = render::assignment(run, *ix, attempt.number, *fence);
        let assignment = assigned.expect("an attempt whose templates fail does not start");
        effects.push(Effect::SpawnAttempt(Box::new(assignment)));
        if let Some((_, _, grace)) = &attempt.stop {
            effects.push(Effect::StopAttempt { key, fence: *fence, grace: *grace });
        }
    }
    for run in state.unfinished.iter().map(|id| &state.runs[id]).filter(|run| run.in_phase(Phase::Gating) > 0)
    {
        let places = (0..run.tasks.len()).map(TaskIx::from_len);
        effects.extend(places.filter_map(|ix| unsettled(run, ix)));
    }
    let unfinished = state.unfinished.iter().map(|id| &state.runs[id]);
    effects.extend(unfinished.flat_map(Run::errands).map(errand));
    effects
}

fn errand(order: ErrandOrder) -> Effect {
    Effect::RunErrand(Box::new(order))
}

/// The order by which the work that is next to land comes closer to the target, where this record has asked for it.
fn lands(state: &State, run: RunId, record: &Record) -> Vec<Effect> {
    let run = &state.runs[&run];
    run.to_land_by(record.seq).map(errand).into_iter().collect()
}

/// Whether the newest attempt of a task was started in a lower epoch.
fn is_unknown(state: &State, run: RunId, task: &TaskId) -> bool {
    let run = &state.runs[&run];
    run.task(run.names[task]).last_attempt().is_some_and(|attempt| attempt.epoch < state.epoch)
}

/// Whether the newest attempt of a task waits for its worktree.
fn is_preparing(state: &State, run: RunId, task: &TaskId) -> bool {
    let run = &state.runs[&run];
    let ix = run.names[task];
    let is_ready = |attempt: &Attempt| attempt.site.as_ref().is_some_and(|site| site.is_ready);
    run.works_apart(ix) && !run.task(ix).last_attempt().is_some_and(is_ready)
}

/// The order to settle a task's output, where that is outstanding.
fn unsettled(run: &Run, ix: TaskIx) -> Option<Effect> {
    let task: &Task = run.task(ix);
    let attempt =
        task.last_attempt().filter(|attempt| task.phase == Phase::Gating && attempt.awaits_settling())?;
    Some(Effect::SettleOutput {
        key: task.key(run.id, attempt),
        fence: attempt.fence,
        raw: attempt.raw.clone().unwrap_or_default(),
        settle: run.settle(task, attempt.plan_version),
    })
}

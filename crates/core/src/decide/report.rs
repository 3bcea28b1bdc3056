//! What a report comes to: the facts of what happened, by the fence that it names. Never: what follows from them
//! (`follow.rs`).

use crate::decide::{nests, pause_by, sites, stop};
use crate::event::{Event, Exit, LossReason, PauseReason, Raise, StopWhy, Usage};
use crate::failure::{ErrorKind, Failure};
use crate::id::{AttemptKey, Fence};
use crate::input::{Ended, LostAttempt, Report};
use crate::machine::{attempt, task};
use crate::output::Output;
use crate::planted::{Bug, is_planted};
use crate::state::{Attempt, Run, State, TaskIx, attempts};

/// What a report comes to.
pub(crate) fn events(state: &State, report: &Report) -> Vec<Event> {
    match report {
        Report::EngineStarted { epoch, role, build, last_alive } => {
            let is_known = last_alive.ms > 0 && !is_planted(Bug::LastTimeForgotten);
            let last_alive_ms = is_known.then_some(last_alive.ms);
            vec![Event::EngineStarted { epoch: *epoch, role: *role, build: build.clone(), last_alive_ms }]
        }
        Report::Ended(ended) => end_attempt(state, ended),
        Report::Overdue { key, fence, why, message } => overdue(state, key, *fence, *why, message),
        Report::Lost { attempts, reason } => lose(state, attempts, *reason),
        Report::OutputSettled { key, fence, output, error } => {
            settled(state, key, *fence, output, error.as_ref())
        }
        Report::ErrandDone { key, fence, outcome } => sites::errand_done(state, key, *fence, outcome),
        Report::ClockJumped { by_ms, suspended_ms } => {
            vec![Event::ClockJumped { by_ms: *by_ms, suspended_ms: *suspended_ms }]
        }
        Report::DiskLow { low } => disk(state, *low),
    }
}

/// An attempt by its key and fence; none where no such attempt was ever started.
fn find<'a>(state: &'a State, key: &AttemptKey, fence: Fence) -> Option<(&'a Run, TaskIx, &'a Attempt)> {
    let run = state.run(key.run)?;
    let ix = *run.names.get(&key.task)?;
    let attempts = &run.task(ix).attempts;
    let old_will_do = is_planted(Bug::OldFenceAccepted);
    let attempt = attempts.iter().rfind(|attempt| old_will_do || attempt.fence == fence)?;
    Some((run, ix, attempt))
}

fn end_attempt(state: &State, ended: &Ended) -> Vec<Event> {
    let Ended { key, fence, .. } = ended;
    let Some((run, ix, attempt)) = find(state, key, *fence) else { return Vec::new() };
    let task = run.task(ix);
    let (place, run, task, number, fence) = (run, run.id, task.id.clone(), attempt.number, *fence);
    if !attempt.is_live() {
        // The same report again is acknowledged and leaves no event; a lost attempt's is noted once.
        if attempt.phase == attempt::Phase::Finished || attempt.ignored {
            return Vec::new();
        }
        let usage = if is_planted(Bug::UsageDropped) { Usage::default() } else { ended.usage };
        return vec![Event::ResultIgnored { run, task, attempt: number, fence, usage }];
    }
    let stopped = attempt.stop.as_ref().map(|(why, message, _)| attempts::stopped(*why, message));
    let own = || ended.error.clone().or_else(|| unexplained(ended.exit));
    let own = || own().map(|error| nests::held_up(place, ix, error));
    let error = stopped.or_else(own).map(|error| nests::recorded(place, ix, error));
    let judged = error.is_none();
    let mut events = vec![
        Event::AttemptFinished {
            run,
            task: task.clone(),
            attempt: number,
            fence,
            exit: ended.exit,
            error,
            output: ended.raw.clone(),
            usage: ended.usage,
        },
        Event::AttemptReaped { run, task: task.clone(), attempt: number, fence, leftovers: ended.leftovers },
    ];
    if let (true, Some(settled)) = (judged, &ended.output) {
        let (output, error) = match settled {
            Ok(output) => (output.clone(), None),
            Err(failure) => (Output::default(), Some(failure.clone().recorded())),
        };
        events.push(Event::ExtractsRecorded { run, task, attempt: number, fence, output, error });
    }
    events
}

/// A failure that no adapter explained: exit code 0 alone is no failure.
fn unexplained(exit: Exit) -> Option<Failure> {
    match exit {
        Exit::Code(0) => None,
        Exit::Code(code) => Some(Failure::new(ErrorKind::Exit, format!("it exited with code {code}"))),
        Exit::Signal(signal) => {
            Some(Failure::new(ErrorKind::Crashed, format!("it was ended by signal {signal}")))
        }
        Exit::NotStarted => Some(Failure::new(ErrorKind::SpawnInvalid, "it could not be started")),
    }
}

fn overdue(state: &State, key: &AttemptKey, fence: Fence, why: StopWhy, message: &str) -> Vec<Event> {
    let Some((run, ix, attempt)) = find(state, key, fence) else { return Vec::new() };
    // What an attempt brought is watched itself: until it has ended the attempt waits, and is silent as it should be.
    let waits = why == StopWhy::Stalled && state.lent.contains(&fence);
    if waits || attempt.phase != attempt::Phase::Running {
        return Vec::new();
    }
    if is_planted(Bug::StartBeforeReaped) {
        let gone = LostAttempt { key: key.clone(), fence, leftovers: 0 };
        return lose(state, &[gone], LossReason::ReportLost);
    }
    vec![stop(run, run.task(ix), attempt, why, message)]
}

fn lose(state: &State, attempts: &[LostAttempt], reason: LossReason) -> Vec<Event> {
    // The report of a keeper's death names all that it had; what has started since has another keeper.
    let alone = match reason {
        LossReason::EngineDied => state.orphans == 1,
        LossReason::KeeperDied => attempts.len() == 1,
        LossReason::ReportLost => false,
    };
    let mut events = Vec::new();
    for lost in attempts {
        let Some((run, ix, attempt)) = find(state, &lost.key, lost.fence) else { continue };
        // An attempt that is over and not reaped is so where the end of the journal was lost.
        if !state.live.contains_key(&lost.fence) {
            continue;
        }
        let (task, number, fence) = (run.task(ix).id.clone(), attempt.number, lost.fence);
        let said = match reason {
            LossReason::EngineDied => "the engine died while it ran",
            LossReason::KeeperDied => "the keeper died while it ran",
            LossReason::ReportLost => "nobody could say how it ended",
        };
        let error = Failure::new(ErrorKind::Lost, said);
        let run = run.id;
        if attempt.is_live() {
            events.push(Event::AttemptLost {
                run,
                task: task.clone(),
                attempt: number,
                fence,
                reason,
                alone,
                error,
            });
        }
        events.push(Event::AttemptReaped { run, task, attempt: number, fence, leftovers: lost.leftovers });
    }
    events
}

fn settled(
    state: &State,
    key: &AttemptKey,
    fence: Fence,
    output: &Output,
    error: Option<&Failure>,
) -> Vec<Event> {
    let Some((run, ix, attempt)) = find(state, key, fence) else { return Vec::new() };
    let task = run.task(ix);
    let is_newest = task.last_attempt().is_some_and(|newest| newest.fence == fence);
    if task.phase != task::Phase::Gating || !is_newest || !attempt.awaits_settling() {
        return Vec::new();
    }
    vec![Event::ExtractsRecorded {
        run: run.id,
        task: task.id.clone(),
        attempt: attempt.number,
        fence,
        output: output.clone(),
        error: error.cloned().map(Failure::recorded),
    }]
}

fn disk(state: &State, low: bool) -> Vec<Event> {
    let hosted = state.unfinished.iter().map(|id| &state.runs[id]).filter(|run| run.host == state.epoch);
    let reason = PauseReason::DiskLow;
    if low {
        let full = hosted.filter(|run| !run.pauses.contains_key(&reason));
        return full.map(|run| pause_by(run, reason, "disk")).collect();
    }
    let only_for_that = hosted.filter(|run| run.pauses.keys().eq([&reason]));
    let resumed = |run: &Run| {
        let raised = Raise::default();
        Event::RunResumed { run: run.id, command: None, by: "disk".into(), raised }
    };
    only_for_that.map(resumed).collect()
}

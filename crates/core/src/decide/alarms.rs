//! What follows when time is up: waits, bounds and budgets of time, one at a time. Never: what is due later
//! (`state/clocks.rs`).

use crate::decide::{Stamp, accounts, approvals, budgets, judge, pause_by, stop, waits};
use crate::event::{ApprovalAnswer, Event, PauseReason, StopWhy, TimerKind};
use crate::failure::{ErrorKind, Failure};
use crate::machine::task::Phase;
use crate::state::due::Clocks;
use crate::state::{Run, State, TaskIx};
use crate::time::Span;

/// The waits that have come to their end by `stamp.now`, one at a time.
pub(crate) fn next_timer(state: &State, stamp: Stamp) -> Vec<Event> {
    if let Some(event) = accounts::next_timer(state, stamp) {
        return vec![event];
    }
    let now = Clocks { steady: state.steady(stamp.now), wall: stamp.now, alive: state.alive_at(stamp.now) };
    state.due.over(&now).map_or_else(Vec::new, |id| of_run(&state.runs[&id], &now))
}

/// The first wait of a run that is over.
fn of_run(run: &Run, now: &Clocks) -> Vec<Event> {
    let retry = run.retries.first().filter(|(due, _)| *due <= now.steady).map(|(_, ix)| *ix);
    let date = || run.dates.first().filter(|(due, _)| *due <= now.wall).map(|(_, ix)| *ix);
    if let Some(ix) = retry.or_else(date) {
        return waits::time_is_up(run, ix);
    }
    let active = run.active.at(now.alive);
    if let Some((_, ix, timer)) = run.alarms.first().filter(|(due, ..)| *due <= active) {
        return alarm(run, *ix, *timer, active);
    }
    match run.purse.no_time(&run.plan.budget, active) {
        Some(used_up) => vec![budgets::reached(run, used_up), pause_by(run, PauseReason::Budget, "windlass")],
        None => Vec::new(),
    }
}

fn alarm(run: &Run, ix: TaskIx, timer: TimerKind, active: Span) -> Vec<Event> {
    let task = run.task(ix);
    let (id, name) = (run.id, task.id.clone());
    let fired = Event::TimerFired { run: id, task: name.clone(), timer };
    let timeout = &run.spec(task).timeout;
    let dead = |error: Failure| {
        let attempt = task.newest_number();
        judge::dead(run, task, attempt, error)
    };
    match timer {
        TimerKind::Retry | TimerKind::Moment => vec![fired],
        TimerKind::Budget => {
            let used_up = run.time_used(ix, active).map(|used_up| budgets::told(run, ix, used_up));
            std::iter::once(fired).chain(used_up).collect()
        }
        TimerKind::ScheduleToStart => {
            let bound = timeout.schedule_to_start.unwrap_or_default();
            vec![fired, dead(judge::never_started("schedule_to_start", bound))]
        }
        TimerKind::ScheduleToClose => {
            let failure = judge::took_too_long(task, timeout);
            match task.phase {
                Phase::Running => {
                    let attempt = task.live_attempt().filter(|attempt| attempt.is_live());
                    let stop = |attempt| stop(run, task, attempt, StopWhy::Timeout, &failure.message);
                    std::iter::once(fired).chain(attempt.map(stop)).collect()
                }
                Phase::Ready | Phase::BackingOff | Phase::Parked => vec![fired, dead(failure)],
                Phase::Waiting
                | Phase::Stopping
                | Phase::Gating
                | Phase::Merging
                | Phase::Blocked
                | Phase::Expanded
                | Phase::Succeeded
                | Phase::Skipped
                | Phase::Dead
                | Phase::Cancelled => vec![fired],
            }
        }
        TimerKind::Wait => vec![fired, dead(waits::expired(run, task))],
        TimerKind::Answer => {
            if let Some(asked) = task.approval_open() {
                let expired = Event::ApprovalGiven {
                    run: id,
                    task: name.clone(),
                    id: asked.id.clone(),
                    answer: ApprovalAnswer::Expired,
                    command: None,
                    by: "clock".into(),
                    text: String::new(),
                };
                vec![fired, expired, dead(approvals::expired(run, task))]
            } else {
                let error = Failure::new(ErrorKind::OutcomeUnknown, "nobody settled its outcome in time");
                vec![fired, dead(error)]
            }
        }
    }
}

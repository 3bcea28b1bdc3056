//! 6, not before due: a wait before a retry ends not before its due, by the journal's clock and by the world's, and no
//! attempt starts while it lasts; what has come to its due stays so, also where a clock is set back then; due is not
//! before end + `retry_after`; ceilings never fall within an incarnation; no bound of time ends a wait too early.
//! Never: whether there is another attempt (`attempts.rs`).

use windlass_core::event::{Event, Record, TimerKind};
use windlass_core::state::State;
use windlass_core::time::Span;

use crate::broken::{Verdict, demand};
use crate::draft::Work;
use crate::oracle::Oracle;
use crate::talk::Await;

const NAME: &str = "6 not before due";
/// How long before its turn letters may have been received, by which due times and bounds count.
const RECEIVED_BEFORE_MS: u64 = 20;
/// How long a person is waited for where the plan says nothing.
const ANSWER_BOUND: Span = Span::from_secs(7 * 24 * 3600);

pub(crate) fn of_record(oracle: &Oracle, _: &State, record: &Record) -> Verdict {
    match &record.event {
        Event::RetryScheduled { due, wait_ms, ceiling_ms, error, agent, .. } => {
            let (_, _, task) = oracle.at(&record.event).expect("it was created");
            let id = &task.id;
            // What one provider asked for says nothing of the agent that takes over.
            let floor = error.retry_after.filter(|_| agent.is_none()).unwrap_or_default();
            let ended = task.newest().map_or(i64::MIN, |attempt| attempt.ended_steady_ms);
            let earliest = ended.saturating_add_unsigned(floor.ms);
            demand(due.ms - oracle.steps_ms >= earliest, NAME, || {
                format!("{id} is due {due}, before its retry_after")
            })?;
            demand(*due == record.at.after(Span::from_ms(*wait_ms)), NAME, || {
                format!("{id}: the wait is not the due")
            })?;
            demand(*wait_ms <= *ceiling_ms || *wait_ms == floor.ms, NAME, || {
                format!("{id} waits over its ceiling")
            })?;
            demand(*ceiling_ms >= task.life.ceiling_ms, NAME, || format!("{id}: its ceiling falls"))
        }
        Event::TaskParked { due, error, .. } => {
            let (_, _, task) = oracle.at(&record.event).expect("it was created");
            let floor = error.retry_after.unwrap_or_default();
            demand(*due == record.at.after(floor), NAME, || format!("{} is parked until {due}", task.id))
        }
        Event::AttemptStarted { .. } => {
            let (_, _, task) = oracle.at(&record.event).expect("it was created");
            demand(task.life.due.is_none(), NAME, || format!("{} starts while it waits", task.id))
        }
        Event::TimerFired { timer: TimerKind::Moment, .. } if is_date(oracle, &record.event) => {
            let (_, run, task) = oracle.at(&record.event).expect("it was created");
            let Work::Wait(Await::At(offset_ms)) = run.draft(task).work else { return Ok(()) };
            let date = crate::talk::date(offset_ms);
            demand(record.at >= date, NAME, || format!("{} waits until {date}, it is {}", task.id, record.at))
        }
        Event::TimerFired { timer: TimerKind::Retry | TimerKind::Moment, .. } => {
            let (_, _, task) = oracle.at(&record.event).expect("it was created");
            let Some(due) = task.life.due else {
                return demand(false, NAME, || format!("{} did not wait", task.id));
            };
            let steady = record.at.ms - oracle.steps_ms;
            demand(steady >= due.steady_ms, NAME, || {
                format!("the wait of {} ends {} ms before it is due", task.id, due.steady_ms - steady)
            })?;
            let truly = oracle.boot + RECEIVED_BEFORE_MS + oracle.drift_ms >= due.boot
                || due.unseen_steps != oracle.unseen_steps;
            demand(truly, NAME, || {
                format!("the wait of {} ends {} ms too early in truth", task.id, due.boot - oracle.boot)
            })
        }
        Event::TimerFired { timer, .. } => fired(oracle, &record.event, *timer),
        _ => Ok(()),
    }
}

fn is_date(oracle: &Oracle, event: &Event) -> bool {
    oracle.at(event).is_some_and(|(_, run, task)| matches!(run.draft(task).work, Work::Wait(Await::At(_))))
}

fn fired(oracle: &Oracle, event: &Event, timer: TimerKind) -> Verdict {
    let (_, run, task) = oracle.at(event).expect("it was created");
    let timeout = &run.spec(task).timeout;
    let worked = run.worked(oracle.worked);
    let (since, bound) = match timer {
        TimerKind::Retry | TimerKind::Moment => return Ok(()),
        TimerKind::ScheduleToStart => (task.life.ready_at, timeout.schedule_to_start),
        TimerKind::ScheduleToClose => (task.life.ready_at, timeout.schedule_to_close),
        TimerKind::Budget => (task.life.ready_at, run.spec(task).budget.wall),
        TimerKind::Answer if crate::meaning::asks(run.draft(task)) => {
            (Some(task.life.asked_at), timeout.schedule_to_close)
        }
        TimerKind::Answer => (Some(task.life.asked_at), Some(ANSWER_BOUND)),
        TimerKind::Wait => {
            (Some(task.life.asked_at).filter(|_| task.life.listens), timeout.schedule_to_close)
        }
    };
    let Some(bound) = bound else { return demand(false, NAME, || format!("{} has no {timer:?}", task.id)) };
    let earliest = since.unwrap_or_default() + bound.ms;
    demand(worked + RECEIVED_BEFORE_MS + oracle.drift_ms >= earliest, NAME, || {
        format!(
            "{timer:?} of {} fires after {} ms of work, its bound is {bound}",
            task.id,
            worked - since.unwrap_or_default()
        )
    })
}

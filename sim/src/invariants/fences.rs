//! 4, fences grow: a fence is the place of its `attempt_started`; between two starts of a task lies the reaping of the
//! former. That no two attempts of a task live at once is seen where they are spawned. Never: what a fence guards.

use windlass_core::event::{Event, Record};
use windlass_core::id::Fence;
use windlass_core::state::State;

use crate::broken::{Verdict, demand};
use crate::oracle::Oracle;

const NAME: &str = "4 fences grow";

pub(crate) fn of_record(oracle: &Oracle, _: &State, record: &Record) -> Verdict {
    let said = match &record.event {
        Event::AttemptStarted { .. } => {
            let (_, _, task) = oracle.at(&record.event).expect("it was created");
            return demand(task.newest().is_none_or(|attempt| attempt.is_reaped), NAME, || {
                format!("{} starts before its attempt {} is reaped", task.id, task.attempts.len())
            });
        }
        Event::StopRequested { attempt, fence, .. }
        | Event::AttemptFinished { attempt, fence, .. }
        | Event::AttemptLost { attempt, fence, .. }
        | Event::AttemptReaped { attempt, fence, .. }
        | Event::ExtractsRecorded { attempt, fence, .. }
        | Event::ResultIgnored { attempt, fence, .. } => Some((*attempt, *fence)),
        Event::TaskSucceeded { attempt: Some(attempt), fence: Some(fence), .. } => Some((*attempt, *fence)),
        _ => None,
    };
    let Some((attempt, fence)) = said else { return Ok(()) };
    let (_, _, task) = oracle.at(&record.event).expect("it was created");
    let at = usize::try_from(attempt).expect("32 bits fit").checked_sub(1);
    let known = at.and_then(|at| task.attempts.get(at)).map(|attempt| attempt.fence);
    demand(known == Some(fence), NAME, || {
        format!("{} of {}/{attempt} has fence {fence}, started under {known:?}", record.event.name(), task.id)
    })?;
    let is_newest = task.newest().map(|newest| newest.fence) == Some(fence);
    let may_be_old = matches!(record.event, Event::ResultIgnored { .. });
    demand(is_newest || may_be_old, NAME, || {
        format!("{} counts under the old fence {fence}", record.event.name())
    })?;
    let again = ends_twice(&record.event, oracle, fence);
    demand(!again, NAME, || format!("{}/{attempt} has a second {}", task.id, record.event.name()))
}

/// An attempt is over once, and reaped once.
fn ends_twice(event: &Event, oracle: &Oracle, fence: Fence) -> bool {
    let (_, _, task) = oracle.at(event).expect("it was created");
    let Some(attempt) = task.attempts.iter().find(|attempt| attempt.fence == fence) else { return false };
    let is_over = attempt.exit.is_some() || attempt.lost.is_some();
    match event {
        Event::AttemptFinished { .. } | Event::AttemptLost { .. } | Event::StopRequested { .. } => is_over,
        Event::AttemptReaped { .. } => attempt.is_reaped || !is_over,
        Event::ExtractsRecorded { .. } => attempt.is_settled || !attempt.is_reaped,
        _ => false,
    }
}

//! 19, cancel: once a cancel is wished nothing of the task starts or is accepted; what is cancelled is reaped; each wish
//! is answered by the task's end. Never: who wished it.

use windlass_core::event::{Event, Record};
use windlass_core::state::State;

use crate::broken::{Verdict, demand};
use crate::oracle::Oracle;

const NAME: &str = "19 cancel";

pub(crate) fn of_record(oracle: &Oracle, _: &State, record: &Record) -> Verdict {
    let Some((_, run, task)) = oracle.at(&record.event) else { return Ok(()) };
    let wished = task.life.cancel_wished;
    let id = &task.id;
    match &record.event {
        Event::AttemptStarted { .. }
        | Event::TaskExpanded { .. }
        | Event::ApprovalRequested { .. }
        | Event::TopicEmitted { .. }
        | Event::WaitSatisfied { .. }
        | Event::RetryScheduled { .. }
        | Event::TaskBlocked { .. }
        | Event::TaskDead { .. }
        | Event::TaskSucceeded { .. } => demand(!wished, NAME, || {
            format!("{} of {id}, whose cancel was wished before", record.event.name())
        }),
        Event::TaskCancelled { .. } => {
            demand(wished, NAME, || format!("{id} is cancelled, and nobody wished it"))?;
            let reaped = task.newest().is_none_or(|attempt| attempt.is_reaped);
            demand(reaped, NAME, || format!("{id} is cancelled before its attempt is reaped"))?;
            let open = task.children.iter().any(|child| run.tasks[*child].end.is_none());
            demand(!open, NAME, || format!("{id} is cancelled before its children"))
        }
        _ => Ok(()),
    }
}

//! 3, one winner: at most one acceptance per task and incarnation, with the task's newest fence, of an attempt that was
//! neither lost nor stopped and in truth ended well. Never: what is not an acceptance.

use windlass_core::event::{Event, Record, Settlement};
use windlass_core::state::State;

use crate::broken::{Verdict, demand};
use crate::family::{self, Form};
use crate::oracle::Oracle;

const NAME: &str = "3 one winner";

pub(crate) fn of_record(oracle: &Oracle, _: &State, record: &Record) -> Verdict {
    let Event::TaskSucceeded { attempt, fence, .. } = &record.event else { return Ok(()) };
    let (_, run, task) = oracle.at(&record.event).expect("it was created");
    let id = &task.id;
    demand(task.end.is_none() && !task.life.accepted, NAME, || format!("{id} is accepted a second time"))?;
    let Some(fence) = fence else {
        let by_a_person = task.life.settled_as == Some(Settlement::Done);
        let is_own = !run.draft(task).work.has_attempts() || family::form(run, task) != Form::Work;
        return demand(by_a_person || is_own, NAME, || format!("{id} is accepted without a fence"));
    };
    let newest = task.newest();
    demand(newest.is_some_and(|newest| newest.fence == *fence), NAME, || {
        format!(
            "{id} is accepted under fence {fence}, the newest is {:?}",
            newest.map(|attempt| attempt.fence)
        )
    })?;
    let newest = newest.expect("it was seen");
    let number = u32::try_from(task.attempts.len()).ok();
    demand(*attempt == number, NAME, || {
        format!("{id}: attempt {attempt:?} is accepted, the newest is {number:?}")
    })?;
    demand(newest.lost.is_none() && newest.stop.is_none(), NAME, || {
        format!("{id}: an attempt that was lost or stopped is accepted")
    })?;
    let well = oracle.truth.get(fence).is_some_and(|truth| truth.well);
    demand(well && newest.error.is_none(), NAME, || {
        format!("{id}: what is accepted did not end well in truth")
    })
}

//! What may not be asked from within a task of a run: what would wait for the very run that waits for that task.
//! Never: refusing a look, or steering, which wait for nothing.

use windlass_engine::reading::Reading;
use windlass_worker::environment::innermost_of;

use crate::desk::Desk;
use crate::error::{Outcome, Report};
use crate::exit::Exit;
use crate::opening::OWNERS;

/// Refuses what hosts runs or follows them, `what` in words: a run within a task would be under that task's caps.
pub(crate) fn refuse(desk: &Desk, what: &str) -> Outcome<()> {
    if desk.surroundings.text(OWNERS).is_none() {
        return Ok(());
    }
    let report = Report::new(Exit::Failed, format!("a task of a run can't {what}"))
        .cause(format!("{OWNERS} is set: this is called from within an attempt"))
        .hint("nested runs are not supported yet; write the work as tasks of the plan".to_owned());
    Err(report.into())
}

/// Refuses to follow what is under way in a home from within an attempt of that same home: it may wait for the end of
/// that attempt, or for the slot that it holds.
pub(crate) fn refuse_to_follow(desk: &Desk, reading: &Reading) -> Outcome<()> {
    let marks = desk.surroundings.text(OWNERS);
    let Some(key) = marks.zip(reading.home_id()).and_then(|(marks, home)| innermost_of(&home, marks)) else {
        return Ok(());
    };
    let report = Report::new(Exit::Failed, "this would wait for itself")
        .cause(format!("it is called from within {key}, an attempt of the same home"))
        .hint("look without `-f`; a task that is to come after another names it under `needs`".to_owned());
    Err(report.into())
}

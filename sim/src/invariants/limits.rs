//! 11, limits: live attempts never exceed slots, the plan's concurrency, a list's `max_parallel`; nothing runs beside
//! what must be alone. Agents: `accounts.rs`. Never: which of several tasks comes first.

use windlass_core::event::{Event, Record};
use windlass_core::id::RunId;
use windlass_core::state::State;

use crate::broken::{Verdict, demand};
use crate::family;
use crate::invariants::{budget, budgets};
use crate::oracle::{ORun, OTask, Oracle};

const NAME: &str = "11 limits";

/// Whether every limit leaves room for a task, and if not, which.
pub(crate) fn has_room(oracle: &Oracle, run_id: RunId, run: &ORun, task: &OTask) -> Result<(), &'static str> {
    let slots = usize::try_from(oracle.slots).expect("32 bits fit");
    if oracle.taking_room() >= slots {
        return Err("slots");
    }
    has_own_room(oracle, run_id, run, task)
}

/// The same of the limits that its plan sets.
pub(crate) fn has_own_room(
    oracle: &Oracle,
    run_id: RunId,
    run: &ORun,
    task: &OTask,
) -> Result<(), &'static str> {
    if !budget::has_room(run) {
        return Err("the budget of attempts");
    }
    if !budgets::has_room(run, task) {
        return Err("a budget of tasks");
    }
    let ours = || oracle.live.values().filter(|live| live.run == run_id).map(|live| &run.tasks[live.task]);
    let ours = || ours().filter(|task| !run.lends(task));
    let within = |count: usize, most: Option<u32>| {
        most.is_none_or(|most| u32::try_from(count).is_ok_and(|count| count < most))
    };
    if !within(ours().count(), run.draft.concurrency) {
        return Err("the plan's concurrency");
    }
    for list in family::lists_around(run, task) {
        let most = run.draft(&run.tasks[list]).each.as_ref().and_then(|each| each.max_parallel);
        let is_beside = |other: &&OTask| family::lists_around(run, other).any(|other| other == list);
        let siblings = ours().filter(is_beside).count();
        if !within(siblings, most) {
            return Err("max_parallel");
        }
    }
    Ok(())
}

pub(crate) fn of_record(oracle: &Oracle, _: &State, record: &Record) -> Verdict {
    let Event::AttemptStarted { alone, .. } = &record.event else { return Ok(()) };
    let (id, run, task) = oracle.at(&record.event).expect("it was created");
    let room = has_room(oracle, id, run, task);
    demand(room.is_ok(), NAME, || format!("{} starts over {}", task.id, room.expect_err("there is none")))?;
    let beside = oracle.live.values().any(|live| live.alone);
    demand(!beside, NAME, || format!("{} starts beside an attempt that must be alone", task.id))?;
    demand(!alone || oracle.taking_room() == 0, NAME, || format!("{} must be alone and is not", task.id))?;
    demand(oracle.is_active(run), NAME, || format!("{} starts in a run that nobody works on", task.id))
}

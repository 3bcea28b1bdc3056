//! 12, budget: what was charged and what attempts in flight may come to be charged stay within the budget of attempts; a
//! budget that is used up is told when something wants more of it, at once and not before, pauses the run, and is not gone
//! over by resuming. Never: the core's own count.

use windlass_core::event::BudgetKind;
use windlass_core::event::{Event, PauseReason, Record};
use windlass_core::machine::task::Phase;
use windlass_core::state::State;

use crate::broken::{Verdict, demand};
use crate::oracle::{ORun, OTask, Oracle};

const NAME: &str = "12 budget";

/// Attempts in flight that wait for what they brought: they count as spent for what waits for room.
fn lent(run: &ORun) -> u32 {
    u32::try_from(run.in_flight().filter(|task| run.lends(task)).count()).expect("few")
}

fn attempts_max(run: &ORun) -> Option<u32> {
    run.draft.attempts_max.map(|most| most + run.raised.0)
}

fn wall_ms_max(run: &ORun) -> Option<u64> {
    run.draft.wall_ms_max.map(|most| most + run.raised.1)
}

/// Whether the budget of attempts leaves room for another one.
pub(crate) fn has_room(run: &ORun) -> bool {
    let (charged, open) = run.used;
    attempts_max(run).is_none_or(|most| charged + open < most)
}

fn is_used_up(run: &ORun) -> bool {
    attempts_max(run).is_some_and(|most| run.used.0 + lent(run) >= most)
}

pub(crate) fn of_record(oracle: &Oracle, before: &State, record: &Record) -> Verdict {
    let Some(id) = record.event.run() else { return Ok(()) };
    let Some(run) = oracle.runs.get(&id) else { return Ok(()) };
    let worked = run.worked(oracle.worked);
    match &record.event {
        Event::AttemptStarted { .. } => demand(has_room(run), NAME, || {
            let (charged, open) = run.used;
            format!("{id} starts another after {charged} and {open} of {:?}", attempts_max(run))
        }),
        Event::BudgetReached { task: None, budget: BudgetKind::Attempts, spent, limit, .. } => {
            let told = (u32::try_from(*spent), u32::try_from(*limit).ok());
            let right = is_used_up(run) && told == (Ok(run.used.0 + lent(run)), attempts_max(run));
            let wants = |phase: Phase| matches!(phase, Phase::Ready | Phase::BackingOff | Phase::Parked);
            let wanted = before.runs[&id].tasks.iter().any(|task| wants(task.phase));
            demand(right && wanted, NAME, || {
                format!("{id}: {spent} of {limit} attempts are no end, {:?}", run.used)
            })
        }
        Event::BudgetReached { task: None, budget: BudgetKind::Wall, spent, limit, .. } => {
            let is_over = worked + oracle.slack_ms(run) >= *limit && spent >= limit;
            demand(is_over && wall_ms_max(run) == Some(*limit), NAME, || {
                format!("{id}: {spent} of {limit} ms are no end after {worked}")
            })
        }
        Event::PauseRequested { reason: PauseReason::Budget, .. } => {
            demand(run.reached.is_some(), NAME, || format!("{id} pauses for a budget that is not used up"))
        }
        Event::RunResumed { raised, .. } if run.pauses.contains_key(&PauseReason::Budget) => {
            let attempts =
                attempts_max(run).is_none_or(|most| run.used.0 + lent(run) < most + raised.attempts);
            let limit = wall_ms_max(run).map(|most| most + raised.wall.ms + oracle.slack_ms(run));
            demand(attempts && limit.is_none_or(|most| worked < most), NAME, || {
                format!("{id} goes on with a budget that is used up")
            })
        }
        _ => Ok(()),
    }
}

/// What is used up was told.
pub(crate) fn at_rest(oracle: &Oracle, state: &State) -> Verdict {
    for (id, run) in oracle.runs.iter().filter(|(_, run)| oracle.is_active(run)) {
        let wants = |(task, seen): (&OTask, &windlass_core::state::Task)| {
            task.end.is_none() && matches!(seen.phase, Phase::Ready | Phase::BackingOff | Phase::Parked)
        };
        let wanted = run.tasks.iter().zip(&state.runs[id].tasks).any(wants);
        demand(!(wanted && is_used_up(run)), NAME, || format!("{id} has used up its attempts, and waits"))?;
        let worked = run.worked(oracle.worked);
        let late = wall_ms_max(run).is_some_and(|most| worked > most + oracle.slack_ms(run));
        demand(!late, NAME, || format!("{id} has used up its time, {worked} ms, and goes on"))?;
    }
    Ok(())
}

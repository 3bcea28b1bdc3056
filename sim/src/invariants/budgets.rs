//! 12, budgets of tasks: what was charged of a task and of all below it, and what is in flight there, stays within its
//! attempts; it ends with kind `budget` what could start there, once that is told and not before. Never: the core's own
//! count.

use windlass_core::event::BudgetKind;
use windlass_core::event::{Event, Record};
use windlass_core::failure::ErrorKind;
use windlass_core::machine::task::Phase;
use windlass_core::state::State;

use crate::broken::{Verdict, demand};
use crate::family::{Form, form};
use crate::oracle::{ORun, OTask, Oracle};

const NAME: &str = "12 budget";

/// A task and those around it.
fn line<'a>(run: &'a ORun, task: &'a OTask) -> impl Iterator<Item = &'a OTask> {
    std::iter::successors(Some(task), |task| Some(&run.tasks[task.parent?]))
}

/// The nodes with a budget of attempts that a task uses.
fn payers<'a>(run: &'a ORun, task: &'a OTask) -> impl Iterator<Item = (&'a OTask, u32)> {
    let bounded = |task: &'a OTask| Some((task, run.draft(task).attempts_max.filter(|_| task.is_node())?));
    line(run, task).filter_map(bounded)
}

/// Attempts of a task and of all below it that wait for what they brought: they count as spent for what waits for room.
fn lent(run: &ORun, payer: &OTask) -> u32 {
    let below = |task: &&OTask| line(run, task).any(|around| around.id == payer.id);
    u32::try_from(run.in_flight().filter(|task| run.lends(task)).filter(below).count()).expect("few")
}

/// Whether the budgets around a task leave room for another attempt.
pub(crate) fn has_room(run: &ORun, task: &OTask) -> bool {
    payers(run, task).all(|(payer, most)| {
        let (charged, open) = payer.used;
        charged + open < most
    })
}

/// Whether a budget around a task is used up, as that was told.
pub(crate) fn is_used_up(run: &ORun, task: &OTask) -> bool {
    line(run, task).any(|around| around.life.is_used_up)
}

pub(crate) fn of_record(oracle: &Oracle, before: &State, record: &Record) -> Verdict {
    let Some((id, run, task)) = oracle.at(&record.event) else { return Ok(()) };
    match &record.event {
        Event::AttemptStarted { .. } => demand(has_room(run, task) && !is_used_up(run, task), NAME, || {
            let all: Vec<_> = payers(run, task).map(|(payer, most)| (&payer.id, payer.used, most)).collect();
            format!("{} starts another: {all:?}", task.id)
        }),
        Event::BudgetReached { task: Some(_), budget: BudgetKind::Attempts, spent, limit, .. } => {
            let charged = task.used.0 + lent(run, task);
            let right =
                (*spent, *limit) == (charged.into(), run.draft(task).attempts_max.unwrap_or(0).into());
            let wants = |phase: Phase| matches!(phase, Phase::Ready | Phase::BackingOff | Phase::Parked);
            let below = run.tasks.iter().zip(&before.runs[&id].tasks);
            let wanted = below
                .filter(|(other, _)| line(run, other).any(|around| around.id == task.id))
                .any(|(_, seen)| wants(seen.phase));
            demand(right && spent >= limit && wanted && !task.life.is_used_up, NAME, || {
                format!("{}: {spent} of {limit} attempts are no end, {charged}", task.id)
            })
        }
        Event::BudgetReached { task: Some(_), budget: BudgetKind::Wall, spent, limit, .. } => {
            let is_its = run.draft(task).wall_ms_max == Some(*limit) && spent >= limit;
            demand(is_its && !task.life.is_used_up, NAME, || {
                format!("{}: {spent} of {limit} ms are no end", task.id)
            })
        }
        Event::TaskDead { error, .. } if error.kind == ErrorKind::Budget => {
            demand(is_used_up(run, task), NAME, || format!("{} ends for a budget that is left", task.id))
        }
        _ => Ok(()),
    }
}

/// What is used up was told where something wants more of it, and nothing that could start is left below it.
pub(crate) fn at_rest(oracle: &Oracle, state: &State) -> Verdict {
    for (id, run) in &oracle.runs {
        let tasks = run.tasks.iter().zip(&state.runs[id].tasks);
        let wants = |phase: Phase| matches!(phase, Phase::Ready | Phase::BackingOff | Phase::Parked);
        for (task, _) in tasks.filter(|(task, seen)| task.end.is_none() && wants(seen.phase)) {
            // What is to have children wants none itself: they do, once they are there.
            let has_attempts = form(run, task) == Form::Work && run.draft(task).work.has_attempts();
            let spent = has_attempts
                && payers(run, task).any(|(payer, most)| payer.used.0 + lent(run, payer) >= most);
            demand(!spent && !is_used_up(run, task), NAME, || {
                format!("{} waits to start, and a budget around it is used up", task.id)
            })?;
        }
    }
    Ok(())
}

//! 14, wake: at rest each unfinished task names what wakes it. That what it names does come is shown by the liveness
//! phase: every run ends. Never: a task that waits for room while there is some.

use windlass_core::machine::task::Phase;
use windlass_core::state::State;
use windlass_core::time::Time;
use windlass_core::view::bars::{Bar, Barred};
use windlass_core::view::wake::{self, Wake};

use crate::broken::{Verdict, demand};
use crate::oracle::{ORun, OTask, Oracle};

use super::limits;

const NAME: &str = "14 wake";

pub(crate) fn at_rest(oracle: &Oracle, state: &State) -> Verdict {
    for (id, run) in oracle.runs.iter().filter(|(_, run)| run.outcome.is_none()) {
        let of = &state.runs[id];
        let active = oracle.is_active(run);
        demand(run.tasks.iter().any(|task| task.end.is_none()), NAME, || {
            format!("{id} is over and not finished")
        })?;
        for (ix, task) in run.tasks.iter().enumerate().filter(|(_, task)| task.end.is_none()) {
            let seen = &of.tasks[ix];
            let wakes = match seen.phase {
                Phase::Waiting => run.needs(task).any(|need| run.tasks[need].end.is_none()),
                Phase::Ready if active && !run.draft(task).work.has_attempts() => false,
                Phase::Ready => !active || waits_for_room(oracle, *id, run, task),
                Phase::Running | Phase::Stopping => task.newest().is_some_and(|attempt| !attempt.is_reaped),
                Phase::Merging => false,
                Phase::Gating => task.awaits_settling() || run.lends(task),
                Phase::Blocked if active && task.life.due.is_some() => {
                    let due =
                        seen.dues.date.or_else(|| Some(Time::from_ms(seen.dues.retry? + oracle.steps_ms)));
                    demand(due.is_some_and(|due| due > oracle.now), NAME, || {
                        format!("{} waits until {due:?}, and goes on waiting", task.id)
                    })?;
                    state.next_due(oracle.now) <= due
                }
                Phase::BackingOff | Phase::Parked if active => {
                    let due = seen.dues.retry.filter(|due| of.retries.iter().any(|(at, _)| at == due));
                    let passed = oracle.now.ms - oracle.steps_ms;
                    let fired = due.is_none_or(|due| due > passed);
                    demand(fired, NAME, || format!("{} was due before, and goes on waiting", task.id))?;
                    let armed = state.next_due(oracle.now).map(|due| due.ms - oracle.steps_ms);
                    due.is_some_and(|due| armed.is_some_and(|armed| armed <= due))
                }
                Phase::BackingOff | Phase::Parked => {
                    seen.dues.retry.is_some_and(|due| of.retries.iter().any(|(at, _)| *at == due))
                }
                Phase::Blocked => {
                    let others = || task.parent.iter().flat_map(|parent| &run.tasks[*parent].children);
                    let is_open =
                        |ix: &usize| run.tasks[*ix].end.is_none() && run.tasks[*ix].passed.is_none();
                    let waits = task.passed.is_some() && others().any(is_open);
                    // Who can still wake what waits for a message is for `topics.rs` to say.
                    waits
                        || task.life.listens
                        || task.life.due.is_some()
                        || task.life.is_unknown
                        || task.question.as_ref().is_some_and(|asked| asked.answer.is_none())
                }
                Phase::Expanded => task.children.iter().any(|child| run.tasks[*child].end.is_none()),
                Phase::Succeeded | Phase::Skipped | Phase::Dead | Phase::Cancelled => false,
            };
            let named = wake::wake(state, of, of.names[&task.id]);
            demand(named.is_some(), NAME, || {
                format!("{} is {} and names nothing that wakes it", task.id, seen.phase.name())
            })?;
            if let Some(Wake::Room(bars)) = &named {
                by_agents(oracle, (run, task), bars)?;
            }
            demand(wakes, NAME, || format!("nothing wakes {}, which is {}", task.id, seen.phase.name()))?;
        }
    }
    Ok(())
}

/// It is the agents that a ready task waits for where none of those who may could work on it, and else it is not.
fn by_agents(oracle: &Oracle, (run, task): (&ORun, &OTask), bars: &[Barred]) -> Verdict {
    let is_alone = |bar: &Barred| matches!(bar.bar, Bar::Beside(_) | Bar::Before(..));
    if bars.iter().any(is_alone) {
        return Ok(());
    }
    let named = bars.iter().any(|bar| matches!(bar.bar, Bar::Agents(_)));
    let has_hands = oracle.has_hands(run, task, oracle.at.ms - oracle.steps_ms);
    demand(named != has_hands, NAME, || {
        format!(
            "{} has somebody who could work on it: {has_hands}, and says that it waits for {bars:?}",
            task.id
        )
    })
}

/// A ready task waits only where a limit is reached, or where something must be alone.
fn waits_for_room(oracle: &Oracle, id: windlass_core::id::RunId, run: &ORun, task: &OTask) -> bool {
    if limits::has_room(oracle, id, run, task).is_err() {
        return true;
    }
    let now = oracle.now.ms - oracle.steps_ms;
    if !oracle.has_hands(run, task, now) {
        return true;
    }
    let alone = oracle.live.values().any(|live| live.alone);
    let suspect = |run: &ORun| run.tasks.iter().any(|task| task.end.is_none() && task.deaths_in_row >= 2);
    let drains =
        oracle.taking_room() > 0 && oracle.runs.values().any(|run| oracle.is_active(run) && suspect(run));
    alone || drains
}

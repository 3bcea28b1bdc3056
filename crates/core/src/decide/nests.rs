//! Whether an attempt may bring a plan to its task, and the word that it did. Never: what the plan's tasks do then, which
//! are tasks like others.

use std::sync::Arc;

use crate::decide::{GOAL_BYTES_MAX, beginning};
use crate::event::{Event, Hydrated};
use crate::failure::{ErrorKind, Failure};
use crate::hint::{self, Part};
use crate::id::{CommandId, Epoch};
use crate::input::{Nesting, Rejection};
use crate::machine::task::Phase;
use crate::plan::{Rerun, validate};
use crate::state::parts::Standing;
use crate::state::tree::Nest;
use crate::state::{Attempt, Run, Task, TaskIx};

/// An attempt brings a plan. One that began in an opening before this is lost, though its program may live yet and ask.
pub(crate) fn bring(
    (run, epoch): (&Run, Epoch),
    ix: TaskIx,
    command: &CommandId,
    nesting: &Nesting,
) -> Result<Vec<Event>, Rejection> {
    let task = run.task(ix);
    let Nesting { within, plan, plan_digest, folder, env_digest, source, levels: _ } = nesting;
    let live = task.live_attempt().filter(|attempt| attempt.is_live() && attempt.epoch == epoch);
    let goes_on = task.phase == Phase::Running && !task.cancel_wished;
    let attempt = live
        .filter(|attempt| attempt.number == within.attempt && goes_on)
        .ok_or_else(|| Rejection::NotLive(within.clone()))?;
    // Its folder is the attempt's, of which nobody has looked whether it is a repository.
    if plan.has_worktrees() {
        return Err(Rejection::NoRepository(run.id));
    }
    within_caps(run, ix, nesting).map_err(|why| Rejection::OverCap { run: run.id, why })?;
    once_at_a_time(run, ix, nesting)?;
    let number = run.nests.get(&ix).map_or(0, |nest| nest.plans.len());
    Ok(vec![Event::PlanNested {
        run: run.id,
        task: task.id.clone(),
        attempt: attempt.number,
        fence: attempt.fence,
        command: command.clone(),
        child: task.id.child(u32::try_from(number).expect("capped")),
        goal: beginning(&plan.goal, GOAL_BYTES_MAX),
        plan: *plan_digest,
        folder: folder.clone(),
        env: *env_digest,
        source: source.clone(),
        hydrated: Hydrated(Some(Arc::clone(plan))),
    }])
}

/// A plan that an attempt brings is within the caps of the run: of its tasks, of its levels, of children of one task; and
/// within the levels that the runs around the engine leave it. What earlier attempts left is no part of that: else kills
/// and retries would use the caps up.
fn within_caps(run: &Run, ix: TaskIx, nesting: &Nesting) -> Result<(), String> {
    let limits = run.plan.limits;
    let over = |what: String, name: &str, cap: u32| Err(format!("{what}, over its limits.{name} of {cap}"));
    if let Some(tasks) = run.too_many_with(1 + nesting.plan.tasks.len()) {
        return over(format!("its tree would have {tasks} tasks"), "tasks", limits.tasks);
    }
    let levels = run.level(ix) + validate::levels(&nesting.plan);
    if levels > limits.depth as usize {
        return over(format!("its tree would have {levels} levels"), "depth", limits.depth);
    }
    // The plans around the engine were there before this one: what it says of itself can't raise what they allow.
    if let Some(around) = nesting.levels.filter(|around| levels > *around as usize) {
        return Err(format!(
            "its tree would have {levels} levels, and the plans around its home allow {around}"
        ));
    }
    // Beside each other only, as children are: what has ended leaves room for the next of a loop.
    let plans = run.open_plans(ix) + 1;
    if plans > limits.fan_out {
        let id = &run.task(ix).id;
        return over(format!("{id} would have {plans} plans under way at once"), "fan_out", limits.fan_out);
    }
    Ok(())
}

/// A plan that an attempt brings again, as one does whose command was ended while it waited, is carried out only when that of
/// before has ended, where that is on its way; and not at all where that has begun what must not be done twice.
fn once_at_a_time(run: &Run, ix: TaskIx, nesting: &Nesting) -> Result<(), Rejection> {
    let plans = run.nests.get(&ix).map_or(&[] as &[TaskIx], Nest::newest);
    let is_same = |plan: &&TaskIx| {
        run.brought(run.task(**plan)).is_some_and(|brought| brought.digest == nesting.plan_digest)
    };
    let same = || plans.iter().filter(is_same);
    if let Some(begun) = same().find_map(|plan| run.begun_once(*plan).next()) {
        return Err(Rejection::BegunBefore { within: nesting.within.clone(), task: begun.id.clone() });
    }
    let mut ending =
        same().map(|plan| run.task(*plan)).filter(|plan| plan.cancel_wished && !plan.phase.is_final());
    ending.next().map_or(Ok(()), |plan| Err(Rejection::EndsFirst { task: plan.id.clone() }))
}

/// The failure of an attempt that has ended by itself: of one that could not go on, since what it started was held by the pause
/// of its run, as if it had been stopped by that. What must not be done twice is not tried again for it; and what says more
/// than that a program gave up, such as a full disk, is left as it is.
pub(crate) fn held_up(run: &Run, ix: TaskIx, failure: Failure) -> Failure {
    let plans = run.nests.get(&ix).map_or(&[] as &[TaskIx], Nest::newest);
    let is_held = plans.iter().any(|plan| run.standing_of(*plan) == Standing::Held);
    if !is_held || failure.kind != ErrorKind::Exit || run.spec(run.task(ix)).rerun == Rerun::Never {
        return failure;
    }
    let message = format!("what it started was held by the pause of its run; {}", failure.message);
    Failure::new(ErrorKind::Interrupted, message)
}

/// A task whose newest attempt was interrupted, and had brought plans: the next would bring them anew.
pub(crate) fn to_come_again(run: &Run) -> Option<&Task> {
    let mut brought = run.nests.iter().filter(|(_, nest)| !nest.newest().is_empty());
    let comes_again = |task: &&Task| {
        let failure = task.last_attempt().and_then(Attempt::failure);
        task.phase.waits_to_start()
            && failure.is_some_and(|(failure, _)| failure.kind == ErrorKind::Interrupted)
    };
    brought.find_map(|(ix, _)| Some(run.task(*ix)).filter(comes_again))
}

/// A failure of a task as it goes into a record. Where an attempt brought the task, `retry` refuses it: what its hint says
/// of that is left out.
pub(crate) fn recorded(run: &Run, ix: TaskIx, failure: Failure) -> Failure {
    let mut failure = failure.recorded();
    if run.brought_around(ix).is_none() {
        return failure;
    }
    let is_refused = |part: &Part<'_>| match part {
        Part::Command(words) if words.first() == Some(&"retry") => {
            let other = words.get(2).and_then(|task| run.names.get(&task.parse().ok()?));
            other.is_none_or(|other| run.brought_around(*other).is_some())
        }
        Part::Command(_) | Part::Words(_) => false,
    };
    let hint = failure.hint.take().unwrap_or_default();
    let (left_out, mut left): (Vec<&str>, Vec<&str>) =
        hint.split("; ").partition(|part| hint::parts(part).iter().any(is_refused));
    if !left_out.is_empty() {
        left.push("whoever started it decides what follows: it is not tried again by itself");
    }
    failure.hint(left.join("; "))
}

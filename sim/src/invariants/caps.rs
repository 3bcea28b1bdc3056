//! 24, caps: over the whole tree of a run tasks, depth and fan-out stay within their caps at each expansion, and only lists over them are refused.
//! Never: what the children do.

use windlass_core::event::{Event, Expansion, Record};
use windlass_core::failure::ErrorKind;
use windlass_core::state::State;

use crate::broken::{Verdict, demand};
use crate::family::{self, Form};
use crate::meaning::{self, Items};
use crate::oracle::{ORun, OTask, Oracle};

const NAME: &str = "24 caps";

pub(crate) fn of_record(oracle: &Oracle, _: &State, record: &Record) -> Verdict {
    let Some((_, run, task)) = oracle.at(&record.event) else { return Ok(()) };
    match &record.event {
        Event::PlanNested { plan, .. } => {
            let draft = &oracle.drafts[plan].1;
            // What is over takes no place beside others, and what an attempt before left is ended.
            let by = Some(task.attempts.len());
            let is_open =
                |nest: &&usize| run.tasks[**nest].brought_by == by && run.tasks[**nest].end.is_none();
            let beside = task.nests.iter().filter(is_open).count();
            let few = u32::try_from(beside + 1).is_ok_and(|plans| plans <= run.plan.limits.fan_out);
            let is_flat = level(run, task) < run.plan.limits.depth;
            demand(few && is_flat && has_room(run, 1 + draft.tasks.len()), NAME, || {
                format!("{} brings a plan over its caps", task.id)
            })?;
            let runs = task.newest().is_some_and(|attempt| !attempt.is_reaped && attempt.stop.is_none());
            demand(runs, NAME, || format!("{} brings a plan, and no attempt of it runs", task.id))
        }
        Event::TaskExpanded { .. } if level(run, task) >= run.plan.limits.depth => {
            demand(false, NAME, || format!("{} has children, over the cap on depth", task.id))
        }
        Event::TaskExpanded { into: Expansion::Items(items), .. } => {
            let expected = run.draft(task).each.as_ref().map(|each| meaning::items(run, task, &each.from));
            let right = matches!(&expected, Some(Items::These(these)) if these == items);
            demand(right, NAME, || {
                format!("{} has the items {items:?}, its list gives {expected:?}", task.id)
            })?;
            demand(fits(run, items.len()), NAME, || {
                format!("{} has {} children, over its caps", task.id, items.len())
            })
        }
        Event::TaskExpanded { into, .. } => {
            let count = match into {
                Expansion::Replicas(count) => usize::try_from(*count).expect("few"),
                Expansion::Plan { tasks, .. } => usize::try_from(*tasks).expect("few"),
                Expansion::Round(_) | Expansion::Items(_) => 1,
            };
            demand(has_room(run, count), NAME, || format!("{} has {into:?}, over the cap on tasks", task.id))
        }
        // What a parent that has children comes to is for `children.rs` to say.
        Event::TaskDead { error, attempt: None, .. }
            if error.kind == ErrorKind::InvalidOutput && !task.is_expanded =>
        {
            let refused = is_refused(run, task);
            demand(refused, NAME, || format!("{} is refused its list: {}", task.id, error.message))
        }
        _ => Ok(()),
    }
}

/// How deep in the tree of the run a task is.
fn level(run: &ORun, task: &OTask) -> u32 {
    let line = std::iter::successors(Some(task), |task| Some(&run.tasks[task.parent?]));
    // What was brought stands where a plan would that the task around it is.
    u32::try_from(line.filter(|task| task.brought_by.is_none()).count()).expect("capped")
}

fn fits(run: &ORun, count: usize) -> bool {
    u32::try_from(count).is_ok_and(|count| count <= run.plan.limits.fan_out) && has_room(run, count)
}

/// So many tasks more are within the cap.
pub(crate) fn has_room(run: &ORun, count: usize) -> bool {
    u32::try_from(run.counted() + count).is_ok_and(|tasks| tasks <= run.plan.limits.tasks)
}

fn is_refused(run: &ORun, task: &OTask) -> bool {
    let count = match family::form(run, task) {
        Form::Rounds => return !has_room(run, 1),
        Form::Replicas => run.draft(task).replicas.map_or(0, |(count, _)| count),
        Form::Plan => {
            let tasks = run.draft(task).work.plan().map_or(0, |plan| plan.tasks.len());
            return !has_room(run, tasks);
        }
        Form::List | Form::Work => 0,
    };
    if count > 0 {
        return !has_room(run, usize::try_from(count).expect("few"));
    }
    match run.draft(task).each.as_ref().map(|each| meaning::items(run, task, &each.from)) {
        Some(Items::These(items)) => !fits(run, items.len()),
        Some(Items::NoList) => true,
        Some(Items::Failed) | None => false,
    }
}

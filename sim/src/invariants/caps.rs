//! 24, caps: tasks and fan-out stay within their caps at each expansion, and only lists over them are refused.
//! Never: what the children do.

use windlass_core::event::{Event, Record};
use windlass_core::failure::ErrorKind;
use windlass_core::state::State;

use crate::broken::{Verdict, demand};
use crate::meaning::{self, Items};
use crate::oracle::{ORun, OTask, Oracle};

const NAME: &str = "24 caps";

pub(crate) fn of_record(oracle: &Oracle, _: &State, record: &Record) -> Verdict {
    let Some((_, run, task)) = oracle.at(&record.event) else { return Ok(()) };
    match &record.event {
        Event::TaskExpanded { items, .. } => {
            let expected = run.draft(task).each.as_ref().map(|each| meaning::items(run, &each.from));
            let right = matches!(&expected, Some(Items::These(these)) if these == items);
            demand(right, NAME, || {
                format!("{} has the items {items:?}, its list gives {expected:?}", task.id)
            })?;
            demand(fits(run, items.len()), NAME, || {
                format!("{} has {} children, over its caps", task.id, items.len())
            })
        }
        Event::TaskDead { error, attempt: None, .. } if error.kind == ErrorKind::InvalidOutput => {
            let refused = is_refused(run, task);
            demand(refused, NAME, || format!("{} is refused its list: {}", task.id, error.message))
        }
        _ => Ok(()),
    }
}

fn fits(run: &ORun, count: usize) -> bool {
    let limits = run.plan.limits;
    let within = |count: usize, most: u32| u32::try_from(count).is_ok_and(|count| count <= most);
    within(count, limits.fan_out) && within(run.tasks.len() + count, limits.tasks)
}

fn is_refused(run: &ORun, task: &OTask) -> bool {
    match run.draft(task).each.as_ref().map(|each| meaning::items(run, &each.from)) {
        Some(Items::These(items)) => !fits(run, items.len()),
        Some(Items::NoList) => true,
        Some(Items::Failed) | None => false,
    }
}

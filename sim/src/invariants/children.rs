//! 1.7 and repeat: one of the replicas is taken as soon as that is certain, and no other; rounds go on until their
//! condition holds, and no longer. Never: which items a list has (`caps.rs`).

use serde_json::Value;
use windlass_core::event::{BlockedOn, Event, Expansion, Record};
use windlass_core::failure::ErrorKind;
use windlass_core::state::State;

use crate::broken::{Verdict, demand};
use crate::family::{self, After, Choice, Form};
use crate::meaning;
use crate::oracle::{ORun, OTask, Oracle};

const NAME: &str = "1.7 children";

pub(crate) fn of_record(oracle: &Oracle, _: &State, record: &Record) -> Verdict {
    let Some((_, run, task)) = oracle.at(&record.event) else { return Ok(()) };
    let id = &task.id;
    match &record.event {
        Event::ResultSelected { child, .. } => {
            let choice = family::choice(run, task);
            let said = match child {
                Some(child) => run.names.get(child).map_or(Choice::Open, |child| Choice::Taken(*child)),
                None => Choice::None,
            };
            demand(said == choice && task.choice.is_none(), NAME, || {
                format!("{id} takes {child:?}, what passed says {choice:?}, before it said {:?}", task.choice)
            })
        }
        Event::TaskBlocked { on: BlockedOn::Select, .. } => {
            demand(family::chooser(run, task).is_some(), NAME, || format!("{id} is no replica to choose"))
        }
        Event::TaskExpanded { into, .. } => expanded(run, task, into),
        Event::TaskSucceeded { .. } => succeeded(run, task),
        Event::TaskDead { error, attempt: None, .. } => dead(run, task, error.kind),
        _ => Ok(()),
    }
}

fn expanded(run: &ORun, task: &OTask, into: &Expansion) -> Verdict {
    let form = family::form(run, task);
    let right = match into {
        Expansion::Items(_) => form == Form::List,
        Expansion::Round(number) => {
            let is_next = usize::try_from(*number) == Ok(task.children.len());
            form == Form::Rounds && is_next && family::after_round(run, task) == After::Another
        }
        Expansion::Plan { tasks, inputs } => {
            let drafted = run.draft(task).work.plan().map_or(0, |plan| plan.tasks.len());
            let flag = meaning::flag_within(run, task).ok();
            let given = inputs.len() == 1 && inputs.get("flag").and_then(Value::as_bool) == flag;
            let is_whole = usize::try_from(*tasks) == Ok(drafted);
            form == Form::Plan && task.children.is_empty() && is_whole && given && flag.is_some()
        }
        Expansion::Replicas(count) => {
            let drafted = run.draft(task).replicas.map(|(count, _)| count);
            form == Form::Replicas && task.children.is_empty() && drafted == Some(*count)
        }
    };
    demand(right, NAME, || format!("{}, a {form:?}, gets {into:?}", task.id))
}

fn succeeded(run: &ORun, task: &OTask) -> Verdict {
    if let Some(parent) = family::chooser(run, task) {
        let taken = run.names[&task.id];
        let right = run.tasks[parent].choice == Some(Choice::Taken(taken));
        demand(right, NAME, || format!("{} is accepted, and was not chosen", task.id))?;
    }
    if task.children.is_empty() {
        return Ok(());
    }
    let open = task.children.iter().find(|child| run.tasks[**child].end.is_none());
    demand(open.is_none(), NAME, || format!("{} is accepted while children of it go on", task.id))?;
    let right = match family::form(run, task) {
        Form::Rounds => family::after_round(run, task) == After::Success,
        Form::Replicas => {
            let takes_all = family::choice(run, task) == Choice::Open;
            takes_all || matches!(task.choice, Some(Choice::Taken(_)))
        }
        Form::Plan => !family::plan_fails(run, task),
        Form::List | Form::Work => true,
    };
    demand(right, NAME, || format!("{} is accepted, and its children do not say so", task.id))
}

fn dead(run: &ORun, task: &OTask, kind: ErrorKind) -> Verdict {
    // That it was used up is for `budgets.rs` to say.
    let is_bound = matches!(kind, ErrorKind::Timeout | ErrorKind::Budget);
    if !task.is_expanded || is_bound {
        return Ok(());
    }
    let right = match family::form(run, task) {
        Form::Rounds => match family::after_round(run, task) {
            After::Failure => kind == ErrorKind::Children,
            After::TooMany => kind == ErrorKind::InvalidOutput,
            After::NoCondition => kind == ErrorKind::Expression,
            // Another round would be over the cap on tasks.
            After::Another => kind == ErrorKind::InvalidOutput && !super::caps::has_room(run, 1),
            After::Success => false,
        },
        Form::Replicas => task.choice != Some(Choice::Open) && !matches!(task.choice, Some(Choice::Taken(_))),
        Form::Plan => kind == ErrorKind::Children && family::plan_fails(run, task),
        Form::List | Form::Work => true,
    };
    demand(right, NAME, || format!("{} is dead of {kind}, and its children do not say so", task.id))
}

/// At rest no choice is certain and not made.
pub(crate) fn at_rest(oracle: &Oracle) -> Verdict {
    for run in oracle.runs.values().filter(|run| run.outcome.is_none()) {
        for task in run.tasks.iter().filter(|task| task.end.is_none() && task.is_expanded) {
            let is_owed = family::form(run, task) == Form::Replicas
                && task.choice.is_none()
                && !task.life.cancel_wished
                && family::choice(run, task) != Choice::Open;
            demand(!is_owed, NAME, || format!("what {} takes is certain, and it takes nothing", task.id))?;
        }
    }
    Ok(())
}

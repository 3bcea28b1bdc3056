//! What becomes of a parent: the children that it gets, which of them is taken, and how it ends. Never: the attempts of
//! a child (`judge.rs`).

use crate::decide::{budgets, judge};
use crate::event::{Event, Expansion};
use crate::failure::{ErrorKind, Failure};
use crate::machine::task::Phase;
use crate::plan::{Repeat, Work, inputs};
use crate::planted::{Bug, is_planted};
use crate::policy::select;
use crate::size;
use crate::state::render::View;
use crate::state::tree::Form;
use crate::state::{Choice, Run, Task, TaskIx};
use crate::template;

/// What an event may carry of items, in bytes of canonical JSON.
const ITEMS_BYTES_MAX: usize = 192 * 1024;
/// How much of what was voted for a message says.
const VOTE_LETTERS_MAX: usize = 60;

/// The children that a parent gets when its turn comes, within the caps.
pub(crate) fn first(run: &Run, task: &Task, view: &View<'_>) -> Result<Expansion, Failure> {
    let spec = run.spec(task);
    match run.form(task) {
        Form::List => items(run, task, view).map(Expansion::Items),
        Form::Rounds => within_caps(run, 1).map(|()| Expansion::Round(0)),
        Form::Replicas => {
            let count = spec.replicas.map_or(0, |replicas| replicas.count);
            within_caps(run, count).map(|()| Expansion::Replicas(count))
        }
        Form::Plan => plan(run, task, view),
        Form::Work => unreachable!("it is no parent"),
    }
}

/// The inputs of the plan that a task is, each of its type.
fn plan(run: &Run, task: &Task, view: &View<'_>) -> Result<Expansion, Failure> {
    let Work::Plan(sub) = &run.spec(task).work else { unreachable!("it is a plan") };
    let tasks = u32::try_from(sub.plan.tasks.len()).unwrap_or(u32::MAX);
    within_caps(run, tasks)?;
    let mut inputs = sub.plan.inputs.clone();
    for (name, written) in &sub.inputs {
        let value = template::evaluate_within(written, view)
            .map_err(|failure| failure.within(&format!("inputs.{name}")))?;
        let kind = sub.types.get(name).map_or("", String::as_str);
        if !inputs::is(&value, kind) {
            let message = format!(
                "the input `{name}` of its plan is to be of type {kind}, not {}",
                shortened(&value.to_string())
            );
            return Err(Failure::new(ErrorKind::Expression, message)
                .hint("one `{{ … }}` and nothing beside it keeps its type"));
        }
        inputs.insert(name.clone(), value);
    }
    is_kept(&inputs, "the inputs of its plan", "inputs")?;
    Ok(Expansion::Plan { tasks, inputs })
}

fn items(run: &Run, task: &Task, view: &View<'_>) -> Result<Vec<serde_json::Value>, Failure> {
    let each = run.spec(task).for_each.as_ref().expect("a parent has one");
    let items = template::items(&each.items, view).map_err(|failure| failure.within("for_each"))?;
    let limits = run.plan.limits;
    let count = u32::try_from(items.len()).unwrap_or(u32::MAX);
    if count > limits.fan_out && !is_planted(Bug::CapsIgnored) {
        let message = format!("for_each over {count} items is over the fan_out of {}", limits.fan_out);
        return Err(Failure::new(ErrorKind::InvalidOutput, message)
            .hint("raise `limits.fan_out` in the plan, or make the list shorter"));
    }
    within_caps(run, count)?;
    is_kept(&items, "its items", "items")?;
    Ok(items)
}

/// What a parent hands to its children is small enough for its event.
fn is_kept(values: &impl serde::Serialize, what: &str, they: &str) -> Result<(), Failure> {
    let bytes = size::of(values);
    if bytes <= ITEMS_BYTES_MAX {
        return Ok(());
    }
    let message = format!("{what} are {bytes} bytes of JSON, over the {ITEMS_BYTES_MAX} that are kept");
    Err(Failure::new(ErrorKind::InvalidOutput, message)
        .hint(format!("let the {they} be names, and the tasks read the rest themselves")))
}

/// So many children more are within the cap on tasks.
fn within_caps(run: &Run, count: u32) -> Result<(), Failure> {
    let Some(tasks) = run.too_many_with(usize::try_from(count).expect("32 bits fit")) else { return Ok(()) };
    let (children, cap) = (if count == 1 { "child" } else { "children" }, run.plan.limits.tasks);
    let message = format!("its {count} {children} would make {tasks} tasks, over the cap of {cap}");
    Err(Failure::new(ErrorKind::InvalidOutput, message)
        .hint("raise `limits.tasks` in the plan, or make fewer children"))
}

/// Which replica is taken, now that it is certain; or only that it is accepted, where the choice was made before.
pub(crate) fn choose(run: &Run, task: &Task) -> Vec<Event> {
    if let Some(Choice::Taken(taken)) = task.choice {
        return vec![judge::accepted(run, run.task(taken))];
    }
    let (id, name) = (run.id, task.id.clone());
    let none = |error: Failure| {
        let error = Some(error.recorded());
        vec![Event::ResultSelected { run: id, task: name.clone(), child: None, error }]
    };
    match run.votes(task) {
        select::Standing::Chosen(place) => {
            let child = run.task(task.children[place]);
            let chosen =
                Event::ResultSelected { run: id, task: name, child: Some(child.id.clone()), error: None };
            let accepted = (child.phase != Phase::Succeeded).then(|| judge::accepted(run, child));
            std::iter::once(chosen).chain(accepted).collect()
        }
        select::Standing::NonePassed => none(failed(run, task, "replicas")),
        select::Standing::Split { most, wanted } => {
            let votes: Vec<String> = select::groups(&run.ballot(task))
                .iter()
                .map(|(value, count)| format!("{count} × {}", shortened(value)))
                .collect();
            let message = format!(
                "no {wanted} of its {} replicas agree, {most} at most: {}",
                task.children.len(),
                votes.join(", ")
            );
            none(Failure::new(ErrorKind::InvalidOutput, message).hint(
                "let the task ask for an answer of one form, as `output.schema` demands it: `windlass revise RUN PLAN`, then `windlass retry RUN TASK` lets all vote anew; more replicas take a new run",
            ))
        }
        select::Standing::Open => unreachable!("it was certain"),
    }
}

fn shortened(value: &str) -> String {
    let mut letters = value.chars();
    let start: String = letters.by_ref().take(VOTE_LETTERS_MAX).collect();
    if letters.next().is_some() { format!("{start}…") } else { start }
}

/// What follows once all children of a parent are final.
pub(crate) fn close(run: &Run, ix: TaskIx) -> Event {
    let task = run.task(ix);
    if task.cancel_wished {
        return Event::TaskCancelled { run: run.id, task: task.id.clone() };
    }
    let ended = close_by_children(run, ix);
    let Event::TaskDead { error, .. } = &ended else { return ended };
    budgets::of_parent(run, ix, error).map(|used_up| judge::dead(run, task, None, used_up)).unwrap_or(ended)
}

fn close_by_children(run: &Run, ix: TaskIx) -> Event {
    let task = run.task(ix);
    match (run.form(task), task.choice) {
        (Form::Replicas, Some(Choice::Taken(_))) => judge::well(run, task),
        (Form::Replicas, Some(Choice::None)) => {
            let error = task.error.clone().expect("the choice said why");
            judge::dead(run, task, None, error)
        }
        (Form::Rounds, _) => next_round(run, ix),
        (Form::Plan, _) => close_plan(run, task),
        (Form::List | Form::Replicas | Form::Work, _) => close_list(run, task),
    }
}

fn close_list(run: &Run, task: &Task) -> Event {
    let fails = task.children.iter().any(|child| has_failed(run.task(*child)));
    let excused = run.form(task) == Form::List && run.spec(task).optional;
    if !fails || excused {
        return judge::well(run, task);
    }
    judge::dead(run, task, None, failed(run, task, "children"))
}

/// A sub-plan succeeds as a run does: when no required task of it has failed.
fn close_plan(run: &Run, task: &Task) -> Event {
    let mut failed = task.children.iter().copied().filter(|ix| run.fails(*ix, run.task(*ix).phase));
    let Some(first) = failed.next().map(|ix| run.task(ix)) else { return judge::well(run, task) };
    // What was skipped is so because of another, and that is what can be tried again.
    let is_skipped = first.phase == Phase::Skipped;
    let first = if is_skipped { run.task(run.names[&first.root_cause()]) } else { first };
    let message = format!("{} of its plan is {}", first.id, first.phase.name());
    judge::dead(run, task, None, because_of(run, first, message))
}

/// After a round: the end of all rounds, or the next one.
fn next_round(run: &Run, ix: TaskIx) -> Event {
    let task = run.task(ix);
    let rounds = u32::try_from(task.children.len()).expect("capped");
    let behind = rounds - task.earlier_children;
    let Repeat { until, max } = run.spec(task).repeat.as_ref().expect("it has rounds");
    let goes_on = || budgets::allows(run, ix).and_then(|()| within_caps(run, 1));
    let another = || match goes_on() {
        Ok(()) => {
            let into = Expansion::Round(rounds);
            Event::TaskExpanded { run: run.id, task: task.id.clone(), into }
        }
        Err(failure) => judge::dead(run, task, None, failure),
    };
    if behind == 0 {
        return another();
    }
    if task.children.last().is_some_and(|last| has_failed(run.task(*last))) {
        return judge::dead(run, task, None, failed(run, task, "rounds"));
    }
    let is_over = until
        .as_ref()
        .map_or(Ok(behind >= *max), |until| until.truth(&View::between(run, ix)))
        .map_err(|failure| failure.within("until"));
    match is_over {
        Ok(true) => judge::well(run, task),
        Ok(false) if behind >= *max => {
            let rounds = if *max == 1 { "round" } else { "rounds" };
            let message = format!("its `until` does not hold after {max} {rounds}");
            judge::dead(
                run,
                task,
                None,
                Failure::new(ErrorKind::InvalidOutput, message)
                    .hint("look at the last round's output; mend `until` in the plan, or raise `max`, and `windlass revise RUN PLAN`; then `windlass retry RUN TASK` begins with a round anew"),
            )
        }
        Ok(false) => another(),
        Err(failure) => judge::dead(run, task, None, failure),
    }
}

/// Why a parent fails whose children did.
fn failed(run: &Run, task: &Task, called: &str) -> Failure {
    let children = task.children.iter().map(|child| run.task(*child));
    let mut failed = children.filter(|child| has_failed(child));
    let first = failed.next().expect("one failed");
    let others: Vec<&Task> = failed.collect();
    let count = others.len() + 1;
    let is_ended = |child: &&Task| child.phase == Phase::Cancelled;
    let how = if is_ended(&first) && others.iter().all(is_ended) { "were cancelled" } else { "failed" };
    let how = if count == 1 { how.replace("were", "was") } else { how.to_owned() };
    let message = format!("{count} of its {} {called} {how}, {} first", task.children.len(), first.id);
    let failure = because_of(run, first, message);
    if others.is_empty() {
        return failure;
    }
    failure.hint(format!("`windlass retry {} {}` brings back all of them, and this task", run.id, task.id))
}

fn because_of(run: &Run, first: &Task, message: String) -> Failure {
    Failure::new(ErrorKind::Children, message)
        .cause(first.id.to_string())
        .hint(format!("`windlass retry {} {}` requeues a child, and this task with it", run.id, first.id))
}

fn has_failed(child: &Task) -> bool {
    matches!(child.phase, Phase::Dead | Phase::Cancelled)
}

//! A plan laid over the one before it, so that a run goes on by it: tasks of the same name keep their place, new ones
//! come behind them, and what is left out stays where it is, marked. Never: what a run makes of it (`fold/revision.rs`).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Plan, SubPlan, Task, WaitFor, Work};
use crate::id::TaskId;

/// The plan `new` with the places of `old`.
pub fn over(old: &Plan, new: &Plan) -> Plan {
    let places = places(old);
    let mut behind = old.tasks.len()..;
    let place = |task: &Task| places.get(&task.id).copied().or_else(|| behind.next());
    let to: Vec<usize> = new.tasks.iter().map(place).map(|place| place.expect("there is room")).collect();
    let mut tasks: Vec<Task> = old.tasks.iter().map(|task| Task { removed: true, ..task.clone() }).collect();
    for (task, place) in new.tasks.iter().zip(&to) {
        let before = tasks.get(*place);
        let moved = moved(task, before, &to);
        match tasks.get_mut(*place) {
            Some(there) => *there = moved,
            None => tasks.push(moved),
        }
    }
    let mut agents = old.agents.clone();
    agents.extend(new.agents.clone());
    let retired = agents.keys().filter(|name| !new.agents.contains_key(*name)).cloned().collect();
    Plan { agents, retired, tasks, ..new.clone() }
}

/// The places of a plan that was laid over others, in the order in which the newest of them was written. What is left
/// out stays behind what it stood behind.
pub fn order(laid: &Plan, written: &Plan) -> Vec<usize> {
    let at = places(written);
    let mut behind = None;
    let mut order: Vec<(Option<usize>, usize)> = Vec::with_capacity(laid.tasks.len());
    for (place, task) in laid.tasks.iter().enumerate() {
        behind = at.get(&task.id).copied().or(behind);
        order.push((behind, place));
    }
    order.sort_by_key(|(behind, _)| *behind);
    order.into_iter().map(|(_, place)| place).collect()
}

fn places(plan: &Plan) -> BTreeMap<&TaskId, usize> {
    plan.tasks.iter().enumerate().map(|(place, task)| (&task.id, place)).collect()
}

/// A task with the new places of those that it names.
fn moved(task: &Task, before: Option<&Task>, to: &[usize]) -> Task {
    let mut task = task.clone();
    let move_on = |place: &mut usize| *place = to[*place];
    task.needs.iter_mut().for_each(move_on);
    match &mut task.work {
        Work::Approval { show, .. } => show.iter_mut().for_each(move_on),
        Work::Wait(WaitFor::Topic { since: Some(place), .. }) => move_on(place),
        Work::Plan(sub) => {
            if let Some(Work::Plan(before)) = before.map(|task| &task.work) {
                sub.plan = inner(before, sub);
            }
        }
        Work::Prompt { .. }
        | Work::Argv(_)
        | Work::Shell(_)
        | Work::Emit { .. }
        | Work::Wait(WaitFor::Topic { since: None, .. } | WaitFor::After(_) | WaitFor::At(_)) => {}
    }
    task
}

/// A sub-plan with the places of the one before it, where it has the same tasks; else as it is.
fn inner(old: &SubPlan, new: &SubPlan) -> Arc<Plan> {
    if names_the_same(&old.plan, &new.plan) {
        Arc::new(over(&old.plan, &new.plan))
    } else {
        Arc::clone(&new.plan)
    }
}

/// Whether two plans have tasks of the same names.
pub fn names_the_same(old: &Plan, new: &Plan) -> bool {
    places(old).keys().eq(places(new).keys())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::file::{Options, Source, load};
    use crate::plan::settings::Settings;

    fn plan(text: &str) -> Plan {
        let source = Source { name: "plan.yaml", text: text.as_bytes(), format: None };
        load(&source, &Settings::default(), &BTreeMap::new(), &Options::default()).expect("a plan").plan
    }

    fn shown(plan: &Plan) -> Vec<String> {
        let needs =
            |task: &Task| task.needs.iter().map(|need| plan.tasks[*need].id.to_string()).collect::<Vec<_>>();
        let shown = |task: &Task| {
            let gone = if task.removed { " gone" } else { "" };
            format!("{} after [{}]{gone}", task.id, needs(task).join(", "))
        };
        plan.tasks.iter().map(shown).collect()
    }

    #[test]
    fn what_is_in_both_keeps_its_place_and_what_is_new_comes_behind() {
        let old = plan("tasks: { a: { run: x }, b: { needs: [a], run: x }, c: { needs: [b], run: x } }");
        let new = plan("tasks: { n: { needs: [c], run: y }, c: { needs: [a], run: y }, a: { run: x } }");
        let laid = over(&old, &new);
        assert_eq!(shown(&laid), ["a after []", "b after [a] gone", "c after [a]", "n after [c]"]);
        let in_order = |laid: &Plan, new: &Plan| {
            order(laid, new).iter().map(|place| laid.tasks[*place].id.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(in_order(&laid, &new), ["n", "c", "a", "b"], "as it is written; b is left out");
        let again = over(&laid, &plan("tasks: { b: { run: z }, n: { needs: [b], run: y } }"));
        assert_eq!(shown(&again), ["a after [] gone", "b after []", "c after [a] gone", "n after [b]"]);
    }
}

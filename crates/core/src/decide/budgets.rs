//! What follows from budgets that are used up, of runs and of tasks, and what people may add. Never: counting what is used
//! (`fold/purses.rs`).

use crate::decide::judge;
use crate::event::{Event, Raise};
use crate::failure::{ErrorKind, Failure};
use crate::input::Rejection;
use crate::state::budget::UsedUp;
use crate::state::{Run, Task, TaskIx};

/// What a raise comes to: refused where there is no such budget.
pub(crate) fn may_raise(run: &Run, raise: &Raise) -> Result<(), Rejection> {
    let lacks = |kind: &str| Err(Rejection::NoBudget { run: run.id, kind: kind.into() });
    match (run.plan.budget.attempts, run.plan.budget.wall) {
        (None, _) if raise.attempts > 0 => lacks("attempts"),
        (_, None) if raise.wall.ms > 0 => lacks("wall"),
        _ => Ok(()),
    }
}

/// The word that a budget is used up.
pub(crate) fn reached(run: &Run, used_up: UsedUp) -> Event {
    let UsedUp { kind, spent, limit } = used_up;
    Event::BudgetReached { run: run.id, task: None, budget: kind, spent, limit }
}

/// The word that a budget of a task is used up.
pub(crate) fn told(run: &Run, payer: TaskIx, UsedUp { kind: budget, spent, limit }: UsedUp) -> Event {
    Event::BudgetReached { run: run.id, task: Some(run.task(payer).id.clone()), budget, spent, limit }
}

/// The end of a task that would start although a budget around it is used up.
pub(crate) fn exhausted(run: &Run, ix: TaskIx) -> Event {
    let (payer, used_up) = run.used_up_around(ix).expect("only such tasks are noted");
    let task = run.task(ix);
    let mut error = failure(run, payer, &used_up, ix == payer);
    if let Some(before) = &task.error {
        error.message = format!("{}; before that: {}", error.message, before.message);
    }
    // What its parent's budget ended comes back with that.
    judge::gone(run, task, task.newest_number(), error, ix == payer)
}

/// Whether the budgets around a parent let it have another child.
pub(crate) fn allows(run: &Run, parent: TaskIx) -> Result<(), Failure> {
    match run.used_up_around(parent) {
        None => Ok(()),
        Some((payer, used_up)) => Err(failure(run, payer, &used_up, parent == payer)),
    }
}

/// Why a parent is dead that had used up its budget, where its children's ends alone would say this.
pub(crate) fn of_parent(run: &Run, parent: TaskIx, children: &Failure) -> Option<Failure> {
    let used_up = run.purses.get(&parent)?.reached.filter(|_| children.kind != ErrorKind::Budget)?;
    let mut error = failure(run, parent, &used_up, true);
    error.message = format!("{}; {}", error.message, children.message);
    error.cause.clone_from(&children.cause);
    Some(error)
}

fn failure(run: &Run, payer: TaskIx, used_up: &UsedUp, is_own: bool) -> Failure {
    let payer: &Task = run.task(payer);
    let whose = if is_own { "its budget".to_owned() } else { format!("the budget of {}", payer.id) };
    Failure::new(ErrorKind::Budget, format!("{whose} is used up: {}", used_up.in_words())).hint(format!(
        "`windlass retry {} {}` begins with all of it again; how much that is stands under `budget` in the plan",
        run.id, payer.id
    ))
}

//! What the conditions, lists and texts of a plan come to, told from the draft and from what the journal says.
//! Never: a template engine.

use serde_json::{Value, json};

use crate::draft::{self, EndName, From, Ref, TaskDraft, When, Who, Work};
use crate::oracle::{End, ORun, OTask};

/// A template failed: an error of kind `expression`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Failed;

/// What a condition comes to that a task says.
pub(crate) fn holds(run: &ORun, of: &OTask, when: &When) -> Result<bool, Failed> {
    match when {
        When::Word(truth) => Ok(*truth),
        When::Flag => Ok(run.scope(of).flag),
        When::Not(inner) => Ok(!holds(run, of, inner)?),
        When::Is(task, end) => {
            Ok(run.beside(of, *task).and_then(|task| task.end).is_some_and(|ended| is(ended, *end)))
        }
        When::Ok(task) => field(run, of, *task, "ok")?.as_bool().ok_or(Failed),
        When::OkWithin(task, inner) => field_within(run, of, (*task, *inner), "ok")?.as_bool().ok_or(Failed),
        When::Items(task, more) => {
            let items = field(run, of, *task, "items")?;
            let count = items.as_array().ok_or(Failed)?.len();
            Ok(count > usize::try_from(*more).expect("small"))
        }
        When::Wrong(_) => Err(Failed),
        When::Both(left, right) => Ok(holds(run, of, left)? && holds(run, of, right)?),
    }
}

fn is(ended: End, name: EndName) -> bool {
    match name {
        EndName::Succeeded => ended == End::Succeeded,
        EndName::Skipped => matches!(ended, End::WhenFalse | End::Upstream),
        EndName::Dead => ended == End::Dead,
        EndName::Cancelled => ended == End::Cancelled,
    }
}

/// A field of a task's output. That of a task without an output fails.
fn field(run: &ORun, of: &OTask, task: u32, field: &str) -> Result<Value, Failed> {
    let output = run.beside(of, task).map(|task| &task.output).ok_or(Failed)?;
    output.get(field).cloned().ok_or(Failed)
}

/// A field of what a task gave of the plan that a task is.
fn field_within(run: &ORun, of: &OTask, (task, inner): (u32, u32), name: &str) -> Result<Value, Failed> {
    let given = field(run, of, task, &draft::name(inner))?;
    given.get(name).cloned().ok_or(Failed)
}

/// What a list comes to, before any cap.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Items {
    These(Vec<Value>),
    /// It is no list.
    NoList,
    Failed,
}

/// The items of a parent.
pub(crate) fn items(run: &ORun, of: &OTask, from: &From) -> Items {
    match from {
        From::Literal(count) => Items::These((0..*count).map(|item| json!(item)).collect()),
        From::Items(task) => listed(field(run, of, *task, "items")),
        From::ItemsWithin(task, inner) => listed(field_within(run, of, (*task, *inner), "items")),
        From::Whole(task) => match run.beside(of, *task).map(|task| &task.output) {
            None | Some(Value::Null) => Items::These(Vec::new()),
            Some(Value::Array(items)) => Items::These(items.clone()),
            Some(_) => Items::NoList,
        },
    }
}

fn listed(field: Result<Value, Failed>) -> Items {
    match field {
        Ok(Value::Array(items)) => Items::These(items),
        Ok(Value::Null) => Items::These(Vec::new()),
        Ok(_) => Items::NoList,
        Err(Failed) => Items::Failed,
    }
}

/// Whether the texts of a task can be filled in.
pub(crate) fn renders(run: &ORun, task: &OTask) -> Result<(), Failed> {
    let draft: &TaskDraft = run.draft(task);
    if task.is_asked_otherwise && !draft.in_env {
        return Ok(());
    }
    draft.refs.iter().try_for_each(|name| match name {
        Ref::N(other) => field(run, task, *other, "n").map(drop),
        Ref::NWithin(other, inner) => field_within(run, task, (*other, *inner), "n").map(drop),
        Ref::Whole(_) | Ref::State(_) | Ref::Item | Ref::Index | Ref::Attempt | Ref::Feedback => Ok(()),
    })
}

/// Whom the expression of a task names for its next attempt, where it has one.
pub(crate) fn named(run: &ORun, task: &OTask) -> Result<Option<u32>, Failed> {
    named_for(run, task, task.attempts.len())
}

/// The same for the attempt that so many were before.
pub(crate) fn named_for(run: &ORun, task: &OTask, before: usize) -> Result<Option<u32>, Failed> {
    match run.who(task) {
        Some(Who::InTurn(agents)) => Ok(Some(agents[before % agents.len()])),
        Some(Who::Given(by)) => {
            let given = field(run, task, *by, "who")?;
            let name = given.as_str().ok_or(Failed)?.trim();
            let number = name.trim_start_matches('a').parse().map_err(|_| Failed)?;
            if run.knows_agent(task, number) { Ok(Some(number)) } else { Err(Failed) }
        }
        Some(Who::One(_) | Who::Several(..)) | None => Ok(None),
    }
}

/// What the input of the plan that a task is comes to.
pub(crate) fn flag_within(run: &ORun, task: &OTask) -> Result<bool, Failed> {
    let Work::Plan(within) = &run.draft(task).work else { return Err(Failed) };
    within.flag.as_ref().map_or(Ok(within.plan.flag), |flag| holds(run, task, flag))
}

/// Whether a task asks a person.
pub(crate) fn asks(draft: &TaskDraft) -> bool {
    matches!(draft.work, Work::Approval { .. })
}

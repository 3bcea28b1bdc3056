//! Parents and children by the draft and the journal: what a task becomes, what its rounds and replicas come to.
//! Never: a call into the core's tree or its policies.

use serde_json::Value;

use crate::draft::{Pick, TaskDraft, Until, label, name};
use crate::invariants::joins;
use crate::meaning::Failed;
use crate::oracle::{End, ORun, OTask};

/// What a task becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    List,
    Rounds,
    Replicas,
    Plan,
    Work,
}

/// What the choice among replicas comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    Open,
    Taken(usize),
    None,
}

/// What should follow a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    Another,
    Success,
    /// The last round failed.
    Failure,
    /// Its condition does not hold after the last round that is allowed.
    TooMany,
    /// Its condition can't be told.
    NoCondition,
}

pub(crate) fn form(run: &ORun, task: &OTask) -> Form {
    let draft = run.draft(task);
    let mut forms = Vec::new();
    if draft.each.is_some() {
        forms.push(Form::List);
    }
    if draft.rounds.is_some() {
        forms.push(Form::Rounds);
    }
    if draft.replicas.is_some() {
        forms.push(Form::Replicas);
    }
    if draft.work.plan().is_some() {
        forms.push(Form::Plan);
    }
    forms.get(task.layer).copied().unwrap_or(Form::Work)
}

/// The lists that it belongs to, however deep.
pub(crate) fn lists_around(run: &ORun, task: &OTask) -> impl Iterator<Item = usize> {
    let parents = std::iter::successors(task.parent, |parent| run.tasks[*parent].parent);
    parents.filter(|parent| form(run, &run.tasks[*parent]) == Form::List)
}

/// Whether the plan that a task is has failed, now that all of it has ended.
pub(crate) fn plan_fails(run: &ORun, parent: &OTask) -> bool {
    parent.children.iter().any(|child| fails(run, &run.tasks[*child]))
}

/// Whether a node makes the plan fail that it is written in.
pub(crate) fn fails(run: &ORun, task: &OTask) -> bool {
    let failed = matches!(task.end, Some(End::Dead | End::Cancelled | End::Upstream));
    failed && !joins::is_excused(run, task)
}

/// The parent that takes one of its children, of which this is one.
pub(crate) fn chooser(run: &ORun, task: &OTask) -> Option<usize> {
    let parent = task.parent?;
    let takes_one = run.draft(task).replicas.is_some_and(|(_, pick)| pick != Pick::All);
    (takes_one && !task.is_node() && form(run, &run.tasks[parent]) == Form::Replicas).then_some(parent)
}

/// What each of its children gave that passed, with the record that says so.
fn votes<'r>(run: &'r ORun, parent: &'r OTask) -> Vec<Option<&'r (u64, Value)>> {
    let passed = |child: &OTask| child.end.is_none_or(|end| end == End::Succeeded);
    let children = parent.children.iter().map(|child| &run.tasks[*child]);
    children.map(|child| child.passed.as_ref().filter(|_| passed(child))).collect()
}

fn agree(votes: &[Option<&(u64, Value)>], value: &Value) -> usize {
    votes.iter().flatten().filter(|(_, other)| other == value).count()
}

/// How many of its children agree at most, and how many have to.
pub(crate) fn majority(run: &ORun, parent: &OTask) -> (usize, usize) {
    let votes = votes(run, parent);
    let most = votes.iter().flatten().map(|(_, value)| agree(&votes, value)).max();
    (most.unwrap_or(0), votes.len() / 2 + 1)
}

/// What the choice among its children comes to, by what has passed and in which order.
pub(crate) fn choice(run: &ORun, parent: &OTask) -> Choice {
    let Some((_, pick)) = run.draft(parent).replicas else { return Choice::Open };
    let children = || parent.children.iter().map(|child| &run.tasks[*child]);
    let votes = votes(run, parent);
    let open = children().filter(|child| child.end.is_none() && child.passed.is_none()).count();
    let earliest = |wanted: &dyn Fn(&Value) -> bool| {
        let given =
            votes.iter().enumerate().filter_map(|(at, vote)| vote.map(|(seq, value)| (seq, at, value)));
        given.filter(|(_, _, value)| wanted(value)).min_by_key(|(seq, ..)| **seq).map(|(_, at, _)| at)
    };
    match pick {
        Pick::All => Choice::Open,
        Pick::First => match earliest(&|_| true) {
            Some(at) => Choice::Taken(parent.children[at]),
            None if open == 0 => Choice::None,
            None => Choice::Open,
        },
        Pick::Majority => {
            let (most, more_than_half) = majority(run, parent);
            if most >= more_than_half {
                let at = earliest(&|value| agree(&votes, value) >= more_than_half);
                Choice::Taken(parent.children[at.expect("they gave it")])
            } else if most + open < more_than_half {
                Choice::None
            } else {
                Choice::Open
            }
        }
    }
}

/// What should follow now that no round is under way.
pub(crate) fn after_round(run: &ORun, parent: &OTask) -> After {
    let Some((until, most)) = run.draft(parent).rounds else { return After::NoCondition };
    let behind = parent.children.len() - parent.earlier_children;
    let Some(last) = parent.children.last().map(|last| &run.tasks[*last]).filter(|_| behind > 0) else {
        return After::Another;
    };
    if last.end != Some(End::Succeeded) {
        return After::Failure;
    }
    let is_last = behind >= usize::try_from(most).expect("few");
    match holds(until, last, parent.children.len() - 1) {
        Ok(true) => After::Success,
        Err(Failed) => After::NoCondition,
        Ok(false) if is_last && until == Until::Never => After::Success,
        Ok(false) if is_last => After::TooMany,
        Ok(false) => After::Another,
    }
}

fn holds(until: Until, last: &OTask, index: usize) -> Result<bool, Failed> {
    match until {
        Until::Never => Ok(false),
        Until::Index(number) => Ok(index >= usize::try_from(number).expect("few")),
        Until::Ok => last.output.get("ok").and_then(Value::as_bool).ok_or(Failed),
    }
}

/// What a parent gives that succeeds.
pub(crate) fn given(run: &ORun, parent: &OTask) -> Value {
    let output = |child: &usize| run.tasks[*child].output.clone();
    match (form(run, parent), parent.choice) {
        (Form::Rounds, _) => parent.children.last().map_or(Value::Null, output),
        (Form::Replicas, Some(Choice::Taken(child))) => output(&child),
        (Form::Plan, _) => {
            let named = |child: &usize| (name(label(&run.tasks[*child].id)), output(child));
            Value::Object(parent.children.iter().map(named).collect())
        }
        _ => parent.children.iter().map(output).collect(),
    }
}

/// Whether what a task gives is that of one attempt.
pub(crate) fn gives_one(draft: &TaskDraft) -> bool {
    let takes_one = draft.replicas.is_none_or(|(_, pick)| pick != Pick::All);
    draft.each.is_none() && takes_one && draft.work.plan().is_none()
}

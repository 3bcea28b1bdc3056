//! 7, dependencies: at a start its join holds and its condition is true; a task is skipped for upstream exactly when its
//! join had become impossible, at once and transitively. Never: a call into the core's own join.

use windlass_core::event::{BlockedOn, Event, Record, SkipReason};
use windlass_core::failure::ErrorKind;
use windlass_core::machine::task::Phase;
use windlass_core::plan::Join;
use windlass_core::state::State;

use crate::broken::{Verdict, demand};
use crate::family::{self, After, Form};
use crate::meaning::{self, Failed, Items};
use crate::oracle::{End, ORun, OTask, Oracle};

const NAME: &str = "7 dependencies";

/// What a join has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Open,
    Met,
    AllSkipped,
    Impossible,
}

/// What the join of a task of the plan has come to, counted from its needs.
pub(crate) fn standing(run: &ORun, task: &OTask) -> Standing {
    let spec = run.spec(task);
    let needs: Vec<&OTask> = run.needs(task).map(|need| &run.tasks[need]).collect();
    let count = |is: &dyn Fn(End, bool) -> bool| {
        let ended = |need: &&&OTask| need.end.is_some_and(|end| is(end, is_excused(run, need)));
        needs.iter().filter(ended).count()
    };
    let failed = |end: End| matches!(end, End::Dead | End::Cancelled);
    let succeeded = count(&|end, _| end == End::Succeeded);
    let ended = count(&|_, _| true);
    let lost = count(&|end, optional| end == End::Upstream || (failed(end) && !optional));
    if !needs.is_empty() && count(&|end, _| end == End::WhenFalse) == needs.len() {
        return Standing::AllSkipped;
    }
    match spec.join {
        Join::All if lost > 0 => Standing::Impossible,
        Join::All if ended == needs.len() => Standing::Met,
        Join::All => Standing::Open,
        Join::AtLeast(enough) => {
            let enough = usize::try_from(enough).expect("32 bits fit");
            if succeeded >= enough {
                Standing::Met
            } else if succeeded + needs.len() - ended < enough {
                Standing::Impossible
            } else {
                Standing::Open
            }
        }
    }
}

/// Whether one of its needs counts as a success for a task.
pub(crate) fn counts(run: &ORun, task: &OTask, need: &OTask) -> bool {
    let is_all = run.spec(task).join == Join::All;
    match need.end {
        Some(End::Succeeded) => true,
        Some(End::WhenFalse) => is_all,
        Some(End::Dead | End::Cancelled) => is_all && is_excused(run, need),
        Some(End::Upstream) | None => false,
    }
}

/// Whether the run goes on without a task that failed.
pub(crate) fn is_excused(run: &ORun, task: &OTask) -> bool {
    run.spec(task).optional || task.is_left_out || (task.end == Some(End::Cancelled) && task.life.is_spared)
}

/// What a task that has just become ready comes to, where that is not an attempt.
pub(crate) fn condition(run: &ORun, task: &OTask) -> Result<bool, Failed> {
    run.draft(task).when.as_ref().map_or(Ok(true), |when| meaning::holds(run, task, when))
}

pub(crate) fn of_record(oracle: &Oracle, _: &State, record: &Record) -> Verdict {
    let Some((_, run, task)) = oracle.at(&record.event) else { return Ok(()) };
    match &record.event {
        Event::AttemptStarted { .. } => start(run, task, true),
        Event::TaskExpanded { .. }
        | Event::ApprovalRequested { .. }
        | Event::TopicEmitted { .. }
        | Event::WaitSatisfied { .. }
        | Event::TaskBlocked { on: BlockedOn::Topic | BlockedOn::Timer, .. } => start(run, task, false),
        Event::TaskSkipped { reason, cause, .. } => {
            let standing = standing(run, task);
            let id = &task.id;
            let when = standing == Standing::AllSkipped
                || (standing == Standing::Met && condition(run, task) == Ok(false) && !task.life.began);
            let right = match reason {
                SkipReason::When => when && cause.is_none(),
                SkipReason::Upstream => standing == Standing::Impossible,
            };
            demand(right, NAME, || format!("{id} is skipped for {reason:?}, its join is {standing:?}"))?;
            let cause = cause.as_ref().map(|cause| run.task(cause));
            let blamed = cause.is_none_or(|cause| cause.is_some_and(failed_or_skipped));
            demand(blamed, NAME, || format!("{id} is skipped because of {cause:?}, which did not fail"))
        }
        Event::TaskDead { error, attempt: None, .. } => death(run, task, error.kind),
        _ => Ok(()),
    }
}

fn failed_or_skipped(cause: &OTask) -> bool {
    matches!(cause.end, Some(End::Dead | End::Cancelled | End::WhenFalse))
}

/// `may_have_waited`: between the look at its condition and its start others may have ended.
fn start(run: &ORun, task: &OTask, may_have_waited: bool) -> Verdict {
    let id = &task.id;
    demand(task.end.is_none(), NAME, || format!("{id} starts after its end"))?;
    let mut up = std::iter::successors(Some(task), |task| task.parent.map(|parent| &run.tasks[parent]));
    demand(!up.any(|task| task.is_left_out), NAME, || format!("{id} starts, and the plan has it no more"))?;
    if let Some(parent) = task.parent.map(|parent| &run.tasks[parent]) {
        let runs = || parent.newest().is_some_and(|attempt| !attempt.is_reaped);
        let is_there = if task.brought_by.is_some() { runs() } else { parent.is_expanded };
        demand(is_there && parent.end.is_none(), NAME, || format!("{id} starts without its parent"))?;
    }
    if task.life.began || !task.is_node() {
        return Ok(());
    }
    let standing = standing(run, task);
    demand(standing == Standing::Met, NAME, || format!("{id} starts while its join is {standing:?}"))?;
    let condition = condition(run, task);
    let held = condition == Ok(true) || (may_have_waited && task.life.held);
    demand(held, NAME, || format!("{id} starts while its condition gives {condition:?}"))?;
    let renders = family::form(run, task) != Form::Work || meaning::renders(run, task).is_ok();
    demand(renders, NAME, || format!("{id} starts though its texts can't be filled in"))
}

/// A death without an attempt: what is foreseen of conditions, lists and texts.
fn death(run: &ORun, task: &OTask, kind: ErrorKind) -> Verdict {
    let (id, draft) = (&task.id, run.draft(task));
    let form = family::form(run, task);
    let is_parent = form != Form::Work;
    let foreseen = match kind {
        ErrorKind::Expression => {
            let condition = task.is_node() && condition(run, task) == Err(Failed);
            let input = form == Form::Plan && meaning::flag_within(run, task).is_err();
            let list = form == Form::List
                && draft
                    .each
                    .as_ref()
                    .is_some_and(|each| meaning::items(run, task, &each.from) == Items::Failed);
            let is_text_wrong = || meaning::renders(run, task).is_err() || meaning::named(run, task).is_err();
            let texts = !is_parent && is_text_wrong();
            let rounds = form == Form::Rounds && family::after_round(run, task) == After::NoCondition;
            condition || input || list || texts || rounds
        }
        ErrorKind::InvalidOutput => is_parent,
        ErrorKind::Children => is_parent && task.is_expanded,
        ErrorKind::Denied => meaning::asks(draft),
        ErrorKind::Expired => meaning::asks(draft) || task.life.listens,
        ErrorKind::Timeout | ErrorKind::Budget => true,
        // Whether nobody can wake it is for `topics.rs` to say. What its join has ruled out is skipped instead, but for
        // what was in a knot with the one that has just ended.
        ErrorKind::Deadlock => {
            let may_be_met = || standing(run, task) == Standing::Open;
            task.life.listens || run.went_on.is_some() || may_be_met()
        }
        _ => false,
    };
    demand(foreseen, NAME, || format!("{id} is dead of {kind} without an attempt"))
}

/// At rest: no join that is decided is left undecided, and nothing is skipped whose join may still be met.
pub(crate) fn at_rest(oracle: &Oracle, state: &State) -> Verdict {
    for (id, run) in oracle.runs.iter().filter(|(_, run)| run.outcome.is_none()) {
        for (ix, task) in run.tasks.iter().enumerate().filter(|(_, task)| task.is_node()) {
            if task.end == Some(End::Upstream) && !task.is_left_out {
                let standing = standing(run, task);
                // What became impossible before may come to «all were skipped» later.
                let stays = matches!(standing, Standing::Impossible | Standing::AllSkipped);
                demand(stays, NAME, || {
                    format!("{} is skipped for upstream, its join is {standing:?}", task.id)
                })?;
            }
            demand(!task.life.is_asked_anew, NAME, || {
                format!("{} is skipped for a condition that is another now", task.id)
            })?;
            if task.end.is_some() || task.life.began {
                continue;
            }
            let phase = state.runs[id].tasks[ix].phase;
            let standing = standing(run, task);
            let right = match standing {
                Standing::Open => phase == Phase::Waiting,
                Standing::Met => phase != Phase::Waiting,
                Standing::AllSkipped | Standing::Impossible => false,
            };
            demand(right, NAME, || {
                format!("{} is {} while its join is {standing:?}", task.id, phase.name())
            })?;
        }
    }
    Ok(())
}

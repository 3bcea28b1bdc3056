//! Finds what a person means: runs by the start of their id or by `last`, tasks by name. Never: guessing between two.

use windlass_core::id::{RunId, TaskId};
use windlass_core::input::Rejection;
use windlass_core::machine::run::Phase;
use windlass_core::state::{Run, State, TaskIx};
use windlass_core::view;
use windlass_engine::reading::Reading;

use crate::calling;
use crate::desk::Desk;
use crate::error::{Outcome, Report, engine_failed};
use crate::render::plural::list;

/// The home as it is now.
pub(crate) fn open(desk: &Desk) -> Outcome<Reading> {
    Reading::open(&desk.place.home).map_err(|error| engine_failed(&error).into())
}

/// The run that a text means: also one that is lost is meant, and then there is nothing to give.
pub(crate) fn run<'a>(state: &'a State, name: &str) -> Outcome<&'a Run> {
    if name.is_empty() {
        let hint = format!(
            "name a run by its id, the start of it, or `last`; `{}` lists them",
            calling::command("ps")
        );
        return Err(Report::usage("the run is an empty text").hint(hint).into());
    }
    let meant: Vec<RunId> = match name {
        "last" => last(state).into_iter().collect(),
        start => every(state).filter(|id| id.as_str().starts_with(start)).collect(),
    };
    match meant.as_slice() {
        [id] => state.run(*id).ok_or_else(|| is_lost(*id).into()),
        [] if every(state).next().is_none() => Err(no_runs().into()),
        [] => {
            let ids = state.runs.keys().map(RunId::as_str);
            let near = nearest(name, ids).map(|id| format!("did you mean `{id}`?"));
            let hint = near
                .unwrap_or_else(|| format!("`{}` lists the runs of this project", calling::command("ps")));
            Err(Report::usage(format!("there is no run `{name}` in this home")).hint(hint).into())
        }
        several => {
            let ids: Vec<&str> = several.iter().map(RunId::as_str).take(8).collect();
            let message = format!("`{name}` could be {} runs", several.len());
            Err(Report::usage(message).hint(format!("say more of its id: {}", list(&ids))).into())
        }
    }
}

/// The ids of all runs, also of those that are lost.
fn every(state: &State) -> impl Iterator<Item = RunId> {
    state.runs.keys().chain(state.lost.keys()).copied()
}

/// The newest run, which may be one that is lost.
fn last(state: &State) -> Option<RunId> {
    let lost = state.lost.iter().map(|(id, created)| (*created, *id));
    state.runs.values().map(|run| (run.created.0, run.id)).chain(lost).max().map(|(_, id)| id)
}

/// What is said where there is no run to begin with: that all are lost, or that there are none.
pub(crate) fn none_left(state: &State) -> Report {
    last(state).map_or_else(no_runs, is_lost)
}

/// Names the runs that are lost, beside what there is.
pub(crate) fn warn_of_lost(desk: &mut Desk, state: &State) {
    for run in state.lost.keys() {
        desk.warn(&Rejection::RunLost(*run).to_string(), Some(&lost_hint()));
    }
}

fn lost_hint() -> String {
    format!("`{}` names the blob, and what else is lost", calling::command("doctor"))
}

fn is_lost(run: RunId) -> Report {
    Report::environment(Rejection::RunLost(run).to_string()).hint(lost_hint())
}

/// What it means that a run which was followed can't be read at its end: something took a part of the home away.
pub(crate) fn taken_away(desk: &Desk, run: RunId) -> Report {
    let folders = ["blobs", "logs"].map(|name| desk.place.home.join(name));
    let missing = folders.iter().filter(|folder| !folder.is_dir());
    missing.fold(is_lost(run), |report, folder| report.cause(format!("{} is missing", folder.display())))
}

/// The task that a text means.
pub(crate) fn task(run: &Run, name: &str) -> Outcome<TaskIx> {
    let found = name.parse::<TaskId>().ok().and_then(|id| run.names.get(&id));
    if let Some(ix) = found {
        return Ok(*ix);
    }
    let names = run.names.keys().map(TaskId::as_str);
    let near = nearest(name, names).map(|name| format!("did you mean `{name}`?"));
    let hint = near.unwrap_or_else(|| format!("`{}` lists its tasks", calling::command("show").with(run.id)));
    Err(Report::usage(format!("run {} has no task `{name}`", run.id)).hint(hint).into())
}

/// The runs that have not finished, the newest first.
pub(crate) fn unfinished(state: &State) -> Vec<&Run> {
    view::newest_first(state).into_iter().filter(|run| run.phase != Phase::Finished).collect()
}

/// What a command about runs says where there are none.
pub(crate) fn no_runs() -> Report {
    Report::usage("there are no runs in this home").hint(format!(
        "`{}` starts one; `--home` and `--dir` say where to look",
        calling::command("run").with("PLAN")
    ))
}

/// The name that was probably meant.
pub(crate) fn nearest<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let near = names.map(|name| (strsim::jaro_winkler(wanted, name), name));
    let near = near.filter(|(likeness, _)| *likeness >= 0.75);
    near.max_by(|(one, _), (other, _)| one.total_cmp(other)).map(|(_, name)| name)
}

//! Windlass called from within a task: a run that it starts is a part of the run around it, and nothing there may wait for
//! what waits for that task. Never: refusing a look, or steering, which wait for nothing.

use windlass_core::id::{AttemptKey, TaskId};
use windlass_core::machine::task::Phase;
use windlass_core::state::{Run, Task};
use windlass_engine::handle::NewRun;
use windlass_engine::reading::Reading;
use windlass_worker::environment::innermost_of;

use crate::cli::run::Hosting;
use crate::desk::Desk;
use crate::error::{Outcome, Report, not_supported_yet};
use crate::exit::Exit;
use crate::following::Following;
use crate::opening::OWNERS;
use crate::render::style::{BOLD, DIM, ERROR, OK, WARNING, paint};
use crate::render::text;
use crate::socket::{Lost, Reply, Request};
use crate::teller::Teller;
use crate::{calling, failures, reaching, results, screen, signals};

/// How many tasks that failed are named.
const FAILED_MAX: usize = 10;

/// The attempt of this home from within which this is called; none where it is called from outside all runs.
pub(crate) fn around(desk: &Desk) -> Outcome<Option<AttemptKey>> {
    let Some(marks) = desk.surroundings.text(OWNERS) else { return Ok(None) };
    let home = Reading::open(&desk.place.home).ok().and_then(|reading| reading.home_id());
    if let Some(key) = home.and_then(|home| innermost_of(&home, marks)) {
        return Ok(Some(key));
    }
    let report = Report::new(Exit::Failed, "a task of a run can't start a run in another home")
        .cause(format!("{OWNERS} is set: this is called from within an attempt, of another home than this"))
        .hint("start it in the home of the run around it, which is what WINDLASS_HOME says there".to_owned());
    Err(report.into())
}

/// Refuses what a run within a task can't do.
pub(crate) fn refuse_options(hosting: &Hosting) -> Outcome<()> {
    if hosting.detach {
        let report = Report::usage("a run within a task can't be detached from it")
            .cause("it ends with the attempt that started it")
            .hint("leave `--detach` out: the command waits for its end".to_owned());
        return Err(report.into());
    }
    if hosting.yes {
        return Err(not_supported_yet("`--yes` within a task"));
    }
    Ok(())
}

/// Makes the plan a sub-plan of the task from within which this is called, and follows that to its end.
pub(crate) fn run(desk: &mut Desk, new: &NewRun, within: AttemptKey, hosting: &Hosting) -> Outcome {
    signals::catch()?;
    if hosting.slots.is_some_and(|_| desk.surroundings.text("WINDLASS_SLOTS").is_none()) {
        desk.note("--slots is ignored: what runs within a task has the slots of the engine around it.");
    }
    if new.plan.concurrency.is_some() {
        desk.note("`concurrency` of this plan counts only where it is run by itself.");
    }
    let id = within.run;
    let asked = Request::Nest { new: Box::new(new.clone()), within };
    let reply = reaching::connect(desk).and_then(|mut client| client.ask(&asked));
    match reply {
        Ok(Reply::Nested(task)) => {
            Following::new(Teller::new(hosting.json, desk), false).part(desk, id, &task)
        }
        Ok(Reply::Refused(why)) => {
            let hint = "the caps are those of the run around it: its plan may raise them under `limits`";
            let report = Report::new(Exit::Failed, "the plan was not taken").cause(why);
            Err(report.hint(hint.to_owned()).into())
        }
        Ok(Reply::TurnedAway { why, hint }) => Err(Report::environment(why).hint(hint).into()),
        Ok(Reply::Started(_) | Reply::Answer(_)) => Err(reaching::out_of_place()),
        Err(lost) => {
            let why = match lost {
                Lost::Closed => "the engine of the run around this is gone, or is ending",
                Lost::Silent => "the engine of the run around this does not answer",
            };
            Err(Report::environment("the plan was not taken").cause(why).into())
        }
    }
}

/// What a part of a run that has come to its end means for the exit code: what it would mean of a run.
pub(crate) fn exit_of(task: &Task) -> Exit {
    if task.phase == Phase::Succeeded {
        Exit::Done
    } else if task.phase.is_final() {
        Exit::Failed
    } else {
        Exit::Environment
    }
}

/// What is said of a part of a run at its end.
pub(crate) fn lines(run: &Run, task: &Task) -> Vec<String> {
    let Some(ix) = run.names.get(&task.id) else { return Vec::new() };
    let below: Vec<&Task> = run.family(*ix).into_iter().skip(1).map(|ix| run.task(ix)).collect();
    let mut lines = vec![String::new()];
    let failed = below.iter().filter(|below| below.phase == Phase::Dead && !below.attempts.is_empty());
    lines.extend(failed.take(FAILED_MAX).flat_map(|failed| failures::head(run, failed)));
    let exit = exit_of(task);
    let bad = if exit == Exit::Failed { ERROR } else { WARNING };
    let style = if exit == Exit::Done { OK } else { bad };
    let name = if task.phase == Phase::Dead { "failed" } else { task.phase.name() };
    lines.push(format!("{} {}", paint(BOLD, &format!("run {} {}", run.id, task.id)), paint(style, name)));
    let in_phase = |phase: Phase| below.iter().filter(|below| below.phase == phase).count();
    let counts = Phase::ALL.into_iter().map(|phase| (phase, in_phase(phase))).filter(|(_, count)| *count > 0);
    let counts: Vec<String> = counts.map(|(phase, count)| format!("{count} {}", phase.name())).collect();
    lines.push(format!("  tasks     {}: {}", below.len(), counts.join(", ")));
    lines.extend(results::of(run, task.children.iter().map(|child| run.task(*child))));
    let columns = screen::width_of_lists();
    let mut lines: Vec<String> = lines.iter().flat_map(|line| text::wrap_words(line, columns)).collect();
    let details = calling::command("show").with(run.id).with(&task.id);
    lines.push(paint(DIM, &format!("  details   {details}")));
    lines
}

/// Whether a task is one of a part of a run, or that part itself.
pub(crate) fn is_of(part: &TaskId, task: &TaskId) -> bool {
    let behind = task.as_str().strip_prefix(part.as_str());
    behind.is_some_and(|behind| behind.is_empty() || behind.starts_with(['.', '/']))
}

/// Refuses what hosts runs, `what` in words: what is called from within a task would wait for the very run around it.
pub(crate) fn refuse(desk: &Desk, what: &str) -> Outcome<()> {
    if desk.surroundings.text(OWNERS).is_none() {
        return Ok(());
    }
    let report = Report::new(Exit::Failed, format!("a task of a run can't {what}"))
        .cause(format!("{OWNERS} is set: this is called from within an attempt"))
        .hint(format!("`{}` carries a plan out within this task", calling::command("run").with("PLAN")));
    Err(report.into())
}

/// Refuses to follow what is under way in a home from within an attempt of that same home: it may wait for the end of
/// that attempt, or for the slot that it holds.
pub(crate) fn refuse_to_follow(desk: &Desk, reading: &Reading) -> Outcome<()> {
    let marks = desk.surroundings.text(OWNERS);
    let Some(key) = marks.zip(reading.home_id()).and_then(|(marks, home)| innermost_of(&home, marks)) else {
        return Ok(());
    };
    let report = Report::new(Exit::Failed, "this would wait for itself")
        .cause(format!("it is called from within {key}, an attempt of the same home"))
        .hint("look without `-f`; a task that is to come after another names it under `needs`".to_owned());
    Err(report.into())
}

//! Carries a command out: through the socket where an engine is alive, else by opening the home for this one command.
//! Never: deciding whether it may be done (the core does).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use windlass_core::event::{Role, RunOutcome};
use windlass_core::id::{CommandId, RunId, TaskId};
use windlass_core::input::{Answer, Ask, Command, Rejection};
use windlass_core::machine::run::Phase;
use windlass_core::machine::task;
use windlass_core::state::Run;
use windlass_engine::engine::Engine;
use windlass_engine::error::EngineError;
use windlass_engine::handle;

use crate::config::Config;
use crate::desk::Desk;
use crate::error::{Outcome, Report, engine_failed};
use crate::exit::Exit;
use crate::reaching::{self, Reached};
use crate::socket::{Reply, Request};
use crate::{calling, lookup, nested, opening};

/// Begins a command that steers or looks after what steering left: what is wrong with the settings is said first, and
/// passed over.
pub(crate) fn begin(desk: &mut Desk) {
    Config::load_what_can_be(desk);
}

/// The run and the task that two texts mean.
pub(crate) fn find_task(desk: &Desk, run: &str, task: &str) -> Outcome<(RunId, TaskId)> {
    let reading = lookup::open(desk)?;
    let run = lookup::run(reading.state(), run)?;
    let ix = lookup::task(run, task)?;
    Ok((run.id, run.task(ix).id.clone()))
}

/// Carries a command about a run out, and says what came of it: `said` reads that off the run as it is then.
pub(crate) fn carry_out(desk: &mut Desk, run: RunId, ask: Ask, said: impl FnOnce(&Run) -> String) -> Outcome {
    let answer = send(desk, ask)?;
    say(desk, run, &answer, said)
}

/// Says what came of a command about a run.
pub(crate) fn say(
    desk: &mut Desk,
    run: RunId,
    answer: &Answer,
    said: impl FnOnce(&Run) -> String,
) -> Outcome {
    let again = match answer {
        Answer::Accepted => "",
        Answer::Already => " It was so already.",
        Answer::Refused(rejection) => return Err(refused_about(run, rejection).into()),
    };
    let reading = lookup::open(desk)?;
    let run = reading.state().run(run).ok_or_else(lookup::no_runs)?;
    desk.note(&format!("{}{again}", said(run)));
    Ok(Exit::Done)
}

/// The same of a run: where a task is not as it would have to be, it can be looked at.
fn refused_about(run: RunId, why: &Rejection) -> Report {
    let report = refused(why);
    let Rejection::WrongState { task, .. } = why else { return report };
    let show = calling::command("show").with(run).with(task);
    report.hint(format!("`{show}` shows how it came to that; with `--why` also what it waits for"))
}

/// A command that is refused, with what to do instead.
pub(crate) fn refused(why: &Rejection) -> Report {
    if let Rejection::BudgetUsedUp { run, argument, .. } = why {
        let resume = calling::command("resume").with(run).with_all(argument.split(' '));
        return Report::of(Exit::Paused, why).hint(format!("`{resume}` adds to it"));
    }
    Report::of(Exit::Failed, why)
}

/// Says what a run has come to by a command, or how it goes on, where no engine does it by itself.
pub(crate) fn say_how_to_go_on(desk: &mut Desk, run: RunId) -> Outcome<()> {
    let reading = lookup::open(desk)?;
    let alive = reading.is_live().map_err(|error| engine_failed(&error))?;
    let Some(found) = reading.state().run(run) else { return Ok(()) };
    match found.outcome {
        Some(outcome) if found.phase == Phase::Finished => {
            desk.note(&format!("Run {run} {}.", outcome_in_words(outcome)));
        }
        _ if !alive => {
            let resume = calling::command("resume").with(run);
            desk.note(&format!("No engine is alive: `{resume}` goes on."));
        }
        _ => {}
    }
    Ok(())
}

/// What became of a run, as the end of a sentence.
pub(crate) const fn outcome_in_words(outcome: RunOutcome) -> &'static str {
    match outcome {
        RunOutcome::Succeeded => "has succeeded",
        RunOutcome::Failed => "has failed",
        RunOutcome::Cancelled => "is cancelled",
    }
}

/// Where a task stands, as the end of a sentence.
pub(crate) fn standing(run: &Run, task: &TaskId) -> String {
    let phase = run.names.get(task).map(|ix| run.task(*ix).phase);
    match phase {
        Some(task::Phase::Succeeded) => "has succeeded".into(),
        Some(task::Phase::Skipped) => "was skipped".into(),
        Some(task::Phase::BackingOff | task::Phase::Parked) => "waits for its next attempt".into(),
        Some(phase) => format!("is {}", phase.name()),
        None => "is gone".into(),
    }
}

/// A name for a command that nobody else gives.
pub(crate) fn new_id() -> Outcome<CommandId> {
    handle::new_id().map_err(|error| engine_failed(&error).into())
}

/// Carries a command out. Its id makes trying again harmless. What is wrong with the settings was said before.
pub(crate) fn send(desk: &mut Desk, ask: Ask) -> Outcome<Answer> {
    send_as(desk, new_id()?, ask)
}

/// The same under an id that the caller gives it.
pub(crate) fn send_as(desk: &mut Desk, id: CommandId, ask: Ask) -> Outcome<Answer> {
    let shows = shows(ask.run().as_slice());
    let command = Command { id, by: nested::asker(desk), ask };
    let config = Config::gather(desk);
    let options = opening::options(desk, &config, Role::Command, 1);
    let reached = reaching::reach(desk, &options, &shows, &mut |client| {
        client.ask(&Request::Command(command.clone()))
    })?;
    match reached {
        Reached::There(Reply::Answer(answer)) => Ok(answer),
        Reached::There(Reply::Refused(why)) => Err(Report::new(Exit::Failed, why).into()),
        Reached::There(
            Reply::Started(_)
            | Reply::Nested { .. }
            | Reply::NotYet(_)
            | Reply::OverCap(_)
            | Reply::TurnedAway { .. },
        ) => Err(reaching::out_of_place()),
        Reached::Here(engine) => ask_here(*engine, command).map_err(|error| engine_failed(&error).into()),
    }
}

/// The command that shows what was carried out of these runs.
pub(crate) fn shows(runs: &[RunId]) -> calling::Command {
    if let [run] = runs { calling::command("events").with(run) } else { calling::command("ps") }
}

/// Lets an engine turn for one command: what earlier ones left is ended first, nothing is started.
fn ask_here(engine: Engine, command: Command) -> Result<Answer, EngineError> {
    let handle = engine.handle();
    let is_answered = Arc::new(AtomicBool::new(false));
    let answered = Arc::clone(&is_answered);
    let asking = thread::spawn(move || {
        let answer = handle.submit(command);
        answered.store(true, Ordering::Release);
        // The engine looks whether it is done when something reaches it.
        handle.query(|_| ()).unwrap_or_default();
        answer
    });
    engine.run(move |_| is_answered.load(Ordering::Acquire), || ())?;
    let answer = asking.join().expect("asking does not panic");
    Ok(answer.expect("an engine that ends well has answered all that it took"))
}

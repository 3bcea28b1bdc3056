//! Carries a command out: through the socket where an engine is alive, else by opening the home for this one command.
//! Never: deciding whether it may be done (the core does).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use windlass_core::event::Role;
use windlass_core::id::{CommandId, RunId, TaskId};
use windlass_core::input::{Answer, Ask, Command};
use windlass_core::machine::run::Phase;
use windlass_engine::engine::Engine;
use windlass_engine::error::EngineError;
use windlass_engine::handle::random;

use crate::config::Config;
use crate::desk::Desk;
use crate::error::{Outcome, Report, engine_failed};
use crate::exit::Exit;
use crate::reaching::{self, Reached};
use crate::socket::{Reply, Request};
use crate::{lookup, opening};

/// The run and the task that two texts mean.
pub(crate) fn find_task(desk: &Desk, run: &str, task: &str) -> Outcome<(RunId, TaskId)> {
    let reading = lookup::open(desk)?;
    let run = lookup::run(reading.state(), run)?;
    let ix = lookup::task(run, task)?;
    Ok((run.id, run.task(ix).id.clone()))
}

/// Carries a command out, and says what came of it.
pub(crate) fn carry_out(desk: &mut Desk, ask: Ask, said: &str) -> Outcome {
    match send(desk, ask)? {
        Answer::Accepted => desk.note(said),
        Answer::Already => desk.note(&format!("{said} It was so already.")),
        Answer::Refused(rejection) => return Err(Report::of(Exit::Failed, &rejection).into()),
    }
    Ok(Exit::Done)
}

/// Says how a run goes on, where no engine does it by itself.
pub(crate) fn say_how_to_go_on(desk: &mut Desk, run: RunId) -> Outcome<()> {
    let reading = lookup::open(desk)?;
    let alive = reading.is_live().map_err(|error| engine_failed(&error))?;
    let is_open = reading.state().run(run).is_some_and(|run| run.phase != Phase::Finished);
    if is_open && !alive {
        desk.note(&format!("No engine is alive: `windlass resume {run}` goes on."));
    }
    Ok(())
}

/// A name for a command that nobody else gives.
pub(crate) fn new_id() -> Outcome<CommandId> {
    let half = || random().map_err(|error| engine_failed(&error));
    Ok(CommandId(format!("{:016x}{:016x}", half()?, half()?).into()))
}

/// Carries a command out. Its id makes trying again harmless.
pub(crate) fn send(desk: &mut Desk, ask: Ask) -> Outcome<Answer> {
    let command = Command { id: new_id()?, by: "cli".into(), ask };
    let config = Config::load(desk)?;
    let options = opening::options(desk, &config, Role::Command, 1);
    let reached =
        reaching::reach(desk, &options, &mut |client| client.ask(&Request::Command(command.clone())))?;
    match reached {
        Reached::There(Reply::Answer(answer)) => Ok(answer),
        Reached::There(Reply::Refused(why)) => Err(Report::new(Exit::Failed, why).into()),
        Reached::There(Reply::Started(_)) => Err(reaching::out_of_place()),
        Reached::Here(engine) => ask_here(*engine, command).map_err(|error| engine_failed(&error).into()),
    }
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
    engine.run(move |_| is_answered.load(Ordering::Acquire))?;
    let answer = asking.join().expect("asking does not panic");
    Ok(answer.expect("an engine that ends well has answered all that it took"))
}

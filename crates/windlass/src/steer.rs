//! Carries a command out: through the socket where an engine is alive, else by opening the home for this one command.
//! Never: deciding whether it may be done (the core does).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use windlass_core::event::Role;
use windlass_core::id::{CommandId, RunId, TaskId};
use windlass_core::input::{Answer, Ask, Command};
use windlass_core::machine::run::Phase;
use windlass_engine::engine::Engine;
use windlass_engine::error::EngineError;
use windlass_engine::handle::random;
use windlass_engine::{clock, reading};

use crate::config::Config;
use crate::desk::Desk;
use crate::error::{Outcome, Report, engine_failed};
use crate::exit::Exit;
use crate::socket::{Client, Lost, Reply, Request};
use crate::{lookup, opening};

/// How long a taken lock without a socket is tried again.
const HELD_WITHIN: Duration = Duration::from_secs(5);
/// From one try to the next.
const BETWEEN_TRIES: Duration = Duration::from_millis(50);

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
    let patience = Patience::new();
    loop {
        if let Some(mut client) = reach(desk) {
            match client.ask(&Request::Command(command.clone())) {
                Ok(Reply::Answer(answer)) => return Ok(answer),
                Ok(Reply::Refused(why)) => return Err(Report::new(Exit::Failed, why).into()),
                Ok(Reply::Started(_)) => {
                    return Err(Report::new(Exit::Bug, "the engine answered something else").into());
                }
                Err(Lost::Silent) => return Err(silent(desk).into()),
                // It has ended: whether it did this first is in the journal, and the id finds it there.
                Err(Lost::Closed) => {}
            }
        }
        match open_and_ask(desk, &config, &command) {
            Ok(answer) => return Ok(answer),
            Err(error) if error.is_held() && patience.another_try() => {}
            Err(error) if error.is_held() => return Err(silent(desk).into()),
            Err(error) => return Err(engine_failed(&error).into()),
        }
    }
}

/// Opens the home for one command: what earlier ones left is ended first, nothing is started.
fn open_and_ask(desk: &mut Desk, config: &Config, command: &Command) -> Result<Answer, EngineError> {
    let options = opening::options(desk, config, Role::Command, 1);
    let engine = Engine::open(options, &mut |what| desk.note(what))?;
    let (handle, command) = (engine.handle(), command.clone());
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

/// A connection to the live engine of the home, if there is one that takes commands.
pub(crate) fn reach(desk: &Desk) -> Option<Client> {
    let socket = reading::owner(&desk.place.home)?.socket?;
    Client::connect(&socket).ok()
}

/// What is said where the home is in use and nobody answers.
pub(crate) fn silent(desk: &Desk) -> Report {
    let owner = reading::owner(&desk.place.home);
    let who =
        owner.map_or_else(|| "a process".into(), |owner| format!("process {} on {}", owner.pid, owner.host));
    Report::environment(format!("the engine of this home does not answer: {who}"))
        .hint("wait and try again; if it hangs, end it: nothing that it acknowledged is lost".to_owned())
}

/// How long a lock that is held is worth waiting for.
pub(crate) struct Patience {
    until: Duration,
}

impl Patience {
    /// From now on.
    pub(crate) fn new() -> Self {
        Self { until: clock::awake() + HELD_WITHIN }
    }

    /// Waits until the next try; false where none is worth it any more.
    pub(crate) fn another_try(&self) -> bool {
        thread::sleep(BETWEEN_TRIES);
        clock::awake() < self.until
    }
}

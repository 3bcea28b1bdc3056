//! The way to the engine of a home: through its socket where one is alive, else by opening one here. One that is ending
//! is waited for. Never: two engines at once, or a wait without a bound.

use std::thread;
use std::time::Duration;

use windlass_engine::engine::{Engine, Options};
use windlass_engine::{clock, reading};

use crate::calling;
use crate::desk::Desk;
use crate::error::{Failed, Outcome, Report, engine_failed};
use crate::exit::Exit;
use crate::socket::{Client, Lost, Reply};

/// How long a lock that is held without a socket that answers is tried again.
const HELD_WITHIN: Duration = Duration::from_secs(5);
/// From one try to the next.
pub(crate) const BETWEEN_TRIES: Duration = Duration::from_millis(50);

/// The engine that was reached.
pub(crate) enum Reached {
    /// That of another process, which answered this.
    There(Reply),
    /// One of this process, which has not turned yet.
    Here(Box<Engine>),
}

/// Asks the engine that is alive, or opens one here. What is asked may reach several that are ending, one after the
/// other: it must be harmless to ask it again. `shows` is the command that shows whether it was carried out.
pub(crate) fn reach(
    desk: &mut Desk,
    options: &Options,
    shows: &calling::Command,
    ask: &mut dyn FnMut(&mut Client) -> Result<Reply, Lost>,
) -> Outcome<Reached> {
    let until = clock::awake() + HELD_WITHIN;
    let mut was_asked = false;
    loop {
        let reached = connect(desk).map(|mut client| ask(&mut client));
        was_asked |= reached.is_ok();
        let shows = was_asked.then_some(shows);
        let is_ending = match reached {
            Ok(Ok(Reply::TurnedAway { why, hint })) => {
                return Err(Report::environment(why).hint(hint).into());
            }
            Ok(Ok(reply)) => return Ok(Reached::There(reply)),
            Err(Lost::Silent) | Ok(Err(Lost::Silent)) => return Err(silent(desk, shows).into()),
            // It is ending, or has ended: whether it did this first is in the journal.
            Ok(Err(Lost::Closed)) => true,
            Err(Lost::Closed) => false,
        };
        match Engine::open(options.clone(), &mut |what| desk.note(what)) {
            Ok(engine) => return Ok(Reached::Here(Box::new(engine))),
            Err(error) if !error.is_held() => return Err(engine_failed(&error).into()),
            Err(_) => thread::sleep(BETWEEN_TRIES),
        }
        if clock::awake() >= until {
            return Err(if is_ending { ending(desk, shows) } else { silent(desk, shows) }.into());
        }
    }
}

/// What is said of a reply that does not belong to what was asked.
pub(crate) fn out_of_place() -> Failed {
    Report::new(Exit::Bug, "the engine answered something else").into()
}

/// A connection to the live engine of the home, if there is one that takes commands.
pub(crate) fn connect(desk: &Desk) -> Result<Client, Lost> {
    let socket = reading::owner(&desk.place.home).and_then(|owner| owner.socket).ok_or(Lost::Closed)?;
    Client::connect(&socket)
}

/// What is said where the home is in use and nobody answers.
fn silent(desk: &Desk, shows: Option<&calling::Command>) -> Report {
    let report = Report::environment(format!("the engine of this home does not answer: {}", who(desk)));
    unanswered(report, "if it hangs, end it: nothing that it acknowledged is lost", shows)
}

/// What is said where the engine takes on nothing, and has not ended either.
fn ending(desk: &Desk, shows: Option<&calling::Command>) -> Report {
    let report = Report::environment(format!("the engine of this home is still ending: {}", who(desk)));
    unanswered(report, "what it stops has not ended yet: wait until it has", shows)
}

/// What has reached an engine may be carried out whether or not that says so: nobody is to ask it twice unawares.
fn unanswered(report: Report, hint: &str, shows: Option<&calling::Command>) -> Report {
    let Some(shows) = shows else { return report.hint(format!("{hint}; then try again")) };
    report
        .cause("what was asked has reached it, and may be carried out later")
        .hint(format!("{hint}; before you ask again, `{shows}` shows whether it was carried out"))
}

fn who(desk: &Desk) -> String {
    let owner = reading::owner(&desk.place.home);
    owner.map_or_else(|| "a process".into(), |owner| format!("process {} on {}", owner.pid, owner.host))
}

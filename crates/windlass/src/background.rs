//! `--detach`: the engine goes on in the background, and this terminal learns the run's id. What the engine has to say
//! later goes to `HOME/engine.log`. Never: losing an error that comes before there is a run.

use std::fs::{DirBuilder, File};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use windlass_core::event::PauseReason;
use windlass_core::id::RunId;
use windlass_engine::error::ANOTHER_HOME;
use windlass_worker::background::{Here, Side, There, leave};

use crate::desk::Desk;
use crate::error::{Outcome, Report};
use crate::exit::Exit;
use crate::{calling, closing, lookup};

/// Which side of a parting this process is.
pub(crate) enum Background {
    /// The one at the terminal.
    Here(Waiting),
    /// The one that goes on.
    There(Unannounced),
}

/// Waits for word from the background.
pub(crate) struct Waiting(Here);

/// In the background, and nobody was told of the run.
pub(crate) struct Unannounced {
    side: There,
    log: File,
}

impl Background {
    /// Parts this process, which has no other thread yet.
    pub(crate) fn enter(home: &Path) -> Outcome<Self> {
        let failed =
            |error: std::io::Error| Report::environment("it could not go to the background").system(&error);
        let unfit = |what: &'static str, path: &Path| {
            let message = format!("could not {what} {}", path.display());
            move |error: std::io::Error| {
                Report::environment(message).cause(error.to_string()).hint(ANOTHER_HOME.to_owned())
            }
        };
        DirBuilder::new().recursive(true).mode(0o700).create(home).map_err(unfit("make the home", home))?;
        let log = home.join("engine.log");
        let opened = File::options().append(true).create(true).mode(0o600).open(&log);
        let log = opened.map_err(unfit("write to", &log))?;
        Ok(match leave().map_err(failed)? {
            Side::Here(here) => Self::Here(Waiting(here)),
            Side::There(side) => Self::There(Unannounced { side, log }),
        })
    }
}

impl Waiting {
    /// Prints the run's id once there is one. Errors were printed by the other side.
    pub(crate) fn wait(self, desk: &mut Desk, json: bool) -> Outcome {
        let told = self.0.wait();
        match told
            .map_err(|error| Report::environment("the background can't be heard").cause(error.to_string()))?
        {
            Ok(run) => {
                if json {
                    desk.json(&serde_json::json!({ "run": run }))?;
                } else {
                    desk.line(&run)?;
                }
                let (standing, exit) = standing(desk, &run).unwrap_or_else(|| goes_on(&run));
                if !json || exit != Exit::Done {
                    desk.note(&standing);
                }
                Ok(exit)
            }
            Err(code) => Ok(Exit::of_code(code)),
        }
    }
}

fn goes_on(run: &str) -> (String, Exit) {
    let look = calling::command("show").with(run);
    (format!("Run {run} goes on in the background; `{look}` looks at it."), Exit::Done)
}

/// What is said of a run that the background has begun and does not work on, since it is paused; and the code of that,
/// where the disk keeps it from starting. Any other pause may come sooner or later than this look.
fn standing(desk: &Desk, run: &str) -> Option<(String, Exit)> {
    let reading = lookup::open(desk).ok()?;
    let state = reading.state();
    let run = lookup::run(state, run).ok().filter(|run| run.has_paused())?;
    let is_kept = run.pauses.contains_key(&PauseReason::DiskLow);
    let exit = if is_kept { closing::exit_of(run) } else { Exit::Done };
    let when = if is_kept { " once there is room" } else { "" };
    let why = closing::pauses(state, run);
    let resume = calling::command("resume").with(run.id);
    Some((format!("Run {} is paused: {why}. `{resume}` goes on with it{when}.", run.id), exit))
}

impl Unannounced {
    /// Tells the terminal of the run, and lets go of it.
    pub(crate) fn announce(self, run: RunId) -> Outcome<()> {
        let told = self.side.tell(run.as_str(), &self.log);
        told.map_err(|error| {
            Report::environment("the terminal can't be told").cause(error.to_string()).into()
        })
    }
}

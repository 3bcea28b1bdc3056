//! `windlass chaos`: lets a copy of the project run the plan again and again, does harm to the engines that do it, and says
//! what held. Never: anything to the original, or to another home.

mod copying;
mod drive;
mod ground;
mod schedule;
mod table;
mod witness;

use std::path::{Path, PathBuf};
use std::sync::mpsc;

use clap::Args;
use windlass_core::time::{Span, TimeError};

use self::drive::{Drive, Measure};
use self::ground::{Ground, Original};
use self::schedule::{Fault, Schedule};
use self::table::Came;
use self::witness::Witness;
use crate::config::{Config, size_of};
use crate::desk::Desk;
use crate::error::{Outcome, Report};
use crate::exit::Exit;
use crate::plan_file::{Inputs, PlanFile, inputs};
use crate::{calling, signals, steer};

/// What only people may do, in words.
pub(super) const IN_WORDS: &str = "do harm to a copy of a project";

/// Do harm to a copy of this project while it runs a plan, and say what held
#[derive(Args, Debug)]
pub(crate) struct Chaos {
    /// The plan file
    plan: PathBuf,
    /// A value for an input, as `name=value`; JSON where the input is no text
    #[arg(long = "input", value_name = "NAME=VALUE")]
    inputs: Vec<String>,
    /// How long harm is done
    #[arg(long = "for", value_name = "TIME", default_value = "60s", value_parser = span)]
    time: Span,
    /// How many faults at most
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    faults: Option<u32>,
    /// What the faults and their moments are drawn from [default: another one each time]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Where the copy lies, a new or empty folder, and stays [default: below the temp folder, and removed if all held]
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// How much may be copied
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = size)]
    copy_at_most: u64,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl Chaos {
    pub(crate) fn carry_out(self, desk: &mut Desk) -> Outcome {
        let plan = self.check(desk)?;
        let (to_news, _news) = mpsc::channel();
        let original = Original {
            plan: &plan,
            inputs: &self.inputs,
            bytes_max: self.copy_at_most,
            at: self.keep.as_deref(),
        };
        // It has a thread of its own from there on, and so it comes behind.
        let mut ground = Ground::prepare(desk, &original)?;
        signals::catch()?;
        signals::detach(to_news);
        let seed = self.seed.map_or_else(any_seed, Ok)?;
        let mut witness = Witness::of(ground.home())?;
        let measure = Measure { time: std::time::Duration::from_millis(self.time.ms), faults: self.faults };
        desk.note("Questions of the plan are answered with yes.");
        let no_disk = ground.why_no_disk();
        let schedule = Schedule::of(seed, if no_disk.is_none() { None } else { Some(Fault::DiskFull) });
        let mut drive = Drive::new(desk, (&mut ground, &mut witness), measure, schedule);
        drive.go()?;
        let (injected, answers) = (std::mem::take(&mut drive.injected), drive.answers);
        witness.conclude();
        let held = witness.broken().is_empty();
        let kept = if held && self.keep.is_none() {
            ground.remove(desk);
            None
        } else {
            Some(ground.leave_for_people()?)
        };
        let came =
            Came { seed, injected: &injected, answers, witness: &witness, no_disk, kept: kept.as_ref() };
        if self.json {
            desk.json(&came.document())?;
        } else {
            desk.lines(came.lines())?;
        }
        if let Some(kept) = kept {
            let look = calling::Command::of(&["ps", "--home", &kept.root.join("home").display().to_string()]);
            desk.note(&format!(
                "The copy, its home and what its engines printed lie in {}; `{look}` looks at its runs.",
                kept.root.display()
            ));
        }
        let interrupted = signals::first().map(signals::exit_after);
        Ok(if held { interrupted.unwrap_or(Exit::Done) } else { Exit::Failed })
    }

    /// Reads the plan as `run` does, so that what is wrong with it is said before anything is copied. Gives its path.
    fn check(&self, desk: &mut Desk) -> Outcome<PathBuf> {
        if self.plan == Path::new("-") {
            let hint = "write the plan into a file of the project".to_owned();
            return Err(Report::usage("a plan from standard input can't be run again and again")
                .hint(hint)
                .into());
        }
        let config = Config::load(desk)?;
        let given = inputs(&self.inputs)?;
        let file = PlanFile::read(&self.plan, desk)?;
        let loaded = file.load(&config, &Inputs::given(&given), desk)?;
        file.warn(&loaded);
        Ok(PathBuf::from(file.name))
    }
}

/// A seed that nobody chose.
fn any_seed() -> Outcome<u64> {
    let id = steer::new_id()?.0;
    Ok(id.bytes().fold(0_u64, |seed, byte| seed.wrapping_mul(31).wrapping_add(byte.into())) % 1_000_000)
}

/// What keeps it from going on.
fn failed(doing: &str, error: &std::io::Error) -> Report {
    let hint = format!("`{}` says what this machine offers", calling::command("doctor"));
    Report::environment(format!("it failed to {doing}")).cause(error.to_string()).hint(hint)
}

fn span(text: &str) -> Result<Span, TimeError> {
    text.parse()
}

fn size(text: &str) -> Result<u64, &'static str> {
    size_of(text).ok_or("it is a number of bytes, or one with its unit as in `4GiB`")
}

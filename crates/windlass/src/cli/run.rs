//! `windlass run`: a plan becomes a run, here or in the engine that is alive already, and is followed to its end.
//! Never: a second engine in one home.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use windlass_core::event::Raise;
use windlass_core::event::Role;
use windlass_core::input::Ask;
use windlass_core::plan::Plan;
use windlass_core::plan::validate::levels;
use windlass_core::state::State;
use windlass_engine::error::EngineError;
use windlass_engine::handle::NewRun;
use windlass_worker::environment;

use crate::background::{Background, Unannounced};
use crate::config::Config;
use crate::desk::Desk;
use crate::error::{Outcome, Report, engine_failed, not_supported_yet};
use crate::exit::Exit;
use crate::following::Following;
use crate::host::Host;
use crate::nested::Caller;
use crate::opening::{OWNERS, default_slots};
use crate::plan_file::{Inputs, PlanFile, inputs};
use crate::reaching::{self, Reached};
use crate::render::plural::list;
use crate::socket::{Reply, Request};
use crate::{calling, lookup, nested, opening, origin, signals, steer};

/// How many attempts may be in flight at most.
const SLOTS_MAX: u32 = 4096;

/// Run a plan, and follow it to its end
#[derive(Args, Debug)]
pub(crate) struct Run {
    /// The plan file, or `-` for standard input
    plan: Option<PathBuf>,
    /// A value for an input, as `name=value`; JSON where the input is no text
    #[arg(long = "input", value_name = "NAME=VALUE")]
    inputs: Vec<String>,
    #[command(flatten)]
    hosting: Hosting,
    /// Let a manager agent write the plan for this goal
    #[arg(long, value_name = "TEXT", conflicts_with = "plan", hide = true)]
    goal: Option<String>,
    /// Let one agent work on this prompt
    #[arg(short, value_name = "TEXT", conflicts_with = "plan", hide = true)]
    prompt: Option<String>,
    /// The agent that writes the plan
    #[arg(long, value_name = "AGENT", requires = "goal", hide = true)]
    manager: Option<String>,
    /// Run it over the workers on this bus
    #[arg(long, value_name = "URL", hide = true)]
    bus: Option<String>,
}

/// How runs are hosted and followed.
#[derive(Args, Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct Hosting {
    /// Print the run's lines of `events --json`
    #[arg(long)]
    pub(crate) json: bool,
    /// Run it in the background, and print its id
    #[arg(long)]
    pub(crate) detach: bool,
    /// How many attempts may be in flight [default: twice the cores, at least 4]
    #[arg(long, env = "WINDLASS_SLOTS", value_name = "N", value_parser = slots)]
    pub(crate) slots: Option<u32>,
    /// Take no plans of other terminals
    #[arg(long)]
    pub(crate) no_host: bool,
    /// Answer every approval with yes
    #[arg(long)]
    pub(crate) yes: bool,
}

impl Run {
    pub(crate) fn carry_out(self, desk: &mut Desk) -> Outcome {
        if let Some((_, what)) = self.not_built().into_iter().find(|(is_asked, _)| *is_asked) {
            return Err(not_supported_yet(what));
        }
        let Some(path) = &self.plan else {
            let (run, init) = (calling::command("run").with("plan.yaml"), calling::command("init"));
            let hint = format!("`{run}`; `{init}` writes a first plan");
            return Err(Report::usage("there is no plan to run").hint(hint).into());
        };
        let caller = Caller::of(desk, "start a run")?;
        caller.refuse_options(&self.hosting)?;
        let config = Config::load(desk)?;
        if !matches!(caller, Caller::Attempt(_)) {
            refuse_home_inside(desk, &config)?;
        }
        let given = inputs(&self.inputs)?;
        let file = PlanFile::read(path, desk)?;
        let loaded = file.load(&config, &Inputs::given(&given), desk)?;
        file.warn(&loaded);
        caller.refuse_depth(desk, levels(&loaded.plan))?;
        let new = new_run(desk, loaded.plan, file.name.clone())?;
        if let Caller::Attempt(within) = caller {
            return nested::run(desk, &new, within, &self.hosting);
        }
        match self.hosting.detach.then(|| Background::enter(&desk.place.home)).transpose()? {
            Some(Background::Here(waiting)) => waiting.wait(desk, self.hosting.json),
            Some(Background::There(side)) => start(desk, &config, &new, &self.hosting, Some(side)),
            None => start(desk, &config, &new, &self.hosting, None),
        }
    }

    fn not_built(&self) -> [(bool, &'static str); 4] {
        [
            (self.goal.is_some(), "`run --goal`"),
            (self.prompt.is_some(), "`run -p`"),
            (self.manager.is_some(), "`run --manager`"),
            (self.bus.is_some(), "`run --bus`"),
        ]
    }
}

/// A home that tasks could remove while it is written is none, but for those who say that they take the risk.
fn refuse_home_inside(desk: &mut Desk, config: &Config) -> Outcome<()> {
    if !desk.place.home_is_inside() {
        return Ok(());
    }
    let (home, folder) = (desk.place.home.display(), desk.place.folder.display());
    let what = format!("the home {home} lies in the folder that tasks work in, {folder}");
    if config.home.force {
        desk.warn(&what, Some("a task that tidies up could remove it: choose a folder outside with --home"));
        return Ok(());
    }
    let report = Report::usage(what)
        .cause("a task that tidies up, as `git clean -fdx` does, would remove the journal under the engine")
        .hint(
            "choose a home outside with --home or WINDLASS_HOME, or let tasks work in another folder with --dir; \
             WINDLASS_FORCE_HOME=1 takes the risk"
                .to_owned(),
        );
    Err(report.into())
}

/// A plan with what its attempts need of these surroundings.
fn new_run(desk: &Desk, plan: Plan, source: String) -> Outcome<NewRun> {
    let folder =
        desk.place.folder.to_str().ok_or_else(|| {
            Report::usage(format!("the folder {} is not UTF-8", desk.place.folder.display()))
        })?;
    let pass: Vec<String> = plan.passed().into_iter().map(str::to_owned).collect();
    let origin = origin::of(desk, &plan)?;
    Ok(NewRun {
        command: steer::new_id()?,
        by: "cli".into(),
        folder: folder.to_owned(),
        env: environment::cut(desk.surroundings.texts(), &pass),
        plan: Arc::new(plan),
        source,
        origin,
    })
}

/// Makes the run in an engine of this process, or in the one that is alive, and follows it.
fn start(
    desk: &mut Desk,
    config: &Config,
    new: &NewRun,
    hosting: &Hosting,
    background: Option<Unannounced>,
) -> Outcome {
    signals::catch()?;
    let options = opening::options(desk, config, Role::Engine, hosting.slots.unwrap_or_else(default_slots));
    let asked = Request::Start {
        new: Box::new(new.clone()),
        yes: hosting.yes,
        marks: desk.surroundings.text(OWNERS).unwrap_or_default().to_owned(),
    };
    match reaching::reach(desk, &options, &steer::shows(&[]), &mut |client| client.ask(&asked))? {
        Reached::Here(engine) => {
            name_unfinished(desk, engine.state(), new);
            let host = Host::start(*engine, options, !hosting.no_host)?;
            lead(desk, &host, new, hosting, background)
        }
        Reached::There(Reply::Started(run)) => {
            if hosting.slots.is_some() {
                desk.note(
                    "--slots is ignored: the run was handed to the engine that is alive, which has its own.",
                );
            }
            match background {
                Some(side) => side.announce(run).map(|()| Exit::Done),
                None => Following::new(hosting.json, hosting.yes, desk).guest(desk, run, true),
            }
        }
        Reached::There(Reply::Refused(why)) => {
            let hint = "wait until its runs are over, or use another home with --home".to_owned();
            Err(Report::new(Exit::Failed, "the plan was not taken").cause(why).hint(hint).into())
        }
        Reached::There(
            Reply::Answer(_)
            | Reply::Nested { .. }
            | Reply::NotYet(_)
            | Reply::OverCap(_)
            | Reply::TurnedAway { .. },
        ) => Err(reaching::out_of_place()),
    }
}

/// Makes the run in the engine of this process, and follows it.
fn lead(
    desk: &mut Desk,
    host: &Host,
    new: &NewRun,
    hosting: &Hosting,
    background: Option<Unannounced>,
) -> Outcome {
    let following = Following::new(hosting.json, hosting.yes, desk);
    let command = new.command.clone();
    // An engine that was asked first may have taken the plan before it ended: then that run goes on here
    // (docs/design/two-terminals.md).
    let was_taken = host.handle.query(move |state| state.commands.contains_key(&command)).unwrap_or(false);
    let run = match host.handle.start(new, &|_| ()) {
        Ok(run) => run,
        Err(EngineError::Gone(_)) => return host.ended_early(),
        Err(error) => return Err(engine_failed(&error).into()),
    };
    if was_taken && host.submit(Ask::Resume { run, raise: Raise::default() }, "cli").is_err() {
        return host.ended_early();
    }
    if hosting.yes {
        host.say_yes(run);
    } else if following.is_interactive() && background.is_none() {
        host.ask_here(run);
    }
    if let Some(side) = background {
        side.announce(run)?;
    }
    following.host(desk, host, &[run])
}

/// Names the runs that nobody works on: they are left as they are, but for one that this very plan became already.
fn name_unfinished(desk: &mut Desk, state: &State, new: &NewRun) {
    let own = state.commands.get(&new.command);
    let others = lookup::unfinished(state).into_iter().filter(|run| own != Some(&run.created.0));
    let unfinished: Vec<String> = others.map(|run| run.id.to_string()).collect();
    if !unfinished.is_empty() {
        let verb = if unfinished.len() == 1 { "is" } else { "are" };
        let resume = calling::command("resume");
        desk.note(&format!("{} {verb} unfinished: `{resume}` goes on.", list(&unfinished)));
    }
}

/// A number of slots.
fn slots(text: &str) -> Result<u32, String> {
    let slots = text.parse().ok().filter(|slots| (1..=SLOTS_MAX).contains(slots));
    slots.ok_or_else(|| format!("it is a whole number from 1 to {SLOTS_MAX}"))
}

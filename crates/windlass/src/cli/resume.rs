//! `windlass resume`: lifts pauses, and goes on with what an engine left. Never: with what a person paused, unless that
//! run is named.

use std::ops::ControlFlow;

use clap::Args;
use windlass_core::event::Raise;
use windlass_core::event::{Event, PauseReason, Role};
use windlass_core::id::{CommandId, RunId, Seq};
use windlass_core::input::{Answer, Ask, Command};
use windlass_core::machine::run::Phase;
use windlass_core::plan::Work;
use windlass_core::plan::validate::levels;
use windlass_core::state::Run;
use windlass_engine::reading::{Reading, wire_line};

use crate::background::{Background, Unannounced};
use crate::cli::raise;
use crate::cli::run::Hosting;
use crate::config::Config;
use crate::desk::Desk;
use crate::error::{Outcome, Report, engine_failed};
use crate::exit::Exit;
use crate::following::Following;
use crate::host::Host;
use crate::nested::Caller;
use crate::opening::{OWNERS, default_slots};
use crate::plan_file::{Inputs, PlanFile, as_given};
use crate::reaching::{self, Reached};
use crate::render::plural::list;
use crate::socket::{Client, Reply, Request};
use crate::{calling, closing, lookup, nested, opening, signals, steer};

/// Go on with a run, or with every run that was interrupted
#[derive(Args, Debug)]
pub(crate) struct Resume {
    /// The run: its id, the start of it, or `last` [default: every unfinished one that no person paused]
    run: Option<String>,
    #[command(flatten)]
    hosting: Hosting,
    /// Add to a budget of the run: `attempts=+5`, `wall=+10m`
    #[arg(long, value_name = "WHAT=+N")]
    budget: Vec<String>,
}

/// What is gone on with, and how.
#[derive(Clone, Copy)]
struct Meant<'a> {
    runs: &'a [RunId],
    /// What is added to the budget of the one run.
    raise: Raise,
}

/// What there is to go on with.
enum Subject {
    /// These.
    Runs(Vec<RunId>),
    /// Nothing, and this is the answer.
    Nothing(Exit),
}

impl Resume {
    pub(crate) fn carry_out(self, desk: &mut Desk) -> Outcome {
        let raise = raise::of(&self.budget)?;
        if self.run.is_none() && !raise.is_nothing() {
            let report = Report::usage("`--budget` adds to the budget of one run, and none is named");
            return Err(report
                .hint(format!(
                    "write `{}`",
                    calling::command("resume")
                        .with("RUN")
                        .with_all(self.budget.iter().flat_map(|more| ["--budget", more]))
                ))
                .into());
        }
        let caller = Caller::of(desk, "go on with a run")?;
        if let Caller::Attempt(_) = caller {
            return Err(nested::waits_for_itself().into());
        }
        caller.refuse_options(&self.hosting)?;
        if !raise.is_nothing() {
            nested::refuse_what_people_say(desk, "add to a budget")?;
        }
        let config = Config::load_what_can_be(desk);
        let runs = match self.subject(desk, &config, &caller)? {
            Subject::Runs(runs) => runs,
            Subject::Nothing(exit) => return Ok(exit),
        };
        let meant = Meant { runs: &runs, raise };
        match self.hosting.detach.then(|| Background::enter(&desk.place.home)).transpose()? {
            Some(Background::Here(waiting)) => waiting.wait(desk, self.hosting.json),
            Some(Background::There(side)) => go_on(desk, &config, &meant, &self.hosting, Some(side)),
            None => go_on(desk, &config, &meant, &self.hosting, None),
        }
    }

    /// What there is to go on with. A run that has ended repeats its outcome.
    fn subject(&self, desk: &mut Desk, config: &Config, caller: &Caller) -> Outcome<Subject> {
        let mut reading = lookup::open(desk)?;
        let state = reading.state();
        if let Some(name) = &self.run {
            let run = lookup::run(state, name)?;
            if run.phase == Phase::Finished {
                let id = run.id;
                return self.repeat(desk, &mut reading, id).map(Subject::Nothing);
            }
            if is_left(run) {
                nested::refuse_what_people_say(desk, "go on with what a person or a budget paused")?;
            }
            caller.refuse_depth(desk, levels(&run.plan))?;
            say_if_the_plan_differs(desk, config, run);
            return Ok(Subject::Runs(vec![run.id]));
        }
        if state.runs.is_empty() {
            return Err(lookup::none_left(state).into());
        }
        let (left, meant): (Vec<&Run>, Vec<&Run>) =
            lookup::unfinished(state).into_iter().partition(|run| is_left(run));
        let ids = |runs: &[&Run]| runs.iter().map(|run| run.id).collect::<Vec<RunId>>();
        if !left.is_empty() {
            let names: Vec<String> = left.iter().map(|run| run.id.to_string()).collect();
            let verb = if names.len() == 1 { "is" } else { "are" };
            desk.note(&format!(
                "{} {verb} paused by a person or by a budget: `{}` goes on with one, or says which budget to raise.",
                list(&names),
                calling::command("resume").with("RUN")
            ));
        }
        if meant.is_empty() {
            if left.is_empty() {
                desk.note("There is nothing to go on with: no run is unfinished.");
                return Ok(Subject::Nothing(Exit::Done));
            }
            return Ok(Subject::Nothing(Exit::Paused));
        }
        for run in &meant {
            caller.refuse_depth(desk, levels(&run.plan))?;
            say_if_the_plan_differs(desk, config, run);
        }
        Ok(Subject::Runs(ids(&meant)))
    }

    fn repeat(&self, desk: &mut Desk, reading: &mut Reading, run: RunId) -> Outcome {
        let alive = reading.is_live().map_err(|error| engine_failed(&error))?;
        if self.hosting.json {
            desk.lines(end_of(reading, run)?)?;
        }
        let state = reading.state();
        let run = state.run(run).ok_or_else(lookup::no_runs)?;
        if !self.hosting.json {
            let lines = closing::lines(state, run, alive, &desk.place.home);
            desk.lines(lines.iter().skip(1))?;
        }
        Ok(closing::exit_of(run))
    }
}

/// The line that told of a run's end, which it may have had more than once.
fn end_of(reading: &mut Reading, run: RunId) -> Outcome<Option<String>> {
    let created = reading.state().run(run).map_or(Seq(0), |run| run.created.0);
    let mut end = None;
    let looked = reading.records(created, &mut |record| {
        if matches!(&record.event, Event::RunFinished { run: ended, .. } if *ended == run) {
            end = Some(wire_line(record));
        }
        ControlFlow::Continue(())
    });
    looked.map_err(|error| engine_failed(&error))?;
    Ok(end)
}

/// Whether only who names it goes on with it.
fn is_left(run: &Run) -> bool {
    run.pauses.contains_key(&PauseReason::Requested) || run.pauses.contains_key(&PauseReason::Budget)
}

/// Goes on in an engine of this process, or lifts the pauses in the one that is alive.
fn go_on(
    desk: &mut Desk,
    config: &Config,
    meant: &Meant<'_>,
    hosting: &Hosting,
    background: Option<Unannounced>,
) -> Outcome {
    signals::catch()?;
    let options = opening::options(desk, config, Role::Engine, hosting.slots.unwrap_or_else(default_slots));
    let (id, mut tries) = (steer::new_id()?, 0);
    let marks = desk.surroundings.text(OWNERS).unwrap_or_default().to_owned();
    let by = nested::asker(desk);
    let mut lift = |client: &mut Client| {
        // A wish of its own each time: an engine that ended meanwhile has interrupted again what it took up.
        tries += 1;
        let mut reply = Reply::Answer(Answer::Already);
        for run in meant.runs {
            let id = CommandId(format!("{}-{run}-{tries}", id.0).into());
            let ask = Ask::Resume { run: *run, raise: meant.raise };
            let command = Command { id, by: by.clone(), ask };
            if hosting.yes {
                client.ask(&Request::Yes(*run))?;
            }
            reply = client.ask(&Request::Resume { command, marks: marks.clone() })?;
            if !matches!(reply, Reply::Answer(Answer::Accepted | Answer::Already)) {
                break;
            }
        }
        Ok(reply)
    };
    match reaching::reach(desk, &options, &steer::shows(meant.runs), &mut lift)? {
        Reached::Here(engine) => {
            let host = Host::start(*engine, options, !hosting.no_host)?;
            lead(desk, &host, meant, hosting, background)
        }
        Reached::There(Reply::Answer(Answer::Accepted | Answer::Already)) => {
            attend(desk, meant, hosting, background)
        }
        Reached::There(Reply::Answer(Answer::Refused(why))) => Err(steer::refused(&why).into()),
        Reached::There(Reply::Refused(why)) => Err(Report::new(Exit::Failed, why).into()),
        Reached::There(
            Reply::Started(_)
            | Reply::Nested { .. }
            | Reply::NotYet(_)
            | Reply::OverCap(_)
            | Reply::TurnedAway { .. },
        ) => Err(reaching::out_of_place()),
    }
}

fn lead(
    desk: &mut Desk,
    host: &Host,
    meant: &Meant<'_>,
    hosting: &Hosting,
    background: Option<Unannounced>,
) -> Outcome {
    let (runs, by) = (meant.runs, nested::asker(desk));
    for run in runs {
        match host.submit(Ask::Resume { run: *run, raise: meant.raise }, &by) {
            Ok(Answer::Accepted | Answer::Already) => say_raised(desk, *run, meant.raise),
            Ok(Answer::Refused(why)) => return Err(steer::refused(&why).into()),
            Err(_) => return host.ended_early(),
        }
    }
    let following = Following::new(hosting.json, hosting.yes, desk);
    if hosting.yes {
        for run in runs {
            host.say_yes(*run);
        }
    } else if let ([run], true, None) = (runs, following.is_interactive(), &background) {
        host.ask_here(*run);
    }
    if let Some(side) = background {
        side.announce(runs[0])?;
    }
    following.host(desk, host, runs)
}

/// The pauses are lifted in the engine that is alive; one run is followed there.
fn attend(desk: &mut Desk, meant: &Meant<'_>, hosting: &Hosting, background: Option<Unannounced>) -> Outcome {
    let runs = meant.runs;
    for run in runs {
        say_raised(desk, *run, meant.raise);
        desk.note(&format!("Run {run} goes on in the engine that is alive."));
    }
    match (background, runs) {
        (Some(side), runs) => side.announce(runs[0]).map(|()| Exit::Done),
        (None, [run]) => Following::new(hosting.json, hosting.yes, desk).guest(desk, *run, false),
        (None, _) => Ok(Exit::Done),
    }
}

fn say_raised(desk: &mut Desk, run: RunId, raise: Raise) {
    if !raise.is_nothing() {
        desk.note(&format!("Run {run} may use {} more.", raise.in_words()));
    }
}

/// A run carries its plan; its file may have changed since.
fn say_if_the_plan_differs(desk: &mut Desk, config: &Config, run: &Run) {
    if run.source == "-" || !config.passed_over.is_empty() {
        return;
    }
    let given = as_given(&run.plan.inputs);
    let inputs = Inputs { folder: Some(&run.folder), ..Inputs::given(&given) };
    let now = PlanFile::read(std::path::Path::new(&run.source), desk)
        .and_then(|file| file.load(config, &inputs, desk));
    let id = run.id;
    let now = match now {
        Ok(loaded) => loaded.plan,
        Err(failed) => {
            // By which file it could go on is not known until that is mended.
            let why = failed.in_short().map(|(why, _)| format!(": {why}")).unwrap_or_default();
            desk.note(&format!(
                "What run {id} began by can't be read as a plan any more{why}. The run keeps the plan it has."
            ));
            return;
        }
    };
    if run.goes_by(&now) {
        return;
    }
    let has_more = now.tasks.iter().any(|task| matches!(task.work, Work::Plan(_)));
    let files = if has_more { ", or that of a sub-plan," } else { "" };
    desk.note(&format!(
        "The file {source}{files} has changed since run {id} began; the run keeps the plan it has. \
         `{revise}` goes on by the file.",
        source = run.source,
        revise = calling::command("revise").with(id).with(&run.source),
    ));
}

//! What a shell is told that completes a line: verbs and options from the command line's own definition, runs and tasks
//! from the home that the line is about. Never: an error, or anything that changes the home: a person is in the middle
//! of a line.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command, CommandFactory as _};
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter as _};
use clap_complete::env::CompleteEnv;
use windlass_core::machine::task::Phase;
use windlass_core::state::Run;
use windlass_core::{id::RunId, state::outside, view};
use windlass_engine::reading::Reading;

use crate::cli::Cli;
use crate::home::Place;
use crate::lookup;
use crate::render::text;
use crate::surroundings::Surroundings;

/// The variable by which the script of `windlass completions` asks; its value is the shell.
pub(crate) const VARIABLE: &str = "WINDLASS_COMPLETE";
/// How many runs are offered, the newest: nobody reads on.
const RUNS_MAX: usize = 100;
/// How much of a goal stands beside a run.
const GOAL_COLUMNS: usize = 50;

/// Answers a shell, where one asks. Whether one did.
pub(crate) fn answer_a_shell() -> bool {
    let here = std::env::current_dir().ok();
    let asked = CompleteEnv::with_factory(command).var(VARIABLE);
    // A line that nothing can be said to, or a shell that is gone: it completes nothing.
    asked.try_complete(std::env::args_os(), here.as_deref()).unwrap_or(true)
}

/// The command line, with what completes the names of runs and tasks wherever there is one.
fn command() -> Command {
    with_names(Cli::command())
}

fn with_names(command: Command) -> Command {
    command.mut_subcommands(with_names).mut_args(|arg| match arg.get_id().as_str() {
        _ if !arg.is_positional() => arg,
        "run" => arg.add(ArgValueCompleter::new(runs)),
        "task" => arg.add(ArgValueCompleter::new(tasks)),
        "heard" => arg.add(ArgValueCompleter::new(topics)),
        "what" if names_a_run(&arg) => arg.add(ArgValueCompleter::new(plans_and_runs)),
        _ => arg,
    })
}

fn names_a_run(arg: &Arg) -> bool {
    arg.get_value_names().is_some_and(|names| names.iter().any(|name| name.contains("RUN")))
}

fn plans_and_runs(current: &OsStr) -> Vec<CompletionCandidate> {
    let mut found = PathCompleter::any().complete(current);
    found.extend(runs(current));
    found
}

/// The runs of the home, the newest first.
fn runs(current: &OsStr) -> Vec<CompletionCandidate> {
    let Some(reading) = Line::read().reading() else { return Vec::new() };
    let mut runs: Vec<&Run> = reading.state().runs.values().collect();
    runs.sort_by_key(|run| std::cmp::Reverse((run.created.0, run.id)));
    let last = runs.first().map(|_| CompletionCandidate::new("last").help(Some("the newest".into())));
    let offered = |run: &&Run| {
        let id: RunId = run.id;
        let goal = text::fit(&text::first_line(&run.plan.goal), GOAL_COLUMNS);
        CompletionCandidate::new(id.as_str()).help(Some(goal.into()))
    };
    fitting(current, last.into_iter().chain(runs.iter().take(RUNS_MAX).map(offered)))
}

/// The tasks of the run that the line names, in the order of its plan.
fn tasks(current: &OsStr) -> Vec<CompletionCandidate> {
    let line = Line::read();
    let found = || {
        let reading = line.reading()?;
        let run = lookup::run(reading.state(), &line.run()?).ok()?;
        let offered = view::in_order(run).map(|ix| {
            let task = run.task(ix);
            let phase: Phase = task.phase;
            CompletionCandidate::new(task.id.as_str()).help(Some(phase.name().into()))
        });
        Some(fitting(current, offered))
    };
    found().unwrap_or_default()
}

/// The topics on which tasks of the run that the line names listen to others.
fn topics(current: &OsStr) -> Vec<CompletionCandidate> {
    let line = Line::read();
    let found = || {
        let reading = line.reading()?;
        let run = lookup::run(reading.state(), &line.run()?).ok()?;
        let topics = outside::topics_of(run).into_iter();
        Some(fitting(current, topics.map(CompletionCandidate::new)))
    };
    found().unwrap_or_default()
}

/// Those that begin as the word does, in this order.
fn fitting(
    current: &OsStr,
    candidates: impl Iterator<Item = CompletionCandidate>,
) -> Vec<CompletionCandidate> {
    let start = current.as_encoded_bytes();
    let fit = candidates.filter(|one| one.get_value().as_encoded_bytes().starts_with(start));
    fit.enumerate().map(|(place, one)| one.display_order(Some(place))).collect()
}

/// The line as far as it is written.
struct Line(Option<ArgMatches>);

impl Line {
    fn read() -> Self {
        let words: Vec<OsString> = std::env::args_os().skip_while(|word| word != "--").skip(1).collect();
        Self::of(words)
    }

    fn of(words: Vec<OsString>) -> Self {
        Self(Cli::command().ignore_errors(true).try_get_matches_from(words).ok())
    }

    /// What the line says under this name, by the innermost verb.
    fn said<T: Clone + Send + Sync + 'static>(&self, name: &str) -> Option<T> {
        let mut found = None;
        let mut matches = self.0.as_ref();
        while let Some(here) = matches {
            found = here.try_get_one::<T>(name).ok().flatten().cloned().or(found);
            matches = here.subcommand().map(|(_, inner)| inner);
        }
        found
    }

    fn run(&self) -> Option<String> {
        self.said("run")
    }

    /// The home that the line is about, as it is.
    fn reading(&self) -> Option<Reading> {
        let (folder, home): (Option<PathBuf>, Option<PathBuf>) = (self.said("dir"), self.said("home"));
        let place = Place::find(folder.as_deref(), home.as_deref(), &Surroundings::read()).ok()?;
        Reading::open(&place.home).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Line {
        Line::of(text.split(' ').map(Into::into).collect())
    }

    #[test]
    fn a_line_says_its_run_and_its_home_before_it_is_whole() {
        assert_eq!(line("windlass show abc def").run().as_deref(), Some("abc"));
        assert_eq!(line("windlass dlq requeue abc --ho").run().as_deref(), Some("abc"));
        let line = line("windlass settle abc --home /h t --wrong");
        assert_eq!(line.run().as_deref(), Some("abc"));
        assert_eq!(line.said::<PathBuf>("home"), Some("/h".into()));
    }

    #[test]
    fn every_name_of_a_run_or_a_task_is_completed() {
        fn look(command: &Command, found: &mut Vec<String>) {
            for arg in command.get_positionals().filter(|arg| arg.get::<ArgValueCompleter>().is_some()) {
                found.push(format!("{} {}", command.get_name(), arg.get_id()));
            }
            command.get_subcommands().for_each(|inner| look(inner, found));
        }
        let mut found = Vec::new();
        look(&command(), &mut found);
        let all = [
            "graph what",
            "resume run",
            "pause run",
            "cancel run",
            "cancel task",
            "retry run",
            "retry task",
            "revise run",
            "settle run",
            "settle task",
            "approve run",
            "approve task",
            "emit run",
            "emit heard",
            "show run",
            "show task",
            "logs run",
            "logs task",
            "events run",
            "list run",
            "show run",
            "show task",
            "requeue run",
            "requeue task",
            "drop run",
            "drop task",
        ];
        assert_eq!(found, all);
    }
}

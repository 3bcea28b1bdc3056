//! `windlass logs`: what the attempts of a task printed. Never: changing a log.

use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use windlass_core::id::{AttemptKey, RunId, TaskId};
use windlass_core::machine::run::Phase;
use windlass_core::state::{Attempt, Run, State, Task};
use windlass_core::time::Time;
use windlass_engine::reading::Reading;
use windlass_worker::log::{self, Follower, LogLine, Stream};

use crate::desk::Desk;
use crate::error::{Failed, Outcome, Report, engine_failed};
use crate::exit::Exit;
use crate::render::log::Before;
use crate::render::style::{DIM, paint};
use crate::render::{self, text};
use crate::{calling, lookup, nested};

/// How long a log is watched before the journal is looked at again.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Print what the attempts of a task printed
#[derive(Args, Debug)]
pub(crate) struct Logs {
    /// The run: its id, the start of it, or `last`
    run: String,
    /// The task
    task: String,
    /// Only this attempt
    #[arg(long, value_name = "N")]
    attempt: Option<u32>,
    /// Go on until the task is final
    #[arg(short, long)]
    follow: bool,
    /// Print exactly what was printed
    #[arg(long, conflicts_with = "json")]
    raw: bool,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

/// The attempts whose logs are printed.
struct Subject {
    home: PathBuf,
    run: RunId,
    task: TaskId,
    only: Option<u32>,
}

impl Logs {
    pub(crate) fn carry_out(self, desk: &mut Desk) -> Outcome {
        let mut reading = lookup::open(desk)?;
        let run = lookup::run(reading.state(), &self.run)?;
        let task = run.task(lookup::task(run, &self.task)?);
        let subject =
            Subject { home: desk.place.home.clone(), run: run.id, task: task.id.clone(), only: self.attempt };
        if let Some(number) = self.attempt
            && number as usize > task.attempts.len()
            && !self.follow
        {
            let message = format!("task {} has no attempt {number}", task.id);
            let hint =
                format!("`{}` lists its attempts", calling::command("show").with(run.id).with(&task.id));
            return Err(Report::usage(message).hint(hint).into());
        }
        if self.follow && !subject.is_final(reading.state()) {
            nested::refuse_to_follow(desk, &reading)?;
        }
        let mut printer =
            Printer { desk, raw: self.raw, json: self.json, before: Before::default(), at: None, open: None };
        if self.follow {
            follow(&mut reading, &subject, &mut printer)?;
        } else {
            let numbers = subject.attempts(reading.state());
            if numbers.is_empty() {
                without_attempts(printer.desk, run, task);
            }
            for number in numbers {
                printer.title(&subject, number)?;
                if subject.lacks_log(reading.state(), number) {
                    let said = format!(
                        "There is no log of attempt {number}: it was removed, or all that the attempt gave is in its output."
                    );
                    printer.desk.note(&said);
                }
                for line in log::read(&subject.path(number)) {
                    printer.print(number, &line.map_err(|error| unreadable(&error))?)?;
                }
                printer.end_line()?;
            }
        }
        Ok(Exit::Done)
    }
}

/// How many children are named.
const CHILDREN_MAX: usize = 20;

/// Says why a task has no log: its children have them, or there is none yet.
fn without_attempts(desk: &mut Desk, run: &Run, task: &Task) {
    if task.children.is_empty() {
        return desk.note(&format!("Task {} has had no attempts yet.", task.id));
    }
    desk.note(&format!("Task {} has no attempts of its own: its children have them.", task.id));
    let names = task.children.iter().map(|child| run.task(*child).id.as_str().len()).max().unwrap_or(0);
    for child in task.children.iter().take(CHILDREN_MAX).map(|child| run.task(*child)) {
        let command = calling::command("logs").with(run.id).with(&child.id);
        desk.note(&format!("  {:<names$}  {:<11}  {command}", child.id.as_str(), child.phase.name()));
    }
    let more = task.children.len().saturating_sub(CHILDREN_MAX);
    if more > 0 {
        let all = calling::command("show").with(run.id).with(&task.id);
        desk.note(&format!("  … and {more} more: `{all}` has them all"));
    }
}

impl Subject {
    fn path(&self, number: u32) -> PathBuf {
        let key = AttemptKey { run: self.run, task: self.task.clone(), attempt: number };
        log::path(&self.home, &key)
    }

    /// The numbers of the attempts that there are.
    fn attempts(&self, state: &State) -> Vec<u32> {
        let run = state.run(self.run);
        let task = run.and_then(|run| Some(run.task(*run.names.get(&self.task)?)));
        let numbers =
            task.map(|task| task.attempts.iter().map(|attempt| attempt.number)).into_iter().flatten();
        numbers.filter(|number| self.only.is_none_or(|only| only == *number)).collect()
    }

    fn attempt<'s>(&self, state: &'s State, number: u32) -> Option<&'s Attempt> {
        let run = state.run(self.run)?;
        let task = run.task(*run.names.get(&self.task)?);
        task.attempts.iter().find(|attempt| attempt.number == number)
    }

    /// Whether an attempt is over, and everything that it printed is in its log.
    fn is_over(&self, state: &State, number: u32) -> bool {
        self.attempt(state, number).is_none_or(|attempt| attempt.ended.is_some())
    }

    /// Whether an attempt gave something, printed or in a file, and there is no log of it.
    fn lacks_log(&self, state: &State, number: u32) -> bool {
        let raw = self.attempt(state, number).and_then(|attempt| attempt.raw.as_ref());
        raw.is_some_and(|raw| raw.bytes > 0) && !self.path(number).exists()
    }

    /// Whether no attempt will follow.
    fn is_final(&self, state: &State) -> bool {
        let Some(run) = state.run(self.run) else { return true };
        let is_final = run.names.get(&self.task).is_none_or(|ix| run.task(*ix).phase.is_final());
        is_final || run.phase == Phase::Finished
    }
}

/// Prints one attempt after the other, each until it is over, and waits for the next until the task is final.
fn follow(reading: &mut Reading, subject: &Subject, printer: &mut Printer<'_>) -> Outcome<()> {
    let mut done = 0;
    loop {
        let next = subject.attempts(reading.state()).into_iter().find(|number| *number > done);
        if let Some(number) = next {
            printer.title(subject, number)?;
            follow_one(reading, subject, number, printer)?;
            done = number;
            continue;
        }
        if subject.is_final(reading.state()) || subject.only.is_some_and(|only| only <= done) {
            return Ok(());
        }
        printer.desk.flush()?;
        let followed = reading.follow(Duration::from_mins(1), &mut |_, state| {
            let is_next = subject.attempts(state).iter().any(|number| *number > done);
            if is_next || subject.is_final(state) {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        followed.map_err(|error| engine_failed(&error))?;
    }
}

fn follow_one(
    reading: &mut Reading,
    subject: &Subject,
    number: u32,
    printer: &mut Printer<'_>,
) -> Outcome<()> {
    let mut follower = Follower::new(&subject.path(number)).map_err(|error| unreadable(&error))?;
    loop {
        // Looked at before the log: what is in it after the end was journaled is all there will ever be.
        let is_over = subject.is_over(reading.state(), number);
        while let Some(line) = follower.next_line().map_err(|error| unreadable(&error))? {
            printer.print(number, &line)?;
        }
        printer.desk.flush()?;
        if is_over {
            return printer.end_line();
        }
        follower.wait(Some(LOOK_EVERY)).map_err(|error| unreadable(&error))?;
        reading.catch_up(&mut |_, _| {}).map_err(|error| engine_failed(&error))?;
    }
}

fn unreadable(error: &io::Error) -> Failed {
    Report::environment("the log can't be read").cause(error.to_string()).into()
}

struct Printer<'d> {
    desk: &'d mut Desk,
    raw: bool,
    json: bool,
    before: Before,
    /// The moment of the last line as text: those of one moment share it.
    at: Option<(Time, String)>,
    /// The stream whose line has not ended where the next one is printed.
    open: Option<Stream>,
}

/// A line of `logs --json`.
#[derive(Serialize)]
struct LineDocument<'l> {
    at: &'l str,
    attempt: u32,
    stream: &'static str,
    text: &'l str,
    /// Whether it goes on with the line before of its stream.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    continues: bool,
}

impl Printer<'_> {
    fn title(&mut self, subject: &Subject, number: u32) -> Outcome<()> {
        let is_asked_for = subject.only.is_some() || self.raw || self.json;
        if is_asked_for {
            Ok(())
        } else {
            self.desk.line(&paint(DIM, &format!("attempt {number} of {}", subject.task)))
        }
    }

    fn print(&mut self, attempt: u32, line: &LogLine) -> Outcome<()> {
        if self.raw {
            if line.stream == Stream::Windlass {
                return Ok(());
            }
            self.desk.bytes(&line.bytes)?;
            return self.desk.bytes(if line.ended { b"\n" } else { b"" });
        }
        let (at, stream, text) = (line.at, line.stream.name(), line.text());
        if self.json {
            if self.at.as_ref().is_none_or(|(of, _)| *of != at) {
                self.at = Some((at, at.to_string()));
            }
            let at = self.at.as_ref().map_or("", |(_, text)| text);
            return self.desk.json(&LineDocument {
                at,
                attempt,
                stream,
                text: &text,
                continues: line.continues,
            });
        }
        // A long line comes in pieces, and is one line all the same where nothing else came between.
        if !line.continues || self.open != Some(line.stream) {
            self.end_line()?;
            // Without colours to take out again: what was printed has none that a terminal would obey.
            let before = self.before.line(line, self.desk.is_coloured());
            self.desk.bytes(before.as_bytes())?;
            self.desk.bytes(render::log::begin(line).as_bytes())?;
        }
        self.desk.bytes(text::plain(&text).as_bytes())?;
        self.open = Some(line.stream);
        if line.ended { self.end_line() } else { Ok(()) }
    }

    /// Ends the line that is open, if one is.
    fn end_line(&mut self) -> Outcome<()> {
        if self.open.take().is_some() { self.desk.bytes(b"\n") } else { Ok(()) }
    }
}

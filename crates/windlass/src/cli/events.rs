//! `windlass events`: what happened in a run, or in the whole home, record by record. Never: with a run, what belongs to
//! other runs or to the home.

use std::ops::ControlFlow;
use std::time::Duration;

use clap::Args;
use windlass_core::event::Record;
use windlass_core::id::{RunId, Seq};
use windlass_core::machine::run::Phase;
use windlass_core::state::State;
use windlass_engine::reading::{Heard, Reading, wire_line};

use crate::desk::Desk;
use crate::error::{Failed, Outcome, engine_failed};
use crate::exit::Exit;
use crate::render::style::{DIM, paint};
use crate::render::{text, time};
use crate::{lookup, nested, screen};

/// Print what happened in a run, or in all of the home, record by record
#[derive(Args, Debug)]
pub(crate) struct Events {
    /// The run: its id, the start of it, or `last` [default: all runs, and what belongs to none, as breakers]
    run: Option<String>,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
    /// Go on until the run has ended, or without one until no engine is alive
    #[arg(short, long)]
    follow: bool,
}

impl Events {
    pub(crate) fn carry_out(self, desk: &mut Desk) -> Outcome {
        let mut reading = lookup::open(desk)?;
        let run = self.run.as_deref().map(|run| lookup::run(reading.state(), run)).transpose()?;
        let (id, created) = (run.map(|run| run.id), run.map_or(Seq(1), |run| run.created.0));
        if self.follow && !is_over(reading.state(), id) {
            nested::refuse_to_follow(desk, &reading)?;
        }
        let mut printer = Printer { desk, run: id, json: self.json, failed: None };
        let before = Seq(created.0.saturating_sub(1));
        reading
            .records(before, &mut |record| printer.print(record))
            .map_err(|error| engine_failed(&error))?;
        if self.follow && printer.failed.is_none() {
            follow(&mut reading, &mut printer, id)?;
        }
        printer.failed.map_or(Ok(Exit::Done), Err)
    }
}

fn follow(reading: &mut Reading, printer: &mut Printer<'_>, run: Option<RunId>) -> Outcome<()> {
    let followed = reading.follow(Duration::from_mins(1), &mut |heard, state| match heard {
        Heard::Record(record) => printer.print(record),
        Heard::NoMore { is_live } if is_over(state, run) || (run.is_none() && !is_live) => {
            ControlFlow::Break(())
        }
        Heard::NoMore { .. } => printer.flush(),
    });
    followed.map_err(|error| engine_failed(&error).into())
}

fn is_over(state: &State, run: Option<RunId>) -> bool {
    run.is_some_and(|run| state.run(run).is_none_or(|run| run.phase == Phase::Finished))
}

/// Prints the records of a run, or without one all, until its reader is gone.
struct Printer<'d> {
    desk: &'d mut Desk,
    run: Option<RunId>,
    json: bool,
    failed: Option<Failed>,
}

impl Printer<'_> {
    fn print(&mut self, record: &Record) -> ControlFlow<()> {
        if self.run.is_some() && record.event.run() != self.run {
            return ControlFlow::Continue(());
        }
        let line = wire_line(record);
        let printed = if self.json {
            self.desk.bytes(format!("{line}\n").as_bytes())
        } else {
            self.desk.line(&for_people(record, &line, self.run.is_none(), screen::width_of_lists()))
        };
        self.note(printed)
    }

    fn flush(&mut self) -> ControlFlow<()> {
        let flushed = self.desk.flush();
        self.note(flushed)
    }

    fn note(&mut self, done: Outcome<()>) -> ControlFlow<()> {
        match done {
            Ok(()) => ControlFlow::Continue(()),
            Err(failed) => {
                self.failed = Some(failed);
                ControlFlow::Break(())
            }
        }
    }
}

/// Place, time, name, whose it is, and the rest of its fields as they are on the wire, as far as there is room.
fn for_people(record: &Record, line: &str, names_runs: bool, columns: usize) -> String {
    let fields: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line).unwrap_or_default();
    let known = ["seq", "at", "run", "task", "attempt", "type", "v"];
    let rest = fields.iter().filter(|(name, value)| !known.contains(&name.as_str()) && !value.is_null());
    let rest: Vec<String> = rest.map(|(name, value)| format!("{name}={value}")).collect();
    let whose = match (record.event.task(), record.event.attempt()) {
        (Some(task), Some(attempt)) => format!("{task}@{attempt}"),
        (Some(task), None) => task.to_string(),
        (None, _) => String::new(),
    };
    let whose = match record.event.run().filter(|_| names_runs) {
        Some(run) if whose.is_empty() => run.to_string(),
        Some(run) => format!("{run}/{whose}"),
        None => whose,
    };
    let place = paint(DIM, &format!("{:>6} {}", record.seq.0, time::clock_ms(record.at)));
    let rest = paint(DIM, &text::plain(&rest.join(" ")));
    let line = format!("{place} {:<18} {whose:<16} {rest}", record.event.name());
    text::fit_shown(line.trim_end(), columns)
}

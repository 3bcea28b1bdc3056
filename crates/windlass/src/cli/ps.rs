//! `windlass ps`: the runs of this home, or of every home of the user. Never: changing anything.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use windlass_core::time::Time;
use windlass_core::view::{self, RunState, RunView};
use windlass_engine::clock;
use windlass_engine::error::EngineError;
use windlass_engine::reading::Reading;

use crate::desk::Desk;
use crate::error::{Outcome, engine_failed};
use crate::exit::Exit;
use crate::render::style::{ERROR, HINT, OK, WARNING};
use crate::render::table::{Cell, Gives, Table};
use crate::render::{text, time};
use crate::{calling, home, lookup, screen};

/// List the runs, the newest first
#[derive(Args, Debug)]
pub(crate) struct Ps {
    /// Look into every home of yours
    #[arg(long)]
    all: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// A run, and the home that it is in where that is not the one asked about.
#[derive(Serialize)]
struct Row {
    #[serde(flatten)]
    run: RunView,
    #[serde(skip_serializing_if = "Option::is_none")]
    home: Option<PathBuf>,
}

impl Ps {
    pub(crate) fn carry_out(self, desk: &mut Desk) -> Outcome {
        let (mut rows, mut lost) = (Vec::new(), 0);
        let mut exit = Exit::Done;
        if self.all {
            for home in every_home(desk)? {
                match rows_of(desk, &home) {
                    Ok((found, lost_here)) => {
                        lost += lost_here;
                        rows.extend(found.into_iter().map(|run| Row { run, home: Some(home.clone()) }));
                    }
                    Err(error) => {
                        exit = Exit::Environment;
                        desk.warn(
                            &format!("{}: {error}", home.display()),
                            error.hint().map(|hint| calling::here(&hint)).as_deref(),
                        );
                    }
                }
            }
            rows.sort_by_key(|row| std::cmp::Reverse(row.run.started_at));
        } else {
            let found = rows_of(desk, &desk.place.home.clone()).map_err(|error| engine_failed(&error))?;
            let (found, lost_here) = found;
            lost += lost_here;
            rows.extend(found.into_iter().map(|run| Row { run, home: None }));
        }
        if self.json {
            desk.json(&serde_json::json!({ "runs": rows }))?;
        } else if rows.is_empty() && lost > 0 {
            desk.note("There is no other run.");
        } else if rows.is_empty() {
            let run = calling::command("run").with("PLAN");
            desk.note(&format!("There are no runs yet: `{run}` starts one."));
        } else {
            desk.lines(table(&rows, clock::now(), self.all).lines_within(screen::width_of_lists(), &GIVING))?;
        }
        Ok(exit)
    }
}

/// The runs of a home, and how many can't be read, which are named beside them.
fn rows_of(desk: &mut Desk, home: &Path) -> Result<(Vec<RunView>, usize), EngineError> {
    let mut reading = Reading::open(home)?;
    let alive = reading.come_to_now()?;
    let state = reading.state();
    lookup::warn_of_lost(desk, state);
    let views = view::newest_first(state).into_iter().map(|run| view::run_view(state, run, alive));
    Ok((views.collect(), state.lost.len()))
}

/// The user's homes, and the one asked about wherever it lies.
fn every_home(desk: &Desk) -> Outcome<Vec<PathBuf>> {
    let folder = home::homes(&desk.surroundings)?;
    let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut homes: Vec<PathBuf> = entries.filter(|path| path.join("head").exists()).collect();
    if desk.place.home.join("head").exists() && !homes.contains(&desk.place.home) {
        homes.push(desk.place.home.clone());
    }
    homes.sort();
    Ok(homes)
}

/// The goal gives way, then the folder.
const GIVING: [Gives; 2] = [Gives::End(5), Gives::Middle(6)];

fn table(rows: &[Row], now: Time, all: bool) -> Table {
    let mut table = Table::with_head([
        "RUN",
        "STATE",
        "DONE",
        "STARTED",
        "TOOK",
        "GOAL",
        if all { "FOLDER" } else { "" },
    ]);
    for Row { run, .. } in rows {
        let took = run.ended_at.map(|ended| time::length(ended.since(run.started_at)));
        table.row([
            run.id.to_string().into(),
            state_cell(run.state),
            progress(run).into(),
            time::ago(now, run.started_at).into(),
            took.unwrap_or_default().into(),
            text::fit(&text::first_line(&run.goal), 60).into(),
            if all { text::plain(&run.folder) } else { String::new() }.into(),
        ]);
    }
    table
}

/// A run's state in its colour.
pub(super) fn state_cell(state: RunState) -> Cell {
    let style = match state {
        RunState::Succeeded => OK,
        RunState::Failed | RunState::Cancelled => ERROR,
        RunState::Running => HINT,
        RunState::Stopped | RunState::Paused | RunState::Waiting => WARNING,
    };
    Cell::styled(style, state.name())
}

fn progress(run: &RunView) -> String {
    let all: u32 = run.tasks.values().sum();
    let done = ["succeeded", "skipped", "dead", "cancelled"]
        .iter()
        .filter_map(|state| run.tasks.get(state))
        .sum::<u32>();
    format!("{done}/{all}")
}

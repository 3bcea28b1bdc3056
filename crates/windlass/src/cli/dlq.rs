//! `windlass dlq`: dead letters, the tasks that used up their attempts. Never: a second way to retry (it is the same
//! command as `windlass retry`).

use clap::{Args, Subcommand};
use windlass_core::input::Ask;
use windlass_core::view::{self, DeadLetter};
use windlass_engine::clock;

use crate::cli::retry::{self, Retry};
use crate::cli::show::Show;
use crate::desk::Desk;
use crate::error::{Outcome, Report};
use crate::exit::Exit;
use crate::render::table::{Gives, Table};
use crate::render::{hint, text, time};
use crate::{calling, lookup, screen, steer};

/// Why a task is dead gives way, then its name.
const GIVING: [Gives; 2] = [Gives::End(4), Gives::Middle(1)];

/// Look at dead letters, requeue them, or give them up
#[derive(Args, Debug)]
pub(crate) struct Dlq {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List them, of one run or of all
    List {
        /// Only those of this run
        run: Option<String>,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Show one with all its evidence
    Show {
        /// The run
        run: String,
        /// The task
        task: String,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Try a task anew: a new incarnation, with all its attempts
    Requeue {
        /// The run
        run: String,
        /// The task
        task: String,
    },
    /// Give one up: the task stays dead
    Drop {
        /// The run
        run: String,
        /// The task
        task: String,
    },
}

impl Dlq {
    /// What of it only people may do, in words: what is dead is kept for them to see and to judge.
    pub(super) fn only_people(&self) -> Option<&'static str> {
        match self.what {
            What::Requeue { .. } => Some(retry::IN_WORDS),
            What::Drop { .. } => Some("give a dead letter up"),
            What::List { .. } | What::Show { .. } => None,
        }
    }

    pub(crate) fn carry_out(self, desk: &mut Desk) -> Outcome {
        match self.what {
            What::List { run, json } => list(desk, run.as_deref(), json),
            What::Show { run, task, json } => show(desk, run, task, json),
            What::Requeue { run, task } => Retry::of(run, task).carry_out(desk),
            What::Drop { run, task } => {
                steer::begin(desk);
                let (run, task) = steer::find_task(desk, &run, &task)?;
                let ask = Ask::DropDeadLetter { run, task: task.clone() };
                let said = format!("The dead letter of {task} in run {run} is given up.");
                steer::carry_out(desk, run, ask, |_| said)
            }
        }
    }
}

fn list(desk: &mut Desk, run: Option<&str>, json: bool) -> Outcome {
    steer::begin(desk);
    let reading = lookup::open(desk)?;
    let state = reading.state();
    let runs = if let Some(name) = run {
        vec![lookup::run(state, name)?]
    } else {
        lookup::warn_of_lost(desk, state);
        view::newest_first(state)
    };
    let mut letters: Vec<DeadLetter> = runs.into_iter().flat_map(view::dead_letters).collect();
    for letter in &mut letters {
        if let Some(error) = &mut letter.error {
            hint::fill(error, letter.run, &letter.task);
        }
    }
    if json {
        desk.json(&serde_json::json!({ "dead_letters": letters }))?;
    } else if letters.is_empty() {
        desk.note("There are no dead letters.");
    } else {
        let mut table = Table::with_head(["RUN", "TASK", "ATTEMPTS", "DEAD", "WHY"]);
        for letter in &letters {
            let why = letter.error.as_ref();
            let why = why.map(|error| format!("{}: {}", error.kind, text::one_line(&error.message)));
            table.row([
                letter.run.to_string().into(),
                letter.task.to_string().into(),
                letter.attempts.to_string().into(),
                time::ago(clock::now(), letter.since).into(),
                why.unwrap_or_default().into(),
            ]);
        }
        desk.lines(table.lines_within(screen::width_of_lists(), &GIVING))?;
    }
    Ok(Exit::Done)
}

fn show(desk: &mut Desk, run: String, task: String, json: bool) -> Outcome {
    steer::begin(desk);
    let reading = lookup::open(desk)?;
    let found = lookup::run(reading.state(), &run)?;
    let letter = found.task(lookup::task(found, &task)?);
    if !letter.dead_letter {
        let message = format!("task {} has no dead letter: it is {}", letter.id, letter.phase.name());
        let hint = format!("`{}` has them all", calling::command("dlq").with("list"));
        return Err(Report::new(Exit::Failed, message).hint(hint).into());
    }
    Show::of_task(run, task, json).carry_out(desk)
}

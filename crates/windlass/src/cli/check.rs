//! `windlass check`: whether a plan is right, and what would start in which order. Never: starting any of it.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use windlass_core::plan::{Join, Plan, Task, graph};

use crate::config::Config;
use crate::desk::Desk;
use crate::error::{Failed, Outcome};
use crate::exit::Exit;
use crate::plan_file::{Inputs, PlanFile, inputs};
use crate::render::plural::count;
use crate::render::style::{DIM, OK, paint};
use crate::render::table::{Cell, Gives, Table};
use crate::render::{text, work};
use crate::screen;

/// How much of what a task does is shown.
const DOES_COLUMNS: usize = 50;

/// Check a plan, and say what would start, in order
#[derive(Args, Debug)]
pub(crate) struct Check {
    /// The plan file, or `-` for standard input
    plan: PathBuf,
    /// A value for an input, as `name=value`; JSON where the input is no text
    #[arg(long = "input", value_name = "NAME=VALUE")]
    inputs: Vec<String>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl Check {
    pub(crate) fn carry_out(self, desk: &mut Desk) -> Outcome {
        let config = Config::load(desk)?;
        let given = inputs(&self.inputs)?;
        let file = PlanFile::read(&self.plan, desk)?;
        let loaded = match file.load(&config, &Inputs::some(&given), desk) {
            Ok(loaded) => loaded,
            Err(Failed::File(errors)) if self.json => {
                desk.json(&json!({ "ok": false, "diagnostics": errors.diagnostics, "tasks": [] }))?;
                return Ok(Exit::Usage);
            }
            Err(failed) => return Err(failed),
        };
        let plan = &loaded.plan;
        let mut levels = graph::levels(&plan.tasks.iter().map(|task| task.needs.clone()).collect::<Vec<_>>());
        for places in &mut levels {
            places.sort_by_key(|place| std::cmp::Reverse(plan.tasks[*place].priority));
        }
        if self.json {
            let in_order = levels
                .iter()
                .enumerate()
                .flat_map(|(level, places)| places.iter().map(move |place| (level, &plan.tasks[*place])));
            let tasks: Vec<_> = in_order.map(|(level, task)| in_json(plan, task, level)).collect();
            let beneath = loaded.beneath.iter().flat_map(|remarks| &remarks.warnings);
            let diagnostics: Vec<_> = loaded.warnings.iter().chain(beneath).collect();
            desk.json(&json!({ "ok": true, "diagnostics": diagnostics, "tasks": tasks }))?;
        } else {
            file.warn(&loaded);
            desk.lines(overview(plan, &levels, screen::width_of_lists()))?;
        }
        Ok(Exit::Done)
    }
}

fn in_json(plan: &Plan, task: &Task, level: usize) -> serde_json::Value {
    let needs: Vec<&str> = task.needs.iter().map(|need| plan.tasks[*need].id.as_str()).collect();
    json!({ "id": task.id, "level": level, "needs": needs, "does": does(task) })
}

fn overview(plan: &Plan, levels: &[Vec<usize>], columns: usize) -> Vec<String> {
    let all = u64::try_from(plan.tasks.len()).unwrap_or(u64::MAX);
    let steps = u64::try_from(levels.len()).unwrap_or(u64::MAX);
    let mut lines = vec![format!(
        "{} {} in {}, in this order:",
        paint(OK, "ok:"),
        count(all, "task"),
        count(steps, "step")
    )];
    lines.extend(in_order(plan, levels, columns));
    if plan.tasks.iter().any(|task| task.when.is_some() || task.for_each.is_some()) {
        let once = "Tasks with `when` may be skipped; those with `for_each` run once an item.";
        lines.extend(text::wrap_words(&paint(DIM, once), columns));
    }
    lines
}

/// The tasks in the order in which they would start. What they come after stands below them where it has no room beside.
fn in_order(plan: &Plan, levels: &[Vec<usize>], columns: usize) -> Vec<String> {
    let (mut whole, mut narrow, mut below) = (Table::default(), Table::default(), Vec::new());
    for (level, places) in levels.iter().enumerate() {
        for (index, place) in places.iter().enumerate() {
            let task = &plan.tasks[*place];
            let step = if index == 0 { format!("{:>3}", level + 1) } else { String::new() };
            let [step, id, does] =
                [step, task.id.to_string(), text::fit(&does(task), DOES_COLUMNS)].map(Cell::from);
            whole.row([step.clone(), id.clone(), does.clone(), after(plan, task).into()]);
            narrow.row([step, id, does]);
            below.push(after(plan, task));
        }
    }
    let lines = whole.lines();
    if lines.iter().all(|line| text::width(line) <= columns) {
        return lines;
    }
    let lines = narrow.lines_within(columns, &[Gives::End(2), Gives::Middle(1)]);
    let below = below.iter().map(|after| text::wrap_words(&format!("       {after}"), columns));
    lines
        .into_iter()
        .zip(below)
        .flat_map(|(line, below)| std::iter::once(line).chain(below))
        .filter(|line| !line.trim().is_empty())
        .collect()
}

/// What a task does, in a line.
fn does(task: &Task) -> String {
    let what = work::what(&task.work);
    let when = task.when.as_ref().map(|_| "if its `when` is true: ".to_owned());
    let each = task.for_each.as_ref().map(|_| "for each item: ".to_owned());
    let rounds =
        task.repeat.as_ref().map(|repeat| format!("{} at most: ", count(u64::from(repeat.max), "round")));
    let replicas = task.replicas.map(|replicas| format!("{}: ", count(u64::from(replicas.count), "replica")));
    [when, each, rounds, replicas, Some(what)].into_iter().flatten().collect()
}

fn after(plan: &Plan, task: &Task) -> String {
    let needs: Vec<&str> = task.needs.iter().map(|need| plan.tasks[*need].id.as_str()).collect();
    match task.join {
        _ if needs.is_empty() => String::new(),
        Join::All => format!("after {}", needs.join(", ")),
        Join::AtLeast(number) => format!("after {number} of {}", needs.join(", ")),
    }
}

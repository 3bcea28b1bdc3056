//! `windlass show`: a run with its tasks and attempts, and why what is not finished waits. Never: changing anything.

mod task;

use std::collections::BTreeSet;

use clap::Args;
use serde::Serialize;
use serde_json::Value;
use windlass_core::failure::ErrorKind;
use windlass_core::id::{Digest, RunId, TaskId};
use windlass_core::machine::run::Phase as RunPhase;
use windlass_core::state::{Run, State, TaskIx};
use windlass_core::time::{Span, Time};
use windlass_core::view::critical;
use windlass_core::view::wake::bound;
use windlass_core::view::wake_words::{self, Wait};
use windlass_core::view::{self, BudgetView, RunView, Summary, TaskView};
use windlass_engine::clock;
use windlass_engine::reading::Reading;

use crate::cli::ps::state_cell;
use crate::desk::Desk;
use crate::error::{Outcome, Report, engine_failed};
use crate::exit::Exit;
use crate::render::plural::{self, count};
use crate::render::style::{BOLD, DIM, ERROR, HINT, OK, WARNING, paint};
use crate::render::table::{Cell, Gives, Table};
use crate::render::{hint, story, text, time, timeline};
use crate::{calling, lookup, output, screen};

/// What there is to say of a task gives way, then its name.
const GIVING: [Gives; 2] = [Gives::End(4), Gives::Middle(0)];
/// How much of an output is shown where nobody asked for that task alone.
const OUTPUT_COLUMNS: usize = 60;

/// Show a run, its tasks and their attempts
#[derive(Args, Debug)]
pub(crate) struct Show {
    /// The run: its id, the start of it, or `last`
    #[arg(default_value = "last")]
    run: String,
    /// Only this task, in full
    task: Option<String>,
    /// Say what every unfinished task waits for, until when, and who can change it
    #[arg(long)]
    why: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// What `show --json` prints.
#[derive(Serialize)]
struct Document {
    run: RunDocument,
    tasks: Vec<TaskDocument>,
    #[serde(skip_serializing_if = "Option::is_none")]
    waits: Option<Vec<WaitDocument>>,
}

#[derive(Serialize)]
struct RunDocument {
    #[serde(flatten)]
    view: RunView,
    summary: Summary,
    critical_path: PathDocument,
}

/// The chain of tasks that took longest.
#[derive(Serialize)]
struct PathDocument {
    tasks: Vec<TaskId>,
    took_ms: u64,
}

#[derive(Serialize)]
struct TaskDocument {
    #[serde(flatten)]
    view: TaskView,
    /// Why there is no output though the task gave one.
    #[serde(skip_serializing_if = "Option::is_none")]
    output_gone: Option<Gone>,
    #[serde(skip_serializing_if = "Option::is_none")]
    waits: Option<Vec<WaitDocument>>,
}

#[derive(Clone, Serialize)]
struct WaitDocument {
    #[serde(flatten)]
    wait: Wait,
    /// How much of the wait is left once an engine works on the run again: without one its clock stands still, and
    /// `until` is no moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    working_ms_left: Option<u64>,
}

impl WaitDocument {
    fn of(state: &State, run: &Run, ix: TaskIx, alive: bool) -> Vec<Self> {
        let told = |mut wait: Wait| {
            wait.who = calling::here(&wait.who);
            let due = bound(run, ix).filter(|_| wait.until.is_none());
            let working_ms_left = due.map(|due| due.minus(run.active.at(state.clock.alive)).ms);
            Self { wait, working_ms_left }
        };
        wake_words::waits_of(state, run, ix, alive).into_iter().map(told).collect()
    }

    /// The bound of the wait, for people.
    fn until(&self) -> String {
        let left = self
            .working_ms_left
            .map(|ms| format!("{} of working time left", time::length(Span::from_ms(ms))));
        self.wait.until.map(time::date).or(left).unwrap_or_default()
    }
}

/// Why an output, or a part of it, is not there.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
enum Gone {
    /// A person has given it up.
    Accepted,
    /// The store does not have it as it was: nobody has looked at that yet.
    Damaged,
}

impl Gone {
    const fn in_words(self) -> &'static str {
        match self {
            Self::Accepted => "its output is gone, as was accepted",
            Self::Damaged => "its output is gone or damaged",
        }
    }
}

/// The outputs that lie in blobs, as far as they are there.
struct Bodies<'a> {
    reading: &'a Reading,
    /// What was not there since this was last taken.
    gone: Option<Gone>,
    /// The first that nobody has given up.
    unreadable: Option<Report>,
}

impl Bodies<'_> {
    fn read(&mut self, digest: Digest) -> Value {
        output::of_blob(self.reading, digest).unwrap_or_else(|report| {
            if self.reading.state().given_up.contains(&digest) {
                self.gone.get_or_insert(Gone::Accepted);
            } else {
                self.gone = Some(Gone::Damaged);
                self.unreadable.get_or_insert(report);
            }
            Value::Null
        })
    }

    /// The same for who is asked about it.
    fn read_for_people(&mut self, digest: Digest) -> Value {
        let value = self.read(digest);
        if self.gone.take().is_some() { output::unread(digest) } else { value }
    }
}

impl Show {
    /// One task of a run.
    pub(super) fn of_task(run: String, task: String, json: bool) -> Self {
        Self { run, task: Some(task), why: false, json }
    }

    pub(crate) fn carry_out(self, desk: &mut Desk) -> Outcome {
        let mut reading = lookup::open(desk)?;
        let alive = reading.come_to_now().map_err(|error| engine_failed(&error))?;
        let state = reading.state();
        let run = lookup::run(state, &self.run)?;
        let only = self.task.as_deref().map(|name| lookup::task(run, name)).transpose()?;
        let shown: Vec<TaskIx> = match only {
            Some(ix) => std::iter::once(ix).chain(run.below(ix)).collect(),
            None => view::in_order(run).collect(),
        };
        let whys = |ix| self.why.then(|| WaitDocument::of(state, run, ix, alive));
        let mut bodies = Bodies { reading: &reading, gone: None, unreadable: None };
        let tasks = shown.iter().map(|ix| {
            let view = meant(view::task_view(run, *ix, &mut |digest| bodies.read(digest)), run.id);
            TaskDocument { view, output_gone: bodies.gone.take(), waits: whys(*ix) }
        });
        let tasks: Vec<TaskDocument> = tasks.collect();
        let by_now = state.alive_at(state.now);
        let path = critical::of_run(run, by_now);
        let document = Document {
            run: RunDocument {
                view: view::run_view(state, run, alive),
                summary: view::summary(state, run),
                critical_path: PathDocument {
                    tasks: path.tasks.iter().map(|ix| run.task(*ix).id.clone()).collect(),
                    took_ms: path.length.ms,
                },
            },
            waits: self
                .why
                .then(|| tasks.iter().flat_map(|task| task.waits.iter().flatten().cloned()).collect()),
            tasks,
        };
        if self.json {
            desk.json(&document)?;
        } else if only.is_some() {
            let columns = screen::width_of_lists();
            let mut asked = |digest| bodies.read_for_people(digest);
            desk.lines(task::in_full(&document, run, &desk.place.home, columns, &mut asked))?;
        } else {
            let timeline = timeline::lines(run, &path, (state.now, by_now), screen::columns());
            desk.lines(overview(&document, state, run, timeline))?;
        }
        match bodies.unreadable {
            Some(report) => Err(report.into()),
            None => Ok(Exit::Done),
        }
    }
}

/// A task whose hints have commands for this place: people and programs are told the same.
fn meant(mut view: TaskView, run: RunId) -> TaskView {
    let of_attempts = view.attempts.iter_mut().filter_map(|attempt| attempt.error.as_mut());
    for error in view.error.iter_mut().chain(of_attempts) {
        hint::fill(error, run, &view.id);
    }
    view
}

fn overview(document: &Document, state: &State, run: &Run, timeline: Vec<String>) -> Vec<String> {
    let mut lines = head(&document.run, state);
    lines.push(String::new());
    let mut table = Table::with_head(["TASK", "STATE", "ATTEMPTS", "TOOK", "WHAT"]);
    for task in &document.tasks {
        let view = &task.view;
        let indent = if view.id.as_str().contains(['.', '/']) { "  " } else { "" };
        table.row([
            format!("{indent}{}", view.id).into(),
            phase_cell(view.state),
            attempts_of(view).into(),
            took(view).into(),
            what(task).into(),
        ]);
    }
    lines.extend(table.lines_within(screen::width_of_lists(), &GIVING));
    if document.waits.is_none() && !timeline.is_empty() {
        lines.push(String::new());
        lines.extend(timeline);
    }
    let open = run.open();
    if open > 0 && document.waits.is_none() {
        lines.push(String::new());
        let what = if open == 1 { "it waits".into() } else { format!("its {open} unfinished tasks wait") };
        let hint = format!("`{}` says what {what} for", calling::command("show").with(run.id).with("--why"));
        lines.push(paint(DIM, &hint));
    }
    if let Some(waits) = &document.waits {
        lines.push(String::new());
        lines.extend(why_lines(waits, run, screen::width_of_lists()));
        let waiting: BTreeSet<&TaskId> = waits.iter().map(|told| &told.wait.task).collect();
        let views = document.tasks.iter().map(|task| &task.view).filter(|view| waiting.contains(&view.id));
        let kinds: BTreeSet<ErrorKind> = views.filter_map(|view| Some(view.error.as_ref()?.kind)).collect();
        lines.extend(kinds.into_iter().map(hint::more));
    }
    lines
}

fn head(run: &RunDocument, state: &State) -> Vec<String> {
    let (view, summary) = (&run.view, &run.summary);
    let mut table = Table::default();
    let state_text = match view.paused.as_slice() {
        [] => String::new(),
        reasons => {
            let names: Vec<&str> = reasons.iter().map(|reason| reason.name()).collect();
            format!(" ({})", plural::list(&names))
        }
    };
    let title = format!("{} {}", paint(BOLD, &format!("run {}", view.id)), text::first_line(&view.goal));
    let mut lines = text::wrap_words(title.trim_end(), screen::width_of_lists());
    table.row(["  state".into(), state_cell_with(view, &state_text)]);
    table.row(["  plan".into(), text::plain(&view.plan).into()]);
    table.row(["  folder".into(), text::plain(&view.folder).into()]);
    if let Some(budget) = &view.budget {
        table.row(["  budget".into(), budget_line(budget).into()]);
    }
    let ended = view.ended_at.map_or_else(String::new, |ended| format!(", ended {}", time::date(ended)));
    table.row(["  started".into(), format!("{}{ended}", time::date(view.started_at)).into()]);
    let attempts = format!("{}, {}", count(summary.attempts, "attempt"), retries(summary));
    table.row([
        "  work".into(),
        format!("{} of {} done, {}{attempts}", well(view), count(summary.tasks, "task"), ill(view)).into(),
    ]);
    let columns = screen::width_of_lists();
    lines.extend(table.lines().iter().flat_map(|line| text::wrap_words(line, columns)));
    if view.ended_at.is_none() && state.now.ms > 0 {
        lines.push(paint(DIM, &format!("  as of {}", time::clock(state.now))));
    }
    lines
}

/// How many tasks are over that neither failed nor were skipped.
fn well(run: &RunView) -> u32 {
    let of = |state| run.tasks.get(state).copied().unwrap_or(0);
    of("succeeded") + of("cancelled")
}

/// How many did not do what they were to do.
fn ill(run: &RunView) -> String {
    let of = |state| Some(format!("{} {state}, ", run.tasks.get(state)?));
    ["dead", "skipped"].into_iter().filter_map(of).collect()
}

/// What was used of a budget.
fn budget_line(budget: &BudgetView) -> String {
    let attempts = budget.attempts.map(|used| {
        let reserved =
            if used.reserved == 0 { String::new() } else { format!(" ({} in flight)", used.reserved) };
        format!("attempts {} of {}{reserved}", used.spent, used.limit)
    });
    let length = |ms: u64| time::length(Span::from_ms(ms));
    let wall = budget.wall.map(|used| format!("wall {} of {}", length(used.spent_ms), length(used.limit_ms)));
    attempts.into_iter().chain(wall).collect::<Vec<_>>().join(", ")
}

fn state_cell_with(view: &RunView, more: &str) -> Cell {
    if more.is_empty() {
        state_cell(view.state)
    } else {
        Cell::styled(WARNING, format!("{}{more}", view.state.name()))
    }
}

fn retries(summary: &Summary) -> String {
    if summary.retries == 1 { "1 retry".into() } else { format!("{} retries", summary.retries) }
}

/// A task's state in its colour.
fn phase_cell(state: &'static str) -> Cell {
    let style = match state {
        "succeeded" => OK,
        "dead" => ERROR,
        "running" | "stopping" | "gating" | "expanded" => HINT,
        "backing_off" | "parked" | "blocked" => WARNING,
        _ => DIM,
    };
    Cell::styled(style, state)
}

fn attempts_of(view: &TaskView) -> String {
    if view.attempts.is_empty() { String::new() } else { view.attempts.len().to_string() }
}

fn took(view: &TaskView) -> String {
    let lengths = view.attempts.iter().filter_map(|attempt| attempt.took);
    lengths.reduce(Span::plus).map(time::length).unwrap_or_default()
}

/// What there is to say of a task in a line: its error, why it was skipped, what is asked, what it gave.
fn what(task: &TaskDocument) -> String {
    let view = &task.view;
    if let Some(asked) = &view.approval {
        return format!("asks: {} (--id {})", text::first_line(&asked.text), asked.id);
    }
    if let Some(error) = &view.error {
        return format!("{}: {}", error.kind, text::one_line(&error.message));
    }
    if let Some(skipped) = &view.skipped {
        return story::skipped(skipped.cause.as_ref(), skipped.with_its_needs);
    }
    if let Some(other) = &view.spared_by {
        return story::spared(other);
    }
    if let Some(why) = story::outdone(view) {
        return why;
    }
    if let Some(next) = &view.next {
        return format!("retry {}", story::otherwise(next.agent.as_ref(), next.prompt.as_deref()));
    }
    if let Some(written) = &view.written {
        return text::fit(written, OUTPUT_COLUMNS);
    }
    if let Some(gone) = task.output_gone {
        return gone.in_words().into();
    }
    match &view.output {
        Value::Null if view.truncated => "its output was too long to be kept".into(),
        Value::Null => String::new(),
        Value::String(said) => text::fit(&text::first_line(said), OUTPUT_COLUMNS),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            text::fit(&text::plain(&view.output.to_string()), OUTPUT_COLUMNS)
        }
    }
}

/// What is waited for, a line a task.
fn why_lines(waits: &[WaitDocument], run: &Run, columns: usize) -> Vec<String> {
    if waits.is_empty() {
        let why = if run.phase == RunPhase::Finished { "the run has ended" } else { "what is shown is over" };
        return vec![format!("Nothing waits: {why}.")];
    }
    let now = clock::now();
    let mut table = Table::with_head(["WAITS", "FOR", "SINCE", "UNTIL", "WHO CAN CHANGE IT"]);
    for told in waits {
        let wait = &told.wait;
        table.row([
            wait.task.to_string().into(),
            text::plain(&wait.on).into(),
            time::ago(now, wait.since).into(),
            told.until().into(),
            text::plain(&wait.who).into(),
        ]);
    }
    let lines = table.lines();
    if lines.iter().all(|line| text::width_shown(line) <= columns) {
        return lines;
    }
    waits.iter().flat_map(|told| why_in_words(told, now, columns)).collect()
}

/// What one task waits for, where a table is too wide.
fn why_in_words(told: &WaitDocument, now: Time, columns: usize) -> Vec<String> {
    let (wait, until) = (&told.wait, told.until());
    // A date stays whole.
    let until = if until.is_empty() { until } else { format!(", until {}", until.replace(' ', "\u{a0}")) };
    let (task, on) = (paint(BOLD, wait.task.as_str()), text::plain(&wait.on));
    let since = time::ago(now, wait.since);
    let lines = text::wrap_words(&format!("{task} waits for {on}, since {since}{until}"), columns);
    // A command stays whole.
    let ends = format!("  ended by {}", text::plain(&wait.who));
    lines.into_iter().map(|line| line.replace('\u{a0}', " ")).chain([ends]).collect()
}

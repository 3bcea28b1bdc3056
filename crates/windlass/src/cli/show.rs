//! `windlass show`: a run with its tasks and attempts, and why what is not finished waits. Never: changing anything.

use std::path::Path;

use clap::Args;
use serde::Serialize;
use serde_json::Value;
use windlass_core::critical;
use windlass_core::id::{AttemptKey, Digest, TaskId};
use windlass_core::machine::run::Phase as RunPhase;
use windlass_core::machine::task::Phase;
use windlass_core::state::{Run, State, TaskIx};
use windlass_core::time::Span;
use windlass_core::view::{self, AttemptView, BudgetView, RunView, Summary, TaskView};
use windlass_core::wake_words::{self, Wait};
use windlass_engine::clock;
use windlass_worker::{OUTPUT_BYTES_MAX, log};

use crate::cli::ps::state_cell;
use crate::desk::Desk;
use crate::error::{Outcome, engine_failed};
use crate::exit::Exit;
use crate::question::Question;
use crate::render::plural::{self, count};
use crate::render::style::{BOLD, DIM, ERROR, HINT, OK, WARNING, paint};
use crate::render::table::{Cell, Table};
use crate::render::{hint, story, text, time, timeline};
use crate::{lookup, output, screen};

/// The place of what there is to say of a task among the columns.
const WHAT: usize = 4;
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
        let told = |wait: Wait| {
            let due = run.task(ix).dues.answer_by.filter(|_| wait.until.is_none());
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

impl Show {
    /// One task of a run.
    pub(super) fn of_task(run: String, task: String, json: bool) -> Self {
        Self { run, task: Some(task), why: false, json }
    }

    pub(crate) fn carry_out(self, desk: &mut Desk) -> Outcome {
        let reading = lookup::open(desk)?;
        let alive = reading.is_live().map_err(|error| engine_failed(&error))?;
        let state = reading.state();
        let run = lookup::run(state, &self.run)?;
        let only = self.task.as_deref().map(|name| lookup::task(run, name)).transpose()?;
        let shown: Vec<TaskIx> = match only {
            Some(ix) => std::iter::once(ix).chain(run.task(ix).children.iter().copied()).collect(),
            None => view::in_order(run).collect(),
        };
        let whys = |ix| self.why.then(|| WaitDocument::of(state, run, ix, alive));
        let mut unreadable = None;
        let mut read = |digest: Digest| {
            output::of_blob(&reading, digest).unwrap_or_else(|report| {
                unreadable.get_or_insert(report);
                Value::Null
            })
        };
        let tasks = shown
            .iter()
            .map(|ix| TaskDocument { view: view::task_view(run, *ix, &mut read), waits: whys(*ix) });
        let tasks: Vec<TaskDocument> = tasks.collect();
        // What was in flight in a dead engine is measured until the last that was heard of it.
        let now = if alive { clock::now() } else { state.now };
        let path = critical::of_run(run, now);
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
            desk.lines(in_full(&document, run, &desk.place.home, &mut read))?;
        } else {
            let timeline = timeline::lines(run, &path, now, screen::columns());
            desk.lines(overview(&document, state, run, timeline))?;
        }
        match unreadable {
            Some(report) => Err(report.into()),
            None => Ok(Exit::Done),
        }
    }
}

fn overview(document: &Document, state: &State, run: &Run, timeline: Vec<String>) -> Vec<String> {
    let mut lines = head(&document.run, state);
    lines.push(String::new());
    let mut table = Table::with_head(["TASK", "STATE", "ATTEMPTS", "TOOK", "WHAT"]);
    for task in &document.tasks {
        let view = &task.view;
        let indent = if view.id.as_str().contains('.') { "  " } else { "" };
        table.row([
            format!("{indent}{}", view.id).into(),
            phase_cell(view.state),
            attempts_of(view).into(),
            took(view).into(),
            what(task).into(),
        ]);
    }
    lines.extend(table.lines_within(screen::width_of_lists(), WHAT));
    if document.waits.is_none() && !timeline.is_empty() {
        lines.push(String::new());
        lines.extend(timeline);
    }
    let open = run.open();
    if open > 0 && document.waits.is_none() {
        lines.push(String::new());
        let hint = format!(
            "`windlass show {} --why` says what the {} {} for",
            run.id,
            count(open, "unfinished task"),
            if open == 1 { "waits" } else { "wait" }
        );
        lines.push(paint(DIM, &hint));
    }
    if let Some(waits) = &document.waits {
        lines.push(String::new());
        lines.extend(why_lines(waits, run));
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
    let mut lines = vec![title.trim_end().to_owned()];
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
        format!("{} of {} done, {attempts}", summary.done, count(summary.tasks, "task")).into(),
    ]);
    lines.extend(table.lines());
    if view.ended_at.is_none() && state.now.ms > 0 {
        lines.push(paint(DIM, &format!("  as of {}", time::clock(state.now))));
    }
    lines
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
        "dead" | "cancelled" => ERROR,
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
    let lengths =
        view.attempts.iter().filter_map(|attempt| Some(attempt.ended_at?.since(attempt.started_at)));
    let sum = lengths.fold(None, |sum: Option<windlass_core::time::Span>, length| {
        Some(sum.map_or(length, |sum| sum.plus(length)))
    });
    sum.map(time::length).unwrap_or_default()
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
    if let Some(written) = &view.written {
        return text::fit(written, OUTPUT_COLUMNS);
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
fn why_lines(waits: &[WaitDocument], run: &Run) -> Vec<String> {
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
    table.lines()
}

/// One task with all that is known of it.
fn in_full(
    document: &Document,
    run: &Run,
    home: &Path,
    read: &mut dyn FnMut(Digest) -> Value,
) -> Vec<String> {
    let mut lines = Vec::new();
    for task in &document.tasks {
        let view = &task.view;
        let state = phase_cell(view.state);
        let mut table = Table::default();
        table.row(["  state".into(), state]);
        if let Some(error) = &view.error {
            table.row([
                "  error".into(),
                format!("{}: {}", error.kind, text::one_line(&error.message)).into(),
            ]);
            if let Some(hint) = &error.hint {
                table.row(["  hint".into(), Cell::styled(HINT, hint::filled(hint, run.id, &view.id))]);
            }
        }
        if let Some(skipped) = &view.skipped {
            let why = story::skipped(skipped.cause.as_ref(), skipped.with_its_needs);
            table.row(["  skipped".into(), why.into()]);
        }
        if let Some(other) = &view.spared_by {
            table.row(["  cancelled".into(), story::spared(other).into()]);
        }
        if let Some(asked) = &view.approval {
            let answer = format!("windlass approve {} {} --id {}", run.id, view.id, asked.id);
            table.row(["  answer".into(), Cell::styled(HINT, answer)]);
        }
        lines.push(format!("{} of run {}", paint(BOLD, &format!("task {}", view.id)), run.id));
        lines.extend(table.lines());
        let asked = run.names.get(&view.id).and_then(|ix| Question::of(run.task(*ix)));
        lines.extend(asked.into_iter().flat_map(|asked| asked.lines(Some(run), read)));
        for attempt in &view.attempts {
            lines.push(attempt_line(attempt));
            lines.extend(log_line(run, view, attempt, home));
        }
        lines.extend(truncated_line(run, view));
        if !view.output.is_null() {
            lines.push("  output".into());
            let shown = view.written.clone().unwrap_or_else(|| output::for_people(&view.output));
            lines.extend(shown.lines().map(|line| format!("    {}", text::plain(line))));
        }
        if view.state == Phase::Dead.name() && !view.attempts.is_empty() {
            lines.push(paint(DIM, &format!("  `windlass logs {} {}` has what it printed", run.id, view.id)));
        }
    }
    if let Some(waits) = &document.waits {
        lines.extend(why_lines(waits, run));
    }
    lines
}

/// What is said of a log that does not hold all that was printed.
fn log_line(run: &Run, task: &TaskView, attempt: &AttemptView, home: &Path) -> Option<String> {
    let key = AttemptKey { run: run.id, task: task.id.clone(), attempt: attempt.number };
    // What can't be read is told by `logs`.
    let cut = log::bytes_cut(&log::path(home, &key)).ok().filter(|cut| *cut > 0)?;
    let cut = plural::bytes(cut);
    Some(paint(
        WARNING,
        &format!("    its log is cut: {cut} of it are missing, its beginning and its end are there"),
    ))
}

/// What is said of an output that was more than is kept.
fn truncated_line(run: &Run, view: &TaskView) -> Option<String> {
    let task = run.task(*run.names.get(&view.id).filter(|_| view.truncated)?);
    let printed = task.last_attempt().and_then(|attempt| attempt.raw.as_ref()).map_or(0, |raw| raw.bytes);
    let (printed, kept) = (plural::bytes(printed), plural::bytes(OUTPUT_BYTES_MAX));
    Some(paint(
        WARNING,
        &format!("  output    none: {printed} were printed, and more than {kept} is not kept"),
    ))
}

fn attempt_line(attempt: &AttemptView) -> String {
    let took = attempt.ended_at.map(|ended| time::length(ended.since(attempt.started_at)));
    let how = match (&attempt.error, attempt.exit_code, attempt.signal) {
        (Some(error), _, _) => format!("{}: {}", error.kind, text::one_line(&error.message)),
        (None, Some(code), _) => format!("exit code {code}"),
        (None, None, Some(signal)) => format!("signal {signal}"),
        (None, None, None) => attempt.state.to_owned(),
    };
    let by = attempt.agent.as_ref().map_or_else(String::new, |agent| format!(" by {agent}"));
    let used = format!(
        "{} of CPU, {} at most",
        time::length(windlass_core::time::Span::from_ms(attempt.usage.cpu_ms)),
        plural::bytes(attempt.usage.memory_bytes_peak)
    );
    let took = took.map_or_else(String::new, |took| format!(" for {took} ({used})"));
    format!("  attempt {}{by} at {}{took}: {how}", attempt.number, time::clock(attempt.started_at))
}

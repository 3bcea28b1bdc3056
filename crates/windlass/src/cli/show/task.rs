//! One task in full, as `show RUN TASK` prints it. Never: a line wider than the terminal, but for what the task gave.

use std::path::Path;

use serde_json::Value;
use windlass_core::id::{AttemptKey, Digest};
use windlass_core::machine::task::Phase;
use windlass_core::state::Run;
use windlass_core::time::Span;
use windlass_core::view::{AttemptView, TaskView};
use windlass_worker::{OUTPUT_BYTES_MAX, log};

use super::{Document, phase_cell, why_lines};
use crate::question::Question;
use crate::render::style::{BOLD, DIM, HINT, WARNING, paint};
use crate::render::table::{Cell, Table};
use crate::render::{hint, plural, story, text, time};
use crate::{calling, output};

/// One task with all that is known of it.
pub(super) fn in_full(
    document: &Document,
    run: &Run,
    home: &Path,
    columns: usize,
    read: &mut dyn FnMut(Digest) -> Value,
) -> Vec<String> {
    let wrap = |line: &String| text::wrap_words(line, columns);
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
                table.row(["  hint".into(), Cell::styled(HINT, text::first_line(hint))]);
            }
            table.row(["  more".into(), Cell::styled(DIM, hint::page(error.kind).to_string())]);
        }
        if let Some(skipped) = &view.skipped {
            let why = story::skipped(skipped.cause.as_ref(), skipped.with_its_needs);
            table.row(["  skipped".into(), why.into()]);
        }
        if let Some(other) = &view.spared_by {
            table.row(["  cancelled".into(), story::spared(other).into()]);
        }
        if let Some(why) = story::outdone(view) {
            table.row(["  cancelled".into(), why.into()]);
        }
        if let Some(next) = &view.next {
            let next = story::otherwise(next.agent.as_ref(), next.prompt.as_deref());
            table.row(["  retry".into(), next.into()]);
        }
        if let Some(asked) = &view.approval {
            let answer = calling::command("approve")
                .with(run.id)
                .with(&view.id)
                .with("--id")
                .with(&asked.id)
                .to_string();
            table.row(["  answer".into(), Cell::styled(HINT, answer)]);
        }
        lines.push(format!("{} of run {}", paint(BOLD, &format!("task {}", view.id)), run.id));
        lines.extend(table.lines().iter().flat_map(wrap));
        let asked = run.names.get(&view.id).and_then(|ix| Question::of(run.task(*ix)));
        lines.extend(asked.into_iter().flat_map(|asked| asked.lines(Some(run), read)));
        for attempt in &view.attempts {
            lines.extend(wrap(&attempt_line(attempt)));
            lines.extend(log_line(run, view, attempt, home).iter().flat_map(wrap));
        }
        lines.extend(truncated_line(run, view).iter().flat_map(wrap));
        if let Some(gone) = task.output_gone {
            lines.extend(wrap(&paint(WARNING, &format!("  output    {}", gone.in_words()))));
        }
        if !view.output.is_null() {
            lines.push("  output".into());
            let shown = view.written.clone().unwrap_or_else(|| output::for_people(&view.output));
            lines.extend(shown.lines().map(|line| format!("    {}", text::plain(line))));
        }
        if view.state == Phase::Dead.name() && !view.attempts.is_empty() {
            let logs = calling::command("logs").with(run.id).with(&view.id);
            lines.push(paint(DIM, &format!("  `{logs}` has what it printed")));
        }
    }
    if let Some(waits) = &document.waits {
        lines.extend(why_lines(waits, run, columns));
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
    let how = match (&attempt.error, attempt.exit_code, attempt.signal) {
        (Some(error), _, _) => format!("{}: {}", error.kind, text::one_line(&error.message)),
        (None, Some(code), _) => format!("exit code {code}"),
        (None, None, Some(signal)) => format!("signal {signal}"),
        (None, None, None) => attempt.state.to_owned(),
    };
    let by = attempt.agent.as_ref().map_or_else(String::new, |agent| format!(" by {agent}"));
    let used = format!(
        "{} of CPU, {} at most",
        time::length(Span::from_ms(attempt.usage.cpu_ms)),
        plural::bytes(attempt.usage.memory_bytes_peak)
    );
    let took = match attempt.took.map(time::length) {
        // What it used nobody saw either.
        Some(took) if attempt.lived_until.is_some() => format!(" for at least {took}"),
        Some(took) => format!(" for {took} ({used})"),
        None => String::new(),
    };
    format!("  attempt {}{by} at {}{took}: {how}", attempt.number, time::clock(attempt.started_at))
}

//! The block of a run on the screen: its tree, a bar with an estimate, and the line that counts. Where there is no room
//! for all tasks those that run, wait for somebody or failed are shown, and the rest is counted. Never: a line that is
//! wider than the screen.

use std::collections::BTreeMap;

use windlass_core::id::{AttemptKey, RunId};
use windlass_core::machine::task::Phase;
use windlass_core::time::{Span, Time};

use super::tails::Tails;
use super::tree::Row;
use crate::progress::Progress;
use crate::render::plural::list;
use crate::render::style::{BOLD, DIM, ERROR, HINT, OK, WARNING, paint};
use crate::render::{story, text, time};

/// From how many columns on there is a bar, and words beside the marks.
const WIDE: usize = 40;
/// How long the bar is at most.
const BAR: usize = 40;

/// The room that a block has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    pub(crate) columns: usize,
    pub(crate) rows: usize,
}

/// What the lines of a block have in common.
#[derive(Clone, Copy, Debug)]
struct Layout {
    /// Whether all tasks are there, so that children stand below their parents.
    is_tree: bool,
    /// How wide the column of names is.
    names: usize,
    now: Time,
    room: Extent,
}

/// The block of a run.
pub(crate) fn lines(
    run: RunId,
    progress: &mut Progress,
    tails: &mut Tails,
    now: Time,
    room: Extent,
) -> Vec<String> {
    let left = progress.left(now).map(|left| format!("about {} left", about(left)));
    let progress = &*progress;
    let has_bar = room.columns >= WIDE && room.rows > 3 && progress.tasks() > 1;
    let rows = room.rows.saturating_sub(1 + usize::from(has_bar));
    let (shown, rest) = chosen(progress, rows);
    let is_tree = rest.is_empty();
    let names = shown.iter().map(|row| text::width(row.id.as_str()) + indent(row, is_tree));
    let share = if room.columns < WIDE { 2 } else { 3 };
    let names = names.max().unwrap_or(0).min(room.columns / share);
    let layout = Layout { is_tree, names, now, room };
    let mut lines: Vec<String> = shown
        .iter()
        .map(|row| {
            let tail = match (row.phase, row.attempt) {
                (Phase::Running | Phase::Stopping, Some((attempt, _))) => {
                    tails.last(AttemptKey { run, task: row.id.clone(), attempt })
                }
                _ => String::new(),
            };
            text::fit_shown(&line(row, &tail, layout), room.columns)
        })
        .collect();
    if !is_tree {
        let counted: Vec<String> =
            rest.iter().map(|(phase, count)| format!("{count} {}", phase.name())).collect();
        lines.push(text::fit_shown(&paint(DIM, &format!("  … and {}", list(&counted))), room.columns));
    }
    let mut status = format!("run {run}: {}", story::status(progress, now));
    if has_bar {
        lines.push(bar(progress, left.as_deref().unwrap_or_default(), room.columns));
    } else if let Some(left) = left {
        status = format!("{status}, {left}");
    }
    lines.push(paint(BOLD, &text::fit(&status, room.columns)));
    lines
}

/// The tasks that have a line of their own, and how many there are of the rest by state.
fn chosen(progress: &Progress, rows: usize) -> (Vec<&Row>, Vec<(Phase, usize)>) {
    let tree = &progress.tree;
    if tree.len() <= rows && tree.unheard() == 0 {
        return (tree.rows().collect(), Vec::new());
    }
    // Those that are at work first; what failed long ago stands above as a line that stays.
    let mut shown: Vec<&Row> = tree.notable().filter(|row| row.phase != Phase::Dead).collect();
    shown.sort_by_key(|row| !matches!(row.phase, Phase::Running | Phase::Stopping));
    shown.truncate(rows.saturating_sub(1));
    let room = rows.saturating_sub(1 + shown.len());
    shown.extend(tree.notable().filter(|row| row.phase == Phase::Dead).take(room));
    let mut rest: BTreeMap<Phase, usize> = tree.counts().collect();
    *rest.entry(Phase::Waiting).or_default() += tree.unheard();
    for row in &shown {
        rest.entry(row.phase).and_modify(|count| *count -= 1);
    }
    (shown, rest.into_iter().filter(|(_, count)| *count > 0).collect())
}

fn indent(row: &Row, is_tree: bool) -> usize {
    if is_tree { 2 * row.depth } else { 0 }
}

/// A task in a line: a mark for its state, its name, what there is to say, and what it printed last.
fn line(row: &Row, tail: &str, layout: Layout) -> String {
    let Layout { is_tree, names, now, room } = layout;
    let (indent, is_wide) = (indent(row, is_tree), room.columns >= WIDE);
    let (style, mark) = match row.phase {
        Phase::Succeeded => (OK, "✓"),
        Phase::Dead => (ERROR, "✗"),
        Phase::Cancelled => (DIM, "–"),
        Phase::Running | Phase::Stopping | Phase::Gating | Phase::Merging => (HINT, "▶"),
        Phase::Expanded => (HINT, "▼"),
        Phase::Blocked if row.asks => (WARNING, "?"),
        // Nobody is asked anything.
        Phase::Parked | Phase::BackingOff => (WARNING, "!"),
        Phase::Blocked | Phase::Waiting | Phase::Ready | Phase::Skipped => (DIM, "·"),
    };
    let elapsed = match (row.phase, row.attempt) {
        (Phase::Running | Phase::Stopping, Some((_, started))) => Some(now.since(started)),
        _ => row.took.filter(|_| row.phase.is_final()),
    };
    let again = row.attempt.filter(|(number, _)| *number > 1 && !row.phase.is_final());
    let state = match is_wide {
        false => String::new(),
        true if row.phase == Phase::Expanded => row.of_children(),
        true => format!("{:<9}", row.phase.name()),
    };
    let parts = [
        state,
        elapsed.map(time::length).unwrap_or_default(),
        again.filter(|_| is_wide).map(|(number, _)| format!("(attempt {number})")).unwrap_or_default(),
    ];
    let parts: Vec<&str> = parts.iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
    let name = text::fit_middle(row.id.as_str(), names.saturating_sub(indent));
    let fill = " ".repeat(names.saturating_sub(indent + text::width(&name)));
    let said = parts.join(" ");
    let said = paint(style, said.trim_end());
    let tail = if tail.is_empty() { String::new() } else { paint(DIM, &format!("  {}", text::plain(tail))) };
    format!("  {:indent$}{} {name}{fill}  {said}{tail}", "", paint(style, mark))
}

/// How many of the tasks are done, as a bar, and how long the others take.
fn bar(progress: &Progress, left: &str, columns: usize) -> String {
    let room = columns.saturating_sub(2 + 2 + text::width(left)).min(BAR);
    let cells = |count: usize| (count * room).checked_div(progress.tasks()).unwrap_or(0);
    let failed = cells(progress.failed());
    let done = cells(progress.over()).saturating_sub(failed);
    let open = room.saturating_sub(done + failed);
    let part = |style, letter: &str, count: usize| paint(style, &letter.repeat(count));
    let bar = [part(OK, "█", done), part(ERROR, "▒", failed), part(DIM, "░", open)].concat();
    format!("  {bar}  {left}").trim_end().to_owned()
}

/// A length that is not known well.
fn about(left: Span) -> String {
    let seconds = left.ms.div_ceil(1000);
    match seconds {
        0..10 => format!("{seconds} s"),
        10..60 => format!("{} s", seconds.div_ceil(5) * 5),
        60..3600 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{} h", seconds.div_ceil(3600)),
    }
}

#[cfg(test)]
mod tests {
    use anstream::adapter::strip_str;
    use windlass_core::event::{Event, Record, TimerKind};
    use windlass_core::id::Seq;

    use super::*;
    use crate::staged::Stage;

    /// The block of a staged run that was there when `progress` began.
    fn block(stage: &Stage, columns: usize, rows: usize) -> Vec<String> {
        let mut progress = Progress::of(stage.state(), stage.run(), stage.now);
        let mut tails = Tails::of("/nowhere".into());
        let lines = lines(stage.run().id, &mut progress, &mut tails, stage.now, Extent { columns, rows });
        lines.iter().map(|line| strip_str(line).to_string()).collect()
    }

    #[test]
    fn few_tasks_are_all_shown_as_a_tree_with_their_states() {
        let mut stage = Stage::of(
            "tasks: { list: { run: x }, fix: { needs: [list], for_each: [1, 2], run: x }, end: { needs: [fix], run: x } }",
        );
        stage.after("1s").end("list", 0, "").after("2s").end("fix.0", 0, "").after("1s");
        assert_eq!(
            block(&stage, 60, 16),
            [
                "  ✓ list     succeeded 1.0 s",
                "  ▼ fix      1 of 2",
                "    ✓ fix.0  succeeded 2.0 s",
                "    ▶ fix.1  running   3.0 s",
                "  · end      waiting",
                "  ████████████████░░░░░░░░░░░░░░░░░░░░░░░░",
                "run abc123: 2 of 5 tasks done, 1 running, 0 ms",
            ]
        );
    }

    #[test]
    fn how_long_it_takes_is_said_where_like_tasks_are_known_and_nowhere_else() {
        let mut stage = Stage::of("tasks: { fix: { for_each: [1, 2, 3, 4, 5], max_parallel: 1, run: x } }");
        stage.after("90s").end("fix.0", 0, "").after("90s").end("fix.1", 0, "").after("30s");
        assert!(left(&stage).is_none(), "two are no measure");
        stage.after("60s").end("fix.2", 0, "").after("30s");
        assert_eq!(left(&stage).as_deref(), Some("about 3 min left"));
        assert!(block(&stage, 20, 16).concat().contains("fix.3"));
        stage.pause();
        assert!(left(&stage).is_none(), "a pause has no end that is known");
    }

    /// What a wide block says of how long it takes.
    fn left(stage: &Stage) -> Option<String> {
        let bar = block(stage, 60, 24).into_iter().rev().nth(1)?;
        bar.find("about").map(|at| bar[at..].to_owned())
    }

    #[test]
    fn a_few_tasks_like_none_are_taken_for_as_long_as_the_others_where_those_are_alike() {
        let many = "fix: { for_each: \"{{ range(16) | list }}\", run: x }";
        let after = |end: &str| {
            let mut stage = Stage::of(&format!("tasks: {{ {many}, end: {{ needs: [fix], {end} }} }}"));
            stage.after("4s");
            (0..4).for_each(|number| {
                stage.end(&format!("fix.{number}"), 0, "");
            });
            stage.after("4s");
            (4..8).for_each(|number| {
                stage.end(&format!("fix.{number}"), 0, "");
            });
            stage
        };
        assert_eq!(left(&after("run: x")).as_deref(), Some("about 15 s left"));
        for end in [
            "approval: yes?",
            "wait_for: { after: 1h }",
            "wait_for: { topic: t, external: true }",
            "for_each: [1], run: x",
        ] {
            assert_eq!(left(&after(end)), None, "{end}");
        }
    }

    #[test]
    fn what_loses_a_race_or_is_not_needed_any_more_is_no_failure() {
        let mut stage = Stage::of(
            r"
tasks:
  vote: { replicas: 3, select: first, run: x }
  slow: { run: x }
  any: { needs: [vote, slow], join: any, cancel_rest: true, run: x }
  may: { optional: true, retry: { max_attempts: 1 }, run: x }
  must: { retry: { max_attempts: 1 }, run: x }
  behind: { needs: [must], run: x }
",
        );
        stage.after("1s").end("vote.1", 0, "").end("may", 1, "");
        for stopped in ["vote.0", "vote.2", "slow"] {
            stage.end(stopped, 143, "");
        }
        let seen = block(&stage, 80, 16);
        assert_eq!(seen.iter().filter(|line| line.contains("– ")).count(), 3, "{seen:#?}");
        assert!(
            seen.last().is_some_and(|line| line.contains("6 of 9 tasks done, 2 running, 0 ms")),
            "{seen:#?}"
        );
        stage.end("must", 1, "");
        let seen = block(&stage, 80, 16);
        let status = "run abc123: 6 of 9 tasks done, 1 running, 1 failed, 1 skipped, 0 ms";
        assert_eq!(seen.last().map(String::as_str), Some(status), "{seen:#?}");
    }

    #[test]
    fn a_task_waits_for_its_retry_until_its_time_has_come_and_asks_nobody() {
        let mut stage = Stage::of(
            "tasks: { a: { retry: { max_attempts: 2, initial_interval: 1h, jitter: none }, run: x }, b: { run: x } }",
        );
        stage.after("1s").end("a", 1, "");
        let mut progress = Progress::of(stage.state(), stage.run(), stage.now);
        let seen = |progress: &mut Progress| {
            let room = Extent { columns: 80, rows: 16 };
            let mut tails = Tails::of("/nowhere".into());
            let lines = lines(stage.run().id, progress, &mut tails, stage.now, room);
            let ends = [&lines[0], &lines[lines.len() - 1]];
            ends.map(|line| strip_str(line).to_string())
        };
        let [row, status] = seen(&mut progress);
        assert!(
            row.starts_with("  ! a  backing_off") && status.contains("1 waiting for a retry"),
            "{row} {status}"
        );
        let task = "a".parse().expect("a task");
        let event = Event::TimerFired { run: stage.run().id, task, timer: TimerKind::Retry };
        progress.take(&Record { seq: Seq(99), at: stage.now, event });
        let [row, status] = seen(&mut progress);
        assert!(row.starts_with("  · a  waiting") && !status.contains("retry"), "{row} {status}");
    }

    #[test]
    fn of_thousands_of_tasks_those_are_shown_that_run_or_failed_and_the_rest_is_counted() {
        let mut stage = Stage::of(
            "tasks: { fix: { for_each: \"{{ range(90) | list }}\", retry: { max_attempts: 1 }, run: x } }",
        );
        for ended in 0..12 {
            stage.after("1s").end(&format!("fix.{ended}"), i32::from(ended == 3), "");
        }
        for (columns, rows) in [(80, 14), (20, 14), (80, 6), (20, 3), (200, 60)] {
            let block = block(&stage, columns, rows);
            assert!(block.len() <= rows.max(2), "{columns} × {rows}: {block:#?}");
            let widest = block.iter().map(|line| text::width(line)).max().expect("lines");
            assert!(widest <= columns, "{columns} × {rows}: {block:#?}");
        }
        let block = block(&stage, 80, 14);
        assert_eq!(block[0], "  ▶ fix.12  running   7.0 s");
        assert_eq!(block[8], "  ✗ fix.3   dead      4.0 s");
        assert_eq!(block[9], "  … and 70 waiting, 1 expanded and 11 succeeded");
    }
}

//! The attempts of a run over time, a line a task: retries side by side, the critical path marked. What is too much is
//! folded, and stretches in which nothing ran are cut out. Never: waits for people, who keep other hours.

use std::collections::BTreeSet;

use windlass_core::failure::ErrorKind;
use windlass_core::machine::attempt::Phase;
use windlass_core::state::{Attempt, Run, TaskIx};
use windlass_core::time::{Span, Time};
use windlass_core::view;
use windlass_core::view::critical::{self, CriticalPath};

use crate::render::axis::Axis;
use crate::render::plural::count;
use crate::render::style::{self, BOLD, DIM, ERROR, HINT, OK, WARNING};
use crate::render::text::{fit_middle, width, wrap, wrap_words};
use crate::render::time;

/// How many tasks have lines of their own at most.
const ROWS_MAX: usize = 40;
/// How many columns bars have, at most and at least: with less there is no timeline.
const BARS: std::ops::RangeInclusive<usize> = 10..=64;
/// What is that long is told with its days.
const DAY: Span = Span::from_secs(24 * 3600);
/// How wide a name is at most.
const NAME_MAX: usize = 24;

/// What a column of a bar says. Where a column could say several things, the last of these wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Mark {
    /// Between two attempts.
    Between,
    Lost,
    Succeeded,
    Running,
    Failed,
}

const MARKS: [Mark; 5] = [Mark::Succeeded, Mark::Failed, Mark::Lost, Mark::Running, Mark::Between];

/// An attempt: from when to when, and how it ended.
struct Bar {
    from: Time,
    until: Time,
    mark: Mark,
}

/// A line of the timeline: a task, or several.
struct Row {
    ix: TaskIx,
    name: String,
    tasks: usize,
    bars: Vec<Bar>,
    /// What its attempts took, one after the other.
    took: Span,
    is_heavy: bool,
}

/// The lines of a run's timeline; none where nothing has started. It is `now` by the wall, and by the home's clock of being
/// alive.
pub(crate) fn lines(run: &Run, path: &CriticalPath, now: (Time, Span), columns: usize) -> Vec<String> {
    let on_path: BTreeSet<TaskIx> = path.tasks.iter().copied().collect();
    let rows = view::in_order(run).filter_map(|ix| Row::of(run, ix, &on_path, now)).collect();
    let (mut rows, left_out) = fold(run, rows);
    rows.sort_by_key(|row| row.bars.iter().map(|bar| bar.from).min());
    let stretches: Vec<(Time, Time)> =
        rows.iter().flat_map(|row| &row.bars).map(|bar| (bar.from, bar.until)).collect();
    let names = rows.iter().map(|row| width(&row.name)).max().unwrap_or(0).min(NAME_MAX);
    let told = rows.iter().map(|row| width(&row.told())).max().unwrap_or(0);
    let room = columns.saturating_sub(names + told + 6).min(*BARS.end());
    let Some(axis) = Axis::of(stretches, room).filter(|_| BARS.contains(&room)) else { return Vec::new() };
    let is_long = axis.end().since(axis.start()) >= DAY;
    let moment = |at: Time| if is_long { time::date(at) } else { time::clock(at) };
    let (start, end) = (moment(axis.start()), moment(axis.end()));
    let dashes = "─".repeat(room.saturating_sub(start.len() + end.len() + 2));
    let head = format!("{:names$}    {start} {dashes} {end}", "TIMELINE");
    let mut lines = vec![style::paint(DIM, &head)];
    lines.extend(rows.iter().map(|row| row.line(&axis, names)));
    if let Some(longest) = left_out.iter().map(|row| row.took).max() {
        let more = left_out.iter().map(|row| row.tasks).sum::<usize>();
        let told = format!("  … {more} more, none longer than {}", time::length(longest));
        lines.push(style::paint(DIM, &told));
    }
    lines.push(String::new());
    lines.extend(legend(run, path, &rows, &axis, columns));
    lines
}

/// As many rows as there is room for, and those that are left out: children go into a row of their parent first, then
/// only what is on the critical path or long stays.
fn fold(run: &Run, mut rows: Vec<Row>) -> (Vec<Row>, Vec<Row>) {
    if rows.len() > ROWS_MAX {
        rows = rows.into_iter().fold(Vec::new(), |mut kept: Vec<Row>, row| {
            let root = root(run, row.ix);
            match kept.last_mut().filter(|last| root != row.ix && last.ix == root) {
                Some(last) => last.take_in(row),
                None if root == row.ix => kept.push(row),
                None => {
                    let name = run.task(root).id.to_string();
                    kept.push(Row { ix: root, name, ..row });
                }
            }
            kept
        });
    }
    if rows.len() <= ROWS_MAX {
        return (rows, Vec::new());
    }
    rows.sort_by_key(|row| std::cmp::Reverse((row.is_heavy, row.took)));
    let left_out = rows.split_off(ROWS_MAX);
    (rows, left_out)
}

/// The task of the plan that a task comes from.
fn root(run: &Run, mut ix: TaskIx) -> TaskIx {
    while let Some((parent, _)) = run.task(ix).parent {
        ix = parent;
    }
    ix
}

fn legend(run: &Run, path: &CriticalPath, rows: &[Row], axis: &Axis, columns: usize) -> Vec<String> {
    let is_tried_again = rows.iter().any(|row| row.tasks == 1 && row.bars.len() > 1);
    let has = |mark: Mark| {
        let bars = rows.iter().flat_map(|row| &row.bars);
        if mark == Mark::Between { is_tried_again } else { bars.into_iter().any(|bar| bar.mark == mark) }
    };
    let marks = MARKS.into_iter().filter(|mark| has(*mark));
    let mut entries: Vec<String> = marks.map(|mark| format!("{} {}", mark.letter(), mark.word())).collect();
    entries.extend(axis.cut().map(|cut| format!("┆ nothing ran for {}", time::length(cut))));
    let mut lines = wrap(&format!("  {}", entries.join("   ")), columns, 2, "  ");
    for line in &mut lines {
        for mark in MARKS {
            *line = line.replace(mark.letter(), &paint(mark, mark.letter()));
        }
    }
    if !path.tasks.is_empty() {
        let names: Vec<&str> = path.tasks.iter().map(|ix| run.task(*ix).id.as_str()).collect();
        let told = format!("┃ critical path, {}: {}", time::length(path.length), names.join(" → "));
        lines.extend(wrap_words(&told, columns));
    }
    lines
}

impl Row {
    fn of(run: &Run, ix: TaskIx, on_path: &BTreeSet<TaskIx>, (now, alive): (Time, Span)) -> Option<Self> {
        let task = run.task(ix);
        let bars: Vec<Bar> = task.attempts.iter().map(|attempt| Bar::of(attempt, now)).collect();
        (!bars.is_empty()).then(|| Self {
            ix,
            name: task.id.to_string(),
            tasks: 1,
            bars,
            took: critical::measured(task, alive),
            is_heavy: on_path.contains(&ix),
        })
    }

    /// One more task on the same line.
    fn take_in(&mut self, other: Self) {
        self.tasks += other.tasks;
        self.bars.extend(other.bars);
        self.took = self.took.plus(other.took);
        self.is_heavy |= other.is_heavy;
    }

    fn told(&self) -> String {
        let tries = u64::try_from(self.bars.len()).unwrap_or(u64::MAX);
        let several = match (self.tasks, self.bars.len()) {
            (1, 1) => String::new(),
            (1, _) => format!("{}, ", count(tries, "attempt")),
            (tasks, _) => format!("{}, ", count(u64::try_from(tasks).unwrap_or(u64::MAX), "task")),
        };
        format!("{several}{}", time::length(self.took))
    }

    fn line(&self, axis: &Axis, names: usize) -> String {
        let mut cells: Vec<Option<Mark>> = vec![None; axis.columns()];
        let mut put = |(from, until): (usize, usize), mark: Mark| {
            // A clock that was set back makes no stretch.
            for cell in cells.get_mut(from..until).into_iter().flatten() {
                *cell = (*cell).max(Some(mark));
            }
        };
        for bar in &self.bars {
            put(axis.span(bar.from, bar.until), bar.mark);
        }
        if self.tasks == 1 {
            for pair in self.bars.windows(2) {
                put(
                    (axis.span(pair[0].until, pair[0].until).0, axis.span(pair[1].from, pair[1].from).0),
                    Mark::Between,
                );
            }
        }
        let name = fit_middle(&self.name, names);
        let pad = " ".repeat(names - width(&name));
        let (gutter, name) = if self.is_heavy {
            (style::paint(BOLD, "┃"), style::paint(BOLD, &name))
        } else {
            (" ".to_owned(), name)
        };
        format!("{gutter} {name}{pad}  {}  {}", drawn(&cells, axis), self.told())
    }
}

/// The columns of a row, with the like ones painted together.
fn drawn(cells: &[Option<Mark>], axis: &Axis) -> String {
    let mut drawn = String::new();
    let mut place = 0;
    while place < cells.len() {
        let end =
            cells[place..].iter().position(|cell| *cell != cells[place]).map_or(cells.len(), |at| place + at);
        match cells[place] {
            Some(mark) => drawn.push_str(&paint(mark, &mark.letter().repeat(end - place))),
            None => drawn.extend((place..end).map(|column| if axis.is_cut(column) { '┆' } else { ' ' })),
        }
        place = end;
    }
    drawn
}

impl Bar {
    fn of(attempt: &Attempt, now: Time) -> Self {
        let from = attempt.started;
        let failed = view::attempt_failure(attempt).map(|failure| failure.kind);
        let mark = match (attempt.phase, attempt.ended, failed) {
            (Phase::Lost, ..) => Mark::Lost,
            (_, None, _) => Mark::Running,
            (_, Some(_), None) => Mark::Succeeded,
            (_, Some(_), Some(ErrorKind::Cancelled | ErrorKind::Lost | ErrorKind::Interrupted)) => Mark::Lost,
            (_, Some(_), Some(_)) => Mark::Failed,
        };
        Self { from, until: critical::until(attempt, now).max(from), mark }
    }
}

impl Mark {
    const fn letter(self) -> &'static str {
        match self {
            Self::Succeeded => "█",
            Self::Failed => "▒",
            Self::Lost => "░",
            Self::Running => "▶",
            Self::Between => "·",
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Lost => "lost or stopped",
            Self::Running => "running",
            Self::Between => "before it is tried again",
        }
    }
}

fn paint(mark: Mark, text: &str) -> String {
    let style = match mark {
        Mark::Succeeded => OK,
        Mark::Failed => ERROR,
        Mark::Lost => WARNING,
        Mark::Running => HINT,
        Mark::Between => DIM,
    };
    style::paint(style, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::staged::Stage;

    fn shown(stage: &Stage, columns: usize) -> String {
        let alive = stage.state().alive_at(stage.now);
        let path = critical::of_run(stage.run(), alive);
        let lines = lines(stage.run(), &path, (stage.now, alive), columns);
        anstream::adapter::strip_str(&lines.join("\n")).to_string()
    }

    macro_rules! assert_timeline {
        ($stage:expr, $columns:expr) => {
            let shown = shown($stage, $columns);
            assert!(shown.lines().all(|line| width(line) <= $columns), "{shown}");
            // The zone is the machine's.
            let filters = vec![(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "[date]"), (r"\d\d:\d\d:\d\d", "[time]")];
            insta::with_settings!({ omit_expression => true, filters => filters }, {
                insta::assert_snapshot!(shown);
            });
        };
    }

    #[test]
    fn attempts_are_bars_in_proportion_and_retries_stand_side_by_side() {
        let mut stage = Stage::of(
            "
tasks:
  fetch: { run: x }
  flaky: { needs: [fetch], run: x, retry: { max_attempts: 3, initial_interval: 4s, jitter: none } }
  lost: { needs: [fetch], run: x }
  each: { needs: [fetch], for_each: [1, 2], run: x }
  last: { needs: [flaky, each], run: x }
",
        );
        stage.after("5s").end("fetch", 0, "").after("3s").end("flaky", 1, "").end("each.0", 0, "");
        stage
            .lose("lost")
            .after("4s")
            .end("each.1", 1, "")
            .after("6s")
            .end("flaky", 0, "")
            .end("lost", 0, "");
        stage.after("9s");
        assert_timeline!(&stage, 80);
    }

    #[test]
    fn an_attempt_whose_engine_died_is_as_long_as_that_is_known_to_have_lived() {
        let mut stage = Stage::of("tasks: { a: { run: x } }");
        stage.after("9s").crash("a", "6s").resume().after("2s").after("4s").end("a", 0, "");
        let shown = shown(&stage, 60);
        assert!(shown.contains("2 attempts, 10 s"), "{shown}");
        let long = |mark| shown.lines().nth(1).map_or(0, |line| line.matches(mark).count());
        assert!(long('░') > long('█') && long('█') > 0, "{shown}");
    }

    #[test]
    fn a_night_in_which_nothing_ran_takes_one_column() {
        let mut stage = Stage::of(
            "
tasks:
  before: { run: x }
  again: { needs: [before], run: x, retry: { max_attempts: 2, initial_interval: 14h, max_interval: 14h, jitter: none } }
  after: { needs: [again], run: x }
",
        );
        stage.after("30s").end("before", 0, "").after("20s").end("again", 1, "");
        stage.after("14h").after("40s").end("again", 0, "").after("30s");
        assert_timeline!(&stage, 80);
    }

    #[test]
    fn more_tasks_than_there_is_room_for_are_folded_into_their_parents() {
        let mut stage = Stage::of(
            "
tasks:
  list: { run: x }
  each: { needs: [list], for_each: \"{{ range(60) | list }}\", run: x }
  last: { needs: [each], run: x }
",
        );
        stage.after("2s").end("list", 0, "");
        for child in 0..60 {
            stage.after("500ms").end(&format!("each.{child}"), i32::from(child == 17), "");
        }
        stage.after("3s");
        assert_timeline!(&stage, 80);
    }

    #[test]
    fn what_is_not_folded_is_left_out_but_for_what_is_long_or_on_the_critical_path() {
        let tasks: Vec<String> = (0..60).map(|task| format!("  t{task}: {{ run: x }}\n")).collect();
        let mut stage = Stage::of(&format!("tasks:\n{}", tasks.concat()));
        for task in 0..59 {
            stage.after(&format!("{}ms", 100 + task)).end(&format!("t{task}"), 0, "");
        }
        let shown = shown(&stage, 100);
        let rows = shown.lines().skip(1).take_while(|line| !line.starts_with("  …"));
        assert_eq!(rows.count(), ROWS_MAX, "{shown}");
        assert!(shown.contains("… 20 more, none longer than"), "{shown}");
        assert!(shown.contains("┃ t"), "{shown}");
    }

    #[test]
    fn where_there_is_no_room_or_nothing_to_show_there_is_no_timeline() {
        let mut stage = Stage::of("tasks: { ask: { approval: \"Well?\" }, a: { needs: [ask], run: x } }");
        assert_eq!(shown(&stage, 80), "");
        stage = Stage::of("tasks: { a: { run: x } }");
        stage.after("1s").end("a", 0, "");
        assert_eq!(shown(&stage, 20), "");
        assert_ne!(shown(&stage, 40), "");
    }
}

//! `windlass doctor --why-slow`: which limit kept tasks from starting, for how long, and what to change first.
//! Never: a promise; what is told is the most that there is to gain.

use serde_json::{Value, json};
use windlass_core::id::RunId;
use windlass_core::state::Run;
use windlass_core::time::Span;
use windlass_core::view::slow::{Held, Limit, Slow};

use crate::desk::Desk;
use crate::error::{Outcome, engine_failed};
use crate::exit::Exit;
use crate::render::plural::count;
use crate::render::style::{BOLD, paint};
use crate::render::table::{Cell, Table};
use crate::render::text::{width_shown, wrap_words};
use crate::render::time::length;
use crate::{calling, lookup, screen};

/// Says it of the run that a text means.
pub(super) fn say(desk: &mut Desk, name: &str, as_json: bool) -> Outcome {
    let mut reading = lookup::open(desk)?;
    reading.come_to_now().map_err(|error| engine_failed(&error))?;
    let id = lookup::run(reading.state(), name)?.id;
    let slow = reading.why_slow(id).map_err(|error| engine_failed(&error))?;
    let run = lookup::run(reading.state(), id.as_str())?;
    if as_json {
        desk.json(&document(run, &slow))?;
    } else {
        desk.lines(lines(run, &slow, screen::width_of_lists()))?;
    }
    Ok(Exit::Done)
}

fn path(run: &Run, slow: &Slow) -> Vec<String> {
    slow.critical.tasks.iter().map(|ix| run.task(*ix).id.to_string()).collect()
}

fn document(run: &Run, slow: &Slow) -> Value {
    let limits: Vec<Value> = slow
        .by_gain()
        .into_iter()
        .map(|(limit, held)| {
            json!({
                "limit": name(limit, held),
                "waited_ms": held.waited.ms,
                "lasted_ms": held.lasted.ms,
                "alone_ms": held.alone.ms,
                "gain_ms_max": slow.gain(held).ms,
                "tasks_max": held.tasks_most,
                "change": change(run.id, limit),
            })
        })
        .collect();
    json!({
        "run": run.id,
        "worked_ms": slow.worked.ms,
        "critical_path": { "tasks": path(run, slow), "took_ms": slow.critical.length.ms },
        "idle_ms": slow.idle.ms,
        "paused_ms": slow.paused.ms,
        "left_ms": slow.left.ms,
        "asleep_ms": slow.asleep.ms,
        "lost_attempts": slow.lost,
        "limits": limits,
    })
}

fn lines(run: &Run, slow: &Slow, columns: usize) -> Vec<String> {
    let mut lines =
        vec![format!("run {} was worked on for {}", paint(BOLD, run.id.as_str()), length(slow.worked))];
    let tasks = path(run, slow);
    if !tasks.is_empty() {
        let share = percent(slow.critical.length, slow.worked);
        let chain = shortened(&tasks);
        lines.push(format!(
            "  critical path  {}, {share} % of that: {chain}; no limit makes it shorter",
            length(slow.critical.length)
        ));
    }
    if slow.idle > Span::default() {
        lines.push(format!(
            "  nothing to do  {}: it waited for people, timers or retries (`{}`)",
            length(slow.idle),
            calling::command("show").with(run.id).with("--why")
        ));
    }
    lines.push(String::new());
    lines.extend(limits(run, slow, columns));
    lines.extend(unknown(slow));
    lines.iter().flat_map(|line| wrap_words(line, columns)).collect()
}

/// What kept tasks back, a line each, or in words where a table is too wide.
fn limits(run: &Run, slow: &Slow, columns: usize) -> Vec<String> {
    let limits = slow.by_gain();
    if limits.is_empty() {
        return vec!["No limit kept a ready task from starting: more slots would change nothing.".to_owned()];
    }
    let mut table = Table::with_head(["LIMIT", "WAITED", "LASTED", "GAIN AT MOST", "WHAT TO CHANGE"]);
    let mut words = Vec::new();
    for (limit, held) in limits {
        let waited = format!("{} of {}", length(held.waited), count(held.tasks_most as u64, "task"));
        let [name, change] = [name(limit, held), change(run.id, limit)];
        let [lasted, gain] = [held.lasted, slow.gain(held)].map(length);
        words.push(format!("{}: waited {waited}, lasted {lasted}", paint(BOLD, &name)));
        words.push(format!("  gain at most {gain}: {change}"));
        table.row([name, waited, lasted, gain, change].map(Cell::from));
    }
    let lines = table.lines();
    if lines.iter().all(|line| width_shown(line) <= columns) { lines } else { words }
}

/// What the journal does not say.
fn unknown(slow: &Slow) -> Vec<String> {
    let mut lines = Vec::new();
    if slow.left > Span::default() {
        lines.push(format!(
            "not counted: {} without an engine, or in which one died, nobody knows when",
            length(slow.left)
        ));
    }
    if slow.paused > Span::default() {
        lines.push(format!("not counted: {} in which it was paused", length(slow.paused)));
    }
    if slow.asleep > Span::default() {
        lines.push(format!("not counted: {} in which the machine slept", length(slow.asleep)));
    }
    if slow.lost > 0 {
        lines.push(format!(
            "not measured in full: {}, whose end nobody saw; the critical path may be longer",
            count(slow.lost as u64, "lost attempt")
        ));
    }
    if !lines.is_empty() {
        lines.insert(0, String::new());
    }
    lines
}

fn percent(part: Span, whole: Span) -> u64 {
    part.ms.saturating_mul(100).checked_div(whole.ms).unwrap_or(0).min(100)
}

fn shortened(tasks: &[String]) -> String {
    const SHOWN: usize = 6;
    match tasks {
        few if few.len() <= SHOWN => few.join(" → "),
        many => format!("{} → … → {}", many[..SHOWN - 2].join(" → "), many[many.len() - 1]),
    }
}

fn name(limit: &Limit, held: &Held) -> String {
    match limit {
        Limit::Slots => format!("{} in use", count(held.in_flight_most as u64, "slot")),
        Limit::Concurrency(most) => format!("concurrency {most} of the plan"),
        Limit::Parallel(parent, most) => format!("max_parallel {most} of {parent}"),
        Limit::Agent(agent, most) => format!("concurrency {most} of agent {agent}"),
        Limit::Breaker(account) => format!("breaker of account {account}"),
        Limit::Rate(account) => format!("rate of account {account}"),
        Limit::Provider(account) => format!("rate limits of account {account}"),
        Limit::Budget(None) => "attempts of the run's budget".to_owned(),
        Limit::Budget(Some(task)) => format!("attempts of the budget of {task}"),
        Limit::Alone => "a task that must be alone".to_owned(),
    }
}

fn change(run: RunId, limit: &Limit) -> String {
    let show = calling::command("show").with(run);
    match limit {
        Limit::Slots => "more `--slots`, if the machine bears it".to_owned(),
        Limit::Concurrency(_) => "raise `concurrency` of the plan".to_owned(),
        Limit::Parallel(parent, _) => format!("raise `max_parallel` of {parent}"),
        Limit::Agent(agent, _) => {
            format!("raise `concurrency` of agent {agent}, or give its tasks a list of agents")
        }
        Limit::Breaker(account) => {
            format!("see why {account} fails (`{show}`); a `fallback` goes on meanwhile")
        }
        Limit::Rate(account) => format!("raise `rate` of {account}, or let agents of another account share"),
        Limit::Provider(account) => format!("a larger quota of {account}, or agents of another account"),
        Limit::Budget(None) => {
            let resume = calling::command("resume").with(run).with("--budget").with("attempts=+N");
            format!("`{resume}`")
        }
        Limit::Budget(Some(task)) => format!("raise `budget.attempts` of {task}"),
        Limit::Alone => format!("see what the task does to its engine: `{show}`"),
    }
}

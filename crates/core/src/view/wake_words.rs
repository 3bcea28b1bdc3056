//! What a task waits for, in words: for what, since when, until when, and who can change it. Never: finding out
//! (`wake.rs`).

use serde::Serialize;

use crate::event::PauseReason;
use crate::id::{AgentName, RunId, TaskId};
use crate::machine::task::Phase;
use crate::state::budget::UsedUp;
use crate::state::crew::AgentBar;
use crate::state::fleet::AccountBar;
use crate::state::hearing::Unjudged;
use crate::state::{Run, State, Task, TaskIx};
use crate::time::Time;
use crate::view::bars::{Bar, Barred};
use crate::view::in_order;
use crate::view::wake::{Named, Wake, besides, bound, wake};

/// What a task waits for, in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Wait {
    /// The task that waits.
    pub task: TaskId,
    /// For what.
    pub on: String,
    /// Since when.
    pub since: Time,
    /// Until when at the latest, where there is a bound.
    pub until: Option<Time>,
    /// Who can change it; what people do it by stands as in a hint (`hint.rs`).
    pub who: String,
    /// The messages that it passes over since nobody can tell whether they are what it waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unjudged: Option<Unjudged>,
}

/// What an unfinished task waits for: one thing, but where several limits keep it from starting, or its run is paused
/// and it waits for something besides. `alive` is whether an engine has the home open.
pub fn waits_of(state: &State, run: &Run, ix: TaskIx, alive: bool) -> Vec<Wait> {
    let Some(wake) = wake(state, run, ix) else { return Vec::new() };
    let by_an_engine = matches!(
        wake,
        Wake::Retry(_)
            | Wake::Moment(_)
            | Wake::Topic { .. }
            | Wake::Room(_)
            | Wake::Attempt { .. }
            | Wake::Output(_)
            | Wake::Commit(_)
            | Wake::Landing(_)
    );
    let wake = if by_an_engine && !alive { Wake::Engine } else { wake };
    let besides = matches!(wake, Wake::Resume { .. }).then(|| besides(state, run, ix)).flatten();
    let until = bound(run, ix).filter(|_| alive && state.is_active(run)).map(|due| state.wall_of(run, due));
    let told = |wake: Wake| for_wake(state, run, ix, (&wake, until));
    std::iter::once(wake).chain(besides).flat_map(told).collect()
}

/// The waits for this, of a task that is given up at that moment.
fn for_wake(state: &State, run: &Run, ix: TaskIx, (wake, given_up): (&Wake, Option<Time>)) -> Vec<Wait> {
    let task = run.task(ix);
    if let Wake::Room(bars) = wake {
        return bars.iter().map(|barred| for_room(state, run, task, (barred, given_up))).collect();
    }
    let ends = match wake {
        Wake::Retry(due) | Wake::Moment(due) => Some(*due),
        Wake::Attempt { until, .. } => *until,
        Wake::Needs(_)
        | Wake::Children(_)
        | Wake::Brought(_)
        | Wake::Room(_)
        | Wake::Output(_)
        | Wake::Commit(_)
        | Wake::Landing(_)
        | Wake::Approval { .. }
        | Wake::Outcome
        | Wake::Topic { .. }
        | Wake::Choice { .. }
        | Wake::Resume { .. }
        | Wake::Engine => None,
    };
    let until = ends.into_iter().chain(given_up).min();
    // Before the pause it waited for something else.
    let paused = run.pauses.values().map(|pause| pause.since).min();
    let since = task.since.max(paused.filter(|_| matches!(wake, Wake::Resume { .. })).unwrap_or(task.since));
    let (on, who) = in_words(run.id, task, wake);
    let is_held = matches!(wake, Wake::Resume { .. } | Wake::Engine);
    let unjudged = (task.phase == Phase::Blocked && !is_held).then(|| run.unjudged(ix)).flatten();
    let on = unjudged.iter().fold(on, |on, odd| format!("{on}; {}", odd.in_words()));
    vec![Wait { task: task.id.clone(), on, since, until, who, unjudged }]
}

/// The wait for the end of what keeps a ready task from starting, which is given up at that moment.
fn for_room(state: &State, run: &Run, task: &Task, (barred, given_up): (&Barred, Option<Time>)) -> Wait {
    let ends = match &barred.bar {
        Bar::Agents(agents) => {
            let ends = agents.iter().filter_map(|(_, bar)| match bar {
                AgentBar::Account(_, by) => by.until(),
                AgentBar::Concurrency(_) => None,
            });
            ends.min().map(|due| Time::from_ms(due + state.clock.steps_ms))
        }
        Bar::Beside(_)
        | Bar::Others
        | Bar::Before(..)
        | Bar::Budget { .. }
        | Bar::Parallel(..)
        | Bar::Concurrency(_)
        | Bar::Slots => None,
    };
    let (on, who) = room_in_words(run.id, barred);
    let since = task.since.max(barred.since.unwrap_or(task.since));
    let until = ends.into_iter().chain(given_up).min();
    Wait { task: task.id.clone(), on, since, until, who, unjudged: None }
}

/// What keeps a task from starting, and who can change it.
fn room_in_words(id: RunId, barred: &Barred) -> (String, String) {
    let full = |most: &u32| format!("{} of {most} in flight", barred.in_flight);
    let programs = || programs(id, barred);
    match &barred.bar {
        Bar::Beside(number) => {
            let (run, task) = &barred.named[0];
            let on = format!(
                "attempt {number} of {}, beside which nothing starts since it was lost twice in a row",
                named(id, *run, task)
            );
            (on, format!("{}, or you: `windlass cancel {run} {task}`", programs()))
        }
        Bar::Others => {
            let others = barred.in_flight;
            let on = format!(
                "the end of all others ({others} in flight): lost twice in a row, it must start alone"
            );
            (on, programs())
        }
        Bar::Before(run, task) => {
            let on = format!("{}, which was lost twice in a row and must start alone", named(id, *run, task));
            (on, format!("{}, or you: `windlass cancel {run} {task}`", programs()))
        }
        Bar::Budget { of: Some(task), spent, open, most } => (
            format!("the budget of attempts of {task}: {spent} used and {open} in flight, of {most}"),
            programs(),
        ),
        Bar::Budget { of: None, spent, open, most } => (
            format!("the run's budget of attempts: {spent} used and {open} in flight, of {most}"),
            format!("windlass, or you: `windlass resume {id} --budget attempts=+5`"),
        ),
        Bar::Parallel(parent, most) => {
            (format!("room under the max_parallel of {parent}: {}", full(most)), programs())
        }
        Bar::Concurrency(most) => (format!("room under the plan's concurrency: {}", full(most)), programs()),
        Bar::Agents(agents) => {
            let words: Vec<String> =
                agents.iter().map(|(agent, bar)| format!("{agent}, {}", why(bar))).collect();
            let is_account = |(_, bar): &(AgentName, AgentBar)| matches!(bar, AgentBar::Account(..));
            let windlass = agents.iter().any(is_account).then(|| "windlass".to_owned());
            let programs = (barred.in_flight > 0).then(programs);
            let who: Vec<String> = programs.into_iter().chain(windlass).collect();
            (format!("an agent: {}", words.join("; ")), who.join(", or "))
        }
        Bar::Slots => (format!("a free slot: {} in use", barred.in_flight), programs()),
    }
}

/// A task, with its run where that is another.
fn named(id: RunId, run: RunId, task: &TaskId) -> String {
    if run == id { task.to_string() } else { format!("{run}/{task}") }
}

/// Those whose ends make room.
fn programs(id: RunId, barred: &Barred) -> String {
    let mut names: Vec<String> = barred.named.iter().map(|(run, task)| named(id, *run, task)).collect();
    let more = barred.in_flight - names.len();
    if more > 0 {
        names.push(format!("{more} more"));
    }
    let last = names.pop().unwrap_or_default();
    if names.is_empty() {
        format!("the program of {last}")
    } else {
        format!("the programs of {} and {last}", names.join(", "))
    }
}

/// What is waited for, and who can change it.
fn in_words(id: RunId, task: &Task, wake: &Wake) -> (String, String) {
    let windlass = || "windlass".to_owned();
    match wake {
        Wake::Needs(tasks) => {
            let names: Vec<&str> = tasks.iter().map(TaskId::as_str).collect();
            let noun = if names.len() == 1 { "task" } else { "tasks" };
            (format!("{noun} {}", names.join(", ")), windlass())
        }
        Wake::Children(open) => {
            (format!("its children: {open} of {} are open", task.children.len()), windlass())
        }
        Wake::Brought(parts) => {
            (format!("the end of {}, which its attempt started", parts_of(parts)), windlass())
        }
        Wake::Room(_) => unreachable!("each of what keeps it from starting has words of its own"),
        Wake::Attempt { number, stopping: false, brought, .. } if brought.1 > 0 => (
            format!("attempt {number}, which waits for {} that it started", parts_of(brought)),
            "its program".to_owned(),
        ),
        Wake::Attempt { number, stopping: false, .. } => {
            (format!("attempt {number}, which runs"), "its program".to_owned())
        }
        Wake::Attempt { number, stopping: true, .. } => {
            (format!("attempt {number}, which is being stopped"), windlass())
        }
        Wake::Output(number) => {
            (format!("the output of attempt {number}, which is being checked"), windlass())
        }
        Wake::Commit(number) => {
            (format!("what attempt {number} left in its worktree, which is being committed"), windlass())
        }
        Wake::Landing(None) => ("its work to land, which it does now".to_owned(), windlass()),
        Wake::Landing(Some(first)) => (format!("its turn to land: {first} is first"), windlass()),
        Wake::Retry(_) if task.phase == Phase::Parked => {
            ("the time from which its provider takes it again".to_owned(), windlass())
        }
        Wake::Retry(_) => ("the due time of its next attempt".to_owned(), windlass()),
        Wake::Approval { id: question } => {
            ("an approval".to_owned(), format!("you: `windlass approve {id} {} --id {question}`", task.id))
        }
        Wake::Outcome => (
            "somebody who knows whether its last attempt did the work".to_owned(),
            format!("you: `windlass settle {id} {} --done`, or `--failed`", task.id),
        ),
        Wake::Topic { topic, matches, after, from, external } => {
            let matching = matches.iter().map(|matches| format!(" that matches {matches}"));
            let said = after.iter().map(|after| format!(", said once {after} has succeeded"));
            (
                matching.chain(said).fold(format!("a message on the topic {topic}"), |on, more| on + &more),
                emitters(from, external.then(|| format!("`windlass emit {id} {topic}`"))),
            )
        }
        Wake::Moment(_) => ("the moment that it is to wait for".to_owned(), "the clock".to_owned()),
        Wake::Choice { passed, of } => {
            (format!("the choice among its replicas: {passed} of {of} have passed"), windlass())
        }
        Wake::Resume { reasons, used_up, raise } => {
            let resume =
                raise.iter().fold(format!("windlass resume {id}"), |to, raise| format!("{to} {raise}"));
            let disk = if *reasons == [PauseReason::DiskLow] { "room on the disk, or " } else { "" };
            let mut reasons: Vec<String> = reasons.iter().map(|reason| reason.name().to_owned()).collect();
            reasons.extend(used_up.as_ref().map(UsedUp::in_words));
            (format!("the end of the run's pause ({})", reasons.join(", ")), format!("{disk}you: `{resume}`"))
        }
        Wake::Engine => {
            ("an engine: none works on the run".to_owned(), format!("you: `windlass resume {id}`"))
        }
    }
}

/// Why an agent can't work now.
fn why(bar: &AgentBar) -> String {
    match bar {
        AgentBar::Concurrency(most) => {
            format!("which has {most} in flight, as many as its concurrency allows")
        }
        AgentBar::Account(account, by) => match by {
            AccountBar::Open(_) => format!("whose breaker is open (account {account})"),
            AccountBar::Probing => {
                format!("whose breaker is half open, and another attempt probes it (account {account})")
            }
            AccountBar::Paused(_) => format!("whose provider wants no more for a while (account {account})"),
            AccountBar::Rate(_) => format!("whose rate is used up (account {account})"),
            AccountBar::Cap(most) => {
                format!(
                    "whose provider takes {most} at a time for now, which are in flight (account {account})"
                )
            }
        },
    }
}

/// Plans that an attempt brought.
fn parts_of((named, all): &Named) -> String {
    let mut parts: Vec<String> = named.iter().map(ToString::to_string).collect();
    if *all > named.len() {
        parts.push(format!("{} more", all - named.len()));
    }
    parts.join(", ")
}

/// Who can emit what is waited for; also the command of who may do so from outside.
fn emitters((named, all): &Named, outside: Option<String>) -> String {
    let mut who: Vec<String> = named.iter().map(ToString::to_string).collect();
    match all - named.len() {
        0 => {}
        1 => who.push("one other task".to_owned()),
        more => who.push(format!("{more} other tasks")),
    }
    if let Some(command) = outside {
        who.push(format!("somebody outside the run: {command}"));
    }
    who.join(", ")
}

/// What every unfinished task of a run waits for.
pub fn waits(state: &State, run: &Run, alive: bool) -> Vec<Wait> {
    in_order(run).flat_map(|ix| waits_of(state, run, ix, alive)).collect()
}

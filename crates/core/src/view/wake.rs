//! What brings an unfinished task forward: one answer for each phase, read off the state. Whenever the system is at
//! rest every unfinished task has one, and the simulator holds us to it. Never: changing what it looks at.

use crate::event::{PauseReason, TimerKind};
use crate::id::TaskId;
use crate::machine::run;
use crate::machine::task::Phase;
use crate::plan::{WaitFor, Work};
use crate::policy::select::Vote;
use crate::state::budget::UsedUp;
use crate::state::{Blocked, Run, State, Task, TaskIx};
use crate::time::{Span, Time};
use crate::view::bars::{Barred, bars};

/// How many of the tasks that may emit a topic, or of the plans that an attempt brought, are named.
const TASKS_NAMED: usize = 3;

/// Tasks: the first of them, and how many there are.
pub type Named = (Vec<TaskId>, usize);

/// What a task waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wake {
    /// The ends of these tasks.
    Needs(Vec<TaskId>),
    /// The ends of its children, of which so many are open.
    Children(u32),
    /// The ends of these plans, which its attempt brought.
    Brought(Named),
    /// The end of all that keeps it from starting.
    Room(Vec<Barred>),
    /// The end of its attempt, which is being stopped or not.
    Attempt {
        /// The attempt's number.
        number: u32,
        /// Whether it is being ended from outside.
        stopping: bool,
        /// When its `start_to_close` is over.
        until: Option<Time>,
        /// The plans that it brought and that have not ended.
        brought: Named,
    },
    /// Its attempt is over; the output of this one is being parsed and checked.
    Output(u32),
    /// What an attempt left in its worktree is being committed.
    Commit(u32),
    /// Its turn to land, behind this task; none where it lands.
    Landing(Option<TaskId>),
    /// The due time of the next attempt.
    Retry(Time),
    /// Somebody's yes or no.
    Approval {
        /// The id of the question.
        id: String,
    },
    /// Somebody who knows whether its last attempt did the work.
    Outcome,
    /// A message.
    Topic {
        /// Its topic.
        topic: String,
        /// Which messages count, where not all do.
        matches: Option<String>,
        /// The task without whose success none counts, while it has not succeeded.
        after: Option<TaskId>,
        /// The unfinished tasks that may emit it.
        from: Named,
        /// Whether it may come from outside the run.
        external: bool,
    },
    /// A moment.
    Moment(Time),
    /// The choice among the replicas that it is one of.
    Choice {
        /// How many of them have passed.
        passed: usize,
        /// How many there are.
        of: usize,
    },
    /// The end of the run's pause.
    Resume {
        /// Why it is paused.
        reasons: Vec<PauseReason>,
        /// What of its budget is used up, where it is for that.
        used_up: Option<UsedUp>,
        /// What more of its budget brings it forward, as an argument of `resume`.
        raise: Option<&'static str>,
    },
    /// An engine that works on the run.
    Engine,
}

/// What brings a task forward; none where it is final, or where nothing does.
pub fn wake(state: &State, run: &Run, ix: TaskIx) -> Option<Wake> {
    let standstill = standstill(state, run).filter(|_| stands_still(run.task(ix)));
    standstill.or_else(|| besides(state, run, ix))
}

/// The same but for what holds its whole run: what it waits for besides that.
pub(crate) fn besides(state: &State, run: &Run, ix: TaskIx) -> Option<Wake> {
    let task = run.task(ix);
    match task.phase {
        Phase::Waiting => needs(run, task),
        Phase::Ready => Some(bars(state, run, ix)).filter(|bars| !bars.is_empty()).map(Wake::Room),
        Phase::Running | Phase::Stopping => attempt(state, run, ix),
        Phase::Gating if run.open_plans(ix) > 0 => Some(Wake::Brought(brought(run, ix))),
        Phase::Gating => task.last_attempt().map(|attempt| {
            if attempt.awaits_work() { Wake::Commit(attempt.number) } else { Wake::Output(attempt.number) }
        }),
        Phase::Merging => {
            let before = run.lands_next().filter(|next| *next != ix);
            Some(Wake::Landing(before.map(|next| run.task(next).id.clone())))
        }
        Phase::BackingOff | Phase::Parked => retry(state, run, ix),
        Phase::Blocked if task.blocked == Some(Blocked::Select) => choice(run, task),
        Phase::Blocked if task.blocked == Some(Blocked::Topic) => topic(run, ix),
        Phase::Blocked if task.blocked == Some(Blocked::Timer) => moment(state, run, ix),
        Phase::Blocked => Some(person(task)),
        Phase::Expanded => (task.children_open > 0).then_some(Wake::Children(task.children_open)),
        Phase::Succeeded | Phase::Skipped | Phase::Dead | Phase::Cancelled => None,
    }
}

/// When a task is given up at the latest, by the clock of its run; none where nothing bounds its wait.
pub fn bound(run: &Run, ix: TaskIx) -> Option<Span> {
    let task = run.task(ix);
    let dues = task.dues;
    // Once it has stopped an attempt it bounds nothing any more.
    let close_by = dues.close_by.filter(|due| run.alarms.contains(&(*due, ix, TimerKind::ScheduleToClose)));
    let timeout = match task.phase {
        Phase::Ready => dues.start_by.into_iter().chain(close_by).min(),
        Phase::Running | Phase::BackingOff | Phase::Parked => close_by,
        Phase::Blocked => dues.answer_by,
        Phase::Waiting
        | Phase::Stopping
        | Phase::Gating
        | Phase::Merging
        | Phase::Expanded
        | Phase::Succeeded
        | Phase::Skipped
        | Phase::Dead
        | Phase::Cancelled => None,
    };
    timeout.into_iter().chain(run.time_ends(ix)).min()
}

/// Whether a task stands still with its run.
fn stands_still(task: &Task) -> bool {
    let is_blocked =
        task.phase == Phase::Blocked && matches!(task.blocked, Some(Blocked::Topic | Blocked::Timer));
    is_blocked || task.phase.waits_to_start()
}

/// Why nothing new starts in a run.
fn standstill(state: &State, run: &Run) -> Option<Wake> {
    match run.phase {
        run::Phase::Paused => {
            let (reasons, alive) = (run.pauses.keys().copied().collect(), state.clock.alive);
            let (used_up, raise) = (run.paused_for(alive), run.wanted_raise(alive));
            Some(Wake::Resume { reasons, used_up, raise })
        }
        run::Phase::Running | run::Phase::Finished if state.is_active(run) => None,
        run::Phase::Running | run::Phase::Finished => Some(Wake::Engine),
    }
}

fn needs(run: &Run, task: &Task) -> Option<Wake> {
    let needed = run.needs(task).map(|need| run.task(need));
    let open: Vec<TaskId> =
        needed.filter(|need| !need.phase.is_final()).map(|need| need.id.clone()).collect();
    (!open.is_empty()).then_some(Wake::Needs(open))
}

fn attempt(state: &State, run: &Run, ix: TaskIx) -> Option<Wake> {
    let task = run.task(ix);
    let attempt = task.live_attempt().filter(|attempt| state.live.contains_key(&attempt.fence))?;
    let bound = run.spec(task).timeout.start_to_close;
    Some(Wake::Attempt {
        number: attempt.number,
        stopping: task.phase == Phase::Stopping,
        until: bound.map(|bound| attempt.started.after(bound)),
        brought: brought(run, ix),
    })
}

/// The plans that an attempt of a task brought and that have not ended.
fn brought(run: &Run, ix: TaskIx) -> Named {
    named(run, run.open_parts(ix))
}

fn named(run: &Run, tasks: impl Iterator<Item = TaskIx> + Clone) -> Named {
    let first = tasks.clone().take(TASKS_NAMED).map(|ix| run.task(ix).id.clone());
    (first.collect(), tasks.count())
}

fn retry(state: &State, run: &Run, ix: TaskIx) -> Option<Wake> {
    let due = run.task(ix).dues.retry.filter(|due| run.retries.contains(&(*due, ix)))?;
    Some(Wake::Retry(Time::from_ms(due + state.clock.steps_ms)))
}

/// What has passed waits for the others, or for the choice itself.
fn choice(run: &Run, task: &Task) -> Option<Wake> {
    let parent = run.candidates(task)?;
    let ballot = run.ballot(parent);
    let passed = ballot.iter().filter(|vote| matches!(vote, Vote::Passed(..))).count();
    Some(Wake::Choice { passed, of: ballot.len() })
}

fn topic(run: &Run, ix: TaskIx) -> Option<Wake> {
    let Work::Wait(WaitFor::Topic { topic, matches, external, .. }) = &run.spec(run.task(ix)).work else {
        return None;
    };
    Some(Wake::Topic {
        topic: topic.clone(),
        matches: matches.as_ref().map(|matches| matches.0.clone()),
        after: run.listens_after(ix).map(|since| run.task(since).id.clone()),
        from: named(run, run.topics.emitters(topic)),
        external: *external,
    })
}

fn moment(state: &State, run: &Run, ix: TaskIx) -> Option<Wake> {
    let date = run.task(ix).dues.date.filter(|due| run.dates.contains(&(*due, ix))).map(Wake::Moment);
    let length = |wake| if let Wake::Retry(due) = wake { Wake::Moment(due) } else { wake };
    date.or_else(|| retry(state, run, ix).map(length))
}

fn person(task: &Task) -> Wake {
    match task.approval_open() {
        Some(asked) => Wake::Approval { id: asked.id.clone() },
        None => Wake::Outcome,
    }
}

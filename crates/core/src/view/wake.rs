//! What brings an unfinished task forward: one answer for each phase, read off the state. Whenever the system is at
//! rest every unfinished task has one, and the simulator holds us to it. Never: changing what it looks at.

use crate::event::PauseReason;
use crate::id::TaskId;
use crate::machine::run;
use crate::machine::task::Phase;
use crate::plan::{WaitFor, Work};
use crate::policy::select::Vote;
use crate::state::budget::UsedUp;
use crate::state::{Blocked, Run, State, Task, TaskIx};
use crate::time::Time;
use crate::view::bars::{Barred, bars};

/// How many of the tasks that may emit a topic are named.
const EMITTERS_NAMED: usize = 3;

/// What a task waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wake {
    /// The ends of these tasks.
    Needs(Vec<TaskId>),
    /// The ends of its children, of which so many are open.
    Children(u32),
    /// The ends of the plans that its attempt brought, of which so many are open.
    Brought(u32),
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
    },
    /// Its attempt is over; the output of this one is being parsed and checked.
    Output(u32),
    /// The due time of the next attempt.
    Retry(Time),
    /// Somebody's yes or no.
    Approval {
        /// The id of the question.
        id: String,
        /// When the wait is given up; none while that clock stands.
        until: Option<Time>,
    },
    /// Somebody who knows whether its last attempt did the work.
    Outcome {
        /// When the wait is given up; none while that clock stands.
        until: Option<Time>,
    },
    /// A message.
    Topic {
        /// Its topic.
        topic: String,
        /// Which messages count, where not all do.
        matches: Option<String>,
        /// The first of the unfinished tasks that may emit it, and how many there are.
        from: (Vec<TaskId>, usize),
        /// Whether it may come from outside the run.
        external: bool,
        /// When the wait is given up; none while that clock stands, or where nothing bounds it.
        until: Option<Time>,
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
    /// The end of the run's pause, for these reasons; and what of its budget is used up, where it is for that.
    Resume(Vec<PauseReason>, Option<UsedUp>),
    /// An engine that works on the run.
    Engine,
}

/// What brings a task forward; none where it is final, or where nothing does.
pub fn wake(state: &State, run: &Run, ix: TaskIx) -> Option<Wake> {
    let task = run.task(ix);
    match task.phase {
        Phase::Waiting => needs(run, task),
        Phase::Ready => {
            let room = || Some(bars(state, run, ix)).filter(|bars| !bars.is_empty()).map(Wake::Room);
            standstill(state, run).or_else(room)
        }
        Phase::Running | Phase::Stopping => attempt(state, run, task),
        Phase::Gating if run.open_plans(ix) > 0 => Some(Wake::Brought(run.open_plans(ix))),
        Phase::Gating => task.last_attempt().map(|attempt| Wake::Output(attempt.number)),
        Phase::BackingOff | Phase::Parked => standstill(state, run).or_else(|| retry(state, run, ix)),
        Phase::Blocked if task.blocked == Some(Blocked::Select) => choice(run, task),
        Phase::Blocked if task.blocked == Some(Blocked::Topic) => topic(state, run, task),
        Phase::Blocked if task.blocked == Some(Blocked::Timer) => moment(state, run, ix),
        Phase::Blocked => Some(person(state, run, task)),
        Phase::Expanded => (task.children_open > 0).then_some(Wake::Children(task.children_open)),
        Phase::Succeeded | Phase::Skipped | Phase::Dead | Phase::Cancelled => None,
    }
}

/// Why nothing new starts in a run.
fn standstill(state: &State, run: &Run) -> Option<Wake> {
    match run.phase {
        run::Phase::Paused => {
            let is_budget = run.pauses.contains_key(&PauseReason::Budget);
            let used_up = run.purse.used_up(&run.plan.budget, run.active.at(state.clock.alive));
            Some(Wake::Resume(run.pauses.keys().copied().collect(), used_up.filter(|_| is_budget)))
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

fn attempt(state: &State, run: &Run, task: &Task) -> Option<Wake> {
    let attempt = task.live_attempt().filter(|attempt| state.live.contains_key(&attempt.fence))?;
    let bound = run.spec(task).timeout.start_to_close;
    Some(Wake::Attempt {
        number: attempt.number,
        stopping: task.phase == Phase::Stopping,
        until: bound.map(|bound| attempt.started.after(bound)),
    })
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

/// When a wait is given up that only a task of its own run, a person or somebody outside can end.
fn given_up(state: &State, run: &Run, task: &Task) -> Option<Time> {
    task.dues.answer_by.filter(|_| state.is_active(run)).map(|due| state.wall_of(run, due))
}

fn topic(state: &State, run: &Run, task: &Task) -> Option<Wake> {
    let Work::Wait(WaitFor::Topic { topic, matches, external, .. }) = &run.spec(task).work else {
        return None;
    };
    let emitters = run.topics.emitters(topic);
    let from = emitters.clone().take(EMITTERS_NAMED).map(|ix| run.task(ix).id.clone()).collect();
    let message = Wake::Topic {
        topic: topic.clone(),
        matches: matches.as_ref().map(|matches| matches.0.clone()),
        from: (from, emitters.count()),
        external: *external,
        until: given_up(state, run, task),
    };
    standstill(state, run).or(Some(message))
}

fn moment(state: &State, run: &Run, ix: TaskIx) -> Option<Wake> {
    let date = run.task(ix).dues.date.filter(|due| run.dates.contains(&(*due, ix))).map(Wake::Moment);
    let length = |wake| if let Wake::Retry(due) = wake { Wake::Moment(due) } else { wake };
    standstill(state, run).or(date).or_else(|| retry(state, run, ix).map(length))
}

fn person(state: &State, run: &Run, task: &Task) -> Wake {
    let until = given_up(state, run, task);
    match task.approval_open() {
        Some(asked) => Wake::Approval { id: asked.id.clone(), until },
        None => Wake::Outcome { until },
    }
}

//! What brings an unfinished task forward: one answer for each phase, read off the state. Whenever the system is at
//! rest every unfinished task has one, and the simulator holds us to it. Never: changing what it looks at.

use serde::Serialize;

use crate::budget::UsedUp;
use crate::crew::Held;
use crate::event::{BlockedOn, PauseReason};
use crate::fleet::Hold;
use crate::id::{AgentName, RunId, TaskId};
use crate::machine::run;
use crate::machine::task::Phase;
use crate::plan::{WaitFor, Work};
use crate::policy::select::Vote;
use crate::roster::Member;
use crate::state::{Run, State, Task, TaskIx};
use crate::time::Time;
use crate::view::in_order;

/// How many of the tasks that may emit a topic are named.
const EMITTERS_NAMED: usize = 3;

/// What a task waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wake {
    /// The ends of these tasks.
    Needs(Vec<TaskId>),
    /// The ends of its children, of which so many are open.
    Children(u32),
    /// A slot: so many attempts hold one now.
    Slot(usize),
    /// Attempts in flight, since they may use up the budget of the run.
    Budget {
        /// How many attempts were charged.
        spent: u32,
        /// How many are in flight.
        open: u32,
        /// How many there may be.
        most: u32,
    },
    /// Somebody who works on it: none of these agents can now, each for this reason.
    Agents(Vec<(AgentName, Held)>),
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
            let held = || agents(state, run, task).or_else(|| slot(state));
            standstill(state, run).or_else(|| budget(run)).or_else(held)
        }
        Phase::Running | Phase::Stopping => attempt(state, run, task),
        Phase::Gating => task.last_attempt().map(|attempt| Wake::Output(attempt.number)),
        Phase::BackingOff | Phase::Parked => standstill(state, run).or_else(|| retry(state, run, ix)),
        Phase::Blocked if task.blocked == Some(BlockedOn::Select) => choice(run, task),
        Phase::Blocked if task.blocked == Some(BlockedOn::Topic) => topic(state, run, task),
        Phase::Blocked if task.blocked == Some(BlockedOn::Timer) => moment(state, run, ix),
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

fn agents(state: &State, run: &Run, task: &Task) -> Option<Wake> {
    let crew = run.queue.crew(task.lane)?;
    let now = state.steady(state.now);
    let held = |agent: &Member| Some((agent.name.clone(), state.held(agent, now)?));
    let all: Vec<_> = crew.pool.iter().filter_map(|agent| held(run.roster.member(*agent))).collect();
    (all.len() == crew.pool.len() && !all.is_empty()).then_some(Wake::Agents(all))
}

fn slot(state: &State) -> Option<Wake> {
    (!state.live.is_empty()).then_some(Wake::Slot(state.live.len()))
}

fn budget(run: &Run) -> Option<Wake> {
    let most = run.purse.attempts_max(&run.plan.budget)?;
    let (spent, open) = (run.purse.spent, run.purse.open);
    (open > 0 && spent + open >= most).then_some(Wake::Budget { spent, open, most })
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
    let due = run.task(ix).wait.retry.filter(|due| run.retries.contains(&(*due, ix)))?;
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
    task.wait.answer_by.filter(|_| state.is_active(run)).map(|due| state.wall_of(run, due))
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
    let date = run.task(ix).wait.date.filter(|due| run.dates.contains(&(*due, ix))).map(Wake::Moment);
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
    /// Who can change it.
    pub who: String,
}

/// What an unfinished task waits for. `alive` is whether an engine has the home open.
pub fn wait(state: &State, run: &Run, ix: TaskIx, alive: bool) -> Option<Wait> {
    let task = run.task(ix);
    let wake = wake(state, run, ix)?;
    let by_an_engine = matches!(
        wake,
        Wake::Retry(_)
            | Wake::Moment(_)
            | Wake::Topic { .. }
            | Wake::Slot(_)
            | Wake::Budget { .. }
            | Wake::Agents(_)
            | Wake::Attempt { .. }
            | Wake::Output(_)
    );
    let wake = if by_an_engine && !alive { Wake::Engine } else { wake };
    let until = match &wake {
        Wake::Retry(due) | Wake::Moment(due) => Some(*due),
        Wake::Attempt { until, .. }
        | Wake::Approval { until, .. }
        | Wake::Outcome { until }
        | Wake::Topic { until, .. } => until.filter(|_| alive),
        Wake::Agents(held) => {
            let ends = held.iter().filter_map(|(_, held)| match held {
                Held::Account(_, by) => by.until(),
                Held::Concurrency(_) => None,
            });
            ends.min().map(|due| Time::from_ms(due + state.clock.steps_ms))
        }
        Wake::Needs(_)
        | Wake::Children(_)
        | Wake::Slot(_)
        | Wake::Budget { .. }
        | Wake::Output(_)
        | Wake::Choice { .. }
        | Wake::Resume(..)
        | Wake::Engine => None,
    };
    let (on, who) = in_words(run.id, task, &wake);
    Some(Wait { task: task.id.clone(), on, since: task.since, until, who })
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
        Wake::Budget { spent, open, most } => (
            format!("the run's budget of attempts: {spent} used and {open} in flight, of {most}"),
            format!("windlass, or you: windlass resume {id} --budget attempts=+5"),
        ),
        Wake::Agents(all) => {
            let words: Vec<String> =
                all.iter().map(|(agent, held)| format!("{agent}, {}", why(held))).collect();
            (format!("an agent: {}", words.join("; ")), windlass())
        }
        Wake::Slot(held) => (format!("a free slot: {held} in use"), windlass()),
        Wake::Attempt { number, stopping: false, .. } => {
            (format!("attempt {number}, which runs"), "its program".to_owned())
        }
        Wake::Attempt { number, stopping: true, .. } => {
            (format!("attempt {number}, which is being stopped"), windlass())
        }
        Wake::Output(number) => {
            (format!("the output of attempt {number}, which is being checked"), windlass())
        }
        Wake::Retry(_) if task.phase == Phase::Parked => {
            ("the time from which its provider takes it again".to_owned(), windlass())
        }
        Wake::Retry(_) => ("the due time of its next attempt".to_owned(), windlass()),
        Wake::Approval { id: question, .. } => {
            ("an approval".to_owned(), format!("you: windlass approve {id} {} --id {question}", task.id))
        }
        Wake::Outcome { .. } => (
            "somebody who knows whether its last attempt did the work".to_owned(),
            format!("you: windlass settle {id} {} --done or --failed", task.id),
        ),
        Wake::Topic { topic, matches, from, external, .. } => {
            let matching = matches.as_ref().map(|matches| format!(" that matches {matches}"));
            (
                format!("a message on the topic {topic}{}", matching.unwrap_or_default()),
                emitters(from, *external),
            )
        }
        Wake::Moment(_) => ("the moment that it is to wait for".to_owned(), "the clock".to_owned()),
        Wake::Choice { passed, of } => {
            (format!("the choice among its replicas: {passed} of {of} have passed"), windlass())
        }
        Wake::Resume(reasons, used_up) => {
            let mut reasons: Vec<String> = reasons.iter().map(|reason| reason.name().to_owned()).collect();
            reasons.extend(used_up.as_ref().map(UsedUp::in_words));
            let raise =
                used_up.as_ref().map(|used_up| format!(" {}", used_up.argument())).unwrap_or_default();
            (
                format!("the end of the run's pause ({})", reasons.join(", ")),
                format!("you: windlass resume {id}{raise}"),
            )
        }
        Wake::Engine => ("an engine: none works on the run".to_owned(), format!("you: windlass resume {id}")),
    }
}

/// Why an agent can't work now.
fn why(held: &Held) -> String {
    match held {
        Held::Concurrency(most) => format!("which has {most} in flight, as many as its concurrency allows"),
        Held::Account(account, by) => match by {
            Hold::Open(_) => format!("whose breaker is open (account {account})"),
            Hold::Probing => {
                format!("whose breaker is half open, and another attempt probes it (account {account})")
            }
            Hold::Paused(_) => format!("whose provider wants no more for a while (account {account})"),
            Hold::Rate(_) => format!("whose rate is used up (account {account})"),
            Hold::Cap(most) => {
                format!(
                    "whose provider takes {most} at a time for now, which are in flight (account {account})"
                )
            }
        },
    }
}

/// Who can emit what is waited for.
fn emitters((named, all): &(Vec<TaskId>, usize), external: bool) -> String {
    let mut who: Vec<String> = named.iter().map(ToString::to_string).collect();
    match all - named.len() {
        0 => {}
        1 => who.push("one other task".to_owned()),
        more => who.push(format!("{more} other tasks")),
    }
    if external {
        who.push("somebody outside the run".to_owned());
    }
    who.join(", ")
}

/// What every unfinished task of a run waits for.
pub fn waits(state: &State, run: &Run, alive: bool) -> Vec<Wait> {
    in_order(run).filter_map(|ix| wait(state, run, ix, alive)).collect()
}

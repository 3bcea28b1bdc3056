//! What follows from the state itself, one consequence at a time: results are judged, joins that can't be met skip
//! their tasks, wishes to end are acted on, parents close, waits end, ready tasks are looked at and started, runs
//! finish. Never: input from outside; all of it is derived, so a restart comes to the same.

use crate::decide::{
    Stamp, accounts, approvals, budgets, children, judge, knots, pause_by, requeue, rest, sites, stop, waits,
};
use crate::event::{BlockedOn, Event, PauseReason, SkipReason, StopWhy};
use crate::failure::{ErrorKind, Failure};
use crate::machine::task::Phase;
use crate::plan::Work;
use crate::policy::join::Ending;
use crate::size;
use crate::state::render::{self, View};
use crate::state::steps::{Rest, Step};
use crate::state::{Attempt, Fresh, Look, Run, State, Task, TaskIx, placement};

/// The next consequence of the state: its events, or none where the state is at rest.
/// Takes the `fresh` tasks that it has looked at.
pub(crate) fn next(state: &State, fresh: &mut Fresh, slots: u32, stamp: Stamp) -> Vec<Event> {
    if let Some(event) = accounts::next(state, stamp) {
        return vec![event];
    }
    let mut due = state.due.follow().map(|id| &state.runs[&id]);
    if let Some(events) = due.find_map(|run| Some(of_step(state, run, Step::first(run)?, stamp))) {
        return events;
    }
    while let Some(look) = fresh.pop_front() {
        let events = match look {
            Look::Task(run, ix) => {
                let events = look_at(state, &state.runs[&run], ix, stamp);
                // Looked at before the next wait begins, since each is behind those that it is looked at after.
                if matches!(events.as_slice(), [Event::TaskBlocked { on: BlockedOn::Topic, .. }]) {
                    fresh.push_front(Look::Begun { run, task: ix });
                }
                events
            }
            Look::Message { run, waiter, message } => {
                waits::look_at(state, &state.runs[&run], waiter, message)
            }
            Look::Topic { run, topic } => knots::look_at_topic(state, &state.runs[&run], &topic, fresh),
            Look::Begun { run, task } => knots::look_at_waiter(state, &state.runs[&run], task, fresh),
            Look::Wakeable { run, task } => knots::look_at_task(state, &state.runs[&run], task, fresh),
        };
        if !events.is_empty() {
            return events;
        }
    }
    let mut due = state.due.rest().map(|id| &state.runs[&id]);
    if let Some(events) = due.find_map(|run| Some(rest::events(run, Rest::of(run, state.is_active(run))?))) {
        return events;
    }
    placement::next(state, slots, stamp.now).map_or_else(Vec::new, |start| vec![begin(&start)])
}

/// A look at a task that became ready, or whose question or topic may have changed.
fn look_at(state: &State, run: &Run, ix: TaskIx, stamp: Stamp) -> Vec<Event> {
    let task = run.task(ix);
    match (task.approval_open(), task.phase) {
        (Some(asked), _) => approvals::ask_again(state, run, ix, asked, stamp),
        (None, Phase::Ready) if state.is_active(run) => examine(state, run, ix, stamp),
        (None, _) => waits::look(state, run, ix),
    }
}

fn of_step(state: &State, run: &Run, step: Step, stamp: Stamp) -> Vec<Event> {
    match step {
        Step::Return => requeue::next(run).into_iter().collect(),
        Step::Prepare(ix) => vec![sites::prepare(run, ix)],
        Step::Judge(ix) => judged(state, run, ix, stamp),
        Step::Spare(ix, cause) => vec![spare(run, run.task(ix), run.task(cause))],
        Step::Cancel(ix) => vec![cancel(run, run.task(ix))],
        Step::Skip(ix) => vec![skip(run, ix)],
        Step::Select(ix) => children::choose(run, run.task(ix)),
        Step::Tell(ix) => vec![budgets::told(run, ix, run.attempts_used(ix))],
        Step::Exhaust(ix) => vec![budgets::exhausted(run, ix)],
        Step::Close(ix) => vec![children::close(run, ix)],
    }
}

/// What becomes of a task whose attempt is over. A full disk pauses the run that met it, besides.
fn judged(state: &State, run: &Run, ix: TaskIx, stamp: Stamp) -> Vec<Event> {
    let failure = run.task(ix).last_attempt().and_then(Attempt::failure);
    let met_full_disk = failure.is_some_and(|(failure, _)| failure.kind == ErrorKind::DiskFull);
    let pause = || pause_by(run, PauseReason::DiskLow, "disk");
    let event = judge::judge(state, run, ix, stamp);
    std::iter::once(event).chain((met_full_disk && state.is_active(run)).then(pause)).collect()
}

/// The wish that a task ends, since what needed it has enough.
fn spare(run: &Run, task: &Task, cause: &Task) -> Event {
    let (task, cause) = (Some(task.id.clone()), Some(cause.id.clone()));
    Event::CancelRequested { run: run.id, task, command: None, by: "windlass".into(), cause }
}

fn cancel(run: &Run, task: &Task) -> Event {
    match task.live_attempt() {
        Some(attempt) if let Some(other) = &task.spared_by => {
            stop(run, task, attempt, StopWhy::Cancel, &format!("the join of {other} was met without it"))
        }
        Some(attempt) if run.is_left_behind(task) => {
            stop(run, task, attempt, StopWhy::Cancel, "the attempt that started it ends")
        }
        Some(attempt) if run.spec(task).removed => {
            stop(run, task, attempt, StopWhy::Cancel, "the plan goes on without it")
        }
        Some(attempt) if run.candidates(task).is_some_and(|parent| parent.choice.is_some()) => {
            stop(run, task, attempt, StopWhy::LostRace, "the choice among the replicas was made without it")
        }
        Some(attempt) => stop(run, task, attempt, StopWhy::Cancel, "it was cancelled"),
        None => Event::TaskCancelled { run: run.id, task: task.id.clone() },
    }
}

fn skip(run: &Run, ix: TaskIx) -> Event {
    let task = run.task(ix);
    let needs = run.needs(task);
    let mut endings = needs.clone().map(|need| run.ending(need));
    let (run_id, name) = (run.id, task.id.clone());
    if endings.all(|ending| ending == Some(Ending::WhenSkipped)) {
        return Event::TaskSkipped { run: run_id, task: name, reason: SkipReason::When, cause: None };
    }
    let cause = run.blamed(ix);
    Event::TaskSkipped { run: run_id, task: name, reason: SkipReason::Upstream, cause }
}

/// A look at a task that has just become ready: whether it runs at all, has children, or asks a person.
fn examine(state: &State, run: &Run, ix: TaskIx, stamp: Stamp) -> Vec<Event> {
    let task = run.task(ix);
    let spec = run.spec(task);
    let view = View::of(run, ix);
    let dead = |error: Failure| vec![judge::dead(run, task, None, error)];
    // A condition is looked at once in an incarnation: between two attempts it has held.
    let condition = spec.when.as_ref().filter(|_| task.is_node() && !task.has_begun());
    if let Some(when) = condition {
        match when.truth(&view) {
            Ok(true) => {}
            Ok(false) => {
                let (run, task) = (run.id, task.id.clone());
                return vec![Event::TaskSkipped { run, task, reason: SkipReason::When, cause: None }];
            }
            Err(failure) => return dead(failure.within("when")),
        }
    }
    if run.is_parent(task) {
        return match children::first(run, task, &view) {
            Ok(into) => vec![Event::TaskExpanded { run: run.id, task: task.id.clone(), into }],
            Err(failure) => dead(failure),
        };
    }
    match &spec.work {
        Work::Approval { .. } => approvals::question(state, run, ix, stamp),
        Work::Emit { .. } => waits::emit(run, ix),
        Work::Wait(_) => waits::begin(run, ix, stamp),
        Work::Prompt { .. } if run.is_to_name(task) => match run.named_by_expression(ix, task.next_attempt())
        {
            Ok(agent) => {
                let (run, attempt, task) = (run.id, task.next_attempt(), task.id.clone());
                vec![Event::AgentNamed { run, task, attempt, agent }]
            }
            Err(failure) => dead(failure),
        },
        Work::Prompt { .. } | Work::Argv(_) | Work::Shell(_) | Work::Plan(_) => Vec::new(),
    }
}

/// The start of an attempt, or the end of a task whose templates can't be filled in.
fn begin(start: &placement::Start<'_>) -> Event {
    let (run, task) = (start.run, start.run.task(start.task));
    let attempt = task.next_attempt();
    let (program, seen) = match render::beginning(run, start.task, start.agent.as_ref()) {
        Ok(begun) => begun,
        Err(error) => return judge::dead(run, task, None, error),
    };
    let names = seen.len();
    let started = Event::AttemptStarted {
        run: run.id,
        task: task.id.clone(),
        attempt,
        agent: start.agent.clone(),
        prompt: render::digest(&program),
        plan_version: run.version,
        alone: start.alone,
        seen,
    };
    if size::too_large(&started) {
        let message = format!(
            "its texts name {names} tasks that have not succeeded, more than a record of the journal can hold"
        );
        let error = Failure::new(ErrorKind::Expression, message).hint("name fewer tasks in its texts");
        return judge::dead(run, task, None, error);
    }
    started
}

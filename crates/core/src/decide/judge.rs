//! What becomes of a task whose attempt is over. Never: the attempt itself, whose outcome is fixed.

use crate::decide::{Stamp, nests, sites};
use crate::errand::ObjectId;
use crate::event::{BlockedOn, Event};
use crate::failure::{ErrorKind, Failure};
use crate::output::Output;
use crate::plan::{ANSWER_BOUND, Rerun, Retry, Timeout};
use crate::planted::{Bug, is_planted};
use crate::policy::retry::{self, Beside, Next};
use crate::state::{Attempt, Run, State, Task, TaskIx};
use crate::time::Span;

/// The event that follows the end of a task's attempt.
pub(crate) fn judge(state: &State, run: &Run, ix: TaskIx, stamp: Stamp) -> Event {
    let event = by_policy(state, run, ix, stamp);
    let (Event::RetryScheduled { error, .. } | Event::TaskParked { error, .. }) = &event else {
        return event;
    };
    let Some(error) = done_once(run, ix, error) else { return event };
    unknown(run, run.task(ix), error, stamp)
}

/// Why a task is not tried again without a person, where its attempt started what may not be done twice.
fn done_once(run: &Run, ix: TaskIx, failure: &Failure) -> Option<Failure> {
    let mut done = run.done_once(ix).filter(|_| !is_planted(Bug::DoneTwice));
    let first = &done.next()?.id;
    let (others, they) = match done.count() {
        0 => (String::new(), "it"),
        1 => (" (as was 1 more)".to_owned(), "they"),
        more => (format!(" (as were {more} more)"), "they"),
    };
    let message = format!(
        "{}; {first} has `rerun: never` and was started{others}: another attempt may start it again",
        failure.message
    );
    let hint = format!(
        "find out what {they} did, then `windlass settle RUN TASK --done`, `--failed`, or `windlass retry RUN TASK`"
    );
    Some(Failure::new(ErrorKind::OutcomeUnknown, message).cause(first.to_string()).hint(hint))
}

/// A person is asked what only a person can know.
fn unknown(run: &Run, task: &Task, error: Failure, stamp: Stamp) -> Event {
    Event::TaskBlocked {
        run: run.id,
        task: task.id.clone(),
        on: BlockedOn::Outcome,
        error: Some(error),
        due: Some(stamp.now.after(ANSWER_BOUND)),
        output: None,
        topic: None,
    }
}

fn by_policy(state: &State, run: &Run, ix: TaskIx, stamp: Stamp) -> Event {
    let task = run.task(ix);
    let attempt = task.last_attempt().expect("what is judged has an attempt");
    let (id, name) = (run.id, task.id.clone());
    if task.cancel_wished && !is_planted(Bug::CancelOverruled) {
        return Event::TaskCancelled { run: id, task: name };
    }
    let Some((failure, delay)) = attempt.failure() else {
        return sites::request_merge(run, task).unwrap_or_else(|| well(run, task));
    };
    if failure.kind == ErrorKind::Conflict {
        return bounced(run, task, failure, stamp);
    }
    let spec = run.spec(task);
    if spec.rerun == Rerun::Never && !attempt.ended_by_itself() {
        let error = Failure::new(
            ErrorKind::OutcomeUnknown,
            format!("{}; nobody knows whether it was done", failure.message),
        )
        .hint("find out, then `windlass settle RUN TASK --done`, `--failed`, or `windlass retry RUN TASK`");
        return unknown(run, task, error, stamp);
    }
    let out_of_time = task.dues.close_by.is_some_and(|due| run.active.at(state.alive_at(stamp.now)) >= due);
    let was_interrupted = attempt.was_interrupted();
    let successor = attempt.agent.as_ref().and_then(|agent| run.successor(ix, agent));
    let next = if was_interrupted {
        retry::after_interruption(&spec.retry, &task.tries)
    } else {
        let beside = Beside { delay, has_successor: successor.is_some(), draw: draw(stamp, attempt) };
        retry::after_failure(&spec.retry, &task.tries, &failure, beside)
    };
    match next {
        Next::Retry { wait, .. } if !out_of_time && is_quota(&failure, &spec.retry) => Event::TaskParked {
            run: id,
            task: name,
            attempt: attempt.number,
            due: stamp.now.after(wait),
            error: failure.recorded(),
        },
        Next::HandOver if !out_of_time => Event::RetryScheduled {
            run: id,
            task: name,
            attempt: attempt.number,
            due: stamp.now,
            wait_ms: 0,
            ceiling_ms: retry::ceiling(&spec.retry, task.tries.level).ms,
            error: failure.recorded(),
            agent: successor,
        },
        Next::Retry { wait, ceiling } if !out_of_time => Event::RetryScheduled {
            run: id,
            task: name,
            attempt: attempt.number,
            due: stamp.now.after(wait),
            wait_ms: wait.ms,
            ceiling_ms: ceiling.ms,
            error: failure.recorded(),
            agent: None,
        },
        Next::Retry { .. } | Next::HandOver => {
            let failure = if was_interrupted { took_too_long(task, &spec.timeout) } else { failure };
            dead(run, task, Some(attempt.number), failure)
        }
        Next::GiveUp(failure) => dead(run, task, Some(attempt.number), failure),
    }
}

/// How often work that conflicts with what has landed is done again, without being charged.
const MERGE_ATTEMPTS: usize = 3;

/// What becomes of a task whose work could not land: it is done again from where the target is now.
fn bounced(run: &Run, task: &Task, failure: Failure, stamp: Stamp) -> Event {
    let is_conflict =
        |attempt: &&Attempt| attempt.error.as_ref().is_some_and(|error| error.kind == ErrorKind::Conflict);
    let earlier = usize::try_from(task.earlier).expect("32 bits fit");
    let conflicts = task.attempts[earlier..].iter().filter(is_conflict).count();
    let number = task.last_attempt().map_or(0, |attempt| attempt.number);
    if conflicts > MERGE_ATTEMPTS {
        return dead(run, task, Some(number), failure);
    }
    Event::RetryScheduled {
        run: run.id,
        task: task.id.clone(),
        attempt: number,
        due: stamp.now,
        wait_ms: 0,
        ceiling_ms: 0,
        error: failure.recorded(),
        agent: None,
    }
}

/// Whether a limit is that of a quota, whose window opens later than any wait between attempts would be over.
fn is_quota(failure: &Failure, policy: &Retry) -> bool {
    failure.kind == ErrorKind::RateLimited
        && failure.retry_after.is_some_and(|wait| wait > policy.max_interval)
}

/// What follows a good result: it is accepted, unless a choice among replicas comes first.
pub(crate) fn well(run: &Run, task: &Task) -> Event {
    if run.candidates(task).is_some() { passed(run, task, None) } else { accepted(run, task) }
}

/// The acceptance of what a task's newest attempt gave.
pub(crate) fn accepted(run: &Run, task: &Task) -> Event {
    // What a person passed has no attempt that did.
    let newest = task.last_attempt().filter(|attempt| attempt.failure().is_none());
    Event::TaskSucceeded {
        run: run.id,
        task: task.id.clone(),
        attempt: newest.map(|attempt| attempt.number),
        fence: newest.map(|attempt| attempt.fence),
        output: None,
        commit: None,
    }
}

/// The acceptance of what has just landed.
pub(crate) fn landed(run: &Run, task: &Task, by: &ObjectId) -> Event {
    let newest = task.last_attempt().expect("what lands was worked on");
    Event::TaskSucceeded {
        run: run.id,
        task: task.id.clone(),
        attempt: Some(newest.number),
        fence: Some(newest.fence),
        output: None,
        commit: Some(by.clone()),
    }
}

/// A replica passed: whether its result counts is for the choice to say. `output` is what a person gave for it.
pub(crate) fn passed(run: &Run, task: &Task, output: Option<Output>) -> Event {
    let (run, task, on) = (run.id, task.id.clone(), BlockedOn::Select);
    Event::TaskBlocked { run, task, on, error: None, due: None, output, topic: None }
}

/// The end of a task for good. `attempt` is the one that it died of, where it died of one.
pub(crate) fn dead(run: &Run, task: &Task, attempt: Option<u32>, error: Failure) -> Event {
    // What failed because of its children is theirs; what it died of by itself, whatever that calls itself, is its own.
    let is_own = attempt.is_some() || error.kind != ErrorKind::Children;
    gone(run, task, attempt, error, is_own)
}

/// The same, where it is said whether what it died of is its own, and so to be brought back by itself.
pub(crate) fn gone(run: &Run, task: &Task, attempt: Option<u32>, error: Failure, is_own: bool) -> Event {
    let ix = run.names[&task.id];
    // What an attempt brought is that attempt's to try again, and nobody's letter.
    let dead_letter = is_own && run.brought_around(ix).is_none();
    let error = nests::recorded(run, ix, error);
    Event::TaskDead { run: run.id, task: task.id.clone(), attempt, error, dead_letter }
}

/// The failure of a task whose attempts together took too long.
pub(crate) fn took_too_long(task: &Task, timeout: &Timeout) -> Failure {
    let bound = timeout.schedule_to_close.unwrap_or_default();
    if !task.has_begun() {
        return never_started("schedule_to_close", bound);
    }
    let message = format!("its attempts together took longer than its schedule_to_close of {bound}");
    Failure::new(ErrorKind::Timeout, message)
}

/// What became of a task that was ready for longer than this bound, and had no attempt: there is no log.
pub(crate) fn never_started(bound: &str, length: Span) -> Failure {
    let message = format!("it did not start within its {bound} of {length}");
    let hint = "`windlass doctor --why-slow` says what it waited for; `windlass retry` lets it wait anew";
    Failure::new(ErrorKind::Timeout, message).hint(hint)
}

/// A random number for this attempt alone (`SplitMix64`).
fn draw(stamp: Stamp, attempt: &Attempt) -> u64 {
    let mut mixed = stamp.seed.wrapping_add(attempt.fence.0.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

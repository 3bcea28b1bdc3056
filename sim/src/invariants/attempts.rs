//! 5, attempts: within an incarnation charged attempts stay within `max_attempts`, losses within their cap, nothing
//! starts after an error that is not tried again, and nothing is given up that is to be tried again; numbers are 1, 2, 3.
//! Never: when the next attempt is due (`due.rs`).

use windlass_core::event::{BlockedOn, Event, Exit, LossReason, Record, StopWhy};
use windlass_core::failure::ErrorKind;
use windlass_core::id::Fence;
use windlass_core::plan::Rerun;
use windlass_core::state::State;

use crate::broken::{Verdict, broken, demand};
use crate::family::{self, Form};
use crate::invariants::accounts;
use crate::oracle::{OAttempt, ORun, OTask, Oracle};

const NAME: &str = "5 attempts";

/// The kinds that use up attempts, written down from the table of DESIGN.
pub(crate) fn is_charged(kind: ErrorKind) -> bool {
    use ErrorKind::{
        Auth, ContextOverflow, Crashed, Exit, Expression, GateRejected, InvalidOutput, OutOfMemory,
        Overloaded, Refused, SpawnDenied, SpawnDir, SpawnInvalid, SpawnNotFound, Stalled, Timeout,
    };
    [
        Overloaded,
        Auth,
        Refused,
        InvalidOutput,
        GateRejected,
        Timeout,
        Stalled,
        Crashed,
        Exit,
        SpawnNotFound,
        SpawnDenied,
        SpawnInvalid,
        SpawnDir,
        Expression,
        ContextOverflow,
        OutOfMemory,
    ]
    .contains(&kind)
}

/// The kinds after which there is another attempt, if there is room for one.
fn is_retried(kind: ErrorKind) -> bool {
    use ErrorKind::{
        ContextOverflow, Crashed, DiskFull, Exit, GateRejected, InvalidOutput, Lost, OutOfMemory, Overloaded,
        RateLimited, SpawnExhausted, Stalled, Timeout,
    };
    [
        RateLimited,
        Overloaded,
        InvalidOutput,
        GateRejected,
        Timeout,
        Stalled,
        Crashed,
        Exit,
        SpawnExhausted,
        ContextOverflow,
        OutOfMemory,
        Lost,
        DiskFull,
    ]
    .contains(&kind)
}

fn is_retried_once(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::ContextOverflow | ErrorKind::OutOfMemory)
}

/// What should follow the end of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    Acceptance,
    Cancel,
    Question,
    Retry(ErrorKind),
    Death(ErrorKind),
}

pub(crate) fn of_record(oracle: &Oracle, _: &State, record: &Record) -> Verdict {
    match &record.event {
        Event::AttemptStarted { attempt, alone, .. } => start(oracle, &record.event, *attempt, *alone),
        Event::AttemptLost { reason, alone, fence, .. } => loss(oracle, *fence, *reason, *alone),
        Event::RetryScheduled { error, .. } => judged(oracle, &record.event, Due::Retry(error.kind)),
        Event::TaskParked { error, .. } => {
            let (_, run, task) = oracle.at(&record.event).expect("it was created");
            let longest = run.spec(task).retry.max_interval;
            let is_quota =
                error.kind == ErrorKind::RateLimited && error.retry_after.is_some_and(|wait| wait > longest);
            demand(is_quota, NAME, || format!("{} is parked for a wait between attempts", task.id))?;
            judged(oracle, &record.event, Due::Retry(error.kind))
        }
        Event::TaskDead { error, attempt, .. } => death(oracle, &record.event, error.kind, *attempt),
        Event::TaskBlocked { on: BlockedOn::Outcome, .. } => judged(oracle, &record.event, Due::Question),
        Event::TaskBlocked { on: BlockedOn::Select, output: None, .. }
            if is_parent(oracle, &record.event) =>
        {
            Ok(())
        }
        Event::TaskBlocked { on: BlockedOn::Select, output: None, .. }
        | Event::TaskSucceeded { fence: Some(_), .. } => judged(oracle, &record.event, Due::Acceptance),
        _ => Ok(()),
    }
}

/// Whether an event is of a task that its children do.
fn is_parent(oracle: &Oracle, event: &Event) -> bool {
    oracle.at(event).is_some_and(|(_, run, task)| family::form(run, task) != Form::Work)
}

fn start(oracle: &Oracle, event: &Event, number: u32, alone: bool) -> Verdict {
    let (_, run, task) = oracle.at(event).expect("it was created");
    let (id, life) = (&task.id, &task.life);
    let next = task.attempts.len() + 1;
    demand(usize::try_from(number) == Ok(next), NAME, || format!("{id}: attempt {number} is number {next}"))?;
    let most = run.spec(task).retry.max_attempts + life.granted;
    demand(life.charged < most, NAME, || {
        format!("{id} starts after {} charged attempts of {most}", life.charged)
    })?;
    demand(task.end.is_none(), NAME, || format!("{id} starts after its end"))?;
    demand(!life.gave_up, NAME, || format!("{id} starts after an error that is not tried again"))?;
    let suspect = task.deaths_in_row >= 2;
    demand(alone == suspect, NAME, || {
        format!("{id} was in flight at {} deaths in a row and starts with alone: {alone}", task.deaths_in_row)
    })
}

/// A loss counts where the task was alone in flight when the engine or the keeper died.
fn loss(oracle: &Oracle, fence: Fence, reason: LossReason, alone: bool) -> Verdict {
    let truly = match reason {
        LossReason::EngineDied => oracle.died_with == 1,
        LossReason::KeeperDied => oracle.keeper_deaths.get(&fence) == Some(&1),
        LossReason::ReportLost => false,
    };
    demand(alone == truly, NAME, || {
        format!("a loss for {reason:?} with {} in flight counts as alone: {alone}", oracle.live.len())
    })
}

fn judged(oracle: &Oracle, event: &Event, followed: Due) -> Verdict {
    let (_, run, task) = oracle.at(event).expect("it was created");
    let attempt =
        task.newest().ok_or_else(|| broken(NAME, format!("{} is judged without an attempt", task.id)))?;
    let due = match due(run, task, attempt) {
        Due::Retry(_) if run.did_once(task) => Due::Question,
        due => due,
    };
    demand(attempt.is_reaped, NAME, || format!("{} is judged before its attempt is reaped", task.id))?;
    demand(!run.lends(task), NAME, || format!("{} is judged while what it brought goes on", task.id))?;
    demand(due == followed, NAME, || format!("{}: {due:?} was due, {followed:?} followed", task.id))
}

fn death(oracle: &Oracle, event: &Event, kind: ErrorKind, attempt: Option<u32>) -> Verdict {
    let (_, run, task) = oracle.at(event).expect("it was created");
    let (Some(_), Some(newest)) = (attempt, task.newest()) else { return Ok(()) };
    if !newest.is_reaped || newest.is_judged {
        // Not its attempt, but a bound of time or a person ends it; that it is not too early is for `due.rs` to say.
        let otherwise = matches!(
            kind,
            ErrorKind::Timeout | ErrorKind::OutcomeUnknown | ErrorKind::Expression | ErrorKind::Budget
        );
        return demand(otherwise, NAME, || format!("{} is dead of {kind} between two attempts", task.id));
    }
    let due = due(run, task, newest);
    let out_of_time = run.spec(task).timeout.schedule_to_close.is_some_and(|bound| {
        let since = task.life.ready_at.unwrap_or_default();
        run.worked(oracle.worked) + 20 + oracle.drift_ms >= since + bound.ms
    });
    let said = Due::Death(kind);
    let excused = matches!(due, Due::Retry(_)) && out_of_time;
    demand(due == said || excused, NAME, || format!("{}: {due:?} was due, {said:?} followed", task.id))
}

fn due(run: &ORun, task: &OTask, attempt: &OAttempt) -> Due {
    let (life, spec) = (&task.life, run.spec(task));
    if life.cancel_wished {
        return Due::Cancel;
    }
    let Some(kind) = failure(attempt) else { return Due::Acceptance };
    let by_itself = attempt.lost.is_none()
        && !attempt.has_lost_output()
        && attempt.stop.is_none()
        && matches!(attempt.exit, Some(Exit::Code(_) | Exit::NotStarted));
    if spec.rerun == Rerun::Never && !by_itself {
        return Due::Question;
    }
    if attempt.was_interrupted() || kind == ErrorKind::Interrupted {
        return Due::Retry(kind);
    }
    if kind == ErrorKind::Lost && life.losses >= spec.retry.losses_max {
        return Due::Death(ErrorKind::Poison);
    }
    let never = !is_retried(kind) || spec.retry.non_retryable.contains(&kind);
    let again = is_retried_once(kind) && life.once.contains(&kind);
    let goes_over = attempt.agent.filter(|_| accounts::leads_on(run, task, kind));
    if goes_over.and_then(|agent| run.heir(task, agent)).is_some() {
        return Due::Retry(kind);
    }
    let used_up = is_charged(kind) && life.charged + 1 >= spec.retry.max_attempts + life.granted;
    if never || again || used_up { Due::Death(kind) } else { Due::Retry(kind) }
}

impl OAttempt {
    /// It ended well, and what it gave was lost with the end of the journal.
    fn has_lost_output(&self) -> bool {
        self.is_given_apart && !self.is_settled && told(self).is_none()
    }

    /// Its engine ended in order: that is no loss, and no policy has a say in it.
    fn was_interrupted(&self) -> bool {
        self.lost.is_none() && matches!(self.stop, Some((StopWhy::Shutdown | StopWhy::Pause, _)))
    }
}

/// What was wrong with an attempt that is over.
pub(crate) fn failure(attempt: &OAttempt) -> Option<ErrorKind> {
    told(attempt).or_else(|| attempt.has_lost_output().then_some(ErrorKind::Lost))
}

/// The same, as far as its agent has to do with it.
pub(crate) fn told(attempt: &OAttempt) -> Option<ErrorKind> {
    if attempt.lost.is_some() {
        return Some(ErrorKind::Lost);
    }
    if let Some((why, _)) = attempt.stop {
        return Some(match why {
            StopWhy::Cancel | StopWhy::LostRace => ErrorKind::Cancelled,
            StopWhy::Timeout => ErrorKind::Timeout,
            StopWhy::Stalled => ErrorKind::Stalled,
            StopWhy::Memory => ErrorKind::OutOfMemory,
            StopWhy::DiskFull => ErrorKind::DiskFull,
            StopWhy::Shutdown | StopWhy::Pause => ErrorKind::Interrupted,
        });
    }
    attempt.error.as_ref().map(|error| error.kind)
}

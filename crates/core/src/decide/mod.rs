//! The choice: what a command or a report leads to, as events. What follows from those in turn is `follow.rs`.
//! Never: changing the state, reading a clock, drawing a random number.

pub(crate) mod accounts;
pub(crate) mod alarms;
mod approvals;
pub(crate) mod budgets;
mod children;
pub(crate) mod follow;
pub(crate) mod judge;
mod knots;
pub(crate) mod nests;
pub(crate) mod otherwise;
pub mod outside;
pub(crate) mod requeue;
pub(crate) mod rest;
mod revise;
pub(crate) mod waits;

use crate::decide::otherwise::Otherwise;
use crate::event::{
    ApprovalAnswer, BlockedOn, Event, Exit, LossReason, PauseReason, Raise, RunOutcome, Settlement, StopWhy,
    Usage,
};
use crate::failure::{ErrorKind, Failure};
use crate::id::{AttemptKey, CommandId, Fence, RunId, TaskId};
use crate::input::{Answer, Ask, Command, Ended, LostAttempt, Rejection, Report, Revision, Submission};
use crate::machine::{attempt, run, task};
use crate::output::Output;
use crate::planted::{Bug, is_planted};
use crate::size;
use crate::state::budget::UsedUp;
use crate::state::{Attempt, Run, State, Task, TaskIx, attempts};
use crate::time::{Span, Time};

/// How much of a goal its record carries; the plan has it whole.
pub(crate) const GOAL_BYTES_MAX: usize = 4 * 1024;
/// How long the remark to an approval may be.
const REMARK_BYTES_MAX: usize = 16 * 1024;

/// When an input was received, and the random number that choices about it may use.
#[derive(Clone, Copy, Debug)]
pub struct Stamp {
    /// The wall clock's time.
    pub now: Time,
    /// A random number.
    pub seed: u64,
}

/// What a command comes to.
#[derive(Debug)]
pub struct Decision {
    /// What happens.
    pub events: Vec<Event>,
    /// What its sender is told once that is durable.
    pub answer: Answer,
}

impl Decision {
    fn refused(why: Rejection) -> Self {
        Self { events: Vec::new(), answer: Answer::Refused(why) }
    }

    fn already() -> Self {
        Self { events: Vec::new(), answer: Answer::Already }
    }

    fn accepted(events: Vec<Event>) -> Self {
        Self { events, answer: Answer::Accepted }
    }
}

/// What a command comes to that arrived at this time. One that was carried out is not carried out again.
pub fn command(state: &State, command: &Command, now: Time) -> Decision {
    let decision = weighed(state, command, now);
    match decision.events.iter().find(|event| size::too_large(event)) {
        Some(_) => Decision::refused(Rejection::TooLarge),
        None => decision,
    }
}

fn weighed(state: &State, command: &Command, now: Time) -> Decision {
    if state.commands.contains_key(&command.id) && !is_planted(Bug::RepeatedCommand) {
        return Decision::accepted(Vec::new());
    }
    let Command { id, by, ask } = command;
    match ask {
        Ask::SubmitPlan(submission) => submit(state, id, submission),
        Ask::Revise(revision) => on_run(state, revision.run, |run| revised(run, command, revision)),
        Ask::Nest(nesting) => {
            let within = &nesting.within;
            on_task(state, within.run, &within.task, |run, ix| nests::bring(run, ix, id, nesting).into())
        }
        Ask::Resume { run, raise } => on_run(state, *run, |run| resume(state, run, command, *raise)),
        Ask::Pause { run, now } => on_run(state, *run, |run| pause(state, run, command, *now)),
        Ask::Cancel { run, task: None } => on_run(state, *run, |run| cancel_run(run, id, by)),
        Ask::Cancel { run, task: Some(task) } => {
            on_task(state, *run, task, |run, ix| cancel_task(run, ix, id, by))
        }
        Ask::Retry { run, task, agent, prompt } => {
            let otherwise = Otherwise { agent: agent.clone(), prompt: prompt.clone() };
            on_task(state, *run, task, |run, ix| retry(run, ix, id, &otherwise))
        }
        Ask::Settle { run, task, answer, output } => {
            on_task(state, *run, task, |run, ix| settle(run, ix, command, *answer, output))
        }
        Ask::Approve { run, task, approval, answer, text } => {
            let given = Given { approval, answer: *answer, by, text, now };
            on_task(state, *run, task, |run, ix| approve(run, ix, id, &given))
        }
        Ask::Emit { run, topic, data } => {
            on_run(state, *run, |run| outside::emit(run, command, topic, data).into())
        }
        Ask::DropDeadLetter { run, task } => on_task(state, *run, task, |run, ix| drop_letter(run, ix, id)),
        Ask::Drain { at_once } => Decision::accepted(drain(state, *at_once)),
    }
}

/// What a report comes to.
pub fn report(state: &State, report: &Report) -> Vec<Event> {
    match report {
        Report::EngineStarted { epoch, role, build, last_alive } => {
            let is_known = last_alive.ms > 0 && !is_planted(Bug::LastTimeForgotten);
            let last_alive_ms = is_known.then_some(last_alive.ms);
            vec![Event::EngineStarted { epoch: *epoch, role: *role, build: build.clone(), last_alive_ms }]
        }
        Report::Ended(ended) => end_attempt(state, ended),
        Report::Overdue { key, fence, why, message } => overdue(state, key, *fence, *why, message),
        Report::Lost { attempts, reason } => lose(state, attempts, *reason),
        Report::OutputSettled { key, fence, output, error } => {
            settled(state, key, *fence, output, error.as_ref())
        }
        Report::ClockJumped { by_ms, suspended_ms } => {
            vec![Event::ClockJumped { by_ms: *by_ms, suspended_ms: *suspended_ms }]
        }
        Report::DiskLow { low } => disk(state, *low),
    }
}

fn on_run(state: &State, id: RunId, then: impl FnOnce(&Run) -> Decision) -> Decision {
    match state.run(id) {
        Some(run) => then(run),
        None if state.lost.contains_key(&id) => Decision::refused(Rejection::RunLost(id)),
        None => Decision::refused(Rejection::NoSuchRun(id)),
    }
}

fn on_task(state: &State, id: RunId, task: &TaskId, then: impl FnOnce(&Run, TaskIx) -> Decision) -> Decision {
    on_run(state, id, |run| match run.names.get(task) {
        Some(ix) => then(run, *ix),
        None => Decision::refused(Rejection::NoSuchTask(id, task.clone())),
    })
}

fn submit(state: &State, command: &CommandId, submission: &Submission) -> Decision {
    if state.runs.contains_key(&submission.run) || state.lost.contains_key(&submission.run) {
        return Decision::refused(Rejection::RunIdTaken(submission.run));
    }
    Decision::accepted(vec![Event::RunCreated {
        run: submission.run,
        command: command.clone(),
        goal: beginning(&submission.plan.goal, GOAL_BYTES_MAX),
        plan: submission.plan_digest,
        folder: submission.folder.clone(),
        env: submission.env_digest,
        source: submission.source.clone(),
        hydrated: crate::event::Hydrated(Some(submission.plan.clone())),
    }])
}

pub(crate) fn beginning(text: &str, bytes_max: usize) -> String {
    text[..text.floor_char_boundary(bytes_max)].to_owned()
}

fn resume(state: &State, run: &Run, command: &Command, raise: Raise) -> Decision {
    let goes = run.phase == run::Phase::Running && run.host == state.epoch;
    if run.phase == run::Phase::Finished || (goes && raise.is_nothing()) {
        return Decision::already();
    }
    if let Err(why) = budgets::may_raise(run, &raise) {
        return Decision::refused(why);
    }
    if let Some(used_up) = still_used_up(state, run, raise) {
        let (used_up, argument) = (used_up.in_words(), used_up.argument().to_owned());
        return Decision::refused(Rejection::BudgetUsedUp { run: run.id, used_up, argument });
    }
    let (id, by) = (Some(command.id.clone()), command.by.clone());
    Decision::accepted(vec![Event::RunResumed { run: run.id, command: id, by, raised: raise }])
}

/// The budget that a run is paused for, where it stays used up with what is added to it.
fn still_used_up(state: &State, run: &Run, raise: Raise) -> Option<UsedUp> {
    run.pauses.get(&PauseReason::Budget)?;
    let mut raised = run.purse.clone();
    raised.raise(raise);
    raised.used_up(&run.plan.budget, run.active.at(state.clock.alive))
}

fn revised(run: &Run, command: &Command, revision: &Revision) -> Decision {
    if run.plan_digest == revision.plan_digest {
        return Decision::already();
    }
    revise::events(run, command, revision).into()
}

fn pause(state: &State, run: &Run, command: &Command, now: bool) -> Decision {
    if run.phase == run::Phase::Finished {
        return Decision::refused(Rejection::RunEnded(run.id));
    }
    let is_paused = run.pauses.contains_key(&PauseReason::Requested);
    let stops = if now { stop_all(state, run) } else { Vec::new() };
    if is_paused && stops.is_empty() {
        return Decision::already();
    }
    let (id, by) = (Some(command.id.clone()), command.by.clone());
    let paused = Event::PauseRequested { run: run.id, reason: PauseReason::Requested, command: id, by, now };
    Decision::accepted(std::iter::once(paused).chain(stops).collect())
}

/// The orders to end what is in flight in a run, but for what is being ended.
fn stop_all(state: &State, run: &Run) -> Vec<Event> {
    let ours = state.live.values().filter(|(of, _)| *of == run.id).map(|(_, ix)| run.task(*ix));
    let running = ours.filter(|task| task.phase == task::Phase::Running && !is_planted(Bug::PausedGoesOn));
    let stop = |task: &Task| {
        let attempt = task.live_attempt().filter(|attempt| attempt.is_live())?;
        Some(stop(run, task, attempt, StopWhy::Pause, "its run was paused at once"))
    };
    running.filter_map(stop).collect()
}

fn cancel_run(run: &Run, command: &CommandId, by: &str) -> Decision {
    if run.cancelled || run.outcome == Some(RunOutcome::Cancelled) {
        return Decision::already();
    }
    if run.phase == run::Phase::Finished {
        return Decision::refused(Rejection::RunEnded(run.id));
    }
    Decision::accepted(vec![wish_of(run, None, command, by)])
}

fn cancel_task(run: &Run, ix: TaskIx, command: &CommandId, by: &str) -> Decision {
    let task = run.task(ix);
    if task.cancel_wished || task.phase == task::Phase::Cancelled {
        return Decision::already();
    }
    if task.phase.is_final() {
        return Decision::refused(task.wrong_state("it is final: cancel came too late"));
    }
    Decision::accepted(vec![wish_of(run, Some(task.id.clone()), command, by)])
}

fn wish_of(run: &Run, task: Option<TaskId>, command: &CommandId, by: &str) -> Event {
    let command = Some(command.clone());
    Event::CancelRequested { run: run.id, task, command, by: by.into(), cause: None }
}

fn settle(run: &Run, ix: TaskIx, command: &Command, answer: Settlement, output: &Output) -> Decision {
    let task = run.task(ix);
    let unknown = task.blocked == Some(BlockedOn::Outcome);
    if !unknown {
        return settled_before(task, answer, output);
    }
    let (id, by) = (&command.id, &command.by);
    let answered = Event::TaskUnblocked {
        run: run.id,
        task: task.id.clone(),
        command: id.clone(),
        by: by.clone(),
        answer,
    };
    let attempt = task.last_attempt().map(|attempt| attempt.number);
    let then = match answer {
        Settlement::Done if run.candidates(task).is_some() => judge::passed(run, task, Some(output.clone())),
        Settlement::Done => Event::TaskSucceeded {
            run: run.id,
            task: task.id.clone(),
            attempt,
            fence: None,
            output: Some(output.clone()),
        },
        Settlement::Failed => {
            let error = Failure::new(ErrorKind::OutcomeUnknown, format!("{by} settled it as failed"));
            judge::dead(run, task, attempt, error)
        }
    };
    Decision::accepted(vec![answered, then])
}

/// What is said of a task whose outcome is known: the same answer again is ok.
fn settled_before(task: &Task, answer: Settlement, output: &Output) -> Decision {
    let succeeded = answer == Settlement::Done && task.phase == task::Phase::Succeeded;
    let known = |error: &Failure| error.kind == ErrorKind::OutcomeUnknown;
    let failed = answer == Settlement::Failed && task.error.as_ref().is_some_and(known);
    let is_same = task.output.value == output.value && task.output.blob == output.blob;
    let why = match succeeded {
        true if is_same => return Decision::already(),
        true => "it was done before, with another output",
        false if failed => return Decision::already(),
        false => "only a task that is blocked because its outcome is unknown can be settled",
    };
    Decision::refused(task.wrong_state(why))
}

/// An answer to an approval.
struct Given<'a> {
    approval: &'a str,
    answer: ApprovalAnswer,
    by: &'a str,
    text: &'a str,
    now: Time,
}

fn approve(run: &Run, ix: TaskIx, command: &CommandId, given: &Given<'_>) -> Decision {
    let task = run.task(ix);
    let Some(asked) = &task.approval else {
        return Decision::refused(task.wrong_state("nobody is asked to approve it"));
    };
    if asked.id != given.approval && !is_planted(Bug::AnyApprovalId) {
        return Decision::refused(Rejection::ChangedSince(asked.id.clone()));
    }
    if task.approval_open().is_none() {
        return match asked.answer {
            Some(answer) if answer == given.answer => Decision::already(),
            Some(_) => Decision::refused(Rejection::AnsweredOtherwise(asked.id.clone())),
            None => Decision::refused(task.wrong_state("it no longer waits for an answer")),
        };
    }
    let answered = Event::ApprovalGiven {
        run: run.id,
        task: task.id.clone(),
        id: asked.id.clone(),
        answer: given.answer,
        command: Some(command.clone()),
        by: given.by.into(),
        text: beginning(given.text, REMARK_BYTES_MAX),
    };
    let then = if given.answer == ApprovalAnswer::Approved {
        let text = beginning(given.text, REMARK_BYTES_MAX);
        let value = serde_json::json!({ "by": given.by, "at": given.now, "text": text });
        let output = Some(Output { value, ..Output::default() });
        Event::TaskSucceeded { run: run.id, task: task.id.clone(), attempt: None, fence: None, output }
    } else {
        let remark = if given.text.is_empty() { String::new() } else { format!(": {}", given.text) };
        let error = Failure::new(ErrorKind::Denied, format!("{} denied it{remark}", given.by));
        judge::dead(run, task, None, error)
    };
    Decision::accepted(vec![answered, then])
}

fn retry(run: &Run, ix: TaskIx, command: &CommandId, otherwise: &Otherwise) -> Decision {
    if requeue::is_back(run.task(ix), otherwise) {
        return Decision::already();
    }
    requeue::retry(run, ix, command, otherwise).into()
}

fn drop_letter(run: &Run, ix: TaskIx, command: &CommandId) -> Decision {
    let task = run.task(ix);
    if !task.dead_letter {
        let none = || Decision::refused(Rejection::NoDeadLetter(task.id.clone()));
        return if task.phase == task::Phase::Dead { Decision::already() } else { none() };
    }
    let dropped = Event::DeadLetterDropped { run: run.id, task: task.id.clone(), command: command.clone() };
    Decision::accepted(vec![dropped])
}

fn drain(state: &State, at_once: bool) -> Vec<Event> {
    let hosted = state.unfinished.iter().map(|id| &state.runs[id]).filter(|run| run.host == state.epoch);
    let paused = hosted
        .filter(|run| !run.pauses.contains_key(&PauseReason::Interrupted))
        .map(|run| pause_by(run, PauseReason::Interrupted, "engine"));
    let mut events: Vec<Event> = paused.collect();
    for (run, ix) in state.live.values() {
        let run = &state.runs[run];
        let task = run.task(*ix);
        let attempt = task.live_attempt().expect("it is live");
        let grace = if at_once { Span::default() } else { run.spec(task).timeout.grace };
        let hurry = attempt.stop.as_ref().is_none_or(|(_, _, allowed)| grace < *allowed);
        if hurry && attempt.is_live() {
            let shutdown = Stop { why: StopWhy::Shutdown, message: "its engine was told to end", grace };
            events.push(stop_within(run, task, attempt, shutdown));
        }
    }
    events
}

fn disk(state: &State, low: bool) -> Vec<Event> {
    let hosted = state.unfinished.iter().map(|id| &state.runs[id]).filter(|run| run.host == state.epoch);
    let reason = PauseReason::DiskLow;
    if low {
        let full = hosted.filter(|run| !run.pauses.contains_key(&reason));
        return full.map(|run| pause_by(run, reason, "disk")).collect();
    }
    let only_for_that = hosted.filter(|run| run.pauses.keys().eq([&reason]));
    let resumed = |run: &Run| {
        let raised = Raise::default();
        Event::RunResumed { run: run.id, command: None, by: "disk".into(), raised }
    };
    only_for_that.map(resumed).collect()
}

/// A pause that nobody asked for by name.
pub(crate) fn pause_by(run: &Run, reason: PauseReason, by: &str) -> Event {
    Event::PauseRequested { run: run.id, reason, command: None, by: by.into(), now: false }
}

/// An attempt by its key and fence; none where no such attempt was ever started.
fn find<'a>(state: &'a State, key: &AttemptKey, fence: Fence) -> Option<(&'a Run, TaskIx, &'a Attempt)> {
    let run = state.run(key.run)?;
    let ix = *run.names.get(&key.task)?;
    let attempts = &run.task(ix).attempts;
    let old_will_do = is_planted(Bug::OldFenceAccepted);
    let attempt = attempts.iter().rfind(|attempt| old_will_do || attempt.fence == fence)?;
    Some((run, ix, attempt))
}

fn end_attempt(state: &State, ended: &Ended) -> Vec<Event> {
    let Ended { key, fence, .. } = ended;
    let Some((run, ix, attempt)) = find(state, key, *fence) else { return Vec::new() };
    let task = run.task(ix);
    let (place, run, task, number, fence) = (run, run.id, task.id.clone(), attempt.number, *fence);
    if !attempt.is_live() {
        // The same report again is acknowledged and leaves no event; a lost attempt's is noted once.
        if attempt.phase == attempt::Phase::Finished || attempt.ignored {
            return Vec::new();
        }
        let usage = if is_planted(Bug::UsageDropped) { Usage::default() } else { ended.usage };
        return vec![Event::ResultIgnored { run, task, attempt: number, fence, usage }];
    }
    let stopped = attempt.stop.as_ref().map(|(why, message, _)| attempts::stopped(*why, message));
    let own = || ended.error.clone().or_else(|| unexplained(ended.exit));
    let own = || own().map(|error| nests::held_up(place, ix, error));
    let error = stopped.or_else(own).map(|error| place.recorded(ix, error));
    let judged = error.is_none();
    let mut events = vec![
        Event::AttemptFinished {
            run,
            task: task.clone(),
            attempt: number,
            fence,
            exit: ended.exit,
            error,
            output: ended.raw.clone(),
            usage: ended.usage,
        },
        Event::AttemptReaped { run, task: task.clone(), attempt: number, fence, leftovers: ended.leftovers },
    ];
    if let (true, Some(settled)) = (judged, &ended.output) {
        let (output, error) = match settled {
            Ok(output) => (output.clone(), None),
            Err(failure) => (Output::default(), Some(failure.clone().recorded())),
        };
        events.push(Event::ExtractsRecorded { run, task, attempt: number, fence, output, error });
    }
    events
}

/// A failure that no adapter explained: exit code 0 alone is no failure.
fn unexplained(exit: Exit) -> Option<Failure> {
    match exit {
        Exit::Code(0) => None,
        Exit::Code(code) => Some(Failure::new(ErrorKind::Exit, format!("it exited with code {code}"))),
        Exit::Signal(signal) => {
            Some(Failure::new(ErrorKind::Crashed, format!("it was ended by signal {signal}")))
        }
        Exit::NotStarted => Some(Failure::new(ErrorKind::SpawnInvalid, "it could not be started")),
    }
}

fn overdue(state: &State, key: &AttemptKey, fence: Fence, why: StopWhy, message: &str) -> Vec<Event> {
    let Some((run, ix, attempt)) = find(state, key, fence) else { return Vec::new() };
    // What an attempt brought is watched itself: until it has ended the attempt waits, and is silent as it should be.
    let waits = why == StopWhy::Stalled && state.lent.contains(&fence);
    if waits || attempt.phase != attempt::Phase::Running {
        return Vec::new();
    }
    if is_planted(Bug::StartBeforeReaped) {
        let gone = LostAttempt { key: key.clone(), fence, leftovers: 0 };
        return lose(state, &[gone], LossReason::ReportLost);
    }
    vec![stop(run, run.task(ix), attempt, why, message)]
}

fn lose(state: &State, attempts: &[LostAttempt], reason: LossReason) -> Vec<Event> {
    // The report of a keeper's death names all that it had; what has started since has another keeper.
    let alone = match reason {
        LossReason::EngineDied => state.orphans == 1,
        LossReason::KeeperDied => attempts.len() == 1,
        LossReason::ReportLost => false,
    };
    let mut events = Vec::new();
    for lost in attempts {
        let Some((run, ix, attempt)) = find(state, &lost.key, lost.fence) else { continue };
        // An attempt that is over and not reaped is so where the end of the journal was lost.
        if !state.live.contains_key(&lost.fence) {
            continue;
        }
        let (task, number, fence) = (run.task(ix).id.clone(), attempt.number, lost.fence);
        let said = match reason {
            LossReason::EngineDied => "the engine died while it ran",
            LossReason::KeeperDied => "the keeper died while it ran",
            LossReason::ReportLost => "nobody could say how it ended",
        };
        let error = Failure::new(ErrorKind::Lost, said);
        let run = run.id;
        if attempt.is_live() {
            events.push(Event::AttemptLost {
                run,
                task: task.clone(),
                attempt: number,
                fence,
                reason,
                alone,
                error,
            });
        }
        events.push(Event::AttemptReaped { run, task, attempt: number, fence, leftovers: lost.leftovers });
    }
    events
}

fn settled(
    state: &State,
    key: &AttemptKey,
    fence: Fence,
    output: &Output,
    error: Option<&Failure>,
) -> Vec<Event> {
    let Some((run, ix, attempt)) = find(state, key, fence) else { return Vec::new() };
    let task = run.task(ix);
    let is_newest = task.last_attempt().is_some_and(|newest| newest.fence == fence);
    if task.phase != task::Phase::Gating || !is_newest || !attempt.awaits_settling() {
        return Vec::new();
    }
    vec![Event::ExtractsRecorded {
        run: run.id,
        task: task.id.clone(),
        attempt: attempt.number,
        fence,
        output: output.clone(),
        error: error.cloned().map(Failure::recorded),
    }]
}

/// An order to end an attempt.
pub(crate) fn stop(run: &Run, task: &Task, attempt: &Attempt, why: StopWhy, message: &str) -> Event {
    stop_within(run, task, attempt, Stop { why, message, grace: run.spec(task).timeout.grace })
}

/// Why an attempt is to be ended, and how much time it has for that.
#[derive(Clone, Copy)]
struct Stop<'a> {
    why: StopWhy,
    message: &'a str,
    grace: Span,
}

fn stop_within(run: &Run, task: &Task, attempt: &Attempt, stop: Stop<'_>) -> Event {
    let Stop { why, message, grace } = stop;
    Event::StopRequested {
        run: run.id,
        task: task.id.clone(),
        attempt: attempt.number,
        fence: attempt.fence,
        why,
        message: message.into(),
        grace_ms: grace.ms,
    }
}

impl From<Result<Vec<Event>, Rejection>> for Decision {
    fn from(events: Result<Vec<Event>, Rejection>) -> Self {
        events.map_or_else(Self::refused, Self::accepted)
    }
}

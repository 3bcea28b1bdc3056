//! What a command comes to: events, or why it can't be carried out. Never: what follows from those events
//! (`follow.rs`).

use crate::decide::{
    GOAL_BYTES_MAX, Stop, beginning, budgets, judge, nests, outside, pause_by, requeue, revise, stop,
    stop_within,
};
use crate::event::{ApprovalAnswer, BudgetKind, Event, PauseReason, Raise, RunOutcome, Settlement, StopWhy};
use crate::failure::{ErrorKind, Failure};
use crate::id::{CommandId, RunId, TaskId};
use crate::input::{Answer, Ask, Command, Rejection, Revision, Submission};
use crate::machine::{run, task};
use crate::output::Output;
use crate::planted::{Bug, is_planted};
use crate::size;
use crate::state::budget::UsedUp;
use crate::state::{Blocked, Otherwise, Run, State, Task, TaskIx};
use crate::time::{Span, Time};

/// How much of an id that is none is repeated.
const APPROVAL_BYTES_MAX: usize = 100;
/// How long the remark to an approval may be.
const REMARK_BYTES_MAX: usize = 16 * 1024;

/// What a command comes to.
#[derive(Debug)]
pub(crate) struct Decision {
    /// What happens.
    pub(crate) events: Vec<Event>,
    /// What its sender is told once that is durable.
    pub(crate) answer: Answer,
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

impl From<Result<Vec<Event>, Rejection>> for Decision {
    fn from(events: Result<Vec<Event>, Rejection>) -> Self {
        events.map_or_else(Self::refused, Self::accepted)
    }
}

/// What a command comes to that arrived at this time. One that was carried out is not carried out again.
pub(crate) fn decide(state: &State, command: &Command, now: Time) -> Decision {
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
            let bring = |run: &Run, ix| nests::bring((run, state.epoch), ix, id, nesting).into();
            on_task(state, within.run, &within.task, bring)
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
    if submission.plan.has_worktrees() && submission.repository.is_none() {
        return Decision::refused(Rejection::NoRepository(submission.run));
    }
    Decision::accepted(vec![Event::RunCreated {
        run: submission.run,
        command: command.clone(),
        goal: beginning(&submission.plan.goal, GOAL_BYTES_MAX),
        plan: submission.plan_digest,
        folder: submission.folder.clone(),
        env: submission.env_digest,
        source: submission.source.clone(),
        repository: submission.repository.clone(),
        hydrated: crate::event::Hydrated(Some(submission.plan.clone())),
    }])
}

fn resume(state: &State, run: &Run, command: &Command, raise: Raise) -> Decision {
    let goes = run.phase == run::Phase::Running && run.host == state.epoch;
    if run.phase == run::Phase::Finished || (goes && raise.is_nothing()) {
        return Decision::already();
    }
    if let Err(why) = budgets::may_raise(run, &raise) {
        return Decision::refused(why);
    }
    if let Some((used_up, argument)) = still_used_up(state, run, raise) {
        let argument = argument.to_owned();
        return Decision::refused(Rejection::BudgetUsedUp { run: run.id, used_up, argument });
    }
    let (id, by) = (Some(command.id.clone()), command.by.clone());
    Decision::accepted(vec![Event::RunResumed { run: run.id, command: id, by, raised: raise }])
}

/// The budget that a run is paused for, in words, where it stays used up with what is added to it, and what raises it. An
/// attempt that the pause ended counts no more, so that attempts may be left; but it would start anew what was held.
fn still_used_up(state: &State, run: &Run, raise: Raise) -> Option<(String, &'static str)> {
    run.pauses.get(&PauseReason::Budget)?;
    let mut raised = run.purse.clone();
    raised.raise(raise);
    if let Some(used_up) = raised.used_up(&run.plan.budget, run.active.at(state.clock.alive)) {
        return Some((used_up.in_words(), used_up.argument()));
    }
    let limit = raised.attempts_max(&run.plan.budget).filter(|_| raise.attempts == 0)?;
    let again = nests::to_come_again(run)?;
    let used_up = UsedUp { kind: BudgetKind::Attempts, spent: raised.spent.into(), limit: limit.into() };
    let why =
        format!("{}, and {} would start anew what wants more than the rest", used_up.in_words(), again.id);
    Some((why, used_up.argument()))
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
    let unknown = task.blocked == Some(Blocked::Outcome);
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
            commit: None,
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
        let open = task.approval_open().map(|open| open.id.clone());
        let (task, given) = (task.id.clone(), beginning(given.approval, APPROVAL_BYTES_MAX));
        return Decision::refused(Rejection::NoSuchApproval { task, given, open });
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
        Event::TaskSucceeded {
            run: run.id,
            task: task.id.clone(),
            attempt: None,
            fence: None,
            output,
            commit: None,
        }
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

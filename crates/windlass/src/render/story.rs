//! What happens in a run, a line an event that people care about. Never: every record (that is `windlass events`).

use anstyle::Style;
use windlass_core::errand::ObjectId;
use windlass_core::event::{BlockedOn, Event, Expansion, MergeOutcome, PauseReason, Record, SkipReason};
use windlass_core::failure::{ErrorKind, Failure};
use windlass_core::id::{AccountName, AgentName, TaskId};
use windlass_core::machine::breaker::Phase;
use windlass_core::state::budget::UsedUp;
use windlass_core::time::{Span, Time};
use windlass_core::view::TaskView;

use crate::calling;
use crate::progress::Progress;
use crate::render::plural::count;
use crate::render::style::{DIM, ERROR, HINT, OK, WARNING, paint};
use crate::render::{text, time};

/// What stands before the task: the time and the word.
const BEFORE: usize = "00:00:00 succeeded ".len();
/// So much of a name is always shown.
const NAME: usize = 32;

/// A line of the story, still in its parts.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    at: Time,
    style: Style,
    word: &'static str,
    task: Option<TaskId>,
    detail: String,
    /// The command that answers it.
    command: Option<String>,
    /// Whether it is worth a line where a live display shows what runs.
    pub(crate) is_lasting: bool,
}

impl Line {
    /// The line as it is printed where so many columns are free. A command stands below it where there is no room.
    pub(crate) fn within(&self, columns: usize) -> Vec<String> {
        // A long name leaves room for what is said of the task, as far as it can still be told from others.
        let beside = if self.detail.is_empty() { 0 } else { text::width(&self.detail) + 2 };
        let (most, left) = (columns.saturating_sub(BEFORE), columns.saturating_sub(BEFORE + beside));
        let name = self.task.as_ref().map_or("", TaskId::as_str);
        let task = text::fit_middle(name, left.max(NAME.min(most)));
        let space = if task.is_empty() || self.detail.is_empty() { "" } else { "  " };
        let fill = if task.is_empty() && self.detail.is_empty() { "" } else { "         " };
        let word = format!("{}{}", self.word, fill.get(self.word.len()..).unwrap_or_default());
        let word = paint(self.style, &word);
        let room = columns.saturating_sub(BEFORE + text::width(&task) + space.len());
        let detail = text::fit(&self.detail, room);
        let line = format!("{} {word} {task}{space}{detail}", paint(DIM, &time::clock(self.at)));
        let Some(command) = &self.command else { return vec![line.trim_end().to_owned()] };
        let is_room = text::width(&detail) + 2 + text::width(command) <= room;
        let command = paint(HINT, command);
        if is_room {
            return vec![format!("{line}  {command}")];
        }
        vec![line, format!("{:BEFORE$}{command}", "")]
    }
}

/// The line for a record, where it is worth one. `progress` has the record in it already.
#[expect(clippy::wildcard_enum_match_arm, reason = "the other events are worth no line")]
pub(crate) fn line(record: &Record, progress: &Progress) -> Option<Line> {
    let (style, word, detail) = match &record.event {
        Event::AttemptStarted { attempt, agent, .. } => {
            let by = agent.as_ref().map(|agent| format!("by {agent}"));
            let again = (*attempt > 1).then(|| format!("attempt {attempt}"));
            let detail: Vec<String> = again.into_iter().chain(by).collect();
            (DIM, "started", detail.join(" "))
        }
        Event::TaskExpanded { into, .. } => (DIM, "expanded", expansion(into)),
        Event::PlanNested { child, source, .. } => {
            (DIM, "nested", format!("{child}, a run of {}", text::one_line(source)))
        }
        Event::ResultSelected { child: Some(child), .. } => (OK, "chosen", child.to_string()),
        Event::ResultSelected { error: Some(error), .. } => (WARNING, "unchosen", failure(error)),
        Event::MergeFinished { outcome, commit, error, .. } if *outcome != MergeOutcome::Conflict => {
            merged(*outcome, commit.as_ref(), error.as_ref())
        }
        Event::TaskSucceeded { task, .. } => (OK, "succeeded", took(progress, task)),
        Event::TaskParked { error, due, .. } => {
            (WARNING, "parked", format!("until {}, after {}", time::date(*due), failure(error)))
        }
        Event::RetryScheduled { error, agent, wait_ms, .. } => {
            retry(error, agent.as_ref(), *wait_ms, progress)
        }
        Event::StopRequested { message, .. } => (WARNING, "stopping", text::one_line(message)),
        Event::AttemptLost { error, .. } => (WARNING, "lost", text::one_line(&error.message)),
        Event::TaskBlocked { error: Some(error), .. } => (WARNING, "blocked", text::one_line(&error.message)),
        Event::TaskBlocked { on: BlockedOn::Select, .. } => {
            (DIM, "passed", "the choice among the replicas is open".into())
        }
        Event::TaskBlocked { topic: Some(topic), .. } => (DIM, "waits", format!("for {topic}")),
        Event::TaskBlocked { on: BlockedOn::Timer, due: Some(due), .. } => {
            (DIM, "waits", format!("until {}", time::date(*due)))
        }
        Event::TopicEmitted { topic, by: Some(by), .. } => (DIM, "told", format!("{topic} by {by}")),
        Event::TopicEmitted { topic, .. } => (DIM, "emits", topic.clone()),
        Event::WaitSatisfied { topic, from, .. } => (DIM, "heard", heard(topic, from.as_ref())),
        Event::ApprovalRequested { text: asked, .. } => (WARNING, "asks", text::first_line(asked)),
        Event::TaskSkipped { reason, task, cause, .. } => {
            let style = if *reason == SkipReason::When { DIM } else { WARNING };
            (style, "skipped", skipped(cause.as_ref(), progress.was_skipped_with_its_needs(task)))
        }
        Event::TaskDead { error, .. } => (ERROR, "dead", failure(error)),
        Event::TaskCancelled { .. } => (DIM, "cancelled", String::new()),
        Event::TaskRequeued { agent, prompt, .. } => {
            (HINT, "requeued", otherwise(agent.as_ref(), prompt.as_deref()))
        }
        Event::CancelRequested { cause: Some(cause), .. } => (DIM, "cancel", spared(cause)),
        Event::CancelRequested { task: None, by, .. } => (WARNING, "cancel", format!("asked for by {by}")),
        Event::PauseRequested { reason, .. } => (WARNING, "pausing", pause(*reason).into()),
        Event::RunPaused { reason, .. } => (WARNING, "paused", pause(*reason).into()),
        Event::RunResumed { raised, .. } if !raised.is_nothing() => {
            (HINT, "resumed", format!("with {} more", raised.in_words()))
        }
        Event::RunResumed { .. } => (HINT, "resumed", String::new()),
        Event::PlanRevised { version, by, .. } => (HINT, "revised", format!("plan {version}, by {by}")),
        Event::BudgetReached { budget, spent, limit, .. } => {
            let used_up = UsedUp { kind: *budget, spent: *spent, limit: *limit };
            (WARNING, "used up", used_up.in_words())
        }
        Event::ApprovalGiven { answer, by, .. } => (HINT, answer_word(*answer), format!("by {by}")),
        _ => return None,
    };
    let is_lasting = !matches!(&record.event, Event::AttemptStarted { .. } | Event::TaskExpanded { .. });
    let command = if let Event::ApprovalRequested { run, task, id, .. } = &record.event {
        Some(calling::command("approve").with(run).with(task).with("--id").with(id).to_string())
    } else {
        None
    };
    let task = record.event.task().cloned();
    Some(Line { at: record.at, style, word, task, detail, command, is_lasting })
}

/// When an attempt is tried again, and by whom where that is another.
fn retry(
    error: &Failure,
    agent: Option<&AgentName>,
    wait_ms: u64,
    progress: &Progress,
) -> (Style, &'static str, String) {
    if error.kind == ErrorKind::Interrupted {
        return (WARNING, "stopped", "uncharged: it starts again once its run goes on".into());
    }
    let when = match (agent, wait_ms) {
        _ if progress.is_paused => "once its run goes on".into(),
        (Some(agent), _) => format!("by {agent},"),
        (None, 0) => "at once".into(),
        (None, wait) => format!("in {}", time::length(Span::from_ms(wait))),
    };
    (WARNING, "retrying", format!("{when} after {}", failure(error)))
}

/// What a new incarnation does otherwise than the plan says.
pub(crate) fn otherwise(agent: Option<&AgentName>, prompt: Option<&str>) -> String {
    let by = agent.map(|agent| format!("for {agent}"));
    let asked = prompt.map(|prompt| format!("asking: {}", text::first_line(prompt)));
    by.into_iter().chain(asked).collect::<Vec<_>>().join(", ")
}

/// The line for a record that belongs to no run, where it is worth one: what the accounts of agents let through.
#[expect(clippy::wildcard_enum_match_arm, reason = "the other events are worth no line")]
pub(crate) fn of_account(record: &Record) -> Option<Line> {
    let (style, word, detail) = match &record.event {
        Event::BreakerChanged { account, to, until, why, .. } => breaker(account, *to, *until, why),
        Event::ConcurrencyChanged { account, to: Some(most), .. } => {
            (WARNING, "limited", format!("account {account}: at most {most} at a time"))
        }
        Event::ConcurrencyChanged { account, to: None, .. } => {
            (HINT, "unlimited", format!("account {account}: as many at a time as before"))
        }
        _ => return None,
    };
    Some(Line { at: record.at, style, word, task: None, detail, command: None, is_lasting: true })
}

/// What the breaker of an account does from here on.
fn breaker(
    account: &AccountName,
    to: Phase,
    until: Option<Time>,
    why: &str,
) -> (Style, &'static str, String) {
    let why = text::one_line(why);
    match (to, until) {
        (Phase::Closed, _) => (OK, "breaker", format!("account {account}: closed, {why}")),
        (Phase::HalfOpen, _) => {
            (HINT, "breaker", format!("account {account}: half open, the next attempt probes it"))
        }
        (Phase::Open, Some(until)) => {
            (ERROR, "breaker", format!("account {account}: open until {}, since {why}", time::date(until)))
        }
        (Phase::Open, None) => (ERROR, "breaker", format!("account {account}: open, since {why}")),
    }
}

fn took(progress: &Progress, task: &TaskId) -> String {
    progress.took(task).map(time::length).unwrap_or_default()
}

fn expansion(into: &Expansion) -> String {
    match into {
        Expansion::Items(items) if items.len() == 1 => "into 1 child".into(),
        Expansion::Items(items) => format!("into {} children", items.len()),
        Expansion::Round(number) => format!("into round {number}"),
        Expansion::Plan { tasks, .. } => format!("into {} of its plan", count(u64::from(*tasks), "task")),
        Expansion::Replicas(number) => format!("into {}", count(u64::from(*number), "replica")),
    }
}

/// What became of work that was to land. Of a conflict the line on the attempt that follows tells.
fn merged(
    outcome: MergeOutcome,
    commit: Option<&ObjectId>,
    error: Option<&Failure>,
) -> (Style, &'static str, String) {
    match (outcome, commit, error) {
        (MergeOutcome::Landed, Some(commit), _) => (OK, "landed", format!("as {:.10}", commit.0)),
        (MergeOutcome::Stale, ..) => {
            (WARNING, "stale", "the target has moved: it is put on top of it again".into())
        }
        (_, _, error) => (WARNING, "bounced", error.map(failure).unwrap_or_default()),
    }
}

/// A failure in a line.
pub(crate) fn failure(error: &Failure) -> String {
    format!("{}: {}", error.kind, text::one_line(&error.message))
}

/// Why a task was skipped: because of another, or by a `when`, its own or that of all that it needs.
pub(crate) fn skipped(cause: Option<&TaskId>, with_its_needs: bool) -> String {
    match cause {
        Some(cause) => format!("because of {cause}"),
        None if with_its_needs => "all that it needs was skipped by `when`".into(),
        None => "its `when` is false".into(),
    }
}

/// A message that a task has taken: its topic, and who said it.
fn heard(topic: &str, from: Option<&TaskId>) -> String {
    format!("{topic} from {}", from.map_or("outside the plan", TaskId::as_str))
}

/// Why a task was cancelled by no person.
pub(crate) fn spared(cause: &TaskId) -> String {
    format!("not needed any more: the join of {cause} was met without it")
}

/// Why a replica was cancelled: another was chosen.
pub(crate) fn outdone(task: &TaskView) -> Option<String> {
    let other = task.outdone_by.as_ref()?;
    let has_passed = task.attempts.last().is_some_and(|attempt| attempt.exit_code == Some(0));
    let passed = if has_passed { "passed; " } else { "" };
    Some(format!("{passed}{other} was chosen"))
}

const fn answer_word(answer: windlass_core::event::ApprovalAnswer) -> &'static str {
    use windlass_core::event::ApprovalAnswer::{Approved, Denied, Expired};
    match answer {
        Approved => "approved",
        Denied => "denied",
        Expired => "expired",
    }
}

/// Why a run is paused, in words.
pub(crate) const fn pause(reason: PauseReason) -> &'static str {
    match reason {
        PauseReason::Requested => "somebody asked for it",
        PauseReason::Interrupted => "the engine was told to end",
        PauseReason::DiskLow => "the disk of the home is nearly full",
        PauseReason::Budget => "its budget is used up",
        PauseReason::TargetLocked => "a lock keeps its branch from moving",
        PauseReason::TargetCheckedOut => "its branch is checked out",
        PauseReason::TargetMissing => "its branch is gone",
        PauseReason::TargetBusy => "somebody else moves its branch",
    }
}

/// The status line of a live display.
pub(crate) fn status(progress: &Progress, now: Time) -> String {
    let mut parts = vec![format!("{} of {} done", progress.done(), count(progress.tasks() as u64, "task"))];
    let mut more = |number: usize, word: &str| {
        if number > 0 {
            parts.push(format!("{number} {word}"));
        }
    };
    more(progress.running(), "running");
    more(progress.backing_off(), "waiting for a retry");
    more(progress.blocked(), "waiting for you");
    more(progress.failed(), "failed");
    more(progress.skipped(), "skipped");
    parts.push(time::length(now.since(progress.since)));
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_loses_its_middle_before_what_is_said_of_it_is_hidden() {
        let line = |columns| {
            let name = "build-the-documentation-with-all-its-pictures-and-tables";
            let (at, task) = (Time::from_ms(0), Some(name.parse().expect("a task")));
            let detail = "exit: it exited with code 1".into();
            let line = Line { at, style: ERROR, word: "dead", task, detail, command: None, is_lasting: true };
            let shown = line.within(columns).concat();
            let shown = anstream::adapter::strip_str(&shown).to_string();
            assert!(text::width(&shown) <= columns, "{shown}");
            shown[BEFORE..].to_owned()
        };
        assert!(line(104).starts_with("build-the-documentation-with-all-its-pictures-and-tables  exit: "));
        assert_eq!(line(80), "build-the-docume…ures-and-tables  exit: it exited with code 1");
        assert_eq!(line(60), "build-the-docume…ures-and-tables  exit: …");
        assert_eq!(line(40), "build-the-…and-tables");
    }
}

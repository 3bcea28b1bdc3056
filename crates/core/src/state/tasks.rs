//! What is known of a task, of its attempts and of what people are asked about it. Never: anything of other tasks but
//! their places.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::event::{BlockedOn, Exit, LossReason, SkipReason, StopWhy, Usage};
use crate::failure::Failure;
use crate::id::{AgentName, AttemptKey, Digest, Epoch, Fence, RunId, Seq, TaskId};
use crate::input::Rejection;
use crate::machine::{attempt, task};
use crate::output::{Output, RawOutput};
use crate::policy::balance::Turns;
use crate::policy::{join, retry};
use crate::state::crew::Handed;
use crate::state::first;
use crate::state::queue::Rank;
use crate::state::roster::AgentIx;
use crate::state::sites::Site;
use crate::time::{Span, Time};

/// The place of a task in [`Run::tasks`](crate::state::Run::tasks): the plan's tasks in its order, then children as
/// they came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TaskIx(pub u32);

impl TaskIx {
    /// The place as an index.
    pub fn at(self) -> usize {
        usize::try_from(self.0).expect("32 bits fit")
    }

    pub(crate) fn from_len(len: usize) -> Self {
        Self(u32::try_from(len).expect("tasks are capped at a million"))
    }
}

/// A node of the plan, or a child of one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Its name.
    pub id: TaskId,
    /// The scope that it belongs to: 0 for the run's own plan, else one more than the place among
    /// [`Run::scopes`](crate::state::Run::scopes).
    pub scope: u32,
    /// Its place in the plan of its scope; children of lists have that of their parent.
    pub spec: u32,
    /// How many of the modifiers that make children it has behind it: none for a node of the plan.
    pub layer: u8,
    /// Its parent and its number among the children.
    pub parent: Option<(TaskIx, u32)>,
    /// What it is about, for a child.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub item: serde_json::Value,
    /// Where it stands.
    pub phase: task::Phase,
    /// Since when.
    pub since: Time,
    /// The lane of the queue that it is, or was last, ready in.
    pub lane: u32,
    /// Where it stands among those that are ready, while it is.
    pub rank: Option<Rank>,
    /// The limit that it shares with others of its parent's children.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// What has been settled about who works on it.
    #[serde(default)]
    pub handed: Handed,
    /// Where the turns of its agents stand, for itself and its children.
    #[serde(default)]
    pub turns: Turns,
    /// How what it needs has ended so far.
    pub tally: join::Tally,
    /// The tasks that need it.
    pub dependants: Vec<TaskIx>,
    /// What is asked in its incarnation instead of the plan's prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<String>,
    /// How many incarnations it had before.
    #[serde(default)]
    pub returns: u32,
    /// What its incarnation has behind it.
    pub tries: retry::Tries,
    /// Deaths of the engine or the keeper in a row while it was in flight.
    pub deaths_in_row: u32,
    /// When it began to wait for something outside, and what ends the wait.
    pub dues: Dues,
    /// Its attempts, numbered from 1.
    pub attempts: Vec<Attempt>,
    /// How many of them belong to earlier incarnations.
    pub earlier: u32,
    /// Its children, in order.
    pub children: Vec<TaskIx>,
    /// How many of them are not final.
    pub children_open: u32,
    /// What it gave.
    pub output: Output,
    /// Why it is dead, blocked or backing off.
    pub error: Option<Failure>,
    /// Whether its dead letter is kept.
    pub dead_letter: bool,
    /// Why it was skipped, and the task at the start of the chain.
    pub skipped: Option<(SkipReason, Option<TaskId>)>,
    /// Whether somebody wished it to end.
    pub cancel_wished: bool,
    /// The task whose join was met without it, where it was cancelled for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spared_by: Option<TaskId>,
    /// Whether it ends, or ended, since a revision left it out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub left_out: bool,
    /// What a person is, or was, asked.
    pub approval: Option<Approval>,
    /// What it waits for, while it is blocked.
    pub blocked: Option<Blocked>,
    /// The record by which it passed, for the choice among its replicas.
    pub passed_at: Seq,
    /// What became of the choice among its replicas.
    pub choice: Option<Choice>,
    /// How many of its children belong to rounds of earlier incarnations.
    pub earlier_children: u32,
}

/// What a blocked task waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Blocked {
    /// The answer to its question.
    Person,
    /// Somebody who knows whether the work was done.
    Outcome,
    /// The choice among the replicas that it is one of: it has passed.
    Select,
    /// A message on a topic.
    Topic,
    /// A moment.
    Timer,
}

impl From<BlockedOn> for Blocked {
    fn from(on: BlockedOn) -> Self {
        match on {
            BlockedOn::Outcome => Self::Outcome,
            BlockedOn::Select => Self::Select,
            BlockedOn::Topic => Self::Topic,
            BlockedOn::Timer => Self::Timer,
        }
    }
}

/// What became of the choice among replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// This one is taken.
    Taken(TaskIx),
    /// None can be taken.
    None,
}

/// The moments that end a task's waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dues {
    /// The next attempt, or the end of a wait, by steady time in milliseconds.
    pub retry: Option<i64>,
    /// The end of a wait for a date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<Time>,
    /// `schedule_to_start`, by the run's clock.
    pub start_by: Option<Span>,
    /// `schedule_to_close`, by the run's clock.
    pub close_by: Option<Span>,
    /// The bound of a wait for a person or a message, by the run's clock.
    pub answer_by: Option<Span>,
}

/// One try at a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// Its number, from 1.
    pub number: u32,
    /// Its fence.
    pub fence: Fence,
    /// The opening in which it was started.
    pub epoch: Epoch,
    /// The number of the plan that it goes by.
    #[serde(default = "first")]
    pub plan_version: u32,
    /// Who works on it.
    pub agent: Option<AgentName>,
    /// The number of that agent, as it was when the attempt started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<AgentIx>,
    /// The tasks that its texts name and that had not succeeded when it started, while it is live.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub seen: BTreeMap<TaskId, task::Phase>,
    /// Where it stands.
    pub phase: attempt::Phase,
    /// When it started.
    pub started: Time,
    /// When its end was journaled.
    pub ended: Option<Time>,
    /// Why it is being, or was, ended from outside, in a word and in words.
    pub stop: Option<(StopWhy, String, Span)>,
    /// Why nobody will report its end.
    pub lost: Option<LossReason>,
    /// What the home's clock of being alive showed when it started.
    pub alive_from: Span,
    /// What that showed when its end was journaled, or when its engine was last known to live.
    pub alive_until: Option<Span>,
    /// Until when it was in flight at least, where its engine has died.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lived_until: Option<Time>,
    /// How its main process ended.
    pub exit: Option<Exit>,
    /// What went wrong.
    pub error: Option<Failure>,
    /// What it printed.
    pub raw: Option<RawOutput>,
    /// Whether its output was settled.
    pub settled: bool,
    /// What it used.
    pub usage: Usage,
    /// How many processes outlived its main process.
    pub leftovers: u32,
    /// Whether a report with its retired fence was recorded.
    pub ignored: bool,
    /// Its worktree, where it has one of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<Box<Site>>,
}

/// A question to a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Approval {
    /// The question's own name.
    pub id: String,
    /// The question.
    pub text: String,
    /// The digests of what is shown with it.
    pub digests: BTreeMap<TaskId, Digest>,
    /// When it was asked.
    pub asked: Time,
    /// The answer, once there is one.
    pub answer: Option<crate::event::ApprovalAnswer>,
}

impl Task {
    /// Whether its incarnation has had an attempt.
    pub fn has_begun(&self) -> bool {
        usize::try_from(self.earlier).is_ok_and(|earlier| earlier < self.attempts.len())
    }

    /// Whether nothing else may be in flight beside its next attempt: it was in flight at two deaths in a row.
    pub fn must_be_alone(&self) -> bool {
        self.deaths_in_row >= 2
    }

    /// The number of the newest attempt of its incarnation.
    pub(crate) fn newest_number(&self) -> Option<u32> {
        self.last_attempt().filter(|_| self.has_begun()).map(|attempt| attempt.number)
    }

    /// Its newest attempt.
    pub fn last_attempt(&self) -> Option<&Attempt> {
        self.attempts.last()
    }

    /// The attempt in flight, if there is one.
    pub fn live_attempt(&self) -> Option<&Attempt> {
        if self.phase.holds_slot() { self.attempts.last() } else { None }
    }

    /// The number of its next attempt.
    pub fn next_attempt(&self) -> u32 {
        u32::try_from(self.attempts.len()).expect("attempts are bounded") + 1
    }

    /// Its place in the plan that it is written in.
    pub fn place_in_plan(&self) -> usize {
        usize::try_from(self.spec).expect("32 bits fit")
    }

    /// The key of an attempt of this task.
    pub fn key(&self, run: RunId, attempt: &Attempt) -> AttemptKey {
        AttemptKey { run, task: self.id.clone(), attempt: attempt.number }
    }

    /// The task at the start of the chain that made this one fail.
    pub fn root_cause(&self) -> TaskId {
        let skipped_for = self.skipped.as_ref().and_then(|(_, cause)| cause.clone());
        let died_for = self.error.as_ref().filter(|error| error.kind == crate::failure::ErrorKind::Children);
        let died_for = died_for.and_then(|error| error.cause.as_deref()?.parse().ok());
        skipped_for.or(died_for).unwrap_or_else(|| self.id.clone())
    }

    /// The question that still waits for its answer: an answer counts with what it leads to, and where the end of the
    /// journal took that away it is to be given again.
    pub fn approval_open(&self) -> Option<&Approval> {
        self.approval.as_ref().filter(|_| self.blocked == Some(Blocked::Person))
    }

    /// The answer that a command can't be carried out as long as the task stands where it does.
    pub(crate) fn wrong_state(&self, why: &str) -> Rejection {
        Rejection::WrongState { task: self.id.clone(), state: self.phase.name().into(), why: why.into() }
    }
}

/// What a new incarnation does otherwise than the plan says, since a person wanted it so.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Otherwise {
    /// Who works on it, as if that agent had taken over.
    pub(crate) agent: Option<AgentName>,
    /// What is asked: a text as it is.
    pub(crate) prompt: Option<String>,
}

//! What is known: the fold of the journal, with the indexes that keep every decision cheap.
//! Never: anything that is not in the journal (but `fresh`, which a restart rebuilds), or hash order.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::agenda::{Agenda, Share};
use crate::budget::{Purse, is_zero};
use crate::clocks::{Active, Clock};
use crate::crew::Handed;
use crate::due::{Due, Noted};
use crate::event::{
    BlockedOn, Exit, LossReason, Output, PauseReason, RawOutput, Role, RunOutcome, SkipReason, StopWhy,
    TimerKind, Usage,
};
use crate::failure::Failure;
use crate::fleet::Fleet;
use crate::id::{AgentName, AttemptKey, CommandId, Digest, Epoch, Fence, RunId, Seq, TaskId};
use crate::machine::{attempt, run, task};
use crate::plan::Plan;
use crate::planted::{Bug, is_planted};
use crate::policy::balance::Turns;
use crate::policy::{join, retry};
use crate::purses::TaskPurse;
use crate::queue::{Queue, Rank};
use crate::roster::{AgentIx, Roster};
use crate::time::{Span, Time};
use crate::topics::Topics;
use crate::tree::Scope;

/// The place of a task in [`Run::tasks`]: the plan's tasks in its order, then children as they came.
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

/// All that the journal of a home says.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct State {
    /// The place of the newest record.
    pub head: Seq,
    /// The newest opening for writing.
    pub epoch: Epoch,
    /// What it was opened for.
    pub role: Option<Role>,
    /// The time of the newest record.
    pub now: Time,
    /// The clocks that waits are measured by.
    pub clock: Clock,
    /// All runs.
    pub runs: BTreeMap<RunId, Run>,
    /// Those whose plan could not be handed over, with where they were created: nothing can be said of them, and nothing
    /// done.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub lost: BTreeMap<RunId, Seq>,
    /// Those that have not finished.
    pub unfinished: BTreeSet<RunId>,
    /// The attempts that hold a slot.
    pub live: BTreeMap<Fence, (RunId, TaskIx)>,
    /// Those of them that have lent what they hold to what they added.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub lent: BTreeSet<Fence>,
    /// How many of those that hold a slot the newest opening found: they died with the engine before it.
    pub orphans: u32,
    /// What all runs share.
    #[serde(default)]
    pub fleet: Fleet,
    /// The attempt beside which nothing else may start.
    pub alone: Option<Fence>,
    /// Which run's turn it is.
    pub agenda: Agenda,
    /// Which runs have something to be done.
    pub due: Due,
    /// The commands that were carried out, so that asking twice is asking once.
    pub commands: BTreeMap<CommandId, Seq>,
    /// What is to be looked at since the last look.
    #[serde(skip)]
    pub fresh: VecDeque<Look>,
}

/// Something that is to be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// A task that became ready, or may be looked at again.
    Task(RunId, TaskIx),
    /// A message that a task waits for, perhaps.
    Message {
        /// The run.
        run: RunId,
        /// The task.
        waiter: TaskIx,
        /// The message, by its place among those of the topic.
        message: usize,
    },
    /// Who is left that could wake those who wait for a topic.
    Topic {
        /// The run.
        run: RunId,
        /// The topic.
        topic: String,
    },
    /// Whether anything is left that could wake a task that has begun to wait for a message.
    Begun {
        /// The run.
        run: RunId,
        /// The task.
        task: TaskIx,
    },
    /// Whether anything is left that could wake a task.
    Wakeable {
        /// The run.
        run: RunId,
        /// The task.
        task: TaskIx,
    },
}

impl Look {
    /// The run that it is about.
    pub(crate) fn run(&self) -> RunId {
        match self {
            Self::Task(run, _)
            | Self::Message { run, .. }
            | Self::Topic { run, .. }
            | Self::Begun { run, .. }
            | Self::Wakeable { run, .. } => *run,
        }
    }
}

/// An execution of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Its name.
    pub id: RunId,
    /// What is executed.
    pub plan: Arc<Plan>,
    /// The digest of the plan's blob; of the newest, where it was revised.
    pub plan_digest: Digest,
    /// The number of the plan, from 1.
    #[serde(default = "first")]
    pub version: u32,
    /// The blobs of the plans as they were written, the first and each revision; none while it was not revised.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) written: Vec<Digest>,
    /// The places of its plan as the newest revision has them in order; none while it was not revised.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) order: Vec<usize>,
    /// The plans before this one that attempts still go by, by number.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) earlier: BTreeMap<u32, Earlier>,
    /// Where its tasks work.
    pub folder: String,
    /// The blob with the variables that attempts get.
    pub env: Digest,
    /// Where the plan came from, for people.
    pub source: String,
    /// The record that created it.
    pub created: (Seq, Time),
    /// When it finished.
    pub ended: Option<Time>,
    /// Where it stands.
    pub phase: run::Phase,
    /// Why it is paused.
    pub pauses: BTreeMap<PauseReason, Pause>,
    /// How it ended.
    pub outcome: Option<RunOutcome>,
    /// The opening that works on it: that in which it was created or resumed.
    pub host: Epoch,
    /// Whether somebody wished the whole run to end.
    pub cancelled: bool,
    /// The clock that its bounds are measured by.
    pub active: Active,
    /// How long it was worked on: the same, and until what was in flight at a pause came to its end.
    pub attended: Active,
    /// The plans of tasks that are plans themselves, as they came.
    pub scopes: Vec<Scope>,
    /// All tasks.
    pub tasks: Vec<Task>,
    /// What attempts added to their tasks.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub nests: BTreeMap<TaskIx, Nest>,
    /// How many of its attempts in flight have lent what they hold.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lenders: u32,
    /// The tasks of the run's own plan that revisions brought, in the order of the plan, behind those it began with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub later: Vec<TaskIx>,
    /// Their places by name.
    pub names: BTreeMap<TaskId, TaskIx>,
    /// The tasks that are ready.
    pub queue: Queue,
    /// Its share of what was started.
    pub share: Share,
    /// What is noted of it, of what is to be done.
    pub noted: Noted,
    /// What it has used of its budget.
    #[serde(default)]
    pub purse: Purse,
    /// What the tasks that have a budget have used of it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub purses: BTreeMap<TaskIx, TaskPurse>,
    /// How many tasks are in each phase.
    pub count: BTreeMap<task::Phase, u32>,
    /// All agents of its plan, and of the plans in it.
    #[serde(default)]
    pub roster: Roster,
    /// How many required tasks of the plan itself have failed.
    pub failed: u32,
    /// Waits before retries, and those of so long a time, by steady time in milliseconds.
    pub retries: BTreeSet<(i64, TaskIx)>,
    /// Waits for dates, by the wall clock.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub dates: BTreeSet<(Time, TaskIx)>,
    /// Bounds, by the run's own clock.
    pub alarms: BTreeSet<(Span, TaskIx, TimerKind)>,
    /// Tasks that come back with one that was requeued, in order, each with what it comes back for.
    #[serde(default, skip_serializing_if = "VecDeque::is_empty")]
    pub returning: VecDeque<(TaskIx, TaskId)>,
    /// Tasks whose attempt is over and whose result is to be judged.
    pub to_judge: BTreeSet<TaskIx>,
    /// Waiting tasks whose join can't be met any more.
    pub to_skip: BTreeSet<TaskIx>,
    /// Tasks with a wish to end that was not acted on.
    pub to_cancel: BTreeSet<TaskIx>,
    /// Parents whose children are all final.
    pub to_close: BTreeSet<TaskIx>,
    /// Parents for whose replicas the choice has become certain.
    pub to_select: BTreeSet<TaskIx>,
    /// Tasks whose budget is used up, and that was not told.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub to_tell: BTreeSet<TaskIx>,
    /// Tasks that are to end since a budget around them is used up.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub to_exhaust: BTreeSet<TaskIx>,
    /// Tasks that are to end since the join of another was met without them, each with that other.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub to_spare: BTreeMap<TaskIx, TaskIx>,
    /// What its tasks say to each other.
    #[serde(default)]
    pub topics: Topics,
}

const fn first() -> u32 {
    1
}

/// The plans that the attempts of a task added to it.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct Nest {
    /// Each as a task, numbered over the life of the task that they belong to.
    pub plans: Vec<TaskIx>,
    /// How many of them are not final.
    pub open: u32,
}

/// A plan that a run went by before, as long as attempts do that began by it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Earlier {
    /// It.
    pub(crate) plan: Arc<Plan>,
    /// How many attempts that are not judged.
    pub(crate) attempts: u32,
}

/// A reason to start nothing new.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Since when.
    pub since: Time,
    /// Whether it is told: what was in flight is over.
    pub told: bool,
}

/// A node of the plan, or a child of one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Its name.
    pub id: TaskId,
    /// The scope that it belongs to: 0 for the run's own plan, else one more than the place among [`Run::scopes`].
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
    pub blocked: Option<BlockedOn>,
    /// The record by which it passed, for the choice among its replicas.
    pub passed_at: Seq,
    /// What became of the choice among its replicas.
    pub choice: Option<Choice>,
    /// How many of its children belong to rounds of earlier incarnations.
    pub earlier_children: u32,
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

impl State {
    /// The run, if there is one with this name.
    pub fn run(&self, id: RunId) -> Option<&Run> {
        self.runs.get(&id)
    }

    /// No attempt is live, and no result waits to be judged.
    pub fn is_idle(&self) -> bool {
        let judges = |id| self.runs[id].in_phase(task::Phase::Gating) > 0;
        self.live.is_empty() && !self.unfinished.iter().any(judges)
    }

    /// Whether the engine that has the journal open works on this run and may start its tasks.
    pub fn is_active(&self, run: &Run) -> bool {
        self.role == Some(Role::Engine) && run.host == self.epoch && run.phase == run::Phase::Running
    }

    /// A run has changed: it may have tasks to start or something else to be done, or no more.
    pub(crate) fn attend(&mut self, id: RunId) {
        let Some(run) = self.runs.get(&id) else { return };
        let is_active = self.is_active(run);
        let run = self.runs.get_mut(&id).expect("it was there");
        self.agenda.attend(run, is_active);
        self.due.attend(run, is_active);
    }
}

impl Run {
    /// The task at a place.
    pub fn task(&self, ix: TaskIx) -> &Task {
        &self.tasks[ix.at()]
    }

    /// How many tasks are in a phase.
    pub fn in_phase(&self, phase: task::Phase) -> u32 {
        self.count.get(&phase).copied().unwrap_or(0)
    }

    /// How many tasks are not final.
    pub fn open(&self) -> u32 {
        self.count.iter().filter(|(phase, _)| !phase.is_final()).map(|(_, count)| count).sum()
    }

    /// How many attempts are in flight.
    pub fn in_flight(&self) -> u32 {
        self.in_phase(task::Phase::Running) + self.in_phase(task::Phase::Stopping)
    }

    /// How many of them take room: not those that have lent it.
    pub fn taking_room(&self) -> u32 {
        self.in_flight() - self.lenders
    }

    /// Whether the plan's concurrency and its budget have room for another attempt.
    pub fn has_room(&self) -> bool {
        let ignored = is_planted(Bug::ConcurrencyIgnored);
        let within = self.plan.concurrency.is_none_or(|most| ignored || self.taking_room() < most);
        within && self.is_within_budget()
    }

    /// Whether its budget has room for another attempt.
    pub fn is_within_budget(&self) -> bool {
        self.purse.has_room(&self.plan.budget)
    }

    /// Nothing is in flight or about to be: only people, timers of their own, or nothing at all is left.
    pub fn is_at_rest(&self) -> bool {
        use task::Phase::{Gating, Ready, Running, Stopping};
        [Ready, Running, Stopping, Gating].into_iter().all(|phase| self.in_phase(phase) == 0)
    }

    /// It is paused, and what was in flight is over.
    pub fn has_paused(&self) -> bool {
        self.phase == run::Phase::Paused && self.pauses.values().all(|pause| pause.told)
    }

    /// Only people can bring it forward: what waits for a message of its tasks waits for people, too.
    pub fn waits_for_people(&self) -> bool {
        let has_timer = !self.retries.is_empty() || !self.dates.is_empty();
        let on_others = self.in_phase(task::Phase::Blocked) > self.topics.listeners();
        self.waits() && !has_timer && !self.topics.awaits_others() && on_others
    }

    /// Nothing of its own brings it forward: people do, time, or what comes from outside.
    pub fn waits(&self) -> bool {
        self.is_at_rest()
            && self.in_phase(task::Phase::BackingOff) == 0
            && self.in_phase(task::Phase::Parked) == 0
            && self.in_phase(task::Phase::Blocked) > 0
    }
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
}

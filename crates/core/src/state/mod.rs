//! What is known: the fold of the journal, with the indexes that keep every decision cheap.
//! Never: anything that is not in the journal (but `fresh`, which a restart rebuilds), or hash order.

pub mod agenda;
pub(crate) mod attempts;
pub mod budget;
pub mod clocks;
pub mod crew;
pub mod due;
pub mod fleet;
pub mod hearing;
mod joins;
mod nests;
pub mod outside;
pub mod parts;
pub(crate) mod placement;
pub mod purses;
pub mod queue;
pub(crate) mod render;
pub(crate) mod returns;
mod revisions;
pub mod roster;
pub mod sites;
pub(crate) mod steps;
mod tasks;
pub mod topics;
pub mod tree;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::event::is_zero;
use crate::event::{PauseReason, Role, RunOutcome, TimerKind};
use crate::id::{CommandId, Digest, Epoch, Fence, RunId, Seq, TaskId};
use crate::machine::{run, task};
use crate::plan::Plan;
use crate::planted::{Bug, is_planted};
use crate::state::agenda::{Agenda, Share};
use crate::state::budget::Purse;
use crate::state::clocks::{Active, Clock};
use crate::state::due::{Due, Noted};
use crate::state::fleet::Fleet;
use crate::state::purses::TaskPurse;
use crate::state::queue::Queue;
use crate::state::roster::Roster;
use crate::state::sites::Ground;
use crate::state::topics::Topics;
use crate::state::tree::{Nest, Scope};
use crate::time::{Span, Time};

pub(crate) use self::tasks::Otherwise;
pub use self::tasks::{Approval, Attempt, Blocked, Choice, Dues, Task, TaskIx};

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
    /// The blobs that a person has given up. One that was put back since is there all the same.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub given_up: BTreeSet<Digest>,
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

/// What has changed, for the look that follows.
pub(crate) type Fresh = VecDeque<Look>;

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
    /// Where work is kept and lands, where tasks work in worktrees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ground: Option<Ground>,
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
    /// How many tasks earlier attempts of their tasks left, which no cap counts.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) left: u32,
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

impl State {
    /// The run, if there is one with this name.
    pub fn run(&self, id: RunId) -> Option<&Run> {
        self.runs.get(&id)
    }

    /// No attempt is live, and no result waits to be judged.
    pub fn is_idle(&self) -> bool {
        let judges = |id| self.runs[id].in_phase(task::Phase::Gating) > 0 || self.runs[id].is_landing();
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

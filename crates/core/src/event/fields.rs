//! What the fields of events are made of. Never: an event, or what follows from one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::errand::ObjectId;
use crate::time::Span;

/// What a process that opened the journal for writing is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It runs tasks.
    Engine,
    /// It carries out one command and starts nothing.
    Command,
}

/// Why nothing new starts.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum PauseReason {
    /// A person asked for it.
    Requested,
    /// The engine was told to end (Ctrl-C, SIGTERM, SIGHUP).
    Interrupted,
    /// The disk is nearly full.
    DiskLow,
    /// A budget is used up.
    Budget,
    /// A lock that is not ours keeps the branch that work lands on from moving.
    TargetLocked,
    /// Somebody has checked out the branch that work lands on.
    TargetCheckedOut,
    /// The branch that work lands on is gone.
    TargetMissing,
    /// Somebody else keeps moving the branch that work lands on.
    TargetBusy,
}

/// What an attempt left, on its branch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Commit {
    /// The commit.
    pub commit: ObjectId,
    /// Its tree.
    pub tree: ObjectId,
    /// Whether that is the tree that the attempt began with.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_empty: bool,
}

/// What became of work that was to land.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MergeOutcome {
    /// It is in the target.
    Landed,
    /// The target had moved meanwhile: it is prepared again.
    Stale,
    /// Both have changed the same: it has to be done again.
    Conflict,
    /// It could not be tried.
    Failed,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunOutcome {
    /// Every required task succeeded, or was skipped by its own `when`.
    Succeeded,
    /// A required task is dead, or skipped because of one that is.
    Failed,
    /// It was cancelled as a whole.
    Cancelled,
}

/// Why an attempt is ended from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StopWhy {
    /// Its task or run was cancelled.
    Cancel,
    /// `start_to_close` or `schedule_to_close` is over.
    Timeout,
    /// It was silent for `heartbeat`.
    Stalled,
    /// It used more memory than it may, or the machine has none left.
    Memory,
    /// The engine ends in order.
    Shutdown,
    /// Its run is paused at once.
    Pause,
    /// The disk is full.
    DiskFull,
    /// Another replica was chosen.
    LostRace,
}

/// How the main process of an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// It never began.
    NotStarted,
}

/// What an attempt used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Usage {
    /// Time of processors, in milliseconds, of all its processes.
    pub cpu_ms: u64,
    /// The most memory seen at once, in bytes, over all its processes.
    pub memory_bytes_peak: u64,
    /// The most processes seen at once.
    pub processes_peak: u32,
    /// Tokens, where the agent reports them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// Money in millionths of a dollar, where the agent reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usd_micro: Option<u64>,
}

/// Why nobody will report an attempt's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LossReason {
    /// The engine died.
    EngineDied,
    /// The keeper died.
    KeeperDied,
    /// Neither the keeper nor a queued report names it.
    ReportLost,
}

/// Which clock ended a wait.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum TimerKind {
    /// The wait before a retry.
    Retry,
    /// The bound of a wait for a person.
    Answer,
    /// `schedule_to_start`.
    ScheduleToStart,
    /// `schedule_to_close`.
    ScheduleToClose,
    /// The bound of a wait for a message.
    Wait,
    /// The moment that a task waits for.
    Moment,
    /// The budget of time of a task.
    Budget,
}

/// What a task waits for that is blocked, and asks nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BlockedOn {
    /// Somebody who knows whether the work was done.
    Outcome,
    /// The choice among the replicas that it is one of: it has passed.
    Select,
    /// A message on a topic.
    Topic,
    /// A moment.
    Timer,
}

/// The children that a parent gets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Expansion {
    /// One for each of these, in order.
    Items(Vec<serde_json::Value>),
    /// The next round, by its number.
    Round(u32),
    /// So many that do the same.
    Replicas(u32),
    /// The tasks of its plan.
    Plan {
        /// How many there are.
        tasks: u32,
        /// The values of its inputs.
        inputs: BTreeMap<String, serde_json::Value>,
    },
}

/// What a person said about an outcome that only a person can know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Settlement {
    /// It was done.
    Done,
    /// It was not, and is given up. What is to be tried again is requeued.
    Failed,
}

/// Why a task will not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// Its `when` is false, or all it needs was skipped so.
    When,
    /// Its join can't be met any more.
    Upstream,
}

/// The answer to an approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalAnswer {
    /// Yes.
    Approved,
    /// No.
    Denied,
    /// Nobody answered in time.
    Expired,
}

impl PauseReason {
    /// Whether something around Windlass has to be mended before the run can go on.
    pub const fn is_of_surroundings(self) -> bool {
        match self {
            Self::DiskLow
            | Self::TargetLocked
            | Self::TargetCheckedOut
            | Self::TargetMissing
            | Self::TargetBusy => true,
            Self::Requested | Self::Interrupted | Self::Budget => false,
        }
    }

    /// Its name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Interrupted => "interrupted",
            Self::DiskLow => "disk_low",
            Self::Budget => "budget",
            Self::TargetLocked => "target_locked",
            Self::TargetCheckedOut => "target_checked_out",
            Self::TargetMissing => "target_missing",
            Self::TargetBusy => "target_busy",
        }
    }
}

/// What a budget is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BudgetKind {
    /// Attempts that are charged.
    Attempts,
    /// Time in which a run was worked on, in milliseconds.
    Wall,
}

/// By how much a person raises a budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Raise {
    /// So many attempts more.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub attempts: u32,
    /// So much time more, in milliseconds.
    #[serde(default, skip_serializing_if = "is_none", rename = "wall_ms")]
    pub wall: Span,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
pub(crate) const fn is_zero(count: &u32) -> bool {
    *count == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
const fn is_none(span: &Span) -> bool {
    span.ms == 0
}

impl Raise {
    /// Whether it raises nothing.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// In words, as the beginning of «more».
    pub fn in_words(&self) -> String {
        let attempts = match self.attempts {
            0 => None,
            1 => Some("1 attempt".to_owned()),
            many => Some(format!("{many} attempts")),
        };
        let wall = (self.wall.ms > 0).then(|| format!("{} of work", self.wall));
        let parts: Vec<String> = attempts.into_iter().chain(wall).collect();
        parts.join(" and ")
    }
}

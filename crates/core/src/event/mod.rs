//! What happened: the facts that the journal keeps, and the record that each is kept in. Names are past tense.
//! Never: orders (those are effects) or wishes (those are commands).

mod fields;
mod kinds;
pub mod schema;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::output::{Output, RawOutput};
use serde::{Deserialize, Serialize};

use crate::errand::{ObjectId, Repository};
use crate::failure::Failure;
use crate::id::{AccountName, AgentName, CommandId, Digest, Epoch, Fence, RunId, Seq, TaskId};
use crate::machine::{breaker, task};
use crate::plan::Plan;
use crate::planted::{Bug, is_planted};
use crate::time::Time;

pub(crate) use self::fields::is_zero;
pub use self::fields::{
    ApprovalAnswer, BlockedOn, BudgetKind, Commit, Exit, Expansion, LossReason, MergeOutcome, PauseReason,
    Raise, Role, RunOutcome, Settlement, SkipReason, StopWhy, TimerKind, Usage,
};

/// An event with its place in the journal and its time.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Its place.
    pub seq: Seq,
    /// When it was decided, by the engine's `now`.
    pub at: Time,
    /// What happened.
    pub event: Event,
}

/// Bodies that live in blobs beside the journal and are handed over with the record that names them; none where the blob
/// is gone.
/// Serialised as nothing: the digest beside it is what the journal keeps.
#[derive(Clone, Debug, Default)]
pub struct Hydrated(pub Option<Arc<Plan>>);

impl PartialEq for Hydrated {
    /// Always true: the digest beside it is what is compared.
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// Everything that can be in a journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(
    missing_docs,
    reason = "fields carry the names that INTERFACES gives them; each variant says what they are"
)]
pub enum Event {
    /// The journal was opened for writing. What is unsettled from lower epochs is unknown from here on. `last_alive_ms` is
    /// how long the engine before was alive after its last record, as far as it had noted that when it died.
    EngineStarted {
        epoch: Epoch,
        role: Role,
        build: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        last_alive_ms: Option<u64>,
    },
    /// The clocks were compared: the wall was set by `by_ms`, or the machine slept for `suspended_ms`.
    ClockJumped { by_ms: i64, suspended_ms: u64 },
    /// Damage was accepted by a person; the records `from..=to` are gone, none where `from` is above `to`, and so are
    /// these blobs.
    JournalRepaired {
        lost_from: Seq,
        lost_to: Seq,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        lost_blobs: Vec<Digest>,
    },

    /// A plan became a run. `plan` is the digest of the normalised plan's blob; `folder` is where its tasks work;
    /// `env` is the digest of the blob with the variables that attempts get.
    RunCreated {
        run: RunId,
        command: CommandId,
        goal: String,
        plan: Digest,
        folder: String,
        env: Digest,
        source: String,
        /// Where its work is kept and lands, where tasks work in worktrees.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        repository: Option<Repository>,
        #[serde(skip)]
        hydrated: Hydrated,
    },
    /// The run goes on by another plan: what is in both is the same task, what is new comes to it, what is gone ends, but
    /// what has succeeded stays. `plan` is the digest of that plan's blob, `version` counts from 1.
    PlanRevised {
        run: RunId,
        command: CommandId,
        by: String,
        version: u32,
        plan: Digest,
        source: String,
        #[serde(skip)]
        hydrated: Hydrated,
    },
    /// Nothing new starts until `run_resumed`; what is in flight comes to its end, or is stopped where it is to be `now`.
    PauseRequested {
        run: RunId,
        reason: PauseReason,
        command: Option<CommandId>,
        by: String,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        now: bool,
    },
    /// What was in flight at the request is over: until `run_resumed` nothing happens by itself.
    RunPaused { run: RunId, reason: PauseReason },
    /// The pause is over. `raised` is what a person added to the run's budget.
    RunResumed {
        run: RunId,
        command: Option<CommandId>,
        by: String,
        #[serde(default, skip_serializing_if = "Raise::is_nothing")]
        raised: Raise,
    },
    /// A budget of the run is used up: `spent` of `limit`, for `wall` in milliseconds.
    BudgetReached {
        run: RunId,
        /// The task whose budget it is; none where it is that of the run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        task: Option<TaskId>,
        budget: BudgetKind,
        spent: u64,
        limit: u64,
    },
    /// All tasks are final and nothing is pending.
    RunFinished { run: RunId, outcome: RunOutcome },
    /// A finished run goes on because a task was requeued, or its plan revised.
    RunReopened { run: RunId },

    /// The breaker of an account lets through something else from here on: all, nothing, or a probe.
    BreakerChanged {
        account: AccountName,
        from: breaker::Phase,
        to: breaker::Phase,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Time>,
        why: String,
    },
    /// So many attempts of an account may be in flight while its provider limits it; none is no limit.
    ConcurrencyChanged { account: AccountName, from: Option<u32>, to: Option<u32> },

    /// An attempt added a plan to its task: `child` is that plan, as a sub-plan of the run. `plan` is the digest of its blob,
    /// `folder` is where its tasks work, `env` is the digest of the blob with the variables that their attempts get.
    PlanNested {
        run: RunId,
        task: TaskId,
        attempt: u32,
        fence: Fence,
        command: CommandId,
        child: TaskId,
        goal: String,
        plan: Digest,
        folder: String,
        env: Digest,
        source: String,
        #[serde(skip)]
        hydrated: Hydrated,
    },
    /// A parent has its children, or one more of them.
    TaskExpanded { run: RunId, task: TaskId, into: Expansion },
    /// Which of its replicas a task takes; none where none can be, with the reason.
    ResultSelected {
        run: RunId,
        task: TaskId,
        child: Option<TaskId>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<Failure>,
    },
    /// Whom the expression of a task names for its next attempt.
    AgentNamed { run: RunId, task: TaskId, attempt: u32, agent: AgentName },
    /// An attempt may start; its fence is the seq of this record.
    AttemptStarted {
        run: RunId,
        task: TaskId,
        attempt: u32,
        agent: Option<AgentName>,
        /// The digest of what it is asked (prompt or argv), with placeholders for large outputs.
        prompt: Digest,
        plan_version: u32,
        /// Whether nothing else may be in flight beside it.
        alone: bool,
        /// The tasks that its texts name and that had not succeeded, as they stood: the texts keep to that.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        seen: BTreeMap<TaskId, task::Phase>,
    },
    /// A worktree is to be made for an attempt, on a branch of its own, from `base`: where the target is.
    WorkspaceRequested {
        run: RunId,
        task: TaskId,
        attempt: u32,
        fence: Fence,
        path: String,
        branch: String,
        base: ObjectId,
    },
    /// The worktree is there, and the attempt's program may start; or it could not be made.
    WorkspaceReady {
        run: RunId,
        task: TaskId,
        attempt: u32,
        fence: Fence,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<Failure>,
    },
    /// An attempt is to be ended from outside.
    StopRequested {
        run: RunId,
        task: TaskId,
        attempt: u32,
        fence: Fence,
        why: StopWhy,
        message: String,
        grace_ms: u64,
    },
    /// The main process of an attempt is over, or never began.
    AttemptFinished {
        run: RunId,
        task: TaskId,
        attempt: u32,
        fence: Fence,
        exit: Exit,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<Failure>,
        output: RawOutput,
        usage: Usage,
    },
    /// Nobody will ever report this attempt's end.
    AttemptLost {
        run: RunId,
        task: TaskId,
        attempt: u32,
        fence: Fence,
        reason: LossReason,
        alone: bool,
        error: Failure,
    },
    /// Nothing of the attempt's processes is left. `leftovers` is how many outlived the main process.
    AttemptReaped { run: RunId, task: TaskId, attempt: u32, fence: Fence, leftovers: u32 },
    /// The output was parsed, checked and cut into what the plan's expressions need.
    ExtractsRecorded {
        run: RunId,
        task: TaskId,
        attempt: u32,
        fence: Fence,
        output: Output,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<Failure>,
    },
    /// What the attempt left in its worktree is on its branch.
    WorkCommitted {
        run: RunId,
        task: TaskId,
        attempt: u32,
        fence: Fence,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        work: Option<Commit>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<Failure>,
    },
    /// A report came with a fence that no longer counts. Its usage does.
    ResultIgnored { run: RunId, task: TaskId, attempt: u32, fence: Fence, usage: Usage },

    /// The work of an attempt whose result is good waits to land on the target.
    MergeRequested { run: RunId, task: TaskId, attempt: u32, fence: Fence, target: String, work: ObjectId },
    /// The work is on top of the target, which was at `base`, as a commit that nothing points to yet.
    MergePrepared {
        run: RunId,
        task: TaskId,
        attempt: u32,
        fence: Fence,
        base: ObjectId,
        new_tip: ObjectId,
        tree: ObjectId,
    },
    /// The target is to move, if it is still where it was. From here on a wish to cancel comes too late.
    MergeStarted {
        run: RunId,
        task: TaskId,
        attempt: u32,
        fence: Fence,
        target: String,
        expect_old: ObjectId,
        new_tip: ObjectId,
        tree: ObjectId,
    },
    /// The work has landed; or it has to be prepared again, or done again.
    MergeFinished {
        run: RunId,
        task: TaskId,
        attempt: u32,
        fence: Fence,
        outcome: MergeOutcome,
        /// The commit that landed, or where the target is instead.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        commit: Option<ObjectId>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<Failure>,
    },

    /// The next attempt is not before `due`; it was drawn from below `ceiling_ms`.
    RetryScheduled {
        run: RunId,
        task: TaskId,
        attempt: u32,
        due: Time,
        wait_ms: u64,
        ceiling_ms: u64,
        error: Failure,
        /// Who takes over from the agent of the attempt that failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        agent: Option<AgentName>,
    },
    /// The provider takes the task's next attempt at `due`, and not before.
    TaskParked { run: RunId, task: TaskId, attempt: u32, due: Time, error: Failure },
    /// A wait came to its end by the clock.
    TimerFired { run: RunId, task: TaskId, timer: TimerKind },
    /// The task waits for something outside.
    TaskBlocked {
        run: RunId,
        task: TaskId,
        on: BlockedOn,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<Failure>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        due: Option<Time>,
        /// What it gave, where it has passed and no attempt of its own recorded that.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        output: Option<Output>,
        /// The topic, where it waits for one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        topic: Option<String>,
    },
    /// A message for those who wait for its topic.
    TopicEmitted {
        run: RunId,
        /// The task that emits it; none where it comes from outside the run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        task: Option<TaskId>,
        topic: String,
        data: serde_json::Value,
        /// The command that brought it from outside.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        command: Option<CommandId>,
        /// Who sent it from outside.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
    },
    /// The message that the task waited for has come: what it is, and the task that emitted it.
    WaitSatisfied {
        run: RunId,
        task: TaskId,
        topic: String,
        message: Seq,
        /// None where it came from outside the run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<TaskId>,
    },
    /// What it waited for has come.
    TaskUnblocked { run: RunId, task: TaskId, command: CommandId, by: String, answer: Settlement },
    /// The one event by which a result is accepted.
    TaskSucceeded {
        run: RunId,
        task: TaskId,
        attempt: Option<u32>,
        fence: Option<Fence>,
        /// What it gave, where no attempt of its own recorded that.
        output: Option<Output>,
        /// The commit of the target that holds its work.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        commit: Option<ObjectId>,
    },
    /// The task will not run.
    TaskSkipped { run: RunId, task: TaskId, reason: SkipReason, cause: Option<TaskId> },
    /// What had made it impossible was requeued.
    TaskUnskipped { run: RunId, task: TaskId, cause: TaskId },
    /// The task failed for good. A dead letter is kept unless the failure belongs to a child.
    TaskDead { run: RunId, task: TaskId, attempt: Option<u32>, error: Failure, dead_letter: bool },
    /// A new incarnation of the task begins.
    /// It is worked on as the plan says, or as whoever requeued it said.
    TaskRequeued {
        run: RunId,
        task: TaskId,
        command: Option<CommandId>,
        cause: TaskId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        agent: Option<AgentName>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        prompt: Option<String>,
    },
    /// A person gave the dead letter up.
    DeadLetterDropped { run: RunId, task: TaskId, command: CommandId },

    /// Somebody wishes the run (no task) or a task to end; or the join of `cause` was met, which wants the rest of what it
    /// needs cancelled.
    CancelRequested {
        run: RunId,
        task: Option<TaskId>,
        command: Option<CommandId>,
        by: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cause: Option<TaskId>,
    },
    /// The task ended by that wish; nothing of it is left.
    TaskCancelled { run: RunId, task: TaskId },

    /// A person is asked. The digests are of what is shown.
    ApprovalRequested {
        run: RunId,
        task: TaskId,
        id: String,
        text: String,
        digests: BTreeMap<TaskId, Digest>,
        /// When the wait is given up, if its run is worked on until then; none where nothing bounds it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        due: Option<Time>,
    },
    /// The answer, or that none came in time.
    ApprovalGiven {
        run: RunId,
        task: TaskId,
        id: String,
        answer: ApprovalAnswer,
        command: Option<CommandId>,
        by: String,
        text: String,
    },
}

impl Record {
    /// The fence of the attempt that this record starts.
    pub fn fence(&self) -> Fence {
        if let Event::AttemptStarted { attempt, .. } = self.event
            && is_planted(Bug::FencePerAttempt)
        {
            return Fence(attempt.into());
        }
        self.seq.into()
    }
}

//! What comes in: commands (somebody asks) and reports (something happened), each with its receive time and a
//! random seed. Never: deciding what they lead to.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::errand::{Done, Repository};
use crate::event::{ApprovalAnswer, Exit, LossReason, Raise, Role, Settlement, StopWhy, Usage};
use crate::failure::Failure;
use crate::id::{AgentName, AttemptKey, CommandId, Digest, Epoch, Fence, RunId, TaskId};
use crate::output::{Output, RawOutput};
use crate::plan::Plan;
use crate::time::Span;

/// A command or a report.
#[derive(Clone, Debug)]
pub enum Input {
    /// Somebody asks for something and waits for an answer.
    Command(Command),
    /// A driver says what happened.
    Report(Report),
}

/// What somebody asks, under an id of their own. The same id again carries nothing out twice: once it was carried out it
/// is answered as accepted, whatever has happened since. What was refused, or was so already, left nothing behind, and
/// is looked at anew.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Command {
    /// The client's id for it.
    pub id: CommandId,
    /// Who asks, for the journal: `cli`, `signal`.
    pub by: String,
    /// What is asked.
    pub ask: Ask,
}

/// Everything that can be asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// Make a run of this plan.
    SubmitPlan(Box<Submission>),
    /// Go on with a run by another plan.
    Revise(Box<Revision>),
    /// Carry out a plan within an attempt's task, for that attempt.
    Nest(Box<Nesting>),
    /// Lift the pause of a run.
    Resume {
        /// The run.
        run: RunId,
        /// What is added to its budget.
        #[serde(default)]
        raise: Raise,
    },
    /// Start nothing new in a run.
    Pause {
        /// The run.
        run: RunId,
        /// Stop what is in flight, too.
        #[serde(default)]
        now: bool,
    },
    /// End a run, or a task of it.
    Cancel {
        /// The run.
        run: RunId,
        /// The task; none is the whole run.
        task: Option<TaskId>,
    },
    /// Begin a new incarnation of a task that is dead, cancelled, or succeeded without consequences.
    Retry {
        /// The run.
        run: RunId,
        /// The task.
        task: TaskId,
        /// Who works on it this time, instead of the agent that the plan names.
        #[serde(default)]
        agent: Option<AgentName>,
        /// What is asked this time, instead of the plan's prompt; a text as it is.
        #[serde(default)]
        prompt: Option<String>,
    },
    /// Say what became of an attempt whose outcome is unknown.
    Settle {
        /// The run.
        run: RunId,
        /// The task.
        task: TaskId,
        /// What became of it.
        answer: Settlement,
        /// Its output, where it was done.
        output: Output,
    },
    /// Answer an approval.
    Approve {
        /// The run.
        run: RunId,
        /// The task.
        task: TaskId,
        /// The id of the request that is answered.
        approval: String,
        /// The answer.
        answer: ApprovalAnswer,
        /// A remark.
        text: String,
    },
    /// Say something on a topic, from outside the run.
    Emit {
        /// The run.
        run: RunId,
        /// The topic.
        topic: String,
        /// What is said.
        data: serde_json::Value,
    },
    /// Give a dead letter up.
    DropDeadLetter {
        /// The run.
        run: RunId,
        /// The task.
        task: TaskId,
    },
    /// Stop what runs, gently, and start nothing new: the engine ends.
    Drain {
        /// Attempts get no grace.
        at_once: bool,
    },
}

impl Ask {
    /// The plan that it brings.
    pub fn plan(&self) -> Option<&Plan> {
        match self {
            Self::SubmitPlan(submission) => Some(&submission.plan),
            Self::Revise(revision) => Some(&revision.plan),
            Self::Nest(nesting) => Some(&nesting.plan),
            Self::Resume { .. }
            | Self::Pause { .. }
            | Self::Cancel { .. }
            | Self::Retry { .. }
            | Self::Settle { .. }
            | Self::Approve { .. }
            | Self::Emit { .. }
            | Self::DropDeadLetter { .. }
            | Self::Drain { .. } => None,
        }
    }

    /// Whether it gives an engine more to do, so that one that is ending takes it no more.
    pub fn takes_on(&self) -> bool {
        match self {
            Self::SubmitPlan(_)
            | Self::Revise(_)
            | Self::Nest(_)
            | Self::Resume { .. }
            | Self::Retry { .. } => true,
            Self::Pause { .. }
            | Self::Cancel { .. }
            | Self::Settle { .. }
            | Self::Approve { .. }
            | Self::Emit { .. }
            | Self::DropDeadLetter { .. }
            | Self::Drain { .. } => false,
        }
    }

    /// The run that it is about.
    pub fn run(&self) -> Option<RunId> {
        match self {
            Self::SubmitPlan(submission) => Some(submission.run),
            Self::Revise(revision) => Some(revision.run),
            Self::Nest(nesting) => Some(nesting.within.run),
            Self::Resume { run, .. }
            | Self::Pause { run, .. }
            | Self::Cancel { run, .. }
            | Self::Retry { run, .. }
            | Self::Settle { run, .. }
            | Self::Approve { run, .. }
            | Self::Emit { run, .. }
            | Self::DropDeadLetter { run, .. } => Some(*run),
            Self::Drain { .. } => None,
        }
    }
}

/// A plan on its way to become a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Submission {
    /// The run's id, drawn at random by the client; it draws another when this is taken.
    pub run: RunId,
    /// The plan, validated by [`crate::plan::file::load`].
    pub plan: Arc<Plan>,
    /// The digest of the blob that holds the plan as canonical JSON; durable already.
    pub plan_digest: Digest,
    /// Where the tasks work: an absolute path.
    pub folder: String,
    /// The digest of the blob with the variables that attempts get; durable already.
    pub env_digest: Digest,
    /// Where the plan came from, for people: a path, or `-`.
    pub source: String,
    /// Where its work is kept and lands, where tasks work in worktrees.
    #[serde(default)]
    pub repository: Option<Repository>,
}

/// Another plan for a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Revision {
    /// The run.
    pub run: RunId,
    /// The plan, validated by [`crate::plan::file::load`].
    pub plan: Arc<Plan>,
    /// The digest of the blob that holds the plan as canonical JSON; durable already.
    pub plan_digest: Digest,
    /// Where the plan came from, for people: a path, or `-`.
    pub source: String,
}

/// A plan on its way to become a sub-plan of a task, asked for by an attempt of that task.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Nesting {
    /// The attempt. Its number proves that it is the one in flight: none is given twice.
    pub within: AttemptKey,
    /// The plan, validated by [`crate::plan::file::load`].
    pub plan: Arc<Plan>,
    /// The digest of the blob that holds the plan as canonical JSON; durable already.
    pub plan_digest: Digest,
    /// Where its tasks work: an absolute path.
    pub folder: String,
    /// The digest of the blob with the variables that its attempts get; durable already.
    pub env_digest: Digest,
    /// Where the plan came from, for people: a path, or `-`.
    pub source: String,
    /// How many levels of attempts there may be in its run by the plans around the engine, where those are in other homes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub levels: Option<u32>,
}

/// Everything that drivers report.
#[derive(Clone, Debug)]
pub enum Report {
    /// The journal was opened for writing.
    EngineStarted {
        /// The number of this opening.
        epoch: Epoch,
        /// What it was opened for.
        role: Role,
        /// The build that opened it.
        build: String,
        /// How long the engine before was alive after its last record, as far as it noted that.
        last_alive: Span,
    },
    /// An attempt's processes are all gone.
    Ended(Box<Ended>),
    /// An attempt went over a limit that is watched where it runs; it is still alive.
    Overdue {
        /// The attempt.
        key: AttemptKey,
        /// Its fence.
        fence: Fence,
        /// Which limit.
        why: StopWhy,
        /// In words: what was measured, what was allowed.
        message: String,
    },
    /// Attempts that will never report again; their processes are proved gone.
    Lost {
        /// The attempts, all that were lost by this.
        attempts: Vec<LostAttempt>,
        /// Why.
        reason: LossReason,
    },
    /// A large output was parsed, checked and cut.
    OutputSettled {
        /// The attempt.
        key: AttemptKey,
        /// Its fence.
        fence: Fence,
        /// What expressions see.
        output: Output,
        /// What is wrong with it.
        error: Option<Failure>,
    },
    /// An errand was done, or could not be.
    ErrandDone {
        /// The attempt that it was for.
        key: AttemptKey,
        /// The record that asked for it.
        fence: Fence,
        /// What came of it.
        outcome: Result<Done, Failure>,
    },
    /// The clocks were compared and did not agree.
    ClockJumped {
        /// By how much the wall clock was set, in milliseconds.
        by_ms: i64,
        /// How long the machine slept, in milliseconds.
        suspended_ms: u64,
    },
    /// The free space of the home's disk crossed the low-water mark.
    DiskLow {
        /// Below it now, or above it again.
        low: bool,
    },
}

/// An attempt that will never report again.
#[derive(Clone, Debug)]
pub struct LostAttempt {
    /// The attempt.
    pub key: AttemptKey,
    /// Its fence.
    pub fence: Fence,
    /// How many processes of it were swept.
    pub leftovers: u32,
}

/// The end of an attempt: its main process is over and nothing of it is left.
#[derive(Clone, Debug)]
pub struct Ended {
    /// The attempt.
    pub key: AttemptKey,
    /// Its fence.
    pub fence: Fence,
    /// How the main process ended.
    pub exit: Exit,
    /// What the adapter made of it; none is success.
    pub error: Option<Failure>,
    /// What it printed.
    pub raw: RawOutput,
    /// The settled output, where it was small enough to be settled on the way.
    pub output: Option<Result<Output, Failure>>,
    /// What it used.
    pub usage: Usage,
    /// How many processes outlived the main process.
    pub leftovers: u32,
}

/// The answer to a command. It is given only after the events behind it are durable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Done, or under way; by this command, now or when it came first.
    Accepted,
    /// It was so already.
    Already,
    /// No, and why.
    Refused(Rejection),
}

fn asked_now(open: Option<&str>) -> String {
    open.map_or_else(
        || "it asks nothing now".into(),
        |id| format!("what it asks now has {id}: look at it first"),
    )
}

/// Why a command is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Rejection {
    /// The drawn id is in use.
    #[error("the run id {0} is taken")]
    RunIdTaken(RunId),
    /// No such run.
    #[error("there is no run {0}")]
    NoSuchRun(RunId),
    /// The run's plan is gone, or is none that can be carried out.
    #[error("run {0} can't be read: its plan is gone or damaged")]
    RunLost(RunId),
    /// No such task.
    #[error("run {0} has no task {1}")]
    NoSuchTask(RunId, TaskId),
    /// The run has ended.
    #[error("run {0} has ended")]
    RunEnded(RunId),
    /// The task is in a state in which this can't be done.
    #[error("task {task} is {state}: {why}")]
    WrongState {
        /// The task.
        task: TaskId,
        /// Its state.
        state: String,
        /// Why that is in the way, and what to do.
        why: String,
    },
    /// The request was answered the other way.
    #[error("the approval {0} was answered already, the other way")]
    AnsweredOtherwise(String),
    /// The task asks nothing under this id.
    #[error("no open approval of task {task} has the id {given}; {}", asked_now(open.as_deref()))]
    NoSuchApproval {
        /// The task.
        task: TaskId,
        /// The id that was given.
        given: String,
        /// Under which one it asks now.
        open: Option<String>,
    },
    /// No task waits for messages on this topic that come from outside the run.
    #[error("no task of run {run} waits for messages on `{topic}` from outside the run; {heard}")]
    NobodyListens {
        /// The run.
        run: RunId,
        /// The topic.
        topic: String,
        /// On which topics one does, in words.
        heard: String,
    },
    /// The message is longer than one may be.
    #[error("the message is {bytes} bytes of JSON, over the {most} that are kept")]
    MessageTooLong {
        /// How long it is.
        bytes: usize,
        /// How long one may be.
        most: usize,
    },
    /// As much was said to the run from outside as it keeps.
    #[error("run {0} keeps 16 MiB of messages from outside, and has them")]
    TooManyMessages(RunId),
    /// What it would leave in the journal is larger than a record may be.
    #[error("it is too long: a record of the journal holds 256 KiB")]
    TooLarge,
    /// More is asked of the engine than it can take in.
    #[error("the engine has as many commands before it as it can take in: try again in a moment")]
    Busy,
    /// The engine that was asked ends, and takes on nothing.
    #[error("the engine is ending")]
    Ending,
    /// A budget of the run is used up.
    #[error("the budget of run {run} is used up: {used_up}")]
    BudgetUsedUp {
        /// The run.
        run: RunId,
        /// Which budget, and how much of it there was.
        used_up: String,
        /// What raises it.
        argument: String,
    },
    /// The run has no such budget, so that there is nothing to raise.
    #[error("run {run} has no budget of {kind} that could be raised")]
    NoBudget {
        /// The run.
        run: RunId,
        /// Of what.
        kind: String,
    },
    /// Tasks of the plan work in worktrees, and the run has no repository that they could be of.
    #[error("tasks of the plan work in worktrees, and run {0} was begun without a repository")]
    NoRepository(RunId),
    /// What has begun can't be what the new plan makes of it.
    #[error("run {run} can't go on by this plan: {}", reasons.join("; "))]
    CantRevise {
        /// The run.
        run: RunId,
        /// All that is in the way.
        reasons: Vec<String>,
    },
    /// The plan has no such agent.
    #[error("the plan of task {task} has no agent {agent}; it has {known}")]
    NoSuchAgent {
        /// The task.
        task: TaskId,
        /// The agent that was named.
        agent: String,
        /// Those that there are.
        known: String,
    },
    /// What an attempt asked for that is over, or is being ended.
    #[error("attempt {0} is over, or is being ended: it can add nothing any more")]
    NotLive(AttemptKey),
    /// The plan that an attempt brings is over a cap of its run.
    #[error("the plan would be over a cap of run {run}: {why}")]
    OverCap {
        /// The run.
        run: RunId,
        /// Which cap, and by how much.
        why: String,
    },
    /// The same plan, which the attempt brought before, is being ended: it is not carried out twice at once.
    #[error("{task}, the same plan, is still being ended")]
    EndsFirst {
        /// What was made of it.
        task: TaskId,
    },
    /// The attempt has brought the same plan before, and begun what must not be done twice.
    #[error(
        "{within} has started {task} by this plan, and that says `rerun: never`: it would be started again"
    )]
    BegunBefore {
        /// The attempt.
        within: AttemptKey,
        /// What it has begun.
        task: TaskId,
    },
    /// There is no dead letter.
    #[error("task {0} has no dead letter")]
    NoDeadLetter(TaskId),
}

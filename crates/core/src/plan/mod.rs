//! The plan as a run carries it: every default applied, every reference checked. Never: spans, comments or the
//! shape of files (that is `plan/file.rs`).

mod agents;
pub(crate) mod brought;
mod build;
pub mod built_in;
mod check;
mod conform;
pub mod diagnostic;
pub mod file;
mod gates;
pub mod graph;
pub(crate) mod inputs;
mod json;
mod json_schema;
mod language;
pub mod layers;
mod node;
mod pools;
pub mod rate;
pub mod revision;
pub mod schema;
mod secret_text;
pub mod secrets;
pub mod settings;
mod shape;
mod sizes;
mod source;
mod subplans;
mod tasks;
mod toml;
pub mod validate;
mod waits;
mod yaml;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::failure::ErrorKind;
use crate::id::{AccountName, AgentName, TaskId};
use crate::plan::layers::{RetryLayer, TimeoutLayer};
use crate::plan::rate::Rate;
use crate::template::{Items, Template};
use crate::time::{Span, Time};

/// How long a person may take to answer before the wait ends.
pub(crate) const ANSWER_BOUND: Span = Span::from_secs(7 * 24 * 3600);

/// A goal with its tasks, valid by construction: [`file::load`] is the one way to get one from a text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// What the user wants, in a sentence; may be empty.
    pub goal: String,
    /// The agents that tasks name, each resolved over the settings.
    pub agents: BTreeMap<AgentName, Agent>,
    /// Those of its agents that a revision left out: attempts that they work on come to their end, and no other begins.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub retired: BTreeSet<AgentName>,
    /// The caps over the whole tree of the run.
    pub limits: Limits,
    /// What the run may use up in all.
    #[serde(default, skip_serializing_if = "Budget::is_unbounded")]
    pub budget: Budget,
    /// The run's share where several compete for slots, at least 1.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub weight: u32,
    /// How many attempts of the run may be in flight at the same time; none is as many as there are slots.
    pub concurrency: Option<u32>,
    /// Whether its tasks may start runs in other homes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub nested: bool,
    /// The values of `inputs`, defaults applied.
    pub inputs: BTreeMap<String, serde_json::Value>,
    /// The folder of the plan's file, for `{{ plan.dir }}`.
    pub dir: String,
    /// The tasks, in the order of the file. Their `needs` point into this list.
    pub tasks: Vec<Task>,
}

const fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
const fn is_one(weight: &u32) -> bool {
    *weight == 1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
const fn is_zero(priority: &i8) -> bool {
    *priority == 0
}

/// A node of the plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Its name, unique in the plan.
    pub id: TaskId,
    /// What it does.
    pub work: Work,
    /// The tasks it depends on, as places in [`Plan::tasks`].
    pub needs: Vec<usize>,
    /// How many of them must have succeeded.
    pub join: Join,
    /// Starts only if this is true.
    pub when: Option<Template>,
    /// One child for each item.
    pub for_each: Option<ForEach>,
    /// One child after the other, until a condition holds.
    pub repeat: Option<Repeat>,
    /// Several children that do the same.
    pub replicas: Option<Replicas>,
    /// How failed attempts are tried again.
    pub retry: Retry,
    /// The limits of time.
    pub timeout: Timeout,
    /// Whether an attempt of unknown outcome may simply be repeated.
    pub rerun: Rerun,
    /// Whether the run may succeed without it.
    pub optional: bool,
    /// Where its attempts work.
    #[serde(default, skip_serializing_if = "Workspace::is_shared")]
    pub workspace: Workspace,
    /// How it stands to other ready tasks, from −100 to 100: higher goes first.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub priority: i8,
    /// Whether what it needs is cancelled once its join is met without that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cancel_rest: bool,
    /// The JSON Schema that its output must hold against.
    pub output_schema: Option<serde_json::Value>,
    /// The parts of its output (of each child's, where it has children) whose content templates of other tasks need,
    /// as JSON pointers; the empty one is the whole.
    pub extracts: Vec<String>,
    /// Variables of its own, over those that every attempt gets.
    pub env: BTreeMap<String, Template>,
    /// Globs of the names of variables that are let through from the surrounding environment.
    pub pass: Vec<String>,
    /// The working directory, relative to the run's folder and inside it.
    pub dir: Option<Template>,
    /// The most memory that its processes may use together, in bytes.
    pub memory_bytes_max: Option<u64>,
    /// What it and all that is below it may use up.
    #[serde(default, skip_serializing_if = "Budget::is_unbounded")]
    pub budget: Budget,
    /// The topics on which it, or a task of the plan that it is, emits.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub emits: Vec<String>,
    /// Whether a revision left it out: it keeps its place, and what it gave, and the run goes on without it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub removed: bool,
}

/// Where the attempts of a task work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Workspace {
    /// In the run's folder, as all others that share it.
    #[default]
    Shared,
    /// In a git worktree of the task's own, on a branch of the attempt's own; what is accepted is merged.
    Worktree,
}

impl Plan {
    /// Whether any of its tasks, or of the plans in it, works in a worktree.
    pub fn has_worktrees(&self) -> bool {
        self.tasks.iter().any(|task| {
            task.workspace == Workspace::Worktree
                || matches!(&task.work, Work::Plan(inner) if inner.plan.has_worktrees())
        })
    }
}

impl Workspace {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
    const fn is_shared(&self) -> bool {
        matches!(self, Self::Shared)
    }
}

/// What a task does: one of these.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// An agent works on a prompt.
    Prompt {
        /// Who.
        by: By,
        /// What is asked, a template.
        prompt: Template,
    },
    /// A program with its arguments.
    Argv(Vec<Template>),
    /// A line for `/bin/sh -c`, in which each value is inserted quoted as one word.
    Shell(Template),
    /// A person says yes or no.
    Approval {
        /// What is asked.
        text: Template,
        /// The tasks whose outputs are shown, as places in [`Plan::tasks`].
        show: Vec<usize>,
    },
    /// A plan of its own, whose tasks are the children.
    Plan(SubPlan),
    /// A message for those who wait for its topic.
    Emit {
        /// The topic.
        topic: String,
        /// What it says; texts are templates.
        data: serde_json::Value,
    },
    /// Nothing, until something comes.
    Wait(WaitFor),
}

/// What a task waits for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitFor {
    /// A message.
    Topic {
        /// Its topic.
        topic: String,
        /// Which messages count: a condition over `data`; none is all.
        matches: Option<Template>,
        /// Only what came after this task's success counts, a place in [`Plan::tasks`].
        since: Option<usize>,
        /// Whether others than tasks of the run may emit it.
        external: bool,
    },
    /// A length of time.
    After(Span),
    /// A date.
    At(Time),
}

/// Who works on a prompt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// One of these.
    Pool(Pool),
    /// Whoever an expression names, asked before each attempt.
    Expression(Template),
}

/// Agents that the same work may go to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pool {
    /// They, in the order of the plan; at least one.
    pub agents: Vec<AgentName>,
    /// How one of them is chosen.
    pub balance: Balance,
}

/// How one of several agents is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Balance {
    /// In turns.
    #[default]
    RoundRobin,
    /// The one with the fewest attempts in flight.
    LeastLoaded,
    /// In turns, each as often as its weight says.
    Weighted,
}

/// A plan within a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SubPlan {
    /// Its file, as the plan around it names it.
    pub file: String,
    /// What is executed. Its `inputs` are the defaults.
    pub plan: Arc<Plan>,
    /// The type of each of its inputs.
    pub types: BTreeMap<String, String>,
    /// What the task gives it instead of the defaults; texts are templates.
    pub inputs: BTreeMap<String, serde_json::Value>,
}

/// How many dependencies must have succeeded before a task is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Join {
    /// Every one; those skipped by `when`, and optional ones that failed, count as succeeded.
    All,
    /// At least this many (`any` is 1).
    AtLeast(u32),
}

/// A task once for each item of a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ForEach {
    /// The list: a template, or values written out in the plan (in which texts are templates).
    pub items: Items,
    /// How many children may be in flight at the same time.
    pub max_parallel: Option<u32>,
}

/// A task again and again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Repeat {
    /// What ends the rounds, asked after each; none is never.
    pub until: Option<Template>,
    /// How many rounds there are at most.
    pub max: u32,
}

/// A task several times at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replicas {
    /// How many.
    pub count: u32,
    /// What becomes of what they give.
    pub select: Select,
}

/// What becomes of what replicas give.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Select {
    /// The first that passes is chosen.
    #[default]
    First,
    /// One of those is chosen that more than half agree on.
    Majority,
    /// All are needed, and none is chosen.
    All,
}

impl Plan {
    /// The agents that an attempt may begin with.
    pub fn at_hand(&self) -> impl Iterator<Item = &AgentName> {
        self.agents.keys().filter(|name| !self.retired.contains(*name))
    }

    /// The globs of the variables that its tasks, and those of the plans in it, let through.
    pub fn passed(&self) -> BTreeSet<&str> {
        let inner = self.tasks.iter().filter_map(|task| task.work.sub_plan()).flat_map(Self::passed);
        self.tasks.iter().flat_map(|task| &task.pass).map(String::as_str).chain(inner).collect()
    }
}

impl Work {
    /// The plan that it is, if it is one.
    pub fn sub_plan(&self) -> Option<&Plan> {
        match self {
            Self::Plan(sub) => Some(&sub.plan),
            Self::Prompt { .. }
            | Self::Argv(_)
            | Self::Shell(_)
            | Self::Approval { .. }
            | Self::Emit { .. }
            | Self::Wait(_) => None,
        }
    }
}

impl Task {
    /// A task of which nothing is said but what it does: all else is built in. The work is no agent's, and asks nobody.
    pub fn plain(id: TaskId, work: Work) -> Self {
        Self {
            id,
            emits: waits::emits(&work),
            work,
            needs: Vec::new(),
            join: Join::All,
            when: None,
            for_each: None,
            repeat: None,
            replicas: None,
            retry: RetryLayer::default().settle(false),
            timeout: TimeoutLayer::default().settle(false, false),
            rerun: Rerun::default(),
            optional: false,
            workspace: Workspace::Shared,
            priority: 0,
            cancel_rest: false,
            output_schema: None,
            extracts: Vec::new(),
            env: BTreeMap::new(),
            pass: Vec::new(),
            dir: None,
            memory_bytes_max: None,
            budget: Budget::default(),
            removed: false,
        }
    }

    /// In how many lists its output is what one attempt gave: one for `for_each`, one for replicas that are all kept.
    pub fn lists(&self) -> usize {
        let all = self.replicas.is_some_and(|replicas| replicas.select == Select::All);
        usize::from(self.for_each.is_some()) + usize::from(all)
    }
}

/// Whether an attempt that did not end by its own exit may be repeated without asking.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rerun {
    /// It may.
    #[default]
    Safe,
    /// Its outcome is unknown until a person settles it.
    Never,
}

/// How failed attempts are tried again, every default applied.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Retry {
    /// The ceiling of the first wait.
    pub initial_interval: Span,
    /// By how much the ceiling grows, in thousandths (2000 is doubling).
    pub backoff_coefficient_milli: u64,
    /// The highest ceiling.
    pub max_interval: Span,
    /// Whether the wait is drawn from below the ceiling.
    pub jitter: Jitter,
    /// How many charged attempts there are in an incarnation, at least 1.
    pub max_attempts: u32,
    /// How many losses alone in flight there are before the task counts as poison.
    pub losses_max: u32,
    /// Kinds of error that are not tried again, besides those that never are.
    pub non_retryable: Vec<ErrorKind>,
}

/// How the wait before a retry is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Jitter {
    /// Anywhere between nothing and the ceiling.
    #[default]
    Full,
    /// The ceiling itself.
    None,
}

/// The limits of time of a task, every default applied; none is no limit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Timeout {
    /// From ready to started.
    pub schedule_to_start: Option<Span>,
    /// The length of one attempt.
    pub start_to_close: Option<Span>,
    /// The longest silence of an attempt: no output and less than 1 % of a CPU.
    pub heartbeat: Option<Span>,
    /// All attempts of an incarnation together, waits included.
    pub schedule_to_close: Option<Span>,
    /// From the polite stop to the hard one.
    pub grace: Span,
}

/// What a run, or a task with all that is below it, may use up in all; none is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// Attempts that are charged.
    pub attempts: Option<u32>,
    /// Time in which the run is worked on, from its start or from when the task is ready.
    pub wall: Option<Span>,
}

impl Budget {
    /// This, and where it says nothing the other.
    pub(crate) fn over(self, lower: Self) -> Self {
        Self { attempts: self.attempts.or(lower.attempts), wall: self.wall.or(lower.wall) }
    }

    /// Whether it limits nothing.
    pub fn is_unbounded(&self) -> bool {
        *self == Self::default()
    }
}

/// Caps over the whole tree of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Tasks, children included.
    pub tasks: u32,
    /// Children of one parent.
    pub fan_out: u32,
    /// Levels of tasks, the run's own being 1.
    pub depth: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { tasks: 1000, fan_out: 100, depth: 3 }
    }
}

/// The highest value that any cap of [`Limits`] may be raised to.
pub const LIMIT_MAX: u32 = 1_000_000;

/// A named way to do work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Agent {
    /// The code that drives it.
    pub adapter: Adapter,
    /// The program to start: a path or a name on PATH. The adapter `scripted` has its own.
    pub program: Option<String>,
    /// Its arguments.
    pub args: Vec<String>,
    /// Variables of its own.
    pub env: BTreeMap<String, String>,
    /// How many of its attempts may be in flight at the same time.
    pub concurrency: Option<u32>,
    /// How many of its account's attempts may start in a time.
    pub rate: Option<Rate>,
    /// Its share where work is balanced by weight.
    pub weight: u32,
    /// Who takes over, in this order.
    pub fallback: Vec<AgentName>,
    /// Whose breaker, rate and pauses it has in common with others; its own where none is named.
    pub account: Option<AccountName>,
    /// The most memory that an attempt's processes may use together, in bytes.
    pub memory_bytes_max: Option<u64>,
}

/// The code that drives one kind of agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Adapter {
    /// Any program: the prompt on standard input, the answer on standard output or in `WINDLASS_OUTPUT`.
    Command,
    /// The shipped agent that follows the script in its prompt.
    Scripted,
}

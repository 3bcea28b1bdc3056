//! A plan as the generator thinks of it: few choices, each of which can be taken back while a failure is made smaller.
//! It becomes a plan by being written as a file and read back, so that it can't go beyond what users can write.
//! Never: expressions whose value `meaning.rs` can't tell without the core.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use windlass_core::failure::ErrorKind;
use windlass_core::id::TaskId;

use crate::talk::{Await, Emit};

/// A plan: that of a run, or one that a task is. Of the latter counts what the language lets count.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct PlanDraft {
    /// Its tasks; needs point to smaller labels.
    pub(crate) tasks: Vec<TaskDraft>,
    pub(crate) agents: Vec<AgentDraft>,
    pub(crate) concurrency: Option<u32>,
    /// How many charged attempts it may have in all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) attempts_max: Option<u32>,
    /// How long it may be worked on in all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) wall_ms_max: Option<u64>,
    /// Its share where several runs compete for slots.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) weight: Option<u32>,
    pub(crate) tasks_max: Option<u32>,
    pub(crate) fan_out: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) depth: Option<u32>,
    /// The value of the input `flag`.
    pub(crate) flag: bool,
    /// Whether the file lists its tasks from the last to the first.
    pub(crate) reversed: bool,
}

/// An agent of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct AgentDraft {
    /// How many of its attempts may be in flight.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) most: Option<u32>,
    /// How many may start, in a minute or else a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rate: Option<(u32, bool)>,
    /// 0 is the weight that is not written.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) weight: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) fallback: Vec<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) account: Option<u32>,
    /// Whether a revision left it out; the others keep their numbers.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) retired: bool,
}

/// Who works on a prompt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Who {
    One(u32),
    Several(Vec<u32>, Share),
    /// An expression names one after the other, an attempt each.
    InTurn(Vec<u32>),
    /// An expression names whom this task gave.
    Given(u32),
}

/// How one of several agents is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Share {
    Turns,
    Load,
    Weight,
}

/// A task of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a line of the plan that is there or not")]
pub(crate) struct TaskDraft {
    pub(crate) label: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) needs: Vec<u32>,
    /// 0 is all.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) join: u32,
    /// Whether what its join is met without is cancelled.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) cancel_rest: bool,
    #[serde(skip_serializing_if = "is_level")]
    pub(crate) priority: i8,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) when: Option<When>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) each: Option<Each>,
    /// What ends its rounds, and how many there are at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rounds: Option<(Until, u32)>,
    /// How many replicas there are, and what becomes of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) replicas: Option<(u32, Pick)>,
    pub(crate) work: Work,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) refs: Vec<Ref>,
    /// Whether they stand in a variable instead of in what is run.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) in_env: bool,
    /// Whether it works in a folder of its own.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) in_folder: bool,
    pub(crate) retry: RetryDraft,
    pub(crate) timeout: TimeoutDraft,
    /// What it and all below it may use: attempts, and time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) attempts_max: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) wall_ms_max: Option<u64>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) rerun_never: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) optional: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) schema: bool,
    pub(crate) shape: Shape,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn is_level(priority: &i8) -> bool {
    *priority == 0
}

/// What a task does.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) enum Work {
    #[default]
    Shell,
    Argv,
    Prompt(Who),
    Approval {
        show: Vec<u32>,
    },
    Emit(Emit),
    Wait(Await),
    Plan(Within),
}

/// A plan that a task is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Within {
    pub(crate) plan: Box<PlanDraft>,
    /// What its input `flag` is given instead of the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) flag: Option<When>,
}

impl Work {
    /// Whether it is done by attempts.
    pub(crate) const fn has_attempts(&self) -> bool {
        matches!(self, Self::Shell | Self::Argv | Self::Prompt(_))
    }

    /// The plan that it is, if it is one.
    pub(crate) fn plan(&self) -> Option<&PlanDraft> {
        if let Self::Plan(within) = self { Some(&within.plan) } else { None }
    }
}

/// What a task gives when it succeeds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Shape {
    #[default]
    Null,
    Number,
    List,
    /// `{n, ok, items}`
    Object,
    /// Such an object, too large for a record.
    Large,
}

/// A condition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum When {
    Word(bool),
    Flag,
    Not(Box<When>),
    Is(u32, EndName),
    Ok(u32),
    /// The items of an object, more than so many.
    Items(u32, u32),
    /// A field of what a task gave of the plan that a task is.
    OkWithin(u32, u32),
    /// No condition at all: a number.
    Wrong(u32),
    Both(Box<When>, Box<When>),
}

/// The name of a final state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum EndName {
    Succeeded,
    Skipped,
    Dead,
    Cancelled,
}

/// What ends rounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Until {
    /// Nothing: there are as many as there may be.
    Never,
    /// A round with this number.
    Index(u32),
    /// A field of what a round gave.
    Ok,
}

/// What becomes of replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Pick {
    First,
    Majority,
    All,
}

/// Where the items come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Each {
    pub(crate) from: From,
    pub(crate) max_parallel: Option<u32>,
}

/// Where the items come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum From {
    /// So many values written out.
    Literal(u32),
    /// A field of a task's output.
    Items(u32),
    /// The same of a task of the plan that a task is.
    ItemsWithin(u32, u32),
    /// A task's output as a whole: null, a number or a list.
    Whole(u32),
}

/// What a text names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Ref {
    /// The number in a task's output.
    N(u32),
    /// The same of a task of the plan that a task is.
    NWithin(u32, u32),
    /// The output as a whole.
    Whole(u32),
    State(u32),
    Item,
    Index,
    Attempt,
    Feedback,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct RetryDraft {
    pub(crate) max_attempts: u32,
    pub(crate) losses_max: u32,
    pub(crate) initial_ms: u64,
    pub(crate) coefficient_milli: u64,
    pub(crate) max_ms: u64,
    pub(crate) jitter: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) non_retryable: Vec<ErrorKind>,
}

impl Default for RetryDraft {
    fn default() -> Self {
        Self {
            max_attempts: 1,
            losses_max: 3,
            initial_ms: 1000,
            coefficient_milli: 2000,
            max_ms: 60_000,
            jitter: false,
            non_retryable: Vec::new(),
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_field_names, reason = "units come last")]
pub(crate) struct TimeoutDraft {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) start_to_close_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) heartbeat_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) schedule_to_start_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) schedule_to_close_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) grace_ms: Option<u64>,
}

impl When {
    /// The expression, without its braces.
    pub(crate) fn expression(&self) -> String {
        match self {
            Self::Word(truth) => truth.to_string(),
            Self::Flag => "inputs.flag".into(),
            Self::Not(inner) => format!("not ({})", inner.expression()),
            Self::Is(task, end) => format!("tasks.t{task}.state == '{}'", end.name()),
            Self::Ok(task) => format!("tasks.t{task}.output.ok"),
            Self::OkWithin(task, inner) => format!("tasks.t{task}.output.t{inner}.ok"),
            Self::Items(task, more) => format!("tasks.t{task}.output.items | length > {more}"),
            Self::Wrong(task) => format!("tasks.t{task}.output.n"),
            Self::Both(left, right) => format!("({}) and ({})", left.expression(), right.expression()),
        }
    }

    /// The tasks that it names.
    pub(crate) fn names(&self, into: &mut Vec<u32>) {
        match self {
            Self::Word(_) | Self::Flag => {}
            Self::Not(inner) => inner.names(into),
            Self::Is(task, _)
            | Self::Ok(task)
            | Self::OkWithin(task, _)
            | Self::Items(task, _)
            | Self::Wrong(task) => into.push(*task),
            Self::Both(left, right) => {
                left.names(into);
                right.names(into);
            }
        }
    }

    pub(crate) fn written(&self) -> Value {
        match self {
            Self::Word(truth) => json!(truth),
            other => json!(format!("{{{{ {} }}}}", other.expression())),
        }
    }
}

impl EndName {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Skipped => "skipped",
            Self::Dead => "dead",
            Self::Cancelled => "cancelled",
        }
    }
}

impl Ref {
    pub(crate) fn written(self) -> String {
        match self {
            Self::N(task) => format!("{{{{ tasks.t{task}.output.n }}}}"),
            Self::NWithin(task, inner) => format!("{{{{ tasks.t{task}.output.t{inner}.n }}}}"),
            Self::Whole(task) => format!("{{{{ tasks.t{task}.output }}}}"),
            Self::State(task) => format!("{{{{ tasks.t{task}.state }}}}"),
            Self::Item => "{{ item }}".into(),
            Self::Index => "{{ index }}".into(),
            Self::Attempt => "{{ attempt }}".into(),
            Self::Feedback => "{{ feedback }}".into(),
        }
    }

    /// The task that it names.
    pub(crate) const fn task(self) -> Option<u32> {
        match self {
            Self::N(task) | Self::NWithin(task, _) | Self::Whole(task) | Self::State(task) => Some(task),
            Self::Item | Self::Index | Self::Attempt | Self::Feedback => None,
        }
    }
}

/// The name of a task.
pub(crate) fn name(label: u32) -> String {
    format!("t{label}")
}

/// The label of a task, by its name or that of one of its children.
pub(crate) fn label(task: &TaskId) -> u32 {
    let own = task.as_str().rsplit('/').next().and_then(|part| part.split('.').next());
    let number = own.and_then(|own| own.trim_start_matches('t').parse().ok());
    number.expect("every task of a draft is t and a number")
}

impl From {
    /// The task that it names.
    pub(crate) const fn task(&self) -> Option<u32> {
        match self {
            Self::Items(task) | Self::ItemsWithin(task, _) | Self::Whole(task) => Some(*task),
            Self::Literal(_) => None,
        }
    }
}

impl TaskDraft {
    /// Which of the modifiers it has that make children, in the order in which they do.
    pub(crate) const fn makers(&self) -> [bool; 3] {
        [self.each.is_some(), self.rounds.is_some(), self.replicas.is_some()]
    }
}

impl PlanDraft {
    /// Whether its tasks, and those of plans within it, name only agents that they can: that of an expression no loader sees.
    pub(crate) fn knows_its_agents(&self, around: usize) -> bool {
        let all = self.agents.len().max(around);
        let is_known = |agent: &u32| usize::try_from(*agent).is_ok_and(|agent| agent < all);
        self.tasks.iter().all(|task| match &task.work {
            Work::Prompt(Who::Several(agents, _) | Who::InTurn(agents)) => agents.iter().all(is_known),
            Work::Prompt(Who::One(agent)) => is_known(agent),
            Work::Plan(within) => within.plan.knows_its_agents(all),
            Work::Prompt(Who::Given(_)) => true,
            Work::Shell | Work::Argv | Work::Approval { .. } | Work::Emit(_) | Work::Wait(_) => true,
        })
    }

    /// The draft of the task with this label.
    pub(crate) fn labelled(&self, label: u32) -> &TaskDraft {
        self.tasks.iter().find(|task| task.label == label).expect("it was drafted")
    }
}

//! What must hold of a plan that comes as data, over a socket or from a blob: all that the core goes by without looking.
//! Never: what a person may have meant (the reader of files says that), or what a template refers to: one that can't be
//! filled in fails its task.

use super::rate::Rate;
use super::{
    Agent, By, ForEach, Join, LIMIT_MAX, Limits, Plan, Repeat, Replicas, Retry, Task, Timeout, WaitFor, Work,
    graph, waits,
};
use crate::id::{AgentName, TaskId};
use crate::template::Items;
use crate::time::Span;

/// Why a plan that came as data can't be carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{fault}", owner.as_ref().map(|task| format!("task {task}: ")).unwrap_or_default())]
pub struct Unsound {
    /// The task that is wrong; none where it is the plan.
    pub owner: Option<TaskId>,
    /// What is wrong.
    pub fault: Fault,
}

/// What is wrong with a plan, or with a task of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// There is nothing in it.
    #[error("the plan has no tasks")]
    Empty,
    /// More tasks than its cap.
    #[error("the plan has {tasks} tasks, and limits.tasks is {limit}")]
    TooMany {
        /// How many.
        tasks: usize,
        /// The cap.
        limit: u32,
    },
    /// It was made by a revision, and is none that was written.
    #[error("it has parts that a revision left out")]
    LeftOut,
    /// A name that tasks can't have.
    #[error("that is no name of a task in a plan")]
    Name,
    /// Two tasks of one name.
    #[error("another task has the same name")]
    Twice,
    /// A place at which there is no task.
    #[error("`{0}` leads to a task that there is not")]
    Place(&'static str),
    /// A need that stands there twice.
    #[error("it needs a task twice")]
    NeedsTwice,
    /// What it names without needing it.
    #[error("`{0}` names a task that it does not need")]
    NotNeeded(&'static str),
    /// Tasks that wait for each other.
    #[error("it waits for itself")]
    Circle,
    /// A number outside its bounds.
    #[error("`{0}` is out of range")]
    Range(&'static str),
    /// What must not be empty.
    #[error("`{0}` is empty")]
    Nothing(&'static str),
    /// An agent that the plan does not have.
    #[error("the plan has no agent {0}")]
    Agent(AgentName),
    /// A modifier that its work can't have.
    #[error("its kind of work can't have `{0}`")]
    Beside(&'static str),
    /// Children below the deepest level.
    #[error("its children are level {level}, and limits.depth is {depth}")]
    Deep {
        /// Their level.
        level: usize,
        /// The deepest there may be.
        depth: u32,
    },
    /// It says of its topics what its work does not.
    #[error("its topics are not those that it emits")]
    Topics,
}

/// The longest length of time that a plan can say.
const LENGTH_MAX: Span = Span::from_secs(100 * 366 * 24 * 60 * 60);

impl Plan {
    /// Holds against the plan all that a run of it relies on.
    pub fn validate(&self) -> Result<(), Unsound> {
        let limits = self.limits;
        let caps = [("tasks", limits.tasks), ("fan_out", limits.fan_out), ("depth", limits.depth)];
        for (name, cap) in caps {
            counts(name, Some(cap)).map_err(of_plan)?;
        }
        Level { limits, level: 1 }.plan(self)
    }
}

fn of_plan(fault: Fault) -> Unsound {
    Unsound { owner: None, fault }
}

/// A number from 1 to what any cap may be raised to.
fn counts(name: &'static str, count: Option<u32>) -> Result<(), Fault> {
    count.is_none_or(|count| (1..=LIMIT_MAX).contains(&count)).then_some(()).ok_or(Fault::Range(name))
}

fn is_length(name: &'static str, length: Option<Span>) -> Result<(), Fault> {
    length.is_none_or(|length| length <= LENGTH_MAX).then_some(()).ok_or(Fault::Range(name))
}

fn ensure(holds: bool, fault: Fault) -> Result<(), Fault> {
    if holds { Ok(()) } else { Err(fault) }
}

/// A level of the tree, under the caps of the run.
#[derive(Clone, Copy)]
struct Level {
    limits: Limits,
    level: usize,
}

impl Level {
    fn plan(self, plan: &Plan) -> Result<(), Unsound> {
        self.whole(plan).map_err(of_plan)?;
        for agent in plan.agents.values() {
            check_agent(plan, agent).map_err(of_plan)?;
        }
        for task in &plan.tasks {
            let owned = |fault| Unsound { owner: Some(task.id.clone()), fault };
            check_places(plan, task).map_err(owned)?;
            check_numbers(task).map_err(owned)?;
            self.children(task).map_err(owned)?;
            check_work(plan, task).map_err(owned)?;
        }
        let unsound = |place: usize, fault| Unsound { owner: Some(plan.tasks[place].id.clone()), fault };
        let mut by_name: Vec<usize> = (0..plan.tasks.len()).collect();
        by_name.sort_by_key(|place| &plan.tasks[*place].id);
        let is_twice = |pair: &&[usize]| plan.tasks[pair[0]].id == plan.tasks[pair[1]].id;
        if let Some(pair) = by_name.windows(2).find(is_twice) {
            return Err(unsound(pair[0].max(pair[1]), Fault::Twice));
        }
        let needs: Vec<Vec<usize>> = plan.tasks.iter().map(|task| task.needs.clone()).collect();
        if let Some(circle) = graph::cycles(&needs).first() {
            return Err(unsound(circle[0], Fault::Circle));
        }
        for task in &plan.tasks {
            if let Work::Plan(sub) = &task.work {
                let below = Self { level: self.level + layers(task), ..self };
                below.plan(&sub.plan).map_err(|inner| Unsound {
                    owner: inner.owner.map_or(Some(task.id.clone()), |id| Some(task.id.inside(&id))),
                    ..inner
                })?;
            }
        }
        Ok(())
    }

    fn whole(self, plan: &Plan) -> Result<(), Fault> {
        let (tasks, limit) = (plan.tasks.len(), self.limits.tasks);
        ensure(tasks > 0, Fault::Empty)?;
        ensure(tasks <= limit as usize, Fault::TooMany { tasks, limit })?;
        ensure(plan.retired.is_empty() && plan.tasks.iter().all(|task| !task.removed), Fault::LeftOut)?;
        counts("weight", Some(plan.weight))?;
        counts("concurrency", plan.concurrency)?;
        counts("budget.attempts", plan.budget.attempts)?;
        is_length("budget.wall", plan.budget.wall)
    }

    /// The children that a task may come to have.
    fn children(self, task: &Task) -> Result<(), Fault> {
        let (layers, depth) = (layers(task), self.limits.depth);
        let level = self.level + layers;
        ensure(layers == 0 || level <= depth as usize, Fault::Deep { level, depth })?;
        if let Some(ForEach { items, max_parallel }) = &task.for_each {
            counts("max_parallel", *max_parallel)?;
            let fan_out = self.limits.fan_out as usize;
            let fits = if let Items::List(items) = items { items.len() <= fan_out } else { true };
            ensure(fits, Fault::Range("for_each"))?;
        }
        counts("repeat.max", task.repeat.as_ref().map(|Repeat { max, .. }| *max))?;
        counts("replicas", task.replicas.map(|Replicas { count, .. }| count))?;
        let is_question = matches!(task.work, Work::Approval { .. });
        let is_message = matches!(task.work, Work::Emit { .. } | Work::Wait(_));
        ensure(!is_question || task.repeat.is_none(), Fault::Beside("repeat"))?;
        ensure(!(is_question || is_message) || task.replicas.is_none(), Fault::Beside("replicas"))
    }
}

/// How many levels of children a task makes.
fn layers(task: &Task) -> usize {
    let makers = [
        task.for_each.is_some(),
        task.repeat.is_some(),
        task.replicas.is_some(),
        task.work.sub_plan().is_some(),
    ];
    makers.into_iter().filter(|makes| *makes).count()
}

/// How many levels of tasks a plan may come to have, its own being one.
pub fn levels(plan: &Plan) -> usize {
    let below = |task: &Task| layers(task) + task.work.sub_plan().map_or(1, levels);
    plan.tasks.iter().map(below).max().unwrap_or(1)
}

fn check_agent(plan: &Plan, agent: &Agent) -> Result<(), Fault> {
    counts("agents.concurrency", agent.concurrency)?;
    counts("agents.weight", Some(agent.weight))?;
    let is_rate = agent.rate.is_none_or(|rate| rate.to_string().parse().is_ok_and(|same: Rate| same == rate));
    ensure(is_rate, Fault::Range("agents.rate"))?;
    agent.fallback.iter().try_for_each(|name| is_known(plan, name))
}

fn is_known(plan: &Plan, name: &AgentName) -> Result<(), Fault> {
    ensure(plan.agents.contains_key(name), Fault::Agent(name.clone()))
}

/// The name of a task, and the tasks that it names by their places.
fn check_places(plan: &Plan, task: &Task) -> Result<(), Fault> {
    ensure(TaskId::is_name(task.id.as_str()), Fault::Name)?;
    let mut needs = task.needs.clone();
    needs.sort_unstable();
    ensure(needs.last().is_none_or(|last| *last < plan.tasks.len()), Fault::Place("needs"))?;
    ensure(needs.windows(2).all(|pair| pair[0] != pair[1]), Fault::NeedsTwice)?;
    if let Join::AtLeast(enough) = task.join {
        ensure(enough > 0 && enough as usize <= needs.len(), Fault::Range("join"))?;
    }
    let is_needed = |place: &usize| needs.binary_search(place).is_ok();
    match &task.work {
        Work::Approval { show, .. } => ensure(show.iter().all(is_needed), Fault::NotNeeded("show")),
        Work::Wait(WaitFor::Topic { since: Some(place), .. }) => {
            ensure(is_needed(place), Fault::NotNeeded("since"))
        }
        Work::Prompt { .. }
        | Work::Argv(_)
        | Work::Shell(_)
        | Work::Plan(_)
        | Work::Emit { .. }
        | Work::Wait(WaitFor::Topic { since: None, .. } | WaitFor::After(_) | WaitFor::At(_)) => Ok(()),
    }
}

fn check_numbers(task: &Task) -> Result<(), Fault> {
    let Retry { initial_interval, backoff_coefficient_milli, max_interval, max_attempts, losses_max, .. } =
        &task.retry;
    let Timeout { schedule_to_start, start_to_close, heartbeat, schedule_to_close, grace } = &task.timeout;
    counts("retry.max_attempts", Some(*max_attempts))?;
    counts("retry.losses_max", Some(*losses_max))?;
    counts("budget.attempts", task.budget.attempts)?;
    ensure(
        (1000..=1_000_000).contains(backoff_coefficient_milli),
        Fault::Range("retry.backoff_coefficient"),
    )?;
    ensure((-100..=100).contains(&task.priority), Fault::Range("priority"))?;
    for (name, length) in [
        ("retry.initial_interval", Some(*initial_interval)),
        ("retry.max_interval", Some(*max_interval)),
        ("timeout.schedule_to_start", *schedule_to_start),
        ("timeout.start_to_close", *start_to_close),
        ("timeout.heartbeat", *heartbeat),
        ("timeout.schedule_to_close", *schedule_to_close),
        ("timeout.grace", Some(*grace)),
        ("budget.wall", task.budget.wall),
    ] {
        is_length(name, length)?;
    }
    Ok(())
}

fn check_work(plan: &Plan, task: &Task) -> Result<(), Fault> {
    ensure(task.emits == waits::emits(&task.work), Fault::Topics)?;
    match &task.work {
        Work::Prompt { by: By::Pool(pool), .. } => {
            ensure(!pool.agents.is_empty(), Fault::Nothing("agent"))?;
            pool.agents.iter().try_for_each(|name| is_known(plan, name))
        }
        Work::Argv(argv) => ensure(!argv.is_empty(), Fault::Nothing("run")),
        Work::Wait(WaitFor::After(length)) => is_length("wait_for.after", Some(*length)),
        Work::Prompt { by: By::Expression(_), .. }
        | Work::Shell(_)
        | Work::Approval { .. }
        | Work::Plan(_)
        | Work::Emit { .. }
        | Work::Wait(WaitFor::Topic { .. } | WaitFor::At(_)) => Ok(()),
    }
}

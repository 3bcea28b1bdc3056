//! What a picture of a plan or of a run shows, whatever its format. Never: how it looks.

use std::collections::BTreeSet;

use windlass_core::machine::task::Phase;
use windlass_core::plan::{Join, Plan, Select, Task, Work};
use windlass_core::state::{Run, State, TaskIx};
use windlass_core::time::{Span, Time};
use windlass_core::view::critical;
use windlass_core::view::{self, RunState};

use super::talk;
use crate::render::{plural, text, time, work};

/// How much of what a task does is written into its box.
pub(crate) const DOES_COLUMNS: usize = 36;
/// Up to how many children are shown one by one.
const CHILDREN_SHOWN: usize = 6;

/// A plan or a run.
#[derive(Clone, Debug)]
pub(crate) struct Graph {
    /// What it is for; may be empty.
    pub(crate) goal: String,
    /// Where the plan came from.
    pub(crate) source: String,
    /// The run, if it is one.
    pub(crate) run: Option<RunShown>,
    /// How many tasks the plan has.
    pub(crate) tasks: usize,
    /// Its tasks, in the order of the plan; or its steps, where there are too many tasks to draw.
    pub(crate) nodes: Vec<Node>,
    /// Its critical path.
    pub(crate) path: Path,
}

/// How far a run is.
#[derive(Clone, Debug)]
pub(crate) struct RunShown {
    pub(crate) id: String,
    pub(crate) state: RunState,
    pub(crate) attempts: u32,
    /// How long it has been worked on.
    pub(crate) took: Span,
}

/// The chain of tasks that decides how long a run takes.
#[derive(Clone, Debug)]
pub(crate) struct Path {
    /// Its tasks, children too.
    pub(crate) names: Vec<String>,
    /// Those of them that are nodes.
    pub(crate) nodes: Vec<usize>,
    /// What its attempts took, where that was measured: of a plan there is only the number of its tasks.
    pub(crate) took: Option<Span>,
}

/// What kind of work a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A program or a line for the shell.
    Command,
    /// A prompt for an agent.
    Prompt,
    /// A question to a person.
    Approval,
    /// A plan of its own.
    Plan,
    /// A message for those who wait for its topic.
    Emit,
    /// A wait for a message.
    Wait,
    /// Several tasks drawn as one, since there are too many.
    Fold,
}

/// A task.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) id: String,
    pub(crate) kind: Kind,
    /// What it does, in a line.
    pub(crate) does: String,
    /// What it needs, as places in [`Graph::nodes`].
    pub(crate) needs: Vec<usize>,
    /// How many of them it waits for.
    pub(crate) join: Join,
    pub(crate) for_each: bool,
    /// Its rounds, in words.
    pub(crate) repeat: Option<String>,
    /// Its replicas, in words.
    pub(crate) replicas: Option<String>,
    /// Its condition, without the braces.
    pub(crate) when: Option<String>,
    pub(crate) optional: bool,
    /// The topics on which it emits.
    pub(crate) emits: Vec<String>,
    /// The topics that it waits for.
    pub(crate) hears: Vec<String>,
    /// How far it is, in a run.
    pub(crate) progress: Option<Progress>,
}

/// How far a task is.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    pub(crate) state: Phase,
    pub(crate) attempts: usize,
    /// How long they took; none where there were none.
    pub(crate) took: Option<Span>,
    pub(crate) children: Option<Children>,
}

/// What a parent has become.
#[derive(Clone, Debug)]
pub(crate) struct Children {
    pub(crate) total: usize,
    pub(crate) done: usize,
    pub(crate) failed: usize,
    /// Each of them, where they are few.
    pub(crate) shown: Vec<Child>,
}

/// One of a few children.
#[derive(Clone, Debug)]
pub(crate) struct Child {
    pub(crate) id: String,
    pub(crate) state: Phase,
    pub(crate) attempts: usize,
    pub(crate) took: Option<Span>,
    /// How many children it has of its own.
    pub(crate) children: usize,
}

/// How a state is meant, for colours and signs that stand beside its word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tone {
    /// It went well.
    Good,
    /// It went wrong.
    Bad,
    /// Something is done right now.
    Busy,
    /// It waits for a person or for a moment.
    Held,
    /// It waits for its turn.
    Idle,
    /// It will not be done.
    Off,
}

/// The place of a task in the run's own plan, if it has one there.
fn place_of(run: &Run, ix: TaskIx) -> Option<usize> {
    let task = run.task(ix);
    (task.parent.is_none()).then(|| task.place_in_plan())
}

impl Graph {
    /// What a picture of a plan shows.
    pub(crate) fn of_plan(plan: &Plan, source: &str) -> Self {
        let nodes: Vec<Node> = plan.tasks.iter().map(|task| Node::of(task, None)).collect();
        let path = critical::of_plan(plan);
        Self {
            goal: text::one_line(&plan.goal),
            source: text::plain(source),
            run: None,
            path: Path {
                names: path.iter().map(|place| nodes[*place].id.clone()).collect(),
                nodes: path,
                took: None,
            },
            tasks: nodes.len(),
            nodes,
        }
    }

    /// What a picture of a run shows. Attempts in flight are measured until `now`.
    pub(crate) fn of_run(state: &State, run: &Run, alive: bool, now: Time) -> Self {
        let by_now = state.alive_at(now);
        let places = run.plan.tasks.iter().map(|task| (task, run.names.get(&task.id)));
        let nodes = places.map(|(task, ix)| Node::of(task, ix.map(|ix| Progress::of(run, *ix, by_now))));
        let path = critical::of_run(run, by_now);
        let own = run.plan.tasks.len();
        Self {
            goal: text::one_line(&run.plan.goal),
            source: text::plain(&run.source),
            run: Some(RunShown {
                id: run.id.to_string(),
                state: view::run_state(state, run, alive),
                attempts: view::summary(state, run).attempts,
                took: run.attended.at(by_now),
            }),
            tasks: own,
            nodes: nodes.collect(),
            path: Path {
                names: path.tasks.iter().map(|ix| run.task(*ix).id.to_string()).collect(),
                nodes: path.tasks.iter().filter_map(|ix| place_of(run, *ix)).collect(),
                took: Some(path.length),
            },
        }
    }

    /// All needs, as pairs of places: who is needed, and by whom.
    pub(crate) fn edges(&self) -> impl Iterator<Item = (usize, usize)> {
        self.nodes.iter().enumerate().flat_map(|(to, node)| node.needs.iter().map(move |from| (*from, to)))
    }

    /// What it is, in a line: `run kb0svb, succeeded: 12 tasks …`.
    pub(crate) fn summary(&self) -> String {
        let by_steps = if self.tasks > self.nodes.len() { ", drawn by steps" } else { "" };
        let tasks = format!("{}{by_steps}", several(self.tasks, "task"));
        match &self.run {
            None => format!("plan {}: {tasks}", self.source),
            Some(run) => {
                let attempts = plural::count(run.attempts, "attempt");
                let took = time::length(run.took);
                format!("run {}, {}: {tasks}, {attempts}, {took}", run.id, run.state.name())
            }
        }
    }
}

impl Path {
    /// The nodes on it.
    pub(crate) fn members(&self) -> BTreeSet<usize> {
        self.nodes.iter().copied().collect()
    }

    /// The needs on it.
    pub(crate) fn steps(&self) -> BTreeSet<(usize, usize)> {
        self.nodes.windows(2).map(|pair| (pair[0], pair[1])).collect()
    }

    /// The path in words: how long it is, and what is on it; none where there is nothing to say.
    pub(crate) fn in_words(&self) -> Option<(String, &[String])> {
        if self.names.is_empty() {
            return None;
        }
        let length = self.took.map_or_else(|| several(self.names.len(), "task"), time::length);
        let title = format!("critical path, {length}");
        Some((title, &self.names))
    }
}

impl Node {
    fn of(task: &Task, progress: Option<Progress>) -> Self {
        let kind = match &task.work {
            Work::Argv(_) | Work::Shell(_) => Kind::Command,
            Work::Prompt { .. } => Kind::Prompt,
            Work::Approval { .. } => Kind::Approval,
            Work::Plan(_) => Kind::Plan,
            Work::Emit { .. } => Kind::Emit,
            Work::Wait(_) => Kind::Wait,
        };
        let condition = |when: &str| {
            let bare = when.trim().strip_prefix("{{").and_then(|when| when.strip_suffix("}}"));
            text::one_line(bare.unwrap_or(when).trim())
        };
        Self {
            id: task.id.to_string(),
            kind,
            does: work::what(&task.work),
            needs: task.needs.clone(),
            join: task.join,
            for_each: task.for_each.is_some(),
            repeat: task.repeat.as_ref().map(|repeat| {
                let until = repeat.until.as_ref().map(|until| condition(until.0.as_str()));
                let until = until.map_or_else(String::new, |until| format!(", until {until}"));
                format!("up to {}{until}", plural::count(repeat.max, "round"))
            }),
            replicas: task.replicas.map(|replicas| {
                let which = match replicas.select {
                    Select::First => "the first is taken",
                    Select::Majority => "the majority decides",
                    Select::All => "all are kept",
                };
                format!("{}, {which}", plural::count(replicas.count, "replica"))
            }),
            when: task.when.as_ref().map(|when| condition(when.0.as_str())),
            optional: task.optional,
            emits: task.emits.clone(),
            hears: talk::heard_by(task),
            progress,
        }
    }

    /// How many of its needs it waits for, where that is not all of them.
    pub(crate) fn join_in_words(&self) -> Option<String> {
        match self.join {
            Join::All => None,
            Join::AtLeast(1) => Some(format!("any of {}", self.needs.len())),
            Join::AtLeast(number) => Some(format!("{number} of {}", self.needs.len())),
        }
    }

    /// What is written below its name, where there is no room for more than words: what it does, what modifies it, how
    /// far it is.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = vec![text::fit(&self.does, DOES_COLUMNS)];
        let marks = self.join_in_words().map(|join| format!("after {join}")).into_iter().chain(self.marks());
        let marks: Vec<String> = marks.collect();
        if !marks.is_empty() {
            lines.push(text::fit(&marks.join(" · "), DOES_COLUMNS));
        }
        if let Some(progress) = &self.progress {
            lines.push(progress.in_words().join(" · "));
            let children = progress.children.iter().flat_map(|children| &children.shown);
            lines.extend(children.map(|child| format!("{} {}", child.id, child.in_words().join(" · "))));
        }
        lines
    }

    /// What modifies it, in words; its join is not among them.
    pub(crate) fn marks(&self) -> Vec<String> {
        let for_each = self.for_each.then(|| "for each item".to_owned());
        let when = self.when.as_ref().map(|when| format!("when {when}"));
        let optional = self.optional.then(|| "optional".to_owned());
        let rounds = self.repeat.clone().into_iter().chain(self.replicas.clone());
        for_each.into_iter().chain(rounds).chain(when).chain(optional).collect()
    }

    /// Whether it becomes children, which it stands for.
    pub(crate) fn is_parent(&self) -> bool {
        self.for_each || self.repeat.is_some() || self.replicas.is_some()
    }
}

impl Progress {
    fn of(run: &Run, ix: TaskIx, alive: Span) -> Self {
        let task = run.task(ix);
        let took = |ix: TaskIx| {
            let task = run.task(ix);
            (!task.attempts.is_empty()).then(|| critical::measured(task, alive))
        };
        let members = || run.below(ix).map(|child| (child, run.task(child)));
        let children = members().next().is_some().then(|| Children {
            total: members().count(),
            done: members().filter(|(_, child)| child.phase.is_final()).count(),
            failed: members().filter(|(_, child)| child.phase == Phase::Dead).count(),
            shown: match members().count() {
                0..=CHILDREN_SHOWN => members()
                    .map(|(ix, child)| Child {
                        id: child.id.to_string(),
                        state: child.phase,
                        attempts: child.attempts.len(),
                        took: took(ix),
                        children: run.below(ix).count(),
                    })
                    .collect(),
                _ => Vec::new(),
            },
        });
        Self { state: task.phase, attempts: task.attempts.len(), took: took(ix), children }
    }
}

impl Progress {
    /// How far it is, in words: its state, its attempts, its time, its children.
    pub(crate) fn in_words(&self) -> Vec<String> {
        let children = self.children.as_ref().map(Children::in_words);
        [self.state.name().to_owned()]
            .into_iter()
            .chain(efforts(self.attempts, self.took))
            .chain(children)
            .collect()
    }
}

impl Child {
    /// How far it is, in words.
    pub(crate) fn in_words(&self) -> Vec<String> {
        let parts = (self.children > 0).then(|| plural_of(self.children));
        [self.state.name().to_owned()]
            .into_iter()
            .chain(efforts(self.attempts, self.took))
            .chain(parts)
            .collect()
    }
}

/// What is said of attempts and times beside a state: `2 attempts`, `0.3 s`.
fn efforts(attempts: usize, took: Option<Span>) -> Vec<String> {
    let again = (attempts > 1).then(|| several(attempts, "attempt"));
    again.into_iter().chain(took.map(time::length)).collect()
}

fn plural_of(children: usize) -> String {
    if children == 1 { "1 child".to_owned() } else { format!("{children} children") }
}

fn several(number: usize, one: &str) -> String {
    plural::count(u64::try_from(number).unwrap_or(u64::MAX), one)
}

impl Children {
    /// How far they are, in words.
    pub(crate) fn in_words(&self) -> String {
        let failed = if self.failed == 0 { String::new() } else { format!(", {} failed", self.failed) };
        format!("{} of {} done{failed}", self.done, self.total)
    }
}

/// How a state is meant.
pub(crate) fn tone(state: Phase) -> Tone {
    match state {
        Phase::Waiting | Phase::Ready => Tone::Idle,
        Phase::Running | Phase::Stopping | Phase::Gating | Phase::Merging | Phase::Expanded => Tone::Busy,
        Phase::BackingOff | Phase::Parked | Phase::Blocked => Tone::Held,
        Phase::Succeeded => Tone::Good,
        Phase::Dead => Tone::Bad,
        Phase::Skipped | Phase::Cancelled => Tone::Off,
    }
}

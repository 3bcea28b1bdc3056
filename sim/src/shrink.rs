//! Makes a failing case smaller, a part at a time, as long as the same promise stays broken. Never: another failure.

use crate::case::{Act, Behaviour, Case};
use crate::draft::{PlanDraft, RetryDraft, Shape, TaskDraft, TimeoutDraft, Until, Within, Work};
use crate::rename::{Change, Node, rename};
use crate::seed::{self, Ending, Told};
use crate::talk::{Await, Heeds, Listen};
use crate::trace::Trace;
use crate::world::run_id;

/// How many worlds may be tried.
const TRIES_MAX: u32 = 4000;
/// How many children of a task are tried in its place.
const CHILDREN_TRIED: usize = 5;

/// A case being made smaller.
struct Shrinking {
    case: Case,
    wanted: String,
    tries: u32,
}

/// The smallest case that was found, gone through once more with its trace.
pub fn shrink(told: &Told) -> Told {
    let mut shrinking = Shrinking { case: told.case.clone(), wanted: kind(&told.ending), tries: 0 };
    // From here on everything that is not plain is written down.
    shrinking.attempt(|case| case.trouble = 0);
    loop {
        let before = serde_json::to_string(&shrinking.case).expect("plain data").len();
        shrinking.lists();
        shrinking.tasks();
        shrinking.runs();
        let after = serde_json::to_string(&shrinking.case).expect("plain data").len();
        if after >= before || shrinking.tries >= TRIES_MAX {
            return seed::case(shrinking.case, Trace::kept());
        }
    }
}

/// What must stay the same for it to be the same failure.
fn kind(ending: &Ending) -> String {
    match ending {
        Ending::Well => String::new(),
        Ending::Broken(broken) => broken.invariant.to_owned(),
        Ending::Crashed(words) => {
            let first = words.lines().next().unwrap_or_default();
            format!(
                "crash {}",
                first.chars().filter(|letter| letter.is_alphabetic()).take(40).collect::<String>()
            )
        }
    }
}

impl Shrinking {
    /// Tries a smaller case; keeps it if it fails the same way.
    fn attempt(&mut self, change: impl FnOnce(&mut Case)) -> bool {
        if self.tries >= TRIES_MAX {
            return false;
        }
        self.tries += 1;
        let mut smaller = self.case.clone();
        change(&mut smaller);
        let plans = || smaller.runs.iter().chain(&smaller.brought);
        let loads = plans().all(|plan| plan.knows_its_agents(0) && plan.load().is_ok());
        let fails = loads && kind(&seed::case(smaller.clone(), Trace::default()).ending) == self.wanted;
        if fails {
            self.case = smaller;
        }
        fails
    }

    /// Leaves out acts, faults and behaviours: halves first, then one by one.
    fn lists(&mut self) {
        self.list(|case| case.acts.len(), |case, at, count| drop(case.acts.drain(at..at + count)));
        self.list(|case| case.faults.len(), |case, at, count| drop(case.faults.drain(at..at + count)));
        self.list(
            |case| case.behaviours.len(),
            |case, at, count| {
                let names: Vec<String> = case.behaviours.keys().skip(at).take(count).cloned().collect();
                for name in names {
                    case.behaviours.remove(&name);
                }
            },
        );
        let names: Vec<String> = self.case.behaviours.keys().cloned().collect();
        for name in names {
            self.at_first(&name);
            self.behaviour(&name);
        }
    }

    /// Lets the first attempt do what a later one did, so that nothing need lead to that; without what people did first.
    fn at_first(&mut self, name: &str) {
        let Some((task, attempt)) = name.rsplit_once('/').filter(|(_, attempt)| *attempt != "1") else {
            return;
        };
        let (first, late) = (format!("{task}/1"), attempt.to_owned());
        let moved = |case: &mut Case| {
            let behaviour = case.behaviours.remove(&format!("{task}/{late}"));
            case.behaviours.extend(behaviour.map(|behaviour| (first.clone(), behaviour)));
        };
        let submits = self.case.acts.iter().position(|(_, act)| matches!(act, Act::Submit)).unwrap_or(0);
        let alone = self.attempt(|case| {
            moved(case);
            case.acts = case.acts.get(submits).cloned().into_iter().collect();
        });
        if !alone {
            self.attempt(moved);
        }
    }

    fn list(&mut self, length: impl Fn(&Case) -> usize, leave_out: impl Fn(&mut Case, usize, usize)) {
        let mut count = length(&self.case).div_ceil(2).max(1);
        loop {
            let mut at = 0;
            while at < length(&self.case) {
                let some = count.min(length(&self.case) - at);
                if !self.attempt(|case| leave_out(case, at, some)) {
                    at += some;
                }
            }
            if count == 1 {
                return;
            }
            count = count.div_ceil(2);
        }
    }

    fn behaviour(&mut self, name: &str) {
        let plain = Behaviour::default();
        let simpler: [fn(&mut Behaviour, &Behaviour); 7] = [
            |one, plain| one.brings.clone_from(&plain.brings),
            |one, plain| one.report = plain.report,
            |one, plain| one.on_term = plain.on_term,
            |one, plain| one.end = plain.end,
            |one, plain| one.takes_ms = plain.takes_ms,
            |one, plain| one.leftovers = plain.leftovers,
            |one, plain| (one.silent, one.bad_output) = (plain.silent, plain.bad_output),
        ];
        for simplify in simpler {
            let Some(behaviour) = self.case.behaviours.get(name) else { return };
            let mut changed = behaviour.clone();
            simplify(&mut changed, &plain);
            if changed != *behaviour {
                self.attempt(|case| {
                    case.behaviours.insert(name.to_owned(), changed);
                });
            }
        }
    }

    /// Leaves out tasks, and what makes a task more than a plain one; then the same in the plans that tasks are.
    fn tasks(&mut self) {
        for run in 0..self.case.runs.len() {
            self.tasks_of(&PlanAt { root: Root::Run(run), path: Vec::new() });
        }
        while self.attempt(|case| drop(case.brought.pop())) && !self.case.brought.is_empty() {}
        for plan in 0..self.case.brought.len() {
            self.tasks_of(&PlanAt { root: Root::Brought(plan), path: Vec::new() });
            self.attempt(|case| case.brought[plan].agents.clear());
            self.attempt(|case| {
                (case.brought[plan].attempts_max, case.brought[plan].wall_ms_max) = (None, None);
            });
        }
    }

    fn tasks_of(&mut self, at: &PlanAt) {
        let mut task = at.of(&mut self.case).tasks.len();
        while task > 0 {
            task -= 1;
            if at.of(&mut self.case).tasks.len() > 1 && self.attempt(|case| leave_out(at.of(case), task)) {
                continue;
            }
            self.children(at, task);
            self.hoist(at, task);
            for simplify in SIMPLER {
                let before = at.of(&mut self.case).tasks[task].clone();
                let mut changed = before.clone();
                simplify(&mut changed);
                if changed != before {
                    self.attempt(|case| at.of(case).tasks[task] = changed);
                }
            }
            if at.of(&mut self.case).tasks[task].work.plan().is_some() {
                let path = at.path.iter().copied().chain([task]).collect();
                let within = PlanAt { root: at.root, path };
                self.attempt(|case| within.of(case).agents.clear());
                self.attempt(|case| within.of(case).concurrency = None);
                self.attempt(|case| within.of(case).reversed = false);
                self.tasks_of(&within);
            }
        }
    }

    /// Lets one of its children be a task, whatever its number.
    fn children(&mut self, at: &PlanAt, task: usize) {
        const NONE: [fn(&mut TaskDraft); 3] =
            [|task| task.each = None, |task| task.rounds = None, |task| task.replicas = None];
        for (place, remove) in NONE.into_iter().enumerate().rev() {
            let makers = at.of(&mut self.case).tasks[task].makers();
            if !makers[place] {
                continue;
            }
            let layer = makers[..place].iter().filter(|maker| **maker).count();
            let Some(node) = at.node(&mut self.case, task) else { continue };
            (0..CHILDREN_TRIED).any(|number| {
                self.attempt(|case| {
                    let task = &mut at.of(case).tasks[task];
                    remove(task);
                    task.refs.retain(|name| name.task().is_some());
                    rename(case, &node, Change::Only(layer, number));
                })
            });
        }
    }

    /// Lets a task of the plan that a task is stand in its place.
    fn hoist(&mut self, at: &PlanAt, task: usize) {
        let outer = at.of(&mut self.case).tasks[task].clone();
        let Some(plan) = outer.work.plan().filter(|_| outer.makers() == [false; 3]) else { return };
        let Some(node) = at.node(&mut self.case, task) else { return };
        plan.tasks.iter().any(|inner| {
            let refs = inner.refs.iter().copied().filter(|name| name.task().is_none()).collect();
            let (label, needs, join) = (outer.label, outer.needs.clone(), outer.join);
            let work = alone(&inner.work);
            let moved =
                TaskDraft { label, needs, join, when: None, cancel_rest: false, refs, work, ..inner.clone() };
            self.attempt(|case| {
                let around = at.of(case);
                let own = plan.agents.iter().chain(around.agents.iter().skip(plan.agents.len()));
                around.agents = own.cloned().collect();
                around.tasks[task] = moved;
                rename(case, &node, Change::Within(inner.label));
            })
        });
    }

    /// What a run has beside its tasks; and runs that nobody needs.
    fn runs(&mut self) {
        while self.case.runs.len() > 1 && self.attempt(|case| drop(case.runs.pop())) {}
        for run in 0..self.case.runs.len() {
            self.attempt(|case| case.runs[run].attempts_max = None);
            self.attempt(|case| case.runs[run].wall_ms_max = None);
            self.attempt(|case| case.runs[run].weight = None);
            self.attempt(|case| case.runs[run].concurrency = None);
            self.attempt(|case| case.runs[run].tasks_max = None);
            self.attempt(|case| case.runs[run].fan_out = None);
            self.attempt(|case| case.runs[run].depth = None);
            self.attempt(|case| case.runs[run].reversed = false);
            self.attempt(|case| case.runs[run].agents.truncate(1));
            self.attempt(|case| case.runs[run].agents.clear());
        }
        self.attempt(|case| case.quotas = 0);
        self.attempt(|case| case.outages = 0);
        self.attempt(|case| case.short_turns = false);
        for slots in [8, 1, 2] {
            self.attempt(|case| case.slots = slots);
        }
    }
}

/// A plan of a case that is in no other.
#[derive(Clone, Copy)]
enum Root {
    /// That of the run with this number.
    Run(usize),
    /// The one with this number that attempts bring.
    Brought(usize),
}

/// A plan of a case: one of those, or the one that is found going from task to task.
struct PlanAt {
    root: Root,
    path: Vec<usize>,
}

impl PlanAt {
    fn of<'c>(&self, case: &'c mut Case) -> &'c mut PlanDraft {
        let root = match self.root {
            Root::Run(number) => &mut case.runs[number],
            Root::Brought(number) => &mut case.brought[number],
        };
        self.path.iter().fold(root, |plan, task| match &mut plan.tasks[*task].work {
            Work::Plan(within) => &mut within.plan,
            other => unreachable!("{other:?} is no plan"),
        })
    }

    /// Where a task of it stands; nobody knows in what an attempt brings, which may be brought more than once.
    fn node(&self, case: &mut Case, task: usize) -> Option<Node> {
        let Root::Run(run) = self.root else { return None };
        let mut labels = Vec::new();
        for (deep, place) in self.path.iter().chain([&task]).enumerate() {
            let around = Self { root: self.root, path: self.path[..deep].to_vec() };
            labels.push(around.of(case).tasks[*place].label);
        }
        Some(Node { run: run_id(case, run).to_string(), labels })
    }
}

const SIMPLER: [fn(&mut TaskDraft); 26] = [
    |task| task.work = if task.work.plan().is_some() { Work::Shell } else { task.work.clone() },
    |task| task.priority = 0,
    |task| task.cancel_rest = false,
    |task| task.in_env = false,
    |task| task.in_folder = false,
    |task| task.when = None,
    |task| task.each = None,
    |task| task.rounds = None,
    |task| task.replicas = None,
    |task| task.rounds = task.rounds.map(|_| (Until::Never, 1)),
    |task| task.replicas = task.replicas.map(|(_, pick)| (1, pick)),
    |task| task.refs.clear(),
    |task| task.retry = RetryDraft::default(),
    |task| task.timeout = TimeoutDraft::default(),
    |task| task.attempts_max = None,
    |task| task.wall_ms_max = None,
    |task| task.optional = false,
    |task| task.rerun_never = false,
    |task| task.schema = false,
    |task| task.shape = Shape::Null,
    |task| task.join = 0,
    |task| task.needs.truncate(task.needs.len().saturating_sub(1)),
    |task| task.retry.jitter = false,
    |task| task.retry.non_retryable.clear(),
    |task| task.work = Work::Shell,
    |task| simpler_wait(task),
];

/// What a task does, without what it says of others.
fn alone(work: &Work) -> Work {
    match work {
        Work::Approval { .. } => Work::Approval { show: Vec::new() },
        Work::Wait(Await::Topic(listen)) => Work::Wait(Await::Topic(Listen { since: None, ..*listen })),
        Work::Plan(within) => Work::Plan(Within { flag: None, ..within.clone() }),
        other => other.clone(),
    }
}

/// A wait for any message.
fn simpler_wait(task: &mut TaskDraft) {
    if let Work::Wait(Await::Topic(listen)) = &mut task.work {
        (listen.heeds, listen.since, listen.external) = (Heeds::All, None, false);
    }
}

/// Takes a task out of a plan, and every mention of it.
fn leave_out(run: &mut PlanDraft, at: usize) {
    let gone = run.tasks.remove(at).label;
    for task in &mut run.tasks {
        task.needs.retain(|need| *need != gone);
        task.refs.retain(|name| name.task() != Some(gone));
        if let Work::Wait(Await::Topic(listen)) = &mut task.work {
            listen.since = listen.since.filter(|since| task.needs.contains(since));
        }
        let most = u32::try_from(task.needs.len()).expect("few");
        task.join = task.join.min(most);
        let mut names = Vec::new();
        if let Some(when) = &task.when {
            when.names(&mut names);
        }
        if names.contains(&gone) {
            task.when = None;
        }
        if task.each.as_ref().is_some_and(|each| each.from.task() == Some(gone)) {
            task.each = None;
            task.refs.retain(|name| name.task().is_some());
        }
        if let Work::Plan(within) = &mut task.work {
            let mut names = Vec::new();
            within.flag.iter().for_each(|flag| flag.names(&mut names));
            within.flag = within.flag.take().filter(|_| !names.contains(&gone));
        }
        if let Work::Approval { show } = &mut task.work {
            show.retain(|shown| *shown != gone);
        }
    }
}

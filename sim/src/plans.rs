//! Plans at random: tasks of every kind with what can be said of them, small enough to be gone through often. Plans within
//! them: `nest.rs`. Never: a plan that the loader refuses, or a template whose value nobody but the core could tell.

use windlass_core::failure::ErrorKind;

use crate::draft::{
    AgentDraft, Each, EndName, From, Pick, PlanDraft, Ref, RetryDraft, Shape, Share, TaskDraft, TimeoutDraft,
    Until, When, Who, Work,
};
use crate::family::gives_one;
use crate::generate::FAILURES;
use crate::mood::Mood;
use crate::random::Random;

/// A run's plan.
pub(crate) fn run(random: &mut Random, mood: &Mood) -> PlanDraft {
    let mut draft =
        PlanDraft { flag: random.chance(500), reversed: random.chance(300), ..PlanDraft::default() };
    let agents = random.below(4);
    draft.agents = (0..agents).map(|number| agent(random, mood, number, agents)).collect();
    draft.attempts_max = random.chance(150).then(|| random.within(1, 8));
    draft.wall_ms_max = random.chance(100).then(|| random.pick(&[50, 2000, 60_000, 3_600_000]));
    draft.weight = random.chance(mood.weights).then(|| random.pick(&[1, 2, 3, 7]));
    draft.concurrency = random.chance(400).then(|| random.within(1, 3));
    let count = match random.below(10) {
        0 => 1,
        1..=6 => random.within(2, 6),
        7 | 8 => random.within(7, 12),
        _ => random.within(13, 20),
    };
    for label in 0..count {
        let task = task(random, mood, label, &draft, agents);
        draft.tasks.push(task);
    }
    // Caps at which some lists are too long; the plan's own tasks, and lists that are written out, must fit.
    let literal = |task: &TaskDraft| match &task.each {
        Some(Each { from: From::Literal(count), .. }) => *count,
        Some(_) | None => 0,
    };
    let longest = draft.tasks.iter().map(literal).max().unwrap_or(0).max(1);
    draft.fan_out = random.chance(300).then(|| longest + random.below(3));
    let all: u32 = draft.tasks.iter().map(literal).sum();
    draft.tasks_max = random.chance(200).then(|| count + all + random.below(5));
    draft
}

pub(crate) fn agent(random: &mut Random, mood: &Mood, number: u32, all: u32) -> AgentDraft {
    let others = (0..all).filter(|other| *other != number);
    AgentDraft {
        most: random.chance(400).then(|| random.within(1, 2)),
        rate: random.chance(mood.rates).then(|| (random.within(1, 4), random.chance(500))),
        weight: random.below(4),
        fallback: if random.chance(mood.fallbacks) {
            others.filter(|_| random.chance(600)).collect()
        } else {
            Vec::new()
        },
        account: random.chance(300).then(|| random.below(2)),
        retired: false,
    }
}

fn who(random: &mut Random, all: u32) -> Who {
    let first = random.below(all);
    let mut some: Vec<u32> = (0..all).filter(|other| *other == first || random.chance(600)).collect();
    if random.chance(300) {
        some.reverse();
    }
    match random.below(4) {
        0 => Who::Several(some, random.pick(&[Share::Turns, Share::Load, Share::Weight])),
        1 => Who::InTurn(some),
        _ => Who::One(first),
    }
}

/// A task that may need those that its plan has so far, and name so many agents.
pub(crate) fn task(
    random: &mut Random,
    mood: &Mood,
    label: u32,
    draft: &PlanDraft,
    agents: u32,
) -> TaskDraft {
    let mut task = TaskDraft { label, ..TaskDraft::default() };
    let most = label.min(4);
    let wanted = if random.chance(750) { random.below(most + 1).max(mood.needs.min(most)) } else { 0 };
    while task.needs.len() < usize::try_from(wanted).expect("few") {
        let need = random.below(label);
        if !task.needs.contains(&need) {
            task.needs.push(need);
        }
    }
    let needs = u32::try_from(task.needs.len()).expect("few");
    if needs > 0 && random.chance(mood.joins) {
        task.join = if random.chance(mood.joins) { 1 } else { random.within(1, needs) };
    }
    task.shape =
        random.pick(&[Shape::Null, Shape::Number, Shape::List, Shape::Object, Shape::Object, Shape::Large]);
    task.work = work(random, mood, &task, agents);
    let is_approval = matches!(task.work, Work::Approval { .. });
    if is_approval {
        task.shape = Shape::Null;
    }
    let whens = if needs > 0 { 300 } else { 100 };
    task.when = random.chance(whens).then(|| when(random, &task, draft, 2));
    task.optional = random.chance(mood.optional);
    task.rerun_never = random.chance(mood.never);
    task.schema = random.chance(200);
    if random.chance(mood.lists) {
        task.each = Some(each(random, &task, draft));
    }
    if !is_approval {
        children(random, mood, &mut task);
    }
    task.priority = if random.chance(300) { random.pick(&[-100, -1, 1, 1, 2, 100]) } else { 0 };
    task.cancel_rest = task.join > 0 && random.chance(mood.spares);
    task.refs = refs(random, &task, draft);
    task.in_env = random.chance(150) && !is_approval;
    task.in_folder = random.chance(100) && !is_approval;
    task.retry = retry(random);
    task.timeout = timeout(random);
    task
}

/// The tasks whose values others read.
pub(crate) fn read(draft: &PlanDraft) -> Vec<u32> {
    draft.tasks.iter().flat_map(read_of).collect()
}

/// The tasks whose values a task reads.
pub(crate) fn read_of(task: &TaskDraft) -> Vec<u32> {
    let values = task.refs.iter().filter(|name| !matches!(name, Ref::State(_)));
    let mut read: Vec<u32> = values.filter_map(|name| name.task()).collect();
    task.when.iter().for_each(|when| when.names(&mut read));
    if let Work::Plan(within) = &task.work {
        within.flag.iter().for_each(|flag| flag.names(&mut read));
    }
    read.extend(task.each.iter().filter_map(|each| each.from.task()));
    if let Work::Prompt(Who::Given(by)) = &task.work {
        read.push(*by);
    }
    read
}

/// Lets some prompts go to whom a task names that they need. Drawn from numbers of its own.
pub(crate) fn hand_on(random: &mut Random, draft: &mut PlanDraft) {
    let objects: Vec<Vec<u32>> = draft.tasks.iter().map(|task| needed(task, draft, &OBJECTS)).collect();
    for (task, objects) in draft.tasks.iter_mut().zip(objects) {
        match &mut task.work {
            Work::Prompt(who) if !objects.is_empty() && random.chance(400) => {
                *who = Who::Given(random.pick(&objects));
            }
            Work::Plan(within) => hand_on(random, &mut within.plan),
            Work::Prompt(_)
            | Work::Shell
            | Work::Argv
            | Work::Approval { .. }
            | Work::Emit(_)
            | Work::Wait(_) => {}
        }
    }
}

/// Takes away what says something of attempts only, and what reads what they gave.
pub(crate) fn leave_work(task: &mut TaskDraft) {
    task.shape = Shape::Null;
    task.refs.clear();
    task.priority = 0;
    task.rounds =
        task.rounds.map(|(until, most)| (if until == Until::Ok { Until::Never } else { until }, most));
    (task.in_env, task.in_folder, task.rerun_never, task.schema) = (false, false, false, false);
}

/// Rounds and replicas. With a list both would make the tree a level deeper than it may be.
fn children(random: &mut Random, mood: &Mood, task: &mut TaskDraft) {
    if random.chance(mood.rounds) {
        let until = match random.below(4) {
            0 => Until::Never,
            1 if task.shape != Shape::Null => Until::Ok,
            _ => Until::Index(random.below(4)),
        };
        task.rounds = Some((until, random.within(1, 4)));
    }
    if random.chance(mood.replicas) && (task.each.is_none() || task.rounds.is_none()) {
        let pick = random.pick(&[Pick::First, Pick::Majority, Pick::All]);
        if pick == Pick::Majority && task.shape == Shape::Large {
            task.shape = Shape::Null;
        }
        task.replicas = Some((random.within(1, 4), pick));
    }
}

fn work(random: &mut Random, mood: &Mood, task: &TaskDraft, agents: u32) -> Work {
    if random.chance(mood.approvals) {
        return Work::Approval {
            show: task.needs.iter().copied().filter(|_| random.chance(mood.shows)).collect(),
        };
    }
    if random.chance(mood.prompts) && agents > 0 {
        return Work::Prompt(who(random, agents));
    }
    if random.chance(500) { Work::Argv } else { Work::Shell }
}

/// The tasks that it needs, of those with outputs of these shapes and without children.
fn needed(task: &TaskDraft, draft: &PlanDraft, shapes: &[Shape]) -> Vec<u32> {
    let fits = |need: &&TaskDraft| {
        task.needs.contains(&need.label)
            && gives_one(need)
            && need.work.has_attempts()
            && shapes.contains(&need.shape)
    };
    draft.tasks.iter().filter(fits).map(|need| need.label).collect()
}

const OBJECTS: [Shape; 2] = [Shape::Object, Shape::Large];

pub(crate) fn when(random: &mut Random, task: &TaskDraft, draft: &PlanDraft, depth: u32) -> When {
    let objects = needed(task, draft, &OBJECTS);
    match random.below(8) {
        0 => When::Word(random.chance(500)),
        1 if depth > 0 => When::Not(Box::new(when(random, task, draft, depth - 1))),
        2 if depth > 0 => {
            let left = when(random, task, draft, depth - 1);
            When::Both(Box::new(left), Box::new(when(random, task, draft, depth - 1)))
        }
        3 | 4 if !task.needs.is_empty() => {
            let ends = [EndName::Succeeded, EndName::Skipped, EndName::Dead, EndName::Cancelled];
            When::Is(random.pick(&task.needs), random.pick(&ends))
        }
        5 if !objects.is_empty() => When::Ok(random.pick(&objects)),
        6 if !objects.is_empty() => When::Items(random.pick(&objects), random.below(3)),
        7 if depth == 2 && !objects.is_empty() => When::Wrong(random.pick(&objects)),
        _ => When::Flag,
    }
}

fn each(random: &mut Random, task: &TaskDraft, draft: &PlanDraft) -> Each {
    let objects = needed(task, draft, &OBJECTS);
    let others = needed(task, draft, &[Shape::Null, Shape::Number, Shape::List]);
    let from = match random.below(4) {
        0 | 1 if !objects.is_empty() => From::Items(random.pick(&objects)),
        2 if !others.is_empty() => From::Whole(random.pick(&others)),
        _ => From::Literal(random.below(5)),
    };
    Each { from, max_parallel: random.chance(500).then(|| random.within(1, 2)) }
}

fn refs(random: &mut Random, task: &TaskDraft, draft: &PlanDraft) -> Vec<Ref> {
    let objects = needed(task, draft, &OBJECTS);
    let small = needed(task, draft, &[Shape::Null, Shape::Number, Shape::List, Shape::Object]);
    let any = needed(task, draft, &[Shape::Null, Shape::Number, Shape::List, Shape::Object, Shape::Large]);
    let is_approval = matches!(task.work, Work::Approval { .. });
    let mut refs = Vec::new();
    for _ in 0..random.below(3) {
        match random.below(8) {
            0 if !objects.is_empty() => refs.push(Ref::N(random.pick(&objects))),
            1 | 2 if matches!(task.work, Work::Prompt(_)) && !any.is_empty() => {
                refs.push(Ref::Whole(random.pick(&any)));
            }
            1 | 2 if !small.is_empty() => refs.push(Ref::Whole(random.pick(&small))),
            3 if !task.needs.is_empty() => refs.push(Ref::State(random.pick(&task.needs))),
            4 if task.each.is_some() => refs.push(random.pick(&[Ref::Item, Ref::Index])),
            4 if task.rounds.is_some() => {
                refs.push(random.pick(&[Ref::Index, Ref::State(task.label), Ref::Whole(task.label)]));
            }
            5 if !is_approval => refs.push(Ref::Attempt),
            6 if !is_approval => refs.push(Ref::Feedback),
            _ => {}
        }
    }
    refs
}

fn retry(random: &mut Random) -> RetryDraft {
    let initial_ms = random.pick(&[10, 1000, 5000, 120_000]);
    RetryDraft {
        max_attempts: random.pick(&[1, 1, 2, 3, 5]),
        losses_max: random.pick(&[1, 2, 3]),
        initial_ms,
        coefficient_milli: random.pick(&[1000, 1500, 2000, 3000]),
        max_ms: initial_ms.max(random.pick(&[1000, 60_000])),
        jitter: random.chance(500),
        non_retryable: match random.below(20) {
            0 => vec![ErrorKind::Lost],
            1 | 2 => vec![random.pick(&FAILURES)],
            _ => Vec::new(),
        },
    }
}

fn timeout(random: &mut Random) -> TimeoutDraft {
    let mut some = |per_mille: u32, spans: &[u64]| random.chance(per_mille).then(|| random.pick(spans));
    TimeoutDraft {
        start_to_close_ms: some(300, &[50, 500, 5000, 600_000]),
        heartbeat_ms: some(200, &[100, 1000, 60_000]),
        schedule_to_start_ms: some(150, &[10, 1000, 60_000]),
        schedule_to_close_ms: some(320, &[100, 5000, 60_000, 3_600_000]),
        grace_ms: some(300, &[1, 100, 2000]),
    }
}

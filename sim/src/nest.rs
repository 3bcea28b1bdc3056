//! Plans within plans, at random: what some tasks of a plan become, with agents, inputs and tasks of their own. Drawn from
//! numbers of its own, so that what else a seed brings is as it is without. Never: a plan in place of what others read.

use crate::draft::{AgentDraft, Each, From, Pick, PlanDraft, Ref, Shape, TaskDraft, When, Within, Work};
use crate::family::gives_one;
use crate::mood::Mood;
use crate::plans;
use crate::random::Random;

/// How many plans may be within each other, the run's own not counted.
const DEEPEST: u32 = 3;
/// How deep the tree of a run may be where its plan says nothing.
const DEPTH: u32 = 3;

/// How many agents a plan within another defines at most.
const OWN_MAX: u32 = 3;

/// Lets some tasks of a run's plan be plans.
pub(crate) fn nest(random: &mut Random, mood: &Mood, draft: &mut PlanDraft) {
    let mut agents = draft.agents.clone();
    let around = u32::try_from(agents.len()).expect("few");
    for number in around..OWN_MAX {
        let mut agent = plans::agent(random, mood, number, OWN_MAX);
        agent.fallback.retain(|other| *other < number);
        agents.push(agent);
    }
    within(random, (mood, &agents), draft, around, 1);
    let depth = levels(draft, 1);
    draft.depth = (depth > DEPTH || random.chance(100)).then_some(depth);
    // The tasks of each plan, and lists that are written out, must fit.
    draft.fan_out = draft.fan_out.map(|most| most.max(longest(draft)));
    draft.tasks_max = draft.tasks_max.map(|most| most.max(largest(draft)));
}

/// `around` is how many agents the tasks of a plan can name, and `deep` how many plans there are within each other where
/// one of them is a plan. Plans define agents like these.
fn within(
    random: &mut Random,
    (mood, agents): (&Mood, &[AgentDraft]),
    draft: &mut PlanDraft,
    around: u32,
    deep: u32,
) {
    let share = if deep == 1 { mood.plans } else { 200 };
    let read = plans::read(draft);
    for at in 0..draft.tasks.len() {
        if read.contains(&draft.tasks[at].label) || !random.chance(share) {
            continue;
        }
        let own = if random.chance(400) { 0 } else { random.within(1, OWN_MAX) };
        let around = around.max(own);
        let mut plan = plan(random, mood, around);
        let agent = |number: u32| match agents.get(usize::try_from(number).expect("few")) {
            // The same agent, said once more.
            Some(known) if random.chance(400) => known.clone(),
            Some(_) | None => plans::agent(random, mood, number, around),
        };
        plan.agents = (0..own).map(agent).collect();
        if deep < DEEPEST {
            within(random, (mood, agents), &mut plan, around, deep + 1);
        }
        let flag = random.chance(600).then(|| plans::when(random, &draft.tasks[at], draft, 2));
        become_plan(random, &mut draft.tasks[at], Within { plan: Box::new(plan), flag });
    }
}

/// Lets some tasks read what tasks gave of plans that they need. Drawn from numbers of its own, too.
pub(crate) fn read_within(random: &mut Random, draft: &mut PlanDraft) {
    let gives_object = |task: &&TaskDraft| {
        gives_one(task) && task.work.has_attempts() && matches!(task.shape, Shape::Object | Shape::Large)
    };
    let gives_whole =
        |task: &&TaskDraft| task.each.is_none() && task.replicas.is_none_or(|(_, pick)| pick != Pick::All);
    let objects_of = |task: &TaskDraft| {
        let tasks = task.work.plan().into_iter().flat_map(|plan| &plan.tasks);
        tasks.filter(gives_object).map(|inner| (task.label, inner.label)).collect::<Vec<_>>()
    };
    let known: Vec<(u32, u32)> = draft.tasks.iter().filter(gives_whole).flat_map(objects_of).collect();
    for task in &mut draft.tasks {
        let needed: Vec<(u32, u32)> =
            known.iter().copied().filter(|(label, _)| task.needs.contains(label)).collect();
        if needed.is_empty() || random.chance(400) {
            continue;
        }
        let (plan, inner) = random.pick(&needed);
        match (random.below(3), &mut task.each) {
            (0, Some(each)) => each.from = From::ItemsWithin(plan, inner),
            (1, _) => task.when = Some(When::OkWithin(plan, inner)),
            _ if task.work.has_attempts() => task.refs.push(Ref::NWithin(plan, inner)),
            _ => {}
        }
    }
    for task in &mut draft.tasks {
        if let Work::Plan(within) = &mut task.work {
            read_within(random, &mut within.plan);
        }
    }
}

/// A small plan, in which so many agents can be named.
fn plan(random: &mut Random, mood: &Mood, agents: u32) -> PlanDraft {
    let mut draft =
        PlanDraft { flag: random.chance(500), reversed: random.chance(300), ..PlanDraft::default() };
    // It counts for nothing here.
    draft.concurrency = random.chance(100).then_some(1);
    for label in 0..random.within(1, 4) {
        let task = plans::task(random, mood, label, &draft, agents);
        draft.tasks.push(task);
    }
    draft
}

fn become_plan(random: &mut Random, task: &mut TaskDraft, plan: Within) {
    plans::leave_work(task);
    task.work = Work::Plan(plan);
    let is_many = task.each.is_some() || task.rounds.is_some();
    if random.chance(if is_many { 100 } else { 300 }) {
        let pick = random.pick(&[Pick::First, Pick::First, Pick::Majority, Pick::All]);
        task.replicas = Some((random.within(1, 3), pick));
    } else if is_many {
        task.replicas = None;
    }
}

/// How deep the tree of a plan is whose tasks are at this level.
fn levels(draft: &PlanDraft, level: u32) -> u32 {
    let below = |task: &TaskDraft| {
        let level = level + task.makers().into_iter().map(u32::from).sum::<u32>();
        task.work.plan().map_or(level, |plan| levels(plan, level + 1))
    };
    draft.tasks.iter().map(below).max().unwrap_or(level)
}

/// The longest list that is written out.
fn longest(draft: &PlanDraft) -> u32 {
    let of_task = |task: &TaskDraft| {
        let own = match &task.each {
            Some(Each { from: From::Literal(count), .. }) => *count,
            Some(_) | None => 0,
        };
        own.max(task.work.plan().map_or(0, longest))
    };
    draft.tasks.iter().map(of_task).max().unwrap_or(0)
}

/// How many tasks the largest plan has.
fn largest(draft: &PlanDraft) -> u32 {
    let own = u32::try_from(draft.tasks.len()).expect("few");
    let within = draft.tasks.iter().filter_map(|task| task.work.plan()).map(largest);
    within.max().unwrap_or(0).max(own)
}

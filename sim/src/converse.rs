//! Talk at random: which tasks of a plan emit and which wait, some of them in knots. Never: a task whose value another one
//! reads.

use crate::draft::{PlanDraft, TaskDraft, Work};
use crate::mood::Mood;
use crate::plans::{leave_work, read};
use crate::random::Random;
use crate::talk::{self, Await, Emit, Heeds, Listen};

/// How many topics there are.
pub(crate) const TOPICS: u32 = 2;

/// Lets some tasks emit and others wait: those whose value no other task names. Drawn from numbers of its own, so that
/// what else a seed brings is as it is without.
pub(crate) fn converse(random: &mut Random, mood: &Mood, draft: &mut PlanDraft) {
    if random.chance(mood.talks) {
        converse_within(random, draft);
    }
}

/// The same in any mood.
pub(crate) fn converse_within(random: &mut Random, draft: &mut PlanDraft) {
    let read = read(draft);
    let timers = random.below(300);
    for task in &mut draft.tasks {
        if let Work::Plan(within) = &mut task.work {
            converse_within(random, &mut within.plan);
        } else if !read.contains(&task.label) && random.chance(600) {
            talk(random, task, timers);
        }
    }
    if random.chance(650) {
        entangle(random, draft);
    }
}

/// Lets those who emit need somebody who waits for that.
fn entangle(random: &mut Random, draft: &mut PlanDraft) {
    let mut waits: Vec<(u32, u32)> = Vec::new();
    for task in &draft.tasks {
        let mut topics = Vec::new();
        waited_for(task, &mut topics);
        waits.extend(topics.into_iter().map(|topic| (task.label, topic)));
    }
    if waits.is_empty() {
        return;
    }
    let (waiter, topic) = random.pick(&waits);
    for task in draft.tasks.iter_mut().filter(|task| task.label > waiter && !task.needs.contains(&waiter)) {
        if talk::emits(&task.work, topic) {
            task.needs.push(waiter);
        }
    }
}

/// The topics for which a task waits, or those of the plan that it is.
fn waited_for(task: &TaskDraft, into: &mut Vec<u32>) {
    into.extend(talk::listens(task).map(|listen| listen.topic));
    task.work.plan().into_iter().flat_map(|plan| &plan.tasks).for_each(|task| waited_for(task, into));
}

fn talk(random: &mut Random, task: &mut TaskDraft, timers: u32) {
    let has_index = task.each.is_some() || task.rounds.is_some();
    let topic = random.below(TOPICS);
    task.work = if random.chance(timers) {
        Work::Wait(match random.below(3) {
            0 => Await::At(random.pick(&[-3_600_000, 500, 60_000, 7_200_000])),
            _ => Await::After(random.pick(&[0, 50, 5000, 3_600_000])),
        })
    } else if random.chance(500) {
        let says = (!has_index || random.chance(500)).then(|| random.below(4));
        Work::Emit(Emit { topic, says })
    } else {
        let heeds = match random.below(8) {
            0..=2 => Heeds::More(random.below(4)),
            3 if has_index => Heeds::Index,
            4 if random.chance(300) => Heeds::Quotient,
            _ => Heeds::All,
        };
        let since = task.needs.first().copied().filter(|_| random.chance(300));
        Work::Wait(Await::Topic(Listen { topic, heeds, since, external: random.chance(200) }))
    };
    leave_work(task);
    task.replicas = None;
}

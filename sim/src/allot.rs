//! Budgets of tasks at random, on every level of a plan. Never: that of a run.

use crate::draft::{PlanDraft, Work};
use crate::mood::Mood;
use crate::random::Random;

/// Gives some tasks a budget. Drawn from numbers of its own, so that what else a seed brings is as it is without.
pub(crate) fn allot(random: &mut Random, mood: &Mood, draft: &mut PlanDraft) {
    if random.chance(mood.allots) {
        allot_within(random, draft);
    }
}

fn allot_within(random: &mut Random, draft: &mut PlanDraft) {
    for task in &mut draft.tasks {
        if let Work::Plan(within) = &mut task.work {
            allot_within(random, &mut within.plan);
        }
        if task.work.has_attempts() || task.work.plan().is_some() {
            task.attempts_max = random.chance(350).then(|| random.within(1, 4));
            task.wall_ms_max = random.chance(150).then(|| random.pick(&[10, 1000, 60_000, 3_600_000]));
        }
    }
}

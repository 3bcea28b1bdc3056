//! 13, effects settle: what is pending is what was asked and not settled, by the journal alone; each order is given as
//! it would be given again; a finished run has nothing pending. Never: timers, which are armed from the state.

use std::collections::BTreeMap;

use windlass_core::effect::{Assignment, Effect};
use windlass_core::id::Fence;
use windlass_core::state::State;

use crate::broken::{Verdict, broken, demand};
use crate::oracle::Oracle;

const NAME: &str = "13 effects settle";

/// An order without its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outline {
    Spawn(Fence),
    Learn(Fence),
    Stop(Fence, u64),
    Settle(Fence),
}

/// What the journal says is asked and not settled.
fn outstanding(oracle: &Oracle) -> Vec<Outline> {
    let mut all = Vec::new();
    for (fence, live) in &oracle.live {
        let attempt = oracle.runs[&live.run].tasks[live.task].newest().expect("it is live");
        if attempt.epoch < oracle.epoch {
            all.push(Outline::Learn(*fence));
            continue;
        }
        all.push(Outline::Spawn(*fence));
        all.extend(attempt.stop.map(|(_, grace)| Outline::Stop(*fence, grace)));
    }
    let tasks = oracle.runs.values().flat_map(|run| &run.tasks);
    let waiting = tasks.filter(|task| task.awaits_settling());
    all.extend(waiting.filter_map(|task| task.newest()).map(|attempt| Outline::Settle(attempt.fence)));
    all.sort_unstable();
    all
}

/// The orders of attempts as they were given, to be compared with what would be given again.
#[derive(Default)]
pub(crate) struct Given {
    assignments: BTreeMap<Fence, Box<Assignment>>,
}

impl Given {
    /// An order is given.
    pub(crate) fn order(&mut self, oracle: &Oracle, order: &Effect) -> Verdict {
        match order {
            Effect::SpawnAttempt(assignment) => {
                let (key, fence) = (&assignment.key, assignment.fence);
                demand(oracle.live.contains_key(&fence), "4 fences grow", || {
                    format!("{key} is to be spawned under fence {fence}, and no such attempt was started")
                })?;
                let around = oracle.attempts_around(&oracle.live[&fence]);
                demand(assignment.around == around, "4.2 marks", || {
                    format!("{key} bears the marks of {:?}, within {around:?}", assignment.around)
                })?;
                self.assignments.insert(assignment.fence, assignment.clone());
            }
            Effect::StopAttempt { key, fence, .. } => {
                let live =
                    oracle.live.get(fence).and_then(|live| oracle.runs[&live.run].tasks[live.task].newest());
                let ours = live.is_none_or(|attempt| attempt.epoch == oracle.epoch);
                demand(ours, NAME, || format!("{key} is to be stopped, and nobody knows what became of it"))?;
            }
            Effect::LearnAttempt { .. } | Effect::SettleOutput { .. } | Effect::RunErrand(_) => {}
        }
        Ok(())
    }

    /// What is pending is what the journal leaves outstanding, and each is as it was given.
    pub(crate) fn at_rest(&mut self, oracle: &Oracle, state: &State) -> Verdict {
        let pending = windlass_core::react::pending(state);
        let mut said = Vec::new();
        for effect in &pending {
            said.push(match effect {
                Effect::SpawnAttempt(assignment) => {
                    self.same(assignment)?;
                    Outline::Spawn(assignment.fence)
                }
                Effect::LearnAttempt { fence, .. } => Outline::Learn(*fence),
                Effect::StopAttempt { fence, grace, .. } => Outline::Stop(*fence, grace.ms),
                Effect::SettleOutput { fence, .. } => Outline::Settle(*fence),
                Effect::RunErrand(order) => unreachable!("no draft has worktrees: {order:?}"),
            });
        }
        said.sort_unstable();
        let outstanding = outstanding(oracle);
        demand(said == outstanding, NAME, || {
            format!("pending is {said:?}, the journal leaves {outstanding:?}")
        })?;
        self.assignments.retain(|fence, _| oracle.live.contains_key(fence));
        Ok(())
    }

    fn same(&self, assignment: &Assignment) -> Verdict {
        let Some(given) = self.assignments.get(&assignment.fence) else { return Ok(()) };
        if **given == *assignment {
            return Ok(());
        }
        Err(broken(
            NAME,
            format!("{} was ordered as {given:?} and is pending as {assignment:?}", assignment.key),
        ))
    }
}

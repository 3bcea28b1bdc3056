//! How much longer a run takes: from how long like tasks took, in this run or in earlier ones of the same plan. Never: a
//! number where one of its tasks is like none that is known.

use std::collections::BTreeMap;

use windlass_core::id::TaskId;
use windlass_core::machine::task::Phase;
use windlass_core::plan::Plan;
use windlass_core::plan::graph::order;
use windlass_core::state::{Run, State};
use windlass_core::time::{Span, Time};

use super::tree::{Row, Tree};

/// How many earlier runs are looked at.
const RUNS_MAX: usize = 3;

/// How long tasks took in earlier runs of a plan.
#[derive(Clone, Debug, Default)]
pub(crate) struct Usual {
    tasks: BTreeMap<TaskId, Span>,
    /// Of parents: how long their children took, one after the other, and the longest of them.
    parents: BTreeMap<TaskId, (Span, Span, u32)>,
}

/// What is left to do of a task: all of it, and what can't be done side by side.
type Left = (Span, Span);

impl Usual {
    /// What the newest earlier runs of the same plan file took.
    pub(crate) fn of(state: &State, run: &Run) -> Self {
        let mut usual = Self::default();
        let earlier = state.runs.values().filter(|other| other.id != run.id && other.source == run.source);
        let mut earlier: Vec<&Run> =
            earlier.filter(|other| run.source != "-" && other.created < run.created).collect();
        earlier.sort_by_key(|other| std::cmp::Reverse(other.created));
        for other in earlier.iter().take(RUNS_MAX) {
            usual.add(other);
        }
        usual
    }

    fn add(&mut self, run: &Run) {
        let mut parents: BTreeMap<TaskId, (Span, Span, u32)> = BTreeMap::new();
        for task in run.tasks.iter().filter(|task| task.phase == Phase::Succeeded) {
            let attempt = task.last_attempt();
            let Some(took) = attempt.and_then(|attempt| Some(attempt.ended?.since(attempt.started))) else {
                continue;
            };
            self.tasks.entry(task.id.clone()).or_insert(took);
            if let Some((parent, _)) = task.parent {
                let (sum, longest, count) = parents.entry(run.task(parent).id.clone()).or_default();
                (*sum, *longest, *count) = (sum.plus(took), (*longest).max(took), *count + 1);
            }
        }
        for (parent, took) in parents {
            self.parents.entry(parent).or_insert(took);
        }
    }

    /// How long a task takes from start to end; none where nothing is known.
    fn of_task(&self, tree: &Tree, row: &Row) -> Option<Span> {
        let parent = tree.parent_of(&row.id);
        let siblings = parent.and_then(Row::usual_of_children);
        let before = parent.and_then(|parent| self.parents.get(&parent.id));
        let before = before.map(|(sum, _, count)| Span::from_ms(sum.ms / u64::from((*count).max(1))));
        self.tasks.get(&row.id).copied().or(siblings).or(before)
    }

    fn left(&self, tree: &Tree, row: &Row, now: Time) -> Option<Left> {
        match row.phase {
            Phase::Expanded if !row.is_complete() => None,
            Phase::Expanded => {
                let mut left = Left::default();
                for child in tree.below(&row.id).filter(|child| !child.is_parent()) {
                    let (all, longest) = self.left(tree, child, now)?;
                    left = (left.0.plus(all), left.1.max(longest));
                }
                Some(left)
            }
            Phase::Running | Phase::Stopping => {
                let elapsed = row.attempt.map_or(Span::default(), |(_, started)| now.since(started));
                let left = self.of_task(tree, row)?.minus(elapsed);
                Some((left, left))
            }
            // Nobody knows when people, providers and messages let it go on.
            Phase::Blocked | Phase::Parked | Phase::Gating => None,
            Phase::Waiting | Phase::Ready | Phase::BackingOff => match self.of_task(tree, row) {
                Some(whole) => Some((whole, whole)),
                None => self.parents.get(&row.id).map(|(sum, longest, _)| (*sum, *longest)),
            },
            Phase::Succeeded | Phase::Skipped | Phase::Dead | Phase::Cancelled => Some(Left::default()),
        }
    }

    /// How much longer a run takes; none where that can't be said.
    pub(crate) fn of_run(&self, tree: &Tree, plan: &Plan, now: Time) -> Option<Span> {
        let mut chains: Vec<Span> = vec![Span::default(); plan.tasks.len()];
        let (mut work, mut longest) = (Span::default(), Span::default());
        let needs: Vec<Vec<usize>> = plan.tasks.iter().map(|task| task.needs.clone()).collect();
        for place in order(&needs) {
            let task = &plan.tasks[place];
            let (all, own) = self.left(tree, tree.row(&task.id)?, now)?;
            let before = task.needs.iter().map(|need| chains[*need]).max().unwrap_or_default();
            chains[place] = before.plus(own);
            (work, longest) = (work.plus(all), longest.max(chains[place]));
        }
        let side_by_side = u64::try_from(tree.width.max(1)).unwrap_or(1);
        Some(longest.max(Span::from_ms(work.ms / side_by_side))).filter(|left| left.ms > 0)
    }
}

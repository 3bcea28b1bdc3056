//! How much longer a run takes: from how long like tasks took, in this run or in earlier ones of the same plan; of a few
//! that are like none it is taken that they are as the others. Never: a number where something waits for people, messages
//! or a time, or where too little is known.

use std::collections::BTreeMap;

use windlass_core::id::TaskId;
use windlass_core::machine::task::Phase;
use windlass_core::plan::Work;
use windlass_core::plan::graph::order;
use windlass_core::state::{Run, State};
use windlass_core::time::{Span, Time};

use super::spec::{self, Specs};
use super::tree::{Row, Tree};

/// How many earlier runs are looked at.
const RUNS_MAX: usize = 3;
/// So many tasks must be done before others are taken to be like them,
const ALIKE_MIN: u32 = 5;
/// the longest so many times as long as they are on average,
const LONGEST_TIMES: u64 = 3;
/// and for each that is taken so there must be so many that are done.
const GUESSES_PART: u32 = 4;

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

    /// How much longer a run takes; none where that can't be said.
    pub(crate) fn of_run(&self, tree: &Tree, specs: &Specs, now: Time) -> Option<Span> {
        Look { usual: self, tree, specs, now, typical: Typical::of(tree), guessed: 0 }.of_run()
    }
}

/// How long tasks of a run took that are done, all of them alike.
struct Typical {
    mean: Span,
    count: u32,
}

impl Typical {
    /// None where too few are done, or where they are no measure for others.
    fn of(tree: &Tree) -> Option<Self> {
        let done = tree.rows().filter(|row| row.phase == Phase::Succeeded).filter_map(|row| row.took);
        let (mut sum, mut longest, mut count) = (Span::default(), Span::default(), 0);
        for took in done {
            (sum, longest, count) = (sum.plus(took), longest.max(took), count + 1);
        }
        let mean = Span::from_ms(sum.ms.checked_div(u64::from(count))?);
        (count >= ALIKE_MIN && longest.ms <= LONGEST_TIMES * mean.ms).then_some(Self { mean, count })
    }
}

/// A look at what is left.
struct Look<'a> {
    usual: &'a Usual,
    tree: &'a Tree,
    specs: &'a Specs,
    now: Time,
    typical: Option<Typical>,
    /// Of how many tasks no more is known than how long others take.
    guessed: u32,
}

impl Look<'_> {
    /// How long a task takes from start to end; none where nothing is known.
    fn of_task(&mut self, row: &Row) -> Option<Span> {
        let parent = self.tree.parent_of(&row.id);
        let siblings = parent.and_then(Row::usual_of_children);
        let before = parent.and_then(|parent| self.usual.parents.get(&parent.id));
        let before = before.map(|(sum, _, count)| Span::from_ms(sum.ms / u64::from((*count).max(1))));
        let known = self.usual.tasks.get(&row.id).copied().or(siblings).or(before);
        if known.is_some() || self.usual.parents.contains_key(&row.id) {
            return known;
        }
        let is_attempted = self.specs.get(&row.id).is_some_and(|spec| spec.has_attempts());
        let typical = self.typical.as_ref().filter(|_| is_attempted)?;
        self.guessed += 1;
        Some(typical.mean)
    }

    fn left(&mut self, row: &Row) -> Option<Left> {
        match row.phase {
            Phase::Expanded if !row.is_complete() => None,
            Phase::Expanded => {
                let mut left = Left::default();
                for child in self.tree.below(&row.id).filter(|child| !child.is_parent()) {
                    let (all, longest) = self.left(child)?;
                    left = (left.0.plus(all), left.1.max(longest));
                }
                Some(left)
            }
            Phase::Running | Phase::Stopping => {
                let elapsed = row.attempt.map_or(Span::default(), |(_, started)| self.now.since(started));
                let left = self.of_task(row)?.minus(elapsed);
                Some((left, left))
            }
            // Nobody knows when people, providers, messages and times let it go on.
            Phase::Blocked | Phase::Parked | Phase::BackingOff => None,
            Phase::Waiting | Phase::Ready => match self.of_task(row) {
                Some(whole) => Some((whole, whole)),
                None => self.usual.parents.get(&row.id).map(|(sum, longest, _)| (*sum, *longest)),
            },
            Phase::Gating
            | Phase::Merging
            | Phase::Succeeded
            | Phase::Skipped
            | Phase::Dead
            | Phase::Cancelled => Some(Left::default()),
        }
    }

    fn of_run(&mut self) -> Option<Span> {
        let tasks = &self.specs.plan.tasks;
        let mut chains: Vec<Span> = vec![Span::default(); tasks.len()];
        let (mut work, mut longest) = (Span::default(), Span::default());
        let needs: Vec<Vec<usize>> = tasks.iter().map(|task| task.needs.clone()).collect();
        for place in order(&needs) {
            let task = &tasks[place];
            let row = self.tree.row(&task.id)?;
            let says = matches!(task.work, Work::Emit { .. }) && !row.is_parent();
            if spec::waits(task) && !row.phase.is_final() {
                return None;
            }
            let (all, own) = if says { Left::default() } else { self.left(row)? };
            let before = task.needs.iter().map(|need| chains[*need]).max().unwrap_or_default();
            chains[place] = before.plus(own);
            (work, longest) = (work.plus(all), longest.max(chains[place]));
        }
        let known = self.typical.as_ref().map_or(0, |typical| typical.count);
        if self.guessed * GUESSES_PART > known {
            return None;
        }
        let side_by_side = u64::try_from(self.tree.width.max(1)).unwrap_or(1);
        Some(longest.max(Span::from_ms(work.ms / side_by_side))).filter(|left| left.ms > 0)
    }
}

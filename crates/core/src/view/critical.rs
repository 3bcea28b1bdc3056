//! The critical path: the chain of tasks that no number of slots makes shorter. Never: anything but the needs, and what
//! was measured of attempts.

use std::collections::BTreeMap;

use crate::machine::attempt;
use crate::machine::task::Phase;
use crate::plan::{Join, Plan, Select, graph};
use crate::state::tree::Form;
use crate::state::{Attempt, Choice, Run, Task, TaskIx};
use crate::time::{Span, Time};

/// The chain of a run that took longest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CriticalPath {
    /// Its tasks, the first one first; a parent comes before the part of the chain that lies among its children.
    pub tasks: Vec<TaskIx>,
    /// The lengths of their attempts, one after the other.
    pub length: Span,
}

/// The chain of most tasks in a plan, as places in [`Plan::tasks`]. Of two that are equally long the one that ends in
/// the earlier task of the file.
pub fn of_plan(plan: &Plan) -> Vec<usize> {
    let steps = plan.tasks.iter().map(|task| Step {
        needs: task.needs.clone(),
        least: least(task.join),
        has_ended: true,
        weight: 1,
    });
    longest(&steps.collect::<Vec<_>>()).0
}

/// The chain of a run that took longest by the measured times of attempts. What is in flight is measured until now, when
/// the home's clock of being alive shows `alive`; what was lost, as long as its engine is known to have lived. Waits are in
/// no attempt: for a slot, for a due time, for a person.
pub fn of_run(run: &Run, alive: Span) -> CriticalPath {
    let mut lengths: Vec<u64> = run.tasks.iter().map(|task| measured(task, alive).ms).collect();
    let mut inner: BTreeMap<TaskIx, Vec<TaskIx>> = BTreeMap::new();
    // Children have places behind their parents': theirs are known first.
    for place in (0..run.tasks.len()).rev() {
        let task = &run.tasks[place];
        if !task.children.is_empty() {
            let (chain, length) = inside(run, task, &lengths);
            lengths[place] = lengths[place].saturating_add(length);
            inner.insert(TaskIx::from_len(place), chain);
        }
    }
    let own: Vec<TaskIx> = run.nodes().collect();
    let (chain, length) = among(run, &own, &lengths);
    let mut tasks = Vec::new();
    let mut open: Vec<TaskIx> = chain.into_iter().rev().collect();
    while let Some(ix) = open.pop() {
        tasks.push(ix);
        open.extend(inner.remove(&ix).unwrap_or_default().into_iter().rev());
    }
    CriticalPath { tasks, length: Span::from_ms(length) }
}

/// How long the attempts of a task took, one after the other.
pub fn measured(task: &Task, alive: Span) -> Span {
    task.attempts.iter().fold(Span::default(), |sum, attempt| sum.plus(length(attempt, alive)))
}

/// How long an attempt took, or has taken, while an engine was alive and the machine awake.
pub fn length(attempt: &Attempt, alive: Span) -> Span {
    let until = match (attempt.phase, attempt.alive_until) {
        (attempt::Phase::Lost, until) => until.unwrap_or(attempt.alive_from),
        (_, until) => until.unwrap_or(alive),
    };
    until.minus(attempt.alive_from)
}

/// Until when an attempt took, or has taken. Nobody saw the end of one that was lost: it is measured as long as its engine
/// is known to have lived.
pub fn until(attempt: &Attempt, now: Time) -> Time {
    match (attempt.phase, attempt.ended) {
        (attempt::Phase::Lost, _) => attempt.lived_until.unwrap_or(attempt.started),
        (_, ended) => ended.unwrap_or(now),
    }
}

/// The part of a chain that lies among the children of a task.
fn inside(run: &Run, parent: &Task, lengths: &[u64]) -> (Vec<TaskIx>, u64) {
    match (run.form(parent), parent.choice) {
        (Form::Rounds, _) => {
            let rounds = parent.children.iter().copied().filter(|round| lengths[round.at()] > 0);
            let length = parent.children.iter().map(|round| lengths[round.at()]).sum();
            (rounds.collect(), length)
        }
        // Nobody waited for the others.
        (Form::Replicas, Some(Choice::Taken(taken))) if takes_first(run, parent) => {
            (vec![taken], lengths[taken.at()])
        }
        (Form::List | Form::Replicas | Form::Plan | Form::Work, _) => among(run, &parent.children, lengths),
    }
}

fn takes_first(run: &Run, parent: &Task) -> bool {
    run.spec(parent).replicas.is_some_and(|replicas| replicas.select == Select::First)
}

/// The longest chain among tasks that have one parent.
fn among(run: &Run, members: &[TaskIx], lengths: &[u64]) -> (Vec<TaskIx>, u64) {
    let places: BTreeMap<TaskIx, usize> = members.iter().copied().zip(0..).collect();
    let steps: Vec<Step> = members
        .iter()
        .map(|ix| {
            let task = run.task(*ix);
            Step {
                needs: run.needs(task).filter_map(|need| places.get(&need).copied()).collect(),
                least: least(run.spec(task).join),
                has_ended: task.phase == Phase::Succeeded,
                weight: lengths[ix.at()],
            }
        })
        .collect();
    let (chain, length) = longest(&steps);
    (chain.into_iter().map(|place| members[place]).collect(), length)
}

fn least(join: Join) -> Option<usize> {
    match join {
        Join::All => None,
        Join::AtLeast(number) => usize::try_from(number).ok(),
    }
}

/// A link of chains.
struct Step {
    needs: Vec<usize>,
    /// How many of the needs it waits for; none is all of them.
    least: Option<usize>,
    /// Whether it ended in a way that others may have waited for.
    has_ended: bool,
    weight: u64,
}

/// The heaviest chain and its weight: without links that weigh nothing at its ends, and empty if nothing weighs anything.
fn longest(steps: &[Step]) -> (Vec<usize>, u64) {
    let needs: Vec<Vec<usize>> = steps.iter().map(|step| step.needs.clone()).collect();
    let mut reached = vec![0_u64; steps.len()];
    let mut before: Vec<Option<usize>> = vec![None; steps.len()];
    for place in graph::order(&needs) {
        let step = &steps[place];
        before[place] = waited_for(step, steps, &reached);
        let start = before[place].map_or(0, |need| reached[need]);
        reached[place] = start.saturating_add(step.weight);
    }
    let length = reached.iter().copied().max().unwrap_or(0);
    if length == 0 {
        return (Vec::new(), 0);
    }
    let mut at = (0..steps.len()).find(|place| reached[*place] == length && steps[*place].weight > 0);
    let mut chain = Vec::new();
    while let Some(place) = at.filter(|place| reached[*place] > 0) {
        chain.push(place);
        at = before[place];
    }
    chain.reverse();
    (chain, length)
}

/// The need whose end a step waited for longest: the last of all, or of as many as its join asks for.
fn waited_for(step: &Step, steps: &[Step], reached: &[u64]) -> Option<usize> {
    let all = || {
        step.needs
            .iter()
            .copied()
            .reduce(|one, other| if reached[one] >= reached[other] { one } else { other })
    };
    let Some(least) = step.least else { return all() };
    let mut ended: Vec<usize> = step.needs.iter().copied().filter(|need| steps[*need].has_ended).collect();
    ended.sort_by_key(|need| reached[*need]);
    least.checked_sub(1).and_then(|place| ended.get(place).copied()).or_else(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(needs: &[usize], weight: u64) -> Step {
        Step { needs: needs.to_vec(), least: None, has_ended: true, weight }
    }

    #[test]
    fn the_heaviest_chain_is_found_wherever_it_stands_in_the_file() {
        let steps = [step(&[2], 5), step(&[0, 3], 1), step(&[], 2), step(&[], 6)];
        assert_eq!(longest(&steps), (vec![2, 0, 1], 8));
    }

    #[test]
    fn of_equal_chains_the_one_that_is_first_in_the_file_is_taken() {
        let steps = [step(&[], 1), step(&[], 1), step(&[0, 1], 1), step(&[1], 1)];
        assert_eq!(longest(&steps), (vec![0, 2], 2));
    }

    #[test]
    fn what_weighs_nothing_is_in_a_chain_only_between_what_does() {
        let steps = [step(&[4], 0), step(&[], 0), step(&[1], 3), step(&[2], 0), step(&[3], 2)];
        assert_eq!(longest(&steps), (vec![2, 3, 4], 5));
        assert_eq!(longest(&[step(&[], 0)]), (vec![], 0));
        assert_eq!(longest(&[]), (vec![], 0));
    }

    #[test]
    fn a_join_of_some_waits_for_as_many_as_it_asks_for_and_for_none_that_failed() {
        let mut steps = [step(&[], 9), step(&[], 4), step(&[], 2), step(&[0, 1, 2], 1)];
        steps[3].least = Some(1);
        assert_eq!(longest(&steps[1..2]), (vec![0], 4));
        let path = |steps: &[Step]| waited_for(&steps[3], steps, &[9, 4, 2, 0]);
        assert_eq!(path(&steps), Some(2));
        steps[2].has_ended = false;
        assert_eq!(path(&steps), Some(1));
        steps[3].least = Some(3);
        assert_eq!(path(&steps), Some(0), "it waits for more than have ended");
    }
}

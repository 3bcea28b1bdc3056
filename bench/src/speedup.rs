//! When it helps to do things at the same time, and what it costs: graphs of unequal tasks with more and more slots, beside the
//! same tasks one after the other, beside the least time that any schedule could take, and beside what our own order of starts
//! takes where nothing else costs time. What sleeps must come close to the last one. Never: a graph that another run would not
//! get again.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::thread::available_parallelism;

use crate::disk;
use crate::graph::Graph;
use crate::measure::{adopt_orphans, run_plan};

const TASKS: usize = 60;
/// How much longer than our order of starts takes at no cost what sleeps may take: it needs next to no processor.
const TO_ORDER_MAX: f64 = 1.03;
/// From how many seconds on that is asked of a run: the start of Windlass itself is seen in shorter ones.
const ASKED_FROM: f64 = 1.0;

/// What a task does for so long.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Work {
    /// It sleeps so many milliseconds.
    Sleep,
    /// It counts, so many thousand steps for each millisecond that it would sleep.
    Count,
}

/// A graph with the length of each task in milliseconds.
struct Job {
    graph: Graph,
    lengths: Vec<u64>,
}

/// Measures and prints.
pub(crate) fn measure(windlass: &Path, folder: &Path) -> Result<(), String> {
    adopt_orphans()?;
    let (home, folder) = (folder.join("home"), folder.join("work"));
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let cores = available_parallelism().map_or(1, std::num::NonZero::get);
    println!("{TASKS} tasks of unequal lengths, {cores} cores, load before: {}", disk::load());
    println!(
        "\n| work | graph | slots | wall | to one after the other | to the bound | to this order at no cost |\n|---|---|---:|---:|---:|---:|---:|"
    );
    let mut slow = Vec::new();
    for work in [Work::Sleep, Work::Count] {
        for graph in [Graph::flat(TASKS), Graph::layered(TASKS), Graph::chain(TASKS)] {
            let job = Job::of(graph);
            fs::write(folder.join("plan.yaml"), job.plan(work))
                .map_err(|error| format!("plan.yaml: {error}"))?;
            let mut alone = None;
            for slots in [1, 2, 4, 8, 20, TASKS] {
                let wall = run_plan(windlass, &folder, &home, &slots.to_string())?.wall;
                let alone = *alone.get_or_insert(wall);
                // What counts needs a core, and its length is that of the same tasks one after the other.
                let (hands, scale) = match work {
                    Work::Sleep => (slots, 1.0),
                    Work::Count => {
                        (slots.min(cores), alone.as_secs_f64() * 1000.0 / float(job.lengths.iter().sum()))
                    }
                };
                let bound = float(job.bound(hands)) * scale / 1000.0;
                let order = float(job.in_order(hands)) * scale / 1000.0;
                let name = if work == Work::Sleep { "sleep" } else { "CPU" };
                let (wall, alone) = (wall.as_secs_f64(), alone.as_secs_f64());
                if work == Work::Sleep && order >= ASKED_FROM && wall / order > TO_ORDER_MAX {
                    slow.push(format!("{} with {slots} slots: {:.3}", job.graph.name, wall / order));
                }
                println!(
                    "| {name} | {} | {slots} | {wall:.2} s | {:.2} | {:.3} | {:.3} |",
                    job.graph.name,
                    wall / alone,
                    wall / bound,
                    wall / order
                );
            }
        }
    }
    println!("\nload after: {}", disk::load());
    if slow.is_empty() {
        return Ok(());
    }
    let slow = slow.join("; ");
    Err(format!(
        "tasks that sleep took more than {TO_ORDER_MAX} of our own order at no cost (is the machine idle?): {slow}"
    ))
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of some minutes")]
fn float(ms: u64) -> f64 {
    ms as f64
}

impl Job {
    /// Lengths from 40 to 440 milliseconds, the same each time.
    fn of(graph: Graph) -> Self {
        let lengths = (0..graph.tasks() as u64).map(|task| 40 + task * 7919 % 401).collect();
        Self { graph, lengths }
    }

    /// No schedule takes less: the chain that takes longest, and all the work over all hands.
    fn bound(&self, hands: usize) -> u64 {
        let mut ends: Vec<u64> = Vec::new();
        for (needs, length) in self.graph.needs.iter().zip(&self.lengths) {
            let begins = needs.iter().map(|need| ends[*need]).max().unwrap_or(0);
            ends.push(begins + length);
        }
        let chain = ends.into_iter().max().unwrap_or(0);
        chain.max(self.lengths.iter().sum::<u64>() / u64::try_from(hands).expect("few"))
    }

    /// What it takes to start each task as soon as a hand is free, those first that have been ready for longest, if nothing
    /// but the tasks takes time: what is above it is what we cost; what it is above the bound is the price of not knowing lengths.
    fn in_order(&self, hands: usize) -> u64 {
        self.by_rank(hands, |_, turn| turn)
    }

    /// The same where of those that are ready the one of the lowest rank starts first: by its number, and its turn to become
    /// ready.
    fn by_rank(&self, hands: usize, rank: impl Fn(usize, u64) -> u64) -> u64 {
        let mut open: Vec<usize> = self.graph.needs.iter().map(Vec::len).collect();
        let mut turns = 0..;
        let mut ranked = |task| Reverse((rank(task, turns.next().expect("they do not end")), task));
        let mut ready: BinaryHeap<_> =
            (0..open.len()).filter(|task| open[*task] == 0).map(&mut ranked).collect();
        let mut running = BinaryHeap::new();
        let mut now = 0;
        loop {
            while running.len() < hands
                && let Some(Reverse((_, task))) = ready.pop()
            {
                running.push(Reverse((now + self.lengths[task], task)));
            }
            let Some(Reverse((end, ended))) = running.pop() else { return now };
            now = end;
            for (task, needs) in self.graph.needs.iter().enumerate() {
                if needs.contains(&ended) {
                    open[task] -= 1;
                    if open[task] == 0 {
                        ready.push(ranked(task));
                    }
                }
            }
        }
    }

    fn plan(&self, work: Work) -> String {
        let mut plan = "version: 1\ntasks:\n".to_owned();
        for (task, (needs, length)) in self.graph.needs.iter().zip(&self.lengths).enumerate() {
            let needs: Vec<String> = needs.iter().map(|need| format!("t{need}")).collect();
            let run = match work {
                Work::Sleep => format!("[sleep, \"{}.{:03}\"]", length / 1000, length % 1000),
                Work::Count => {
                    let steps = length * 1000;
                    format!("[sh, -c, \"i=0; while [ $i -lt {steps} ]; do i=$((i+1)); done\"]")
                }
            };
            writeln!(plan, "  t{task}: {{ needs: [{}], run: {run} }}", needs.join(", "))
                .expect("a String takes all");
        }
        plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_is_the_longest_chain_or_all_the_work_over_all_hands() {
        let job =
            Job { graph: Graph { name: "", needs: vec![vec![], vec![0], vec![]] }, lengths: vec![3, 4, 9] };
        assert_eq!((job.bound(1), job.bound(2), job.bound(9)), (16, 9, 9));
        let chain = Job { graph: Graph::chain(3), lengths: vec![1, 2, 3] };
        assert_eq!(chain.bound(8), 6);
    }

    #[test]
    fn an_order_that_does_not_know_lengths_may_take_longer_than_the_bound() {
        let job = Job {
            graph: Graph { name: "", needs: vec![vec![], vec![], vec![], vec![0]] },
            lengths: vec![1, 2, 3, 9],
        };
        // 0 and 1 start; 2 follows 0, and 3, ready as soon, waits until 1 has ended.
        assert_eq!((job.in_order(1), job.in_order(2), job.in_order(4)), (15, 11, 10));
        assert_eq!((job.bound(1), job.bound(2), job.bound(4)), (15, 10, 10));
    }
    #[test]
    fn who_knows_all_lengths_comes_close_to_the_bound_of_the_layers_and_our_order_does_not() {
        let job = Job::of(Graph::layered(TASKS));
        let mut tails = job.lengths.clone();
        for (task, needs) in job.graph.needs.iter().enumerate().rev() {
            for need in needs {
                tails[*need] = tails[*need].max(job.lengths[*need] + tails[task]);
            }
        }
        let to_bound = |took: u64, hands| (1000 * took + job.bound(hands) / 2) / job.bound(hands);
        let known = [4, 8].map(|hands| to_bound(job.by_rank(hands, |task, _| u64::MAX - tails[task]), hands));
        let ours = [4, 8].map(|hands| to_bound(job.in_order(hands), hands));
        assert_eq!((known, ours), ([1011, 1022], [1059, 1099]));
    }
}

//! When it helps to do things at the same time, and what it costs: graphs of unequal tasks with more and more slots, beside the
//! same programs one after the other without Windlass, beside the least time that any schedule could take, and beside what our own order of starts
//! takes where nothing else costs time. What sleeps must come close to the last one, and, where the plan says with `priority`
//! what is long, to the least time. Never: a graph that another run would not get again.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::thread::available_parallelism;
use std::time::Duration;

use crate::disk;
use crate::graph::Graph;
use crate::measure::{adopt_orphans, run, run_plan};

const TASKS: usize = 120;
/// How much longer what sleeps may take than the bound, or than our order of starts at no cost: it needs next to no processor.
const MOST: f64 = 1.03;
/// From how many seconds on that is asked of a run: the start of Windlass itself is seen in shorter ones.
const ASKED_FROM: f64 = 2.0;
/// What takes no longer is run so often.
const SHORT: Duration = Duration::from_secs(5);
const TRIES: usize = 3;

/// What a task does for so long.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Work {
    /// It sleeps so many milliseconds.
    Sleep,
    /// It counts, so many thousand steps for each millisecond that it would sleep.
    Count,
}

/// Which of the tasks that are ready starts first.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    /// The one that has been ready for longest: nobody says how long tasks take.
    Age,
    /// The one with the longest chain of work in and behind it: the plan says so, as `priority`.
    LongestChain,
}

/// A graph with the length of each task in milliseconds.
struct Job {
    graph: Graph,
    lengths: Vec<u64>,
    /// The priority of each, where the plan says one.
    priorities: Option<Vec<i64>>,
}

/// A run, in seconds.
struct Row {
    name: String,
    wall: f64,
    /// How long the same programs take one after the other.
    bare: f64,
    bound: f64,
    order: f64,
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
        let bare = bare(work, &folder)?;
        for job in Job::all(work) {
            fs::write(folder.join("plan.yaml"), job.plan(work))
                .map_err(|error| format!("plan.yaml: {error}"))?;
            for slots in job.slots(work).iter().copied() {
                let wall = best(|| Ok(run_plan(windlass, &folder, &home, &slots.to_string())?.wall))?;
                // What counts needs a core.
                let hands = if work == Work::Count { slots.min(cores) } else { slots };
                let row = job.row(work, (slots, hands), wall, bare);
                row.print();
                if work == Work::Sleep {
                    slow.extend(row.complaint(job.priorities.is_some()));
                }
            }
        }
    }
    println!("\nload after: {}", disk::load());
    if slow.is_empty() {
        return Ok(());
    }
    let slow = slow.join("; ");
    Err(format!("tasks that sleep took more than {MOST} of what they may (is the machine idle?): {slow}"))
}

/// How many seconds something takes: of a few short ones the best, since anything else on the machine is seen in those.
fn best(mut run: impl FnMut() -> Result<Duration, String>) -> Result<f64, String> {
    let mut least = run()?;
    if least < SHORT {
        for _ in 1..TRIES {
            least = least.min(run()?);
        }
    }
    Ok(least.as_secs_f64())
}

/// How many seconds the programs of all tasks take one after the other, without Windlass.
fn bare(work: Work, folder: &Path) -> Result<f64, String> {
    let mut wall = 0.0;
    for length in lengths(TASKS) {
        let argv = work.argv(length);
        let arguments: Vec<&str> = argv[1..].iter().map(String::as_str).collect();
        wall += run(Path::new(&argv[0]), &arguments, folder)?.wall.as_secs_f64();
    }
    Ok(wall)
}

/// Lengths from 40 to 440 milliseconds, the same each time.
fn lengths(tasks: usize) -> Vec<u64> {
    (0..tasks as u64).map(|task| 40 + task * 7919 % 401).collect()
}

impl Work {
    /// The program that does this for so many milliseconds.
    fn argv(self, length: u64) -> Vec<String> {
        match self {
            Self::Sleep => vec!["sleep".to_owned(), format!("{}.{:03}", length / 1000, length % 1000)],
            Self::Count => {
                let steps = length * 1000;
                let count = format!("i=0; while [ $i -lt {steps} ]; do i=$((i+1)); done");
                vec!["sh".to_owned(), "-c".to_owned(), count]
            }
        }
    }
}

impl Row {
    fn print(&self) {
        let Self { name, wall, bare, bound, order } = self;
        println!("| {name} | {wall:.2} s | {:.2} | {:.3} | {:.3} |", wall / bare, wall / bound, wall / order);
    }

    /// What is wrong with a row of tasks that sleep.
    fn complaint(&self, are_lengths_known: bool) -> Option<String> {
        let (least, of) =
            if are_lengths_known { (self.bound, "the bound") } else { (self.order, "our order") };
        let is_slow = least >= ASKED_FROM && self.wall / least > MOST;
        is_slow.then(|| format!("{}: {:.3} of {of}", self.name, self.wall / least))
    }
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of some minutes")]
fn float(ms: u64) -> f64 {
    ms as f64
}

impl Job {
    fn of(graph: Graph, order: Order) -> Self {
        let mut job = Self { lengths: lengths(graph.tasks()), graph, priorities: None };
        if order == Order::LongestChain {
            job.priorities = Some(job.by_longest_chain());
        }
        job
    }

    /// What is measured. In a chain no order makes a difference, nor does it for who shares too few cores.
    fn all(work: Work) -> Vec<Self> {
        let by_age = [Graph::flat(TASKS), Graph::layered(TASKS), Graph::chain(TASKS)];
        let mut all: Vec<Self> = by_age.into_iter().map(|graph| Self::of(graph, Order::Age)).collect();
        if work == Work::Sleep {
            let by_chain = [Graph::flat(TASKS), Graph::layered(TASKS)];
            all.extend(by_chain.into_iter().map(|graph| Self::of(graph, Order::LongestChain)));
        }
        all
    }

    /// With how many slots it is run.
    fn slots(&self, work: Work) -> &'static [usize] {
        match work {
            _ if self.graph.name == "chain" => &[1, 4],
            Work::Sleep => &[1, 2, 4, 8, 20, TASKS],
            Work::Count => &[1, 2, 4, 20],
        }
    }

    /// How this job did with so many slots, of which so many do something at the same time.
    fn row(&self, work: Work, (slots, hands): (usize, usize), wall: f64, bare: f64) -> Row {
        let graph = self.graph.name;
        let said = if self.priorities.is_some() { ", with priorities" } else { "" };
        let work = if work == Work::Sleep { "sleep" } else { "CPU" };
        // A millisecond of the plan is what it took without Windlass.
        let scale = bare / float(self.lengths.iter().sum());
        let (bound, order) = (float(self.bound(hands)) * scale, float(self.in_order(hands)) * scale);
        Row { name: format!("{work} | {graph}{said} | {slots}"), wall, bare, bound, order }
    }

    /// The priorities that who knows all lengths gives: 100 for what the longest chain begins with.
    fn by_longest_chain(&self) -> Vec<i64> {
        let mut chains = self.lengths.clone();
        for (task, needs) in self.graph.needs.iter().enumerate().rev() {
            for need in needs {
                chains[*need] = chains[*need].max(self.lengths[*need] + chains[task]);
            }
        }
        let longest = chains.iter().max().copied().unwrap_or(1);
        chains.iter().map(|chain| i64::try_from(200 * chain / longest).expect("200 at most") - 100).collect()
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

    /// What it takes to start each task as soon as a hand is free, those first that have the highest priority and then those
    /// that have been ready for longest, if nothing but the tasks takes time: what is above it is what we cost; what it is above
    /// the bound is the price of not knowing lengths.
    fn in_order(&self, hands: usize) -> u64 {
        let rank =
            |task: usize, turn: u64| (Reverse(self.priorities.as_ref().map_or(0, |all| all[task])), turn);
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
            let priority = match &self.priorities {
                Some(all) => format!("priority: {}, ", all[task]),
                None => String::new(),
            };
            let run = work.argv(*length);
            writeln!(plan, "  t{task}: {{ needs: [{}], {priority}run: {run:?} }}", needs.join(", "))
                .expect("a String takes all");
        }
        plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(needs: Vec<Vec<usize>>, lengths: Vec<u64>) -> Job {
        Job { graph: Graph { name: "", needs }, lengths, priorities: None }
    }

    #[test]
    fn the_bound_is_the_longest_chain_or_all_the_work_over_all_hands() {
        let job_of_three = job(vec![vec![], vec![0], vec![]], vec![3, 4, 9]);
        assert_eq!((job_of_three.bound(1), job_of_three.bound(2), job_of_three.bound(9)), (16, 9, 9));
        assert_eq!(job(Graph::chain(3).needs, vec![1, 2, 3]).bound(8), 6);
    }

    #[test]
    fn an_order_that_does_not_know_lengths_may_take_longer_than_the_bound() {
        let mut job = job(vec![vec![], vec![], vec![], vec![0]], vec![1, 2, 3, 9]);
        // 0 and 1 start; 2 follows 0, and 3, ready as soon, waits until 1 has ended.
        assert_eq!((job.in_order(1), job.in_order(2), job.in_order(4)), (15, 11, 10));
        assert_eq!((job.bound(1), job.bound(2), job.bound(4)), (15, 10, 10));
        job.priorities = Some(job.by_longest_chain());
        assert_eq!((job.in_order(1), job.in_order(2), job.in_order(4)), (15, 10, 10));
    }

    #[test]
    fn priorities_by_the_longest_chain_come_close_to_the_bound_and_age_does_not() {
        let to_bound = |graph: fn(usize) -> Graph, order, hands| {
            let job = Job::of(graph(TASKS), order);
            (1000 * job.in_order(hands) + job.bound(hands) / 2) / job.bound(hands)
        };
        let of = |graph, order| [4, 8].map(|hands| to_bound(graph, order, hands));
        assert_eq!(of(Graph::layered, Order::Age), [1021, 1053]);
        assert_eq!(of(Graph::layered, Order::LongestChain), [1003, 1011]);
        assert_eq!(of(Graph::flat, Order::LongestChain), [1001, 1002]);
    }
}

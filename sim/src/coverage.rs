//! Which arrows of the machines a batch of seeds has taken, and which it has seen too rarely to say anything about.
//! Never: a world of its own.

use std::fmt::Debug;

use windlass_core::machine::arrows::Taken;
use windlass_core::machine::{attempt, breaker, run, task};

/// How often each arrow should be taken in so many seeds.
const OFTEN: u64 = 100;
const IN_SEEDS: u64 = 2000;

/// The arrows that may be taken more rarely, and why.
pub const EXCEPTIONS: [(&str, &str); 6] = [
    ("task: Gating, MergeRequested", NO_GIT),
    ("task: Merging, Accepted", NO_GIT),
    ("task: Merging, RetryScheduled", NO_GIT),
    ("task: Merging, RetryAtOnce", NO_GIT),
    ("task: Merging, Died", NO_GIT),
    ("task: Merging, Cancelled", NO_GIT),
];

const NO_GIT: &str = "no draft has worktrees yet, since the world has no git";

/// An arrow that was taken too rarely.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rare {
    /// The arrow: its machine, where it begins, and by which fact.
    pub arrow: String,
    /// How often it was taken.
    pub count: u64,
    /// How often it should be.
    pub wanted: u64,
}

/// How often each arrow should have been taken in so many seeds.
pub(crate) fn wanted(seeds: u64) -> u64 {
    OFTEN * seeds / IN_SEEDS
}

/// The arrows that were taken too rarely in so many seeds.
pub fn rare(taken: &Taken, seeds: u64) -> Vec<Rare> {
    let wanted = wanted(seeds).max(1);
    let rare = counted(taken).into_iter().filter(|(_, count)| *count < wanted);
    rare.map(|(arrow, count)| Rare { arrow, count, wanted }).collect()
}

/// Every arrow that there is, in an order of its own, with how often it was taken.
pub(crate) fn counted(taken: &Taken) -> Vec<(String, u64)> {
    let mut all = Vec::new();
    let mut look = |machine: &str, from: &dyn Debug, fact: &dyn Debug, count: Option<&u64>| {
        all.push((format!("{machine}: {from:?}, {fact:?}"), count.copied().unwrap_or(0)));
    };
    for from in task::Phase::ALL {
        for fact in task::Fact::ALL.into_iter().filter(|fact| from.next(*fact).is_some()) {
            look("task", &from, &fact, taken.tasks.get(&(from, fact)));
        }
    }
    for from in attempt::Phase::ALL {
        for fact in attempt::Fact::ALL.into_iter().filter(|fact| from.next(*fact).is_some()) {
            look("attempt", &from, &fact, taken.attempts.get(&(from, fact)));
        }
    }
    for from in run::Phase::ALL {
        for fact in run::Fact::ALL.into_iter().filter(|fact| from.next(*fact).is_some()) {
            look("run", &from, &fact, taken.runs.get(&(from, fact)));
        }
    }
    for from in breaker::Phase::ALL {
        for fact in breaker::Fact::ALL.into_iter().filter(|fact| from.next(*fact).is_some()) {
            look("breaker", &from, &fact, taken.breakers.get(&(from, fact)));
        }
    }
    all
}

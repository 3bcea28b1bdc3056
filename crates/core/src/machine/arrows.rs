//! Which arrows of the machines are taken, counted for whoever asks. Without the feature `planted`, which nothing that
//! is shipped turns on, nothing is counted. Never: anything that the machines themselves look at.

use std::collections::BTreeMap;

use crate::machine::{attempt, breaker, run, task};

/// How often each arrow was taken.
#[derive(Clone, Debug, Default)]
pub struct Taken {
    /// Those of tasks.
    pub tasks: BTreeMap<(task::Phase, task::Fact), u64>,
    /// Those of attempts.
    pub attempts: BTreeMap<(attempt::Phase, attempt::Fact), u64>,
    /// Those of runs.
    pub runs: BTreeMap<(run::Phase, run::Fact), u64>,
    /// Those of breakers.
    pub breakers: BTreeMap<(breaker::Phase, breaker::Fact), u64>,
}

#[cfg(feature = "planted")]
mod counted {
    use std::cell::RefCell;

    use super::{Taken, attempt, breaker, run, task};

    thread_local! {
        static TAKEN: RefCell<Option<Taken>> = const { RefCell::new(None) };
    }

    /// Counts on this thread from here on, on top of what was counted before.
    pub fn count(on: Taken) {
        TAKEN.set(Some(on));
    }

    /// Counts no more, and says what was counted.
    pub fn counted() -> Taken {
        TAKEN.take().unwrap_or_default()
    }

    fn with(count: impl FnOnce(&mut Taken)) {
        TAKEN.with_borrow_mut(|taken| taken.as_mut().map(count));
    }

    pub(crate) fn of_task(from: task::Phase, fact: task::Fact) {
        with(|taken| *taken.tasks.entry((from, fact)).or_default() += 1);
    }

    pub(crate) fn of_attempt(from: attempt::Phase, fact: attempt::Fact) {
        with(|taken| *taken.attempts.entry((from, fact)).or_default() += 1);
    }

    pub(crate) fn of_run(from: run::Phase, fact: run::Fact) {
        with(|taken| *taken.runs.entry((from, fact)).or_default() += 1);
    }

    pub(crate) fn of_breaker(from: breaker::Phase, fact: breaker::Fact) {
        with(|taken| *taken.breakers.entry((from, fact)).or_default() += 1);
    }
}

#[cfg(not(feature = "planted"))]
mod counted {
    use super::{attempt, breaker, run, task};

    pub(crate) const fn of_task(_: task::Phase, _: task::Fact) {}
    pub(crate) const fn of_attempt(_: attempt::Phase, _: attempt::Fact) {}
    pub(crate) const fn of_run(_: run::Phase, _: run::Fact) {}
    pub(crate) const fn of_breaker(_: breaker::Phase, _: breaker::Fact) {}
}

#[cfg(feature = "planted")]
pub use counted::{count, counted};
pub(crate) use counted::{of_attempt, of_breaker, of_run, of_task};

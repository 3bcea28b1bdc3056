//! Which runs have something to be done: those from which something follows, and when the first wait of each ends. So what
//! rests costs nothing at the events of others. Never: what that is (`steps.rs`, `decide/alarms.rs`).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::id::RunId;
use crate::machine::run;
use crate::planted::{Bug, is_planted};
use crate::state::steps::{Rest, Step};
use crate::state::{Run, State};
use crate::time::{Span, Time};

/// The runs with something to be done.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Due {
    /// Those with tasks from which something follows.
    follow: BTreeSet<RunId>,
    /// Those of which something is to be said once nothing follows from tasks any more.
    rest: BTreeSet<RunId>,
    /// Waits that end by steady time in milliseconds, the first of each run.
    steady: BTreeSet<(i64, RunId)>,
    /// The same of dates, by the wall clock.
    wall: BTreeSet<(Time, RunId)>,
    /// The same of bounds, by how long an engine was alive.
    alive: BTreeSet<(Span, RunId)>,
}

/// What of a run stands there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Noted {
    follows: bool,
    rests: bool,
    steady: Option<i64>,
    wall: Option<Time>,
    alive: Option<Span>,
}

/// A moment, as all clocks show it by which waits end.
pub(crate) struct Clocks {
    /// Steady time in milliseconds.
    pub(crate) steady: i64,
    /// The wall clock.
    pub(crate) wall: Time,
    /// How long an engine was alive.
    pub(crate) alive: Span,
}

impl Noted {
    /// What is to be noted of a run; `is_active` is whether its waits may end.
    fn of(run: &Run, is_active: bool) -> Self {
        if run.phase == run::Phase::Finished {
            return Self::default();
        }
        let (follows, rests) = (Step::first(run).is_some(), Rest::of(run, is_active).is_some());
        if !is_active {
            return Self { follows, rests, ..Self::default() };
        }
        let alarm = run.alarms.first().map(|(due, ..)| *due);
        let bound = alarm.into_iter().chain(run.purse.wall_max(&run.plan.budget)).min();
        Self {
            follows,
            rests,
            steady: run.retries.first().map(|(due, _)| *due),
            wall: run.dates.first().map(|(due, _)| *due),
            alive: bound.and_then(|due| run.active.alive_when(due)),
        }
    }
}

impl Due {
    /// Counted from all runs. What is kept in step with each record is always this.
    pub fn of(state: &State) -> Self {
        let mut due = Self::default();
        for run in state.runs.values() {
            due.change(run.id, Noted::default(), Noted::of(run, state.is_active(run)));
        }
        due
    }

    /// Those with tasks from which something follows.
    pub(crate) fn follow(&self) -> impl Iterator<Item = RunId> {
        self.follow.iter().copied()
    }

    /// Those of which something is to be said once nothing follows from tasks any more.
    pub(crate) fn rest(&self) -> impl Iterator<Item = RunId> {
        self.rest.iter().copied()
    }

    /// A run with a wait that is over when the clocks show this.
    pub(crate) fn over(&self, now: &Clocks) -> Option<RunId> {
        let steady = self.steady.first().filter(|(due, _)| *due <= now.steady).map(|(_, run)| *run);
        let wall = || self.wall.first().filter(|(due, _)| *due <= now.wall).map(|(_, run)| *run);
        let alive = || self.alive.first().filter(|(due, _)| *due <= now.alive).map(|(_, run)| *run);
        steady.or_else(wall).or_else(alive)
    }

    /// The first moment of each clock at which a wait ends.
    pub(crate) fn next(&self) -> (Option<i64>, Option<Time>, Option<Span>) {
        let steady = self.steady.first().map(|(due, _)| *due);
        (steady, self.wall.first().map(|(due, _)| *due), self.alive.first().map(|(due, _)| *due))
    }

    /// A run has changed. `is_active` is whether its waits may end.
    pub(crate) fn attend(&mut self, run: &mut Run, is_active: bool) {
        let after = Noted::of(run, is_active);
        let before = run.noted;
        if before == after || (is_planted(Bug::RestNotNoted) && after.rests) {
            return;
        }
        run.noted = after;
        self.change(run.id, before, after);
    }

    /// A run is gone.
    pub(crate) fn forget(&mut self, run: &Run) {
        self.change(run.id, run.noted, Noted::default());
    }

    fn change(&mut self, run: RunId, before: Noted, after: Noted) {
        replace(&mut self.follow, before.follows.then_some(run), after.follows.then_some(run));
        replace(&mut self.rest, before.rests.then_some(run), after.rests.then_some(run));
        replace(&mut self.steady, before.steady.map(|at| (at, run)), after.steady.map(|at| (at, run)));
        replace(&mut self.wall, before.wall.map(|at| (at, run)), after.wall.map(|at| (at, run)));
        replace(&mut self.alive, before.alive.map(|at| (at, run)), after.alive.map(|at| (at, run)));
    }
}

/// One entry takes the place of another.
fn replace<T: Ord>(entries: &mut BTreeSet<T>, before: Option<T>, after: Option<T>) {
    if before == after {
        return;
    }
    if let Some(before) = before {
        entries.remove(&before);
    }
    entries.extend(after);
}

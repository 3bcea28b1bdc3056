//! The keeper has died: its monitors end what is theirs, and what falls to this process is ended and taken here.
//! Never: starting anything before all of that is gone.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use crate::clock;
use crate::ending::{Ending, GRACE_OF_LEFTOVERS, descent};
use crate::keeper::left_to_this_process;
use crate::os::{Host, Os as _, Pid, Process, Signal};

use super::pool::Pool;

/// How long monitors may take to end what is theirs before they are ended themselves.
const GRACE_OF_MONITORS: Duration = Duration::from_secs(2);
/// How often it is looked whether all is gone.
const LOOK: Duration = Duration::from_millis(10);

/// What has to be gone before another keeper starts.
#[derive(Debug)]
pub(super) struct Mourning {
    pub(super) pool: Pool,
    /// The monitors of that keeper, which come to this process too.
    monitors: HashSet<Pid>,
    seen: HashSet<Process>,
    until: Instant,
    ending: Option<Ending>,
}

impl Mourning {
    /// Begins when the keeper's link has closed. Idle monitors end with their links.
    pub(super) fn new(mut pool: Pool) -> Self {
        let monitors = pool.monitors.values().map(|monitor| monitor.process.pid).collect();
        pool.monitors.retain(|_, monitor| monitor.doing.is_some());
        let mourning = Self {
            pool,
            monitors,
            seen: HashSet::new(),
            until: clock::monotonic() + GRACE_OF_MONITORS,
            ending: None,
        };
        // One that is held would neither hear of the keeper's death nor end.
        mourning.pool.signal_monitors(Signal::CONT);
        mourning
    }

    /// Does what is due; none when nothing of the keeper's is left, else the time until the next step.
    pub(super) fn step(&mut self) -> Option<Duration> {
        if !self.pool.monitors.is_empty() {
            if clock::monotonic() >= self.until {
                self.pool.signal_monitors(Signal::KILL);
            }
            return Some(LOOK);
        }
        // Links close before the kernel hands the children of their holder on: only that it can be taken proves that.
        if !self.pool.keeper.is_over() {
            return Some(LOOK);
        }
        if !Host::is_subreaper() {
            return None;
        }
        let left = take_the_dead();
        if left.is_empty() {
            return None;
        }
        self.seen.extend(descent(left));
        let ending = self.ending.get_or_insert_with(|| Ending::new(GRACE_OF_LEFTOVERS));
        Some(ending.step(left_to_this_process).min(LOOK))
    }

    /// Goes on until nothing is left, for this long at most. What not even force ends falls to the next in line.
    pub(super) fn end_within(mut self, span: Duration) {
        // Where the engine ends no report is wanted: their links close.
        self.pool.monitors.clear();
        let until = clock::monotonic() + span;
        while let Some(next_step) = self.step().filter(|_| clock::monotonic() < until) {
            std::thread::sleep(next_step);
        }
    }

    /// The processes that had to be ended here.
    pub(super) fn leftovers(&self) -> u32 {
        let others = self.seen.iter().filter(|process| !self.monitors.contains(&process.pid));
        u32::try_from(others.count()).unwrap_or(u32::MAX)
    }
}

/// What came to this process and lives. Each one that was taken may have left more, so it is looked again.
fn take_the_dead() -> Vec<Pid> {
    loop {
        let found = left_to_this_process();
        let alive: Vec<Pid> = found.iter().copied().filter(|child| !Host::wait_for(*child)).collect();
        if alive.len() == found.len() {
            return alive;
        }
    }
}

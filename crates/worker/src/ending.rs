//! How a set of processes is ended: a word of warning to each, some time, then force until none is left. Monitors,
//! keeper, engine and sweep all end what is theirs this way. Never: taking what is over (the parents do that).

use std::collections::HashSet;
use std::time::Duration;

use crate::clock::{self, Moment};
use crate::os::{Host, Look, Os as _, Pid, Process, Signal};

/// How long what outlived its program, or its engine, may go on before force is used.
pub(crate) const GRACE_OF_LEFTOVERS: Duration = Duration::from_millis(500);
/// How soon after a use of force it is looked again.
const AGAIN: Duration = Duration::from_millis(20);
/// How often processes that keep appearing are held before force is used on what was found.
const HOLDS_MAX: u32 = 20;

/// An ending under way.
#[derive(Debug)]
pub(crate) struct Ending {
    force_at: Moment,
    warned: bool,
    /// A group of processes that was warned as a whole.
    warned_group: Option<Pid>,
}

impl Ending {
    /// An ending that begins now.
    pub(crate) fn new(grace: Duration) -> Self {
        Self { force_at: clock::monotonic() + grace, warned: grace.is_zero(), warned_group: None }
    }

    /// An ending of processes of which a group was warned just before. It is not warned again: many programs take a
    /// second warning for an order to end at once.
    pub(crate) fn of_warned_group(grace: Duration, leader: Pid) -> Self {
        Self { warned_group: Some(leader), ..Self::new(grace) }
    }

    /// Lets force be used no later than this long from now; what was granted before is never lengthened.
    pub(crate) fn hasten(&mut self, grace: Duration) {
        self.force_at = self.force_at.min(clock::monotonic() + grace);
    }

    /// Whether force is due.
    pub(crate) fn is_forceful(&self) -> bool {
        clock::monotonic() >= self.force_at
    }

    /// Does what is due to these processes and all that descend from them; gives the time until the next step. Each
    /// step asks for them anew, since a number may be another's by then.
    pub(crate) fn step(&mut self, roots: impl Fn() -> Vec<Look>) -> Duration {
        let now = clock::monotonic();
        if now < self.force_at {
            if !self.warned {
                self.warned = true;
                for look in looks_at_descent(roots()) {
                    if self.warned_group.is_none() || look.group != self.warned_group {
                        Host::signal(look.process, Signal::TERM);
                    }
                    // One that is held can't hear the warning.
                    Host::signal(look.process, Signal::CONT);
                }
            }
            return self.force_at - now;
        }
        force(roots);
        AGAIN
    }
}

/// Ends these and all that descends from them at once; says what that was. Holds everything first, so that nothing new is
/// made while it is counted, and then ends it.
pub(crate) fn force(roots: impl Fn() -> Vec<Look>) -> HashSet<Process> {
    let mut held = HashSet::new();
    for _ in 0..HOLDS_MAX {
        let found = descent(roots());
        let fresh: Vec<Process> = found.into_iter().filter(|process| held.insert(*process)).collect();
        if fresh.is_empty() {
            break;
        }
        for process in fresh {
            Host::signal(process, Signal::STOP);
        }
    }
    for process in &held {
        Host::signal(*process, Signal::KILL);
    }
    held
}

/// Those of these that are still there, and don't only wait to be taken. What has the number of one that is gone is
/// another process.
pub(crate) fn alive<'a>(processes: impl IntoIterator<Item = &'a Process>) -> Vec<Look> {
    let look =
        |process: &Process| Host::look_at(process.pid).filter(|look| look.process == *process && !look.over);
    processes.into_iter().filter_map(look).collect()
}

/// These processes and everything that descends from them, as far as it still lives.
pub(crate) fn descent(roots: Vec<Look>) -> Vec<Process> {
    looks_at_descent(roots).into_iter().map(|look| look.process).collect()
}

/// The same, with what the system says about each.
pub(crate) fn looks_at_descent(roots: Vec<Look>) -> Vec<Look> {
    let mut found = looks_at_all(roots);
    found.retain(|look| !look.over);
    found
}

/// The same, those included that are over and wait to be taken.
pub(crate) fn looks_at_all(roots: Vec<Look>) -> Vec<Look> {
    let mut found = Vec::new();
    let mut known = HashSet::new();
    let mut to_visit = roots;
    while let Some(look) = to_visit.pop() {
        if known.insert(look.process) {
            to_visit.extend(look_at_children(look.process.pid));
            found.push(look);
        }
    }
    found
}

/// The children of a process, those included that are over.
pub(crate) fn look_at_children(pid: Pid) -> Vec<Look> {
    Host::children(pid).into_iter().filter_map(Host::look_at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planted::{Bug, plant, sleep};

    /// Whether force is used on what was warned, when the machine has slept for longer than its grace since then.
    fn is_forced_after_a_sleep(bug: Option<Bug>) -> bool {
        plant(bug);
        let mut ending = Ending::new(Duration::from_hours(1));
        ending.step(Vec::new);
        sleep(Duration::from_hours(8));
        let forced = ending.step(Vec::new) == AGAIN;
        plant(None);
        forced
    }

    #[test]
    fn a_sleep_of_the_machine_takes_nothing_from_a_grace_and_a_clock_that_counts_it_is_found() {
        assert!(!is_forced_after_a_sleep(None));
        assert!(is_forced_after_a_sleep(Some(Bug::SuspendIsSilence)));
    }
}

//! What an attempt uses at a moment, over everything that descends from its monitor. Never: judging it.

use std::time::Duration;

use crate::ending::{look_at_children, looks_at_all};
use crate::os::{Host, Os as _, Pid};

/// A measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Measured {
    /// Time of processors since the monitor began: only differences say something.
    pub(super) cpu: Duration,
    /// Bytes of memory.
    pub(super) memory: u64,
    pub(super) processes: u32,
    /// The monitor is held by a signal: it would neither see the end of its attempt nor hear an order.
    pub(super) monitor_held: bool,
}

/// Measures what descends from a monitor. Memory is exact only above `of_interest`: shared pages are told apart by
/// walking all of them, and as long as the sum with shared ones counted twice is below, nothing hangs on it.
pub(super) fn measure(monitor: Pid, of_interest: u64) -> Measured {
    let looks = looks_at_all(look_at_children(monitor));
    let itself = Host::look_at(monitor);
    let taken = itself.map_or(Duration::ZERO, |look| look.cpu_of_children);
    // What the dead used counts until they are taken, and then as what was taken.
    let cpu = taken + looks.iter().map(|look| look.cpu).sum::<Duration>();
    let alive: Vec<Pid> = looks.iter().filter(|look| !look.over).map(|look| look.process.pid).collect();
    let resident: u64 = alive.iter().map(|pid| Host::memory_resident(*pid)).sum();
    let memory = if resident > of_interest {
        let fair = |pid: &Pid| Host::memory_fair(*pid).unwrap_or_else(|| Host::memory_resident(*pid));
        alive.iter().map(fair).sum()
    } else {
        resident
    };
    let processes = u32::try_from(alive.len()).unwrap_or(u32::MAX);
    Measured { cpu, memory, processes, monitor_held: itself.is_some_and(|look| look.held) }
}

/// Whether the machine has so little memory left (less than a twentieth) that something has to go.
pub(super) fn is_machine_short(memory: Option<(u64, u64)>) -> bool {
    memory.is_some_and(|(available, total)| available < total / 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_short_of_memory_below_a_twentieth() {
        assert!(is_machine_short(Some((4, 100))));
        assert!(!is_machine_short(Some((5, 100))));
        assert!(!is_machine_short(None));
    }
}

//! The limits of attempts in flight: when they are due, and what is told when one is overrun. Never: ending an attempt.

use std::time::Duration;

use windlass_core::event::StopWhy;
use windlass_core::id::Fence;

use super::driver::Driver;
use super::meter;
use crate::clock::{self, Moment};
use crate::os::{Host, Os as _, Signal};
use crate::report::WorkerReport;

/// How often monitors are asked whether they still run what they were given.
const ASK_EVERY: Duration = Duration::from_secs(5);

impl Driver {
    /// How long may be waited before something is due.
    pub(super) fn due(&self) -> Option<Duration> {
        let now = clock::monotonic();
        let deadline = self.deadlines.first().map(|(moment, _)| *moment);
        let next =
            deadline.into_iter().chain(self.next_tick).chain(self.ends_by.values().min().copied()).min();
        let next = next.map(|moment| moment.since(now));
        next.into_iter().chain(self.mourning_step).chain(self.emptying_step).min()
    }

    pub(super) fn look_at_limits(&mut self) {
        let now = clock::monotonic();
        let mut overdue = Vec::new();
        while let Some((_, fence)) = self.deadlines.first().copied().filter(|(moment, _)| *moment <= now) {
            self.deadlines.pop_first();
            let late = self.attempts.get(&fence).and_then(|attempt| attempt.watch.timed_out());
            overdue.extend(late.map(|(why, message)| (fence, why, message)));
        }
        if self.next_tick.is_some_and(|tick| tick <= now) {
            self.look_at_keeper();
            overdue.extend(self.measure(now));
            self.memory_kills = [self.memory_kills[1], Host::memory_kills()];
            let ticks = self.attempts.values().map(|attempt| attempt.watch.tick());
            self.next_tick = ticks.min().map(|tick| now + tick);
        }
        self.force_what_is_late(now);
        for (fence, why, message) in overdue {
            // It may have ended in time, and nobody had time to hear of it.
            self.hear_of(fence);
            // One that is being ended has been told of enough.
            let Some(attempt) = self.attempts.get_mut(&fence).filter(|one| !one.stopped) else { continue };
            attempt.note(&message);
            let key = attempt.key.clone();
            self.report(WorkerReport::Overdue { key, fence, why, message });
        }
    }

    /// An attempt begins, and what is watched of it.
    pub(super) fn watch_limits(&mut self, fence: Fence) {
        let Some(attempt) = self.attempts.get_mut(&fence) else { return };
        attempt.watch.begins();
        self.deadlines.extend(attempt.watch.deadline().map(|deadline| (deadline, fence)));
        let due = clock::monotonic() + attempt.watch.tick();
        self.tick_by(due);
    }

    pub(super) fn tick_by(&mut self, due: Moment) {
        self.next_tick = Some(self.next_tick.map_or(due, |next| next.min(due)));
    }

    /// Measures everything that has run for a while.
    fn measure(&mut self, now: Moment) -> Vec<(Fence, StopWhy, String)> {
        let Some(pool) = &mut self.pool else { return Vec::new() };
        let ask = now.since(self.last_ask) >= ASK_EVERY;
        let mut overdue = Vec::new();
        for monitor in pool.monitors.values_mut() {
            let Some((fence, attempt)) =
                monitor.doing.and_then(|fence| Some((fence, self.attempts.get_mut(&fence)?)))
            else {
                continue;
            };
            if attempt.watch.is_due(now) {
                // What it printed while nobody had time for it is not held against it.
                if attempt.watch.seems_silent(now) {
                    attempt.read(0, &mut self.buffer);
                    attempt.read(1, &mut self.buffer);
                }
                let measured = meter::measure(monitor.process.pid, attempt.watch.memory_of_interest());
                if measured.monitor_held {
                    Host::signal(monitor.process, Signal::CONT);
                }
                overdue.extend(
                    attempt.watch.measured(now, measured).into_iter().map(|(why, text)| (fence, why, text)),
                );
                attempt.show_open_lines();
            }
            monitor.tell_again();
            if ask {
                monitor.ask(fence);
            }
        }
        if ask {
            self.last_ask = now;
        }
        overdue.extend(self.largest_if_short());
        overdue
    }

    /// The largest attempt where the machine has no memory left; one at a time, so that its end can help first.
    fn largest_if_short(&mut self) -> Option<(Fence, StopWhy, String)> {
        let memory = Host::memory_of_machine();
        if !meter::is_machine_short(memory) || self.attempts.values().any(|one| one.watch.goes_for_memory()) {
            return None;
        }
        let measured = self.attempts.iter_mut().filter(|(_, attempt)| attempt.watch.memory() > 0);
        let (fence, largest) = measured.max_by_key(|(_, attempt)| attempt.watch.memory())?;
        let (why, text) = largest.watch.has_to_go(memory.map_or(0, |(available, _)| available))?;
        Some((*fence, why, text))
    }
}

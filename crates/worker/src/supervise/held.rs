//! Monitors and keepers that somebody holds by a signal, the attempts themselves perhaps: they are let go on, and where
//! that does not help they are ended by force. Never: waiting for them.

use std::time::Duration;

use windlass_core::id::Fence;

use super::driver::Driver;
use crate::clock::{self, Moment};
use crate::ending::{alive, force};
use crate::os::{Host, Os as _, Process, Signal};

/// How long after its grace an attempt that was told to end is looked at; a monitor that goes on needs less.
const OVERTIME: Duration = Duration::from_secs(1);
/// At how many looks in a row a keeper may be held.
const LOOKS_HELD_MAX: u32 = 3;

impl Driver {
    /// An attempt was told to end within this grace.
    pub(super) fn expect_end(&mut self, fence: Fence, grace: Duration) {
        let due = clock::monotonic() + grace + OVERTIME;
        let known = self.ends_by.entry(fence).or_insert(due);
        *known = due.min(*known);
    }

    /// Ends attempts that should be over and whose monitors are held, with these: what is left falls to the keeper, which
    /// tells when it is gone.
    pub(super) fn force_what_is_late(&mut self, now: Moment) {
        let pools = || self.pool.iter().chain(self.mourning.as_ref().map(|mourning| &mourning.pool));
        let monitors = || pools().flat_map(|pool| pool.monitors.values());
        for (fence, due) in self.ends_by.iter_mut().filter(|(_, due)| **due <= now) {
            // A monitor that works has processes to end that take their time: they may wait for a disk.
            *due = now + OVERTIME;
            let monitor = monitors().find(|monitor| monitor.doing == Some(*fence));
            if let Some(monitor) = monitor.map(|monitor| monitor.process).filter(|one| is_held(*one)) {
                force(|| alive([&monitor]));
                self.attempts.entry(*fence).and_modify(|attempt| attempt.forced = true);
            }
        }
    }

    /// Lets a keeper that is held go on. One that is held again and again is ended: another comes after it.
    pub(super) fn look_at_keeper(&mut self) {
        let Some(pool) = &mut self.pool else { return };
        if !pool.keeper.is_held() {
            pool.looks_held = 0;
            return;
        }
        pool.looks_held += 1;
        pool.keeper.signal(if pool.looks_held < LOOKS_HELD_MAX { Signal::CONT } else { Signal::KILL });
    }
}

fn is_held(process: Process) -> bool {
    Host::look_at(process.pid).is_some_and(|look| look.held && look.process == process)
}

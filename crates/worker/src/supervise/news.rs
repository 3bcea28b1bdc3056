//! What keeper and monitors tell the driver, and what it makes of that. Never: anything that waits.

use std::io;
use std::os::fd::OwnedFd;

use windlass_core::event::{Exit, LossReason};
use windlass_core::failure::{ErrorKind, Failure};
use windlass_core::id::Fence;

use super::driver::Driver;
use super::mourning::Mourning;
use super::pool::Pool;
use crate::fault;
use crate::link::{Link, Received};
use crate::os::{Host, Os as _, Pid};
use crate::report::WorkerReport;
use crate::wire::{FromKeeper, FromMonitor, Message as _, Reckoning};

impl Driver {
    pub(super) fn hear_keeper(&mut self) {
        let mut buffer = [0; 64];
        loop {
            let Some(pool) = &mut self.pool else { return };
            match pool.keeper.link.receive(&mut buffer, false) {
                Ok(Received::Message(length, mut descriptors)) => {
                    match FromKeeper::from_bytes(&buffer[..length]) {
                        Some(FromKeeper::Ready(pid)) => self.monitor_ready(pid, descriptors.pop()),
                        Some(FromKeeper::Gone(pid, leftovers)) => self.monitor_gone(pid, leftovers),
                        Some(FromKeeper::ForkFailed(errno)) => {
                            pool.one_less_asked();
                            self.fail_first(&io::Error::from_raw_os_error(errno));
                        }
                        None => {}
                    }
                }
                Ok(Received::Nothing) => return,
                Ok(Received::End) | Err(_) => return self.keeper_died(),
            }
        }
    }

    fn keeper_died(&mut self) {
        let Some(pool) = self.pool.take() else { return };
        if !pool.has_borne {
            // Another one would fare no better, and be started for each attempt that waits.
            self.fail_waiting(&io::Error::other("its keeper ended as soon as it was started"));
        }
        self.mourning = Some(Mourning::new(pool, &self.settings));
    }

    fn monitor_ready(&mut self, monitor: Pid, link: Option<OwnedFd>) {
        let Some(pool) = &mut self.pool else { return };
        pool.one_less_asked();
        // The kernel hands no descriptor to a process that may not hold another.
        let link = link.ok_or_else(|| io::Error::from(rustix::io::Errno::MFILE));
        if let Err(error) = link.and_then(|link| pool.add(monitor, Link::from(link), &self.poller)) {
            self.fail_first(&error);
        }
    }

    /// The pool that a monitor belongs to, also when its keeper is gone.
    fn pool_of(&mut self, id: u32) -> Option<&mut Pool> {
        let pools = self.pool.iter_mut().chain(self.mourning.as_mut().map(|mourning| &mut mourning.pool));
        pools.into_iter().find(|pool| pool.monitors.contains_key(&id))
    }

    /// Takes one message of a monitor: there is seldom another, and the poller would tell. False where there was none.
    pub(super) fn hear_monitor(&mut self, id: u32) -> bool {
        let mut buffer = [0; 64];
        let Some(pool) = self.pool_of(id) else { return false };
        let Some(monitor) = pool.monitors.get_mut(&id) else { return false };
        let doing = monitor.doing;
        match monitor.link.receive(&mut buffer, false) {
            Ok(Received::Message(length, _)) => match (FromMonitor::from_bytes(&buffer[..length]), doing) {
                (Some(FromMonitor::Doing(asked, doing)), current) => {
                    monitor.answered();
                    if current == Some(Fence(asked)) && doing != asked {
                        pool.is_free(id);
                        self.lost(Fence(asked));
                    }
                }
                (Some(FromMonitor::Ended(reckoning)), Some(fence)) => {
                    pool.is_free(id);
                    self.hand_out();
                    self.monitor_ended(fence, &reckoning);
                }
                (Some(FromMonitor::Failed(fault)), Some(fence)) => {
                    pool.is_free(id);
                    let attempt = self.attempts.get(&fence);
                    let failure = attempt.map(|one| fault::explain(fault, &one.program, &one.folder));
                    if let Some(failure) = failure {
                        self.fail(fence, failure);
                    }
                }
                _ => {}
            },
            Ok(Received::Nothing) => return false,
            Ok(Received::End) | Err(_) => {
                self.monitor_died(id);
                return false;
            }
        }
        true
    }

    /// Takes all that the monitor of this attempt has said.
    pub(super) fn hear_of(&mut self, fence: Fence) {
        let monitors = self.pool.iter().flat_map(|pool| &pool.monitors);
        let id = monitors.into_iter().find_map(|(id, one)| (one.doing == Some(fence)).then_some(*id));
        while id.is_some_and(|id| self.hear_monitor(id)) {}
    }

    fn monitor_ended(&mut self, fence: Fence, reckoning: &Reckoning) {
        if reckoning.keeper_died {
            return self.mourn_attempt(fence, reckoning.leftovers);
        }
        let Some(attempt) = self.take(fence) else { return };
        let killed = !attempt.stopped && libc::WIFSIGNALED(reckoning.status);
        let by_kernel = killed && libc::WTERMSIG(reckoning.status) == libc::SIGKILL && self.memory_ran_out();
        let report = attempt.ended(reckoning, by_kernel, &mut self.buffer);
        self.ended(report);
    }

    /// Whether the kernel has ended processes for want of memory just now: since the last measurement but one.
    fn memory_ran_out(&self) -> bool {
        Host::memory_kills() > self.memory_kills[0]
    }

    /// A monitor died: what it left falls to the keeper, which tells when all of it is gone.
    fn monitor_died(&mut self, id: u32) {
        let gone = self.pool_of(id).and_then(|pool| pool.monitors.remove(&id));
        self.orphaned.extend(gone.and_then(|gone| Some((gone.process.pid, gone.doing?))));
    }

    /// Nothing is left of a monitor. The keeper's word of it may be read before its own last words and its link's end.
    fn monitor_gone(&mut self, monitor: Pid, leftovers: u32) {
        if let Some(id) = self.pool.as_ref().and_then(|pool| pool.id_of(monitor)) {
            while self.hear_monitor(id) {}
            self.monitor_died(id);
        }
        let Some(place) = self.orphaned.iter().position(|(pid, _)| *pid == monitor) else { return };
        let (_, fence) = self.orphaned.swap_remove(place);
        let Some(attempt) = self.take(fence) else { return };
        let cgroups = self.pool.as_ref().and_then(|pool| pool.cgroups.as_ref());
        let group = cgroups.map(|cgroups| cgroups.of_attempt(&attempt.key));
        let failure = if attempt.forced {
            Failure::new(
                ErrorKind::Crashed,
                "its monitor was held and could not end it: both were ended by force",
            )
            .hint(
                "look for what sends SIGSTOP to the process `pawl-monitor`: the attempt itself, or a person",
            )
        } else {
            Failure::new(ErrorKind::Crashed, "its monitor was killed, and the attempt with it").hint(
                "look for what killed the process `pawl-monitor`: the kernel for want of memory, or a person",
            )
        };
        let report = attempt.failed(Exit::Signal(libc::SIGKILL), failure, leftovers, &mut self.buffer);
        match group {
            // It is told of when that is proved to be empty.
            Some(group) => self.emptying.push((group, report)),
            None => self.ended(report),
        }
    }

    /// A monitor does not know the attempt that it was given, and no report of it is under way.
    fn lost(&mut self, fence: Fence) {
        let Some(attempt) = self.take(fence) else { return };
        let attempts = vec![attempt.lost(0, &mut self.buffer)];
        self.report(WorkerReport::Lost { attempts, reason: LossReason::ReportLost });
    }
}

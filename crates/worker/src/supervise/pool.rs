//! The keeper and its monitors, as the engine sees them. Never: knowing what runs in a monitor but for its fence.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::time::Duration;

use windlass_core::id::Fence;

use super::driver::Awaited;
use crate::cgroups::Cgroups;
use crate::keeper::KeeperProcess;
use crate::link::{Link, Sent};
use crate::os::{Host, Os as _, Pid, Process, Signal};
use crate::settings::Settings;
use crate::wire::{Message as _, ToKeeper, ToMonitor};

/// How many monitors are kept ready beyond those that work.
const READY: u32 = 2;

#[derive(Debug)]
pub(super) struct Monitor {
    pub(super) process: Process,
    pub(super) link: Link,
    pub(super) doing: Option<Fence>,
    /// It was asked what it does and has not answered yet.
    asked: bool,
    /// The grace of a stop for which its link had no room.
    unsent_stop: Option<Duration>,
}

impl Monitor {
    /// Orders a stop. One that was held may have to be told again ([`Monitor::tell_again`]): it had read nothing.
    pub(super) fn stop(&mut self, grace: Duration) {
        // Of several stops the earliest use of force counts, as it does in the monitor.
        self.unsent_stop = Some(self.unsent_stop.map_or(grace, |unsent| unsent.min(grace)));
        self.tell_again();
        Host::signal(self.process, Signal::CONT);
    }

    /// Tells it what it could not be told before.
    pub(super) fn tell_again(&mut self) {
        let Some(grace) = self.unsent_stop else { return };
        // One that can't be told is one whose end is about to be seen.
        if self.link.try_send(&ToMonitor::Stop(grace).to_bytes(), &[]).is_ok_and(|sent| sent == Sent::Taken) {
            self.unsent_stop = None;
        }
    }

    /// Asks what it does, unless it still owes an answer.
    pub(super) fn ask(&mut self, fence: Fence) {
        if !self.asked {
            let sent = self.link.try_send(&ToMonitor::Ask(fence.0).to_bytes(), &[]);
            self.asked = sent.is_ok_and(|sent| sent == Sent::Taken);
        }
    }

    /// It has said what it does.
    pub(super) fn answered(&mut self) {
        self.asked = false;
    }
}

/// A keeper with its monitors.
#[derive(Debug)]
pub(super) struct Pool {
    pub(super) keeper: KeeperProcess,
    /// The control group below which its attempts have theirs.
    pub(super) cgroups: Option<Cgroups>,
    pub(super) monitors: HashMap<u32, Monitor>,
    idle: Vec<u32>,
    asked: u32,
    last: u32,
    /// Whether the keeper has made a monitor yet.
    pub(super) has_borne: bool,
    /// At how many looks in a row the keeper was held.
    pub(super) looks_held: u32,
}

impl Pool {
    /// Starts a keeper and asks for the first monitors.
    pub(super) fn start(settings: &Settings, poller: &OwnedFd) -> io::Result<Self> {
        let program = settings.program.as_deref().unwrap_or(Host::OWN_PROGRAM.as_ref());
        let marks = settings.owners.as_ref().map(|owners| owners.marks.as_str());
        let cgroups = Cgroups::make(&settings.home, &settings.home_id);
        let folder = cgroups.as_ref().map(Cgroups::folder);
        let (keeper, cgroups) = match (KeeperProcess::start(program, &settings.home, folder, marks), cgroups)
        {
            (Err(error), Some(cgroups)) => {
                cgroups.end();
                return Err(error);
            }
            (started, cgroups) => (started?, cgroups),
        };
        Host::watch(poller, keeper.link.as_fd(), Awaited::Keeper.token())?;
        let mut pool = Self {
            keeper,
            cgroups,
            monitors: HashMap::new(),
            idle: Vec::new(),
            asked: 0,
            last: 0,
            has_borne: false,
            looks_held: 0,
        };
        let slots = u32::try_from(settings.slots).unwrap_or(u32::MAX).max(1);
        pool.ask_for(READY.min(slots));
        Ok(pool)
    }

    fn ask_for(&mut self, count: u32) {
        if count == 0 {
            return;
        }
        // A keeper that is gone is about to be seen to be, and one that reads nothing owes monitors anyway: with each
        // that it makes it is asked for what is missing then.
        let sent = self.keeper.link.try_send(&ToKeeper::Fork(count).to_bytes(), &[]);
        if sent.is_ok_and(|sent| sent == Sent::Taken) {
            self.asked += count;
        }
    }

    /// Asks for as many monitors as are missing for this many attempts that wait.
    pub(super) fn ask_for_missing(&mut self, waiting: usize) {
        let wanted = u32::try_from(waiting).unwrap_or(u32::MAX);
        self.ask_for(wanted.saturating_sub(self.asked));
    }

    /// A monitor came into being.
    pub(super) fn add(&mut self, pid: Pid, link: Link, poller: &OwnedFd) -> io::Result<()> {
        self.has_borne = true;
        self.last += 1;
        Host::watch(poller, link.as_fd(), Awaited::Monitor(self.last).token())?;
        // One that is gone already began at no time: nobody is taken for it.
        let process = Host::look_at(pid).map_or(Process { pid, began: 0 }, |look| look.process);
        let monitor = Monitor { process, link, doing: None, asked: false, unsent_stop: None };
        self.monitors.insert(self.last, monitor);
        self.idle.push(self.last);
        Ok(())
    }

    /// One that was asked for will not come.
    pub(super) fn one_less_asked(&mut self) {
        self.asked = self.asked.saturating_sub(1);
    }

    /// Whether one is idle.
    pub(super) fn has_idle(&self) -> bool {
        !self.idle.is_empty()
    }

    /// Gives this order to an idle monitor; false when none takes it.
    pub(super) fn give(
        &mut self,
        fence: Fence,
        message: &[u8],
        descriptors: &[BorrowedFd<'_>],
    ) -> io::Result<bool> {
        while let Some(id) = self.idle.pop() {
            let Some(monitor) = self.monitors.get_mut(&id) else { continue };
            // One that has not even read what it was told before is as good as gone.
            if monitor.link.try_send(message, descriptors)? == Sent::Taken {
                monitor.doing = Some(fence);
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A monitor has nothing to do any more.
    pub(super) fn is_free(&mut self, id: u32) {
        if let Some(monitor) = self.monitors.get_mut(&id) {
            monitor.doing = None;
            monitor.unsent_stop = None;
            self.idle.push(id);
        }
    }

    /// The number here of the monitor that is this process.
    pub(super) fn id_of(&self, process: Pid) -> Option<u32> {
        self.monitors.iter().find_map(|(id, monitor)| (monitor.process.pid == process).then_some(*id))
    }

    /// Sends a signal to each monitor.
    pub(super) fn signal_monitors(&self, signal: Signal) {
        self.monitors.values().for_each(|monitor| Host::signal(monitor.process, signal));
    }

    /// The monitor that runs this attempt.
    pub(super) fn of(&mut self, fence: Fence) -> Option<&mut Monitor> {
        self.monitors.values_mut().find(|monitor| monitor.doing == Some(fence))
    }
}

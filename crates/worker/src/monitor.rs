//! A monitor: starts one attempt at a time, waits until nothing of it is left, and says so. A copy of the keeper,
//! made ahead and used again once it is proved empty. Never: knowing what it starts, or why.

use std::collections::HashSet;
use std::ffi::{CStr, OsStr};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::Duration;
use std::{fs, io};

use crate::ending::{Ending, GRACE_OF_LEFTOVERS, descent, look_at_children};
use crate::link::{Link, MESSAGE_BYTES_MAX, Received, wait_for};
use crate::os::cgroup::{Cgroup, Emptying};
use crate::os::{Fault, Host, Launch, Look, Os as _, Pid, Process, Signal, Starter, Step, Waited};
use crate::planted::{Bug, is_planted};
use crate::wire::{FromMonitor, Message as _, Order, Reckoning, Start, ToMonitor};

/// Lives as a monitor, and ends the process when the engine is gone and nothing of it is left.
pub(crate) fn run(link: &Link, signals: &OwnedFd, keeper: Pid, cgroups: Option<&Path>) -> ! {
    let code = match monitor(link, signals, keeper, cgroups) {
        Ok(()) => 0,
        Err(_) => 4,
    };
    #[expect(clippy::exit, reason = "this process is a monitor and nothing else")]
    std::process::exit(code)
}

fn monitor(link: &Link, signals: &OwnedFd, keeper: Pid, cgroups: Option<&Path>) -> io::Result<()> {
    let _ = rustix::thread::set_name(c"pawl-monitor");
    Host::become_subreaper()?;
    Host::watch_parent()?;
    let mut starter = Starter::new();
    let mut buffer = vec![0; MESSAGE_BYTES_MAX];
    // The writing ends of output and error stay open here until the next attempt has begun: so the engine is woken by
    // the report that all is over, and not before it by the end of each stream. It reads what is there, and waits
    // for no end.
    let mut _streams = Vec::new();
    loop {
        // Nothing runs, so nothing has to be watched: the death of the keeper matters only to what runs.
        let Received::Message(length, mut descriptors) = link.receive(&mut buffer, true)? else {
            return Ok(());
        };
        let from_file;
        let mut order = Order::from_bytes(&buffer[..length]);
        if let Some(Order::StartInFile(length)) = order {
            from_file = descriptors.get(3).map_or_else(|| Ok(Vec::new()), |file| read_all(file, length))?;
            order = Order::from_bytes(&from_file);
        }
        match order {
            Some(Order::Start(start)) => {
                let cgroup = cgroups
                    .and_then(|all| Cgroup::make(all.join(OsStr::from_bytes(start.cgroup.to_bytes()))).ok());
                let begun = begin(&mut starter, &start, &descriptors, cgroup.as_ref());
                descriptors.truncate(3);
                descriptors.drain(..1.min(descriptors.len()));
                _streams = descriptors;
                match begun {
                    Ok(main) => {
                        let mut held = Held::new(link, signals, keeper, main, start.fence);
                        held.cgroup = cgroup;
                        if held.until_empty()? == Engine::Gone {
                            return Ok(());
                        }
                    }
                    Err(fault) => {
                        if let Some(cgroup) = cgroup {
                            cgroup.into_emptying().finish(None);
                        }
                        tell(link, FromMonitor::Failed(fault))?;
                    }
                }
            }
            Some(Order::Other(ToMonitor::Ask(fence))) => tell(link, FromMonitor::Doing(fence, 0))?,
            // A stop that crossed with the end of what it meant.
            Some(Order::Other(ToMonitor::Stop(_)) | Order::StartInFile(_)) | None => {}
        }
    }
}

/// An engine that is gone needs no news; that it is gone shows when it is listened to.
fn tell(link: &Link, news: FromMonitor) -> io::Result<()> {
    link.send(&news.to_bytes(), &[]).map(|_| ())
}

fn read_all(file: &OwnedFd, length: usize) -> io::Result<Vec<u8>> {
    use std::os::unix::fs::FileExt as _;
    let mut bytes = vec![0; length];
    fs::File::from(file.try_clone()?).read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}

fn begin(
    starter: &mut Starter,
    start: &Start<'_>,
    descriptors: &[OwnedFd],
    cgroup: Option<&Cgroup>,
) -> Result<Pid, Fault> {
    let [input, output, error, ..] = descriptors else {
        // The kernel hands over fewer than were sent when this process may not hold more.
        return Err(Fault { step: Step::Prepare, errno: rustix::io::Errno::MFILE.raw_os_error() });
    };
    let argv: &[&CStr] = &start.argv;
    let stdio = [input.as_fd(), output.as_fd(), error.as_fd()];
    let (folder, env) = (start.folder, &start.env[..]);
    let cgroup = cgroup.map(Cgroup::held);
    Host::start(starter, &Launch { program: start.program, folder, argv, env, stdio, cgroup })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Engine {
    There,
    Gone,
}

/// An attempt that runs.
struct Held<'a> {
    link: &'a Link,
    signals: &'a OwnedFd,
    keeper: Pid,
    main: Pid,
    main_lives: bool,
    /// What was seen alive after the main process was over.
    outlived: HashSet<Process>,
    ending: Option<Ending>,
    /// The control group that it was born in.
    cgroup: Option<Cgroup>,
    emptying: Option<Emptying>,
    emptying_step: Option<Duration>,
    engine: Engine,
    reckoning: Reckoning,
}

impl<'a> Held<'a> {
    fn new(link: &'a Link, signals: &'a OwnedFd, keeper: Pid, main: Pid, fence: u64) -> Self {
        let (cpu, ending) = (Duration::ZERO, None);
        let reckoning =
            Reckoning { fence, status: 0, cpu, resident_peak: 0, leftovers: 0, keeper_died: false };
        let (outlived, engine) = (HashSet::new(), Engine::There);
        Self {
            link,
            signals,
            keeper,
            main,
            main_lives: true,
            outlived,
            ending,
            cgroup: None,
            emptying: None,
            emptying_step: None,
            engine,
            reckoning,
        }
    }

    /// Watches until this process has no child left, and reports that.
    fn until_empty(mut self) -> io::Result<Engine> {
        // The death of the keeper may have been signalled while nothing ran and nobody looked.
        self.look_for_keeper();
        let mut is_empty = false;
        while !is_empty {
            if !self.main_lives {
                self.end_within(GRACE_OF_LEFTOVERS);
                self.outlived.extend(descent(own_children()));
            }
            if let Some(cgroup) =
                self.cgroup.as_ref().filter(|_| self.ending.as_ref().is_some_and(Ending::is_forceful))
            {
                // At once, and what is being made at this moment too.
                cgroup.kill();
            }
            let next_step = self.ending.as_mut().map(|ending| ending.step(own_children));
            let next_step = next_step.into_iter().chain(self.emptying_step).min();
            let signals = self.signals.as_fd();
            let [signalled, heard] = match self.engine {
                Engine::There => wait_for([&signals, &self.link.as_fd()], next_step)?,
                Engine::Gone => [wait_for([&signals], next_step)?[0], false],
            };
            if signalled {
                Host::drain_signals(self.signals);
                self.look_for_keeper();
            }
            if heard {
                self.hear()?;
            }
            is_empty = !self.take_the_dead()? && self.group_is_empty();
        }
        let outlived = u32::try_from(self.outlived.len()).unwrap_or(u32::MAX);
        let strangers = self.emptying.as_ref().map_or(0, Emptying::strangers);
        self.reckoning.leftovers = outlived.saturating_add(strangers);
        if !is_planted(Bug::EndUntold) {
            tell(self.link, FromMonitor::Ended(self.reckoning))?;
        }
        // Without its keeper a monitor has nobody to whom its own death would leave what it runs.
        Ok(if self.reckoning.keeper_died { Engine::Gone } else { self.engine })
    }

    /// Takes every child that is over; false when there are none left.
    fn take_the_dead(&mut self) -> io::Result<bool> {
        loop {
            match Host::wait_any()? {
                Waited::Over(over) => {
                    self.reckoning.cpu += over.cpu;
                    self.reckoning.resident_peak = self.reckoning.resident_peak.max(over.resident_peak);
                    // Once it was taken, its number may be another's.
                    if self.main_lives && over.pid == self.main {
                        self.reckoning.status = over.status;
                        self.main_lives = false;
                    }
                }
                Waited::Alive => return Ok(true),
                Waited::None => return Ok(false),
            }
        }
    }

    /// Whether nothing is left in its control group, which is emptied once no child is.
    fn group_is_empty(&mut self) -> bool {
        self.emptying = self.emptying.take().or_else(|| self.cgroup.take().map(Cgroup::into_emptying));
        self.emptying_step = self.emptying.as_mut().and_then(Emptying::step);
        self.emptying_step.is_none()
    }

    fn end_within(&mut self, grace: Duration) {
        if let Some(ending) = &mut self.ending {
            return ending.hasten(grace);
        }
        if self.main_lives && !grace.is_zero() {
            // The group hears of it in one stroke, also those of it that are being made at this moment.
            Host::signal_group(self.main, Signal::TERM);
            self.ending = Some(Ending::of_warned_group(grace, self.main));
        } else {
            self.ending = Some(Ending::new(grace));
        }
    }

    fn look_for_keeper(&mut self) {
        if !self.reckoning.keeper_died && rustix::process::getppid() != Some(self.keeper) {
            self.reckoning.keeper_died = true;
            self.end_within(GRACE_OF_LEFTOVERS);
        }
    }

    fn hear(&mut self) -> io::Result<()> {
        let mut buffer = [0; 64];
        match self.link.receive(&mut buffer, false)? {
            Received::Message(length, _) => match ToMonitor::from_bytes(&buffer[..length]) {
                Some(ToMonitor::Stop(grace)) => self.end_within(grace),
                Some(ToMonitor::Ask(fence)) => {
                    tell(self.link, FromMonitor::Doing(fence, self.reckoning.fence))?;
                }
                None => {}
            },
            Received::Nothing => {}
            Received::End => {
                self.engine = Engine::Gone;
                self.end_within(GRACE_OF_LEFTOVERS);
            }
        }
        Ok(())
    }
}

fn own_children() -> Vec<Look> {
    look_at_children(rustix::process::getpid())
}

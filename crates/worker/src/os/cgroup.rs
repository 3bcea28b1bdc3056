//! Linux: control groups of version 2, as far as they hold processes. Never: controllers, or a group that the caller did
//! not name.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read as _, Seek as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::{Access, Mode, OFlags};
use rustix::io::Errno;

use super::{Pid, proc};
use crate::clock;

/// The file through which all that is in a group is ended, from Linux 5.14 on.
const KILL: &str = "cgroup.kill";
/// The file that names what is in a group.
const PROCESSES: &str = "cgroup.procs";
/// How long it is waited at a time for a group to be empty: its news may come late.
const LOOK: Duration = Duration::from_millis(20);

/// The groups of this machine as this process sees them, and its own among them.
#[derive(Debug)]
pub(crate) struct Hierarchy {
    mounted_at: PathBuf,
    /// What of all groups is mounted there.
    root: PathBuf,
    own: PathBuf,
}

impl Hierarchy {
    /// The groups, where they are mounted here.
    pub(crate) fn find() -> Option<Self> {
        let (root, mounted_at) = proc::cgroup_mount()?;
        Some(Self { mounted_at, root, own: proc::own_cgroup()? })
    }

    /// The path of this process's own group.
    pub(crate) fn own(&self) -> &Path {
        &self.own
    }

    /// The folder of the group at this path; none where it can't be seen from here.
    pub(crate) fn folder(&self, path: &Path) -> Option<PathBuf> {
        Some(self.mounted_at.join(path.strip_prefix(&self.root).ok()?))
    }

    /// The folder of this process's own group, where this process may make another below it and start processes in that.
    pub(crate) fn own_if_open(&self) -> Option<PathBuf> {
        // A process is born in a group by a piece of machine code (`linux.rs`).
        let folder = self.folder(&self.own).filter(|_| super::IS_BORN_IN_GROUPS)?;
        let may = |path: &Path| rustix::fs::access(path, Access::WRITE_OK).is_ok();
        (may(&folder) && may(&folder.join(PROCESSES))).then_some(folder)
    }
}

/// Makes a group; none where it would not do what a group is made for.
pub(crate) fn make(folder: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o755).create(folder)?;
    // Below a group of threads none holds processes.
    let holds_processes = fs::read_to_string(folder.join("cgroup.type")).is_ok_and(|kind| kind == "domain\n");
    if holds_processes && fs::exists(folder.join(KILL))? {
        return Ok(());
    }
    remove(folder)?;
    Err(io::ErrorKind::Unsupported.into())
}

/// Whether a folder is one of a group that still is there.
pub(crate) fn is_there(folder: &Path) -> bool {
    fs::exists(folder.join(KILL)).unwrap_or(false)
}

/// The groups that lie in this one.
pub(crate) fn within(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    folders.map(|entry| entry.path()).collect()
}

/// What is in this group and all that lie in it, as far as it can be seen from here.
pub(crate) fn processes(folder: &Path) -> Vec<Pid> {
    let list = fs::read_to_string(folder.join(PROCESSES)).unwrap_or_default();
    // Those of other namespaces are shown as 0.
    let mut found: Vec<Pid> = list
        .lines()
        .filter_map(|line| line.parse().ok().filter(|pid| *pid > 0))
        .filter_map(Pid::from_raw)
        .collect();
    found.extend(within(folder).iter().flat_map(|inner| processes(inner)));
    found
}

/// Ends all that is in this group and in all that lie in it, what is being made at this moment included.
pub(crate) fn kill(folder: &Path) {
    // It fails where the group is gone, and with it all that was in it.
    drop(fs::write(folder.join(KILL), "1"));
}

/// Whether a process is in this group or in any that lie in it.
fn is_populated(folder: &Path) -> bool {
    fs::read_to_string(folder.join("cgroup.events")).is_ok_and(|events| events.contains("populated 1"))
}

/// Removes a group with all that lie in it. Where anything is in any of them all stay: one that is empty may be that of an
/// engine in another, which has nothing in flight at this moment.
pub(crate) fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir(folder) {
        Err(error) if error.raw_os_error() == Some(Errno::BUSY.raw_os_error()) && !is_populated(folder) => {
            for inner in within(folder) {
                remove(&inner)?;
            }
            fs::remove_dir(folder)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// A group that is being emptied: what is in it is ended by force, until it is proved that nothing is left.
#[derive(Debug)]
pub(crate) struct Emptying {
    folder: PathBuf,
    /// How many processes were in it when it was first found that some were.
    strangers: Option<u32>,
}

impl Emptying {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder, strangers: None }
    }

    /// Does what is due; none when nothing is left in it, else the time until the next step.
    pub(crate) fn step(&mut self) -> Option<Duration> {
        // As a rule it is empty, and that it can be removed is the proof. One that can't be removed for another reason holds
        // nothing either.
        if remove(&self.folder).is_ok() || !is_populated(&self.folder) {
            return None;
        }
        let count = || u32::try_from(processes(&self.folder).len()).unwrap_or(u32::MAX);
        self.strangers.get_or_insert_with(count);
        // Again each time: what was moved into it from elsewhere since then goes with it.
        kill(&self.folder);
        Some(LOOK)
    }

    /// How many processes had to be ended in it.
    pub(crate) fn strangers(&self) -> u32 {
        self.strangers.unwrap_or(0)
    }

    /// Takes all steps, and waits in between; for this long at most, where there is a bound. Whether nothing is left.
    pub(crate) fn finish(&mut self, within: Option<Duration>) -> bool {
        let until = within.map(|within| clock::monotonic() + within);
        while let Some(next_step) = self.step() {
            if until.is_some_and(|until| clock::monotonic() >= until) {
                return false;
            }
            let events = File::open(self.folder.join("cgroup.events"));
            events
                .map_or_else(|_| std::thread::sleep(next_step), |events| wait_for_change(&events, next_step));
        }
        true
    }
}

/// Waits until something about a group has changed, for this long at most.
fn wait_for_change(mut events: &File, at_most: Duration) {
    // What is new is told only of what was read.
    drop(events.rewind().and_then(|()| events.read_to_string(&mut String::new())));
    let at_most = Timespec { tv_sec: 0, tv_nsec: at_most.subsec_nanos().into() };
    let _ = rustix::event::poll(&mut [PollFd::new(events, PollFlags::PRI)], Some(&at_most));
}

/// A group that is held open, so that a process can be born in it.
#[derive(Debug)]
pub(crate) struct Cgroup {
    folder: PathBuf,
    held: OwnedFd,
}

impl Cgroup {
    /// Makes one.
    pub(crate) fn make(folder: PathBuf) -> io::Result<Self> {
        DirBuilder::new().mode(0o755).create(&folder)?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match rustix::fs::open(&folder, flags, Mode::empty()) {
            Ok(held) => Ok(Self { folder, held }),
            Err(error) => {
                remove(&folder)?;
                Err(error.into())
            }
        }
    }

    /// The descriptor of its folder.
    pub(crate) fn held(&self) -> BorrowedFd<'_> {
        self.held.as_fd()
    }

    /// Ends all that is in it.
    pub(crate) fn kill(&self) {
        kill(&self.folder);
    }

    /// Lets go of it, to be emptied.
    pub(crate) fn into_emptying(self) -> Emptying {
        Emptying::new(self.folder)
    }
}

/// Whether a process can be born in a group below that of this one. It is tried: rights alone don't tell.
pub(crate) fn try_out(is_born: impl FnOnce(BorrowedFd<'_>) -> bool) -> bool {
    let Some(own) = Hierarchy::find().and_then(|all| all.own_if_open()) else { return false };
    let trial = own.join(format!("windlass.trial.{}", rustix::process::getpid().as_raw_nonzero()));
    // What the two make differs in what they ask of it, and both are asked for.
    if make(&trial).and_then(|()| remove(&trial)).is_err() {
        return false;
    }
    let Ok(group) = Cgroup::make(trial) else { return false };
    let is_born = is_born(group.held());
    group.into_emptying().finish(Some(LOOK)) && is_born
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_that_can_not_be_removed_is_empty_only_when_the_kernel_says_so() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let says = |what: &str| fs::write(folder.path().join("cgroup.events"), what).expect("ours");
        says("populated 1\nfrozen 0\n");
        let mut emptying = Emptying::new(folder.path().to_owned());
        assert_eq!(emptying.step(), Some(LOOK));
        assert!(!emptying.finish(Some(Duration::ZERO)), "it is not waited for longer than that");
        assert_eq!(fs::read_to_string(folder.path().join(KILL)).expect("it was written"), "1");
        says("populated 0\nfrozen 0\n");
        assert_eq!(emptying.step(), None);
        assert!(emptying.finish(None));
    }
}

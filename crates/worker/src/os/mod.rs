//! The one door to the operating system for everything that is particular to it: how processes are started, held,
//! found, ended and measured. Never: policy (who is to be ended, and when, is said by the callers).

#[cfg(not(target_os = "linux"))]
compile_error!(
    "windlass-worker holds processes by Linux's means (subreapers, pidfds, /proc): build it on Linux, or write \
     another system's two files behind the trait `Os` of crates/worker/src/os/mod.rs"
);

pub(crate) mod cgroup;
pub(crate) mod disk;
mod linux;
mod proc;

use std::ffi::CStr;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::machine::Machine;

pub(crate) use rustix::process::{Pid, Signal};

/// Whether processes can be born within control groups. A system that has none of these says no, and makes none.
pub(crate) const IS_BORN_IN_GROUPS: bool = cfg!(target_arch = "x86_64");

/// The system that this binary is built for.
pub(crate) type Host = linux::Linux;

/// What the rest of this crate needs of an operating system.
pub(crate) trait Os {
    /// Where the program of this very process is found, also when its file was replaced.
    const OWN_PROGRAM: &str;

    /// Makes the calling process, which has just begun, a keeper: signals as at first and held back, no descriptor
    /// but the standard ones, a session of its own, the root as folder; orphans of its descent come to it. Gives
    /// what was its standard input, under a number above the standard ones.
    fn detach() -> io::Result<OwnedFd>;
    /// Orphans of this process's descent come to it.
    fn become_subreaper() -> io::Result<()>;
    /// Whether orphans of this process's descent come to it.
    fn is_subreaper() -> bool;
    /// A descriptor that is readable when a child has changed, or the parent has died ([`Os::watch_parent`]).
    fn signals() -> io::Result<OwnedFd>;
    /// Takes what [`Os::signals`] has to say.
    fn drain_signals(signals: &OwnedFd);
    /// Lets the death of the parent show at [`Os::signals`].
    fn watch_parent() -> io::Result<()>;
    /// A second process like this one, which must have a single thread; none in the new one.
    fn fork() -> io::Result<Option<Pid>>;
    /// From here on this process, which must have a single thread, has mounts of its own; as one of a namespace of users of
    /// its own, where it has no right to that otherwise.
    fn own_mounts(with_users: bool) -> io::Result<()>;
    /// Starts a program, with a death signal bound to the calling thread. Returns when it runs, or with the step
    /// that failed.
    fn start(starter: &mut Starter, launch: &Launch<'_>) -> Result<Pid, Fault>;
    /// Takes the next child that is over, without waiting.
    fn wait_any() -> io::Result<Waited>;
    /// Takes this child if it is over; true when it is no child any more.
    fn wait_for(pid: Pid) -> bool;

    /// The children of a process, over all its threads.
    fn children(pid: Pid) -> Vec<Pid>;
    /// What the system says about a process; none when there is none.
    fn look_at(pid: Pid) -> Option<Look>;
    /// Lets the calling process take no notice of a polite stop.
    fn ignore_term();
    /// Whether the calling process ignores this signal. Where that can't be known, it does not.
    fn ignores(signal: i32) -> bool;
    /// Sends a signal to exactly this process, never to another with its number.
    fn signal(process: Process, signal: Signal);
    /// A descriptor that is readable once this process, a child that was not taken yet, is over.
    fn end_of(child: Pid) -> io::Result<OwnedFd>;
    /// Sends a signal to all of a group whose leader is a child that was not taken yet.
    fn signal_group(leader: Pid, signal: Signal);

    /// Bytes that a process shares with nobody, and its part of those that it shares; none when it can't be read.
    fn memory_fair(pid: Pid) -> Option<u64>;
    /// Bytes that a process has in memory, shared or not.
    fn memory_resident(pid: Pid) -> u64;
    /// Bytes of memory: available, and in all.
    fn memory_of_machine() -> Option<(u64, u64)>;
    /// How often this machine has ended a process because there was no memory left.
    fn memory_kills() -> u64;
    /// All processes.
    fn all() -> Vec<Pid>;
    /// The processes of this name, or of one that begins with it, that hold a lock on the file at this path.
    fn holders_of_lock(path: &Path, name: &str) -> Vec<Process>;
    /// Whether a process has this file open, or one of this name (or `NAME-…`) works in one of these folders. What
    /// can't be known counts as yes.
    fn is_worked_on(file: &Path, folders: &[PathBuf], name: &str) -> bool;
    /// Whether this is the name that a process has given itself.
    fn is_named(pid: Pid, name: &str) -> bool;
    /// The value of a variable in the environment that a process was started with.
    fn variable(pid: Pid, name: &str) -> Option<Vec<u8>>;

    /// A descriptor through which many others are waited for.
    fn poller() -> io::Result<OwnedFd>;
    /// Lets the poller give this token whenever `source` is readable or was closed at its other end.
    fn watch(poller: &OwnedFd, source: BorrowedFd<'_>, token: u64) -> io::Result<()>;
    /// Waits until some of the watched are ready and fills in their tokens; for this long at most.
    fn ready(poller: &OwnedFd, tokens: &mut Vec<u64>, at_most: Option<Duration>) -> io::Result<()>;
    /// A descriptor by which one thread wakes another.
    fn bell() -> io::Result<OwnedFd>;
    /// Makes the bell readable.
    fn ring(bell: &OwnedFd);
    /// Makes it silent again.
    fn silence(bell: &OwnedFd);

    /// A descriptor that is readable when something changed in a watched folder.
    fn changes() -> io::Result<Changes>;
    /// Watches one more folder.
    fn watch_folder(changes: &Changes, folder: &Path) -> io::Result<()>;
    /// Takes what changed.
    fn drain_changes(changes: &Changes);

    /// What this start of the machine is known by.
    fn boot_id() -> Option<String>;
    /// From where this process sees control groups: elsewhere a path means another one, or none.
    fn cgroup_namespace() -> Option<String>;

    /// A file without a name, in memory.
    fn memory_file(name: &str) -> io::Result<OwnedFd>;
    /// Facts about what this machine offers to hold processes.
    fn machine() -> Machine;
}

/// See [`Os::changes`].
pub(crate) type Changes = OwnedFd;

/// A process that can't be mistaken for another: its number, and when it began, in ticks since the machine did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Process {
    pub(crate) pid: Pid,
    pub(crate) began: u64,
}

/// A process as it was when it was looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    pub(crate) process: Process,
    pub(crate) parent: i32,
    pub(crate) group: Option<Pid>,
    /// It is over and only waits to be taken by its parent.
    pub(crate) over: bool,
    /// Somebody holds it by a signal.
    pub(crate) held: bool,
    /// Time of processors: its own, and of the children that it took.
    pub(crate) cpu: Duration,
    /// Of the children that it took alone.
    pub(crate) cpu_of_children: Duration,
}

/// What is started: everything absolute and final.
#[derive(Debug)]
pub(crate) struct Launch<'a> {
    pub(crate) program: &'a CStr,
    pub(crate) folder: &'a CStr,
    pub(crate) argv: &'a [&'a CStr],
    pub(crate) env: &'a [&'a CStr],
    pub(crate) stdio: [BorrowedFd<'a>; 3],
    /// The control group that it is to be born in, where that can be.
    pub(crate) cgroup: Option<BorrowedFd<'a>>,
}

/// The room that a starting process borrows until its program runs.
#[derive(Debug)]
pub(crate) struct Starter {
    pub(crate) stack: Vec<u8>,
}

impl Starter {
    /// Room for one start at a time.
    pub(crate) fn new() -> Self {
        Self { stack: vec![0; 64 * 1024] }
    }
}

/// The step at which a start failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Making the process.
    Fork,
    /// Giving it its session and standard streams.
    Prepare,
    /// Entering its folder.
    Folder,
    /// Running its program.
    Exec,
}

/// Why a program could not be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) step: Step,
    pub(crate) errno: i32,
}

/// A child that is over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Over {
    pub(crate) pid: Pid,
    pub(crate) status: i32,
    pub(crate) cpu: Duration,
    pub(crate) resident_peak: u64,
}

/// The answer to [`Os::wait_any`].
#[derive(Clone, Copy, Debug)]
pub(crate) enum Waited {
    /// This one is over.
    Over(Over),
    /// There are children, and all of them live.
    Alive,
    /// There are none.
    None,
}

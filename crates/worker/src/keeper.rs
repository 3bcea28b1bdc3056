//! The keeper, `pawl`: makes monitors, and ends what dead monitors and a dead engine leave behind. It is this same
//! binary, started under that name. Never: threads, or any descriptor but its link, its lock and its signals.

use std::collections::HashSet;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::{self, Moment};
use crate::ending::{Ending, GRACE_OF_LEFTOVERS, descent, look_at_children};
use crate::link::{Link, MESSAGE_BYTES_MAX, Received, wait_for};
use crate::os::cgroup::Emptying;
use crate::os::{Host, Look, Os as _, Pid, Process, Signal, Waited};
use crate::wire::{FromKeeper, Message as _, ToKeeper};
use crate::{monitor, private};

/// The name under which this binary is a keeper; the names of monitors begin with it.
pub(crate) const NAME: &str = "pawl";

/// How long monitors may take to end what is theirs once the engine is gone, before they are ended themselves.
const GRACE_OF_MONITORS: Duration = Duration::from_secs(3);

/// Becomes the keeper if this process was started as one, and returns otherwise. It must be the first thing in
/// `main`, before any thread or runtime.
pub fn run_if_keeper() {
    let mut arguments = std::env::args_os();
    if arguments.next().is_none_or(|name| name != NAME) {
        return;
    }
    let code = match arguments.next().map(|home| keep(Path::new(&home), arguments.next().map(PathBuf::from)))
    {
        Some(Ok(())) => 0,
        Some(Err(_)) => 4,
        None => 2,
    };
    #[expect(clippy::exit, reason = "this process is the keeper and nothing else")]
    std::process::exit(code);
}

/// Set in the environment of keepers, so that a program that does not become one when it is started as one does not
/// start another, and that one another.
const STARTED_AS_KEEPER: &str = "WINDLASS_PAWL";

/// Whether this process was to become a keeper and has not.
pub(crate) fn was_to_be_keeper() -> bool {
    std::env::var_os(STARTED_AS_KEEPER).is_some()
}

/// A keeper that this process started.
#[derive(Debug)]
pub(crate) struct KeeperProcess {
    pub(crate) link: Link,
    child: Child,
    /// Readable once it is over.
    end: OwnedFd,
}

/// The keepers of this process, which are children that nobody may take for orphans.
static KEEPERS: Mutex<Vec<u32>> = Mutex::new(Vec::new());

impl KeeperProcess {
    /// Starts a keeper for this home: the program is this same binary, unless a test has one of its own. Attempts are born
    /// in control groups below this one, if there is one.
    #[expect(clippy::disallowed_methods, reason = "this is the one process that an engine starts")]
    pub(crate) fn start(
        program: &Path,
        home: &Path,
        cgroups: Option<&Path>,
        owners: Option<&str>,
    ) -> io::Result<Self> {
        let (link, theirs) = Link::pair()?;
        let mut command = Command::new(program);
        command
            .arg0(NAME)
            .arg(home)
            .args(cgroups)
            .env_clear()
            .env(STARTED_AS_KEEPER, "1")
            .envs(owners.map(|marks| ("WINDLASS_OWNERS", marks)));
        command.stdin(OwnedFd::from(theirs)).stdout(Stdio::null()).stderr(Stdio::null());
        let mut known = KEEPERS.lock().unwrap_or_else(PoisonError::into_inner);
        let child = command.spawn()?;
        known.push(child.id());
        let end = Host::end_of(Pid::from_child(&child))?;
        Ok(Self { link, child, end })
    }

    /// Whether it is over, and what it had was handed on.
    pub(crate) fn is_over(&mut self) -> bool {
        // A child that can't be asked for any more was taken.
        let over = self.child.try_wait().map_or(true, |status| status.is_some());
        if over {
            let mut known = KEEPERS.lock().unwrap_or_else(PoisonError::into_inner);
            known.retain(|known| *known != self.child.id());
        }
        over
    }

    /// Whether somebody holds it by a signal.
    pub(crate) fn is_held(&self) -> bool {
        Host::look_at(Pid::from_child(&self.child)).is_some_and(|look| look.held)
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        if let Some(look) = Host::look_at(Pid::from_child(&self.child)) {
            Host::signal(look.process, signal);
        }
    }

    /// Lets it end, and waits until it has, which proves that nothing that it held lives on. False where it takes longer
    /// than this.
    pub(crate) fn end_within(&mut self, span: Duration) -> bool {
        self.link.close();
        // One that is held would not see it.
        self.signal(Signal::CONT);
        let until = clock::monotonic() + span;
        while !self.is_over() {
            let left = until.since(clock::monotonic());
            if left.is_zero() || wait_for([&self.end], Some(left)).is_err() {
                return false;
            }
        }
        true
    }
}

/// The children of this process that no keeper of it is: what a dead keeper left to it.
pub(crate) fn left_to_this_process() -> Vec<Look> {
    let known = KEEPERS.lock().unwrap_or_else(PoisonError::into_inner);
    let is_keeper = |pid: Pid| known.contains(&pid.as_raw_nonzero().get().cast_unsigned());
    let mut children = look_at_children(rustix::process::getpid());
    children.retain(|child| !is_keeper(child.process.pid));
    children
}

/// The path of the lock that keeper and monitors of a home hold as long as one of them lives.
pub(crate) fn lock_path(home: &Path) -> std::path::PathBuf {
    home.join("keeper.lock")
}

fn keep(home: &Path, cgroups: Option<PathBuf>) -> io::Result<()> {
    let link = Link::from(Host::detach()?);
    let _ = rustix::thread::set_name(c"pawl");
    let signals = Host::signals()?;
    let lock = private::options().truncate(false).write(true).open(lock_path(home))?;
    lock.lock_shared()?;
    let own = rustix::process::getpid();
    let mut keeper =
        Keeper { link, signals, monitors: HashSet::new(), gone: Vec::new(), orphans: None, closing: None };
    match keeper.run()? {
        Role::KeeperToTheEnd => {
            // Still under the lock: whoever takes it finds nothing.
            if let Some(folder) = cgroups {
                Emptying::new(folder).finish(None);
            }
            Ok(())
        }
        Role::Monitor(link) => {
            // A monitor holds the keeper's lock and signals, and never its link: the engine waits for its end.
            let Keeper { link: of_keeper, signals, .. } = keeper;
            drop(of_keeper);
            monitor::run(&link, &signals, own, cgroups.as_deref())
        }
    }
}

/// What this process turned out to be when its loop is left: forking a monitor leaves it too, in the new process.
enum Role {
    KeeperToTheEnd,
    Monitor(Link),
}

struct Keeper {
    link: Link,
    signals: OwnedFd,
    monitors: HashSet<Pid>,
    /// Monitors that died and whose orphans may still live.
    gone: Vec<Pid>,
    orphans: Option<Orphans>,
    /// The engine is gone, and this is when the monitors must be too.
    closing: Option<Moment>,
}

struct Orphans {
    ending: Ending,
    seen: HashSet<Process>,
}

impl Keeper {
    fn run(&mut self) -> io::Result<Role> {
        let mut buffer = vec![0; MESSAGE_BYTES_MAX];
        loop {
            let any_children = self.take_the_dead()?;
            if self.closing.is_some() && !any_children {
                return Ok(Role::KeeperToTheEnd);
            }
            let next_step = self.tend()?;
            if self.closing.is_some() {
                wait_for([&self.signals], next_step)?;
            } else {
                wait_for([&self.signals.as_fd(), &self.link.as_fd()], next_step)?;
            }
            Host::drain_signals(&self.signals);
            if self.closing.is_none()
                && let Some(link) = self.hear(&mut buffer)?
            {
                return Ok(Role::Monitor(link));
            }
        }
    }

    /// Takes every child that is over; false when there are none left.
    fn take_the_dead(&mut self) -> io::Result<bool> {
        loop {
            match Host::wait_any()? {
                Waited::Over(over) if self.monitors.remove(&over.pid) => self.gone.push(over.pid),
                Waited::Over(_) => {}
                Waited::Alive => return Ok(true),
                Waited::None => return Ok(false),
            }
        }
    }

    /// Ends orphans, and tells of dead monitors once all that they may have left is gone.
    fn tend(&mut self) -> io::Result<Option<Duration>> {
        if self.gone.is_empty() && self.closing.is_none() {
            return Ok(None);
        }
        let mut next_step = None;
        let roots = self.orphan_roots();
        if roots.is_empty() {
            let leftovers = self.orphans.take().map_or(0, |orphans| orphans.seen.len());
            let mut leftovers = u32::try_from(leftovers).unwrap_or(u32::MAX);
            for monitor in self.gone.drain(..) {
                self.link.send(&FromKeeper::Gone(monitor, leftovers).to_bytes(), &[])?;
                // Whose of several they were can't be told; they are counted once.
                leftovers = 0;
            }
        } else {
            let mut orphans = self
                .orphans
                .take()
                .unwrap_or_else(|| Orphans { ending: Ending::new(GRACE_OF_LEFTOVERS), seen: HashSet::new() });
            orphans.seen.extend(descent(roots));
            next_step = Some(orphans.ending.step(|| self.orphan_roots()));
            self.orphans = Some(orphans);
        }
        Ok(next_step.into_iter().chain(self.press_monitors()).min())
    }

    /// Children that are no monitors: what dead monitors left.
    fn orphan_roots(&self) -> Vec<Look> {
        let mut children = look_at_children(rustix::process::getpid());
        children.retain(|child| !self.monitors.contains(&child.process.pid));
        children
    }

    /// Once the engine is gone monitors end by themselves; one that does not in time is ended, and its attempt
    /// becomes an orphan.
    fn press_monitors(&self) -> Option<Duration> {
        let left = self.closing?.since(clock::monotonic());
        if left.is_zero() {
            self.signal_monitors(Signal::KILL);
            return Some(GRACE_OF_LEFTOVERS);
        }
        Some(left)
    }

    fn signal_monitors(&self, signal: Signal) {
        let looks = self.monitors.iter().filter_map(|monitor| Host::look_at(*monitor));
        looks.for_each(|look| Host::signal(look.process, signal));
    }

    /// Does what the engine asks; in a new monitor it gives the monitor's link.
    fn hear(&mut self, buffer: &mut [u8]) -> io::Result<Option<Link>> {
        loop {
            match self.link.receive(buffer, false)? {
                Received::Message(length, _) => {
                    let Some(ToKeeper::Fork(count)) = ToKeeper::from_bytes(&buffer[..length]) else {
                        continue;
                    };
                    for _ in 0..count {
                        match self.make_monitor() {
                            Ok(None) => {}
                            Ok(Some(link)) => return Ok(Some(link)),
                            Err(error) => {
                                let errno = error.raw_os_error().unwrap_or(0);
                                self.link.send(&FromKeeper::ForkFailed(errno).to_bytes(), &[])?;
                            }
                        }
                    }
                }
                Received::Nothing => return Ok(None),
                Received::End => {
                    self.closing = Some(clock::monotonic() + GRACE_OF_MONITORS);
                    // One that is held would neither end nor let go.
                    self.signal_monitors(Signal::CONT);
                    return Ok(None);
                }
            }
        }
    }

    fn make_monitor(&mut self) -> io::Result<Option<Link>> {
        let (ours, theirs) = Link::pair()?;
        let Some(monitor) = Host::fork()? else { return Ok(Some(ours)) };
        self.monitors.insert(monitor);
        self.link.send(&FromKeeper::Ready(monitor).to_bytes(), &[theirs.as_fd()])?;
        Ok(None)
    }
}

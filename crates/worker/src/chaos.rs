//! What `windlass chaos` does to processes: it starts this same binary as the engine of a copy, and holds or kills that
//! engine and what is below it. Never: a process of another home.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use windlass_core::id::AttemptKey;

use crate::ending::look_at_children;
use crate::keeper::NAME;
use crate::os::{Host, Os as _, Pid, Process, Signal, disk};
use crate::sweep::marked;

/// What is done to an engine's processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// The engine is killed.
    KillEngine,
    /// Its keeper is killed.
    KillKeeper,
    /// Both are, at once.
    KillBoth,
    /// The monitor of an attempt is killed.
    KillMonitor,
    /// The main process of an attempt is killed.
    KillAttempt,
    /// The engine stands still until it is let go.
    HoldEngine,
}

/// How a process came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

/// An engine of a process of its own.
#[derive(Debug)]
pub struct Victim {
    child: Child,
    look: Process,
}

/// How this binary is started.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// What follows its name.
    pub words: &'a [&'a OsStr],
    /// The folder that it is started in.
    pub folder: &'a Path,
    /// What is different in its environment: a value, or nothing where the variable is taken away.
    pub variables: &'a [(&'a str, Option<&'a OsStr>)],
}

impl Call<'_> {
    /// The process is in a group of its own: Ctrl-C at the terminal is not for it.
    #[expect(clippy::disallowed_methods, reason = "what is to be killed must be a process of its own")]
    fn command(&self, out: File, err: File) -> Command {
        let mut command = Command::new(Host::OWN_PROGRAM);
        command.arg0("windlass").args(self.words).current_dir(self.folder).process_group(0);
        command.stdin(Stdio::null()).stdout(out).stderr(err);
        for (name, value) in self.variables {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command
    }

    /// Lets it come to its end.
    pub fn to_its_end(&self, out: File, err: File) -> io::Result<End> {
        self.command(out, err).status().map(end_of)
    }
}

fn end_of(status: std::process::ExitStatus) -> End {
    status.code().map_or_else(|| End::Signal(status.signal().unwrap_or_default()), End::Code)
}

impl Drop for Victim {
    /// It is in a group of its own: whoever lets go of it for an error would leave it at work.
    fn drop(&mut self) {
        // One that has ended was waited for.
        let _gone = self.child.kill().and_then(|()| self.child.wait());
    }
}

impl Victim {
    /// Starts it.
    pub fn start(call: &Call<'_>, out: File, err: File) -> io::Result<Self> {
        let mut child = call.command(out, err).spawn()?;
        // It is not taken before we do: its number is its own.
        let Some(look) = Host::look_at(Pid::from_child(&child)) else {
            child.kill().and_then(|()| child.wait())?;
            return Err(io::Error::other("/proc does not show a process that was started"));
        };
        Ok(Self { child, look: look.process })
    }

    /// How it ended, if it has.
    pub fn end(&mut self) -> io::Result<Option<End>> {
        Ok(self.child.try_wait()?.map(end_of))
    }

    /// Does this to it, if there is something to do it to: `pick` chooses among several.
    pub fn harm(&self, harm: Harm, pick: usize) -> bool {
        match harm {
            Harm::KillEngine => signal(&[self.look], Signal::KILL),
            Harm::HoldEngine => signal(&[self.look], Signal::STOP),
            Harm::KillKeeper => self.keeper().is_some_and(|keeper| signal(&[keeper], Signal::KILL)),
            Harm::KillBoth => self.keeper().is_some_and(|keeper| signal(&[keeper, self.look], Signal::KILL)),
            Harm::KillMonitor => {
                let busy = self.monitors().into_iter().filter(|monitor| !children(*monitor).is_empty());
                Self::kill_one(&busy.collect::<Vec<_>>(), pick)
            }
            Harm::KillAttempt => {
                Self::kill_one(&self.monitors().into_iter().flat_map(children).collect::<Vec<_>>(), pick)
            }
        }
    }

    /// Lets it go on.
    pub fn let_go(&self) {
        signal(&[self.look], Signal::CONT);
    }

    fn kill_one(processes: &[Process], pick: usize) -> bool {
        let chosen = pick.checked_rem(processes.len()).map(|at| processes[at]);
        chosen.is_some_and(|chosen| signal(&[chosen], Signal::KILL))
    }

    /// Its keeper. What a dead one left are its children, too: those have other names.
    fn keeper(&self) -> Option<Process> {
        children(self.look).into_iter().find(|child| Host::is_named(child.pid, NAME))
    }

    fn monitors(&self) -> Vec<Process> {
        self.keeper().map(children).unwrap_or_default()
    }
}

/// Sends it to each of these, and says whether there is one.
fn signal(processes: &[Process], signal: Signal) -> bool {
    for process in processes {
        Host::signal(*process, signal);
    }
    !processes.is_empty()
}

fn children(process: Process) -> Vec<Process> {
    look_at_children(process.pid).into_iter().filter(|look| !look.over).map(|look| look.process).collect()
}

/// A disk in memory that this process and what it starts see alone, and that can be full.
#[derive(Debug)]
pub struct Disk(disk::Disk);

impl Disk {
    /// Mounts one at a folder that is there. This process must have a single thread.
    pub fn mount(at: &Path) -> io::Result<Self> {
        disk::Disk::mount(at).map(Self)
    }

    /// Leaves so much room on it; none is as much as there is.
    pub fn leave(&self, bytes: Option<u64>) -> io::Result<()> {
        self.0.leave(bytes)
    }

    /// Takes it away, with all that is on it.
    pub fn take_away(self) -> io::Result<()> {
        self.0.take_away()
    }
}

/// What lives with the mark of this home: the number of each process, and whose it is.
pub fn still_alive(home_id: &str) -> Vec<(i32, AttemptKey)> {
    let found = marked(home_id).into_iter();
    found.map(|(process, key)| (process.pid.as_raw_nonzero().get(), key)).collect()
}
